#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "auth/testing/issuer_key.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// One provider, and nothing else said.
constexpr char kSmallest[] = "providers: [{id: fake, credential: {api_key: {env: KEY}}}]\n";

TEST_F(ConfigTest, WhatIsNotSaidHasItsDocumentedDefault) {
  const Config config = Good(kSmallest);
  EXPECT_EQ(config.listen.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(config.admin_listen.ToString(), "127.0.0.1:8081");
  EXPECT_EQ(config.sqlite_path, "assetgate.db");
  EXPECT_EQ(config.retention.changes, absl::Hours(24));
  EXPECT_EQ(config.retention.max_changes, 1'000'000);
  EXPECT_EQ(config.purge_video_tasks_after, absl::InfiniteDuration());
  EXPECT_EQ(config.core.submit_timeout, absl::Minutes(15));
  EXPECT_EQ(config.core.asset_tracking_period, absl::Hours(1));
  EXPECT_EQ(config.core.video_tracking_period, absl::Hours(6));
  EXPECT_EQ(config.core.tracking_horizon, absl::Hours(168));
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
  const Provider& provider = config.providers[0];
  EXPECT_EQ(provider.id, "fake");
  EXPECT_EQ(provider.base_url, "https://api.fake.example/v1");
  EXPECT_EQ(provider.mode, v1::Provider::SERVE);
  EXPECT_EQ(provider.requests_per_second, 12);
  EXPECT_EQ(provider.max_in_flight, 34);
  EXPECT_EQ(provider.timeout, absl::Minutes(1));
  EXPECT_EQ(provider.credential.credential.id, "fake");
  EXPECT_EQ(provider.credential.credential.secrets.at("api_key").Reveal(), "sk-current");
  EXPECT_EQ(provider.credential.sources.at("api_key").env, "KEY");
  EXPECT_FALSE(provider.previous_credential.has_value());
  EXPECT_EQ(provider.video_polling.floor, absl::Seconds(5));
}

TEST_F(ConfigTest, EverythingSaidIsTaken) {
  const Config config = Good(R"(
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
)");
  EXPECT_EQ(config.listen.host, "::1");
  EXPECT_EQ(config.listen.ToString(), "[::1]:0");
  EXPECT_EQ(config.admin_listen.port, 9);
  EXPECT_EQ(config.sqlite_path, "/var/lib/x.db");
  EXPECT_EQ(config.retention.changes, absl::Hours(1));
  EXPECT_EQ(config.retention.max_changes, 5000);
  EXPECT_EQ(config.purge_video_tasks_after, absl::Hours(720));
  EXPECT_EQ(config.core.submit_timeout, absl::Minutes(1));
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
  EXPECT_THAT(config.asset_providers, ElementsAre(1u, 0u));

  ASSERT_THAT(config.providers, SizeIs(2));
  const Provider& east = config.providers[0];
  EXPECT_EQ(east.base_url, "http://127.0.0.1:81/fake");
  EXPECT_EQ(east.mode, v1::Provider::DRAIN);
  EXPECT_EQ(east.credential.credential.id, "east-2");
  ASSERT_TRUE(east.previous_credential.has_value());
  EXPECT_EQ(east.previous_credential->credential.id, "east-1");
  EXPECT_EQ(east.previous_credential->credential.secrets.at("api_key").Reveal(), "sk-former");
  const auto& options = static_cast<const FakeDialect&>(*east.dialect).options();
  EXPECT_EQ(options.platform(), testing::FakeOptions::WEST);
  EXPECT_EQ(options.shards(), 4);
  EXPECT_EQ(east.timeout, absl::Seconds(5));
  // The provider's own interval comes before the one for all.
  EXPECT_EQ(east.asset_polling.first, absl::Seconds(1));
  EXPECT_EQ(east.asset_polling.floor, absl::Seconds(1));
  EXPECT_EQ(east.asset_polling.ceiling, absl::Seconds(30));
  EXPECT_EQ(config.providers[1].asset_polling.ceiling, absl::Seconds(15));

  ASSERT_THAT(config.routes, SizeIs(1));
  const Route& route = config.routes[0];
  EXPECT_EQ(route.model, "video-1.0");
  ASSERT_THAT(route.targets, SizeIs(2));
  EXPECT_EQ(route.targets[0].provider, 0u);
  EXPECT_EQ(route.targets[0].weight, 3);
  EXPECT_EQ(route.targets[1].model, "small");
  EXPECT_EQ(route.defaults.duration().seconds(), 5);
  EXPECT_FALSE(route.defaults.has_aspect_ratio());
  EXPECT_TRUE(route.defaults.has_watermark());
  EXPECT_EQ(route.defaults.seed(), -1);
}

TEST_F(ConfigTest, TheCatalogHoldsWhatTheFileSays) {
  Config config = Good(R"(
providers:
  - {id: east, dialect: fake, credential: {api_key: {env: KEY}}, limits: {max_in_flight: 3}}
  - {id: west, dialect: fake, credential: {api_key: {env: KEY}}}
asset_providers: [west]
routes: [{model: m, targets: [{provider: west, model: small}], defaults: {seed: -1}}]
)");
  const model::CatalogPtr catalog = MakeCatalog(config);
  ASSERT_THAT(catalog->providers(), SizeIs(2));
  EXPECT_EQ(catalog->FindProvider("east")->limits.max_in_flight, 3);
  EXPECT_EQ(catalog->FindProvider("west")->credential.id, "west");
  EXPECT_THAT(catalog->asset_providers(), ElementsAre("west"));
  ASSERT_THAT(catalog->routes(), SizeIs(1));
  const model::Target& target = catalog->routes()[0].targets.at(0);
  EXPECT_EQ(target.provider, catalog->FindProvider("west"));
  EXPECT_EQ(target.capabilities, target.provider->dialect->FindModel("small"));
  EXPECT_EQ(catalog->routes()[0].defaults.seed(), -1);
}

TEST_F(ConfigTest, ADialectsFloorWinsOverALowerCeiling) {
  const Config config = Good(absl::StrCat(kSmallest, "tracking: {max_poll: 1s}\n"));
  EXPECT_EQ(config.providers[0].asset_polling.floor, absl::Seconds(5));
  EXPECT_EQ(config.providers[0].asset_polling.ceiling, absl::Seconds(5));
}

TEST_F(ConfigTest, EveryFaultIsOneLineWithFileKeyAndRemedy) {
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
f.yaml:5: providers[0].dialect: "fakee" is no dialect; known: fake
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

TEST_F(ConfigTest, WithoutProvidersThereIsNothingToServe) {
  EXPECT_EQ(Faults("{}"),
            "f.yaml:1: providers: names no provider; name at least one, with id and credential");
}

TEST_F(ConfigTest, TheIdIsNotADialectUnlessItSaysSo) {
  EXPECT_EQ(
      Faults("providers: [{id: kyy-east}]"),
      "f.yaml:1: providers[0].dialect: is missing, and the id \"kyy-east\" is no dialect; known: "
      "fake");
}

TEST_F(ConfigTest, BothListenersNeedTheirOwnAddress) {
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "admin: {listen: 127.0.0.1:8080}\n")),
              HasSubstr("admin.listen: \"127.0.0.1:8080\" is the address of both"));
  Good(absl::StrCat(kSmallest, "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\n"));
}

