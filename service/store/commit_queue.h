// Group commit: one thread that takes what is queued, writes it together, and answers.
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

// A transaction and who waits for it.
struct PendingCommit {
  Transaction transaction;
  CommitDone done;
};

// What a store does with groups; all of it on the queue's thread.
class GroupWriter {
 public:
  virtual ~GroupWriter() = default;

  // What a commit of several transactions came to.
  struct Group {
    // One for each transaction.
    std::vector<CommitResult> results;
    std::vector<ChangePtr> changes;
    // An error where none of it counts.
    absl::Status status;
    // The error is one transaction's, not the store's.
    bool fault_of_one = false;
  };
  virtual Group Write(absl::Span<const PendingCommit> group) = 0;
  // Tells the listener of what was written; not called when there is nothing to tell.
  virtual void Tell(const std::vector<ChangePtr>& changes) = 0;
  // Whether writing works (again).
  virtual absl::Status Probe() = 0;
  // While there is nothing to write, now and then: whether what was written is still there. An
  // error stops writing until Probe succeeds.
  virtual absl::Status Look() { return absl::OkStatus(); }
  // After each group, and now and then.
  virtual void Tidy() {}
  // Removes some of what is past its time. Gives whether there is more to remove at once.
  virtual absl::StatusOr<bool> Expire() = 0;
};

// All that is queued when the thread wakes goes into one commit, so that the more there is to do,
// the less each transaction costs. When writing fails, transactions are answered kUnavailable
// (kUnknown where it was left open), Health says why, and the thread tries by itself whether it
// works again. Thread-safe.
class CommitQueue {
 public:
  struct Options {
    const base::Clock* clock = nullptr;
    // Transactions handed in and not yet answered; further ones are answered kUnavailable.
    std::size_t max_queue = 10'000;
    // How often, at least, to try whether writing works again after it failed.
    absl::Duration probe_interval = absl::Seconds(1);
    // How often, at least, to look after what was written while nothing is.
    absl::Duration look_interval = absl::Seconds(5);
    // Counts commits and times groups, if given.
    base::Metrics* metrics = nullptr;
  };

  // Both must outlive it.
  CommitQueue(Options options, GroupWriter& writer);
  // Stops.
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  // As Store::Commit, Stop and queue_depth.
  void Commit(Transaction transaction, CommitDone done);
  void Stop();
  std::size_t queue_depth() const;
  // How the last group, or the last probe, went.
  absl::Status health() const;

 private:
  struct Refused {
    CommitDone done;
    const char* message;
  };

  void Run();
  // Commits, tells the listener, answers.
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
  // Taken from the queue and not yet answered.
  std::size_t in_group_ ABSL_GUARDED_BY(mu_) = 0;
  bool writer_waits_ ABSL_GUARDED_BY(mu_) = false;
  // Takes no more; the thread lives on to say so.
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_COMMIT_QUEUE_H_
