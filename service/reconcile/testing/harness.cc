#include "reconcile/testing/harness.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/testing/fake_event_loop.h"
#include "gtest/gtest.h"

namespace assetgate::reconcile {
namespace {

provider::Credential MakeCredential(const std::string& id, absl::string_view whose) {
  provider::Credential credential;
  credential.id = id;
  credential.secrets.emplace("api_key", base::Secret(absl::StrCat("secret-of-", whose)));
  // With characters that JSON and URLs may spell in another way.
  credential.secrets.emplace("signing_key", base::Secret(absl::StrCat("signing/key+of-", whose)));
  return credential;
}

std::unique_ptr<model::ProviderEntry> MakeProvider(const std::string& id,
                                                   const provider::FakeDialectOptions& options,
                                                   model::ProviderLimits limits) {
  auto entry = std::make_unique<model::ProviderEntry>();
  entry->id = id;
  auto dialect = std::make_unique<provider::FakeDialect>(options);
  entry->group_polling = dialect->traits().group_polling;
  entry->asset_polling = dialect->traits().asset_polling;
  entry->video_polling = dialect->traits().video_polling;
  entry->dialect = std::move(dialect);
  entry->base_url = absl::StrCat("https://", id, ".example");
  entry->credential = MakeCredential(absl::StrCat(id, "-key"), id);
  entry->limits = limits;
  return entry;
}

}  // namespace

Harness::Harness(Options options)
    : settings_(options.settings),
      random_(options.random),
      catalog_(std::make_unique<model::CurrentCatalog>(MakeCatalog(options))) {
  store::SqliteStore::Options store_options;
  store_options.path = directory_.path() + "/store.db";
  store_options.clock = &store_clock_;
  store_options.max_look_ups = options.max_look_ups;
  auto store = store::SqliteStore::Open(std::move(store_options));
  EXPECT_TRUE(store.ok()) << store.status();
  sqlite_ = *std::move(store);
  if (std::getenv("ASSETGATE_BYSTANDER") != nullptr) {
    shared_ = std::make_unique<store::SharedStore>(*sqlite_);
    own_store_ =
        std::make_unique<store::GatewayStore>(*shared_, 0, /*gateways=*/1, /*exclusive=*/true);
    std::vector<store::Shard> all(store::kShards);
    std::iota(all.begin(), all.end(), 0);
    own_store_->fake_leases().Take(all, absl::InfiniteFuture());
    store_ = std::make_unique<store::FaultyStore>(*own_store_);
  } else {
    store_ = std::make_unique<store::FaultyStore>(*sqlite_);
  }
  Start();
  Recover();
}

Harness::Bystander::Bystander(store::SharedStore& shared, Harness& harness)
    : store(shared, 1, /*gateways=*/1), faults(store), catalog(harness.catalog()) {
  loop.fake_clock().Set(harness.Now());
  faults.judge = [&](const store::Transaction& transaction) {
    faults.unknown_commits = harness.store().unknown_commits;
    faults.unknown_waits = harness.store().unknown_waits;
    faults.provisional = harness.store().provisional;
    return harness.store().judge ? harness.store().judge(transaction)
                                 : store::FaultyStore::Outcome::kCommitted;
  };
  reconciler =
      std::make_unique<Reconciler>(Reconciler::Parts{loop, faults, http, catalog, telemetry});
  gateway =
      std::make_unique<Gateway>(catalog, faults, *reconciler, unfinished_videos, loop.clock());
  faults.SetListener(reconciler.get());
  reconciler->Recover([] {});
}

Harness::Bystander::~Bystander() {
  EXPECT_EQ(http.sent(), 0u) << "who follows nothing sends nothing";
}

bool Harness::Deliver() {
  if (own_store_ == nullptr) {
    const std::int64_t commits = store_->commits();
    store_->AwaitAnswers();
    loop_->RunDue();
    return store_->commits() != commits;
  }
  bool moved = own_store_->Deliver();
  loop_->RunDue();
  if (bystander_ != nullptr) {
    bystander_->loop.fake_clock().Set(Now());
    bystander_->loop.RunDue();
    moved |= bystander_->store.Deliver();
    bystander_->loop.RunDue();
  }
  return own_store_->Deliver() || moved;
}

model::CatalogPtr Harness::MakeCatalog(const Options& options) {
  std::vector<std::unique_ptr<const model::ProviderEntry>> providers;
  if (options.has_alpha) {
    auto alpha = MakeProvider("alpha", options.alpha, options.limits);
    alpha->mode = options.alpha_mode;
    alpha->credential = MakeCredential(options.alpha_credential, options.alpha_account);
    alpha->base_url = options.alpha_url;
    alpha->slots = options.alpha_slots;
    alpha->timeouts = options.alpha_timeouts;
    alpha->egress = options.alpha_egress;
    if (options.alpha_video_polling) alpha->video_polling = *options.alpha_video_polling;
    if (!options.alpha_previous_credential.empty()) {
      alpha->previous_credential =
          MakeCredential(options.alpha_previous_credential, options.alpha_previous_account);
    }
    providers.push_back(std::move(alpha));
  }
  providers.push_back(MakeProvider("beta", options.beta, options.limits));
  model::ModelEntry film;
  film.id = "film";
  film.defaults = options.defaults;
  int priority = 0;
  const std::vector<std::string>& wanted = options.film_targets;
  for (const auto& provider : providers) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), provider->id) == wanted.end()) {
      continue;
    }
    film.targets.push_back(
        {provider.get(), "video-1", priority, 1, provider->dialect->FindModel("video-1")});
    if (!options.one_priority) ++priority;
  }
  return std::make_shared<const model::Catalog>(std::move(providers),
                                                std::vector<model::ModelEntry>{film},
                                                options.asset_providers, options.settings);
}