TEST_F(ConfigTest, AddressesThatAreNone) {
  for (const char* address : {"", "x", ":80", "x:", "x:y", "x:65536", "x:-1", "x:123456", "::1:80",
                              "[::1:80", "a b:1", "http://x:1", "'[]:1'"}) {
    EXPECT_THAT(Faults(absl::StrCat(kSmallest, "listen: \"", address, "\"\n")),
                HasSubstr("listen: "))
        << address;
  }
}

TEST_F(ConfigTest, BaseUrlsThatAreNone) {
  for (const char* url :
       {"", "ftp://x", "https://", "https:///v1", "https://x:0", "https://x:99999", "https://x?a=1",
        "https://x/#f", "https://x y", "https://[::1", "http://api.example.org"}) {
    EXPECT_THAT(ProviderFaults(absl::StrCat("base_url: \"", url, "\"")),
                StartsWith("f.yaml:4: providers[0].base_url: "))
        << url;
  }
}

TEST_F(ConfigTest, BaseUrlsOfAllKinds) {
  for (const auto& [written, read] : std::map<std::string, std::string>{
           {"https://x.example", "https://x.example"},
           {"https://x.example/v1//", "https://x.example/v1"},
           {"https://[2001:db8::1]:8443/v1", "https://[2001:db8::1]:8443/v1"},
           {"https://[2001:db8::1]", "https://[2001:db8::1]"},
           {"http://localhost:81/zerozero/v1", "http://localhost:81/zerozero/v1"},
           {"http://[::1]:81", "http://[::1]:81"}}) {
    EXPECT_EQ(GoodProvider(absl::StrCat("base_url: \"", written, "\"")).providers[0].base_url,
              read);
  }
}

TEST_F(ConfigTest, PlainHttpNeedsAWord) {
  EXPECT_THAT(ProviderFaults("base_url: http://simulator:8090/kyy"),
              HasSubstr("allow_insecure_http: true"));
  // A name that only begins like this machine's.
  EXPECT_THAT(ProviderFaults("base_url: http://localhost.example"),
              HasSubstr("allow_insecure_http: true"));
  GoodProvider("base_url: http://simulator:8090/kyy\n  allow_insecure_http: true");
}

TEST_F(ConfigTest, APasswordInABaseUrlIsNotShown) {
  EXPECT_THAT(ProviderFaults("base_url: https://user:LEAKED@x.example"),
              AllOf(HasSubstr("base_url"), Not(HasSubstr("LEAKED"))));
}

TEST_F(ConfigTest, OptionsThatADialectRefusesAreAFaultBesideTheOthers) {
  EXPECT_EQ(ProviderFaults("options: {shards: -1}\n  timeout: 1ms"),
            "f.yaml:4: providers[0].options: shards is negative; remove it\n"
            "f.yaml:5: providers[0].timeout: 1ms is not between 1s and 10m");
}

TEST_F(ConfigTest, NothingIsPurgedWhileARequestMayBeRepeated) {
  EXPECT_EQ(Faults(absl::StrCat(kSmallest, "store: {purge_video_tasks_after: 24h}\n")),
            "f.yaml:2: store.purge_video_tasks_after: 24h is not between 168h and 87600h");
}

TEST_F(ConfigTest, SecretsComeFromFiles) {
  const std::string path = ::testing::TempDir() + "config_test_secret";
  std::ofstream(path) << "  sk-from-file\n";
  const Config config =
      Good(absl::StrCat("providers: [{id: fake, credential: {api_key: {file: ", path, "}}}]"));
  const Credential& credential = config.providers[0].credential;
  EXPECT_EQ(credential.credential.secrets.at("api_key").Reveal(), "sk-from-file");
  EXPECT_EQ(credential.sources.at("api_key").file, path);
}

