// Who may have a connection without being known.
#ifndef ASSETGATE_LISTENER_STRANGERS_H_
#define ASSETGATE_LISTENER_STRANGERS_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "listener/socket.h"

namespace assetgate::listener {

// What connections of strangers may take.
struct StrangerLimits {
  // What it may have sent before a call of it is admitted, in bytes: its first call may be a large
  // one.
  std::int64_t first_call_bytes = (4 << 20) + (64 << 10);
  // The same once it has been there for `patience`, and how much more for each second. A health
  // check is some sixty bytes.
  absl::Duration patience = absl::Seconds(10);
  std::int64_t bytes = 64 << 10;
  std::int64_t bytes_per_second = 1 << 10;
  // Of the process's memory, in bytes: above it memory is scarce.
  std::int64_t memory = 0;
  // The same where memory is scarce: enough for a handshake with certificates and a call with a
  // token.
  std::int64_t bytes_when_scarce = 16 << 10;
  // Calls that were refused, or that nobody knows.
  int refused_calls = 100;
  // All together; above it, the oldest is closed. Where memory is scarce,
  // `connections_when_scarce`.
  std::size_t connections = 1024;
  std::size_t connections_when_scarce = 64;
};

// A connection is a stranger's until one of its calls was admitted: with a credential that holds
// where there are callers. gRPC (1.51) lets whoever reaches its port have as much memory as they
// like, by headers that never end or calls that are cancelled at once; so connections of strangers
// are watched from outside, by what the kernel and the gatekeeper know of them, and those that take
// too much are closed. Someone whom we know loses nothing by it. Thread-safe.
class Strangers {
 public:
  // `clock` must outlive it.
  Strangers(const StrangerLimits& limits, const base::Clock& clock)
      : limits_(limits), clock_(clock) {}

  // A connection was accepted, and is about to be handed to gRPC. `peer` as PeerOf makes it.
  void Arrived(absl::string_view peer, const Socket& socket) ABSL_LOCKS_EXCLUDED(mu_);
  // A call of `peer`, as ServerContext::peer() names it, was admitted.
  void Admitted(absl::string_view peer) ABSL_LOCKS_EXCLUDED(mu_);
  // A call of `peer` was refused, or is of a method that there is not.
  void Refused(absl::string_view peer) ABSL_LOCKS_EXCLUDED(mu_);
  // Closes those that take too much. To be called often: `memory` is what the process has, in
  // bytes.
  void Look(std::int64_t memory) ABSL_LOCKS_EXCLUDED(mu_);
  // Closes the one that has been there for longest: its descriptor is needed. False where there is
  // none.
  bool CloseOldest() ABSL_LOCKS_EXCLUDED(mu_);

  // Whether there is anyone to tell of: a look that takes no lock.
  bool any() const { return count_.load(std::memory_order_relaxed) > 0; }
  // How many were closed so far.
  std::int64_t closed() const { return closed_.load(std::memory_order_relaxed); }

 private:
  struct Stranger {
    std::string peer;
    Socket socket;
    // By Clock::Steady.
    absl::Duration since;
    int refused = 0;
  };
  // In the order in which they came.
  using Line = std::list<Stranger>;

  // Out of the line; its connection goes on.
  Line::iterator Forget(Line::iterator stranger) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Out of the line, and its connection is closed.
  Line::iterator Close(Line::iterator stranger) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How much it may have sent by now, in bytes.
  std::int64_t Allowed(absl::Duration age, bool scarce) const;
  Line::iterator Find(absl::string_view peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const StrangerLimits limits_;
  const base::Clock& clock_;
  absl::Mutex mu_;
  Line line_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<absl::string_view, Line::iterator> by_peer_ ABSL_GUARDED_BY(mu_);
  std::atomic<std::size_t> count_{0};
  std::atomic<std::int64_t> closed_{0};
};

}  // namespace assetgate::listener

#endif  // ASSETGATE_LISTENER_STRANGERS_H_
