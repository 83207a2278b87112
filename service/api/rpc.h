// What every RPC has in common: who calls, until when, the answer, the count and the log line.
#ifndef ASSETGATE_API_RPC_H_
#define ASSETGATE_API_RPC_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/gatekeeper.h"
#include "api/status_conversion.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/gateway.h"
#include "core/reconciler.h"
#include "grpcpp/grpcpp.h"

namespace assetgate::api {

// What the services stand on. All of it outlives them.
struct Parts {
  core::Gateway& gateway;
  const Gatekeeper& gatekeeper;
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
        clock_(parts.clock),
        log_(parts.log),
        metrics_(parts.metrics.Rpc(name)),
        name_(name.substr(name.find('/') + 1)),
        access_(access) {}

  // Runs `call(caller, reply)`, if the caller may, and answers with what `reply` gets, whenever
  // that is.
  template <typename Response, typename Call>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const std::string& request_id,
                                Response* response, Call call) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    absl::StatusOr<Gatekeeper::Admitted> admitted = gatekeeper_.Admit(*context, access_, name_);
    core::Caller caller = admitted.ok() ? std::move(admitted->caller) : core::Caller();
    Complete(*context, request_id, caller);
    Unanswered answer(*this, *context, reactor, clock_.Now(), caller.context);
    if (!admitted.ok()) {
      answer.Give(admitted.status());
      return reactor;
    }
    core::Reply<Response> reply = [answer = std::move(answer),
                                   response](absl::StatusOr<Response> result) mutable {
      const absl::Status status = result.status();
      if (status.ok()) *response = *std::move(result);
      answer.Give(status);
    };
    call(caller, std::move(reply));
    return reactor;
  }

  // Answers with what `call(caller)` returns.
  template <typename Response, typename Call>
  grpc::ServerUnaryReactor* RunNow(grpc::CallbackServerContext* context, Response* response,
                                   Call call) {
    return Run(context, "", response, [&](const core::Caller& caller, core::Reply<Response> reply) {
      std::move(reply)(call(caller));
    });
  }

 private:
  // A call that has to be answered: one that is dropped unanswered, which would be a defect, still
  // ends, and with it the process when it is told to.
  class Unanswered {
   public:
    Unanswered(Method& method, grpc::CallbackServerContext& context,
               grpc::ServerUnaryReactor* reactor, absl::Time began, base::LogContext log_context)
        : method_(method),
          context_(context),
          reactor_(reactor),
          began_(began),
          log_context_(std::move(log_context)) {}
    Unanswered(Unanswered&& other) noexcept
        : method_(other.method_),
          context_(other.context_),
          reactor_(std::exchange(other.reactor_, nullptr)),
          began_(other.began_),
          log_context_(std::move(other.log_context_)) {}
    ~Unanswered() { Give(absl::InternalError("the call was dropped unanswered")); }

    void Give(const absl::Status& status) {
      if (reactor_ == nullptr) return;
      AddPushback(status, context_);
      method_.Finish(std::exchange(reactor_, nullptr), status, began_, log_context_);
    }

   private:
    Method& method_;
    // Lives until the reactor is finished.
    grpc::CallbackServerContext& context_;
    grpc::ServerUnaryReactor* reactor_;
    const absl::Time began_;
    base::LogContext log_context_;
  };

  // Adds what the call itself says.
  void Complete(const grpc::CallbackServerContext& context, const std::string& request_id,
                core::Caller& caller) const;
  void Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status, absl::Time began,
              const base::LogContext& log_context);

  const Gatekeeper& gatekeeper_;
  const base::Clock& clock_;
  const base::Log log_;
  base::RpcMetrics& metrics_;
  const std::string name_;
  const Access access_;
};

// How a call ended, as a log line tells it: an error of ours as such, others and what is `notable`
// as information, the rest for debugging.
base::LogLevel LevelOf(absl::StatusCode code, bool notable);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_RPC_H_
