// Replacements for the parts of Abseil that hand data from one thread to another, in terms that
// ThreadSanitizer understands: Mutex, CondVar, Notification, BlockingCounter, the waiting of
// call_once, and the reference counts of Status.
//
// Debian's Abseil is not built for ThreadSanitizer, which therefore does not see that a Mutex was
// locked or a Notification was received, and reports races in correct programs. These definitions
// are linked into the test programs of the `tsan` preset, and a program's own definitions take
// precedence over those of a shared library, for the library too. So the code under test is exactly
// the shipped code; see docs/adr/0013-thread-sanitizer.md.
//
// The classes are those of Abseil's headers. Each has one word of storage, which points to its
// replacement state here. Functions that are not used end the program instead of calling the
// library's, which would misinterpret that pointer.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "absl/base/internal/spinlock_wait.h"
#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

struct MutexState {
  std::mutex mutex;
  // The mutex was released: a condition may have become true.
  std::condition_variable released;
  // Waiters in Await. Guarded by `mutex`.
  int waiting = 0;
};

// The state that `word` points to; created on first use, because the headers define the
// constructors.
template <typename State>
State& StateOf(std::atomic<std::intptr_t>& word) {
  std::intptr_t held = word.load(std::memory_order_acquire);
  if (held == 0) {
    auto* made = new State;
    if (word.compare_exchange_strong(held, reinterpret_cast<std::intptr_t>(made),
                                     std::memory_order_acq_rel)) {
      return *made;
    }
    delete made;
  }
  return *reinterpret_cast<State*>(held);
}

template <typename State>
void DeleteState(std::atomic<std::intptr_t>& word) {
  delete reinterpret_cast<State*>(word.load(std::memory_order_acquire));
}

