// What the gateway counts and measures: every instrument is declared here, and nowhere else.
//
// Layers that measure get a `Metrics&` and keep the references that it gives out: looking one up
// takes a lock and a map, using one takes an atomic or two. All names begin with `assetgate_`;
// durations are in seconds. Label values come from closed sets (enums, the config's provider ids,
// our own method names), so that the number of series has a bound: never an id of a caller's.
//
// clang-format off
//   | name (assetgate_…)   | labels                       | what                                |
//   |----------------------|------------------------------|-------------------------------------|
//   | build_info           | version                      | always 1                            |
//   | rpcs_total           | method, code                 | RPCs that ended                     |
//   | rpc_seconds          | method                       | how long they took, streams apart   |
//   | upstream_calls_total | provider, operation, outcome | calls to providers that ended       |
//   | upstream_seconds     | provider, operation          | how long they took                  |
//   | submissions_total    | provider, kind, outcome      | what came of submissions            |
//   | provider_state       | provider                     | 1 available, 0.5 degraded, 0 not    |
//   | unfinished           | kind, provider               | units that are not final            |
//   | waiting              | kind, reason                 | units that do not move, and why     |
//   | open_streams         | kind                         | watch streams that are open         |
//   | stream_events_total  | kind, type                   | events written to watch streams     |
//   | queue_depth          | queue                        | what waits in a bounded queue       |
//   | purged_total         | kind                         | finished resources that were purged |
//   | store_commits_total  | outcome                      | changes given to the store          |
//   | store_commit_seconds |                              | one group, from begin to durable    |
//   | store_commit_changes |                              | changes in one group                |
// clang-format on
#ifndef ASSETGATE_BASE_METRICS_H_
#define ASSETGATE_BASE_METRICS_H_

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace assetgate::base {

// The label `kind`: "asset_group", "asset", "video_task".
enum class MetricKind { kAssetGroup, kAsset, kVideoTask };

// The label `operation`: "submit_asset_group" and so on.
enum class UpstreamOperation {
  kSubmitAssetGroup,
  kSubmitAsset,
  kSubmitVideo,
  kPollAssetGroup,
  kPollAsset,
  kPollVideo,
  kDeleteAsset,
};
inline constexpr int kUpstreamOperations = 7;

// The label `outcome` of a call: the class of the answer's status, or why there is no answer.
enum class CallOutcome {
  k2xx,
  k2xxFailure,  // "2xx_failure": a 2xx whose body says that it failed
  k3xx,
  k429,
  k4xx,  // other than 429
  k5xx,
  kOtherStatus,  // "other_status"
  kResolve,
  kConnect,
  kTls,
  kExpired,
  kTimeout,
  kReset,
  kTooLarge,
  kMalformed,
  kStopped,
};
inline constexpr int kCallOutcomes = 16;

// The outcome of an answer with that HTTP status.
CallOutcome OutcomeOfStatus(int http_status);

// The label `outcome` of a submission, as in provider/failure.h.
enum class SubmissionOutcome { kAccepted, kRefused, kNotAccepted, kUnknown };

// The label `outcome` of a change: committed, lost to a concurrent change, or the store failed.
enum class CommitOutcome { kCommitted, kConflict, kFailed };

// One method of the API. Thread-safe.
class RpcMetrics {
 public:
  // A unary call ended.
  void Ended(absl::StatusCode code, absl::Duration took);
  // A stream ended. How long it was open says nothing, so it is not in rpc_seconds.
  void StreamEnded(absl::StatusCode code);

 private:
  friend class Metrics;
  RpcMetrics(prometheus::Histogram& seconds,
             absl::AnyInvocable<prometheus::Counter&(int) const> add);

  prometheus::Histogram& seconds_;
  // A code's series begins with the first RPC that ends with it.
  const absl::AnyInvocable<prometheus::Counter&(int) const> add_;
  std::array<std::atomic<prometheus::Counter*>, 17> by_code_ = {};
};

// One kind of call to one provider. Thread-safe.
class UpstreamMetrics {
 public:
  void Ended(CallOutcome outcome, absl::Duration took);

 private:
  friend class Metrics;
  UpstreamMetrics(prometheus::Histogram& seconds,
                  absl::AnyInvocable<prometheus::Counter&(int) const> add);

  prometheus::Histogram& seconds_;
  const absl::AnyInvocable<prometheus::Counter&(int) const> add_;
  std::array<std::atomic<prometheus::Counter*>, kCallOutcomes> by_outcome_ = {};
};

// All instruments of one process (or of one test). Thread-safe. References that it gives out live
// as long as it does.
class Metrics {
 public:
  // `version` is that of the program.
  explicit Metrics(absl::string_view version);
  ~Metrics();

  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // `method` as in "assetgate.v1.AssetService/CreateAsset". Only methods that exist.
  RpcMetrics& Rpc(absl::string_view method);
  // `provider` is the id in the config, here and below.
  UpstreamMetrics& Upstream(absl::string_view provider, UpstreamOperation operation);
  prometheus::Counter& Submissions(absl::string_view provider, MetricKind kind,
                                   SubmissionOutcome outcome);
  void SetProviderState(absl::string_view provider, v1::Provider::State state);

  prometheus::Gauge& Unfinished(MetricKind kind, absl::string_view provider);
  prometheus::Gauge& Waiting(MetricKind kind, v1::Waiting::Reason reason);

  prometheus::Gauge& OpenStreams(MetricKind kind);
  prometheus::Counter& StreamEvents(MetricKind kind, v1::EventType type);

  // `queue` names a queue in our own code: "store_writer".
  prometheus::Gauge& QueueDepth(absl::string_view queue);

  prometheus::Counter& Purged(MetricKind kind);

  prometheus::Counter& StoreCommits(CommitOutcome outcome);
  prometheus::Histogram& StoreCommitSeconds();
  prometheus::Histogram& StoreCommitChanges();

  // While it lives, something is computed for each scrape.
  class Computation {
   public:
    virtual ~Computation() = default;
  };
  // Sets `gauge` (one of the above) to what `read` returns, before each scrape and until the
  // returned object is destroyed, which waits for a scrape under way. `read` runs on the scraping
  // thread under a lock: it must be short, and must not use this class. The object must not outlive
  // the Metrics.
  [[nodiscard]] std::unique_ptr<Computation> Compute(prometheus::Gauge& gauge,
                                                     absl::AnyInvocable<double()> read);

  // Everything, in Prometheus' text format (version 0.0.4).
  std::string Scrape() const;

 private:
  struct Instruments;
  const std::unique_ptr<Instruments> instruments_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_METRICS_H_
