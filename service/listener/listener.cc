#include "listener/listener.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/process_usage.h"
#include "base/tcp_port.h"

namespace assetgate::listener {
namespace {

// How often strangers are checked: memory can grow by a gigabyte within a second.
constexpr absl::Duration kCheckInterval = absl::Milliseconds(20);
// The pause before the next connection where descriptors or memory are scarce, so that connections
// can end and memory can be freed.
constexpr int kPauseMilliseconds = 100;
// So that one port does not delay the others or the next check.
constexpr int kMaxAcceptsAtOnce = 64;
// The maximum rate of log lines that clients can cause.
constexpr double kLinesPerSecond = 1;

bool IsOutOfDescriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool IsWildcard(absl::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

}  // namespace

Listener::Listener(ListenerOptions options, base::Log log, const base::Clock& clock)
    : options_(std::move(options)),
      log_(std::move(log)),
      lines_(clock, kLinesPerSecond),
      strangers_(options_.strangers, clock) {
  if (!options_.memory) {
    options_.memory = [] { return static_cast<std::int64_t>(base::ReadResidentBytes()); };
  }
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(ListenerOptions options, base::Log log,
                                                         const base::Clock& clock) {
  std::unique_ptr<Listener> listener(new Listener(std::move(options), std::move(log), clock));
  listener->stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (listener->stop_ < 0) return absl::ErrnoToStatus(errno, "eventfd");
  if (absl::Status status = listener->Bind(); !status.ok()) return status;
  return listener;
}

absl::Status Listener::Bind() {
  if (!IsWildcard(options_.host)) return BindTo(options_.host.c_str());
  // "::" also accepts IPv4; not every machine supports IPv6.
  const absl::Status both = BindTo("::");
  return both.ok() || options_.host == "::" ? both : BindTo("0.0.0.0");
}

absl::Status Listener::BindTo(const char* host) {
  const absl::StatusOr<base::AddressList> addresses = base::AddressesOf(host);
  if (!addresses.ok()) {
    return absl::UnavailableError(absl::StrCat(host, ": ", addresses.status().message()));
  }
  int error = 0;
  for (addrinfo* each = addresses->get(); each != nullptr; each = each->ai_next) {
    // All addresses of a name get the same port.
    base::SetPort(*each, port_ != 0 ? port_ : options_.port);
    base::Descriptor made = base::ListenAt(*each, {.both_families = IsWildcard(host),
                                                   .no_delay = true,
                                                   .unacknowledged = options_.unacknowledged});
    if (made.get() >= 0) {
      port_ = base::PortOf(made.get());
      ports_.push_back(made.Release());
    } else if (error != EADDRINUSE) {
      error = errno;
    }
  }
  // A name may have an address of a family that this machine does not support. But it must be able
  // to bind all others.
  if (!ports_.empty() && error != EADDRINUSE) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(options_.host, ": ", ::strerror(error)));
}

Listener::~Listener() {
  if (accepting_.joinable()) {
    Stop();
    accepting_.join();
    // Stops the other thread only now, because freeing descriptors can unblock accepting_.
    accepted_all_.Notify();
    strangers_.StopWaiting();
    watching_.join();
  }
  ClosePorts();
  if (stop_ >= 0) ::close(stop_);
}

void Listener::ClosePorts() {
  for (const int port : std::exchange(ports_, {})) ::close(port);
}

void Listener::Serve(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc) {
  grpc_ = std::move(grpc);
  accepting_ = std::thread([this] { AcceptAll(); });
  pthread_setname_np(accepting_.native_handle(), "ag-accept");
  watching_ = std::thread([this] { WatchStrangers(); });
  pthread_setname_np(watching_.native_handle(), "ag-strangers");
}

void Listener::Stop() {
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) != sizeof one) log_.Error("cannot stop listening");
}

void Listener::AcceptAll() {
  std::vector<pollfd> waited{{stop_, POLLIN, 0}};
  for (const int port : ports_) waited.push_back({port, POLLIN, 0});
  bool pause = false;
  while (true) {
    // During a pause, the kernel queues connections.
    ::poll(waited.data(), pause ? 1 : waited.size(), pause ? kPauseMilliseconds : -1);
    if ((waited[0].revents & POLLIN) != 0) return ClosePorts();
    pause = false;
    for (std::size_t i = 1; i < waited.size(); ++i) pause = !Accept(waited[i].fd) || pause;
  }
}

bool Listener::Accept(int port) {
  for (int i = 0; i < kMaxAcceptsAtOnce; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int connection =
        ::accept4(port, reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection >= 0) {
      HandOver(connection, PeerOf(address), port);
      if (scarce_.load(std::memory_order_relaxed)) return false;
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
    // Any other error concerns one connection, for instance one that was reset while it waited.
    const int error = errno;
    if (!IsOutOfDescriptors(error)) continue;
    // Linux reports this even where no connection is pending.
    pollfd waited{port, POLLIN, 0};
    if (::poll(&waited, 1, 0) != 1) return true;
    const bool freed = strangers_.CloseOldest();
    if (const std::optional<std::int64_t> held_back = lines_.Take()) {
      log_.Error("no descriptor for a connection; raise ulimit -n",
                 {{"detail", ::strerror(error)},
                  {"closed_instead", freed ? "the oldest connection of a stranger" : "none"},
                  {"others_not_logged", *held_back}});
    }
    // gRPC closes the freed descriptor a moment later.
    return false;
  }
  return true;
}

void Listener::WatchStrangers() {
  // An idle gateway does not wake up for this.
  while (strangers_.AwaitAny()) {
    CheckStrangers();
    accepted_all_.WaitForNotificationWithTimeout(kCheckInterval);
  }
}

void Listener::HandOver(int connection, absl::string_view peer, int port) {
  strangers_.Arrived(peer, Socket(connection));
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = port;
  parameters.fd = connection;
  grpc_->HandleNewConnection(&parameters);
}

void Listener::CheckStrangers() {
  const std::int64_t memory = options_.memory();
  scarce_.store(memory > options_.strangers.memory, std::memory_order_relaxed);
  strangers_.Check(memory);
  const std::int64_t closed = strangers_.closed();
  if (closed == reported_ || !lines_.Take().has_value()) return;
  log_.Warning("closed connections of strangers that took too much",
               {{"count", closed - std::exchange(reported_, closed)}, {"memory", memory}});
}

}  // namespace assetgate::listener
