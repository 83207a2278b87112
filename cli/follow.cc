#include "cli/follow.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"

namespace assetgate::cli {
namespace {

std::unique_ptr<grpc::ClientAsyncReader<v1::AssetEvent>> Prepare(
    Client& client, grpc::ClientContext* context, const v1::WatchAssetsRequest& request,
    grpc::CompletionQueue* queue) {
  return client.assets().PrepareAsyncWatchAssets(context, request, queue);
}
std::unique_ptr<grpc::ClientAsyncReader<v1::VideoTaskEvent>> Prepare(
    Client& client, grpc::ClientContext* context, const v1::WatchVideoTasksRequest& request,
    grpc::CompletionQueue* queue) {
  return client.videos().PrepareAsyncWatchVideoTasks(context, request, queue);
}
std::unique_ptr<grpc::ClientAsyncReader<v1::ProviderEvent>> Prepare(
    Client& client, grpc::ClientContext* context, const v1::WatchProvidersRequest& request,
    grpc::CompletionQueue* queue) {
  return client.providers().PrepareAsyncWatchProviders(context, request, queue);
}

// Makes `request` continue after `event` when the watch is opened again.
template <typename Request, typename Event>
void KeepToken(Request& request, const Event& event) {
  if (event.type() == v1::RESET) {
    // The old token is no longer valid; the end of the snapshot brings a new one.
    request.clear_resume_token();
  } else if (event.type() == v1::BOOKMARK) {
    request.set_resume_token(event.resume_token());
  }
}
void KeepToken(v1::WatchProvidersRequest&, const v1::ProviderEvent&) {}

// One stream, from opening to end. It has its own completion queue, so that a read can have a
// deadline, which detects a stream that has gone silent.
template <typename Watch>
class Stream {
 public:
  Stream(Client& client, const typename Watch::Request& request, const std::stop_token& stop)
      : reader_(Prepare(client, &context_, request, &queue_)),
        cancel_(stop, [this] { context_.TryCancel(); }) {}

