// A Client that sends nothing: tests answer.
#ifndef ASSETGATE_HTTP_TESTING_FAKE_CLIENT_H_
#define ASSETGATE_HTTP_TESTING_FAKE_CLIENT_H_

#include <cstddef>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "http/client.h"

namespace assetgate::http {

// Keeps what is sent until a test takes it, oldest first, and answers it:
//
//   FakeHttpClient::Call call = client.Take();
//   EXPECT_EQ(call.request.path, "/assets");
//   std::move(call).Answer({.status = 200, .body = "{}"});
//
// The answer runs `done` on the thread that answers; never inside Send. Thread-safe.
class FakeHttpClient final : public Client {
 public:
  struct Call {
    Request request;
    SendOptions options;
    Done done;

    void Answer(Result result) && { std::move(done)(std::move(result)); }
  };

  FakeHttpClient() = default;
  // Fails with kStopped what was not taken.
  ~FakeHttpClient() override;

  void Send(Request request, SendOptions options, Done done) override;

  // The oldest call that was not taken. Waits for one to come; ends the test program when none does
  // within `patience`.
  Call Take(absl::Duration patience = absl::Seconds(20));
  // How many wait to be taken.
  std::size_t pending() const;
  // How many were ever sent.
  std::size_t sent() const;

 private:
  mutable absl::Mutex mu_;
  std::deque<Call> calls_ ABSL_GUARDED_BY(mu_);
  std::size_t sent_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_TESTING_FAKE_CLIENT_H_
