#include "reconcile/testing/replicas.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/testing/fake_event_loop.h"
#include "gtest/gtest.h"

namespace assetgate::reconcile {

Replicas::Replicas(int gateways, const Harness::Options& options)
    : catalog_(Harness::MakeCatalog(options)) {
  store::SqliteStore::Options store_options;
  store_options.path = directory_.path() + "/store.db";
  store_options.clock = &store_clock_;
  auto store = store::SqliteStore::Open(std::move(store_options));
  EXPECT_TRUE(store.ok()) << store.status();
  sqlite_ = *std::move(store);
  shared_ = std::make_unique<store::SharedStore>(*sqlite_);
  for (int at = 0; at < gateways; ++at) replicas_.push_back(std::make_unique<Replica>());
  for (int at = 0; at < gateways; ++at) {
    Start(at);
    std::vector<store::Shard> share;
    for (store::Shard shard = at; shard < store::kShards; shard += gateways) share.push_back(shard);
    leases(at).Take(share, now_);
  }
  Run();
}

Replicas::~Replicas() {
  for (int at = 0; at < count(); ++at) Kill(at);
  // Its thread tells the listener until it has stopped.
  sqlite_->Stop();
}

void Replicas::Start(int at) {
  Replica& replica = *replicas_[at];
  replica.store = std::make_unique<store::GatewayStore>(*shared_, at, count());
  replica.faults = std::make_unique<store::FaultyStore>(*replica.store);
  replica.loop = std::make_unique<base::FakeEventLoop>();
  replica.loop->fake_clock().Set(now_);
  replica.http = std::make_unique<http::FakeHttpClient>();
  replica.unfinished_videos = std::make_unique<calls::UnfinishedVideos>(*replica.faults);
  replica.reconciler = std::make_unique<Reconciler>(Reconciler::Parts{
      *replica.loop, *replica.faults, *replica.http, catalog_, replica.telemetry});
  replica.gateway = std::make_unique<Gateway>(catalog_, *replica.faults, *replica.reconciler,
                                              *replica.unfinished_videos, replica.loop->clock());
  replica.changes.emplace(std::vector<store::ChangeListener*>{replica.unfinished_videos.get(),
                                                              replica.reconciler.get()});
  replica.faults->SetListener(&*replica.changes);
  replica.reconciler->Recover([] {});
  replica.paused = false;
}

void Replicas::Kill(int at) {
  Replica& replica = *replicas_[at];
  if (!alive(at)) return;
  replica.store->SetListener(nullptr);
  replica.store->fake_leases().SetListener(nullptr);
  replica.gateway.reset();
  replica.http.reset();
  // What is posted, and what the store has not answered, holds on to the reconciler: it goes first.
  replica.loop = std::make_unique<base::FakeEventLoop>();
  replica.loop->fake_clock().Set(now_);
  replica.unfinished_videos.reset();
  replica.faults.reset();
  replica.reconciler.reset();
  replica.store = std::make_unique<store::GatewayStore>(*shared_, at, count());
}

void Replicas::Run() {
  for (bool moved = true; moved;) {
    moved = false;
    for (int at = 0; at < count(); ++at) {
      if (!running(at)) continue;
      Replica& replica = *replicas_[at];
      replica.loop->RunDue();
      moved |= replica.store->Deliver();
      replica.loop->RunDue();
      if (!script) continue;
      for (std::size_t i = replica.http->pending(); i > 0; --i) {
        http::FakeHttpClient::Call call = replica.http->Take();
        if (auto answer = script(at, call.request)) {
          std::move(call).Answer(*std::move(answer));
          moved = true;
        } else {
          // Still waits.
          replica.http->Send(std::move(call.request), std::move(call.options),
                             std::move(call.done));
        }
      }
    }
  }
}

void Replicas::SetClock(absl::Time now) {
  now_ = now;
  for (int at = 0; at < count(); ++at) {
    replicas_[at]->loop->fake_clock().Set(now);
    if (running(at)) leases(at).Renew(now);
  }
}

void Replicas::Skip(absl::Duration by) { SetClock(now_ + by); }

void Replicas::Advance(absl::Duration by) {
  const absl::Time end = now_ + by;
  const auto next = [this] {
    absl::Time when = absl::InfiniteFuture();
    for (int at = 0; at < count(); ++at) {
      if (running(at)) when = std::min(when, loop(at).NextTimer());
    }
    return when;
  };
  Run();
  while (next() <= end) {
    if (next() > now_) SetClock(next());
    Run();
  }
  SetClock(end);
  Run();
}

void Replicas::Move(const std::vector<store::Shard>& shards, int from, int to) {
  leases(from).Lose(shards);
  leases(to).Take(shards, now_);
}

void Replicas::TakeAll(int to) {
  std::array<bool, store::kShards> held = {};
  for (int at = 0; at < count(); ++at) {
    for (const store::Shard shard : leases(at).held()) held[shard] = true;
  }
  std::vector<store::Shard> free;
  for (store::Shard shard = 0; shard < store::kShards; ++shard) {
    if (!held[shard]) free.push_back(shard);
  }
  leases(to).Take(free, now_);
}

http::FakeHttpClient::Call Replicas::Take(int at) {
  Run();
  EXPECT_GT(http(at).pending(), 0u) << "gateway " << at << " sent nothing";
  return http(at).Take(absl::ZeroDuration());
}

void Replicas::AnswerNext(int at, int status, std::string body) {
  http::FakeHttpClient::Call call = Take(at);
  std::move(call).Answer(http::Response{status, {}, std::move(body)});
  Run();
}

Answer<v1::VideoTask> Replicas::Create(int at, const v1::CreateVideoTaskRequest& request,
                                       const calls::Caller& caller) {
  Answer<v1::VideoTask> answer;
  gateway(at).CreateVideoTask(caller, request, answer.reply());
  Run();
  return answer;
}
Answer<v1::Asset> Replicas::Create(int at, const v1::CreateAssetRequest& request) {
  Answer<v1::Asset> answer;
  gateway(at).CreateAsset(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::VideoTask> Replicas::Cancel(int at, absl::string_view id) {
  Answer<v1::VideoTask> answer;
  v1::CancelVideoTaskRequest request;
  request.set_name(model::MakeName(model::kVideoTasks, id));
  gateway(at).CancelVideoTask(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::VideoTask> Replicas::Resolve(int at, const v1::ResolveVideoTaskRequest& request) {
  Answer<v1::VideoTask> answer;
  gateway(at).ResolveVideoTask(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::DeleteAssetResponse> Replicas::DeleteAsset(int at, absl::string_view id) {
  Answer<v1::DeleteAssetResponse> answer;
  v1::DeleteAssetRequest request;
  request.set_name(model::MakeName(model::kAssets, id));
  gateway(at).DeleteAsset(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::DeleteVideoTaskResponse> Replicas::DeleteVideo(int at, absl::string_view id) {
  Answer<v1::DeleteVideoTaskResponse> answer;
  v1::DeleteVideoTaskRequest request;
  request.set_name(model::MakeName(model::kVideoTasks, id));
  gateway(at).DeleteVideoTask(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}

std::optional<model::VideoEntity> Replicas::StoredVideo(absl::string_view id) {
  return Stored<model::VideoEntity>(*sqlite_, id);
}
std::optional<model::AssetEntity> Replicas::StoredAsset(absl::string_view id) {
  return Stored<model::AssetEntity>(*sqlite_, id);
}

v1::VideoTask Replicas::Task(absl::string_view id) {
  const auto stored = StoredVideo(id);
  EXPECT_TRUE(stored.has_value()) << id;
  return stored.has_value() ? stored->resource : v1::VideoTask();
}
v1::Asset Replicas::AssetNow(absl::string_view id) {
  const auto stored = StoredAsset(id);
  EXPECT_TRUE(stored.has_value()) << id;
  return stored.has_value() ? stored->resource : v1::Asset();
}

std::int64_t Replicas::Counted(int at) {
  std::int64_t sum = 0;
  for (const auto& [unit, units] : reconciler(at).unfinished().by_provider) sum += units;
  return sum;
}

}  // namespace assetgate::reconcile
