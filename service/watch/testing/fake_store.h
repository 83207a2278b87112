// A store in memory, for tests of reading and watching.
#ifndef ASSETGATE_WATCH_TESTING_FAKE_STORE_H_
#define ASSETGATE_WATCH_TESTING_FAKE_STORE_H_

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "store/store.h"

namespace assetgate::watch {

// Keeps every change until a test compacts it. Put and Delete commit at once, on the calling
// thread; Commit always fails.
// Threading: thread-safe.
class FakeStore final : public store::Store {
 public:
  static constexpr char kTenant[] = "default";

  explicit FakeStore(std::string id = "store-1") : id_(std::move(id)) {}

  // Commits a row of the kind and tenant below and notifies the listener. The resource contains the
  // id and the revision, so that no two states are equal.
  store::Revision Put(const std::string& id, std::vector<std::string> terms = {},
                      bool settled = true);
  store::Revision Delete(const std::string& id,
                         store::DeleteCause cause = store::DeleteCause::kDeleted);
  // What Put writes: an asset whose display name is "ID@REVISION", serialized.
  static std::string ResourceOf(const std::string& id, store::Revision revision);
  // Additional bytes in what Put writes.
  std::size_t padding = 0;
  // For the rows above. Default: assets of the tenant "default".
  store::Kind kind = store::Kind::kAsset;
  std::string tenant = kTenant;

  // From here on changes are queued; Notify(n) notifies the listener of the next n.
  void HoldNotifications();
  void Notify(std::size_t changes);
  // Changes that the listener was not notified of yet.
  std::size_t pending_notifications() const;

  // Removes the changes up to `revision` from the log.
  void CompactUpto(store::Revision revision);
  // Makes every read fail with `status`, until it is set to OK.
  void FailReads(absl::Status status);
  // How many rows one List looks at before it ends early; at least 1.
  std::size_t max_look_ups = std::numeric_limits<std::size_t>::max();
  // Runs before each List, ReadChanges, Get and Head, without the lock: a place to commit changes
  // between two pages.
  std::function<void()> before_read;
  // The number of reads so far.
  int reads() const;

  // All changes ever, in order, without the first `after`.
  std::vector<store::ChangePtr> History(std::size_t after = 0) const;

  const std::string& store_id() const override { return id_; }
  void Commit(store::Transaction transaction, store::CommitDone done) override;
  absl::StatusOr<std::optional<store::Row>> Get(const store::Key& key) override;
  absl::StatusOr<store::ListPage> List(const store::ListQuery& query) override;
  absl::StatusOr<store::ChangesPage> ReadChanges(const store::ChangesQuery& query) override;
  absl::StatusOr<std::optional<store::RequestRow>> FindRequest(
      const store::RequestKey& key) override;
  absl::StatusOr<std::vector<store::Row>> ListUnfinished(
      const store::UnfinishedQuery& query) override;
  absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after) override;
  absl::StatusOr<store::Revision> Head() override;
  absl::Status Health() override;
  std::size_t queue_depth() const override { return 0; }
  store::Leases& leases() override { return leases_; }
  void SetListener(store::ChangeListener* listener) override;
  void Stop() override {}

 private:
  void Add(std::shared_ptr<store::Change> change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status BeginRead() ABSL_LOCKS_EXCLUDED(mu_);
  store::Revision head() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return static_cast<store::Revision>(history_.size());
  }

  const std::string id_;
  store::SoleLeases leases_;
  // Held while the listener is notified, which keeps the order.
  absl::Mutex notify_mu_;
  mutable absl::Mutex mu_;
  std::map<store::Key, store::Row> rows_ ABSL_GUARDED_BY(mu_);
  // By create revision.
  std::map<store::Revision, store::Key, std::greater<>> newest_first_ ABSL_GUARDED_BY(mu_);
  // The change of revision n is at n - 1.
  std::vector<store::ChangePtr> history_ ABSL_GUARDED_BY(mu_);
  std::size_t notified_ ABSL_GUARDED_BY(mu_) = 0;
  bool hold_ ABSL_GUARDED_BY(mu_) = false;
  store::Revision compacted_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  store::ChangeListener* listener_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_TESTING_FAKE_STORE_H_
