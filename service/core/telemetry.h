// What core tells about itself, to whoever turns it into metrics and log lines.
#ifndef ASSETGATE_CORE_TELEMETRY_H_
#define ASSETGATE_CORE_TELEMETRY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::core {

// What a call to a provider was for. The names are metric labels.
enum class Operation {
  kCreateGroup,
  kGetGroup,
  kCreateAsset,
  kGetAsset,
  kDeleteAsset,
  kCreateVideo,
  kGetVideo,
};
inline absl::string_view NameOf(Operation operation) {
  switch (operation) {
    case Operation::kCreateGroup:
      return "group.create";
    case Operation::kGetGroup:
      return "group.get";
    case Operation::kCreateAsset:
      return "asset.create";
    case Operation::kGetAsset:
      return "asset.get";
    case Operation::kDeleteAsset:
      return "asset.delete";
    case Operation::kCreateVideo:
      return "video.create";
    case Operation::kGetVideo:
      return "video.get";
  }
  return "other";
}

// One finished call to a provider. All text is clean: no secrets, no queries of URLs.
struct UpstreamCall {
  absl::string_view provider;
  Operation operation;
  // The resource it was made for: `assets/hero`.
  absl::string_view resource;
  // accepted, refused, not_accepted, unknown; ok, not_found, trouble.
  absl::string_view outcome;
  int http_status = 0;
  absl::Duration latency;
  // Why it is not what one hopes for; empty otherwise.
  std::string message;
};

// Called on the reconciler's thread; must not block.
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual void OnUpstreamCall(const UpstreamCall& call) = 0;
  // A resource changed its state: "assets/hero", "PROCESSING", "ACTIVE".
  virtual void OnStateChange(absl::string_view resource, absl::string_view from,
                             absl::string_view to, absl::string_view detail) = 0;
  // Something that an operator should look at.
  virtual void OnWarning(absl::string_view resource, absl::string_view message) = 0;
};

}  // namespace assetgate::core

#endif  // ASSETGATE_CORE_TELEMETRY_H_
