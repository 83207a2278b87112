// A Client that sends nothing; tests answer its requests.
#ifndef ASSETGATE_HTTP_TESTING_FAKE_CLIENT_H_
#define ASSETGATE_HTTP_TESTING_FAKE_CLIENT_H_

#include <cstddef>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "http/client.h"

namespace assetgate::http {

// Keeps each request until a test takes it, oldest first, and answers it:
//
//   FakeHttpClient::Call call = client.Take();
//   EXPECT_EQ(call.request.path, "/assets");
//   std::move(call).Answer({.status = 200, .body = "{}"});
//
// Threading: thread-safe. Answer runs `done` on the calling thread, never inside Send.
class FakeHttpClient final : public Client {
 public:
  struct Call {
    Request request;
    SendOptions options;
    Done done;

    void Answer(Result result) && { std::move(done)(std::move(result)); }
  };

  FakeHttpClient() = default;
  // Answers all requests that were not taken with kStopped.
  ~FakeHttpClient() override;

  void Send(Request request, SendOptions options, Done done) override;

  // The oldest call that was not taken. Waits for one; ends the test program if none arrives within
  // `timeout`.
  Call Take(absl::Duration timeout = absl::Seconds(20));
  // The number of calls that were not taken.
  std::size_t pending() const;
  // The number of calls ever sent.
  std::size_t sent() const;

 private:
  mutable absl::Mutex mu_;
  std::deque<Call> calls_ ABSL_GUARDED_BY(mu_);
  std::size_t sent_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_TESTING_FAKE_CLIENT_H_
