#include "admin/page_server.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "admin/page_listener.h"
#include "admin/page_request.h"
#include "base/clock.h"

namespace assetgate::admin {
namespace {

// Marks in epoll's data; connections count up from kFirstConnection.
constexpr std::uint64_t kListener = 0;
constexpr std::uint64_t kWakeUp = 1;
constexpr std::uint64_t kFirstConnection = 2;

// Connections that are taken in one go, so that those with a request are not kept waiting.
constexpr int kMaxAccepts = 64;
// Bytes that are taken from one client, those after its request included.
constexpr std::size_t kMaxReceivedBytes = 256 << 10;
// Where no connection can have a descriptor, how long until that is tried again.
constexpr absl::Duration kAcceptRetry = absl::Milliseconds(50);

// Threads that are started while this lives take no signals: these are for whoever expects them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

bool SomebodyWaits(const base::Descriptor& listener) {
  const int before = errno;
  pollfd waited{listener.get(), POLLIN, 0};
  const bool waits = ::poll(&waited, 1, 0) == 1;
  errno = before;
  return waits;
}

}  // namespace

// The two threads, and all that they own.
class PageServer::Loop {
 public:
  Loop(PageServerOptions options, Page page, base::Descriptor listener)
      : options_(std::move(options)),
        page_(std::move(page)),
        listener_(std::move(listener)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_up_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    Reserve();
  }
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  absl::Status Start();

 private:
  enum class Phase {
    kReading,
    // Its page waits for the other thread, or is being made there.
    kMaking,
    kWriting,
    // Answered; what the client still sends is thrown away, so that it gets to read the answer.
    kClosing,
  };
  struct Connection {
    base::Descriptor socket;
    Phase phase = Phase::kReading;
    // By Now.
    absl::Duration deadline;
    bool head = false;
    std::size_t received = 0;
    std::string in;
    std::string out;
    std::size_t written = 0;
  };
  // By number: the oldest come first.
  using Connections = std::map<std::uint64_t, Connection>;
  struct Order {
    std::uint64_t connection = 0;
    std::string path;
  };
  struct Made {
    std::uint64_t connection = 0;
    http::Response response;
  };

  void Serve();
  void Accept();
  // One accepted socket, or an invalid one where no more waits.
  base::Descriptor AcceptOne();
  void Reserve();
  void Handle(std::uint64_t number, std::uint32_t events);
  // These three say whether the connection goes on.
  bool Read(std::uint64_t number, Connection& connection);
  bool Answer(Connection& connection, const http::Response& response);
  bool Write(Connection& connection);
  bool Ask(std::uint64_t number, Connection& connection, const PageRequest& request);
  void TakeMade();
  void Close(Connections::iterator connection);
  bool CloseOldest();
  void CloseLate();
  // How long there is nothing to do unless something comes, in milliseconds; -1: for ever.
  int Patience() const;
  absl::Duration Now() const { return clock_.Steady(); }
  http::Response MakePage(const std::string& path) const;
  void MakePages();
  void WakeUp() const;

  const PageServerOptions options_;
  const Page page_;
  const base::SystemClock clock_;
  const base::Descriptor listener_;
  const base::Descriptor epoll_;
  const base::Descriptor wake_up_;

  // Of the serving thread:
  // Given up for a connection that could have no descriptor otherwise.
  base::Descriptor reserve_;
  Connections connections_;
  std::uint64_t next_ = kFirstConnection;
  // From when on to look for connections that wait to be accepted.
  absl::Duration accept_at_ = absl::InfiniteDuration();

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Order> orders_ ABSL_GUARDED_BY(mu_);
  std::vector<Made> made_ ABSL_GUARDED_BY(mu_);

