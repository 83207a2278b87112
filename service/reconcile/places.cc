#include "reconcile/places.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assetgate::reconcile {
namespace {

constexpr std::size_t kPage = 500;
// After a store that could not be read.
constexpr absl::Duration kStoreRetry = absl::Seconds(1);

}  // namespace

void SlotPlaces::Configure(model::CatalogPtr catalog) {
  catalog_ = std::move(catalog);
  Count();
}

void SlotPlaces::Count() {
  std::set<std::string> providers;
  for (const auto& provider : catalog_->providers()) {
    if (!provider->slots.empty()) providers.insert(provider->id);
  }
  slots_.Follow(std::move(providers));
  if (!slots_.NeedsReading()) return;
  slots_.BeginReading();
  Read(std::nullopt);
}

void SlotPlaces::OnChanges(const std::vector<store::ChangePtr>& changes) {
  if (slots_.OnChanges(changes)) loop_.Post([this] { Wake(); });
}

void SlotPlaces::OnGap() {
  slots_.OnGap();
  loop_.Post([this] { Count(); });
}

void SlotPlaces::Read(std::optional<store::Key> after) {
  store::UnfinishedQuery query{.shards = std::nullopt, .after = std::move(after), .limit = kPage};
  reader_.ListUnfinished(std::move(query),
                         [this](absl::StatusOr<std::vector<store::Row>> page) { OnPage(page); });
}

void SlotPlaces::OnPage(const absl::StatusOr<std::vector<store::Row>>& page) {
  if (!page.ok()) {
    slots_.EndReading(/*complete=*/false);
    telemetry_.OnWarning(
        "slots", absl::StrCat("cannot count the unfinished tasks yet: ", page.status().message()));
    loop_.PostAt(loop_.Now() + kStoreRetry, [this] { Count(); });
    return;
  }
  slots_.Read(*page);
  if (page->size() == kPage) return Read(page->back().key);
  slots_.EndReading(/*complete=*/true);
  Wake();
  // Another provider was configured, or there was a gap, while it was read.
  if (slots_.NeedsReading()) loop_.Post([this] { Count(); });
}

std::optional<SlotPlaces::NoSlot> SlotPlaces::ObstacleFor(const store::Key& task,
                                                          const model::ProviderEntry& provider,
                                                          const std::string& model) const {
  const std::optional<int> limit = provider.slots.For(model);
  if (!limit.has_value()) return std::nullopt;
  const std::optional<int> taken = slots_.TakenByOthers({provider.id, model}, task);
  if (!taken.has_value()) {
    return NoSlot{absl::StrCat("the unfinished tasks of ", model, " are being counted"),
                  loop_.Now() + kStoreRetry};
  }
  if (*taken < *limit) return std::nullopt;
  return NoSlot{
      absl::StrCat("all slots of ", model, " (", *limit, ") are taken by unfinished tasks"),
      absl::InfiniteFuture()};
}

void SlotPlaces::Join(const store::Key& task, const ModelSlot& slot, absl::Time since) {
  lines_[slot].Join(task, since);
}

void SlotPlaces::Take(const store::Key& task, const ModelSlot& slot) {
  slots_.Take(task, slot);
  for (auto& [each, line] : lines_) line.Leave(task);
}

void SlotPlaces::Release(const store::Key& task) {
  for (auto& [each, line] : lines_) line.Leave(task);
  if (slots_.Release(task)) loop_.Post([this] { Wake(); });
}

void SlotPlaces::Wake() {
  bool woken = false;
  for (auto it = lines_.begin(); it != lines_.end();) {
    const model::ProviderEntry* provider = catalog_->FindProvider(it->first.provider);
    const std::optional<int> limit =
        provider == nullptr ? std::nullopt : provider->slots.For(it->first.model);
    // Where there is no limit any more, all may look.
    int free = std::numeric_limits<int>::max();
    if (limit.has_value()) {
      const std::optional<int> taken = slots_.TakenByOthers(it->first, store::Key());
      free = taken.has_value() ? *limit - *taken : 0;
    }
    while (free > 0) {
      const std::optional<store::Key> next = it->second.Next();
      if (!next.has_value()) break;
      if (!wake_(*next)) continue;
      woken = true;
      --free;
    }
    it = it->second.empty() ? lines_.erase(it) : std::next(it);
  }
  // A task that looked and went elsewhere leaves the slot to the next in line: these look after it.
  if (woken && !lines_.empty()) loop_.Post([this] { Wake(); });
}

bool UploadPlaces::Take(const store::Key& asset, std::size_t unit,
                        const model::ProviderEntry& provider, absl::Time since, int gateways) {
  const int max = provider.dialect->traits().max_asset_submissions;
  if (max <= 0) return true;
  Uploads& uploads = uploads_[provider.id];
  std::erase_if(uploads.in_flight, [&](const auto& place) {
    return (place.first == asset && place.second == unit) || !intended_(place.first, place.second);
  });
  const auto limit = static_cast<std::size_t>(std::max(1, max / std::max(1, gateways)));
  if (uploads.in_flight.size() >= limit) {
    uploads.line.Join(asset, since);
    return false;
  }
  uploads.in_flight.emplace_back(asset, unit);
  uploads.line.Leave(asset);
  return true;
}

void UploadPlaces::WakeNext(const std::string& provider_id) {
  const auto found = uploads_.find(provider_id);
  if (found == uploads_.end()) return;
  while (const std::optional<store::Key> next = found->second.line.Next()) {
    if (wake_(*next)) return;
  }
}

}  // namespace assetgate::reconcile
