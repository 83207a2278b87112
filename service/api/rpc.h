// What every RPC has in common: who calls, until when, the answer, the count and the log line.
#ifndef ASSETGATE_API_RPC_H_
#define ASSETGATE_API_RPC_H_

#include <atomic>
#include <concepts>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/call_limit.h"
#include "api/gatekeeper.h"
#include "api/subject.h"
#include "api/wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/trace_context.h"
#include "calls/gateway.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "reconcile/reconciler.h"
#include "upstream/waited_call.h"

namespace assetgate::api {

// What the services stand on. All of it outlives them.
struct Parts {
  calls::Gateway& gateway;
  const Gatekeeper& gatekeeper;
  CallLimit& call_limit;
  base::Metrics& metrics;
  const base::Clock& clock;
  base::Log log;
};

// Tells a client that retries by itself (gRPC's retry policy) when, where an error says so: what
// RetryInfo is for people's code, grpc-retry-pushback-ms is for gRPC.
void AddPushback(const absl::Status& status, grpc::CallbackServerContext& context);

// One unary method: makes callers out of contexts, and answers out of results. The service declares
// it raw (WithRawCallbackMethod_…), so that nothing of a request is parsed before its caller is
// known.
//
// A call holds its place (see CallLimit) until its answer is written. One whose caller hangs up
// ends at once, and the result that comes for it later is dropped.
//
// Threading: thread-safe. Lifetime: outlives its calls.
class Method {
 public:
  // `name` is its full name: "assetgate.v1.AssetService/CreateAsset".
  Method(const Parts& parts, absl::string_view name, Access access)
      : gateway_(parts.gateway),
        gatekeeper_(parts.gatekeeper),
        call_limit_(parts.call_limit),
        clock_(parts.clock),
        log_(parts.log),
        metrics_(parts.metrics.Rpc(name)),
        name_(name.substr(name.find('/') + 1)),
        access_(access) {}

  // Has `handle(caller, request, reply)` run, if the caller may, and answers with the Response that
  // `reply` gets, whenever that is. `request` does not outlive `handle`. gRPC owns what is
  // returned.
  template <std::derived_from<google::protobuf::Message> Request,
            std::derived_from<google::protobuf::Message> Response, typename Handle>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                grpc::ByteBuffer* answer, Handle handle) {
    const std::shared_ptr<Call> call = Begin(*context, *answer);
    absl::StatusOr<calls::Caller> caller = call->Admit();
    if (!caller.ok()) return call->Fail(caller.status());
    const absl::StatusOr<Request> request = Parse<Request>(*bytes);
    if (!request.ok()) return call->Fail(request.status());
    std::string request_id;
    if constexpr (requires { request->request_id(); }) request_id = request->request_id();
    call->Complete(request_id, NameIn(*request), *caller);
    reconcile::Reply<Response> reply =
        [unanswered = Unanswered(call)](absl::StatusOr<Response> result) mutable {
          unanswered.Take()->Answer(std::move(result));
        };
    handle(*caller, *request, std::move(reply));
    return call.get();
  }

  // Has the gateway handle it: as its method answers, or with what that returns.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                grpc::ByteBuffer* answer,
                                void (calls::Gateway::*handle)(const calls::Caller&, const Request&,
                                                               reconcile::Reply<Response>)) {
    return Run<Request, Response>(
        context, bytes, answer,
        [&](const calls::Caller& caller, const Request& request, reconcile::Reply<Response> reply) {
          (gateway_.*handle)(caller, request, std::move(reply));
        });
  }
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Run(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes, grpc::ByteBuffer* answer,
      absl::StatusOr<Response> (calls::Gateway::*handle)(const calls::Caller&, const Request&)) {
    return Run<Request, Response>(
        context, bytes, answer,
        [&](const calls::Caller& caller, const Request& request, reconcile::Reply<Response> reply) {
          std::move(reply)((gateway_.*handle)(caller, request));
        });
  }

 private:
  // One call, which its answer or its caller's hanging up ends, whichever comes first. Held by
  // itself until gRPC is done with it, and by its reply.
  class Call final : public grpc::ServerUnaryReactor {
   public:
    Call(Method& method, grpc::CallbackServerContext& context, grpc::ByteBuffer& answer)
        : method_(method), context_(context), answer_(answer), began_(method.clock_.Now()) {}

    void Hold(std::shared_ptr<Call> self) { self_ = std::move(self); }
    // Who calls; an error where they may not, or there is no place for the call.
    absl::StatusOr<calls::Caller> Admit();
    // Adds to the caller what the call itself says. `name` is that of the resource it is about.
    void Complete(const std::string& request_id, std::string name, calls::Caller& caller);

    template <typename Response>
    void Answer(absl::StatusOr<Response> result) {
      if (ended_.exchange(true)) return;
      absl::Status status = result.status();
      if (status.ok()) status = Write(Serialize(*result));
      End(status,
          [&] { return result.ok() ? SubjectOf(name_, *result) : SubjectOf(name_, Response()); });
    }
    // Answers with an error. Returns the reactor.
    grpc::ServerUnaryReactor* Fail(const absl::Status& status);

    void OnCancel() override;
    void OnDone() override;

   private:
    // Puts an answer into what gRPC sends.
    absl::Status Write(absl::StatusOr<grpc::ByteBuffer> answer);
    // Counts and logs the call, and has gRPC end it. `subject` is asked for only where there is a
    // line to write.
    void End(const absl::Status& status, absl::FunctionRef<Subject()> subject);

    Method& method_;
    // These two live until OnDone.
    grpc::CallbackServerContext& context_;
    grpc::ByteBuffer& answer_;
    const absl::Time began_;
    // Whoever sets it ends the call, and nobody else touches what follows.
    std::atomic<bool> ended_{false};
    // What is logged of the caller.
    std::string identity_;
    base::LogContext log_context_;
    std::string name_;
    // Null where no provider is waited for. Gone when the caller is.
    std::shared_ptr<upstream::WaitedCall> waited_;
    // The gatekeeper did not let it in, and has said so in the log as often as it may.
    bool refused_ = false;
    CallLimit::Place place_;
    std::shared_ptr<Call> self_;
  };

  // A call that has to be answered: one that is dropped unanswered, which would be a defect, still
  // ends, and with it the process when it is told to.
  class Unanswered {
   public:
    explicit Unanswered(std::shared_ptr<Call> call) : call_(std::move(call)) {}
    Unanswered(Unanswered&&) noexcept = default;
    ~Unanswered() {
      if (call_ != nullptr) call_->Fail(absl::InternalError("the call was dropped unanswered"));
    }
    std::shared_ptr<Call> Take() { return std::exchange(call_, nullptr); }

   private:
    std::shared_ptr<Call> call_;
  };

  std::shared_ptr<Call> Begin(grpc::CallbackServerContext& context, grpc::ByteBuffer& answer);

  calls::Gateway& gateway_;
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
