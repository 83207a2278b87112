#include "http/curl_multi.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>

namespace assetgate::http {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNanosPerMilli = 1'000'000;

// The number of events taken by one wait.
constexpr int kMaxEvents = 512;

}  // namespace

CurlMulti::CurlMulti(long max_connections, long max_connections_per_host)
    : multi_(curl_multi_init()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      due_(kNever) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);

  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::OnWatch);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, max_connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, max_connections_per_host);
}

CurlMulti::~CurlMulti() {
  curl_multi_cleanup(multi_);
  close(epoll_);
  close(wake_);
}

bool CurlMulti::Add(CURL* easy) { return curl_multi_add_handle(multi_, easy) == CURLM_OK; }

void CurlMulti::Remove(CURL* easy) { curl_multi_remove_handle(multi_, easy); }

std::int64_t CurlMulti::Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void CurlMulti::RunDue() {
  if (due_ == kNever || Now() < due_) return;
  // curl sets a new timer if it needs one.
  due_ = kNever;
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

void CurlMulti::Wait(std::int64_t until) {
  int timeout_ms = -1;
  until = std::min(until, due_);
  const std::int64_t began = Now();
  if (until != kNever) {
    const std::int64_t left = std::max<std::int64_t>(until - began, 0);
    timeout_ms = static_cast<int>(
        std::min<std::int64_t>((left + kNanosPerMilli - 1) / kNanosPerMilli, 60'000));
  }
  epoll_event events[kMaxEvents];
  const int count = epoll_wait(epoll_, events, kMaxEvents, timeout_ms);
  for (int i = 0; i < count; ++i) {
    const int socket = events[i].data.fd;
    if (socket == wake_) {
      std::uint64_t calls = 0;
      [[maybe_unused]] const auto size = read(wake_, &calls, sizeof(calls));
      continue;
    }
    // An event for a socket that an earlier event has closed is harmless: curl does not know the
    // socket, or finds that its successor with the same number is not ready.
    int mask = 0;
    if ((events[i].events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events[i].events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, socket, mask, &running);
  }
  // Otherwise more events may be pending, which the next wait takes first.
  if (count >= 0 && count < kMaxEvents) caught_up_ = began;
}

void CurlMulti::Wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto size = write(wake_, &one, sizeof(one));
}

std::optional<CurlMulti::Ended> CurlMulti::NextEnded() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) return Ended{message->easy_handle, message->data.result};
  }
  return std::nullopt;
}

int CurlMulti::OnWatch(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(multi.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event{};
  event.data.fd = socket;
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  const int change = known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(multi.epoll_, change, socket, &event) != 0) return -1;
  // Passed as `known` in the next call.
  curl_multi_assign(multi.multi_, socket, self);
  return 0;
}

int CurlMulti::OnTimer(CURLM*, long timeout_ms, void* self) {
  static_cast<CurlMulti*>(self)->due_ =
      timeout_ms < 0 ? kNever : Now() + timeout_ms * kNanosPerMilli;
  return 0;
}

}  // namespace assetgate::http