Harness::~Harness() {
  Stop();
  // Its thread tells the listener until it has stopped.
  if (shared_ != nullptr) sqlite_->Stop();
}

void Harness::Start() {
  const absl::Time now = loop_ == nullptr ? absl::FromUnixSeconds(1'800'000'000) : loop_->Now();
  loop_ = std::make_unique<base::FakeEventLoop>();
  loop_->fake_clock().Set(now);
  http_ = std::make_unique<http::FakeHttpClient>();
  unfinished_videos_ = std::make_unique<calls::UnfinishedVideos>(*store_);
  reconciler_ = std::make_unique<Reconciler>(
      Reconciler::Parts{*loop_, *store_, *http_, *catalog_, telemetry_});
  gateway_ = std::make_unique<Gateway>(*catalog_, *store_, *reconciler_, *unfinished_videos_,
                                       loop_->clock(), calls::Router(random_));
  if (own_store_ != nullptr) store_->SetListener(reconciler_.get());
}

void Harness::Stop() {
  bystander_.reset();
  gateway_.reset();
  http_.reset();
  if (own_store_ == nullptr) {
    store_->AwaitAnswers();
  } else {
    // What is committed is answered to nobody any more.
    store_->SetListener(nullptr);
    own_store_->fake_leases().SetListener(nullptr);
    own_store_->Forget();
  }
  // What is posted holds on to the reconciler: it goes first, unrun.
  auto stopped = std::make_unique<base::FakeEventLoop>();
  stopped->fake_clock().Set(loop_->Now());
  loop_ = std::move(stopped);
  reconciler_.reset();
}

void Harness::Restart(bool recover) {
  Stop();
  Start();
  if (recover) Recover();
}

void Harness::Recover() {
  bool recovered = false;
  reconciler_->Recover([&] { recovered = true; });
  Run();
  EXPECT_TRUE(recovered);
  if (shared_ != nullptr) bystander_ = std::make_unique<Bystander>(*shared_, *this);
}

void Harness::Restart(const Options& options) {
  Stop();
  Options same_settings = options;
  same_settings.settings = settings_;
  catalog_ = std::make_unique<model::CurrentCatalog>(MakeCatalog(same_settings));
  Start();
  Recover();
}

void Harness::Reconfigure(const Options& options) {
  bool done = false;
  reconciler_->Reconfigure(MakeCatalog(options), [&] { done = true; });
  if (bystander_ != nullptr) bystander_->reconciler->Reconfigure(MakeCatalog(options), [] {});
  Run();
  EXPECT_TRUE(done);
}

void Harness::Run() {
  for (;;) {
    bool moved = Deliver();
    if (script) {
      for (std::size_t i = http_->pending(); i > 0; --i) {
        http::FakeHttpClient::Call call = http_->Take();
        if (auto answer = script(call.request, call.options)) {
          const absl::string_view host =
              absl::string_view(call.options.base_url).substr(8);  // behind https://
          answered.push_back(absl::StrCat(call.request.method, " ", host.substr(0, host.find('.')),
                                          " ", call.request.path));
          std::move(call).Answer(*std::move(answer));
          moved = true;
        } else {
          // Still waits.
          http_->Send(std::move(call.request), std::move(call.options), std::move(call.done));
        }
      }
    }
    if (!moved) return;
  }
}

void Harness::Advance(absl::Duration by) {
  const absl::Time end = Now() + by;
  Run();
  while (loop_->NextTimer() <= end) {
    if (loop_->NextTimer() > Now()) loop_->fake_clock().Set(loop_->NextTimer());
    Run();
  }
  loop_->fake_clock().Set(end);
  Run();
}

void Harness::CommitWaiting() {
  store_->CommitWaiting();
  if (bystander_ != nullptr) bystander_->faults.CommitWaiting();
  Run();
}

http::FakeHttpClient::Call Harness::Take() {
  Run();
  EXPECT_GT(http_->pending(), 0u) << "nothing was sent";
  return http_->Take(absl::ZeroDuration());
}

void Harness::AnswerNext(int status, std::string body, std::vector<http::Header> headers) {
  http::FakeHttpClient::Call call = Take();
  std::move(call).Answer(http::Response{status, std::move(headers), std::move(body)});
  Run();
}

void Harness::FailNext(http::TransportError::Kind kind, bool maybe_sent) {
  http::FakeHttpClient::Call call = Take();
  std::move(call).Answer(http::TransportError{kind, maybe_sent, "the test says so"});
  Run();
}

v1::CreateVideoTaskRequest Harness::Video(absl::string_view id) {
  v1::CreateVideoTaskRequest request;
  request.set_video_task_id(std::string(id));
  request.mutable_video_task()->set_model("film");
  request.mutable_video_task()->set_prompt("a fox");
  return request;
}

v1::ResolveVideoTaskRequest Harness::Accepted(absl::string_view id, absl::string_view task_id) {
  v1::ResolveVideoTaskRequest request;
  request.set_name(model::MakeName(model::kVideoTasks, id));
  request.set_provider_task_id(std::string(task_id));
  return request;
}

v1::ResolveVideoTaskRequest Harness::NotAccepted(absl::string_view id, bool resubmit) {
  v1::ResolveVideoTaskRequest request;
  request.set_name(model::MakeName(model::kVideoTasks, id));
  request.set_not_accepted(true);
  request.set_resubmit(resubmit);
  return request;
}

v1::CreateAssetRequest Harness::Asset(absl::string_view id, std::vector<std::string> providers) {
  v1::CreateAssetRequest request;
  request.set_asset_id(std::string(id));
  request.mutable_asset()->set_source_uri(absl::StrCat("https://example.com/", id, ".png"));
  request.mutable_asset()->set_media_type(v1::IMAGE);
  for (const std::string& provider : providers) {
    request.add_providers(absl::StrCat("providers/", provider));
  }
  return request;
}

Answer<v1::VideoTask> Harness::Create(const v1::CreateVideoTaskRequest& request) {
  Answer<v1::VideoTask> answer;
  gateway_->CreateVideoTask(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::Asset> Harness::Create(const v1::CreateAssetRequest& request) {
  Answer<v1::Asset> answer;
  gateway_->CreateAsset(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::AssetGroup> Harness::Create(const v1::CreateAssetGroupRequest& request) {
  Answer<v1::AssetGroup> answer;
  gateway_->CreateAssetGroup(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::BatchCreateAssetsResponse> Harness::Create(const v1::BatchCreateAssetsRequest& request) {
  Answer<v1::BatchCreateAssetsResponse> answer;
  gateway_->BatchCreateAssets(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::VideoTask> Harness::Cancel(absl::string_view id) {
  Answer<v1::VideoTask> answer;
  v1::CancelVideoTaskRequest request;
  request.set_name(model::MakeName(model::kVideoTasks, id));
  commanded().CancelVideoTask(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::VideoTask> Harness::Resolve(const v1::ResolveVideoTaskRequest& request,
                                       const calls::Caller& caller) {
  Answer<v1::VideoTask> answer;
  commanded().ResolveVideoTask(caller, request, answer.reply());
  Run();
  return answer;
}
Answer<v1::VideoTask> Harness::Import(const v1::ImportVideoTaskRequest& request,
                                      const calls::Caller& caller) {
  Answer<v1::VideoTask> answer;
  gateway_->ImportVideoTask(caller, request, answer.reply());
  Run();
  return answer;
}
Answer<v1::DeleteAssetResponse> Harness::DeleteAsset(absl::string_view id) {
  Answer<v1::DeleteAssetResponse> answer;
  v1::DeleteAssetRequest request;
  request.set_name(model::MakeName(model::kAssets, id));
  commanded().DeleteAsset(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::DeleteVideoTaskResponse> Harness::DeleteVideo(absl::string_view id) {
  Answer<v1::DeleteVideoTaskResponse> answer;
  v1::DeleteVideoTaskRequest request;
  request.set_name(model::MakeName(model::kVideoTasks, id));
  commanded().DeleteVideoTask(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}
Answer<v1::DeleteAssetGroupResponse> Harness::DeleteGroup(absl::string_view id) {
  Answer<v1::DeleteAssetGroupResponse> answer;
  v1::DeleteAssetGroupRequest request;
  request.set_name(model::MakeName(model::kAssetGroups, id));
  commanded().DeleteAssetGroup(calls::Caller(), request, answer.reply());
  Run();
  return answer;
}

std::optional<model::VideoEntity> Harness::StoredVideo(absl::string_view id) {
  return Stored<model::VideoEntity>(*sqlite_, id);
}
std::optional<model::AssetEntity> Harness::StoredAsset(absl::string_view id) {
  return Stored<model::AssetEntity>(*sqlite_, id);
}

v1::VideoTask Harness::Task(absl::string_view id) {
  const auto stored = StoredVideo(id);
  EXPECT_TRUE(stored.has_value()) << id;
  return stored.has_value() ? stored->resource : v1::VideoTask();
}
v1::Asset Harness::AssetNow(absl::string_view id) {
  const auto stored = StoredAsset(id);
  EXPECT_TRUE(stored.has_value()) << id;
  return stored.has_value() ? stored->resource : v1::Asset();
}

v1::Provider Harness::Provider(absl::string_view id) {
  Answer<v1::Provider> answer;
  v1::GetProviderRequest request;
  request.set_name(model::MakeName(model::kProviders, id));
  gateway_->GetProvider(calls::Caller(), request, answer.reply());
  Run();
  EXPECT_TRUE(answer.has() && answer.get().ok()) << answer.status();
  return *answer;
}

}  // namespace assetgate::reconcile
