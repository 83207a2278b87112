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
  // A host name or an address, without brackets. An address that stands for all of this machine
  // ("0.0.0.0", "::") stands for those of IPv4 and of IPv6.
  std::string host;
  // 0: one that is free.
  int port = 0;
  StrangerLimits strangers;
  // A peer that takes that long to acknowledge what it was sent is gone.
  absl::Duration unacknowledged = absl::Seconds(20);
  // What the process has, in bytes. Null: as the kernel says it (resident memory).
  absl::AnyInvocable<std::int64_t()> memory;
};

// Accepts connections and hands them to gRPC, which (1.51) closes a port of its own for good as
// soon as a connection cannot have a descriptor, and says nothing of it. This one goes on: where
// there are no descriptors, connections of strangers are closed for it (see strangers.h).
class Listener {
 public:
  // Listens, and accepts nothing yet: the kernel keeps who comes. UNAVAILABLE where the address
  // cannot be had, is in use, or is not of this machine. `clock` must outlive it.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(ListenerOptions options, base::Log log,
                                                        const base::Clock& clock);
  // Stops, and waits; after the gRPC server has shut down.
  ~Listener();

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }
  // Who is to hear of calls. Lives as long as this.
  Strangers& strangers() { return strangers_; }

  // From now on, connections go to `grpc`, whose server has been started. Once.
  void Serve(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc);
  // Closes the port, and waits for nothing. Connections that were accepted go on. Idempotent.
  void Stop();

 private:
  Listener(ListenerOptions options, base::Log log, const base::Clock& clock);

  absl::Status Bind();
  absl::Status BindTo(const char* host);
  // Each on a thread of its own: gRPC may keep the thread that hands it a connection for as long as
  // there is something to read from it.
  void AcceptAll();
  void Watch();
  // What there is, from one of the ports. False where a descriptor was wanting and none could be
  // had.
  bool Accept(int port);
  void ClosePorts();
  void HandOver(int connection, absl::string_view peer, int port);
  void Look();

  ListenerOptions options_;
  const base::Log log_;
  base::LineLimit lines_;
  Strangers strangers_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_;
  std::vector<int> ports_;
  int port_ = 0;
  // Written to when it is to stop.
  int stop_ = -1;
  // How many closed connections the log has told of.
  std::int64_t told_ = 0;
  std::atomic<bool> scarce_{false};
  absl::Notification accepted_all_;
  std::thread accepting_;
  std::thread watching_;
};

}  // namespace assetgate::listener

#endif  // ASSETGATE_LISTENER_LISTENER_H_