  std::thread server_;
  std::thread maker_;
};

absl::Status PageServer::Loop::Start() {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kListener;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &event) != 0) {
    return absl::UnavailableError(absl::StrCat("epoll: ", std::strerror(errno)));
  }
  event.events = EPOLLIN;
  event.data.u64 = kWakeUp;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_up_.get(), &event) != 0) {
    return absl::UnavailableError(absl::StrCat("epoll: ", std::strerror(errno)));
  }
  const SignalsBlocked blocked;
  server_ = std::thread([this] { Serve(); });
  pthread_setname_np(server_.native_handle(), "admin");
  maker_ = std::thread([this] { MakePages(); });
  pthread_setname_np(maker_.native_handle(), "admin-pages");
  return absl::OkStatus();
}

PageServer::Loop::~Loop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  WakeUp();
  if (server_.joinable()) server_.join();
  if (maker_.joinable()) maker_.join();
}

void PageServer::Loop::WakeUp() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_up_.get(), &one, sizeof(one));
}

void PageServer::Loop::Serve() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), Patience());
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 >= kFirstConnection) Handle(event.data.u64, event.events);
      if (event.data.u64 == kListener) accept_at_ = std::min(accept_at_, Now());
    }
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) break;
    }
    TakeMade();
    CloseLate();
    // After those that came before.
    if (accept_at_ <= Now()) Accept();
  }
  connections_.clear();
}

int PageServer::Loop::Patience() const {
  absl::Duration first = accept_at_;
  for (const auto& [number, connection] : connections_) {
    if (connection.phase != Phase::kMaking) first = std::min(first, connection.deadline);
  }
  if (first == absl::InfiniteDuration()) return -1;
  const absl::Duration left = first - Now();
  return left <= absl::ZeroDuration() ? 0 : static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
}

void PageServer::Loop::CloseLate() {
  const absl::Duration now = Now();
  for (auto each = connections_.begin(); each != connections_.end();) {
    const auto connection = each++;
    if (connection->second.phase != Phase::kMaking && connection->second.deadline <= now) {
      Close(connection);
    }
  }
}

void PageServer::Loop::Close(Connections::iterator connection) {
  connections_.erase(connection);
  Reserve();
}

bool PageServer::Loop::CloseOldest() {
  for (auto each = connections_.begin(); each != connections_.end(); ++each) {
    if (each->second.phase == Phase::kMaking) continue;
    Close(each);
    return true;
  }
  return false;
}

void PageServer::Loop::Reserve() {
  if (reserve_.get() < 0) reserve_ = base::Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

base::Descriptor PageServer::Loop::AcceptOne() {
  for (;;) {
    const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) return base::Descriptor(socket);
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // That no descriptor is left, the system says also where nobody waits.
    const int error = SomebodyWaits(listener_) ? errno : EAGAIN;
    const bool used_up = error == EMFILE || error == ENFILE;
    // The reserve becomes this connection's descriptor, or that of the oldest one.
    if (used_up && (reserve_.get() >= 0 || CloseOldest()) && reserve_.get() >= 0) {
      reserve_ = base::Descriptor();
      continue;
    }
    accept_at_ = error == EAGAIN ? absl::InfiniteDuration() : Now() + kAcceptRetry;
    return base::Descriptor();
  }
}

void PageServer::Loop::Accept() {
  for (int i = 0; i < kMaxAccepts; ++i) {
    base::Descriptor socket = AcceptOne();
    if (socket.get() < 0) return;
    if (connections_.size() >= options_.max_connections && !CloseOldest()) continue;
    const std::uint64_t number = next_++;
    Connection& connection = connections_[number];
    connection.socket = std::move(socket);
    connection.deadline = Now() + options_.request_timeout;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = number;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &event) != 0) {
      Close(connections_.find(number));
      continue;
    }
    // The request has often come along.
    Handle(number, EPOLLIN);
  }
}

void PageServer::Loop::Handle(std::uint64_t number, std::uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  bool goes_on = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    goes_on = Read(number, connection);
  }
  if (goes_on && connection.phase == Phase::kWriting) goes_on = Write(connection);
  if (!goes_on) Close(found);
}

