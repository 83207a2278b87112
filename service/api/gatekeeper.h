// Which callers may call which methods.
#ifndef ASSETGATE_API_GATEKEEPER_H_
#define ASSETGATE_API_GATEKEEPER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/authenticator.h"
#include "auth/limiter.h"
#include "base/clock.h"
#include "base/line_limit.h"
#include "base/log.h"
#include "base/trace_context.h"
#include "calls/caller.h"
#include "grpcpp/grpcpp.h"
#include "listener/strangers.h"

namespace assetgate::api {

// What a method does, which decides the roles that may call it.
enum class Access {
  // Every role.
  kRead,
  // Role kWriter.
  kWrite,
  // Role kOperator.
  kOperate,
};

// Authenticates and authorizes the caller from the call's context, before anything else of the call
// is read. The reason for a refusal is logged, and not part of the answer.
//
// Threading: thread-safe. Lifetime: the constructor's arguments outlive it.
class Gatekeeper {
 public:
  // `strangers` is notified of each connection whose peer has been authenticated or refused; may be
  // null.
  Gatekeeper(const auth::Authenticator& authenticator, auth::Limiter& limiter, base::Log log,
             listener::Strangers* strangers = nullptr)
      : authenticator_(authenticator),
        limiter_(limiter),
        log_(std::move(log)),
        strangers_(strangers) {}

  struct Admitted {
    // With tenant, identity, providers and limits set.
    calls::Caller caller;
    // Null where callers are not authenticated.
    auth::CallerPtr entry;
  };
  // UNAUTHENTICATED NOT_AUTHENTICATED, PERMISSION_DENIED NOT_ALLOWED, RESOURCE_EXHAUSTED
  // CALLER_LIMIT, or UNAVAILABLE ISSUER_KEYS_UNAVAILABLE.
  absl::StatusOr<Admitted> Admit(const grpc::CallbackServerContext& context, Access access,
                                 absl::string_view method) const;
  // Counts one more open stream of the caller for as long as the slot lives. RESOURCE_EXHAUSTED
  // CALLER_LIMIT where the caller has too many.
  absl::StatusOr<auth::Limiter::Slot> OpenStream(const Admitted& admitted) const;

 private:
  // Notifies `strangers_` whether the peer of this call has been authenticated.
  void NotifyStrangers(const grpc::CallbackServerContext& context, bool known) const;

  const auth::Authenticator& authenticator_;
  // Of "refused" lines, which anyone who reaches the port can cause.
  static constexpr double kLinesPerSecond = 10;

  auth::Limiter& limiter_;
  const base::Log log_;
  listener::Strangers* const strangers_;
  const base::SystemClock clock_;
  mutable base::LineLimit lines_{clock_, kLinesPerSecond};
};

// The trace context that the caller sends; empty where there is none.
base::TraceContext TraceOf(const grpc::CallbackServerContext& context);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_GATEKEEPER_H_
