// For tests: a network between gateway and database that fails on demand.
#ifndef ASSETGATE_STORE_TESTING_POSTGRES_PROXY_H_
#define ASSETGATE_STORE_TESTING_POSTGRES_PROXY_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace assetgate::store::postgres {

// Forwards TCP connections to a port of this machine.
// Threading: thread-safe.
class TestProxy {
 public:
  explicit TestProxy(int target_port);
  ~TestProxy();
  TestProxy(const TestProxy&) = delete;
  TestProxy& operator=(const TestProxy&) = delete;

  int port() const { return port_; }

  enum class Mode {
    kForward,
    // Connections stay open, and nothing passes.
    kFrozen,
    // The client's data passes, the server's does not.
    kDropReplies,
    // Connections are closed, including new ones.
    kCut,
  };
  void Set(Mode mode) { mode_ = mode; }
  // Sets kCut and returns when all connections are closed.
  void Cut() ABSL_LOCKS_EXCLUDED(mu_);
  // From now on removes notifications from the server's data, as a pooler in transaction mode does.
  // Only for unencrypted connections.
  void DropNotifications() { drop_notifications_ = true; }
  // From now on all data arrives this much later, in either direction: half of a round trip.
  void Delay(absl::Duration delay) { delay_nanoseconds_ = absl::ToInt64Nanoseconds(delay); }

 private:
  void Accept();
  void Serve(int client);

  const int target_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<Mode> mode_{Mode::kForward};
  std::atomic<bool> drop_notifications_{false};
  std::atomic<std::int64_t> delay_nanoseconds_{0};
  std::atomic<bool> ending_{false};
  absl::Mutex mu_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  // Connections that are not closed yet.
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread acceptor_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_TESTING_POSTGRES_PROXY_H_
