#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using LoadTest = ConfigTest;

TEST_F(LoadTest, MissingKeysHaveTheirDocumentedDefaults) {
  const Config config = Good(kSmallest);
  EXPECT_EQ(config.listen.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(config.admin_listen.ToString(), "127.0.0.1:8081");
  EXPECT_EQ(config.store.sqlite_path, "assetgate.db");
  EXPECT_EQ(config.store.retention.changes, absl::Hours(24));
  EXPECT_EQ(config.store.retention.max_changes, 1'000'000);
  EXPECT_EQ(config.purge_video_tasks_after, absl::InfiniteDuration());
  EXPECT_EQ(config.settings.submit_timeout, absl::Minutes(15));
  EXPECT_EQ(config.settings.asset_tracking_period, absl::Hours(1));
  EXPECT_EQ(config.settings.video_tracking_period, absl::Hours(6));
  EXPECT_EQ(config.settings.tracking_horizon, absl::Hours(168));
  EXPECT_EQ(config.log_format, base::LogFormat::kJson);
  EXPECT_EQ(config.log_level, base::LogLevel::kInfo);
  EXPECT_EQ(config.max_message_bytes, 4'194'304);
  EXPECT_EQ(config.max_response_bytes, 8'388'608);
  EXPECT_EQ(config.max_concurrent_calls, 10'000);
  EXPECT_EQ(config.max_concurrent_calls_per_caller, 5'000);
  EXPECT_EQ(config.memory, 1'073'741'824);
  EXPECT_EQ(config.bookmark_interval, absl::Seconds(25));
  EXPECT_EQ(config.shutdown_timeout, absl::Seconds(20));
  EXPECT_EQ(config.drain_delay, absl::ZeroDuration());
  EXPECT_FALSE(config.debug_reflection);
  EXPECT_FALSE(config.debug_channelz);
  EXPECT_THAT(config.asset_providers, SizeIs(0));
  EXPECT_THAT(config.routes, SizeIs(0));

  ASSERT_THAT(config.providers, SizeIs(1));
  const model::ProviderEntry& provider = *config.providers[0];
  EXPECT_EQ(provider.id, "fake");
  EXPECT_EQ(provider.base_url, "https://api.fake.example/v1");
  EXPECT_EQ(provider.mode, v1::Provider::SERVE);
  EXPECT_EQ(provider.limits.requests_per_second, 12);
  EXPECT_EQ(provider.limits.max_in_flight, 34);
  EXPECT_EQ(provider.call_timeout, absl::Minutes(1));
  EXPECT_EQ(provider.credential.id, "fake");
  EXPECT_EQ(provider.credential.secrets.at("api_key").Reveal(), "sk-current");
  EXPECT_EQ(config.secret_sources.at("providers[fake].credential.api_key").env, "KEY");
  EXPECT_FALSE(provider.previous_credential.has_value());
  EXPECT_EQ(provider.video_polling.floor, absl::Seconds(5));
}

constexpr char kEveryKey[] = R"(
listen: "[::1]:0"
admin: {listen: localhost:9}
store:
  {sqlite: {path: /var/lib/x.db}, change_retention: 1h, max_changes: 5000, purge_video_tasks_after: 720h}
providers:
  - id: east
    dialect: fake
    base_url: http://127.0.0.1:81/fake/
    credential: {api_key: {env: KEY}}
    credential_id: east-2
    previous_credential: {api_key: {env: OLD_KEY}}
    previous_credential_id: east-1
    options: {platform: west, project_name: p, shards: 4}
    mode: drain
    limits: {requests_per_second: 2.5, max_in_flight: 3}
    timeout: 5s
    tracking: {max_poll: 30s}
  - {id: west, dialect: fake, credential: {api_key: {env: KEY}}}
asset_providers: [west, east]
routes:
  - model: video-1.0
    targets:
      - {provider: west, model: small, priority: 1}
      - {provider: east, model: big, weight: 3}
    defaults: {duration: 5s, resolution: 720p, watermark: false, seed: -1}
tracking: {first_poll: 1s, min_poll: 1s, max_poll: 15s, asset_period: 30m, video_period: 1h, horizon: 2h}
submit_timeout: 1m
log: {format: TEXT, level: warning}
limits:
  {max_message_bytes: 65536, max_response_bytes: 65536, max_concurrent_calls: 7,
   max_concurrent_calls_per_caller: 3, memory: 134217728}
watch: {bookmark_interval: 2s}
shutdown_timeout: 0s
drain_delay: 1500ms
debug: {reflection: true, channelz: true}
)";

TEST_F(LoadTest, EveryKeyIsRead) {
  const Config config = Good(kEveryKey);
  EXPECT_EQ(config.listen.host, "::1");
  EXPECT_EQ(config.listen.ToString(), "[::1]:0");
  EXPECT_EQ(config.admin_listen.port, 9);
  EXPECT_EQ(config.store.sqlite_path, "/var/lib/x.db");
  EXPECT_EQ(config.store.retention.changes, absl::Hours(1));
  EXPECT_EQ(config.store.retention.max_changes, 5000);
  EXPECT_EQ(config.purge_video_tasks_after, absl::Hours(720));
  EXPECT_EQ(config.settings.submit_timeout, absl::Minutes(1));
  EXPECT_EQ(config.log_format, base::LogFormat::kText);
  EXPECT_EQ(config.log_level, base::LogLevel::kWarning);
  EXPECT_EQ(config.max_concurrent_calls, 7);
  EXPECT_EQ(config.max_concurrent_calls_per_caller, 3);
  EXPECT_EQ(config.memory, 134'217'728);
  EXPECT_EQ(config.bookmark_interval, absl::Seconds(2));
  EXPECT_EQ(config.shutdown_timeout, absl::ZeroDuration());
  EXPECT_EQ(config.drain_delay, absl::Milliseconds(1500));
  EXPECT_TRUE(config.debug_reflection);
  EXPECT_TRUE(config.debug_channelz);
  EXPECT_THAT(config.asset_providers, ElementsAre("west", "east"));

  ASSERT_THAT(config.providers, SizeIs(2));
  const model::ProviderEntry& east = *config.providers[0];
  EXPECT_EQ(east.base_url, "http://127.0.0.1:81/fake");
  EXPECT_EQ(east.mode, v1::Provider::DRAIN);
  EXPECT_EQ(east.credential.id, "east-2");
  ASSERT_TRUE(east.previous_credential.has_value());
  EXPECT_EQ(east.previous_credential->id, "east-1");
  EXPECT_EQ(east.previous_credential->secrets.at("api_key").Reveal(), "sk-former");
  const auto& options = static_cast<const FakeDialect&>(*east.dialect).options();
  EXPECT_EQ(options.platform(), testing::FakeOptions::WEST);
  EXPECT_EQ(options.shards(), 4);
  EXPECT_EQ(east.call_timeout, absl::Seconds(5));
  // The provider's own interval comes before the one for all.
  EXPECT_EQ(east.asset_polling.first, absl::Seconds(1));
  EXPECT_EQ(east.asset_polling.floor, absl::Seconds(1));
  EXPECT_EQ(east.asset_polling.ceiling, absl::Seconds(30));
  EXPECT_EQ(config.providers[1]->asset_polling.ceiling, absl::Seconds(15));

  ASSERT_THAT(config.routes, SizeIs(1));
  const model::ModelEntry& route = config.routes[0];
  EXPECT_EQ(route.id, "video-1.0");
  ASSERT_THAT(route.targets, SizeIs(2));
  EXPECT_EQ(route.targets[0].provider, &east);
  EXPECT_EQ(route.targets[0].weight, 3);
  EXPECT_EQ(route.targets[1].provider_model, "small");
  EXPECT_EQ(route.defaults.duration().seconds(), 5);
  EXPECT_FALSE(route.defaults.has_aspect_ratio());
  EXPECT_TRUE(route.defaults.has_watermark());
  EXPECT_EQ(route.defaults.seed(), -1);
}

TEST_F(LoadTest, EveryFaultIsOneLineWithFileKeyAndRemedy) {
  EXPECT_EQ(
      Faults(R"(
listen: somewhere
providers:
  - id: Fake One
    dialect: fakee
    credential: {api_key: {env: KEY}}
  - id: fake
    base_url: api.fake.example
    credential: {api_key: {env: MISSING_KEY}, token: {env: KEY}}
    options: {platform: NORTH, proj_name: x}
    previous_credential_id: gone
  - id: fake
asset_providers: [fakes]
routes:
  - model: m
    targets: [{provider: fake, model: bigg}, {model: big}]
  - model: m
    targets: []
submit_timeout: 9000h
)"),
      R"(f.yaml:2: listen: "somewhere" is not an address; write HOST:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
f.yaml:4: providers[0].id: is not an id; use at most 63 of a-z, 0-9 and -
f.yaml:5: providers[0].dialect: "fakee" is not a dialect; known: fake
f.yaml:8: providers[1].base_url: does not begin with https://; write https://HOST/PATH
f.yaml:9: providers[1].credential.api_key: environment variable MISSING_KEY is not set; export it where assetgate starts, or use {file: PATH}
f.yaml:9: providers[1].credential.token: dialect fake has no such secret; it has: api_key
f.yaml:10: providers[1].options.platform: is not known here; it can be EAST, WEST
f.yaml:10: providers[1].options.proj_name: unknown key; did you mean project_name? (known here: project_name, platform, shards)
f.yaml:11: providers[1].previous_credential_id: names a previous_credential, but there is none; add it, or remove this
f.yaml:12: providers[2].credential.api_key: is missing; dialect fake needs it: {env: NAME} or {file: PATH}
f.yaml:12: providers[2].id: "fake" is also the id of providers[1]; give each account its own
f.yaml:13: asset_providers[0]: "fakes" is not the id of a provider; known: fake, Fake One
f.yaml:16: routes[0].targets[0].model: "bigg" is not a model of dialect fake; known: big, small
f.yaml:16: routes[0].targets[1].provider: is missing; name one of providers[] by its id
f.yaml:17: routes[1].model: "m" is also the model of routes[0]; join their targets into one route
f.yaml:18: routes[1].targets: names no target; name at least one {provider: ID, model: NAME}
f.yaml:19: submit_timeout: 9000h is not between 1s and 168h)");
}

TEST_F(LoadTest, FileThatIsNotAConfigIsRejected) {
  EXPECT_EQ(Load("/nowhere/assetgate.yaml", environment_).status().message(),
            "/nowhere/assetgate.yaml:1: the file does not exist");
  EXPECT_THAT(std::string(Load("/dev/zero", environment_).status().message()),
              HasSubstr("is a device; name a regular file"));
  EXPECT_THAT(Faults(std::string(2'000'000, ' ')), HasSubstr("larger than 1048576 bytes"));
}

}  // namespace
}  // namespace assetgate::config
