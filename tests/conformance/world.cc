#include "tests/conformance/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "config/config.h"
#include "providers/dialects.h"
#include "rapidjson/document.h"

namespace assetgate::conformance {
namespace {

constexpr int kAccounts = 600;
constexpr int kImpatientAccounts = 30;
constexpr char kKey[] = "sim-key";

std::map<std::string, std::unique_ptr<World>>& Worlds() {
  static auto* const worlds = new std::map<std::string, std::unique_ptr<World>>();
  return *worlds;
}

std::string AccountId(int number) { return absl::StrCat("account-", number); }
std::string ImpatientId(int number) { return absl::StrCat("impatient-", number); }

simulator::Simulator::Options SimulatorOptions() {
  simulator::Simulator::Options options;
  options.server.threads = 64;
  options.api_keys = {kKey};
  options.timing.asset_delay = absl::Milliseconds(5);
  options.timing.queue_delay = absl::Milliseconds(5);
  options.timing.video_delay = absl::Milliseconds(10);
  return options;
}

std::string ConfigText(const std::string& dialect, const std::string& base_url,
                       const std::string& store) {
  std::string text = absl::StrCat(
      "listen: 127.0.0.1:0\n"
      "admin: {listen: 127.0.0.1:0}\n"
      "store: {sqlite: {path: \"",
      store,
      "\"}}\n"
      "tracking: {first_poll: 10ms, min_poll: 10ms, max_poll: 20ms}\n"
      "log: {level: ERROR}\n"
      "providers:\n");
  const auto add = [&](const std::string& id) {
    absl::StrAppend(&text, "  - {id: ", id, ", dialect: ", dialect, ", base_url: \"", base_url,
                    "\", credential: {api_key: {env: KEY}}, limits: {requests_per_second: 10000, "
                    "max_in_flight: 100}}\n");
  };
  for (int i = 0; i < kAccounts; ++i) add(AccountId(i));
  for (int i = 0; i < kImpatientAccounts; ++i) add(ImpatientId(i));
  return text;
}

// The worlds end before the libraries that they use.
class Closing : public ::testing::Environment {
 public:
  void TearDown() override { World::CloseAll(); }
};
[[maybe_unused]] const ::testing::Environment* const closing =
    ::testing::AddGlobalTestEnvironment(new Closing);

// A 0 in the answer's error: it went well.
template <typename T>
Answer<T> MakeAnswer(const grpc::Status& status, T value) {
  Answer<T> answer;
  if (status.ok()) {
    answer.value = std::move(value);
  } else {
    answer.error = ErrorOf(status);
  }
  return answer;
}

// Reads events until one of them is what is waited for.
template <typename Event, typename Resource>
Resource Await(grpc::ClientContext& context, grpc::ClientReader<Event>& stream,
               const Resource& (Event::*resource_of)() const, const std::string& name,
               const std::function<bool(const Resource&)>& done,
               const std::function<bool(const Resource&)>& each) {
  Event event;
  Resource last;
  while (stream.Read(&event)) {
    if (event.type() != v1::PUT) continue;
    last = (event.*resource_of)();
    if (each != nullptr && !each(last)) {
      ADD_FAILURE() << "must not be: " << last.ShortDebugString();
    }
    if (done(last)) {
      context.TryCancel();
      while (stream.Read(&event)) {
      }
      stream.Finish();
      return last;
    }
  }
  const grpc::Status status = stream.Finish();
  ADD_FAILURE() << name << " never came to what was waited for (" << status.error_message()
                << "); last seen: " << last.ShortDebugString();
  return last;
}

}  // namespace

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(World::kDeadline));
}

google::rpc::Status ErrorOf(const grpc::Status& status) {
  google::rpc::Status error;
  if (!error.ParseFromString(status.error_details()) || error.code() == 0) {
    error.set_code(static_cast<int>(status.error_code()));
    error.set_message(status.error_message());
  }
  return error;
}