TEST_F(ConfigTest, SecretsThatAreNone) {
  const auto faults = [this](const std::string& secret) {
    return Faults(absl::StrCat("providers: [{id: fake, credential: {api_key: ", secret, "}}]"));
  };
  EXPECT_THAT(faults("{}"), HasSubstr("must be {env: NAME} or {file: PATH}"));
  EXPECT_THAT(faults("{env: KEY, file: /x}"), HasSubstr("names both env and file"));
  EXPECT_THAT(faults("{file: /nowhere/key}"), HasSubstr("the secret itself) does not exist"));
  EXPECT_THAT(faults("{file: /}"), HasSubstr("is a directory"));
  EXPECT_THAT(faults("{file: /dev/zero}"), HasSubstr("is a device"));
  variables_["EMPTY"] = " \n";
  EXPECT_THAT(faults("{env: EMPTY}"), HasSubstr("environment variable EMPTY is empty"));
  variables_["BROKEN"] = "sk-LEAKED\nX-Forged: 1";
  EXPECT_THAT(faults("{env: BROKEN}"), AllOf(HasSubstr("should be the key alone"),
                                             Not(HasSubstr("LEAKED")), Not(HasSubstr("Forged"))));
}

TEST_F(ConfigTest, ASecretUnderAWrongKeyIsNotShown) {
  constexpr absl::string_view kSecret = "sk-LEAKED-9f3b7c51d2/x+y=";
  struct Case {
    // Of the fault.
    absl::string_view key;
    // Of a provider, or of the whole config where it begins with a line break.
    absl::string_view text;
  };
  const Case cases[] = {
      {"credential.api_key", "credential: {api_key: {file: SECRET}}"},
      {"credential.api_key", "credential: {api_key: {env: SECRET}}"},
      {"mode", "mode: SECRET"},
      {"credential_id", "credential_id: SECRET"},
      {"base_url", "base_url: SECRET"},
      {"timeout", "timeout: SECRET"},
      {"limits.max_in_flight", "limits: {max_in_flight: SECRET}"},
      {"allow_insecure_http", "allow_insecure_http: SECRET"},
      {"log.level", "\nlog: {level: SECRET}"},
      {"jwt_issuers[0].issuer", "\njwt_issuers: [{issuer: SECRET, audiences: [a]}]"},
      {"jwt_issuers[0].token_file",
       "\njwt_issuers: [{issuer: \"https://i.example\", audiences: [a], token_file: SECRET}]"},
      {"jwt_issuers[0].ca_file",
       "\njwt_issuers: [{issuer: \"https://i.example\", audiences: [a], ca_file: SECRET}]"},
      {"callers[0].id", "\ncallers: [{id: SECRET, roles: [READER], token_sha256: []}]"},
      {"callers[0].roles", "\ncallers: [{id: a, roles: [SECRET]}]"},
      {"callers[0].tenant", "\ncallers: [{id: a, roles: [READER], tenant: SECRET}]"},
      {"callers[0].jwts[0].issuer",
       "\ncallers: [{id: a, roles: [READER], jwts: [{issuer: SECRET, subject: s}]}]"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const std::string text = absl::StrReplaceAll(c.text, {{"SECRET", kSecret}});
    const bool whole = absl::StartsWith(text, "\n");
    const std::string said =
        whole ? Faults(absl::StrCat(kSmallest, text.substr(1), "\n"))
              : Faults(absl::StrCat("providers: [{id: fake, dialect: fake, ", text, "}]\n"));
    EXPECT_THAT(said, HasSubstr(c.key));
    EXPECT_THAT(said, Not(HasSubstr("LEAKED")));
  }
}

TEST_F(ConfigTest, AKeyInPlaceOfAVariablesNameIsNotShown) {
  EXPECT_THAT(Faults("providers: [{id: fake, credential: {api_key: {env: afk_LEAKED}}}]"),
              AllOf(HasSubstr("is not set"), Not(HasSubstr("LEAKED"))));
}

TEST_F(ConfigTest, TwoKeysOfOneProviderNeedTwoNames) {
  EXPECT_EQ(
      ProviderFaults("previous_credential: {api_key: {env: OLD_KEY}}"),
      "f.yaml:2: providers[0].credential_id: \"fake\" is the id of both credential and "
      "previous_credential; give the new one a credential_id, such as \"fake-2\", and keep the old "
      "one's name for previous_credential_id");
  const Config config =
      GoodProvider("previous_credential: {api_key: {env: OLD_KEY}}\n  credential_id: fake-2");
  // What the first key was called when nothing was said.
  EXPECT_EQ(config.providers[0].previous_credential->credential.id, "fake");
}

TEST_F(ConfigTest, HeadersAreSentAsTheyAreWritten) {
  const Config config =
      GoodProvider("headers: {User-Agent: \"studio/1 (+https://s.example)\", X-Team: film}");
  ASSERT_THAT(config.providers[0].egress.headers, SizeIs(2));
  EXPECT_EQ(config.providers[0].egress.headers[0].name, "User-Agent");
  EXPECT_EQ(config.providers[0].egress.headers[0].value, "studio/1 (+https://s.example)");
  EXPECT_EQ(MakeCatalog(config)->FindProvider("fake")->egress.headers[1].value, "film");
}

TEST_F(ConfigTest, HeadersThatAreNotForAConfigAreFaults) {
  for (const char* name :
       {"Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "X-API-Key", "apikey",
        "X-Access-Key", "X-Secret-Key", "x-auth-token", "X-Amz-Security-Token", "X-Signature"}) {
    EXPECT_THAT(
        ProviderFaults(absl::StrCat("headers: {", name, ": LEAKED}")),
        AllOf(HasSubstr(absl::StrCat("providers[0].headers.", name, ": carries a credential")),
              HasSubstr("remove it"), Not(HasSubstr("LEAKED"))));
  }
  for (const char* name :
       {"Host", "content-length", "Content-Type", "Transfer-Encoding", "Idempotency-Key", "Accept",
        "Accept-Encoding", "Connection", "Expect", "traceparent", "X-Fake-Own"}) {
    EXPECT_THAT(
        ProviderFaults(absl::StrCat("headers: {", name, ": LEAKED}")),
        AllOf(HasSubstr("is written by the gateway itself; remove it"), Not(HasSubstr("LEAKED"))));
  }
  const auto fault_of_value = [this](const std::string& value) {
    return ProviderFaults(absl::StrCat("headers: {X-A: \"", value, "\"}"));
  };
  EXPECT_THAT(fault_of_value("a\\r\\nHost: b"), HasSubstr("holds a control character"));
  EXPECT_THAT(fault_of_value("ü"), HasSubstr("outside of ASCII"));
  EXPECT_THAT(fault_of_value(" a"), HasSubstr("begins or ends with white space"));
  EXPECT_THAT(fault_of_value(""), HasSubstr("is empty"));
  EXPECT_THAT(fault_of_value(std::string(1025, 'a')), HasSubstr("longer than 1024 bytes"));
  EXPECT_THAT(ProviderFaults("headers: {\"X A\": b}"), HasSubstr("is not a header's name"));
  EXPECT_THAT(ProviderFaults("headers: {X-A: b, x-a: c}"), HasSubstr("is listed twice"));
  EXPECT_THAT(ProviderFaults("headers: {X-A: [b]}"), HasSubstr("must be a single value"));
  std::string many = "headers: {";
  for (int i = 0; i < 17; ++i) absl::StrAppend(&many, i == 0 ? "" : ", ", "X-", i, ": b");
  EXPECT_THAT(ProviderFaults(many + "}"), HasSubstr("names 17 headers; name at most 16"));
}

TEST_F(ConfigTest, TimeLimitsAreThoseOfTheFileThenOfTheDialect) {
  using Operation = base::UpstreamOperation;
  const Config silent = GoodProvider("mode: SERVE");
  EXPECT_EQ(MakeCatalog(silent)->FindProvider("fake")->TimeoutFor(Operation::kSubmitAsset),
            absl::Seconds(120))
      << "the dialect's";
  EXPECT_EQ(MakeCatalog(silent)->FindProvider("fake")->TimeoutFor(Operation::kPollVideo),
            absl::Minutes(1));
  const Config general = GoodProvider("timeout: 5s");
  EXPECT_EQ(MakeCatalog(general)->FindProvider("fake")->TimeoutFor(Operation::kSubmitAsset),
            absl::Seconds(5));
  const Config own = GoodProvider(
      "timeout: 5s\n  timeouts: {submit_group: 6s, submit_asset: 7s, submit_video: 8s, poll: 9s, "
      "delete: 10s}");
  const model::CatalogPtr catalog = MakeCatalog(own);
  const model::ProviderEntry& entry = *catalog->FindProvider("fake");
  EXPECT_EQ(entry.TimeoutFor(Operation::kSubmitAssetGroup), absl::Seconds(6));
  EXPECT_EQ(entry.TimeoutFor(Operation::kSubmitAsset), absl::Seconds(7));
  EXPECT_EQ(entry.TimeoutFor(Operation::kSubmitVideo), absl::Seconds(8));
  EXPECT_EQ(entry.TimeoutFor(Operation::kPollAsset), absl::Seconds(9));
  EXPECT_EQ(entry.TimeoutFor(Operation::kDeleteAsset), absl::Seconds(10));
  EXPECT_EQ(entry.MaxSubmissionTimeout(), absl::Seconds(8));
  EXPECT_THAT(ProviderFaults("timeouts: {poll: 500ms}"),
              HasSubstr("providers[0].timeouts.poll: 500ms is not between 1s and 10m"));
}

TEST_F(ConfigTest, AProxyIsOneThatIsNamed) {
  variables_["https_proxy"] = "http://not-asked.example:1";
  EXPECT_EQ(GoodProvider("mode: SERVE").providers[0].egress.proxy, "");
  for (const char* proxy :
       {"http://proxy.example:3128", "https://proxy.example:443", "socks5h://[::1]:1080"}) {
    EXPECT_EQ(GoodProvider(absl::StrCat("proxy: \"", proxy, "\"")).providers[0].egress.proxy,
              proxy);
  }
  variables_["PROXY_USER"] = "me:word";
  const Config config =
      GoodProvider("proxy: http://proxy.example:3128\n  proxy_credential: {env: PROXY_USER}");
  EXPECT_EQ(config.providers[0].egress.proxy_credential.Reveal(), "me:word");
}

TEST_F(ConfigTest, AProxyIsNotForThisMachine) {
  EXPECT_THAT(ProviderFaults("base_url: \"http://127.0.0.1:8090\"\n  proxy: http://p.example:1"),
              HasSubstr("providers[0].proxy: is of no use for an address of this machine"));
  variables_["https_proxy"] = variables_["http_proxy"] = "http://p.example:1";
  const Config config = GoodProvider("base_url: \"http://localhost:8090\"\n  proxy: environment");
  EXPECT_EQ(config.providers[0].egress.proxy, "");
}

TEST_F(ConfigTest, ProxiesThatAreNone) {
  EXPECT_THAT(ProviderFaults("proxy: \"http://me:LEAKED@proxy.example:3128\""),
              AllOf(HasSubstr("proxy_credential"), Not(HasSubstr("LEAKED"))));
  EXPECT_THAT(ProviderFaults("proxy: socks5://proxy.example:1080"),
              HasSubstr("socks5h://HOST:PORT"));
  EXPECT_THAT(ProviderFaults("proxy: proxy.example:3128"), HasSubstr("http://HOST:PORT"));
  EXPECT_THAT(ProviderFaults("proxy: http://proxy.example"), HasSubstr("no valid host and port"));
  EXPECT_THAT(ProviderFaults("proxy: \"http://proxy.example:3128/path\""),
              HasSubstr("no valid host and port"));
  EXPECT_THAT(ProviderFaults("proxy_credential: {env: KEY}"),
              HasSubstr("is of no use without proxy"));
  EXPECT_THAT(ProviderFaults("proxy: http://p.example:1\n  proxy_credential: {env: KEY}"),
              AllOf(HasSubstr("should be USER:PASSWORD"), Not(HasSubstr("sk-current"))));
  EXPECT_THAT(ProviderFaults("proxy: http://p.example:1\n  proxy_credential: sk-LEAKED"),
              Not(HasSubstr("LEAKED")));
}

TEST_F(ConfigTest, TheEnvironmentsProxyIsUsedWhereTheFileSaysSo) {
  EXPECT_EQ(GoodProvider("proxy: environment").providers[0].egress.proxy, "");
  variables_["all_proxy"] = "socks5h://all.example:1080";
  EXPECT_EQ(GoodProvider("proxy: environment").providers[0].egress.proxy,
            "socks5h://all.example:1080");
  variables_["HTTPS_PROXY"] = "me:w%40rd@proxy.example:3128";
  variables_["NO_PROXY"] = ".internal.example";
  const Config config = GoodProvider("proxy: environment");
  EXPECT_EQ(config.providers[0].egress.proxy, "http://proxy.example:3128");
  EXPECT_EQ(config.providers[0].egress.proxy_credential.Reveal(), "me:w@rd");
  EXPECT_EQ(config.providers[0].egress.no_proxy, ".internal.example");
  EXPECT_THAT(ProviderFaults("proxy: environment\n  proxy_credential: {env: KEY}"),
              HasSubstr("is of no use beside proxy: environment"));
  variables_["HTTPS_PROXY"] = "ftp://me:LEAKED@proxy.example:1";
  EXPECT_THAT(ProviderFaults("proxy: environment"),
              AllOf(HasSubstr("environment variable HTTPS_PROXY"), Not(HasSubstr("LEAKED"))));
}

TEST_F(ConfigTest, SlotsAreByModelWithADefault) {
  EXPECT_TRUE(GoodProvider("mode: SERVE").providers[0].slots.empty());
  const model::SlotLimits slots =
      GoodProvider("slots: {default: 4, models: {big: 2}}").providers[0].slots;
  EXPECT_EQ(slots.For("big"), 2);
  EXPECT_EQ(slots.For("small"), 4);
  EXPECT_EQ(GoodProvider("slots: {models: {big: 2}}").providers[0].slots.For("small"),
            std::nullopt);
  EXPECT_THAT(
      ProviderFaults("slots: {models: {bgi: 2}}"),
      HasSubstr("providers[0].slots.models.bgi: is not a model of dialect fake; known: big"));
  EXPECT_THAT(ProviderFaults("slots: {default: 0}"),
              HasSubstr("providers[0].slots.default: 0 is not between 1 and 100000"));
  EXPECT_THAT(ProviderFaults("slots: {models: {big: many}}"), HasSubstr("is not a whole number"));
}

TEST_F(ConfigTest, DefaultsThatATargetCannotExpressAreFaults) {
  const auto faults = [this](const std::string& defaults) {
    return Faults(absl::StrCat(kSmallest,
                               "routes:\n- model: m\n  targets: [{provider: fake, model: big}]\n",
                               "  defaults: {", defaults, "}\n"));
  };
  EXPECT_EQ(
      faults("resolution: 8k"),
      "f.yaml:5: routes[0].defaults.resolution: \"8k\" cannot be expressed by target "
      "providers/fake/models/big, which would never be used; change the default, or give that "
      "target a route of its own");
  EXPECT_THAT(faults("duration: 3s"), HasSubstr("defaults.duration: \"3s\" cannot"));
  EXPECT_THAT(faults("duration: 1500ms"), HasSubstr("not a whole number of seconds"));
  EXPECT_THAT(faults("seed: 7"), HasSubstr("defaults.seed: \"7\" cannot"));
  EXPECT_THAT(faults("watermark: true"), HasSubstr("defaults.watermark: \"true\" cannot"));
  EXPECT_THAT(faults("aspect_ratio: \"16:9\""),
              HasSubstr("defaults.aspect_ratio: \"16:9\" cannot"));
  EXPECT_THAT(faults("aspect_ratio: \"\""), HasSubstr("is empty or too long"));
}

TEST_F(ConfigTest, TheSameTargetTwiceIsAFault) {
  EXPECT_THAT(Faults(absl::StrCat(
                  kSmallest,
                  "routes: [{model: m, targets: [{provider: fake, model: big}, {provider: fake, "
                  "model: big}]}]")),
              HasSubstr("routes[0].targets[1]: is there twice"));
}

TEST_F(ConfigTest, IntervalsThatContradictEachOther) {
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tracking: {min_poll: 5s, max_poll: 1s}")),
              HasSubstr("tracking.max_poll: 1s is less than min_poll (5s)"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tracking: {video_period: 10h, horizon: 2h}")),
              HasSubstr("tracking.horizon: 2h is less than asset_period or video_period (10h)"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tracking: {first_poll: -1s}")),
              HasSubstr("tracking.first_poll: -1s is not between"));
}

TEST_F(ConfigTest, SqlitePathsWithAMeaningOfTheirOwn) {
  for (const char* path : {"\"\"", "\":memory:\"", "\"file:x?mode=ro\""}) {
    EXPECT_THAT(Faults(absl::StrCat(kSmallest, "store: {sqlite: {path: ", path, "}}")),
                HasSubstr("store.sqlite.path: "))
        << path;
  }
}

TEST_F(ConfigTest, PlainTextForOthersHasToBeSaid) {
  EXPECT_EQ(
      Faults(absl::StrCat(kSmallest, "listen: 0.0.0.0:8080\n")),
      "f.yaml:2: listen: \"0.0.0.0:8080\" is reached by others, in plain text; configure tls, "
      "or, where something else encrypts, write allow_insecure_listen: true");
  Good(absl::StrCat(kSmallest, "listen: 0.0.0.0:8080\nallow_insecure_listen: true\n"));
  Good(absl::StrCat(kSmallest, "listen: \"[::1]:8080\"\n"));
  WriteTls("a.crt", "a.key", "ca.crt");
  const Config config = Good(absl::StrCat(
      kSmallest,
      "listen: 0.0.0.0:8080\ntls: {certificate: a.crt, key: a.key, client_ca: ca.crt}\n"));
  ASSERT_TRUE(config.tls.has_value());
  EXPECT_EQ(config.tls->certificate, "a.crt");
  EXPECT_EQ(config.tls->client_ca, "ca.crt");
  EXPECT_TRUE(config.tls->client_certificate_required);
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tls: {certificate: a.crt}\n")),
              HasSubstr("tls.key: is missing"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest,
                                  "tls: {certificate: a, key: b, client_certificate: REQUIRED}\n")),
              HasSubstr("tls.client_certificate: needs client_ca"));
}

