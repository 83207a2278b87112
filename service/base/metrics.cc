#include "base/metrics.h"

#include <list>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/process_usage.h"
#include "prometheus/family.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace assetgate::base {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

// Label values. Each switch is complete, so that the compiler rejects a new enumerator without a
// label.

const char* LabelOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kAssetGroup:
      return "asset_group";
    case MetricKind::kAsset:
      return "asset";
    case MetricKind::kVideoTask:
      return "video_task";
    case MetricKind::kProvider:
      return "provider";
  }
  return "unknown";
}

const char* LabelOf(UpstreamOperation operation) {
  switch (operation) {
    case UpstreamOperation::kSubmitAssetGroup:
      return "submit_asset_group";
    case UpstreamOperation::kSubmitAsset:
      return "submit_asset";
    case UpstreamOperation::kSubmitVideo:
      return "submit_video";
    case UpstreamOperation::kPollAssetGroup:
      return "poll_asset_group";
    case UpstreamOperation::kPollAsset:
      return "poll_asset";
    case UpstreamOperation::kPollVideo:
      return "poll_video";
    case UpstreamOperation::kDeleteAsset:
      return "delete_asset";
  }
  return "unknown";
}

const char* LabelOf(CallOutcome outcome) {
  switch (outcome) {
    case CallOutcome::k2xx:
      return "2xx";
    case CallOutcome::k2xxFailure:
      return "2xx_failure";
    case CallOutcome::k3xx:
      return "3xx";
    case CallOutcome::k429:
      return "429";
    case CallOutcome::k4xx:
      return "4xx";
    case CallOutcome::k5xx:
      return "5xx";
    case CallOutcome::kOtherStatus:
      return "other_status";
    case CallOutcome::kResolve:
      return "resolve";
    case CallOutcome::kConnect:
      return "connect";
    case CallOutcome::kTls:
      return "tls";
    case CallOutcome::kExpired:
      return "expired";
    case CallOutcome::kTimeout:
      return "timeout";
    case CallOutcome::kReset:
      return "reset";
    case CallOutcome::kTooLarge:
      return "too_large";
    case CallOutcome::kMalformed:
      return "malformed";
    case CallOutcome::kStopped:
      return "stopped";
  }
  return "unknown";
}

const char* LabelOf(SubmissionOutcome outcome) {
  switch (outcome) {
    case SubmissionOutcome::kAccepted:
      return "accepted";
    case SubmissionOutcome::kRefused:
      return "refused";
    case SubmissionOutcome::kNotAccepted:
      return "not_accepted";
    case SubmissionOutcome::kUnknown:
      return "unknown";
  }
  return "unknown";
}

