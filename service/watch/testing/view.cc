#include "watch/testing/view.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watch/testing/fake_store.h"

namespace assetgate::watch {

View::View()
    : View([](const store::Change& change) {
        return absl::StartsWith(change.resource,
                                FakeStore::ResourceOf(change.key.id, change.revision));
      }) {}

void View::BeginStream(bool resumed) {
  resumed_ = resumed;
  any_ = false;
  in_snapshot_ = false;
  last_.clear();
}

std::string View::Apply(const Event& event) {
  const bool first = !any_;
  any_ = true;
  if (first && !resumed_ && event.type() != v1::RESET) return "a fresh stream without RESET";
  switch (event.type()) {
    case v1::RESET:
      held_.clear();
      last_.clear();
      newest_.clear();
      token_.clear();
      in_snapshot_ = true;
      ++resets_;
      return event.reset_reason() == v1::RESET_REASON_UNSPECIFIED ? "a RESET without reason" : "";
    case v1::BOOKMARK:
      if (event.snapshot_complete() != in_snapshot_) return "snapshot_complete out of place";
      if (event.resume_token().empty()) return "a BOOKMARK without token";
      in_snapshot_ = false;
      token_ = event.resume_token();
      return "";
    case v1::PUT:
    case v1::DELETE:
      break;
    default:
      return "an event of no type";
  }
  const store::Change& change = *event.change();
  const std::string& id = change.key.id;
  store::Revision& last = last_[id];
  if (change.revision <= last) {
    return absl::StrCat(id, " goes from revision ", last, " to ", change.revision);
  }
  last = change.revision;
  newest_[id] = std::max(newest_[id], change.revision);
  if (event.type() == v1::DELETE) {
    if (in_snapshot_) return "a DELETE inside a snapshot";
    if (event.delete_cause() == v1::DELETE_CAUSE_UNSPECIFIED) return "a DELETE without cause";
    held_.erase(id);
    return "";
  }
  if (!is_whole_(change)) {
    return absl::StrCat(id, " is not what was committed as ", change.revision);
  }
  held_[id] = change.revision;
  return "";
}

std::string View::CheckUpto(const std::vector<store::ChangePtr>& history, const Interest& interest,
                            store::Revision revision) const {
  std::map<std::string, const store::Change*> newest;
  std::set<std::string> deleted_later;
  for (const store::ChangePtr& change : history) {
    if (!interest.Covers(change->key)) continue;
    if (change->revision <= revision) {
      newest[change->key.id] = change.get();
    } else if (change->deleted || !interest.filter.Matches(change->terms)) {
      deleted_later.insert(change->key.id);
    }
  }
  for (const auto& [id, change] : newest) {
    const auto held = held_.find(id);
    const auto seen = newest_.find(id);
    // A newer change was delivered, whatever it was.
    if (seen != newest_.end() && seen->second > revision) continue;
    const bool matches = !change->deleted && interest.filter.Matches(change->terms);
    // A snapshot that was read after the deletion does not show it.
    if (seen == newest_.end() && deleted_later.count(id) > 0) continue;
    if (matches && held == held_.end()) {
      return absl::StrCat(id, "@", change->revision, " is missing");
    }
    if (matches && held->second != change->revision) {
      return absl::StrCat(id, " is held as of ", held->second, ", not ", change->revision);
    }
    if (!matches && held != held_.end()) {
      return absl::StrCat(id, "@", held->second, " should be gone since ", change->revision);
    }
  }
  for (const auto& [id, held] : held_) {
    if (held <= revision && newest.find(id) == newest.end()) {
      return absl::StrCat(id, " is held and never was");
    }
  }
  return "";
}

}  // namespace assetgate::watch
