// The simulator's requests and answers: the newest in full, and counts of all.
#ifndef ASSETGATE_TESTS_SIMULATOR_REQUEST_LOG_H_
#define ASSETGATE_TESTS_SIMULATOR_REQUEST_LOG_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/simulator/dialect.h"
#include "tests/simulator/json.h"
#include "tests/simulator/message.h"

namespace assetgate::simulator {

struct LoggedRequest {
  int64_t number = 0;
  absl::Time time;
  std::string provider;
  Call call = Call::kOther;
  std::string method;
  std::string path;
  std::string query;
  Headers headers;  // values of headers that carry keys are replaced
  bool key_valid = false;
  std::string body;                  // its first 64 KiB
  int status = 0;                    // 0 while unanswered, and after the connection was cut instead
  std::string answer;                // the first 4 KiB of the answer's body
  std::string fault;                 // the kind of fault that hit, if any
  std::string object_id;             // of the created or polled asset, group or video
  std::vector<std::string> ignored;  // fields that were silently ignored
};

// The outcome of a request.
struct Outcome {
  int status = 0;
  bool key_valid = false;
  std::string fault;
  std::string answer;
  std::string object_id;
  std::vector<std::string> ignored;
};

// Thread-safe.
class RequestLog {
 public:
  static constexpr size_t kCapacity = 100'000;                // requests
  static constexpr size_t kByteCapacity = size_t{128} << 20;  // of bodies, answers and headers

  // Without `keep_requests` only counts are kept.
  explicit RequestLog(bool keep_requests) : keep_requests_(keep_requests) {}

  // Call it when a request has arrived; returns the request's number for Finish.
  int64_t Begin(absl::Time now, absl::string_view provider, Call call, const Request& request);
  void Finish(int64_t number, absl::string_view provider, Call call, Outcome outcome);
  // Removes the requests, not the counts.
  void Clear();

  // The oldest first; empty `provider` or `call` match all; at most the newest `limit`.
  std::vector<LoggedRequest> Requests(absl::string_view provider, absl::string_view call,
                                      size_t limit = kCapacity) const;
  // How many calls have arrived in total. "*" stands for all calls, or all providers.
  int64_t Calls(absl::string_view provider, absl::string_view call) const;
  // Waits until this many have arrived; false after `timeout` (real time).
  bool AwaitCalls(absl::string_view provider, absl::string_view call, int64_t count,
                  absl::Duration timeout) const;
  // {provider: {call: {"requests": n, "answers": {"200": n}, "faults": n}}}
  Json Counts() const;

 private:
  struct Counter {
    int64_t requests = 0;
    int64_t faults = 0;
    std::map<int, int64_t> answers;
  };

  int64_t CallsLocked(absl::string_view provider, absl::string_view call) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);

  const bool keep_requests_;
  mutable absl::Mutex mu_;
  std::deque<LoggedRequest> requests_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, std::array<Counter, kCallCount>, std::less<>> counters_
      ABSL_GUARDED_BY(mu_);
};

Json ToJson(const LoggedRequest& request);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_REQUEST_LOG_H_
