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

// Values in epoll's data; the numbers of connections start at kFirstConnection.
constexpr std::uint64_t kListener = 0;
constexpr std::uint64_t kWakeUp = 1;
constexpr std::uint64_t kFirstConnection = 2;

// The connections to accept in one go, so that clients with a request do not wait.
constexpr int kMaxAccepts = 64;
// The bytes to read from one client, including those after its request.
constexpr std::size_t kMaxReceivedBytes = 256 << 10;
// When to try again to accept a connection after none could get a descriptor.
constexpr absl::Duration kAcceptRetry = absl::Milliseconds(50);

// Blocks signals in threads that are started while it lives: other threads handle them.
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

bool HasPendingConnection(const base::Descriptor& listener) {
  const int before = errno;
  pollfd waited{listener.get(), POLLIN, 0};
  const bool waits = ::poll(&waited, 1, 0) == 1;
  errno = before;
  return waits;
}

}  // namespace

// The two threads and their state.
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
    // Its page is waiting for the other thread, or being made there.
    kMaking,
    kWriting,
    // Answered. Further bytes of the client are discarded, so that it can still read the response.
    kClosing,
  };
  struct Connection {
    base::Descriptor socket;
    Phase phase = Phase::kReading;
    // On the steady clock.
    absl::Duration deadline;
    bool head = false;
    std::size_t received = 0;
    std::string in;
    std::string out;
    std::size_t written = 0;
  };
  // By number, so the oldest come first.
  using Connections = std::map<std::uint64_t, Connection>;
  struct PageJob {
    std::uint64_t connection = 0;
    std::string path;
  };
  struct FinishedPage {
    std::uint64_t connection = 0;
    http::Response response;
  };

  void Serve();
  void Accept();
  // Accepts one connection; an invalid descriptor where none is pending.
  base::Descriptor AcceptOne();
  void Reserve();
  void Handle(std::uint64_t number, std::uint32_t events);
  // These return whether the connection stays open.
  bool Read(std::uint64_t number, Connection& connection);
  bool Answer(Connection& connection, const http::Response& response);
  bool Write(Connection& connection);
  bool MakeOrQueue(std::uint64_t number, Connection& connection, const PageRequest& request);
  void SendFinishedPages();
  void Close(Connections::iterator connection);
  bool CloseOldest();
  void CloseExpired();
  // The timeout for epoll in milliseconds; -1: none.
  int PollTimeout() const;
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

  // Used by the serving thread only. `reserve_` is closed to accept a connection for which no other
  // descriptor is left.
  base::Descriptor reserve_;
  Connections connections_;
  std::uint64_t next_ = kFirstConnection;
  // When to look for pending connections.
  absl::Duration accept_at_ = absl::InfiniteDuration();

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<PageJob> jobs_ ABSL_GUARDED_BY(mu_);
  std::vector<FinishedPage> finished_ ABSL_GUARDED_BY(mu_);

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
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), PollTimeout());
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 >= kFirstConnection) Handle(event.data.u64, event.events);
      if (event.data.u64 == kListener) accept_at_ = std::min(accept_at_, Now());
    }
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) break;
    }
    SendFinishedPages();
    CloseExpired();
    // Serves the existing connections before it accepts further ones.
    if (accept_at_ <= Now()) Accept();
  }
  connections_.clear();
}

int PageServer::Loop::PollTimeout() const {
  absl::Duration next = accept_at_;
  for (const auto& [number, connection] : connections_) {
    if (connection.phase != Phase::kMaking) next = std::min(next, connection.deadline);
  }
  if (next == absl::InfiniteDuration()) return -1;
  const absl::Duration left = next - Now();
  return left <= absl::ZeroDuration() ? 0 : static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
}

void PageServer::Loop::CloseExpired() {
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
    // Linux reports a lack of descriptors even where no connection is pending.
    const int error = HasPendingConnection(listener_) ? errno : EAGAIN;
    const bool out_of_descriptors = error == EMFILE || error == ENFILE;
    // This connection gets the reserved descriptor, or that of the oldest connection.
    if (out_of_descriptors && (reserve_.get() >= 0 || CloseOldest()) && reserve_.get() >= 0) {
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
    // The request has often arrived with the connection.
    Handle(number, EPOLLIN);
  }
}

void PageServer::Loop::Handle(std::uint64_t number, std::uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  bool stays_open = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    stays_open = Read(number, connection);
  }
  if (stays_open && connection.phase == Phase::kWriting) stays_open = Write(connection);
  if (!stays_open) Close(found);
}

bool PageServer::Loop::Read(std::uint64_t number, Connection& connection) {
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = ::recv(connection.socket.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (got == 0) {
      // A client may close its sending half after its request.
      return connection.phase == Phase::kMaking || connection.phase == Phase::kWriting;
    }
    connection.received += static_cast<std::size_t>(got);
    if (connection.received > kMaxReceivedBytes) return false;
    if (connection.phase != Phase::kReading) continue;
    connection.in.append(chunk.data(), static_cast<std::size_t>(got));
    const auto parsed = ParsePageRequest(connection.in);
    if (const auto* request = std::get_if<PageRequest>(&parsed)) {
      if (!MakeOrQueue(number, connection, *request)) return false;
    } else if (const auto* refusal = std::get_if<http::Response>(&parsed)) {
      if (!Answer(connection, *refusal)) return false;
    }
  }
}

bool PageServer::Loop::MakeOrQueue(std::uint64_t number, Connection& connection,
                                   const PageRequest& request) {
  connection.head = request.head;
  if (options_.probes.contains(request.path)) return Answer(connection, MakePage(request.path));
  {
    absl::MutexLock lock(&mu_);
    if (jobs_.size() < options_.max_pending) {
      jobs_.push_back({number, request.path});
      connection.phase = Phase::kMaking;
      return true;
    }
  }
  return Answer(connection, TextPage(503, "too many requests for pages at once; try again"));
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
  // Closing a socket with unread bytes would reset the connection and lose the response.
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
                       ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopping_ || !jobs_.empty(); };
  for (;;) {
    PageJob job;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(&due));
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    http::Response response = MakePage(job.path);
    {
      absl::MutexLock lock(&mu_);
      finished_.push_back({job.connection, std::move(response)});
    }
    WakeUp();
  }
}

void PageServer::Loop::SendFinishedPages() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_up_.get(), &count, sizeof(count));
  std::vector<FinishedPage> finished;
  {
    absl::MutexLock lock(&mu_);
    finished.swap(finished_);
  }
  for (const FinishedPage& page : finished) {
    const auto found = connections_.find(page.connection);
    if (found == connections_.end()) continue;
    if (!Answer(found->second, page.response)) Close(found);
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