  ~Stream() {
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Calls `on_open` once, when the stream is known to be open, and `on_event` with each event.
  // Returns the status that the stream ended with.
  template <typename OnOpen, typename OnEvent>
  absl::Status Run(const FollowOptions& options, OnOpen on_open, OnEvent on_event) {
    bool idle = false;
    bool open = false;
    reader_->StartCall(this);
    bool ok = Wait(absl::InfiniteDuration()) == kDone;
    while (ok) {
      typename Watch::Event event;
      reader_->Read(&event, this);
      Outcome outcome = open ? kTimeout : Wait(options.open_after);
      if (!open && outcome != kEnded) {
        open = true;
        on_open();
      }
      if (outcome == kTimeout) outcome = Wait(options.idle_timeout);
      if (outcome == kTimeout) {
        idle = true;
        context_.TryCancel();
        outcome = Wait(absl::InfiniteDuration());
      }
      ok = outcome == kDone;
      if (ok) on_event(std::move(event));
    }
    grpc::Status status;
    reader_->Finish(&status, this);
    // A stream that has ended has a status. A stream without one is still open: gRPC could not
    // parse the last event and reads no further.
    if (Wait(options.status_timeout) == kTimeout) {
      context_.TryCancel();
      Wait(absl::InfiniteDuration());
      return PlainError(
          absl::StatusCode::kDataLoss,
          "the gateway sent an event that this assetctl cannot parse: try a newer assetctl, and "
          "check the gateway's log for a damaged resource");
    }
    if (idle) {
      return PlainError(
          absl::StatusCode::kUnavailable,
          absl::StrCat("no event arrived for ", absl::FormatDuration(options.idle_timeout)));
    }
    return ToStatus(status);
  }

 private:
  enum Outcome { kDone, kEnded, kTimeout };

  Outcome Wait(absl::Duration timeout) {
    void* tag;
    bool ok = false;
    if (timeout == absl::InfiniteDuration()) {
      queue_.Next(&tag, &ok);
      return ok ? kDone : kEnded;
    }
    const auto deadline = absl::ToChronoTime(absl::Now() + timeout);
    if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::TIMEOUT) return kTimeout;
    return ok ? kDone : kEnded;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<typename Watch::Event>> reader_;
  std::stop_callback<std::function<void()>> cancel_;
};

// Waits for `duration`; false when `stop` was requested meanwhile.
bool WaitUnlessStopped(absl::Duration duration, const std::stop_token& stop) {
  std::mutex mu;
  std::condition_variable_any never;
  std::unique_lock lock(mu);
  never.wait_for(lock, stop, absl::ToChronoNanoseconds(duration), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

absl::Duration BackoffAfter(int failures, absl::Duration retry_after, double spread,
                            const FollowOptions& options) {
  absl::Duration backoff = options.initial_backoff;
  for (int i = 1; i < failures && backoff < options.max_backoff; ++i) backoff *= 1.6;
  backoff = std::min(backoff, options.max_backoff) * (0.8 + 0.4 * spread);
  return std::max(backoff, retry_after);
}

bool IsWorthRepeating(const absl::Status& status, bool was_open) {
  if (status.code() == absl::StatusCode::kUnavailable) return true;
  if (base::RetryDelayOf(base::ToRpcStatus(status)).has_value()) return true;
  // gRPC itself reports a connection that breaks under an open stream with these codes.
  const bool by_transport = base::InfoOf(base::ToRpcStatus(status)).reason().empty();
  return was_open && by_transport &&
         (status.code() == absl::StatusCode::kUnknown ||
          status.code() == absl::StatusCode::kInternal ||
          status.code() == absl::StatusCode::kCancelled);
}

template <typename Watch>
absl::Status Follow(Client& client, typename Watch::Request request, const FollowOptions& options,
                    const std::stop_token& stop, FollowListener<Watch>& listener) {
  const absl::Time began = absl::Now();
  absl::BitGen random;
  bool reached = false;
  int failures = 0;
  while (true) {
    Stream<Watch> stream(client, request, stop);
    absl::Status status = stream.Run(
        options,
        [&] {
          reached = true;
          listener.OnConnected();
        },
        [&](typename Watch::Event event) {
          failures = 0;
          KeepToken(request, event);
          listener.OnEvent(std::move(event));
        });
    if (stop.stop_requested()) return PlainError(absl::StatusCode::kCancelled, "interrupted");
    if (status.ok()) return status;
    // An error with a reason comes from the gateway itself, so the gateway was reached.
    reached = reached || !base::InfoOf(base::ToRpcStatus(status)).reason().empty();
    if (!IsWorthRepeating(status, reached)) return status;
    if (!reached && absl::Now() - began > options.first_contact_timeout) return status;
    ++failures;
    const auto retry_after = base::RetryDelayOf(base::ToRpcStatus(status));
    const absl::Duration backoff =
        BackoffAfter(failures, retry_after.value_or(absl::ZeroDuration()),
                     absl::Uniform(random, 0.0, 1.0), options);
    listener.OnDisconnected(status, backoff);
    if (!WaitUnlessStopped(backoff, stop)) {
      return PlainError(absl::StatusCode::kCancelled, "interrupted");
    }
  }
}

template absl::Status Follow<AssetWatch>(Client&, AssetWatch::Request, const FollowOptions&,
                                         const std::stop_token&, FollowListener<AssetWatch>&);
template absl::Status Follow<VideoWatch>(Client&, VideoWatch::Request, const FollowOptions&,
                                         const std::stop_token&, FollowListener<VideoWatch>&);
template absl::Status Follow<ProviderWatch>(Client&, ProviderWatch::Request, const FollowOptions&,
                                            const std::stop_token&, FollowListener<ProviderWatch>&);

}  // namespace assetgate::cli
