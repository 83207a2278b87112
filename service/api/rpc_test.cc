// A unary RPC over real gRPC, on loopback.
#include "api/rpc.h"

#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "http/testing/fake_client.h"
#include "upstream/waited_call.h"

namespace assetgate::api {
namespace {

using ::testing::HasSubstr;

constexpr char kToken[] = "studio-token";

auth::Callers JustStudio() {
  auth::Callers callers;
  auth::Caller& studio = callers.callers.emplace_back();
  studio.id = "studio";
  studio.roles = {auth::Role::kWriter};
  studio.token_digests = {auth::DigestOf(kToken)};
  return callers;
}

using RawBatch =
    v1::AssetService::WithRawCallbackMethod_BatchCreateAssets<v1::AssetService::Service>;

// A service with one method that waits and one that reads. It keeps the newest caller.
class TestService final : public v1::AssetService::WithRawCallbackMethod_ListAssets<RawBatch> {
 public:
  explicit TestService(const Parts& parts)
      : batch_(parts, "assetgate.v1.AssetService/BatchCreateAssets", Access::kWrite),
        list_(parts, "assetgate.v1.AssetService/ListAssets", Access::kRead) {}

  grpc::ServerUnaryReactor* BatchCreateAssets(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) override {
    return batch_.Run<v1::BatchCreateAssetsRequest, v1::BatchCreateAssetsResponse>(
        context, request, response,
        [&](const calls::Caller& caller, const v1::BatchCreateAssetsRequest& asked,
            reconcile::Reply<v1::BatchCreateAssetsResponse> reply) {
          absl::MutexLock lock(&mu_);
          request_id_ = caller.context.request_id;
          unknown_fields_ = UnknownFields(asked);
          waited_ = caller.waited;
          if (asked.request_id() == "wait") {
            replies_.push_back(std::move(reply));
          } else {
            std::move(reply)(v1::BatchCreateAssetsResponse());
          }
        });
  }
  grpc::ServerUnaryReactor* ListAssets(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return list_.Run<v1::ListAssetsRequest, v1::ListAssetsResponse>(
        context, request, response,
        [&](const calls::Caller&, const v1::ListAssetsRequest& asked,
            reconcile::Reply<v1::ListAssetsResponse> reply) {
          v1::ListAssetsResponse listed;
          listed.set_next_page_token(std::string(static_cast<std::size_t>(asked.page_size()), 'x'));
          std::move(reply)(std::move(listed));
        });
  }

  std::string request_id() {
    absl::MutexLock lock(&mu_);
    return request_id_;
  }
  int unknown_fields() {
    absl::MutexLock lock(&mu_);
    return unknown_fields_;
  }
  // Returns when so many calls wait.
  void AwaitWaiting(std::size_t count) {
    absl::MutexLock lock(&mu_);
    const auto waiting = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return replies_.size() == count;
    };
    mu_.Await(absl::Condition(&waiting));
  }
  // Whether the caller of the newest call still waits.
  bool caller_waits() {
    absl::MutexLock lock(&mu_);
    return !waited_.expired();
  }
  void AnswerAll() {
    std::vector<reconcile::Reply<v1::BatchCreateAssetsResponse>> replies;
    {
      absl::MutexLock lock(&mu_);
      replies.swap(replies_);
    }
    for (auto& reply : replies) std::move(reply)(v1::BatchCreateAssetsResponse());
  }

 private:
  // Fields that no .proto names, in the request and in its assets.
  static int UnknownFields(const v1::BatchCreateAssetsRequest& request) {
    int fields = request.GetReflection()->GetUnknownFields(request).field_count();
    for (const v1::CreateAssetRequest& item : request.requests()) {
      fields += item.asset().GetReflection()->GetUnknownFields(item.asset()).field_count();
    }
    return fields;
  }

  Method batch_;
  Method list_;
  absl::Mutex mu_;
  std::string request_id_ ABSL_GUARDED_BY(mu_);
  int unknown_fields_ ABSL_GUARDED_BY(mu_) = -1;
  std::weak_ptr<upstream::WaitedCall> waited_ ABSL_GUARDED_BY(mu_);
  std::vector<reconcile::Reply<v1::BatchCreateAssetsResponse>> replies_ ABSL_GUARDED_BY(mu_);
};

class RpcTest : public ::testing::Test {
 protected:
  RpcTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ =
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
    stub_ = v1::AssetService::NewStub(channel_);
  }
  ~RpcTest() override { EndCalls(); }

  // Every call has ended, and is in the log, when this returns.
  void EndCalls() {
    service_.AnswerAll();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  static std::unique_ptr<grpc::ClientContext> Context(const std::string& token = kToken) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (!token.empty()) context->AddMetadata("authorization", absl::StrCat("Bearer ", token));
    return context;
  }
  grpc::Status Call(const v1::BatchCreateAssetsRequest& request) {
    v1::BatchCreateAssetsResponse response;
    return stub_->BatchCreateAssets(Context().get(), request, &response);
  }
  grpc::Status List(int bytes) {
    v1::ListAssetsRequest request;
    request.set_page_size(bytes);
    v1::ListAssetsResponse response;
    return stub_->ListAssets(Context().get(), request, &response);
  }
  // Sends these bytes as a BatchCreateAssetsRequest.
  grpc::Status CallWithBytes(const std::string& bytes, const std::string& token = kToken) {
    grpc::GenericStub stub(channel_);
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    absl::Notification done;
    const auto context = Context(token);
    stub.UnaryCall(context.get(), "/assetgate.v1.AssetService/BatchCreateAssets", {}, &request,
                   &response, [&](grpc::Status ended) {
                     status = std::move(ended);
                     done.Notify();
                   });
    done.WaitForNotification();
    return status;
  }
  // A call on another thread.
  struct Waiting {
    std::unique_ptr<grpc::ClientContext> context = Context();
    v1::BatchCreateAssetsRequest request;
    v1::BatchCreateAssetsResponse response;
    grpc::Status status;
    absl::Notification done;
  };
  std::unique_ptr<Waiting> BeginWaiting() {
    auto waiting = std::make_unique<Waiting>();
    waiting->request.set_request_id("wait");
    stub_->async()->BatchCreateAssets(waiting->context.get(), &waiting->request, &waiting->response,
                                      [each = waiting.get()](grpc::Status status) {
                                        each->status = std::move(status);
                                        each->done.Notify();
                                      });
    return waiting;
  }
  static v1::ErrorReason ReasonOf(const grpc::Status& status) {
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    return base::ReasonOf(details);
  }