const char* LabelOf(VideoOutcome outcome) {
  switch (outcome) {
    case VideoOutcome::kSucceeded:
      return "succeeded";
    case VideoOutcome::kFailed:
      return "failed";
    case VideoOutcome::kContentRejected:
      return "content_rejected";
    case VideoOutcome::kResultMissing:
      return "result_missing";
    case VideoOutcome::kLost:
      return "lost";
    case VideoOutcome::kNotAccepted:
      return "not_accepted";
    case VideoOutcome::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

const char* LabelOf(CommitOutcome outcome) {
  switch (outcome) {
    case CommitOutcome::kCommitted:
      return "committed";
    case CommitOutcome::kConflict:
      return "conflict";
    case CommitOutcome::kFailed:
      return "failed";
  }
  return "unknown";
}

const char* LabelOf(ProviderCondition condition) {
  switch (condition) {
    case ProviderCondition::kAvailable:
      return "available";
    case ProviderCondition::kDegraded:
      return "degraded";
    case ProviderCondition::kDown:
      return "down";
    case ProviderCondition::kCredentialsRejected:
      return "credentials_rejected";
    case ProviderCondition::kOutOfCredit:
      return "out_of_credit";
  }
  return "unknown";
}

const char* LabelOf(DetectionBasis basis) {
  switch (basis) {
    case DetectionBasis::kFinishTime:
      return "finish_time";
    case DetectionBasis::kLastPoll:
      return "last_poll";
  }
  return "unknown";
}

const char* LabelOf(Oddity oddity) {
  switch (oddity) {
    case Oddity::kUnknownState:
      return "unknown_state";
    case Oddity::kResultMissing:
      return "result_missing";
    case Oddity::kResultInline:
      return "result_inline";
    case Oddity::kUnreadable:
      return "unreadable";
    case Oddity::kTooLong:
      return "too_long";
    case Oddity::kLateResult:
      return "late_result";
  }
  return "unknown";
}

// gRPC's spelling, as dashboards and gRPC's documentation use it.
std::string LabelOf(absl::StatusCode code) { return absl::StatusCodeToString(code); }

std::string Lower(const std::string& enumerator) { return absl::AsciiStrToLower(enumerator); }

const Histogram::BucketBoundaries& RpcBuckets() {
  // From a read served from memory to the default max_wait of a create.
  static const Histogram::BucketBoundaries buckets = {.0005, .001, .0025, .005, .01, .025, .05, .1,
                                                      .25,   .5,   1,     2.5,  5,   10,   30};
  return buckets;
}

const Histogram::BucketBoundaries& UpstreamBuckets() {
  // From a provider on loopback to the timeouts.
  static const Histogram::BucketBoundaries buckets = {.005, .01, .025, .05, .1, .25, .5,
                                                      1,    2.5, 5,    10,  20, 30,  60};
  return buckets;
}

const Histogram::BucketBoundaries& CommitBuckets() {
  // From a fast disk to one that is failing.
  static const Histogram::BucketBoundaries buckets = {.0001, .00025, .0005, .001, .0025, .005, .01,
                                                      .025,  .05,    .1,    .25,  .5,    1};
  return buckets;
}

const Histogram::BucketBoundaries& WatchLagBuckets() {
  static const Histogram::BucketBoundaries buckets = {.0001, .00025, .0005, .001, .0025, .005, .01,
                                                      .025,  .05,    .1,    .25,  .5,    1,    5};
  return buckets;
}

const Histogram::BucketBoundaries& WaitBuckets() {
  // From one call's turn to the longest poll intervals and beyond.
  static const Histogram::BucketBoundaries buckets = {.01, .05, .1, .25, .5,  1,   2.5, 5,
                                                      10,  20,  30, 60,  120, 300, 900};
  return buckets;
}

const Histogram::BucketBoundaries& VideoBuckets() {
  // From the shortest clips to a day in a provider's queue.
  static const Histogram::BucketBoundaries buckets = {10,  20,   30,   60,   90,   120,   180,  300,
                                                      600, 1200, 1800, 3600, 7200, 21600, 86400};
  return buckets;
}

const Histogram::BucketBoundaries& GroupBuckets() {
  static const Histogram::BucketBoundaries buckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  return buckets;
}

// The counter at `slot`, created on first use. Two threads that race get the same counter, because
// a family has one per set of labels.
Counter& AtFirstUse(std::atomic<Counter*>& slot, int value,
                    const absl::AnyInvocable<Counter&(int) const>& add) {
  Counter* counter = slot.load(std::memory_order_acquire);
  if (counter == nullptr) {
    counter = &add(value);
    slot.store(counter, std::memory_order_release);
  }
  return *counter;
}

template <typename T>
Family<T>& Declare(prometheus::Registry& registry, const char* name, const char* help);

template <>
Family<Counter>& Declare(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
template <>
Family<Gauge>& Declare(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
template <>
Family<Histogram>& Declare(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

CallOutcome OutcomeOfStatus(int http_status) {
  if (http_status == 429) return CallOutcome::k429;
  switch (http_status / 100) {
    case 2:
      return CallOutcome::k2xx;
    case 3:
      return CallOutcome::k3xx;
    case 4:
      return CallOutcome::k4xx;
    case 5:
      return CallOutcome::k5xx;
    default:
      return CallOutcome::kOtherStatus;
  }
}

RpcMetrics::RpcMetrics(Histogram& seconds, absl::AnyInvocable<Counter&(int) const> add)
    : seconds_(seconds), add_(std::move(add)) {}

void RpcMetrics::Ended(absl::StatusCode code, absl::Duration took) {
  StreamEnded(code);
  seconds_.Observe(absl::ToDoubleSeconds(took));
}

void RpcMetrics::StreamEnded(absl::StatusCode code) {
  auto index = static_cast<std::size_t>(code);
  if (index >= by_code_.size()) index = static_cast<std::size_t>(absl::StatusCode::kUnknown);
  AtFirstUse(by_code_[index], static_cast<int>(index), add_).Increment();
}

UpstreamMetrics::UpstreamMetrics(Histogram& seconds, absl::AnyInvocable<Counter&(int) const> add)
    : seconds_(seconds), add_(std::move(add)) {}

void UpstreamMetrics::Ended(CallOutcome outcome, absl::Duration took) {
  const auto index = static_cast<std::size_t>(outcome);
  AtFirstUse(by_outcome_[index], static_cast<int>(index), add_).Increment();
  seconds_.Observe(absl::ToDoubleSeconds(took));
}

struct Metrics::Instruments {
  prometheus::Registry registry;

  Family<Gauge>& build_info = Declare<Gauge>(registry, "assetgate_build_info",
                                             "Always 1; the labels identify the running build.");
  Gauge& config_reload =
      Declare<Gauge>(
          registry, "assetgate_config_last_reload_successful",
          "1: the newest config is in use. 0: it was rejected, and the previous config is in use.")
          .Add({});
  Gauge& config_reload_success_time =
      Declare<Gauge>(registry, "assetgate_config_last_reload_success_timestamp_seconds",
                     "When the config in use was read, in seconds since 1970.")
          .Add({});
  Family<Gauge>& certificate_expiry =
      Declare<Gauge>(registry, "assetgate_certificate_expiry_timestamp_seconds",
                     "When the server's certificate expires, in seconds since 1970.");
  Family<Gauge>& issuer_keys = Declare<Gauge>(
      registry, "assetgate_issuer_keys_fetch_timestamp_seconds",
      "When the keys in use of a JWT issuer were fetched, in seconds since 1970; 0: never.");
  Family<Counter>& rpcs =
      Declare<Counter>(registry, "assetgate_rpcs_total", "RPCs that ended, by gRPC status code.");
  Family<Histogram>& rpc_seconds = Declare<Histogram>(
      registry, "assetgate_rpc_seconds", "Duration of unary RPCs, including the time they wait.");
  Family<Counter>& upstream_calls =
      Declare<Counter>(registry, "assetgate_upstream_calls_total",
                       "HTTP calls to providers that ended, by the class of the answer or the "
                       "reason why there is none.");
  Family<Histogram>& upstream_seconds =
      Declare<Histogram>(registry, "assetgate_upstream_seconds",
                         "Duration of HTTP calls to providers, including failed calls.");
  Family<Counter>& submissions = Declare<Counter>(registry, "assetgate_submissions_total",
                                                  "Submissions of units to providers, by outcome.");
  Family<Counter>& videos_finished =
      Declare<Counter>(registry, "assetgate_videos_finished_total",
                       "Video tasks that ended, by the provider and model of their last attempt "
                       "and by outcome. The gateway that commits the end counts it once.");
  Family<Histogram>& video_seconds =
      Declare<Histogram>(registry, "assetgate_video_seconds",
                         "Time from the creation of a video task until its video was available; "
                         "successful tasks only.");
  Family<Counter>& video_tokens =
      Declare<Counter>(registry, "assetgate_video_tokens_total",
                       "Tokens that providers charged for attempts, as they report them.");
  Family<Counter>& video_credits = Declare<Counter>(
      registry, "assetgate_video_credits_total",
      "Credits that providers charged for attempts, as they report them, in their units.");
  Family<Gauge>& provider_state = Declare<Gauge>(
      registry, "assetgate_provider_state",
      "1 for a provider's present state according to its newest calls; 0 for its other states.");
  Family<Histogram>& budget_wait =
      Declare<Histogram>(registry, "assetgate_budget_wait_seconds",
                         "How long calls to providers waited for the account's request budget; "
                         "only calls that had to wait.");
  Family<Histogram>& detection =
      Declare<Histogram>(registry, "assetgate_detection_seconds",
                         "Time from a unit's end at its provider until it was committed here. By "
                         "basis: since the provider's finish time, or since the poll before the "
                         "end was seen, which is an upper bound.");
  Family<Counter>& odd_answers =
      Declare<Counter>(registry, "assetgate_odd_answers_total",
                       "Providers' answers about units that differ from the provider's "
                       "documentation, by oddity: an unknown state, a missing or inline result, an "
                       "unreadable answer, an id or a link that cannot be kept, a late result.");
  Family<Counter>& unreadable =
      Declare<Counter>(registry, "assetgate_unreadable_total",
                       "How often a stored resource could not be read and was left out of a list "
                       "or a watch. Each is a defect.");
  Family<Gauge>& unconfirmed = Declare<Gauge>(
      registry, "assetgate_unconfirmed",
      "Attempts of which it is unknown whether the provider accepted and bills them.");
  Family<Gauge>& unfinished = Declare<Gauge>(
      registry, "assetgate_unfinished", "Placements and attempts that are not in a final state.");
  Family<Gauge>& waiting =
      Declare<Gauge>(registry, "assetgate_waiting", "Unfinished units that wait, by reason.");
  Family<Gauge>& open_streams =
      Declare<Gauge>(registry, "assetgate_open_streams", "Open watch streams.");
  Family<Counter>& stream_events = Declare<Counter>(registry, "assetgate_stream_events_total",
                                                    "Events written to watch streams.");
  Histogram& watch_lag =
      Declare<Histogram>(registry, "assetgate_watch_lag_seconds",
                         "Time from when this gateway learned of committed changes until every "
                         "watch stream that they concern was notified.")
          .Add({}, WatchLagBuckets());
  Family<Gauge>& queue_depth = Declare<Gauge>(registry, "assetgate_queue_depth",
                                              "Entries in a bounded queue of the gateway.");
  Family<Counter>& purged = Declare<Counter>(
      registry, "assetgate_purged_total",
      "Finished resources that were purged from the store after their retention period.");
  Family<Counter>& store_commits = Declare<Counter>(registry, "assetgate_store_commits_total",
                                                    "Transactions given to the store, by outcome.");
  Histogram& store_commit_seconds =
      Declare<Histogram>(registry, "assetgate_store_commit_seconds",
                         "Duration of one group commit, until durable.")
          .Add({}, CommitBuckets());
  Histogram& store_commit_changes = Declare<Histogram>(registry, "assetgate_store_commit_changes",
                                                       "Changes committed together in one group.")
                                        .Add({}, GroupBuckets());

  Gauge& store_healthy = Declare<Gauge>(registry, "assetgate_store_healthy",
                                        "1: the store accepts writes. 0: it does not; the database "
                                        "is unreachable, or the disk is full.")
                             .Add({});
  Gauge& leases_held =
      Declare<Gauge>(registry, "assetgate_leases_held",
                     "Shards of unfinished work whose lease this gateway holds, of 256 in all.")
          .Add({});
  Gauge& gateways = Declare<Gauge>(registry, "assetgate_gateways",
                                   "Gateways that share the work, as known to this gateway.")
                        .Add({});
  Counter& process_cpu = Declare<Counter>(registry, "process_cpu_seconds_total",
                                          "User and system time of the process, in seconds.")
                             .Add({});
  Gauge& process_memory =
      Declare<Gauge>(registry, "process_resident_memory_bytes", "Resident memory of the process.")
          .Add({});
  Gauge& process_start = Declare<Gauge>(registry, "process_start_time_seconds",
                                        "When the process started, in seconds since 1970.")
                             .Add({});
  Gauge& process_threads =
      Declare<Gauge>(registry, "process_threads", "Threads of the process.").Add({});

  struct Computed {
    Gauge& gauge;
    absl::AnyInvocable<double()> read;
  };
  class ListedComputation final : public Computation {
   public:
    ListedComputation(Instruments& owner, std::list<Computed>::iterator place)
        : owner_(owner), place_(place) {}
    ~ListedComputation() override {
      absl::MutexLock lock(&owner_.mu);
      owner_.computed.erase(place_);
    }

   private:
    Instruments& owner_;
    const std::list<Computed>::iterator place_;
  };

  absl::Mutex mu;
  std::map<std::string, std::unique_ptr<RpcMetrics>> methods ABSL_GUARDED_BY(mu);
  std::map<std::pair<std::string, UpstreamOperation>, std::unique_ptr<UpstreamMetrics>> calls
      ABSL_GUARDED_BY(mu);
  std::list<Computed> computed ABSL_GUARDED_BY(mu);
  std::map<std::string, Gauge*> issuers ABSL_GUARDED_BY(mu);
};

Metrics::Metrics(const BuildInfo& build) : instruments_(std::make_unique<Instruments>()) {
  instruments_->build_info
      .Add({{"version", build.version}, {"commit", build.commit}, {"flags", build.flags}})
      .Set(1);
  instruments_->process_start.Set(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
  SetConfigReload(true);
  // Counters start at zero, so that the first event shows as an increase and not as a new series.
  for (const CommitOutcome outcome :
       {CommitOutcome::kCommitted, CommitOutcome::kConflict, CommitOutcome::kFailed}) {
    StoreCommits(outcome);
  }
  Purged(MetricKind::kVideoTask);
  // For tasks that were never submitted; counters of providers start with these.
  for (const VideoOutcome outcome : {VideoOutcome::kNotAccepted, VideoOutcome::kCancelled}) {
    VideosFinished("none", "none", outcome);
  }
  for (const MetricKind kind :
       {MetricKind::kAssetGroup, MetricKind::kAsset, MetricKind::kVideoTask}) {
    Unreadable(kind);
  }
  for (const MetricKind kind : {MetricKind::kAsset, MetricKind::kVideoTask}) {
    OpenStreams(kind);
    for (const v1::EventType type : {v1::RESET, v1::PUT, v1::DELETE, v1::BOOKMARK}) {
      StreamEvents(kind, type);
    }
  }
}

Metrics::~Metrics() = default;

RpcMetrics& Metrics::Rpc(absl::string_view method) {
  const std::string label(method);
  absl::MutexLock lock(&instruments_->mu);
  std::unique_ptr<RpcMetrics>& rpc = instruments_->methods[label];
  if (rpc == nullptr) {
    rpc.reset(new RpcMetrics(instruments_->rpc_seconds.Add({{"method", label}}, RpcBuckets()),
                             [&family = instruments_->rpcs, label](int code) -> Counter& {
                               return family.Add(
                                   {{"method", label},
                                    {"code", LabelOf(static_cast<absl::StatusCode>(code))}});
                             }));
  }
  return *rpc;
}

UpstreamMetrics& Metrics::Upstream(absl::string_view provider, UpstreamOperation operation) {
  const std::string id(provider);
  absl::MutexLock lock(&instruments_->mu);
  std::unique_ptr<UpstreamMetrics>& calls = instruments_->calls[{id, operation}];
  if (calls == nullptr) {
    calls.reset(new UpstreamMetrics(
        instruments_->upstream_seconds.Add({{"provider", id}, {"operation", LabelOf(operation)}},
                                           UpstreamBuckets()),
        [&family = instruments_->upstream_calls, id, operation](int outcome) -> Counter& {
          return family.Add({{"provider", id},
                             {"operation", LabelOf(operation)},
                             {"outcome", LabelOf(static_cast<CallOutcome>(outcome))}});
        }));
  }
  return *calls;
}

Counter& Metrics::Submissions(absl::string_view provider, MetricKind kind,
                              SubmissionOutcome outcome) {
  return instruments_->submissions.Add({{"provider", std::string(provider)},
                                        {"kind", LabelOf(kind)},
                                        {"outcome", LabelOf(outcome)}});
}

void Metrics::SetProviderState(absl::string_view provider, ProviderCondition condition) {
  for (int i = 0; i < kProviderConditions; ++i) {
    const auto each = static_cast<ProviderCondition>(i);
    instruments_->provider_state
        .Add({{"provider", std::string(provider)}, {"state", LabelOf(each)}})
        .Set(each == condition ? 1 : 0);
  }
}

Histogram& Metrics::BudgetWaitSeconds(absl::string_view provider) {
  return instruments_->budget_wait.Add({{"provider", std::string(provider)}}, WaitBuckets());
}

Histogram& Metrics::DetectionSeconds(absl::string_view provider, MetricKind kind,
                                     DetectionBasis basis) {
  return instruments_->detection.Add(
      {{"provider", std::string(provider)}, {"kind", LabelOf(kind)}, {"basis", LabelOf(basis)}},
      WaitBuckets());
}

Counter& Metrics::VideosFinished(absl::string_view provider, absl::string_view model,
                                 VideoOutcome outcome) {
  return instruments_->videos_finished.Add({{"provider", std::string(provider)},
                                            {"model", std::string(model)},
                                            {"outcome", LabelOf(outcome)}});
}

Histogram& Metrics::VideoSeconds(absl::string_view provider, absl::string_view model) {
  return instruments_->video_seconds.Add(
      {{"provider", std::string(provider)}, {"model", std::string(model)}}, VideoBuckets());
}

Counter& Metrics::VideoTokens(absl::string_view provider, absl::string_view model) {
  return instruments_->video_tokens.Add(
      {{"provider", std::string(provider)}, {"model", std::string(model)}});
}

Counter& Metrics::VideoCredits(absl::string_view provider, absl::string_view model) {
  return instruments_->video_credits.Add(
      {{"provider", std::string(provider)}, {"model", std::string(model)}});
}

Counter& Metrics::OddAnswers(absl::string_view provider, MetricKind kind, Oddity oddity) {
  return instruments_->odd_answers.Add(
      {{"provider", std::string(provider)}, {"kind", LabelOf(kind)}, {"oddity", LabelOf(oddity)}});
}

Counter& Metrics::Unreadable(MetricKind kind) {
  return instruments_->unreadable.Add({{"kind", LabelOf(kind)}});
}

Gauge& Metrics::Unconfirmed(absl::string_view provider) {
  return instruments_->unconfirmed.Add({{"provider", std::string(provider)}});
}

Gauge& Metrics::Unfinished(MetricKind kind, absl::string_view provider) {
  return instruments_->unfinished.Add(
      {{"kind", LabelOf(kind)}, {"provider", std::string(provider)}});
}

Gauge& Metrics::Waiting(MetricKind kind, v1::Waiting::Reason reason) {
  return instruments_->waiting.Add(
      {{"kind", LabelOf(kind)}, {"reason", Lower(v1::Waiting::Reason_Name(reason))}});
}

Gauge& Metrics::OpenStreams(MetricKind kind) {
  return instruments_->open_streams.Add({{"kind", LabelOf(kind)}});
}

Counter& Metrics::StreamEvents(MetricKind kind, v1::EventType type) {
  return instruments_->stream_events.Add(
      {{"kind", LabelOf(kind)}, {"type", Lower(v1::EventType_Name(type))}});
}

Gauge& Metrics::QueueDepth(absl::string_view queue) {
  return instruments_->queue_depth.Add({{"queue", std::string(queue)}});
}

Counter& Metrics::Purged(MetricKind kind) {
  return instruments_->purged.Add({{"kind", LabelOf(kind)}});
}

Counter& Metrics::StoreCommits(CommitOutcome outcome) {
  return instruments_->store_commits.Add({{"outcome", LabelOf(outcome)}});
}

Histogram& Metrics::StoreCommitSeconds() { return instruments_->store_commit_seconds; }

Histogram& Metrics::StoreCommitChanges() { return instruments_->store_commit_changes; }

Histogram& Metrics::WatchLagSeconds() { return instruments_->watch_lag; }

Gauge& Metrics::StoreHealthy() { return instruments_->store_healthy; }

Gauge& Metrics::LeasesHeld() { return instruments_->leases_held; }

Gauge& Metrics::Gateways() { return instruments_->gateways; }

void Metrics::SetCertificateExpiry(absl::Time when) {
  instruments_->certificate_expiry.Add({}).Set(absl::ToDoubleSeconds(when - absl::UnixEpoch()));
}

void Metrics::SetConfigReload(bool successful) {
  instruments_->config_reload.Set(successful ? 1 : 0);
  if (!successful) return;
  instruments_->config_reload_success_time.Set(
      absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
}

void Metrics::SetIssuerKeyTimes(const std::map<std::string, absl::Time>& times) {
  absl::MutexLock lock(&instruments_->mu);
  std::erase_if(instruments_->issuers, [&](const auto& issuer) {
    if (times.contains(issuer.first)) return false;
    instruments_->issuer_keys.Remove(issuer.second);
    return true;
  });
  for (const auto& [issuer, time] : times) {
    Gauge*& gauge = instruments_->issuers[issuer];
    if (gauge == nullptr) gauge = &instruments_->issuer_keys.Add({{"issuer", issuer}});
    gauge->Set(time == absl::InfinitePast() ? 0 : absl::ToDoubleSeconds(time - absl::UnixEpoch()));
  }
}

std::unique_ptr<Metrics::Computation> Metrics::Compute(Gauge& gauge,
                                                       absl::AnyInvocable<double()> read) {
  absl::MutexLock lock(&instruments_->mu);
  instruments_->computed.push_back({gauge, std::move(read)});
  return std::make_unique<Instruments::ListedComputation>(*instruments_,
                                                          std::prev(instruments_->computed.end()));
}

std::string Metrics::Scrape() const {
  {
    absl::MutexLock lock(&instruments_->mu);
    for (Instruments::Computed& computed : instruments_->computed) {
      computed.gauge.Set(computed.read());
    }
    const ProcessUsage usage = ReadProcessUsage();
    instruments_->process_cpu.Increment(usage.cpu_seconds - instruments_->process_cpu.Value());
    instruments_->process_memory.Set(usage.resident_bytes);
    instruments_->process_threads.Set(usage.threads);
  }
  return prometheus::TextSerializer().Serialize(instruments_->registry.Collect());
}

}  // namespace assetgate::base
