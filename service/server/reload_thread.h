// The thread that reads files while a gateway serves.
#ifndef ASSETGATE_SERVER_RELOAD_THREAD_H_
#define ASSETGATE_SERVER_RELOAD_THREAD_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/reload.h"

namespace assetgate {

// Looks every few seconds whether the config, or a file that it names, has changed, and hands on
// what it reads. A file system that does not answer holds up this thread and nobody else: whoever
// waits for signals never waits for a file. Thread-safe.
class ReloadThread {
 public:
  struct Actions {
    // Takes over what was read.
    std::function<void(absl::StatusOr<config::Config>)> reload;
    // After each look at the files.
    std::function<void()> look;
  };
  struct Options {
    absl::Duration interval = absl::Seconds(5);
    // How long Stop waits for actions, and for a file.
    absl::Duration action_patience = absl::Seconds(15);
    absl::Duration read_patience = absl::Seconds(1);
  };

  // `reader` must outlive it, and is its own from now on, as the actions are until Stop.
  ReloadThread(config::Reader& reader, Actions actions, Options options);
  ReloadThread(config::Reader& reader, Actions actions)
      : ReloadThread(reader, std::move(actions), Options()) {}
  // Stops, and waits for a read that is under way, however long that takes.
  ~ReloadThread();
  ReloadThread(const ReloadThread&) = delete;
  ReloadThread& operator=(const ReloadThread&) = delete;

  // Reads at once, changed or not, or as soon as the read that is under way has ended. Gives how
  // long that one has taken so far.
  absl::Duration Wake() ABSL_LOCKS_EXCLUDED(mu_);

  // Begins no action any more, and waits for one that is under way. True where the thread has
  // ended. Otherwise it hangs in a file, and cannot be waited for: the process has to end without
  // destroying this object.
  bool Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();
  bool IsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return woken_ || stopping_; }
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !acting_; }

  config::Reader& reader_;
  const Actions actions_;
  const Options options_;
  const base::SystemClock clock_;
  absl::Mutex mu_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool acting_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  // By the steady clock, since when files are being read; infinite while none are.
  absl::Duration reading_since_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  std::thread thread_;
};

}  // namespace assetgate

#endif  // ASSETGATE_SERVER_RELOAD_THREAD_H_
