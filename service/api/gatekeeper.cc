#include "api/gatekeeper.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "grpc/grpc_security_constants.h"
#include "model/refusal.h"

namespace assetgate::api {
namespace {

absl::string_view Text(grpc::string_ref text) { return {text.data(), text.size()}; }

// A refused stream may be tried again once another one has ended, which cannot be foreseen.
constexpr absl::Duration kStreamRetry = absl::Seconds(5);
// By then the keys have usually been fetched.
constexpr absl::Duration kKeysRetry = absl::Seconds(1);

auth::Credentials CredentialsOf(const grpc::CallbackServerContext& context) {
  auth::Credentials credentials;
  const auto [begin, end] = context.client_metadata().equal_range("authorization");
  for (auto it = begin; it != end; ++it) {
    credentials.authorization.emplace_back(Text(it->second));
  }
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return credentials;
  const auto add = [&](const char* property, std::vector<std::string>& names) {
    for (const grpc::string_ref& name : peer->FindPropertyValues(property)) {
      names.emplace_back(Text(name));
    }
  };
  add(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME, credentials.certificate_uris);
  add(GRPC_PEER_URI_PROPERTY_NAME, credentials.certificate_uris);
  add(GRPC_PEER_DNS_PROPERTY_NAME, credentials.certificate_dns_names);
  return credentials;
}

bool Allows(const std::set<auth::Role>& roles, Access access) {
  switch (access) {
    case Access::kRead:
      return !roles.empty();
    case Access::kWrite:
      return roles.contains(auth::Role::kWriter);
    case Access::kOperate:
      return roles.contains(auth::Role::kOperator);
  }
  return false;
}

// The same error whatever is wrong with the credentials.
absl::Status NotAuthenticated() {
  return base::Error(absl::StatusCode::kUnauthenticated, v1::NOT_AUTHENTICATED,
                     "the call carries no valid token or certificate; the gateway's log says what "
                     "is wrong, and its config (callers) lists the known callers")
      .SetAct(base::Act::kCaller);
}

absl::string_view RoleFor(Access access) {
  return access == Access::kWrite ? "WRITER" : "OPERATOR";
}

}  // namespace

base::TraceContext TraceOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto parent = metadata.find("traceparent");
  if (parent == metadata.end()) return {};
  std::string state;
  const auto [begin, end] = metadata.equal_range("tracestate");
  for (auto it = begin; it != end; ++it) {
    absl::StrAppend(&state, state.empty() ? "" : ",", Text(it->second));
  }
  return base::ParseTraceContext(Text(parent->second), state);
}

void Gatekeeper::NotifyStrangers(const grpc::CallbackServerContext& context, bool known) const {
  if (strangers_ == nullptr || !strangers_->any()) return;
  if (known) {
    strangers_->Admitted(context.peer());
  } else {
    strangers_->Refused(context.peer());
  }
}

absl::StatusOr<Gatekeeper::Admitted> Gatekeeper::Admit(const grpc::CallbackServerContext& context,
                                                       Access access,
                                                       absl::string_view method) const {
  Admitted admitted;
  if (authenticator_.open()) {
    NotifyStrangers(context, true);
    return admitted;
  }
  absl::StatusOr<auth::CallerPtr> identified = authenticator_.Identify(CredentialsOf(context));
  // While keys of the issuer are being fetched, the peer is neither known nor refused.
  if (!absl::IsUnavailable(identified.status())) NotifyStrangers(context, identified.ok());
  std::string why;
  if (!identified.ok()) {
    why = std::string(identified.status().message());
  } else if (!Allows((*identified)->roles, access)) {
    why = absl::StrCat("the caller \"", (*identified)->id, "\" lacks the role ", RoleFor(access));
  }
  if (!why.empty()) {
    if (const std::optional<std::int64_t> held_back = lines_.Take()) {
      log_.With({.trace_id = TraceOf(context).trace_id})
          .Warning("refused", {{"method", method},
                               {"peer", context.peer()},
                               {"why", why},
                               {"others_not_logged", *held_back}});
    }
    if (absl::IsUnavailable(identified.status())) {
      return base::Error(absl::StatusCode::kUnavailable, v1::ISSUER_KEYS_UNAVAILABLE,
                         "the token cannot be verified while the keys of its issuer are being "
                         "fetched; try again")
          .RetryAfter(kKeysRetry);
    }
    if (!identified.ok()) return NotAuthenticated();
    return model::NotAllowed();
  }
  admitted.entry = *std::move(identified);
  const auth::Caller& entry = *admitted.entry;
  if (const std::optional<absl::Duration> wait = limiter_.Take(entry)) {
    return base::Error(
               absl::StatusCode::kResourceExhausted, v1::CALLER_LIMIT,
               absl::StrCat("\"", entry.id, "\" makes more than ", entry.limits.requests_per_second,
                            " calls per second, its limit (requests_per_second); slow down"))
        .RetryAfter(*wait);
  }
  admitted.caller.identity = entry.id;
  admitted.caller.tenant = entry.tenant;
  if (entry.limits.unfinished_videos > 0) {
    admitted.caller.max_unfinished_videos = entry.limits.unfinished_videos;
  }
  if (entry.providers.has_value()) {
    // Shares ownership of the entry.
    admitted.caller.providers =
        std::shared_ptr<const std::set<std::string>>(admitted.entry, &*entry.providers);
  }
  return admitted;
}

absl::StatusOr<auth::Limiter::Slot> Gatekeeper::OpenStream(const Admitted& admitted) const {
  if (admitted.entry == nullptr) return auth::Limiter::Slot();
  auth::Limiter::Slot slot = limiter_.OpenStream(*admitted.entry);
  if (slot != nullptr) return slot;
  return base::Error(
             absl::StatusCode::kResourceExhausted, v1::CALLER_LIMIT,
             absl::StrCat("\"", admitted.entry->id, "\" has ", admitted.entry->limits.open_streams,
                          " watches open, its limit (open_streams); end one, or watch more with "
                          "one"))
      .RetryAfter(kStreamRetry);
}

}  // namespace assetgate::api
