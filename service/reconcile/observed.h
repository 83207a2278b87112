// What a provider says of a unit, on its way into the unit's resource.
#ifndef ASSETGATE_RECONCILE_OBSERVED_H_
#define ASSETGATE_RECONCILE_OBSERVED_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>

#include "absl/time/time.h"
#include "google/rpc/status.pb.h"
#include "model/catalog.h"
#include "provider/dialect.h"
#include "store/store.h"

namespace assetgate::reconcile {

// The answer to a submission. Every submission of a unit has a number of its own in
// Submission::sends, whichever gateway made it.
struct SubmitAnswer {
  int sends = 0;
  // It repeated a submission whose outcome is unknown.
  bool replay = false;
  provider::SubmitResult result;
};

// The facts of the call that an answer came by. `catalog` and `provider` are always set.
struct CallFacts {
  // Owns `provider`.
  model::CatalogPtr catalog;
  const model::ProviderEntry* provider = nullptr;
  provider::UnitKind kind = provider::UnitKind::kVideo;
  // 0 where there was no HTTP answer.
  int http_status = 0;
  absl::Duration latency;
  // The unit had been given up, and only a late result was asked for.
  bool late = false;
  // When the unit was accepted, or given up: poll intervals grow with the time since.
  absl::Time since;
};

// One thing that a provider said, or failed to say, of one unit.
struct Observed {
  store::Key key;
  // Tells a resource from a later one of the same name; 0: the resource that has the name now.
  std::uint64_t serial = 0;
  std::size_t unit = 0;
  std::variant<SubmitAnswer, provider::UnitNews, provider::Failure> said;
  CallFacts call;
};

// An observation as it is applied to a draft.
struct News {
  provider::UnitNews news;
  // "Not found" was repeated for so long that it counts.
  bool verdict = false;
};
struct Trouble {
  provider::Failure failure;
};
// What the provider said cannot be stored: the unit ends with this error.
struct Unstorable {
  google::rpc::Status error;
};
using Said = std::variant<SubmitAnswer, News, Trouble, Unstorable>;

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_OBSERVED_H_
