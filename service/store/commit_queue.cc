#include "store/commit_queue.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;

// A commit holds at most this many transactions, so that the first of them is not delayed without
// bound.
constexpr std::size_t kMaxGroup = 1'000;
// How often expired data is removed.
constexpr absl::Duration kExpireInterval = absl::Minutes(1);

}  // namespace

CommitQueue::CommitQueue(Options options, GroupWriter& writer)
    : options_(options), writer_(writer), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "store");
}

CommitQueue::~CommitQueue() {
  Stop();
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
    wake_.Signal();
  }
  thread_.join();
}

void CommitQueue::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
  while (!queue_.empty() || in_group_ > 0) drained_.Wait(&mu_);
}

void CommitQueue::Commit(Transaction transaction, CommitDone done) {
  absl::MutexLock lock(&mu_);
  if (stopped_) {
    refused_.push_back({std::move(done), "the store has stopped"});
  } else if (queue_.size() + in_group_ >= options_.max_queue) {
    refused_.push_back({std::move(done), "the store's queue is full"});
  } else {
    queue_.push_back({std::move(transaction), std::move(done)});
  }
  if (writer_idle_) wake_.Signal();
}

std::size_t CommitQueue::queue_depth() const {
  absl::MutexLock lock(&mu_);
  return queue_.size() + in_group_;
}

bool CommitQueue::idle() const {
  absl::MutexLock lock(&mu_);
  return writer_idle_ && queue_.empty() && refused_.empty();
}

absl::Status CommitQueue::health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

void CommitQueue::Report(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  health_ = status;
}

void CommitQueue::Run() {
  absl::Duration expired = options_.clock->Steady();
  bool more_to_expire = true;  // What expired while the store was closed.
  for (;;) {
    std::vector<PendingCommit> group;
    std::vector<Refused> refused;
    bool probe = false;
    bool check = false;
    {
      absl::MutexLock lock(&mu_);
      const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return queue_.empty() && refused_.empty() && !ending_;
      };
      if (idle() && !more_to_expire) {
        writer_idle_ = true;
        const absl::Duration interval =
            health_.ok() ? options_.check_interval : options_.probe_interval;
        while (idle() && !wake_.WaitWithTimeout(&mu_, interval)) {
        }
        writer_idle_ = false;
        probe = idle() && !health_.ok();
        check = idle() && health_.ok();
      }
      if (ending_ && queue_.empty() && refused_.empty()) return;
      refused.swap(refused_);
      in_group_ = std::min(queue_.size(), kMaxGroup);
      const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(in_group_);
      group.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }

    if (!group.empty()) CommitGroup(absl::MakeSpan(group));
    for (Refused& one : refused) {
      CommitResult result;
      result.message = one.message;
      std::move(one.done)(std::move(result));
    }
    {
      absl::MutexLock lock(&mu_);
      in_group_ = 0;
      if (queue_.empty()) drained_.SignalAll();
    }
    if (probe) Report(writer_.Probe());
    if (check) Report(writer_.CheckIntegrity());
    writer_.Maintain();

    const absl::Duration now = options_.clock->Steady();
    if (now - expired >= kExpireInterval) {
      expired = now;
      more_to_expire = true;
    }
    if (more_to_expire) {
      const absl::StatusOr<bool> more = writer_.Expire();
      if (!more.ok()) Report(more.status());
      more_to_expire = more.ok() && *more;
    }
  }
}

void CommitQueue::CommitGroup(absl::Span<PendingCommit> group) {
  const absl::Duration began = options_.clock->Steady();
  GroupWriter::Group done = writer_.Write(group);
  if (done.caused_by_one && group.size() > 1) {
    for (PendingCommit& one : group) CommitGroup(absl::MakeSpan(&one, 1));
    return;
  }
  Report(done.status);
  Measure(done, options_.clock->Steady() - began);
  if (!done.changes.empty()) writer_.Notify(done.changes);
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::move(group[i].done)(std::move(done.results[i]));
  }
}

void CommitQueue::Measure(const GroupWriter::Group& group, absl::Duration took) {
  if (options_.metrics == nullptr) return;
  for (const CommitResult& result : group.results) {
    const auto outcome = result.outcome == Outcome::kCommitted ? base::CommitOutcome::kCommitted
                         : result.outcome == Outcome::kConflict ||
                                 result.outcome == Outcome::kRequestIdTaken ||
                                 result.outcome == Outcome::kConditionUnmet
                             ? base::CommitOutcome::kConflict
                             : base::CommitOutcome::kFailed;
    options_.metrics->StoreCommits(outcome).Increment();
  }
  options_.metrics->StoreCommitSeconds().Observe(std::max(0.0, absl::ToDoubleSeconds(took)));
  options_.metrics->StoreCommitChanges().Observe(static_cast<double>(group.changes.size()));
}

}  // namespace assetgate::store
