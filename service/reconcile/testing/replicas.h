// Several gateways over one store, in one process and on one clock.
#ifndef ASSETGATE_RECONCILE_TESTING_REPLICAS_H_
#define ASSETGATE_RECONCILE_TESTING_REPLICAS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "base/testing/fake_event_loop.h"
#include "reconcile/testing/harness.h"
#include "store/change_fan_out.h"
#include "store/testing/shared_store.h"

namespace assetgate::reconcile {

// The first two of them.
constexpr int kA = 0;
constexpr int kB = 1;
// A submission is called lost so long after its lease, or its start timeout, at the latest.
constexpr absl::Duration kLost = absl::Seconds(15 + 60 + 5);

// Each gateway has its own loop, its own calls and its own leases, and hears of the others' changes
// as a store would tell them. At first the shards are dealt out evenly. Those that live and are not
// paused renew their leases whenever the clock is turned; a lease changes hands only when the test
// says so.
class Replicas {
 public:
  explicit Replicas(int gateways) : Replicas(gateways, Harness::Options()) {}
  Replicas(int gateways, const Harness::Options& options);
  ~Replicas();

  int count() const { return static_cast<int>(replicas_.size()); }
  Gateway& gateway(int at) { return *replicas_[at]->gateway; }
  calls::UnfinishedVideos& unfinished_videos(int at) { return *replicas_[at]->unfinished_videos; }
  Reconciler& reconciler(int at) { return *replicas_[at]->reconciler; }
  http::FakeHttpClient& http(int at) { return *replicas_[at]->http; }
  store::FakeLeases& leases(int at) { return replicas_[at]->store->fake_leases(); }
  store::FaultyStore& faults(int at) { return *replicas_[at]->faults; }
  store::GatewayStore& store(int at) { return *replicas_[at]->store; }
  base::FakeEventLoop& loop(int at) { return *replicas_[at]->loop; }
  RecordedTelemetry& telemetry(int at) { return replicas_[at]->telemetry; }
  store::Store& real() { return *sqlite_; }
  absl::Time Now() const { return now_; }
  bool alive(int at) const { return replicas_[at]->reconciler != nullptr; }
  bool running(int at) const { return alive(at) && !replicas_[at]->paused; }

  // Runs all that is due everywhere, commits and changes included, until nothing is.
  void Run();
  // Turns the clock, stopping at every timer.
  void Advance(absl::Duration by);
  // Turns the clock at once, and runs nothing.
  void Skip(absl::Duration by);
  // Answers calls in place of the test, which leaves the others waiting.
  std::function<std::optional<http::Result>(int at, const http::Request&)> script;

  // As SIGSTOP and SIGCONT: time goes on, and nothing runs.
  void Pause(int at) { replicas_[at]->paused = true; }
  void Wake(int at) { replicas_[at]->paused = false; }
  // As kill -9; its leases are held by nobody afterwards.
  void Kill(int at);
  // A new process in its place, without leases.
  void Start(int at);
  // Leases change hands. Who loses them is told, and hears it when it runs.
  void Move(const std::vector<store::Shard>& shards, int from, int to);
  void MoveAll(int from, int to) { Move(leases(from).held(), from, to); }
  // Those of a gateway that was killed.
  void TakeAll(int to);

  // The oldest call of a gateway that waits; there must be one.
  http::FakeHttpClient::Call Take(int at);
  // Answers the oldest call and runs what follows.
  void AnswerNext(int at, int status, std::string body = "");

  Answer<v1::VideoTask> Create(int at, const v1::CreateVideoTaskRequest& request,
                               const calls::Caller& caller = {});
  Answer<v1::Asset> Create(int at, const v1::CreateAssetRequest& request);
  Answer<v1::VideoTask> Cancel(int at, absl::string_view id);
  Answer<v1::VideoTask> Resolve(int at, const v1::ResolveVideoTaskRequest& request);
  Answer<v1::DeleteAssetResponse> DeleteAsset(int at, absl::string_view id);
  Answer<v1::DeleteVideoTaskResponse> DeleteVideo(int at, absl::string_view id);

  // As committed; empty where there is none.
  std::optional<model::VideoEntity> StoredVideo(absl::string_view id);
  std::optional<model::AssetEntity> StoredAsset(absl::string_view id);
  v1::VideoTask Task(absl::string_view id);
  v1::Asset AssetNow(absl::string_view id);
  // Unfinished units that a gateway counts.
  std::int64_t Counted(int at);

 private:
  struct Replica {
    std::unique_ptr<store::GatewayStore> store;
    std::unique_ptr<store::FaultyStore> faults;
    std::unique_ptr<base::FakeEventLoop> loop;
    std::unique_ptr<http::FakeHttpClient> http;
    RecordedTelemetry telemetry;
    std::unique_ptr<calls::UnfinishedVideos> unfinished_videos;
    std::unique_ptr<Reconciler> reconciler;
    std::optional<store::ChangeFanOut> changes;
    std::unique_ptr<Gateway> gateway;
    bool paused = false;
  };

  void SetClock(absl::Time now);

  store::sqlite::TemporaryDirectory directory_;
  base::FakeClock store_clock_;
  model::CurrentCatalog catalog_;
  std::unique_ptr<store::SqliteStore> sqlite_;
  std::unique_ptr<store::SharedStore> shared_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_TESTING_REPLICAS_H_
