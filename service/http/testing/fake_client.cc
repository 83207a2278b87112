#include "http/testing/fake_client.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace assetgate::http {

FakeHttpClient::~FakeHttpClient() {
  std::deque<Call> left;
  {
    absl::MutexLock lock(&mu_);
    left.swap(calls_);
  }
  for (Call& call : left) {
    std::move(call).Answer(
        TransportError{TransportError::Kind::kStopped, false, "the test is over"});
  }
}

void FakeHttpClient::Send(Request request, SendOptions options, Done done) {
  absl::MutexLock lock(&mu_);
  calls_.push_back({std::move(request), std::move(options), std::move(done)});
  ++sent_;
}

FakeHttpClient::Call FakeHttpClient::Take(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto waiting = [this] {
    mu_.AssertReaderHeld();
    return !calls_.empty();
  };
  if (!mu_.AwaitWithTimeout(absl::Condition(&waiting), timeout)) {
    std::fputs("FakeHttpClient: the request that the test waits for was not sent\n", stderr);
    std::abort();
  }
  Call call = std::move(calls_.front());
  calls_.pop_front();
  return call;
}

std::size_t FakeHttpClient::pending() const {
  absl::MutexLock lock(&mu_);
  return calls_.size();
}

std::size_t FakeHttpClient::sent() const {
  absl::MutexLock lock(&mu_);
  return sent_;
}

}  // namespace assetgate::http
