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

// Checks every few seconds whether the config, or a file that it names, has changed, and passes on
// the config that it then reads. A file system that does not answer blocks this thread alone: the
// thread that handles signals never waits for a file.
//
// Threading: any thread.
class ReloadThread {
 public:
  struct Actions {
    // Applies the config that was read, or reports why it could not be read.
    std::function<void(absl::StatusOr<config::Config>)> reload;
    // Runs after each check of the files.
    std::function<void()> look;
  };
  struct Options {
    absl::Duration interval = absl::Seconds(5);
    // How long Stop waits for an action, and for a file.
    absl::Duration action_patience = absl::Seconds(15);
    absl::Duration read_patience = absl::Seconds(1);
  };

  // Lifetime: `reader` outlives it. Only this thread uses `reader` from now on, and runs the
  // actions until Stop.
  ReloadThread(config::Reader& reader, Actions actions, Options options);
  ReloadThread(config::Reader& reader, Actions actions)
      : ReloadThread(reader, std::move(actions), Options()) {}
  // Stops, and waits for a read that is under way, without limit.
  ~ReloadThread();
  ReloadThread(const ReloadThread&) = delete;
  ReloadThread& operator=(const ReloadThread&) = delete;

  // Reads at once, changed or not, or as soon as the read under way has ended. Returns how long
  // that read has taken so far.
  absl::Duration Wake() ABSL_LOCKS_EXCLUDED(mu_);

  // Starts no further action, and waits for the action under way. Returns whether the thread has
  // ended. If not, it is blocked by a file: the process must exit without destroying this object.
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
  // When the read under way began, by the steady clock; infinite while there is none.
  absl::Duration reading_since_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  std::thread thread_;
};

}  // namespace assetgate

#endif  // ASSETGATE_SERVER_RELOAD_THREAD_H_