bool IsSettled(const v1::VideoTask& task) {
  switch (task.state()) {
    case v1::VideoTask::SUCCEEDED:
    case v1::VideoTask::FAILED:
    case v1::VideoTask::CANCELLED:
      return true;
    case v1::VideoTask::UNCONFIRMED:
      return task.waiting().reason() == v1::Waiting::NEEDS_OPERATOR;
    default:
      return false;
  }
}

bool IsSettled(const v1::Asset& asset) {
  return std::all_of(asset.placements().begin(), asset.placements().end(),
                     [](const v1::Placement& placement) {
                       return placement.state() == v1::Placement::ACTIVE ||
                              placement.state() == v1::Placement::FAILED ||
                              placement.state() == v1::Placement::LOST;
                     });
}

const std::vector<std::string>& World::Dialects() {
  static const auto* const names = [] {
    auto* all = new std::vector<std::string>();
    for (const provider::DialectFactory* factory : providers::AllDialects()) {
      all->emplace_back(factory->name);
    }
    return all;
  }();
  return *names;
}

World& World::Of(const std::string& dialect) {
  std::unique_ptr<World>& world = Worlds()[dialect];
  if (world == nullptr) world = std::make_unique<World>(dialect);
  return *world;
}

void World::CloseAll() { Worlds().clear(); }

World::World(const std::string& dialect) : dialect_(dialect), simulator_(SimulatorOptions()) {
  const absl::Status started = simulator_.Start();
  EXPECT_TRUE(started.ok()) << started;
  const std::string store = absl::StrCat(dialect, ".db");
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(absl::StrCat(store, suffix));
  }
  config::Environment environment;
  environment.dialects = providers::AllDialects();
  environment.getenv = [](const std::string&) { return std::optional<std::string>(kKey); };
  absl::StatusOr<config::Config> config = config::Parse(
      ConfigText(dialect, simulator_.BaseUrl(dialect), store), "conformance.yaml", environment);
  if (!config.ok()) {
    ADD_FAILURE() << config.status();
    return;
  }
  // What an operator cannot shorten, so that a test need not wait as long as production does.
  config->core.initial_back_off = absl::Milliseconds(10);
  config->core.max_back_off = absl::Milliseconds(200);
  config->core.not_found_period = absl::Milliseconds(200);
  for (config::Provider& provider : config->providers) {
    provider.timeout =
        absl::StartsWith(provider.id, "impatient-") ? absl::Milliseconds(300) : absl::Seconds(20);
  }
  const base::Log log(config->log_format, config->log_level);
  auto gateway = Server::Start(*std::move(config), log);
  if (!gateway.ok()) {
    ADD_FAILURE() << gateway.status();
    return;
  }
  gateway_ = *std::move(gateway);
  channel_ = grpc::CreateChannel(gateway_->address(), grpc::InsecureChannelCredentials());
  assets_ = v1::AssetService::NewStub(channel_);
  videos_ = v1::VideoService::NewStub(channel_);
  providers_ = v1::ProviderService::NewStub(channel_);
}

World::~World() = default;

Account World::NewAccount(Patience patience) {
  if (patience == Patience::kShort) {
    EXPECT_LT(impatient_accounts_taken_, kImpatientAccounts);
    return Account{ImpatientId(impatient_accounts_taken_++)};
  }
  EXPECT_LT(accounts_taken_, kAccounts);
  return Account{AccountId(accounts_taken_++)};
}

void World::Fail(absl::string_view call, absl::string_view fault, int times) {
  const std::string text = absl::StrCat(R"({"provider":")", dialect_, R"(","call":")", call,
                                        R"(","fault":)", fault, "}");
  rapidjson::Document document;
  document.Parse(text.c_str());
  ASSERT_FALSE(document.HasParseError()) << text;
  auto rule = simulator::ParseFaultRule(document);
  ASSERT_TRUE(rule.ok()) << rule.status();
  if (times > 0) rule->times = times;
  simulator_.faults().Add(*std::move(rule));
}