// A lock on a mutex that the caller holds and keeps.
class Borrowed {
 public:
  explicit Borrowed(std::mutex& mutex) : lock_(mutex, std::adopt_lock) {}
  ~Borrowed() { lock_.release(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  std::unique_lock<std::mutex>& operator*() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

// Returns false if `deadline` passed first.
bool WaitUntil(std::condition_variable& condition, std::unique_lock<std::mutex>& lock,
               Time deadline) {
  if (deadline == InfiniteFuture()) {
    condition.wait(lock);
    return true;
  }
  return condition.wait_until(lock, ToChronoTime(deadline)) == std::cv_status::no_timeout;
}

Time DeadlineAfter(Duration timeout) { return Now() + timeout; }

[[noreturn]] void NotHere(const char* what) {
  std::fprintf(stderr, "%s is not in tests/tsan/abseil.cc, as nothing used it; add it\n", what);
  std::abort();
}

}  // namespace

Mutex::~Mutex() {
  DeleteState<MutexState>(mu_);
  __tsan_mutex_destroy(this, 0);
}

void Mutex::Lock() { StateOf<MutexState>(mu_).mutex.lock(); }

void Mutex::Unlock() {
  auto& state = StateOf<MutexState>(mu_);
  // Before the mutex is released: its next holder may destroy it.
  if (state.waiting > 0) state.released.notify_all();
  state.mutex.unlock();
}

bool Mutex::TryLock() { return StateOf<MutexState>(mu_).mutex.try_lock(); }

void Mutex::Await(const Condition& cond) { AwaitWithDeadline(cond, InfiniteFuture()); }

bool Mutex::AwaitWithTimeout(const Condition& cond, Duration timeout) {
  return AwaitWithDeadline(cond, DeadlineAfter(timeout));
}

bool Mutex::AwaitWithDeadline(const Condition& cond, Time deadline) {
  auto& state = StateOf<MutexState>(mu_);
  if (cond.Eval()) return true;
  // Waiting releases the mutex, and other waiters may wait for what its holder changed.
  if (state.waiting > 0) state.released.notify_all();
  Borrowed lock(state.mutex);
  ++state.waiting;
  bool in_time = true;
  while (!cond.Eval() && in_time) in_time = WaitUntil(state.released, *lock, deadline);
  --state.waiting;
  return cond.Eval();
}

void Mutex::LockWhen(const Condition& cond) {
  Lock();
  Await(cond);
}

bool Mutex::LockWhenWithTimeout(const Condition& cond, Duration timeout) {
  return LockWhenWithDeadline(cond, DeadlineAfter(timeout));
}

bool Mutex::LockWhenWithDeadline(const Condition& cond, Time deadline) {
  Lock();
  return AwaitWithDeadline(cond, deadline);
}

// Abseil's own Mutex checks these in all other builds.
void Mutex::AssertHeld() const {}
void Mutex::AssertReaderHeld() const {}
void Mutex::AssertNotHeld() const {}
void Mutex::ForgetDeadlockInfo() {}
void Mutex::EnableDebugLog(const char*) {}

void Mutex::EnableInvariantDebugging(void (*)(void*), void*) {
  NotHere("Mutex::EnableInvariantDebugging");
}
void Mutex::ReaderLock() { NotHere("Mutex::ReaderLock"); }
void Mutex::ReaderUnlock() { NotHere("Mutex::ReaderUnlock"); }
bool Mutex::ReaderTryLock() { NotHere("Mutex::ReaderTryLock"); }
void Mutex::ReaderLockWhen(const Condition&) { NotHere("Mutex::ReaderLockWhen"); }
bool Mutex::ReaderLockWhenWithTimeout(const Condition&, Duration) {
  NotHere("Mutex::ReaderLockWhenWithTimeout");
}
bool Mutex::ReaderLockWhenWithDeadline(const Condition&, Time) {
  NotHere("Mutex::ReaderLockWhenWithDeadline");
}

CondVar::~CondVar() { DeleteState<std::condition_variable>(cv_); }

void CondVar::Wait(Mutex* mu) { WaitWithDeadline(mu, InfiniteFuture()); }

bool CondVar::WaitWithTimeout(Mutex* mu, Duration timeout) {
  return WaitWithDeadline(mu, DeadlineAfter(timeout));
}

bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) {
  auto& state = StateOf<MutexState>(mu->mu_);
  if (state.waiting > 0) state.released.notify_all();
  Borrowed lock(state.mutex);
  return !WaitUntil(StateOf<std::condition_variable>(cv_), *lock, deadline);
}

void CondVar::Signal() { StateOf<std::condition_variable>(cv_).notify_one(); }
void CondVar::SignalAll() { StateOf<std::condition_variable>(cv_).notify_all(); }
void CondVar::EnableDebugLog(const char*) {}

// As in Abseil: a thread that saw the notification may destroy it while Notify still holds the
// mutex.
Notification::~Notification() { MutexLock lock(&mutex_); }

void Notification::Notify() {
  MutexLock lock(&mutex_);
  notified_yet_.store(true, std::memory_order_release);
}

void Notification::WaitForNotification() const {
  WaitForNotificationWithDeadline(InfiniteFuture());
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  return WaitForNotificationWithDeadline(DeadlineAfter(timeout));
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  if (HasBeenNotified()) return true;
  MutexLock lock(&mutex_);
  return mutex_.AwaitWithDeadline(Condition(&HasBeenNotifiedInternal, &notified_yet_), deadline);
}

BlockingCounter::BlockingCounter(int initial_count)
    : count_(initial_count), num_waiting_(0), done_(initial_count == 0) {}

bool BlockingCounter::DecrementCount() {
  if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  MutexLock lock(&lock_);
  done_ = true;
  return true;
}

void BlockingCounter::Wait() {
  MutexLock lock(&lock_);
  lock_.Await(Condition(&done_));
}

// The last owner deletes what the others have read.
void Status::UnrefNonInlined(std::uintptr_t rep) {
  status_internal::StatusRep* shared = RepToPointer(rep);
  if (shared->ref.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared;
}

namespace base_internal {

// How call_once waits for a call in progress on another thread.
std::uint32_t SpinLockWait(std::atomic<std::uint32_t>* word, int n,
                           const SpinLockWaitTransition trans[], SchedulingMode) {
  for (;;) {
    std::uint32_t value = word->load(std::memory_order_acquire);
    for (int i = 0; i < n; ++i) {
      if (value != trans[i].from) continue;
      const bool reached =
          trans[i].to == value ||
          word->compare_exchange_strong(value, trans[i].to, std::memory_order_acquire);
      if (reached && trans[i].done) return trans[i].from;
      break;
    }
    std::this_thread::yield();
  }
}

}  // namespace base_internal
ABSL_NAMESPACE_END
}  // namespace absl
