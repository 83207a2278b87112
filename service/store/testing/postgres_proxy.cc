#include "store/testing/postgres_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <utility>

#include "absl/time/clock.h"

namespace assetgate::store::postgres {
namespace {

// How quickly a change of the mode takes effect.
constexpr absl::Duration kPollInterval = absl::Milliseconds(10);

// Returns whether a socket has data, or an end.
bool Poll(pollfd* sockets, nfds_t count, absl::Duration timeout) {
  const timespec limit = absl::ToTimespec(std::max(timeout, absl::ZeroDuration()));
  return ::ppoll(sockets, count, &limit, nullptr) > 0;
}

// Bytes on their way through the proxy.
struct InFlight {
  absl::Time due;
  int to;
  std::string bytes;
};

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  return address;
}

void NoDelay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool SendAll(int fd, const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

// Removes the whole messages from the front of `pending` and returns them without notifications.
std::string WithoutNotifications(std::string& pending) {
  std::string rest;
  while (pending.size() >= 5) {
    std::size_t length = 0;
    for (std::size_t i = 1; i < 5; ++i) {
      length = length << 8 | static_cast<unsigned char>(pending[i]);
    }
    if (pending.size() < length + 1) break;
    if (pending[0] != 'A') rest.append(pending, 0, length + 1);
    pending.erase(0, length + 1);
  }
  return rest;
}

}  // namespace

TestProxy::TestProxy(int target_port) : target_port_(target_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

TestProxy::~TestProxy() {
  ending_ = true;
  acceptor_.join();
  ::close(listener_);
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mu_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void TestProxy::Cut() {
  Set(Mode::kCut);
  absl::MutexLock lock(&mu_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return open_ == 0; };
  mu_.Await(absl::Condition(&none));
}

void TestProxy::Accept() {
  while (!ending_) {
    pollfd socket{listener_, POLLIN, 0};
    if (!Poll(&socket, 1, kPollInterval) || mode_ == Mode::kFrozen) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    absl::MutexLock lock(&mu_);
    ++open_;
    threads_.emplace_back([this, client] { Serve(client); });
  }
}

void TestProxy::Serve(int client) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  bool open = mode_ != Mode::kCut &&
              ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  NoDelay(client);
  NoDelay(server);
  std::string pending;
  std::deque<InFlight> in_flight;
  while (open && !ending_ && mode_ != Mode::kCut) {
    const Mode mode = mode_;
    pollfd sockets[] = {{mode == Mode::kFrozen ? -1 : client, POLLIN, 0},
                        {mode == Mode::kForward ? server : -1, POLLIN, 0}};
    absl::Duration timeout = kPollInterval;
    if (!in_flight.empty()) timeout = std::min(timeout, in_flight.front().due - absl::Now());
    Poll(sockets, 2, timeout);
    for (const bool from_server : {false, true}) {
      if (sockets[from_server ? 1 : 0].revents == 0) continue;
      char buffer[64 << 10];
      const ssize_t n = ::recv(from_server ? server : client, buffer, sizeof(buffer), 0);
      if (n <= 0) {
        open = false;
        break;
      }
      if (from_server && mode_ == Mode::kDropReplies) continue;  // The mode has just changed.
      std::string bytes(buffer, static_cast<std::size_t>(n));
      if (from_server && drop_notifications_) {
        pending += bytes;
        bytes = WithoutNotifications(pending);
      }
      in_flight.push_back({absl::Now() + absl::Nanoseconds(delay_nanoseconds_.load()),
                           from_server ? client : server, std::move(bytes)});
    }
    // Data in flight when the mode changed is lost.
    while (open && !in_flight.empty() && in_flight.front().due <= absl::Now()) {
      open = mode_ != Mode::kCut && SendAll(in_flight.front().to, in_flight.front().bytes);
      in_flight.pop_front();
    }
  }
  ::close(client);
  ::close(server);
  absl::MutexLock lock(&mu_);
  --open_;
}

}  // namespace assetgate::store::postgres
