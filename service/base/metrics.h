// What the gateway counts and measures: all instruments are declared here and nowhere else.
//
// Layers that measure get a `Metrics&` and keep the references that it returns: looking one up
// takes a lock and a map, using one takes an atomic or two. All names begin with `assetgate_`;
// durations are in seconds. Label values come from closed sets (enums, the config's provider ids,
// the models of its routes, the API's method names), never from callers, so the number of series is
// bounded.
//
// clang-format off
//   | name (assetgate_…)   | labels                       | what                                |
//   |----------------------|------------------------------|-------------------------------------|
//   | build_info           | version, commit, flags       | always 1                            |
//   | config_last_reload_successful |                     | 1: the newest config is in use      |
//   | config_last_reload_success_timestamp_seconds |      | when the config in use was read     |
//   | certificate_expiry_timestamp_seconds |              | when the server's certificate ends  |
//   | issuer_keys_fetch_timestamp_seconds | issuer        | when an issuer's keys were fetched  |
//   | rpcs_total           | method, code                 | RPCs that ended                     |
//   | rpc_seconds          | method                       | duration of unary RPCs              |
//   | upstream_calls_total | provider, operation, outcome | calls to providers that ended       |
//   | upstream_seconds     | provider, operation          | duration of calls to providers      |
//   | submissions_total    | provider, kind, outcome      | outcomes of submissions             |
//   | videos_finished_total | provider, model, outcome    | video tasks that ended              |
//   | video_seconds        | provider, model              | create to end, tasks with a video   |
//   | video_tokens_total   | provider, model              | tokens that attempts were charged   |
//   | video_credits_total  | provider, model              | credits that attempts were charged  |
//   | provider_state       | provider, state              | 1 for the provider's present state  |
//   | budget_wait_seconds  | provider                     | waits of calls for the budget       |
//   | detection_seconds    | provider, kind, basis        | end at the provider to commit here  |
//   | odd_answers_total    | provider, kind, oddity       | answers that are not as documented  |
//   | unreadable_total     | kind                         | stored resources that were left out |
//   | unfinished           | kind, provider               | units that are not final            |
//   | unconfirmed          | provider                     | attempts whose outcome is unknown   |
//   | waiting              | kind, reason                 | units that wait, by reason          |
//   | open_streams         | kind                         | watch streams that are open         |
//   | stream_events_total  | kind, type                   | events written to watch streams     |
//   | watch_lag_seconds    |                              | commit seen until streams notified  |
//   | queue_depth          | queue                        | entries in a bounded queue          |
//   | purged_total         | kind                         | finished resources that were purged |
//   | store_commits_total  | outcome                      | transactions given to the store     |
//   | store_commit_seconds |                              | one group, begin to durable         |
//   | store_commit_changes |                              | changes in one group                |
//   | store_healthy        |                              | 1: it takes writes                  |
//   | leases_held          |                              | shards of work, of 256 in all       |
//   | gateways             |                              | gateways known to share the work    |
// clang-format on
//
// And of the process, under the conventional names: process_cpu_seconds_total,
// process_resident_memory_bytes, process_start_time_seconds, process_threads.
#ifndef ASSETGATE_BASE_METRICS_H_
#define ASSETGATE_BASE_METRICS_H_

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/common.pb.h"
#include "base/build_info.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace assetgate::base {

// The label `kind`: "asset_group", "asset", "video_task"; of watch streams, "provider" too.
enum class MetricKind { kAssetGroup, kAsset, kVideoTask, kProvider };

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

// The label `outcome` of a call: the class of the answer's status, or why no answer arrived.
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

// The outcome for an HTTP status.
CallOutcome OutcomeOfStatus(int http_status);

// The label `outcome` of a submission, as in provider/failure.h.
enum class SubmissionOutcome { kAccepted, kRefused, kNotAccepted, kUnknown };

// The label `state` of a provider, according to its newest calls: "available", "degraded" (some
// calls fail, or it limits the rate), "down" (all fail), "credentials_rejected", "out_of_credit".
enum class ProviderCondition { kAvailable, kDegraded, kDown, kCredentialsRejected, kOutOfCredit };
inline constexpr int kProviderConditions = 5;

// The label `basis`: the start of the time until a final state was noticed. "finish_time" is the
// provider's finish time, and includes the difference of the clocks. If the provider gives none,
// "last_poll" is the last poll that found the unit unfinished: the true value is between zero and
// the measured one.
enum class DetectionBasis { kFinishTime, kLastPoll };

// The label `oddity`: how an answer differs from what the provider documents.
enum class Oddity {
  kUnknownState,   // "unknown_state": a state word in no table; counts as in progress
  kResultMissing,  // "result_missing": done, without a link that can be read
  kResultInline,   // "result_inline": done, with the media in the answer
  kUnreadable,     // "unreadable": the answer cannot be read
  kTooLong,        // "too_long": an id or a link that is too long, or malformed, to be kept
  kLateResult,     // "late_result": the end of an attempt that the gateway had given up
};

// The label `outcome` of a video task: how it ended.
enum class VideoOutcome {
  kSucceeded,        // "succeeded"
  kFailed,           // "failed": the provider accepted it and reported the failure
  kContentRejected,  // "content_rejected": the provider rejected the request's content
  kResultMissing,    // "result_missing": the provider reports success without a link to the result
  kLost,             // "lost": the provider forgot it, or never gave a final state
  kNotAccepted,      // "not_accepted": no provider accepted it
  kCancelled,        // "cancelled"
};
inline constexpr int kVideoOutcomes = 7;

