#include "tests/bench/fill_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "model/resource.h"

namespace assetgate::bench {
namespace {

constexpr int kRowsPerTransaction = 500;
// Some transactions commit while the next ones are prepared.
constexpr int kMaxTransactions = 8;

absl::StatusOr<model::AssetEntity> Load(store::Store& store, const std::string& name) {
  const store::Key key = {model::kDefaultTenant, store::Kind::kAsset,
                          model::ParseName(model::kAssets, name).value_or("")};
  const auto row = store.Get(key);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return absl::NotFoundError(absl::StrCat("no ", name, " in the store"));
  model::AssetEntity entity;
  model::FromRow(**row, entity);
  if (model::IsUnfinished(entity) || entity.resource.placements_size() != 1) {
    return absl::InternalError(absl::StrCat(name, " is not finished at one provider"));
  }
  return entity;
}

model::AssetEntity Copy(const model::AssetEntity& model, int number, const FinishedAsset& asset) {
  model::AssetEntity entity = model;
  entity.key.id = model::NewResourceId(absl::Now());
  v1::Asset& resource = entity.resource;
  resource.set_name(model::MakeName(model::kAssets, entity.key.id));
  resource.set_display_name(absl::StrCat("Portrait ", number));
  resource.set_source_uri(absl::StrCat("https://media.example.org/portraits/", number, ".png"));
  for (const auto& [key, value] : asset.labels) (*resource.mutable_labels())[key] = value;
  v1::Placement& placement = *resource.mutable_placements(0);
  const std::string known = placement.provider_asset_id();
  placement.set_provider_asset_id(absl::StrCat(known, "-", number));
  if (!placement.provider_uri().empty()) placement.set_provider_uri(resource.source_uri());
  model::Unit& unit = *entity.record.mutable_units(0);
  unit.set_handle(absl::StrReplaceAll(unit.handle(), {{known, placement.provider_asset_id()}}));
  return entity;
}

// Commits transactions to a store, a few at a time.
// Threading: thread-safe.
class Committer {
 public:
  explicit Committer(store::Store& store) : store_(store) {}

  // Returns the error of an earlier transaction, if there was one.
  absl::Status Commit(store::Transaction transaction) {
    {
      const auto free = [this]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return open_ < kMaxTransactions; };
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&free));
      if (!status_.ok()) return status_;
      ++open_;
    }
    store_.Commit(std::move(transaction), [this](store::CommitResult result) {
      absl::MutexLock lock(&mu_);
      --open_;
      if (result.outcome != store::CommitResult::Outcome::kCommitted) {
        status_ = absl::InternalError(absl::StrCat("the store was not filled: ", result.message));
      }
    });
    return absl::OkStatus();
  }
  // Waits for all transactions.
  absl::Status Finish() {
    const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return open_ == 0; };
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&done));
    return status_;
  }

 private:
  store::Store& store_;
  absl::Mutex mu_;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::Status FillStore(store::Store& store, const std::string& active, const std::string& failed,
                       int count, const std::function<FinishedAsset(int number)>& describe,
                       const std::function<void(int number, const std::string& name)>& made) {
  const auto an_active = Load(store, active);
  if (!an_active.ok()) return an_active.status();
  const auto a_failed = Load(store, failed);
  if (!a_failed.ok()) return a_failed.status();
  Committer committer(store);
  absl::Status status;
  for (int number = 0; number < count && status.ok();) {
    store::Transaction transaction;
    for (const int end = std::min(count, number + kRowsPerTransaction); number < end; ++number) {
      const FinishedAsset asset = describe(number);
      model::AssetEntity entity = Copy(asset.failed ? *a_failed : *an_active, number, asset);
      made(number, entity.resource.name());
      store::Write& write = transaction.writes.emplace_back();
      write.content = model::ToContent(entity);
      write.key = std::move(entity.key);
    }
    status = committer.Commit(std::move(transaction));
  }
  // Also after an error, because pending callbacks refer to `committer`.
  const absl::Status finished = committer.Finish();
  return status.ok() ? finished : status;
}

}  // namespace assetgate::bench
