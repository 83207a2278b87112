// Watch RPCs: writes a stream of events as messages on the wire.
#ifndef ASSETGATE_API_WATCH_STREAM_H_
#define ASSETGATE_API_WATCH_STREAM_H_

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/gatekeeper.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "grpcpp/grpcpp.h"
#include "watch/event.h"
#include "watch/event_stream.h"
#include "watch/watches.h"

namespace assetgate::api {

// Answers one Watch method. The service declares it raw, so that an event is encoded once however
// many streams write it:
//
//   class Assets : public v1::AssetService::WithRawCallbackMethod_WatchAssets<…> {
//     grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchAssets(
//         grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes) override {
//       return watch_assets_.Answer(*context, [&](const calls::Caller& caller) {
//         return OpeningOf(watches_, calls_.WatchAssets(caller, Parse(*bytes)));
//       });
//     }
//   };
//
// Each call is counted, and logged with the caller's trace id when it ends.
//
// Threading: thread-safe. Lifetime: outlives its calls.
class WatchMethod {
 public:
  // `method` is its full name, "assetgate.v1.AssetService/WatchAssets"; `kind` is what it watches.
  WatchMethod(const Gatekeeper& gatekeeper, base::Metrics& metrics, const base::Clock& clock,
              base::Log log, absl::string_view method, base::MetricKind kind);

  // How to open the stream that a caller asks for.
  struct Opening {
    // The first of the resources that the request names; for the log line.
    std::string names;
    // Called at most once.
    absl::AnyInvocable<std::shared_ptr<watch::EventStream>(std::shared_ptr<watch::Reader> reader)>
        open;
  };
  // Validates the request. Called at once, if the caller may watch.
  using Ask = absl::FunctionRef<absl::StatusOr<Opening>(const calls::Caller& caller)>;
  // The call's reactor, which owns itself: it writes the stream, or fails with the status of `ask`.
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Answer(grpc::CallbackServerContext& context, Ask ask);

 private:
  class Call;
  class FailedCall;

  // What the log line says of the call's beginning.
  struct Begun {
    std::string identity;
    std::string trace_id;
    // As in Opening.
    std::string names;
    absl::Time at;
    // The gatekeeper refused the caller, and has logged that as often as its limit allows.
    bool refused = false;
  };
  struct Written {
    std::int64_t events = 0;
    // Part of `events`.
    std::int64_t bookmarks = 0;
    // Of messages, before compression and framing.
    std::int64_t bytes = 0;
  };
  // Counts and logs a change that is left out of a stream, because no client could read it.
  void LeftOut(const watch::Event& event) ABSL_LOCKS_EXCLUDED(left_out_mu_);
  // Counts and logs a call that has ended.
  void Ended(const absl::Status& status, const Begun& begun, const Written& written);

  const Gatekeeper& gatekeeper_;
  const base::Clock& clock_;
  const base::Log log_;
  const std::string name_;
  base::RpcMetrics& rpcs_;
  prometheus::Gauge& open_;
  // Null for providers, which are not stored.
  prometheus::Counter* const unreadable_;
  absl::Mutex left_out_mu_;
  // The names that were logged.
  std::set<std::string> left_out_ ABSL_GUARDED_BY(left_out_mu_);
  // By v1::EventType.
  std::array<prometheus::Counter*, 5> events_;
};

// Has `watches` open the stream. Lifetime: `watches` outlives the result.
absl::StatusOr<WatchMethod::Opening> OpeningOf(watch::Watches& watches,
                                               absl::StatusOr<watch::WatchRequest> request);

// `event` serialized as an AssetEvent, VideoTaskEvent or ProviderEvent, by its resource.
std::string SerializeEvent(const watch::Event& event);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_WATCH_STREAM_H_
