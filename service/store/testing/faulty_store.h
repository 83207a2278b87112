// A store that fails on demand.
#ifndef ASSETGATE_STORE_TESTING_FAULTY_STORE_H_
#define ASSETGATE_STORE_TESTING_FAULTY_STORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/event_loop.h"
#include "store/store.h"
#include "store/testing/forwarding_store.h"

namespace assetgate::store {

// Forwards to a real store, except for commits that a test fails, and counts commits in flight.
// Commits come from one thread (the loop's).
class FaultyStore final : public store::ForwardingStore {
 public:
  using Outcome = store::CommitResult::Outcome;

  explicit FaultyStore(store::Store& real) : ForwardingStore(real) {}

  // Called before each commit: kCommitted lets it pass; kUnavailable and kUnknown answer that
  // without committing.
  std::function<Outcome(const store::Transaction&)> judge;
  // With kUnknown: the transaction is committed nevertheless.
  bool unknown_commits = false;
  // With kUnknown: the transaction is committed when the test calls CommitWaiting.
  bool unknown_waits = false;
  // With kUnknown: the result is provisional.
  bool provisional = false;
  // Makes Get and ListUnfinished fail.
  bool unreadable = false;
  // If set, returned instead of the real store's leases.
  store::Leases* other_leases = nullptr;
  // The numbers of calls of List and of FindRequest.
  int lists = 0;
  int found_requests = 0;
  // The total of the limits that List was called with.
  std::size_t rows_wanted = 0;
  // If set, returned instead of the real store's trusted time.
  std::optional<absl::Time> other_trusted_time;

  // The number of commits, including failed ones.
  std::int64_t commits() const {
    absl::MutexLock lock(&mu_);
    return commits_;
  }
  // Waits until every commit was answered.
  void AwaitAnswers() const {
    absl::MutexLock lock(&mu_);
    const auto answered = [this] {
      mu_.AssertReaderHeld();
      return under_way_ == 0;
    };
    mu_.Await(absl::Condition(&answered));
  }

  // Commits the transactions that were answered kUnknown and wait.
  void CommitWaiting() {
    for (store::Transaction& transaction : std::exchange(waiting_, {})) {
      {
        absl::MutexLock lock(&mu_);
        ++under_way_;
      }
      real().Commit(std::move(transaction), [this](const store::CommitResult&) {
        absl::MutexLock lock(&mu_);
        --under_way_;
      });
    }
  }

  void Commit(store::Transaction transaction, store::CommitDone done) override {
    {
      absl::MutexLock lock(&mu_);
      ++commits_;
      ++under_way_;
    }
    const Outcome outcome = judge ? judge(transaction) : Outcome::kCommitted;
    if (outcome == Outcome::kUnknown && unknown_waits) waiting_.push_back(transaction);
    if (outcome != Outcome::kCommitted && !(outcome == Outcome::kUnknown && unknown_commits)) {
      // An empty transaction makes the store's thread answer.
      transaction = {};
    }
    real().Commit(std::move(transaction),
                  [this, outcome, done = std::move(done)](store::CommitResult result) mutable {
                    if (outcome != Outcome::kCommitted) {
                      result = {};
                      result.outcome = outcome;
                      result.provisional = outcome == Outcome::kUnknown && provisional;
                      result.message = "the test says so";
                    }
                    std::move(done)(std::move(result));
                    absl::MutexLock lock(&mu_);
                    --under_way_;
                  });
  }
  absl::StatusOr<std::optional<store::Row>> Get(const store::Key& key) override {
    if (unreadable) return absl::UnavailableError("the test says so");
    return real().Get(key);
  }
  absl::StatusOr<store::ListPage> List(const store::ListQuery& query) override {
    ++lists;
    rows_wanted += query.limit;
    return real().List(query);
  }
  absl::StatusOr<std::optional<store::RequestRow>> FindRequest(
      const store::RequestKey& key) override {
    ++found_requests;
    return real().FindRequest(key);
  }
  absl::Time trusted_time() const override {
    return other_trusted_time.value_or(ForwardingStore::trusted_time());
  }
  absl::StatusOr<std::vector<store::Row>> ListUnfinished(
      const store::UnfinishedQuery& query) override {
    if (unreadable) return absl::UnavailableError("the test says so");
    return real().ListUnfinished(query);
  }
  store::Leases& leases() override {
    return other_leases != nullptr ? *other_leases : real().leases();
  }

 private:
  std::vector<store::Transaction> waiting_;
  mutable absl::Mutex mu_;
  std::int64_t commits_ ABSL_GUARDED_BY(mu_) = 0;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_TESTING_FAULTY_STORE_H_
