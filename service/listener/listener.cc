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

// How often strangers are looked at: memory can grow by a gigabyte within a second.
constexpr absl::Duration kLookInterval = absl::Milliseconds(20);
// Before the next connection, where there are no descriptors or memory is scarce: those that are
// there go, or what they took is given back.
constexpr int kPauseMilliseconds = 100;
// One port does not keep the others, or the next look, waiting.
constexpr int kAcceptedAtOnce = 64;
// Nobody can cause more lines than that.
constexpr double kLinesPerSecond = 1;

bool IsWantOfDescriptors(int error) {
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
  // "::" takes what comes by IPv4 too; not every machine speaks IPv6.
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
    // A name with several addresses has one port.
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
  // A name may have an address of a family that this machine does not speak; but all of its ports
  // are ours or none.
  if (!ports_.empty() && error != EADDRINUSE) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(options_.host, ": ", ::strerror(error)));
}

Listener::~Listener() {
  if (accepting_.joinable()) {
    Stop();
    accepting_.join();
    // It lets go of the other what keeps it: so it is the last.
    accepted_all_.Notify();
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
  watching_ = std::thread([this] { Watch(); });
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
    // While it pauses, who comes is left to the kernel.
    ::poll(waited.data(), pause ? 1 : waited.size(), pause ? kPauseMilliseconds : -1);
    if ((waited[0].revents & POLLIN) != 0) return ClosePorts();
    pause = false;
    for (std::size_t i = 1; i < waited.size(); ++i) pause = !Accept(waited[i].fd) || pause;
  }
}

bool Listener::Accept(int port) {
  for (int i = 0; i < kAcceptedAtOnce; ++i) {
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
    // Else, say, one that has gone again while it waited.
    const int error = errno;
    if (!IsWantOfDescriptors(error)) continue;
    // The system says so also where nobody waits.
    pollfd waited{port, POLLIN, 0};
    if (::poll(&waited, 1, 0) != 1) return true;
    const bool freed = strangers_.CloseOldest();
    if (const std::optional<std::int64_t> held_back = lines_.Take()) {
      log_.Error("no descriptor for a connection; raise ulimit -n",
                 {{"detail", ::strerror(error)},
                  {"closed_instead", freed ? "the oldest of a stranger" : "none"},
                  {"others_not_logged", *held_back}});
    }
    // gRPC closes its descriptor a moment later.
    return false;
  }
  return true;
}

void Listener::Watch() {
  while (!accepted_all_.WaitForNotificationWithTimeout(kLookInterval)) {
    if (strangers_.any()) Look();
  }
}

void Listener::HandOver(int connection, absl::string_view peer, int port) {
  strangers_.Arrived(peer, Socket(connection));
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = port;
  parameters.fd = connection;
  grpc_->HandleNewConnection(&parameters);
}

void Listener::Look() {
  const std::int64_t memory = options_.memory();
  scarce_.store(memory > options_.strangers.memory, std::memory_order_relaxed);
  strangers_.Look(memory);
  const std::int64_t closed = strangers_.closed();
  if (closed == told_ || !lines_.Take().has_value()) return;
  log_.Warning("connections of strangers closed, which took too much",
               {{"count", closed - std::exchange(told_, closed)}, {"memory", memory}});
}

}  // namespace assetgate::listener
