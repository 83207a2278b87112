// The port that gRPC serves on.
#ifndef ASSETGATE_LISTENER_LISTENER_H_
#define ASSETGATE_LISTENER_LISTENER_H_

#include <grpcpp/server_builder.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/line_limit.h"
#include "base/log.h"
#include "listener/strangers.h"

namespace assetgate::listener {

struct ListenerOptions {
  // A host name or an address, without brackets. An address for all interfaces ("0.0.0.0", "::")
  // means all those of IPv4 and of IPv6.
  std::string host;
  // 0: a free one.
  int port = 0;
  StrangerLimits strangers;
  // A peer that does not acknowledge data within this time is considered gone.
  absl::Duration unacknowledged = absl::Seconds(20);
  // Returns the memory of the process, in bytes. Null: its resident memory by the kernel.
  absl::AnyInvocable<std::int64_t()> memory;
};

// Accepts connections and hands them to gRPC. gRPC's (1.51) own port closes for good as soon as no
// descriptor is left for a connection, without a message. This one keeps serving: without a
// descriptor it closes connections of strangers instead (see strangers.h).
class Listener {
 public:
  // Begins to listen but accepts nothing yet: the kernel queues connections. Errors: UNAVAILABLE
  // where the address cannot be resolved, is in use, or is not this machine's. Lifetime: `clock`
  // must outlive it.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(ListenerOptions options, base::Log log,
                                                        const base::Clock& clock);
  // Stops and waits. Ordering: call it after the gRPC server has shut down.
  ~Listener();

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }
  // Must be notified of calls. Lifetime: that of the listener.
  Strangers& strangers() { return strangers_; }

  // Begins to hand connections to `grpc`, whose server must have been started. Call it once.
  void Serve(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc);
  // Closes the port without waiting. Accepted connections stay open. Idempotent.
  void Stop();

 private:
  Listener(ListenerOptions options, base::Log log, const base::Clock& clock);

  absl::Status Bind();
  absl::Status BindTo(const char* host);
  // Each runs on its own thread: gRPC may block the thread that hands it a connection for as long
  // as there is something to read from it.
  void AcceptAll();
  void WatchStrangers();
  // Accepts the pending connections of one port. False where no descriptor was left and none could
  // be freed.
  bool Accept(int port);
  void ClosePorts();
  void HandOver(int connection, absl::string_view peer, int port);
  void CheckStrangers();

  ListenerOptions options_;
  const base::Log log_;
  base::LineLimit lines_;
  Strangers strangers_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_;
  std::vector<int> ports_;
  int port_ = 0;
  // Written to in order to stop.
  int stop_ = -1;
  // The number of closed connections that the log has reported.
  std::int64_t reported_ = 0;
  std::atomic<bool> scarce_{false};
  absl::Notification accepted_all_;
  std::thread accepting_;
  std::thread watching_;
};

}  // namespace assetgate::listener

#endif  // ASSETGATE_LISTENER_LISTENER_H_
