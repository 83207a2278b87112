// A store that can be told to fail.
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

// Passes everything on to a real store, but for the commits that a test wants to fail, and knows
// how many are under way. Commits come from one thread (the loop's).
class FaultyStore final : public store::ForwardingStore {
 public:
  using Outcome = store::CommitResult::Outcome;

  explicit FaultyStore(store::Store& real) : ForwardingStore(real) {}

  // Asked before each commit: kCommitted lets it pass, kUnavailable and kUnknown answer that
  // without committing.
  std::function<Outcome(const store::Transaction&)> judge;
  // With kUnknown: it is committed all the same.
  bool unknown_commits = false;
  // With kUnknown: it is committed when the test says so.
  bool unknown_waits = false;
  // With kUnknown: what is read can still be lost.
  bool provisional = false;
  // Get and ListUnfinished fail.
  bool unreadable = false;
  // Answered in place of the store's own where it is set.
  store::Leases* other_leases = nullptr;
  // Calls of List, and of FindRequest.
  int lists = 0;
  int found_requests = 0;
  // Rows that List was asked for.
  std::size_t rows_wanted = 0;
  // Answered in place of the store's own where it is set.
  std::optional<absl::Time> lived;

  // How many commits there were, failed ones included.
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

  // What was answered kUnknown and waits comes through now.
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
      // The store's thread answers: an empty transaction goes through it.
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
  absl::Time lived_until() const override { return lived.value_or(ForwardingStore::lived_until()); }
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
