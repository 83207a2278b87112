// A gateway without gRPC and without a network, on a clock that tests turn.
#ifndef ASSETGATE_RECONCILE_TESTING_HARNESS_H_
#define ASSETGATE_RECONCILE_TESTING_HARNESS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "base/testing/fake_event_loop.h"
#include "calls/asset_calls.h"
#include "calls/provider_calls.h"
#include "calls/router.h"
#include "calls/unfinished_videos.h"
#include "calls/video_calls.h"
#include "gtest/gtest.h"
#include "http/testing/fake_client.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "model/settings.h"
#include "model/video_end.h"
#include "provider/testing/fake_dialect.h"
#include "reconcile/reconciler.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/faulty_store.h"
#include "store/testing/shared_store.h"
#include "store/testing/temporary_directory.h"
#include "upstream/telemetry.h"

namespace assetgate::reconcile {

// What a call was answered; empty until then.
template <typename T>
class Answer {
 public:
  bool has() const { return state_->has_value(); }
  const absl::StatusOr<T>& get() const { return **state_; }
  absl::Status status() const { return has() ? (*state_)->status() : absl::UnknownError("none"); }
  const T& operator*() const { return ***state_; }
  const T* operator->() const { return &***state_; }

  Reply<T> reply() {
    return [state = state_](absl::StatusOr<T> answer) { *state = std::move(answer); };
  }

 private:
  std::shared_ptr<std::optional<absl::StatusOr<T>>> state_ =
      std::make_shared<std::optional<absl::StatusOr<T>>>();
};

// Keeps what it is told.
class RecordedTelemetry final : public upstream::Telemetry {
 public:
  void OnUpstreamCall(const upstream::UpstreamCall& call) override {
    calls.push_back(call.operation);
  }
  void OnStateChange(absl::string_view, const base::LogContext&, absl::string_view,
                     absl::string_view, absl::string_view) override {}
  void OnProviderState(absl::string_view provider, base::ProviderCondition condition,
                       absl::string_view) override {
    provider_states.emplace_back(std::string(provider), condition);
  }
  void OnBudgetWait(absl::string_view, absl::Duration waited) override {
    budget_waits.push_back(waited);
  }
  void OnDetected(absl::string_view, base::MetricKind, base::DetectionBasis basis,
                  absl::Duration lag) override {
    detections.emplace_back(basis, lag);
  }
  void OnVideoEnd(const model::VideoEnd& end) override { video_ends.push_back(end); }
  void OnVideoUsage(const model::VideoUsage& usage) override { video_usages.push_back(usage); }
  void OnVideoModels(absl::string_view provider, const std::set<std::string>& models) override {
    video_models[std::string(provider)] = models;
  }
  void OnOddAnswer(absl::string_view provider, base::MetricKind, base::Oddity oddity,
                   absl::string_view, absl::string_view word) override {
    oddities.push_back({std::string(provider), oddity, std::string(word)});
  }
  void OnUnreadable(base::MetricKind, absl::string_view resource) override {
    unreadable.emplace_back(resource);
  }
  void OnPurged(int video_tasks) override { purged.push_back(video_tasks); }
  void OnPurgeEnd(int video_tasks) override { purge_ends.push_back(video_tasks); }
  void OnWarning(absl::string_view, absl::string_view message) override {
    warnings.emplace_back(message);
  }

  std::vector<base::UpstreamOperation> calls;
  std::vector<std::pair<std::string, base::ProviderCondition>> provider_states;
  std::vector<absl::Duration> budget_waits;
  std::vector<std::pair<base::DetectionBasis, absl::Duration>> detections;
  std::vector<model::VideoEnd> video_ends;
  std::vector<model::VideoUsage> video_usages;
  std::map<std::string, std::set<std::string>> video_models;
  struct OddAnswer {
    std::string provider;
    base::Oddity oddity;
    std::string word;