  base::SystemClock clock_;
  base::ThreadEventLoop loop_{"test-auth"};
  base::Metrics metrics_{{.version = "test"}};
  std::ostringstream lines_;
  const base::Log log_{base::LogFormat::kJson, base::LogLevel::kInfo,
                       std::make_shared<spdlog::sinks::ostream_sink_mt>(lines_)};
  // For the keys of issuers, of which there are none.
  http::FakeHttpClient http_;
  auth::Authenticator authenticator_{JustStudio(), clock_, {http_, loop_}};
  auth::Limiter limiter_{clock_};
  Gatekeeper gatekeeper_{authenticator_, limiter_, log_};
  CallLimit call_limit_{
      {.calls = 4, .calls_per_caller = 2, .unsent = 2 << 20, .unsent_per_caller = 1 << 20}};
  TestService service_{Parts{gatekeeper_, call_limit_, metrics_, clock_, log_}};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AssetService::Stub> stub_;
};

TEST_F(RpcTest, BatchIsLoggedWithTheRequestIdThatTheCallerGave) {
  v1::BatchCreateAssetsRequest request;
  request.set_request_id("batch-7");
  const grpc::Status status = Call(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EndCalls();
  EXPECT_EQ(service_.request_id(), "batch-7");
  EXPECT_THAT(lines_.str(), HasSubstr("\"request_id\":\"batch-7\""));
}

TEST_F(RpcTest, WriteWithoutARequestIdGetsOneForTheLog) {
  ASSERT_TRUE(Call({}).ok());
  EndCalls();
  EXPECT_FALSE(service_.request_id().empty());
  EXPECT_THAT(lines_.str(),
              HasSubstr(absl::StrCat("\"request_id\":\"", service_.request_id(), "\"")));
}

TEST_F(RpcTest, MalformedRequestIsReportedOnlyToAuthenticatedCallers) {
  const std::string garbage = "\xff\xff\xff";
  const grpc::Status stranger = CallWithBytes(garbage, "another-token");
  EXPECT_EQ(stranger.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  const grpc::Status known = CallWithBytes(garbage);
  EXPECT_EQ(known.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(known), v1::INVALID_FIELD);
  EXPECT_THAT(known.error_message(), HasSubstr("assetgate.v1.BatchCreateAssetsRequest"));
}

TEST_F(RpcTest, UnknownFieldsAreDiscardedAtAnyDepth) {
  v1::BatchCreateAssetsRequest request;
  request.set_request_id("newer");
  v1::Asset& asset = *request.add_requests()->mutable_asset();
  asset.GetReflection()->MutableUnknownFields(&asset)->AddLengthDelimited(900, "from the future");
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(901, 7);
  const grpc::Status status = Call(request);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(service_.request_id(), "newer");
  EXPECT_EQ(service_.unknown_fields(), 0);
}

TEST_F(RpcTest, ReadsDoNotWaitBehindCallsThatWait) {
  const auto first = BeginWaiting();
  const auto second = BeginWaiting();
  service_.AwaitWaiting(2);
  const grpc::Status third = Call({});
  EXPECT_EQ(third.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(third), v1::CALLER_LIMIT);
  EXPECT_TRUE(List(1).ok());
  service_.AnswerAll();
  first->done.WaitForNotification();
  second->done.WaitForNotification();
  EXPECT_TRUE(first->status.ok() && second->status.ok());
}

TEST_F(RpcTest, RefusedCallerTakesNoPlace) {
  const auto first = BeginWaiting();
  const auto second = BeginWaiting();
  service_.AwaitWaiting(2);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(CallWithBytes("", "another-token").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  service_.AnswerAll();
  first->done.WaitForNotification();
  second->done.WaitForNotification();
}

TEST_F(RpcTest, HangingUpReleasesThePlaceBeforeTheAnswerComes) {
  const auto first = BeginWaiting();
  const auto second = BeginWaiting();
  service_.AwaitWaiting(2);
  EXPECT_TRUE(service_.caller_waits());
  first->context->TryCancel();
  second->context->TryCancel();
  first->done.WaitForNotification();
  second->done.WaitForNotification();
  // The server is notified a moment later.
  grpc::Status status = Call({});
  while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) status = Call({});
  EXPECT_TRUE(status.ok()) << status.error_message();
  service_.AnswerAll();
  EndCalls();
  EXPECT_THAT(lines_.str(), HasSubstr("\"code\":\"CANCELLED\""));
}

TEST_F(RpcTest, AnswerIsSentHoweverLargeItIs) {
  const grpc::Status status = List(3 << 20);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace assetgate::api
