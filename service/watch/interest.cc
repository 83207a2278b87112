#include "watch/interest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "watch/fnv.h"

namespace assetgate::watch {

Interest Interest::Normalized(Interest interest) {
  std::sort(interest.ids.begin(), interest.ids.end());
  interest.ids.erase(std::unique(interest.ids.begin(), interest.ids.end()), interest.ids.end());
  return interest;
}

bool Interest::Covers(const store::Key& key) const {
  return key.kind == kind && key.tenant == tenant &&
         (ids.empty() || std::binary_search(ids.begin(), ids.end(), key.id));
}

std::uint64_t Interest::Fingerprint() const {
  std::vector<std::vector<std::string>> clauses = filter.clauses;
  for (auto& clause : clauses) {
    std::sort(clause.begin(), clause.end());
    clause.erase(std::unique(clause.begin(), clause.end()), clause.end());
  }
  std::sort(clauses.begin(), clauses.end());
  clauses.erase(std::unique(clauses.begin(), clauses.end()), clauses.end());

  Fnv1a hash;
  hash.Add(tenant);
  hash.Add(static_cast<std::uint64_t>(kind));
  hash.Add(ids.size());
  for (const std::string& id : ids) hash.Add(id);
  hash.Add(clauses.size());
  for (const auto& clause : clauses) {
    hash.Add(clause.size());
    for (const std::string& term : clause) hash.Add(term);
  }
  return hash.value();
}

std::optional<Effect> EffectOf(const store::TermFilter& filter, const store::Change& change) {
  if (change.deleted) {
    if (!filter.Matches(change.previous_terms)) return std::nullopt;
    return Effect::kDeleted;
  }
  if (filter.Matches(change.terms)) return Effect::kPut;
  // A new row has no previous terms. A filter without clauses would have matched above; any other
  // filter does not match an empty list of terms.
  if (filter.Matches(change.previous_terms)) return Effect::kLeftFilter;
  return std::nullopt;
}

EventPtr EventOf(Effect effect, store::ChangePtr change) {
  switch (effect) {
    case Effect::kPut:
      return Event::Put(std::move(change));
    case Effect::kLeftFilter:
      return Event::Delete(std::move(change), v1::LEFT_FILTER);
    case Effect::kDeleted:
      break;
  }
  const v1::DeleteCause cause =
      change->cause == store::DeleteCause::kPurged ? v1::PURGED : v1::DELETED;
  return Event::Delete(std::move(change), cause);
}

}  // namespace assetgate::watch
