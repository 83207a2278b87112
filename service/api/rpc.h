// What every RPC has in common: who calls, until when, the answer, the count and the log line.
#ifndef ASSETGATE_API_RPC_H_
#define ASSETGATE_API_RPC_H_

#include <concepts>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/call_limit.h"
#include "api/gatekeeper.h"
#include "api/status_conversion.h"
#include "api/subject.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/trace_context.h"
#include "core/gateway.h"
#include "core/reconciler.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"

namespace assetgate::api {

// What the services stand on. All of it outlives them.
struct Parts {
  core::Gateway& gateway;
  const Gatekeeper& gatekeeper;
  CallLimit& call_limit;
  base::Metrics& metrics;
  const base::Clock& clock;
  base::Log log;
};

// Tells a client that retries by itself (gRPC's retry policy) when, where an error says so: what
// RetryInfo is for people's code, grpc-retry-pushback-ms is for gRPC.
void AddPushback(const absl::Status& status, grpc::CallbackServerContext& context);

// One unary method: makes callers out of contexts, and answers out of results. Thread-safe.
class Method {
 public:
  // `name` is its full name: "assetgate.v1.AssetService/CreateAsset".
  Method(const Parts& parts, absl::string_view name, Access access)
      : gatekeeper_(parts.gatekeeper),
        call_limit_(parts.call_limit),
        clock_(parts.clock),
        log_(parts.log),
        metrics_(parts.metrics.Rpc(name)),
        name_(name.substr(name.find('/') + 1)),
        access_(access) {}

  // Runs `call(caller, reply)`, if the caller may, and answers with what `reply` gets, whenever
  // that is. gRPC keeps `request` and `response` until then.
  template <std::derived_from<google::protobuf::Message> Request,
            std::derived_from<google::protobuf::Message> Response, typename Call>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const Request& request,
                                Response* response, Call call) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    absl::StatusOr<CallLimit::Place> place = call_limit_.Take();
    absl::StatusOr<Gatekeeper::Admitted> admitted =
        place.ok() ? gatekeeper_.Admit(*context, access_, name_) : place.status();
    core::Caller caller = admitted.ok() ? std::move(admitted->caller) : core::Caller();
    std::string request_id;
    if constexpr (requires { request.request_id(); }) request_id = request.request_id();
    Complete(*context, request_id, caller);
    Unanswered answer(*this, *context, reactor, clock_.Now(), caller,
                      place.ok() ? *std::move(place) : nullptr);
    if (!admitted.ok()) {
      answer.Refuse(admitted.status(), [&] { return SubjectOf(request, *response); });
      return reactor;
    }
    core::Reply<Response> reply = [answer = std::move(answer), &request,
                                   response](absl::StatusOr<Response> result) mutable {
      const absl::Status status = result.status();
      if (status.ok()) *response = *std::move(result);
      answer.Give(status, [&] { return SubjectOf(request, *response); });
    };
    call(caller, std::move(reply));
    return reactor;
  }

  // Answers with what `call(caller)` returns.
  template <std::derived_from<google::protobuf::Message> Request,
            std::derived_from<google::protobuf::Message> Response, typename Call>
  grpc::ServerUnaryReactor* RunNow(grpc::CallbackServerContext* context, const Request& request,
                                   Response* response, Call call) {
    return Run(context, request, response,
               [&](const core::Caller& caller, core::Reply<Response> reply) {
                 std::move(reply)(call(caller));
               });
  }

 private:
  // What is logged of a caller.
  struct Calling {
    std::string identity;
    base::LogContext log_context;
    // Null where no provider is waited for.
    std::shared_ptr<const core::WaitedCall> waited;
    // The gatekeeper did not let it in, and has said so in the log as often as it may.
    bool refused = false;
  };

  // A call that has to be answered: one that is dropped unanswered, which would be a defect, still
  // ends, and with it the process when it is told to.
  class Unanswered {
   public:
    Unanswered(Method& method, grpc::CallbackServerContext& context,
               grpc::ServerUnaryReactor* reactor, absl::Time began, const core::Caller& caller,
               CallLimit::Place place)
        : method_(method),
          context_(context),
          reactor_(reactor),
          began_(began),
          calling_{caller.identity, caller.context, caller.waited},
          place_(std::move(place)) {}
    Unanswered(Unanswered&& other) noexcept
        : method_(other.method_),
          context_(other.context_),
          reactor_(std::exchange(other.reactor_, nullptr)),
          began_(other.began_),
          calling_(std::move(other.calling_)),
          place_(std::move(other.place_)) {}
    ~Unanswered() {
      Give(absl::InternalError("the call was dropped unanswered"), [] { return Subject(); });
    }

    void Refuse(const absl::Status& status, absl::FunctionRef<Subject()> subject) {
      calling_.refused = true;
      Give(status, subject);
    }
    void Give(const absl::Status& status, absl::FunctionRef<Subject()> subject) {
      if (reactor_ == nullptr) return;
      AddPushback(status, context_);
      // Before the caller can know.
      place_.reset();
      method_.Finish(std::exchange(reactor_, nullptr), status, began_, calling_, subject);
    }

   private:
    Method& method_;
    // Lives until the reactor is finished.
    grpc::CallbackServerContext& context_;
    grpc::ServerUnaryReactor* reactor_;
    const absl::Time began_;
    Calling calling_;
    CallLimit::Place place_;
  };

  // Adds what the call itself says.
  void Complete(const grpc::CallbackServerContext& context, const std::string& request_id,
                core::Caller& caller) const;
  // `subject` is asked for only where there is a line to write.
  void Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status, absl::Time began,
              const Calling& calling, absl::FunctionRef<Subject()> subject);

  const Gatekeeper& gatekeeper_;
  CallLimit& call_limit_;
  const base::Clock& clock_;
  const base::Log log_;
  base::RpcMetrics& metrics_;
  const std::string name_;
  const Access access_;
};

// The reason of an error, as errors.proto has it; empty where there is none.
std::string ReasonOf(const absl::Status& status);

// How a call ended, as a log line tells it: an error of ours as such, others and what is `notable`
// as information, the rest for debugging.
base::LogLevel LevelOf(absl::StatusCode code, bool notable);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_RPC_H_
