// Limits the connections of peers that are not known yet.
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

// The limits for connections of strangers.
struct StrangerLimits {
  // The bytes that it may send before one of its calls is admitted: its first call may be large.
  std::int64_t first_call_bytes = (4 << 20) + (64 << 10);
  // The limit after `grace_period`: `max_bytes`, plus `bytes_per_second` for each second. A health
  // check takes about sixty bytes.
  absl::Duration grace_period = absl::Seconds(10);
  std::int64_t max_bytes = 64 << 10;
  std::int64_t bytes_per_second = 1 << 10;
  // The memory of the process, in bytes, above which memory is scarce.
  std::int64_t memory = 0;
  // The limit where memory is scarce: enough for a handshake with certificates and a call with a
  // token.
  std::int64_t max_bytes_when_scarce = 16 << 10;
  // Calls that were rejected, or that name an unknown method.
  int max_refused_calls = 100;
  // The number of strangers; above it, the oldest is closed. Where memory is scarce,
  // `max_connections_when_scarce` applies.
  std::size_t max_connections = 1024;
  std::size_t max_connections_when_scarce = 64;
};

// A connection belongs to a stranger until one of its calls is admitted: where the config lists
// callers, with a valid credential. gRPC (1.51) lets any peer use unlimited memory, with headers
// that never end or calls that are cancelled at once. So this class watches the connections of
// strangers from outside, by what the kernel and the gatekeeper know, and closes those that take
// too much. Known callers are not affected.
//
// Threading: any thread.
class Strangers {
 public:
  // Lifetime: `clock` must outlive it.
  Strangers(const StrangerLimits& limits, const base::Clock& clock)
      : limits_(limits), clock_(clock) {}

  // Call it when a connection has been accepted, before it is handed to gRPC. `peer` as from
  // PeerOf.
  void Arrived(absl::string_view peer, const Socket& socket) ABSL_LOCKS_EXCLUDED(mu_);
  // Call it when a call of `peer`, as ServerContext::peer() names it, was admitted.
  void Admitted(absl::string_view peer) ABSL_LOCKS_EXCLUDED(mu_);
  // Call it when a call of `peer` was rejected, or names an unknown method.
  void Refused(absl::string_view peer) ABSL_LOCKS_EXCLUDED(mu_);
  // Closes the connections that take too much. Call it often. `memory`: of the process, in bytes.
  void Check(std::int64_t memory) ABSL_LOCKS_EXCLUDED(mu_);
  // Closes the oldest connection, because its descriptor is needed. False where there is none.
  bool CloseOldest() ABSL_LOCKS_EXCLUDED(mu_);

  // Waits until there are strangers. False once StopWaiting has been called.
  bool AwaitAny() ABSL_LOCKS_EXCLUDED(mu_);
  void StopWaiting() ABSL_LOCKS_EXCLUDED(mu_);

  // Whether there are strangers. Takes no lock.
  bool any() const { return count_.load(std::memory_order_relaxed) > 0; }
  // The number of connections closed so far.
  std::int64_t closed() const { return closed_.load(std::memory_order_relaxed); }

 private:
  struct Stranger {
    std::string peer;
    Socket socket;
    // The time of its arrival by Clock::Steady.
    absl::Duration since;
    int refused = 0;
  };
  // In the order of their arrival.
  using Queue = std::list<Stranger>;

  // Removes it from the queue; its connection stays open.
  Queue::iterator Forget(Queue::iterator stranger) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Removes it from the queue and closes its connection.
  Queue::iterator Close(Queue::iterator stranger) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The bytes that it may have sent at this age.
  std::int64_t Allowed(absl::Duration age, bool scarce) const;
  Queue::iterator Find(absl::string_view peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const StrangerLimits limits_;
  const base::Clock& clock_;
  absl::Mutex mu_;
  Queue queue_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<absl::string_view, Queue::iterator> by_peer_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::int64_t> closed_{0};
};

}  // namespace assetgate::listener

#endif  // ASSETGATE_LISTENER_STRANGERS_H_
