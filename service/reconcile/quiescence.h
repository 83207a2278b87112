// When nothing is in flight any more.
#ifndef ASSETGATE_RECONCILE_QUIESCENCE_H_
#define ASSETGATE_RECONCILE_QUIESCENCE_H_

#include <functional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/event_loop.h"

namespace assetgate::reconcile {

// Counts the reads, commits and submissions in flight.
//
// Threading: the thread of `loop`.
class Quiescence {
 public:
  // `pending` returns whether there is work that a posted round will still hand to the store.
  Quiescence(base::EventLoop& loop, std::function<bool()> pending)
      : loop_(loop), pending_(std::move(pending)) {}

  void BeginSubmission() { ++submissions_; }
  void EndSubmission() {
    --submissions_;
    PostCheck();
  }
  void BeginRead() { ++reads_; }
  void EndRead() {
    --reads_;
    PostCheck();
  }
  void BeginCommit() { ++commits_; }
  void EndCommit() {
    --commits_;
    PostCheck();
  }

  // `quiet` runs once nothing is in flight.
  void Await(absl::AnyInvocable<void() &&> quiet) {
    waiting_.push_back(std::move(quiet));
    PostCheck();
  }

 private:
  // Looks after everything that has been posted so far.
  void PostCheck() {
    if (waiting_.empty()) return;
    loop_.Post([this] {
      // Whatever ends later checks again.
      if (reads_ > 0 || submissions_ > 0 || commits_ > 0 || pending_()) return;
      for (auto& quiet : std::exchange(waiting_, {})) std::move(quiet)();
    });
  }

  base::EventLoop& loop_;
  const std::function<bool()> pending_;
  int reads_ = 0;
  int submissions_ = 0;
  int commits_ = 0;
  std::vector<absl::AnyInvocable<void() &&>> waiting_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_QUIESCENCE_H_
