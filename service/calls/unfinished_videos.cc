#include "calls/unfinished_videos.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "model/resource.h"

namespace assetgate::calls {
namespace {

// A refused video may be tried again once another one has ended, which cannot be foreseen.
constexpr absl::Duration kRetry = absl::Seconds(5);
constexpr std::size_t kPage = 500;

}  // namespace

absl::Status UnfinishedVideos::Follow(const std::set<Creator>& creators) {
  {
    absl::MutexLock lock(&mu_);
    std::erase_if(counts_, [&](const auto& entry) { return !creators.contains(entry.first); });
    for (const Creator& creator : creators) counts_[creator];
  }
  return Refresh();
}

absl::Status UnfinishedVideos::Refresh() {
  std::vector<Creator> unknown;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [creator, count] : counts_) {
      if (!count.known) unknown.push_back(creator);
    }
  }
  absl::Status status;
  for (const Creator& creator : unknown) status.Update(Read(creator));
  return status;
}

absl::Status UnfinishedVideos::Read(const Creator& creator) {
  {
    absl::MutexLock lock(&mu_);
    Count& count = counts_[creator];
    count.reading = true;
    // A gap that comes from here on makes it unknown again.
    count.known = true;
    count.changed.clear();
  }
  absl::flat_hash_set<std::string> stored;
  store::ListQuery query;
  query.tenant = creator.tenant;
  query.kind = store::Kind::kVideoTask;
  query.filter.clauses = {{model::UnfinishedTasksOf(creator.id)}};
  query.limit = kPage;
  absl::StatusOr<store::ListPage> page;
  do {
    page = store_.List(query);
    if (!page.ok()) break;
    for (const store::Row& row : page->rows) stored.insert(row.key.id);
    if (page->more) query.after_create_revision = page->end;
  } while (page->more);

  absl::MutexLock lock(&mu_);
  Count& count = counts_[creator];
  count.reading = false;
  if (!page.ok()) {
    count.known = false;
    return page.status();
  }
  for (const auto& [id, unfinished] : count.changed) {
    if (unfinished) {
      stored.insert(id);
    } else {
      stored.erase(id);
    }
  }
  count.changed.clear();
  count.stored = std::move(stored);
  return absl::OkStatus();
}

absl::StatusOr<UnfinishedVideos::Place> UnfinishedVideos::Take(const Creator& creator,
                                                               const std::string& video, int max) {
  {
    absl::MutexLock lock(&mu_);
    const auto it = counts_.find(creator);
    if (it == counts_.end()) return Place();
    Count& count = it->second;
    // The id is taken: the commit fails and says so.
    if (count.stored.contains(video) || count.pending.contains(video)) return Place();
    const std::size_t now = count.stored.size() + count.pending.size();
    if (now >= static_cast<std::size_t>(max)) {
      return base::Error(absl::StatusCode::kResourceExhausted, v1::CALLER_LIMIT,
                         absl::StrCat("\"", creator.id, "\" has ", now,
                                      " unfinished videos, and its limit is ", max,
                                      "; wait until one has ended, or cancel one"))
          .RetryAfter(kRetry);
    }
    count.pending.insert(video);
  }
  return Place(this, [creator, video](void* self) {
    auto& videos = *static_cast<UnfinishedVideos*>(self);
    absl::MutexLock lock(&videos.mu_);
    if (const auto it = videos.counts_.find(creator); it != videos.counts_.end()) {
      it->second.pending.erase(video);
    }
  });
}

void UnfinishedVideos::OnChange(const store::Change& change) {
  std::optional<std::string> creator = model::CreatorOfUnfinished(change.terms);
  const bool unfinished = creator.has_value();
  if (!unfinished) creator = model::CreatorOfUnfinished(change.previous_terms);
  if (!creator.has_value()) return;
  const auto it = counts_.find({change.key.tenant, *std::move(creator)});
  if (it == counts_.end()) return;
  Count& count = it->second;
  count.pending.erase(change.key.id);
  if (unfinished) {
    count.stored.insert(change.key.id);
  } else {
    count.stored.erase(change.key.id);
  }
  if (count.reading) count.changed[change.key.id] = unfinished;
}

void UnfinishedVideos::OnChanges(const std::vector<store::ChangePtr>& changes,
                                 store::Revision /*head*/) {
  absl::MutexLock lock(&mu_);
  if (counts_.empty()) return;
  for (const store::ChangePtr& change : changes) {
    if (change->key.kind == store::Kind::kVideoTask) OnChange(*change);
  }
}

void UnfinishedVideos::OnGap(store::Revision /*upto*/) {
  absl::MutexLock lock(&mu_);
  for (auto& [creator, count] : counts_) count.known = false;
}

}  // namespace assetgate::calls
