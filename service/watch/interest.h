// The changes that a stream is interested in, and the effect of each on the stream.
#ifndef ASSETGATE_WATCH_INTEREST_H_
#define ASSETGATE_WATCH_INTEREST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "watch/event.h"

namespace assetgate::watch {

struct Interest {
  std::string tenant;
  store::Kind kind = store::Kind::kAsset;
  // Only these ids; empty for all. Ascending and unique (see Normalized).
  std::vector<std::string> ids;
  // Only resources that match.
  store::TermFilter filter;

  // The same interest in canonical form: ids ascending and unique.
  static Interest Normalized(Interest interest);

  // Whether a row with this key can be of interest, whatever its terms.
  bool Covers(const store::Key& key) const;

  // Equal for interests with the same tenant, kind, ids and filter, in whatever order they were
  // written. Stable across versions.
  std::uint64_t Fingerprint() const;
};

// What a change does to the view of a stream.
enum class Effect {
  kPut,         // it matches now
  kLeftFilter,  // it matched before and no longer does
  kDeleted,     // it matched and was deleted; see Change::cause
};

// The effect of `change`, whose key matches the interest's tenant, kind and ids, on a stream with
// this filter; absent if the change does not concern the stream. A stream that holds exactly the
// matching resources before the change holds exactly the matching ones after applying the effect.
std::optional<Effect> EffectOf(const store::TermFilter& filter, const store::Change& change);

// The event that delivers this effect.
EventPtr EventOf(Effect effect, store::ChangePtr change);

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_INTEREST_H_