TEST_F(ConfigTest, CallersAndWhatTheyMayDo) {
  WriteTls("a.crt", "a.key", "ca.crt");
  files_["jwks.json"] = absl::StrCat("{\"keys\":[", auth::IssuerKey::Ec("k").Jwk(), "]}");
  const std::string hash(64, 'a');
  const Config config = Good(absl::StrCat(kSmallest, R"(
tls: {certificate: a.crt, key: a.key, client_ca: ca.crt, client_certificate: OPTIONAL}
jwt_issuers:
  - {issuer: "https://cluster.example", audiences: [assetgate], jwks_file: jwks.json}
callers:
  - {id: farm, roles: [WRITER], certificates: ["spiffe://prod/farm"], tenant: studio}
  - id: script
    roles: [READER, OPERATOR]
    token_sha256: [)",
                                          hash, R"(]
    jwts: [{issuer: "https://cluster.example", subject: "system:serviceaccount:a:b"}]
    limits: {requests_per_second: 2.5, open_streams: 7, unfinished_videos: 9}
connections: {max_age: 30m, max_age_grace: 1m, keepalive_time: 30s, max_concurrent_streams: 5}
)"));
  EXPECT_FALSE(config.tls->client_certificate_required);
  ASSERT_EQ(config.callers.callers.size(), 2u);
  const auth::Caller& farm = config.callers.callers[0];
  EXPECT_EQ(farm.id, "farm");
  EXPECT_EQ(farm.tenant, "studio");
  EXPECT_THAT(farm.roles, ElementsAre(auth::Role::kWriter));
  EXPECT_THAT(farm.certificates, ElementsAre("spiffe://prod/farm"));
  EXPECT_FALSE(farm.providers.has_value());
  const auth::Caller& script = config.callers.callers[1];
  EXPECT_EQ(script.tenant, "default");
  EXPECT_THAT(script.token_digests, ElementsAre(std::string(32, '\xaa')));
  EXPECT_EQ(script.subjects[0].subject, "system:serviceaccount:a:b");
  EXPECT_EQ(script.limits.requests_per_second, 2.5);
  EXPECT_EQ(script.limits.open_streams, 7);
  EXPECT_EQ(script.limits.unfinished_videos, 9);
  EXPECT_EQ(farm.limits.unfinished_videos, 0);
  EXPECT_EQ(farm.limits.open_streams, 1'000);
  EXPECT_EQ(config.callers.issuers[0].jwks_file, "jwks.json");
  EXPECT_EQ(config.connections.max_age, absl::Minutes(30));
  EXPECT_EQ(config.connections.max_concurrent_streams, 5);
  EXPECT_EQ(config.connections.keepalive_timeout, absl::Seconds(20));
}

TEST_F(ConfigTest, CallersThatAreWrong) {
  const std::string hash(64, 'a');
  const auto faults = [&](absl::string_view callers) {
    return Faults(absl::StrCat(kSmallest, "callers: [", callers, "]"));
  };
  EXPECT_THAT(faults("{id: a, roles: [READER]}"),
              HasSubstr("callers[0]: has nothing to be known by"));
  EXPECT_THAT(faults(absl::StrCat("{id: a, token_sha256: [", hash, "]}")),
              HasSubstr("callers[0].roles: is missing"));
  EXPECT_THAT(faults(absl::StrCat("{roles: [READER], token_sha256: [", hash, "]}")),
              HasSubstr("callers[0].id: is missing"));
  EXPECT_THAT(faults(absl::StrCat("{id: A b, roles: [READER], token_sha256: [", hash, "]}")),
              HasSubstr("callers[0].id: is not an id"));
  EXPECT_THAT(
      faults(absl::StrCat("{id: a, tenant: \"\", roles: [READER], token_sha256: [", hash, "]}")),
      HasSubstr("callers[0].tenant: is not an id"));
  EXPECT_THAT(faults("{id: a, roles: [KING], token_sha256: []}"), HasSubstr("callers[0].roles"));
  // Whoever writes the token itself must not find it in a log.
  EXPECT_THAT(
      faults("{id: a, roles: [READER], token_sha256: [hunter2]}"),
      AllOf(HasSubstr("callers[0].token_sha256[0]: is no SHA-256"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(faults("{id: a, roles: [READER], certificates: [x.example]}"),
              HasSubstr("callers[0].certificates[0]: needs tls.client_ca"));
  EXPECT_THAT(faults("{id: a, roles: [READER], jwts: [{issuer: \"https://x\", subject: s}]}"),
              HasSubstr("callers[0].jwts[0].issuer: is not one of jwt_issuers"));
  EXPECT_THAT(faults(absl::StrCat("{id: a, roles: [READER], token_sha256: [", hash,
                                  "]}, {id: b, roles: [READER], token_sha256: [", hash, "]}")),
              HasSubstr("callers[1].token_sha256[0]: is the same as callers[0].token_sha256[0]"));
  EXPECT_THAT(faults(absl::StrCat("{id: a, roles: [READER], providers: [nope], token_sha256: [",
                                  hash, "]}")),
              HasSubstr("callers[0].providers[0]: \"nope\" is not the id of a provider"));
  EXPECT_THAT(faults(absl::StrCat("{id: a, roles: [READER], limits: {open_streams: 0}, "
                                  "token_sha256: [",
                                  hash, "]}")),
              HasSubstr("callers[0].limits.open_streams: 0 is not between 1 and 1000000"));
  EXPECT_THAT(
      Faults(absl::StrCat(kSmallest, "jwt_issuers: [{issuer: i, audiences: [a], jwks_file: f}]")),
      HasSubstr("jwt_issuers: is of no use without callers"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "jwt_issuers: [{issuer: i, jwks_file: f}]")),
              HasSubstr("jwt_issuers[0].audiences: is missing"));
}

TEST_F(ConfigTest, KeysOfIssuersThatAreFetched) {
  WriteTls("a.crt", "a.key", "ca.crt");
  files_["token"] = "abc\n";
  files_["empty"] = " \n";
  const auto with = [&](absl::string_view issuers) {
    return absl::StrCat(kSmallest, "callers: [{id: a, roles: [READER], token_sha256: [",
                        std::string(64, 'a'), "]}]\njwt_issuers: [", issuers, "]\n");
  };
  const Config config =
      Good(with("{issuer: \"https://one.example\", audiences: [a]}, "
                "{issuer: two, audiences: [a], jwks_url: \"https://k.example/jwks?p=1\", "
                "ca_file: ca.crt, token_file: token}, "
                "{issuer: three, audiences: [a], jwks_url: \"http://127.0.0.1:1/jwks\"}"));
  EXPECT_TRUE(config.callers.issuers[0].fetched());
  EXPECT_EQ(config.callers.issuers[1].jwks_url, "https://k.example/jwks?p=1");
  EXPECT_EQ(config.callers.issuers[1].ca_file, "ca.crt");
  EXPECT_EQ(config.callers.issuers[1].ca, files_["ca.crt"]);
  EXPECT_EQ(config.callers.issuers[1].token_file, "token");
  EXPECT_EQ(config.callers.issuers[1].token.Reveal(), "abc");

  const auto faults = [&](absl::string_view more) {
    return Faults(with(absl::StrCat("{issuer: i, audiences: [a], ", more, "}")));
  };
  EXPECT_THAT(faults("jwks_url: \"http://k.example/\""),
              HasSubstr("jwt_issuers[0].jwks_url: begins with http://"));
  EXPECT_THAT(faults("jwks_url: \"http://127.0.0.1.k.example/\""), HasSubstr("http://"));
  EXPECT_THAT(faults("jwks_url: \"https://u:hunter2@k.example/\""),
              AllOf(HasSubstr("jwks_url: holds an @"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(faults("jwks_url: \"https://k.example/\", jwks_file: f"),
              HasSubstr("jwks_url: is of no use beside jwks_file"));
  EXPECT_THAT(faults("jwks_file: f, ca_file: ca.crt"),
              HasSubstr("ca_file: is for keys that are fetched"));
  EXPECT_THAT(faults(""), HasSubstr("jwt_issuers[0].issuer: is no URL"));
  const auto fetched = [&](absl::string_view more) {
    return faults(absl::StrCat("jwks_url: \"https://k.example/\", ", more));
  };
  EXPECT_THAT(fetched("ca_file: token"),
              HasSubstr("ca_file: the file that it names holds no whole certificate"));
  EXPECT_THAT(fetched("ca_file: nowhere"),
              HasSubstr("ca_file: the file that it names does not exist"));
  EXPECT_THAT(fetched("token_file: empty"),
              HasSubstr("token_file: the file that it names is empty"));
}

TEST_F(ConfigTest, KeysOfAnIssuerAreFetchedThroughAProxyThatIsNamed) {
  variables_["https_proxy"] = "http://environment.example:1";
  variables_["PROXY_USER"] = "me:word";
  const auto with = [&](absl::string_view more) {
    return absl::StrCat(
        kSmallest, "callers: [{id: a, roles: [READER], token_sha256: [", std::string(64, 'a'),
        "]}]\njwt_issuers: [{issuer: \"https://one.example\", audiences: [a]", more, "}]\n");
  };
  EXPECT_EQ(Good(with("")).callers.issuers[0].egress.proxy, "");
  EXPECT_EQ(Good(with(", proxy: environment")).callers.issuers[0].egress.proxy,
            "http://environment.example:1");
  const Config config =
      Good(with(", proxy: \"http://p.example:3128\", proxy_credential: {env: PROXY_USER}"));
  EXPECT_EQ(config.callers.issuers[0].egress.proxy, "http://p.example:3128");
  EXPECT_EQ(config.callers.issuers[0].egress.proxy_credential.Reveal(), "me:word");
  EXPECT_EQ(config.fields.count("jwt_issuers[https://one.example].proxy_credential"), 1u);
  for (const auto& [path, text] : config.fields) EXPECT_THAT(text, Not(HasSubstr("me:word")));

  EXPECT_THAT(Faults(with(", proxy_credential: {env: PROXY_USER}")),
              HasSubstr("jwt_issuers[0].proxy_credential: is of no use without proxy"));
  EXPECT_THAT(Faults(with(", proxy: \"http://me:LEAKED@p.example:1\"")),
              AllOf(HasSubstr("jwt_issuers[0].proxy: holds an @"), Not(HasSubstr("LEAKED"))));
  EXPECT_THAT(Faults(with(", jwks_url: \"http://127.0.0.1/\", proxy: \"http://p.example:1\"")),
              HasSubstr("jwt_issuers[0].proxy: is of no use for an address of this machine"));
  EXPECT_THAT(Faults(with(", jwks_file: f, proxy: \"http://p.example:1\"")),
              HasSubstr("jwt_issuers[0].proxy: is for keys that are fetched"));
}

TEST_F(ConfigTest, AStoreInPostgres) {
  Config config = Good(absl::StrCat(
      kSmallest,
      "store: {postgres: {uri: \"postgresql://gw@db:5433/assets\"}, max_changes: 5000}"));
  EXPECT_EQ(config.postgres_uri.Reveal(), "postgresql://gw@db:5433/assets");
  EXPECT_EQ(config.drain_delay, absl::Seconds(5));
  EXPECT_EQ(config.sqlite_path, "");
  EXPECT_EQ(config.lease_duration, absl::Seconds(15));
  EXPECT_EQ(config.retention.max_changes, 5000);
  variables_["DATABASE_URL"] = "postgresql://gw:se%63ret@db/assets";
  config = Good(
      absl::StrCat(kSmallest, "store: {postgres: {uri: {env: DATABASE_URL}, lease_duration: 5s}}"));
  EXPECT_EQ(config.postgres_uri.Reveal(), "postgresql://gw:se%63ret@db/assets");
  EXPECT_EQ(config.lease_duration, absl::Seconds(5));
}

TEST_F(ConfigTest, ConnectionStringsThatAreWrongOrWouldTellAPassword) {
  const auto faults = [&](absl::string_view store) {
    std::string said = Faults(absl::StrCat(kSmallest, "store: ", store));
    EXPECT_THAT(said, Not(HasSubstr("hunter2"))) << store;
    return said;
  };
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://gw:hunter2@db/x\"}}"),
              AllOf(HasSubstr("store.postgres.uri: holds a password"),
                    HasSubstr("{env: NAME} or {file: PATH}")));
  EXPECT_THAT(faults("{postgres: {uri: \"host=db password=hunter2\"}}"),
              HasSubstr("holds a password"));
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://gw:hunter2%zz@db/x\"}}"),
              HasSubstr("is no connection string"));
  EXPECT_THAT(faults("{postgres: {uri: {text: \"host=db password=hunter2\"}}}"),
              HasSubstr("holds a password"));
  variables_["BAD"] = "nonsense-hunter2";
  EXPECT_THAT(faults("{postgres: {uri: {env: BAD}}}"), HasSubstr("is no connection string"));
  EXPECT_THAT(faults("{postgres: {uri: {env: NOT_THERE}}}"),
              HasSubstr("environment variable NOT_THERE is not set"));
  EXPECT_THAT(faults("{postgres: {uri: {env: KEY, file: /x}}}"), HasSubstr("names both"));
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://db/x\", lease_duration: 4s}}"),
              HasSubstr("store.postgres.lease_duration: 4s is not between 5s and 5m"));
  EXPECT_THAT(faults("{postgres: {}}"), HasSubstr("store.postgres.uri: is missing"));
  EXPECT_THAT(faults("{postgres: {uri: [hunter2]}}"), HasSubstr("store.postgres.uri: "));
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://db/x\"}, sqlite: {path: x.db}}"),
              HasSubstr("store: names both sqlite and postgres"));
}

TEST_F(ConfigTest, FilesThatAreNoConfig) {
  EXPECT_EQ(Load("/nowhere/assetgate.yaml", environment_).status().message(),
            "/nowhere/assetgate.yaml:1: the file does not exist");
  EXPECT_THAT(std::string(Load("/dev/zero", environment_).status().message()),
              HasSubstr("is a device; name a regular file"));
  EXPECT_THAT(Faults(std::string(2'000'000, ' ')), HasSubstr("larger than 1048576 bytes"));
}

}  // namespace
}  // namespace assetgate::config
