// Group commit: one thread commits all queued transactions together and answers them.
#ifndef ASSETGATE_STORE_COMMIT_QUEUE_H_
#define ASSETGATE_STORE_COMMIT_QUEUE_H_

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "store/store.h"

namespace assetgate::store {

// A transaction and the callback for its result.
struct PendingCommit {
  Transaction transaction;
  CommitDone done;
};

// A store's part of a group commit.
// Threading: all calls are on the queue's thread.
class GroupWriter {
 public:
  virtual ~GroupWriter() = default;

  // The result of committing several transactions together.
  struct Group {
    // One for each transaction.
    std::vector<CommitResult> results;
    std::vector<ChangePtr> changes;
    // Set if nothing of the group counts.
    absl::Status status;
    // The error was caused by one transaction, not by the store.
    bool caused_by_one = false;
  };
  virtual Group Write(absl::Span<const PendingCommit> group) = 0;
  // Notifies the listener of the changes; not called if there are none.
  virtual void Notify(const std::vector<ChangePtr>& changes) = 0;
  // Whether writing works (again).
  virtual absl::Status Probe() = 0;
  // Called now and then while there is nothing to write: whether the committed data is still there.
  // After an error nothing is written until Probe succeeds.
  virtual absl::Status CheckIntegrity() { return absl::OkStatus(); }
  // Called after each group, and now and then.
  virtual void Maintain() {}
  // Removes some of the expired data. Returns whether there is more to remove at once.
  virtual absl::StatusOr<bool> Expire() = 0;
};

// All transactions that are queued when the thread wakes go into one commit, so the cost of each
// falls as the load rises. If writing fails, transactions are answered kUnavailable (kUnknown if
// the outcome is open), health() returns the reason, and the thread probes until writing works
// again.
// Threading: thread-safe.
class CommitQueue {
 public:
  struct Options {
    const base::Clock* clock = nullptr;
    // The limit on transactions that are not answered yet; any more are answered kUnavailable.
    std::size_t max_queue = 10'000;
    // The longest time between probes after writing has failed.
    absl::Duration probe_interval = absl::Seconds(1);
    // The longest time between integrity checks while nothing is written.
    absl::Duration check_interval = absl::Seconds(5);
    // If set, counts commits and measures groups.
    base::Metrics* metrics = nullptr;
  };

  // Lifetime: both must outlive this object.
  CommitQueue(Options options, GroupWriter& writer);
  // Calls Stop.
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  // See Store::Commit, Stop and queue_depth.
  void Commit(Transaction transaction, CommitDone done);
  void Stop();
  std::size_t queue_depth() const;
  // Whether the writer waits for the next commit: nothing is queued, under way, or tidied up after.
  bool idle() const;
  // The status of the last group, or of the last probe.
  absl::Status health() const;

 private:
  struct Refused {
    CommitDone done;
    const char* message;
  };

  void Run();
  // Commits the group, notifies the listener, answers the transactions.
  void CommitGroup(absl::Span<PendingCommit> group);
  void Report(const absl::Status& status);
  void Measure(const GroupWriter::Group& group, absl::Duration took);

  const Options options_;
  GroupWriter& writer_;

  mutable absl::Mutex mu_;
  absl::CondVar wake_;
  absl::CondVar drained_;
  std::deque<PendingCommit> queue_ ABSL_GUARDED_BY(mu_);
  std::vector<Refused> refused_ ABSL_GUARDED_BY(mu_);
  // Taken from the queue and not answered yet.
  std::size_t in_group_ ABSL_GUARDED_BY(mu_) = 0;
  bool writer_idle_ ABSL_GUARDED_BY(mu_) = false;
  // Accepts no more; the thread still runs, to reject further transactions.
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_COMMIT_QUEUE_H_
