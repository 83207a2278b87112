#include "reconcile/model_slots.h"

#include <algorithm>

#include "model/apply.h"
#include "model/resource.h"

namespace assetgate::reconcile {

void WaitLine::Join(const store::Key& key, absl::Time since) {
  const auto [it, inserted] = since_.emplace(key, since);
  if (!inserted) {
    if (it->second == since) return;
    line_.erase({it->second, key});
    it->second = since;
  }
  line_.emplace(since, key);
}

void WaitLine::Leave(const store::Key& key) {
  const auto it = since_.find(key);
  if (it == since_.end()) return;
  line_.erase({it->second, key});
  since_.erase(it);
}

std::optional<store::Key> WaitLine::Next() {
  if (line_.empty()) return std::nullopt;
  store::Key key = line_.begin()->second;
  line_.erase(line_.begin());
  since_.erase(key);
  return key;
}

std::optional<ModelSlot> SlotOf(const v1::VideoTask& task) {
  for (int i = task.attempts_size() - 1; i >= 0; --i) {
    const v1::Attempt& attempt = task.attempts(i);
    if (model::IsFinal(attempt.state())) continue;
    const std::optional<std::string> provider = model::ParseProvider(attempt.provider());
    if (!provider.has_value()) return std::nullopt;
    return ModelSlot{*provider, attempt.provider_model()};
  }
  return std::nullopt;
}

void ModelSlots::Follow(std::set<std::string> providers) {
  absl::MutexLock lock(&mu_);
  const bool more =
      !std::includes(providers_.begin(), providers_.end(), providers.begin(), providers.end());
  providers_ = std::move(providers);
  if (more) known_ = false;
  if (!providers_.empty()) return;
  stored_.clear();
  counts_.clear();
  coming_.clear();
}

bool ModelSlots::NeedsReading() const {
  absl::MutexLock lock(&mu_);
  return !providers_.empty() && !known_ && !reading_;
}

void ModelSlots::BeginReading() {
  absl::MutexLock lock(&mu_);
  reading_ = true;
  // A gap from here on makes it unknown again.
  known_ = true;
  read_.clear();
  told_.clear();
}

void ModelSlots::Read(const std::vector<store::Row>& page) {
  absl::MutexLock lock(&mu_);
  for (const store::Row& row : page) {
    if (row.key.kind != store::Kind::kVideoTask) continue;
    if (auto slot = Followed(row.content.resource))
      read_.insert_or_assign(row.key, *std::move(slot));
  }
}

void ModelSlots::EndReading(bool complete) {
  absl::MutexLock lock(&mu_);
  reading_ = false;
  if (complete) {
    stored_.clear();
    counts_.clear();
    for (auto& [task, slot] : read_) Put(task, std::move(slot));
    for (auto& [task, slot] : told_) Put(task, std::move(slot));
  } else {
    known_ = false;
  }
  read_.clear();
  told_.clear();
}

std::optional<ModelSlot> ModelSlots::Followed(const std::string& resource) const {
  v1::VideoTask task;
  if (!task.ParseFromString(resource)) return std::nullopt;
  std::optional<ModelSlot> slot = SlotOf(task);
  if (slot.has_value() && !providers_.contains(slot->provider)) slot.reset();
  return slot;
}

void ModelSlots::Put(const store::Key& task, std::optional<ModelSlot> slot) {
  if (const auto old = stored_.find(task); old != stored_.end()) {
    const auto count = counts_.find(old->second);
    if (count != counts_.end() && --count->second == 0) counts_.erase(count);
    stored_.erase(old);
  }
  if (!slot.has_value()) return;
  ++counts_[*slot];
  stored_.emplace(task, *std::move(slot));
}

bool ModelSlots::OnChanges(const std::vector<store::ChangePtr>& changes) {
  absl::MutexLock lock(&mu_);
  if (providers_.empty()) return false;
  bool freed = false;
  for (const store::ChangePtr& change : changes) {
    if (change->key.kind != store::Kind::kVideoTask) continue;
    std::optional<ModelSlot> slot;
    if (!change->deleted && change->unfinished) slot = Followed(change->resource);
    const auto old = stored_.find(change->key);
    freed |= old != stored_.end() && slot != old->second;
    if (const auto coming = coming_.find(change->key); coming != coming_.end()) {
      freed |= slot != coming->second;
      coming_.erase(coming);
    }
    Put(change->key, slot);
    if (reading_) told_.insert_or_assign(change->key, std::move(slot));
  }
  return freed;
}

void ModelSlots::OnGap() {
  absl::MutexLock lock(&mu_);
  known_ = false;
}

std::optional<int> ModelSlots::TakenByOthers(const ModelSlot& slot, const store::Key& task) const {
  absl::MutexLock lock(&mu_);
  if (!known_ || reading_) return std::nullopt;
  const auto count = counts_.find(slot);
  int taken = count == counts_.end() ? 0 : count->second;
  const auto own = stored_.find(task);
  if (own != stored_.end() && own->second == slot) --taken;
  for (const auto& [key, its] : coming_) {
    if (key == task || its != slot) continue;
    // One that is stored there already is counted.
    const auto stored = stored_.find(key);
    if (stored == stored_.end() || stored->second != slot) ++taken;
  }
  return taken;
}

void ModelSlots::Take(const store::Key& task, const ModelSlot& slot) {
  absl::MutexLock lock(&mu_);
  if (providers_.contains(slot.provider)) coming_.insert_or_assign(task, slot);
}

bool ModelSlots::Release(const store::Key& task) {
  absl::MutexLock lock(&mu_);
  return coming_.erase(task) > 0;
}

}  // namespace assetgate::reconcile
