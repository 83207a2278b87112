#include "api/call_limit.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"

namespace assetgate::api {
namespace {

// Most calls are answered within moments.
constexpr absl::Duration kRetry = absl::Seconds(1);

absl::Status TooMuch(v1::ErrorReason reason, absl::string_view message) {
  return base::Error(absl::StatusCode::kResourceExhausted, reason, message).RetryAfter(kRetry);
}

}  // namespace

absl::Status CallLimit::CheckUnsent(const std::string& caller, const Use& use) const {
  if (!caller.empty() && use.unsent >= limits_.unsent_per_caller) {
    return TooMuch(v1::CALLER_LIMIT,
                   absl::StrCat("\"", caller, "\" has ", use.unsent,
                                " bytes of unread answers, its limit; read them, and try again"));
  }
  if (all_.unsent >= limits_.unsent) {
    return TooMuch(v1::OVERLOADED,
                   "the gateway holds as many unread answers as limits.memory allows; try again");
  }
  return absl::OkStatus();
}

absl::StatusOr<CallLimit::Place> CallLimit::Take(const std::string& caller, Sort sort) {
  const auto index = static_cast<std::size_t>(sort);
  absl::MutexLock lock(&mu_);
  const auto found = by_caller_.find(caller);
  const Use use = found == by_caller_.end() ? Use() : found->second;
  if (!caller.empty() && use.calls[index] >= limits_.calls_per_caller) {
    return TooMuch(v1::CALLER_LIMIT,
                   absl::StrCat("\"", caller, "\" waits for the answers to ", use.calls[index],
                                sort == Sort::kRead ? " reads" : " calls",
                                ", its limit (limits.max_concurrent_calls_per_caller); try "
                                "again when some have been answered"));
  }
  if (all_.calls[index] >= limits_.calls) {
    return TooMuch(
        v1::OVERLOADED,
        absl::StrCat("the gateway has ", limits_.calls, sort == Sort::kRead ? " reads" : " calls",
                     " in flight, its limit (limits.max_concurrent_calls); try again"));
  }
  if (absl::Status status = CheckUnsent(caller, use); !status.ok()) return status;
  ++all_.calls[index];
  ++by_caller_[caller].calls[index];
  return Place(this, caller, sort);
}

void CallLimit::Place::Hold(std::size_t bytes) {
  absl::MutexLock lock(&limit_->mu_);
  unsent_ = bytes;
  limit_->by_caller_[caller_].unsent += bytes;
  limit_->all_.unsent += bytes;
}

CallLimit::Place::~Place() {
  if (limit_ == nullptr) return;
  const auto index = static_cast<std::size_t>(sort_);
  absl::MutexLock lock(&limit_->mu_);
  limit_->all_.unsent -= unsent_;
  --limit_->all_.calls[index];
  const auto it = limit_->by_caller_.find(caller_);
  it->second.unsent -= unsent_;
  --it->second.calls[index];
  if (it->second.calls == Use().calls) limit_->by_caller_.erase(it);
}

}  // namespace assetgate::api
