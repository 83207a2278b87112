// Who may make a call.
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

// What a method does, and so which roles may call it.
enum class Access {
  // Every role.
  kRead,
  // Role kWriter.
  kWrite,
  // Role kOperator.
  kOperate,
};

// Tells from a call's context who makes it, and whether they may: before anything else of the call
// is looked at. Why one is refused stands in the log, and not in the answer. Thread-safe.
class Gatekeeper {
 public:
  // The arguments must outlive it. `strangers` are told whose connections they are no more; null
  // where nobody watches them.
  Gatekeeper(const auth::Authenticator& authenticator, auth::Limiter& limiter, base::Log log,
             listener::Strangers* strangers = nullptr)
      : authenticator_(authenticator),
        limiter_(limiter),
        log_(std::move(log)),
        strangers_(strangers) {}

  struct Admitted {
    // Its tenant, identity and providers.
    calls::Caller caller;
    // Null where nobody is asked who they are.
    auth::CallerPtr entry;
  };
  // UNAUTHENTICATED NOT_AUTHENTICATED, PERMISSION_DENIED NOT_ALLOWED, RESOURCE_EXHAUSTED
  // CALLER_LIMIT, or UNAVAILABLE ISSUER_KEYS_UNAVAILABLE.
  absl::StatusOr<Admitted> Admit(const grpc::CallbackServerContext& context, Access access,
                                 absl::string_view method) const;
  // For as long as what is returned lives, one more of the caller's streams is open.
  // RESOURCE_EXHAUSTED CALLER_LIMIT where there are too many.
  absl::StatusOr<auth::Limiter::Slot> OpenStream(const Admitted& admitted) const;

 private:
  // Says whether the peer of this call is one whom we know.
  void Tell(const grpc::CallbackServerContext& context, bool known) const;

  const auth::Authenticator& authenticator_;
  // Of "refused" lines: whoever reaches the port can cause them.
  static constexpr double kLinesPerSecond = 10;

  auth::Limiter& limiter_;
  const base::Log log_;
  listener::Strangers* const strangers_;
  const base::SystemClock clock_;
  mutable base::LineLimit lines_{clock_, kLinesPerSecond};
};

// The caller's trace; empty where there is none.
base::TraceContext TraceOf(const grpc::CallbackServerContext& context);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_GATEKEEPER_H_