// The label `outcome` of a transaction: committed, lost to a concurrent one, or failed in the
// store.
enum class CommitOutcome { kCommitted, kConflict, kFailed };

// The metrics of one method of the API.
// Threading: thread-safe.
class RpcMetrics {
 public:
  // A unary call ended.
  void Ended(absl::StatusCode code, absl::Duration took);
  // A stream ended. Its duration is not in rpc_seconds, because it says nothing about latency.
  void StreamEnded(absl::StatusCode code);

 private:
  friend class Metrics;
  RpcMetrics(prometheus::Histogram& seconds,
             absl::AnyInvocable<prometheus::Counter&(int) const> add);

  prometheus::Histogram& seconds_;
  // A code's series is created with the first RPC that ends with it.
  const absl::AnyInvocable<prometheus::Counter&(int) const> add_;
  std::array<std::atomic<prometheus::Counter*>, 17> by_code_ = {};
};

// The metrics of one kind of call to one provider.
// Threading: thread-safe.
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

// All instruments of one process (or of one test).
// Threading: thread-safe.
// Lifetime: returned references are valid as long as this object.
class Metrics {
 public:
  explicit Metrics(const BuildInfo& build);
  ~Metrics();

  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // `method` as in "assetgate.v1.AssetService/CreateAsset". Only methods of the API.
  RpcMetrics& Rpc(absl::string_view method);
  // `provider` is the id in the config, here and below.
  UpstreamMetrics& Upstream(absl::string_view provider, UpstreamOperation operation);
  prometheus::Counter& Submissions(absl::string_view provider, MetricKind kind,
                                   SubmissionOutcome outcome);
  void SetProviderState(absl::string_view provider, ProviderCondition condition);
  // For calls that had to wait because the account's requests per second or calls in flight were
  // used up.
  prometheus::Histogram& BudgetWaitSeconds(absl::string_view provider);
  prometheus::Histogram& DetectionSeconds(absl::string_view provider, MetricKind kind,
                                          DetectionBasis basis);
  // `model`: the provider's name of it, as a route of the config has it, or "other".
  prometheus::Counter& VideosFinished(absl::string_view provider, absl::string_view model,
                                      VideoOutcome outcome);
  prometheus::Histogram& VideoSeconds(absl::string_view provider, absl::string_view model);
  prometheus::Counter& VideoTokens(absl::string_view provider, absl::string_view model);
  prometheus::Counter& VideoCredits(absl::string_view provider, absl::string_view model);
  prometheus::Counter& OddAnswers(absl::string_view provider, MetricKind kind, Oddity oddity);

  prometheus::Gauge& Unconfirmed(absl::string_view provider);
  prometheus::Gauge& Unfinished(MetricKind kind, absl::string_view provider);
  prometheus::Gauge& Waiting(MetricKind kind, v1::Waiting::Reason reason);

  prometheus::Gauge& OpenStreams(MetricKind kind);
  prometheus::Counter& StreamEvents(MetricKind kind, v1::EventType type);
  // From when this gateway learns of committed changes (its own: at once; other gateways': through
  // the database) until every stream that they concern has been notified.
  prometheus::Histogram& WatchLagSeconds();

  // `queue` names a queue of the gateway: "store_writer".
  prometheus::Gauge& QueueDepth(absl::string_view queue);

  prometheus::Counter& Purged(MetricKind kind);
  // A stored resource that cannot be parsed was left out of a list or a watch.
  prometheus::Counter& Unreadable(MetricKind kind);

  prometheus::Counter& StoreCommits(CommitOutcome outcome);
  prometheus::Histogram& StoreCommitSeconds();
  prometheus::Histogram& StoreCommitChanges();
  prometheus::Gauge& StoreHealthy();
  prometheus::Gauge& LeasesHeld();
  prometheus::Gauge& Gateways();

  // The server certificate's expiry. The series starts with the first call.
  void SetCertificateExpiry(absl::Time when);
  // When the keys of each issuer were fetched, by issuer; InfinitePast (exported as 0) means never.
  // The series of all other issuers are removed.
  void SetIssuerKeyTimes(const std::map<std::string, absl::Time>& times);
  // The config was read now; `successful`: it is in use. True at start-up.
  void SetConfigReload(bool successful);

  // While it exists, a gauge is computed at each scrape.
  class Computation {
   public:
    virtual ~Computation() = default;
  };
  // Sets `gauge` (one of the above) to the result of `read` before each scrape, until the returned
  // object is destroyed; its destructor waits for a scrape in progress.
  // Threading: `read` runs on the scraping thread under a lock: it must be short and must not use
  // this class.
  // Lifetime: the returned object must not outlive the Metrics.
  [[nodiscard]] std::unique_ptr<Computation> Compute(prometheus::Gauge& gauge,
                                                     absl::AnyInvocable<double()> read);

  // All metrics in Prometheus' text format (version 0.0.4).
  std::string Scrape() const;

 private:
  struct Instruments;
  const std::unique_ptr<Instruments> instruments_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_METRICS_H_
