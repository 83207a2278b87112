#include "listener/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

void Set(int descriptor, int level, int option, int value) {
  ::setsockopt(descriptor, level, option, &value, sizeof value);
}

bool IsWantOfDescriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int PortOf(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void SetPort(sockaddr* address, int port) {
  const in_port_t in_order = htons(static_cast<in_port_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = in_order;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = in_order;
  }
}

bool StandsForAll(absl::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

// A socket that listens; below 0, the negative of what is wrong.
int ListenAt(const addrinfo& address, bool both_families, absl::Duration unacknowledged) {
  const int made = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) return -errno;
  Set(made, SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.ai_family == AF_INET6) Set(made, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  // Connections have these from their port.
  Set(made, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(made, IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(absl::ToInt64Milliseconds(unacknowledged)));
  if (::bind(made, address.ai_addr, address.ai_addrlen) == 0 && ::listen(made, SOMAXCONN) == 0) {
    return made;
  }
  const int error = errno;
  ::close(made);
  return -error;
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
  if (!StandsForAll(options_.host)) return BindTo(options_.host.c_str());
  // "::" takes what comes by IPv4 too; not every machine speaks IPv6.
  const absl::Status both = BindTo("::");
  return both.ok() || options_.host == "::" ? both : BindTo("0.0.0.0");
}

absl::Status Listener::BindTo(const char* host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host, nullptr, &hints, &found); error != 0) {
    return absl::UnavailableError(absl::StrCat(host, ": ", ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    // A name with several addresses has one port.
    SetPort(each->ai_addr, port_ != 0 ? port_ : options_.port);
    const int made = ListenAt(*each, StandsForAll(host), options_.unacknowledged);
    if (made >= 0) {
      ports_.push_back(made);
      port_ = PortOf(made);
    } else if (error != EADDRINUSE) {
      error = -made;
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