bool PageServer::Loop::Read(std::uint64_t number, Connection& connection) {
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = ::recv(connection.socket.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (got == 0) {
      // A client may close its half once it has asked.
      return connection.phase == Phase::kMaking || connection.phase == Phase::kWriting;
    }
    connection.received += static_cast<std::size_t>(got);
    if (connection.received > kMaxReceivedBytes) return false;
    if (connection.phase != Phase::kReading) continue;
    connection.in.append(chunk.data(), static_cast<std::size_t>(got));
    const auto parsed = ParsePageRequest(connection.in);
    if (const auto* request = std::get_if<PageRequest>(&parsed)) {
      if (!Ask(number, connection, *request)) return false;
    } else if (const auto* refusal = std::get_if<http::Response>(&parsed)) {
      if (!Answer(connection, *refusal)) return false;
    }
  }
}

bool PageServer::Loop::Ask(std::uint64_t number, Connection& connection,
                           const PageRequest& request) {
  connection.head = request.head;
  if (options_.probes.contains(request.path)) return Answer(connection, MakePage(request.path));
  {
    absl::MutexLock lock(&mu_);
    if (orders_.size() < options_.max_pending) {
      orders_.push_back({number, request.path});
      connection.phase = Phase::kMaking;
      return true;
    }
  }
  return Answer(connection, TextPage(503, "too many pages are asked for at once; try again"));
}

bool PageServer::Loop::Answer(Connection& connection, const http::Response& response) {
  connection.in = std::string();
  connection.out = Serialize(response, /*with_body=*/!connection.head);
  connection.phase = Phase::kWriting;
  connection.deadline = Now() + options_.answer_timeout;
  return Write(connection);
}

bool PageServer::Loop::Write(Connection& connection) {
  while (connection.written < connection.out.size()) {
    const ssize_t sent = ::send(connection.socket.get(), connection.out.data() + connection.written,
                                connection.out.size() - connection.written, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    connection.written += static_cast<std::size_t>(sent);
  }
  // To close a socket with unread bytes would take the answer back.
  ::shutdown(connection.socket.get(), SHUT_WR);
  connection.phase = Phase::kClosing;
  connection.deadline = Now() + options_.request_timeout;
  return true;
}

http::Response PageServer::Loop::MakePage(const std::string& path) const {
  try {
    return page_(path);
  } catch (const std::exception& exception) {
    return TextPage(500, exception.what());
  }
}

void PageServer::Loop::MakePages() {
  const auto due = [this]()
                       ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopping_ || !orders_.empty(); };
  for (;;) {
    Order order;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&due));
      if (stopping_) return;
      order = std::move(orders_.front());
      orders_.pop_front();
    }
    http::Response response = MakePage(order.path);
    {
      absl::MutexLock lock(&mu_);
      made_.push_back({order.connection, std::move(response)});
    }
    WakeUp();
  }
}

void PageServer::Loop::TakeMade() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_up_.get(), &count, sizeof(count));
  std::vector<Made> made;
  {
    absl::MutexLock lock(&mu_);
    made.swap(made_);
  }
  for (const Made& one : made) {
    const auto found = connections_.find(one.connection);
    if (found == connections_.end()) continue;
    if (!Answer(found->second, one.response)) Close(found);
  }
}

absl::StatusOr<std::unique_ptr<PageServer>> PageServer::Start(PageServerOptions options,
                                                              Page page) {
  absl::StatusOr<base::Descriptor> listener = ListenForPages(options.listen);
  if (!listener.ok()) return listener.status();
  const int port = base::PortOf(listener->get());
  auto loop = std::make_unique<Loop>(std::move(options), std::move(page), *std::move(listener));
  if (absl::Status status = loop->Start(); !status.ok()) return status;
  return std::unique_ptr<PageServer>(new PageServer(std::move(loop), port));
}

PageServer::PageServer(std::unique_ptr<Loop> loop, int port)
    : loop_(std::move(loop)), port_(port) {}

PageServer::~PageServer() = default;

}  // namespace assetgate::admin
