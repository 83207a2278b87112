// Who makes a call, and which providers the caller may use.
#ifndef ASSETGATE_CALLS_CALLER_H_
#define ASSETGATE_CALLS_CALLER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "google/protobuf/map.h"
#include "google/protobuf/repeated_field.h"
#include "google/protobuf/struct.pb.h"
#include "model/resource.h"
#include "model/settings.h"
#include "model/usable_providers.h"
#include "store/store.h"
#include "upstream/waited_call.h"

namespace assetgate::calls {

// Who makes a call, and until when the caller waits for the answer.
struct Caller {
  std::string tenant = model::kDefaultTenant;
  // Stored as `creator`; empty where callers are not authenticated.
  std::string identity;
  model::UsableProviders providers;
  // Absent: no limit.
  std::optional<int> max_unfinished_videos;
  absl::Time deadline = absl::InfiniteFuture();
  // For log lines.
  base::LogContext context;
  // The upstream calls made while the caller waits; null for calls that wait for no provider.
  // Lifetime: ends with the reply.
  std::shared_ptr<upstream::WaitedCall> waited;

  bool MayUse(const std::string& provider) const {
    return providers == nullptr || providers->contains(provider);
  }
};

// NOT_ALLOWED unless the caller may use every provider that a request names and gives options for.
absl::Status CheckMayUse(
    const Caller& caller, const google::protobuf::RepeatedPtrField<std::string>& providers,
    const google::protobuf::Map<std::string, google::protobuf::Struct>& options);

// Whether the caller may use every provider that has, or may get, a part of the stored resource.
bool MayUseProvidersOf(const Caller& caller, const store::Row& row);

// When a call is answered at the latest: after `max_wait`, or the default where it is absent, and
// early enough that the answer arrives before the caller's deadline.
absl::Time AnswerBy(const model::Settings& settings, const Caller& caller, absl::Time now,
                    std::optional<absl::Duration> max_wait);
// How long before the caller's deadline a call is answered.
inline constexpr absl::Duration kDeadlineMargin = absl::Milliseconds(100);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_CALLER_H_
