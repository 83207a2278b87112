#include "api/debug_services.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/server_builder_plugin.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "api/rpc.h"
#include "api/status_conversion.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "assetgate/v1/provider_service.grpc.pb.h"
#include "assetgate/v1/video_service.grpc.pb.h"
#include "base/text.h"
#include "google/protobuf/generated_message_reflection.h"
#include "grpc/health/v1/health.pb.h"
#include "provider/failure.h"

namespace assetgate::api {
namespace {

class OnlySwitchedOn final : public grpc::ServerBuilderOption {
 public:
  explicit OnlySwitchedOn(DebugSwitches switches) : switches_(switches) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [this](const auto& plugin) {
      const std::string name = plugin->name();
      return (name == "proto_server_reflection" && !switches_.reflection) ||
             (name == "channelz_service" && !switches_.channelz);
    });
  }

 private:
  const DebugSwitches switches_;
};

class Refused final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refused(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// Relays one call, message by message in each direction. Owns itself.
//
// The outer call starts operations of the inner one, so it holds the inner call until that has no
// more answers.
class Relay final : public grpc::ServerGenericBidiReactor {
 public:
  Relay(grpc::GenericStub& stub, const grpc::GenericCallbackServerContext& context)
      : inward_(*this) {
    // The caller's metadata, credentials among them, are not relayed.
    context_.set_deadline(context.deadline());
    stub.PrepareBidiStreamingCall(&context_, context.method(), {}, &inward_);
    inward_.AddHold();
    inward_.StartRead(&answer_);
    inward_.StartCall();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    if (!held_) return;
    if (ok) {
      inward_.StartWrite(&request_);
    } else {
      inward_.StartWritesDone();
    }
  }
  void OnWriteDone(bool ok) override {
    // The caller hung up: the inner call is cancelled, and ends with its next answer.
    if (!ok) context_.TryCancel();
    inward_.StartRead(&answer_);
  }
  void OnCancel() override { context_.TryCancel(); }
  void OnDone() override { delete this; }

 private:
  class Inward final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Inward(Relay& relay) : relay_(relay) {}
    void OnReadDone(bool ok) override { relay_.OnAnswer(ok); }
    void OnWriteDone(bool ok) override {
      if (ok) relay_.OnHandedOn();
    }
    // Runs after the last answer is written: the hold is released only then.
    void OnDone(const grpc::Status& status) override { relay_.Finish(status); }

   private:
    Relay& relay_;
  };

  void OnAnswer(bool ok) ABSL_LOCKS_EXCLUDED(mu_) {
    if (ok) return StartWrite(&answer_);
    absl::MutexLock lock(&mu_);
    held_ = false;
    inward_.RemoveHold();
  }
  void OnHandedOn() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (held_) StartRead(&request_);
  }

  grpc::ClientContext context_;
  Inward inward_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  absl::Mutex mu_;
  bool held_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace

std::unique_ptr<grpc::ServerBuilderOption> DisableAllExcept(DebugSwitches switches) {
  return std::make_unique<OnlySwitchedOn>(switches);
}

struct DebugServices::Hidden {
  // They answer nothing, and exist for reflection to list.
  v1::AssetService::CallbackService assets;
  v1::VideoService::CallbackService videos;
  v1::ProviderService::CallbackService providers;
  std::unique_ptr<grpc::Server> server;
  std::optional<grpc::GenericStub> stub;
};

class DebugServices::Relays final : public grpc::CallbackGenericService {
 public:
  Relays(DebugSwitches switches, const Gatekeeper& gatekeeper, grpc::GenericStub& stub)
      : switches_(switches), gatekeeper_(gatekeeper), stub_(stub) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    const std::string& method = context->method();
    if (!(switches_.reflection && absl::StartsWith(method, "/grpc.reflection.")) &&
        !(switches_.channelz && absl::StartsWith(method, "/grpc.channelz."))) {
      return new Refused(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""));
    }
    const auto admitted =
        gatekeeper_.Admit(*context, Access::kOperate, base::CleanText(method.substr(1), 128));
    if (!admitted.ok()) {
      AddPushback(admitted.status(), *context);
      return new Refused(ToGrpcStatus(admitted.status()));
    }
    return new Relay(stub_, *context);
  }

 private:
  const DebugSwitches switches_;
  const Gatekeeper& gatekeeper_;
  grpc::GenericStub& stub_;
};

DebugServices::DebugServices(DebugSwitches switches, const Gatekeeper& gatekeeper)
    : hidden_(std::make_unique<Hidden>()) {
  // Reflection names gRPC's own health service, and describes what is linked into the program.
  google::protobuf::LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  if (switches.channelz) grpc::channelz::experimental::InitChannelzService();
  grpc::ServerBuilder builder;
  builder.SetOption(DisableAllExcept(switches));
  // The inner server is not shown by channelz.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.RegisterService(&hidden_->assets);
  builder.RegisterService(&hidden_->videos);
  builder.RegisterService(&hidden_->providers);
  hidden_->server = builder.BuildAndStart();
  hidden_->stub.emplace(hidden_->server->InProcessChannel(arguments));
  relays_ = std::make_unique<Relays>(switches, gatekeeper, *hidden_->stub);
}

DebugServices::~DebugServices() { hidden_->server->Shutdown(std::chrono::system_clock::now()); }

grpc::CallbackGenericService& DebugServices::service() { return *relays_; }

}  // namespace assetgate::api
