// libcurl's multi handle, and the event loop for its sockets. For this folder only.
#ifndef ASSETGATE_HTTP_CURL_MULTI_H_
#define ASSETGATE_HTTP_CURL_MULTI_H_

#include <curl/curl.h>

#include <cstdint>
#include <optional>

namespace assetgate::http {

// Many concurrent transfers on the calling thread. curl reports the sockets and the time that it
// waits for; epoll does the waiting. So a wake-up costs as much as the ready sockets, whereas
// curl_multi_poll and curl_multi_perform would examine every transfer in flight (with 256 transfers
// that answer at different times, that takes half to three quarters of all CPU time).
//
// Threading: everything except Wake is for one thread.
class CurlMulti {
 public:
  // Limits as in CurlClientOptions.
  CurlMulti(long max_connections, long max_connections_per_host);
  // All transfers must have been removed.
  ~CurlMulti();

  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // Returns false if out of memory.
  bool Add(CURL* easy);
  // Ends the transfer if it has not ended.
  void Remove(CURL* easy);

  // Does the work that is due by time: added transfers, timeouts.
  void RunDue();
  // Waits until a socket is ready, work is due by time, the steady clock reaches `until`, or Wake
  // is called; then handles the ready sockets.
  void Wait(std::int64_t until);
  // All socket events up to this time were handled: an answer that had arrived by then has been
  // processed.
  std::int64_t caught_up() const { return caught_up_; }
  // Nanoseconds of the steady clock.
  static std::int64_t Now();
  // Ends the present Wait, or the next one.
  // Threading: thread-safe.
  void Wake();

  // A transfer that has ended and still has to be removed.
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
  // When RunDue has work.
  std::int64_t due_;
  std::int64_t caught_up_ = 0;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CURL_MULTI_H_