    friend bool operator==(const OddAnswer&, const OddAnswer&) = default;
  };
  std::vector<OddAnswer> oddities;
  std::vector<std::string> unreadable;
  std::vector<std::string> warnings;
  std::vector<int> purged;
  std::vector<int> purge_ends;
};

// A resource as a store has it.
template <typename EntityT>
std::optional<EntityT> Stored(store::Store& store, absl::string_view id) {
  auto row = store.Get({model::kDefaultTenant, EntityT::kKind, std::string(id)});
  EXPECT_TRUE(row.ok()) << row.status();
  if (!row.ok() || !row->has_value()) return std::nullopt;
  EntityT entity;
  model::FromRow(**row, entity);
  return entity;
}

// All calls of one gateway.
class Gateway final : public calls::AssetCalls,
                      public calls::VideoCalls,
                      public calls::ProviderCalls {
 public:
  Gateway(const model::CurrentCatalog& catalog, store::Store& store, Reconciler& reconciler,
          calls::UnfinishedVideos& unfinished_videos, const base::Clock& clock,
          calls::Router router = calls::Router())
      : AssetCalls(catalog, store, reconciler, clock),
        VideoCalls(catalog, store, reconciler, unfinished_videos, clock, std::move(router)),
        ProviderCalls(catalog, store, reconciler) {}
};

// Two providers, "alpha" and "beta" (their hosts likewise), and the route "film" that goes to alpha
// first. The store is a real one, in a directory of its own.
//
// Where the environment says ASSETGATE_BYSTANDER, a second gateway without a share of the work is
// beside it on the same store, and takes the calls that cancel, resolve and delete: they have to
// come to the same.
class Harness {
 public:
  struct Options {
    provider::FakeDialectOptions alpha;
    provider::FakeDialectOptions beta;
    model::Settings settings;
    model::ProviderLimits limits = {1000, 64};
    std::vector<std::string> asset_providers;
    v1::VideoTask defaults;
    // Of alpha's account; the previous one is configured too where it is set.
    std::string alpha_credential = "alpha-key";
    // Whose secrets they are.
    std::string alpha_account = "alpha";
    std::string alpha_url = "https://alpha.example";
    std::string alpha_previous_credential;
    std::string alpha_previous_account = "old-alpha";
    v1::Provider::Mode alpha_mode = v1::Provider::SERVE;
    model::SlotLimits alpha_slots;
    provider::CallTimeouts alpha_timeouts;
    http::Egress alpha_egress;
    // Alpha's, for videos; the dialect's own where it is not set.
    std::optional<provider::Polling> alpha_video_polling;
    // Whether alpha is in the config at all.
    bool has_alpha = true;
    // The targets of "film", by provider; none: all providers, in order.
    std::vector<std::string> film_targets;
    // The targets of "film" have one priority, rather than one each.
    bool one_priority = false;
    // Draws the order of targets.
    calls::Router::Random random = calls::Router::DrawUniform;
    // Of one List of the store.
    std::size_t max_look_ups = store::SqliteStore::Options().max_look_ups;
  };

  Harness() : Harness(Options()) {}
  explicit Harness(Options options);
  ~Harness();

  Gateway& gateway() { return *gateway_; }
  Reconciler& reconciler() { return *reconciler_; }
  store::FaultyStore& store() { return *store_; }
  // What is behind it. A commit here is not one of the gateway's.
  store::Store& real() { return *sqlite_; }
  http::FakeHttpClient& http() { return *http_; }
  base::FakeEventLoop& loop() { return *loop_; }
  RecordedTelemetry& telemetry() { return telemetry_; }
  model::CatalogPtr catalog() const { return catalog_->Get(); }
  absl::Time Now() const { return loop_->Now(); }

  // Runs all that is due, commits included, until nothing is. Calls that `script` knows an answer
  // to are answered on the way.
  void Run();
  // Turns the clock, stopping at every timer.
  void Advance(absl::Duration by);
  // See store::FaultyStore.
  void CommitWaiting();
  // Answers calls in place of the test, which leaves the others waiting.
  std::function<std::optional<http::Result>(const http::Request&, const http::SendOptions&)> script;
  // The calls that `script` answered, as "POST alpha /videos".
  std::vector<std::string> answered;

  // The oldest call that waits; there must be one.
  http::FakeHttpClient::Call Take();
  // Answers the oldest call and runs what follows.
  void AnswerNext(int status, std::string body = "", std::vector<http::Header> headers = {});
  void FailNext(http::TransportError::Kind kind, bool maybe_sent);

