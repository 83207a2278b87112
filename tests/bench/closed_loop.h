// Callers that each have one call in flight, all on one thread.
#ifndef ASSETGATE_TESTS_BENCH_CLOSED_LOOP_H_
#define ASSETGATE_TESTS_BENCH_CLOSED_LOOP_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace assetgate::bench {

// The calls that ended within one period.
struct Calls {
  absl::Duration took;
  std::int64_t ok = 0;
  // By code and message.
  std::map<std::string, std::int64_t> failed;
  std::vector<double> milliseconds;

  double PerSecond() const { return static_cast<double>(ok) / absl::ToDoubleSeconds(took); }
};

// One completion queue, driven by the thread that calls Run: the client then needs little of the
// CPU that it shares with the measured processes.
// Threading: for one thread.
template <typename Stub, typename Request, typename Reply>
class ClosedLoop {
 public:
  using Start = std::function<std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>>(
      Stub&, grpc::ClientContext*, const Request&, grpc::CompletionQueue*)>;
  // `next` fills the request of the call with that number.
  ClosedLoop(const std::vector<std::shared_ptr<grpc::Channel>>& channels, int callers, Start start,
             std::function<void(std::int64_t number, Request&)> next)
      : start_(std::move(start)), next_(std::move(next)) {
    for (const auto& channel : channels) stubs_.push_back(std::make_unique<Stub>(channel));
    for (int i = 0; i < callers; ++i) {
      callers_.push_back(Caller{*stubs_[static_cast<std::size_t>(i) % stubs_.size()]});
    }
  }
  ~ClosedLoop() {
    Finish();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  ClosedLoop(const ClosedLoop&) = delete;
  ClosedLoop& operator=(const ClosedLoop&) = delete;

  // Keeps every caller busy for `time`. Calls stay open between two runs.
  Calls Run(absl::Duration time) { return Run(time, INT64_MAX); }
  // Runs until `max` calls in all were started and have ended.
  Calls RunUntil(std::int64_t max) { return Run(absl::InfiniteDuration(), max); }
  // Starts no more calls and waits for the open ones.
  void Finish() { (void)Run(absl::InfiniteDuration(), started_); }

 private:
  struct Caller {
    Stub& stub;
    Request request = {};
    Reply reply = {};
    grpc::Status status = {};
    std::unique_ptr<grpc::ClientContext> context = nullptr;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>> reader = nullptr;
    std::int64_t start_nanos = 0;
  };

  Calls Run(absl::Duration time, std::int64_t max) {
    Calls calls;
    const absl::Time from = absl::Now();
    const absl::Time until = from + time;
    max_started_ = max;
    for (Caller& caller : callers_) {
      if (caller.reader == nullptr) StartCall(caller);
    }
    const auto deadline = time == absl::InfiniteDuration()
                              ? std::chrono::system_clock::time_point::max()
                              : absl::ToChronoTime(until);
    void* tag = nullptr;
    bool ok = false;
    while (open_ > 0 && queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT) {
      auto& caller = *static_cast<Caller*>(tag);
      --open_;
      const std::int64_t now = absl::GetCurrentTimeNanos();
      caller.reader.reset();
      if (caller.status.ok()) {
        ++calls.ok;
        calls.milliseconds.push_back(static_cast<double>(now - caller.start_nanos) / 1e6);
      } else {
        ++calls.failed[absl::StrCat("code ", caller.status.error_code(), ": ",
                                    caller.status.error_message())];
      }
      StartCall(caller);
      // A busy queue never times out.
      if (now >= absl::ToUnixNanos(until)) break;
    }
    calls.took = absl::Now() - from;
    return calls;
  }

  void StartCall(Caller& caller) {
    if (started_ >= max_started_) return;
    next_(started_++, caller.request);
    ++open_;
    caller.context = std::make_unique<grpc::ClientContext>();
    caller.start_nanos = absl::GetCurrentTimeNanos();
    caller.reader = start_(caller.stub, caller.context.get(), caller.request, &queue_);
    caller.reader->Finish(&caller.reply, &caller.status, &caller);
  }

  const Start start_;
  const std::function<void(std::int64_t, Request&)> next_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Stub>> stubs_;
  // A deque, because the queue's tags point to its elements.
  std::deque<Caller> callers_;
  std::int64_t started_ = 0;
  std::int64_t max_started_ = 0;
  int open_ = 0;
};

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_CLOSED_LOOP_H_