simulator::Library::Counts World::Made() const {
  return const_cast<simulator::Simulator&>(simulator_).FindProvider(dialect_)->library.counts();
}

std::string World::Model(const Account& account) const {
  static const auto* const models = new std::map<std::string, std::string>{
      {"apiframe", "seedance-2"},
      {"kyy", "seedance_2_0_pro"},
      {"octopusx", "doubao-seedance-2-0-260128"},
      {"zerozero", "seedance-2-0"},
  };
  const auto found = models->find(dialect_);
  EXPECT_NE(found, models->end()) << "name a model of " << dialect_ << " here";
  return absl::StrCat(account.name(), "/models/", found->second);
}

std::string World::UniqueId() { return absl::StrCat("id-", ++ids_taken_); }

Answer<v1::VideoTask> World::CreateVideoTask(v1::CreateVideoTaskRequest request) {
  if (request.request_id().empty()) request.set_request_id(UniqueId());
  grpc::ClientContext context;
  SetDeadline(context);
  v1::VideoTask task;
  const grpc::Status status = videos_->CreateVideoTask(&context, request, &task);
  return MakeAnswer(status, std::move(task));
}

Answer<v1::VideoTask> World::CreateVideoTask(const Account& account, absl::string_view prompt) {
  v1::CreateVideoTaskRequest request;
  request.mutable_video_task()->set_model(Model(account));
  request.mutable_video_task()->set_prompt(std::string(prompt));
  // Long enough for an answer; where there is none to wait for, the watch sees what becomes of it.
  request.mutable_max_wait()->set_nanos(500'000'000);
  return CreateVideoTask(std::move(request));
}

Answer<v1::Asset> World::CreateAsset(v1::CreateAssetRequest request) {
  if (request.request_id().empty()) request.set_request_id(UniqueId());
  grpc::ClientContext context;
  SetDeadline(context);
  v1::Asset asset;
  const grpc::Status status = assets_->CreateAsset(&context, request, &asset);
  return MakeAnswer(status, std::move(asset));
}

Answer<v1::Asset> World::CreateAsset(const Account& account, absl::string_view word) {
  v1::CreateAssetRequest request;
  request.mutable_asset()->set_source_uri(
      absl::StrCat("https://cdn.example.org/", word, "/face.png"));
  request.mutable_asset()->set_media_type(v1::IMAGE);
  request.add_providers(account.name());
  request.mutable_max_wait()->set_nanos(500'000'000);
  return CreateAsset(std::move(request));
}

Answer<v1::AssetGroup> World::CreateAssetGroup(const Account& account, absl::string_view word) {
  v1::CreateAssetGroupRequest request;
  request.mutable_asset_group()->set_display_name(std::string(word));
  request.add_providers(account.name());
  request.set_request_id(UniqueId());
  grpc::ClientContext context;
  SetDeadline(context);
  v1::AssetGroup group;
  const grpc::Status status = assets_->CreateAssetGroup(&context, request, &group);
  return MakeAnswer(status, std::move(group));
}

v1::VideoTask World::AwaitTask(const std::string& name, const TaskPredicate& done,
                               const TaskPredicate& each) {
  v1::WatchVideoTasksRequest request;
  request.add_names(name);
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stream = videos_->WatchVideoTasks(&context, request);
  return Await<v1::VideoTaskEvent, v1::VideoTask>(context, *stream, &v1::VideoTaskEvent::video_task,
                                                  name, done, each);
}

v1::Asset World::AwaitAsset(const std::string& name, const AssetPredicate& done,
                            const AssetPredicate& each) {
  v1::WatchAssetsRequest request;
  request.add_names(name);
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stream = assets_->WatchAssets(&context, request);
  return Await<v1::AssetEvent, v1::Asset>(context, *stream, &v1::AssetEvent::asset, name, done,
                                          each);
}

}  // namespace assetgate::conformance