  // As kill -9 and a new start: what is in memory is gone, what was committed is there. `recover`:
  // the new process has taken up its work.
  void Restart(bool recover = true);
  // Likewise, with another config (its settings stay).
  void Restart(const Options& options);

  // What a config that is read again does: the gateways go on with this one (all of it).
  void Reconfigure(const Options& options);

  // What such a gateway is configured with.
  static model::CatalogPtr MakeCatalog(const Options& options);

  // Requests that are in order.
  static v1::CreateVideoTaskRequest Video(absl::string_view id = "");
  // It was accepted, as that; it was not.
  static v1::ResolveVideoTaskRequest Accepted(absl::string_view id, absl::string_view task_id);
  static v1::ResolveVideoTaskRequest NotAccepted(absl::string_view id, bool resubmit);
  static v1::CreateAssetRequest Asset(absl::string_view id, std::vector<std::string> providers);

  Answer<v1::VideoTask> Create(const v1::CreateVideoTaskRequest& request);
  Answer<v1::Asset> Create(const v1::CreateAssetRequest& request);
  Answer<v1::AssetGroup> Create(const v1::CreateAssetGroupRequest& request);
  Answer<v1::BatchCreateAssetsResponse> Create(const v1::BatchCreateAssetsRequest& request);
  Answer<v1::VideoTask> Cancel(absl::string_view id);
  Answer<v1::VideoTask> Resolve(const v1::ResolveVideoTaskRequest& request,
                                const calls::Caller& caller = calls::Caller());
  Answer<v1::VideoTask> Import(const v1::ImportVideoTaskRequest& request,
                               const calls::Caller& caller = calls::Caller());
  Answer<v1::DeleteAssetResponse> DeleteAsset(absl::string_view id);
  Answer<v1::DeleteVideoTaskResponse> DeleteVideo(absl::string_view id);
  Answer<v1::DeleteAssetGroupResponse> DeleteGroup(absl::string_view id);

  // As committed; empty where there is none.
  std::optional<model::VideoEntity> StoredVideo(absl::string_view id);
  std::optional<model::AssetEntity> StoredAsset(absl::string_view id);
  v1::VideoTask Task(absl::string_view id);
  v1::Asset AssetNow(absl::string_view id);
  v1::Provider Provider(absl::string_view id);

 private:
  void Start();
  void Recover();
  void Stop();

  // A gateway that holds nothing.
  struct Bystander {
    Bystander(store::SharedStore& shared, Harness& harness);
    ~Bystander();

    store::GatewayStore store;
    store::FaultyStore faults;
    model::CurrentCatalog catalog;
    base::FakeEventLoop loop;
    http::FakeHttpClient http;
    RecordedTelemetry telemetry;
    calls::UnfinishedVideos unfinished_videos{faults};
    std::unique_ptr<Reconciler> reconciler;
    std::unique_ptr<Gateway> gateway;
  };
  // The gateway that gets commands.
  Gateway& commanded() { return bystander_ != nullptr ? *bystander_->gateway : *gateway_; }
  // Has the store's answers come; whether there were any.
  bool Deliver();

  const model::Settings settings_;
  const calls::Router::Random random_;
  store::sqlite::TemporaryDirectory directory_;
  base::FakeClock store_clock_;
  RecordedTelemetry telemetry_;
  std::unique_ptr<model::CurrentCatalog> catalog_;
  std::unique_ptr<store::SqliteStore> sqlite_;
  // With a bystander only.
  std::unique_ptr<store::SharedStore> shared_;
  std::unique_ptr<store::GatewayStore> own_store_;
  std::unique_ptr<store::FaultyStore> store_;
  std::unique_ptr<base::FakeEventLoop> loop_;
  std::unique_ptr<http::FakeHttpClient> http_;
  // Follows nobody: callers without limits.
  std::unique_ptr<calls::UnfinishedVideos> unfinished_videos_;
  std::unique_ptr<Reconciler> reconciler_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Bystander> bystander_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_TESTING_HARNESS_H_
