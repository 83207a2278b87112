// libcurl's multi handle, and the waiting for its sockets. Not for use outside this folder.
#ifndef ASSETGATE_HTTP_CURL_MULTI_H_
#define ASSETGATE_HTTP_CURL_MULTI_H_

#include <curl/curl.h>

#include <cstdint>
#include <optional>

namespace assetgate::http {

// Many transfers at once, on the thread that calls. curl says which sockets and which time it waits
// for; epoll does the waiting. A wake-up costs what has news, where curl_multi_poll with
// curl_multi_perform would look at every transfer under way (at 256 of them, answering at their own
// times, that is half to three quarters of all CPU).
//
// Everything but Wake is for one thread.
class CurlMulti {
 public:
  // Limits as in CurlClientOptions.
  CurlMulti(long max_connections, long max_connections_per_host);
  // All transfers must have been removed.
  ~CurlMulti();

  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // False when out of memory.
  bool Add(CURL* easy);
  // Ends the transfer, where it has not ended.
  void Remove(CURL* easy);

  // Does what is due by time: what was added, timeouts.
  void RunDue();
  // Waits until a socket has news, something is due by time, the steady clock shows `until`, or
  // Wake is called; and does what the news ask for.
  void Wait(std::int64_t until);
  // A time at which every socket's news had been taken, or later: what an answer that had arrived
  // by then could tell has been told.
  std::int64_t caught_up() const { return caught_up_; }
  // Nanoseconds of the steady clock.
  static std::int64_t Now();
  // Ends the present Wait, or else the next. Thread-safe.
  void Wake();

  // A transfer that has ended. It is still to be removed.
  struct Ended {
    CURL* easy;
    CURLcode code;
  };
  std::optional<Ended> NextEnded();

 private:
  static int OnWatch(CURL*, curl_socket_t socket, int what, void* self, void* known);
  static int OnTimer(CURLM*, long timeout_ms, void* self);

  CURLM* const multi_;
  const int epoll_;
  const int wake_;
  // When RunDue has something to do.
  std::int64_t due_;
  std::int64_t caught_up_ = 0;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CURL_MULTI_H_
