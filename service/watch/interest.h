// Which changes a stream is about, and what each of them is to it.
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
  // Only these; empty for all. Rising, each once (see Normalized).
  std::vector<std::string> ids;
  // Only those that match.
  store::TermFilter filter;

  // The same interest in the one way in which it is written here: ids rising and unique.
  static Interest Normalized(Interest interest);

  // Whether a row of this key can be of interest, whatever its terms.
  bool Covers(const store::Key& key) const;

  // Whether two interests see the same events: equal for the same tenant, kind, ids and filter, in
  // whatever order they were written, today and in any later version.
  std::uint64_t Fingerprint() const;
};

// What a change does to the view of a stream.
enum class Effect {
  kPut,         // it matches now
  kLeftFilter,  // it matched before and does not any more
  kDeleted,     // it matched and is gone; Change::cause says how
};

// The effect of `change`, whose key is of the interest's tenant, kind and ids, on a stream with
// this filter; nothing where the stream need not hear of it. A stream that holds exactly what
// matched before the change holds exactly what matches after it.
std::optional<Effect> EffectOf(const store::TermFilter& filter, const store::Change& change);

// The event that tells a stream of this effect.
EventPtr EventOf(Effect effect, store::ChangePtr change);

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_INTEREST_H_
