// What all unary RPCs share: admission, deadline, answer, count and log line.
#ifndef ASSETGATE_API_RPC_H_
#define ASSETGATE_API_RPC_H_

#include <atomic>
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
#include "calls/caller.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "reconcile/reconciler.h"
#include "upstream/waited_call.h"

namespace assetgate::api {

// What every service uses. Lifetime: outlives the services.
struct Parts {
  const Gatekeeper& gatekeeper;
  CallLimit& call_limit;
  base::Metrics& metrics;
  const base::Clock& clock;
  base::Log log;
};

// Where an error carries RetryInfo, tells gRPC's own retry policy the same delay, as
// grpc-retry-pushback-ms.
void AddPushback(const absl::Status& status, grpc::CallbackServerContext& context);

// One unary method: admits the caller, parses the request, and answers with the result. The service
// declares it raw (WithRawCallbackMethod_…), so that no request is parsed before its caller is
// known.
//
// A call holds its place (see CallLimit) until its answer is written. When the caller hangs up, the
// call ends at once, and its later result is dropped.
//
// Threading: thread-safe. Lifetime: outlives its calls.
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

  // Runs `handle(caller, request, reply)` if the caller may call the method, and answers with the
  // Response that `reply` gets, whenever that is.
  //
  // Lifetime: `request` does not outlive `handle`; gRPC owns the returned reactor.
  template <NamesResources Request, ProtoMessage Response, typename Handle>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                grpc::ByteBuffer* answer, Handle handle) {
    const std::shared_ptr<Call> call = Begin(*context, *answer);
    absl::StatusOr<calls::Caller> caller = call->Admit();
    if (!caller.ok()) return call->Fail(caller.status());
    const absl::StatusOr<Request> request = Parse<Request>(*bytes);
    if (!request.ok()) return call->Fail(request.status());
    call->Complete(RequestIdIn(*request), NameIn(*request), *caller);
    reconcile::Reply<Response> reply =
        [unanswered = Unanswered(call)](absl::StatusOr<Response> result) mutable {
          unanswered.Take()->Answer(std::move(result));
        };
    handle(*caller, *request, std::move(reply));
    return call.get();
  }

  // The same with `(calls.*handle)`, which replies, or returns the result.
  template <typename Calls, NamesResources Request, ProtoMessage Response>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                grpc::ByteBuffer* answer, Calls& calls,
                                void (Calls::*handle)(const calls::Caller&, const Request&,
                                                      reconcile::Reply<Response>)) {
    return Run<Request, Response>(
        context, bytes, answer,
        [&](const calls::Caller& caller, const Request& request, reconcile::Reply<Response> reply) {
          (calls.*handle)(caller, request, std::move(reply));
        });
  }
  template <typename Calls, NamesResources Request, ProtoMessage Response>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                grpc::ByteBuffer* answer, Calls& calls,
                                absl::StatusOr<Response> (Calls::*handle)(const calls::Caller&,
                                                                          const Request&)) {
    return Run<Request, Response>(
        context, bytes, answer,
        [&](const calls::Caller& caller, const Request& request, reconcile::Reply<Response> reply) {
          std::move(reply)((calls.*handle)(caller, request));
        });
  }

 private:
  // One call. It ends with its answer or when the caller hangs up, whichever comes first.
  //
  // Lifetime: held by itself until gRPC is done with it, and by its reply.
  class Call final : public grpc::ServerUnaryReactor {
   public:
    Call(Method& method, grpc::CallbackServerContext& context, grpc::ByteBuffer& answer)
        : method_(method), context_(context), answer_(answer), began_(method.clock_.Now()) {}

    void Hold(std::shared_ptr<Call> self) { self_ = std::move(self); }
    // The caller; an error where the caller may not call the method, or no place is free.
    absl::StatusOr<calls::Caller> Admit();
    // Adds the call's deadline, trace and request id to the caller. `name` is that of the resource
    // that the request names.
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
    // Both are short and wait for nothing. On gRPC's executor, where they would run otherwise, each
    // call would wake another thread, for about a tenth of the CPU of a GetAsset.
    bool InternalInlineable() override { return true; }

   private:
    // Puts the answer into the buffer that gRPC sends.
    absl::Status Write(absl::StatusOr<grpc::ByteBuffer> answer);
    // Counts and logs the call, and has gRPC end it. `subject` is called only where a line is
    // written.
    void End(const absl::Status& status, absl::FunctionRef<Subject()> subject);

    Method& method_;
    // Both live until OnDone.
    grpc::CallbackServerContext& context_;
    grpc::ByteBuffer& answer_;
    const absl::Time began_;
    // The thread that sets it ends the call, and is the only one that touches the members below.
    std::atomic<bool> ended_{false};
    std::string identity_;
    base::LogContext log_context_;
    std::string name_;
    // Null where the call waits for no provider. Released when the caller hangs up.
    std::shared_ptr<upstream::WaitedCall> waited_;
    // The gatekeeper refused the caller, and has logged that as often as its limit allows.
    bool refused_ = false;
    CallLimit::Place place_;
    std::shared_ptr<Call> self_;
  };

  // A call that has to be answered. A reply that is destroyed unused is a defect; the call ends all
  // the same, so that the process can shut down.
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

  const Gatekeeper& gatekeeper_;
  CallLimit& call_limit_;
  const base::Clock& clock_;
  const base::Log log_;
  base::RpcMetrics& metrics_;
  const std::string name_;
  const Access access_;
};

// The name of an error's reason in errors.proto; empty for OK.
std::string ReasonOf(const absl::Status& status);

// The level of the line for a call: error for an internal error, info for other errors and for
// `notable` calls, debug otherwise.
base::LogLevel LevelOf(absl::StatusCode code, bool notable);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_RPC_H_
