#include "config/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/catalog_of.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kConfig[] = R"(listen: 127.0.0.1:1000
providers:
  - {id: east, dialect: fake, credential: {api_key: {env: KEY}}, limits: {max_in_flight: 3}}
  - {id: west, dialect: fake, credential: {api_key: {file: /run/west}}, credential_id: west-1}
asset_providers: [west]
routes:
  - {model: m, targets: [{provider: west, model: small}, {provider: east, model: big}]}
  - {model: n, targets: [{provider: east, model: big}]}
)";

class ReloadTest : public ConfigTest {
 protected:
  ReloadTest() {
    environment_.dialects.push_back(&kOther);
    files_["/run/west"] = "sk-western";
  }

  // kConfig, with other words in the place of some.
  static std::string With(const std::map<std::string, std::string>& words) {
    std::vector<std::pair<std::string, std::string>> replaced;
    for (const auto& [from, to] : words) {
      EXPECT_THAT(std::string(kConfig), HasSubstr(from));
      replaced.emplace_back(from, to);
    }
    return absl::StrReplaceAll(kConfig, replaced);
  }

  // What becomes of kConfig with `next` after it.
  Reload After(const std::string& next) { return Between(kConfig, next); }
  Reload Between(const std::string& in_force, const std::string& next) {
    const Config former = Good(in_force);
    absl::StatusOr<Reload> reload = PlanReload(former, Good(next));
    EXPECT_TRUE(reload.ok()) << reload.status();
    return reload.ok() ? *std::move(reload) : Reload{};
  }
};

TEST_F(ReloadTest, CommentsAndOrderChangeNothing) {
  const Reload reload = After(absl::StrCat(
      "# another comment\n",
      absl::StrReplaceAll(kConfig,
                          {{"  - {id: east, dialect: fake, credential: {api_key: {env: KEY}}, "
                            "limits: {max_in_flight: 3}}\n",
                            ""},
                           {"asset_providers:",
                            "  - {id: east, dialect: fake, credential: {api_key: {env: KEY}}, "
                            "limits: {max_in_flight: 3}}\nasset_providers:"}})));
  EXPECT_THAT(reload.changed, IsEmpty());
  EXPECT_THAT(reload.at_restart, IsEmpty());
}

TEST_F(ReloadTest, ChangedFieldsAreNamedAndInForce) {
  const Reload reload = After(absl::StrCat(
      With({{"max_in_flight: 3}", "max_in_flight: 4, requests_per_second: 2}, mode: DRAIN"},
            {"asset_providers: [west]", "asset_providers: [west, east]"},
            {"{provider: west, model: small}, ", "{provider: west, model: big, weight: 3}, "}}),
      "tracking: {max_poll: 7s}\nsubmit_timeout: 3m\nshutdown_timeout: 4s\n"));
  EXPECT_THAT(
      reload.changed,
      ElementsAre("asset_providers", "providers[east].limits.max_in_flight",
                  "providers[east].limits.requests_per_second", "providers[east].mode",
                  "routes[m].targets", "shutdown_timeout", "submit_timeout", "tracking.max_poll"));
  EXPECT_THAT(reload.at_restart, IsEmpty());
  const model::CatalogPtr catalog = CatalogOf(reload.config);
  EXPECT_EQ(catalog->FindProvider("east")->mode, v1::Provider::DRAIN);
  EXPECT_EQ(catalog->FindProvider("east")->limits.max_in_flight, 4);
  EXPECT_EQ(catalog->FindProvider("west")->video_polling.ceiling, absl::Seconds(7));
  EXPECT_EQ(catalog->settings().submit_timeout, absl::Minutes(3));
  EXPECT_THAT(catalog->asset_providers(), ElementsAre("west", "east"));
  EXPECT_EQ(catalog->FindModel("m")->targets.at(0).weight, 3);
  EXPECT_EQ(reload.config.shutdown_timeout, absl::Seconds(4));
}

TEST_F(ReloadTest, EgressAndSlotsChangeWithoutARestart) {
  files_["/run/proxy"] = "me:word";
  const std::string next =
      With({{"limits: {max_in_flight: 3}",
             "limits: {max_in_flight: 3}, headers: {User-Agent: studio/1}, timeouts: {poll: 5s}, "
             "proxy: \"http://proxy.example:3128\", proxy_credential: {file: /run/proxy}, "
             "slots: {default: 3, models: {big: 2}}"}});
  const Reload reload = After(next);
  EXPECT_THAT(reload.changed,
              ElementsAre("providers[east].headers.User-Agent", "providers[east].proxy",
                          "providers[east].proxy_credential",
                          "providers[east].proxy_credential.file", "providers[east].slots.default",
                          "providers[east].slots.models.big", "providers[east].timeouts.poll"));
  EXPECT_THAT(reload.at_restart, IsEmpty());
  const model::CatalogPtr catalog = CatalogOf(reload.config);
  EXPECT_EQ(catalog->FindProvider("east")->slots.For("big"), 2);
  const Config before = Good(next);
  files_["/run/proxy"] = "me:another";
  const auto rotated = PlanReload(before, Good(next));
  ASSERT_TRUE(rotated.ok());
  EXPECT_THAT(rotated->changed, ElementsAre("providers[east].proxy_credential"));
}

TEST_F(ReloadTest, ChangedSecretIsNamedByItsIdAndNotShown) {
  const Config before = Good(kConfig);
  files_["/run/west"] = "sk-following";
  absl::StatusOr<Reload> reload = PlanReload(before, Good(kConfig));
  ASSERT_TRUE(reload.ok()) << reload.status();
  EXPECT_THAT(reload->changed, ElementsAre("providers[west].credential.api_key (west-1)"));
  EXPECT_EQ(reload->config.providers[1]->credential.secrets.at("api_key").Reveal(), "sk-following");
  for (const auto& [path, text] : reload->config.fields) {
    EXPECT_THAT(path + text, Not(HasSubstr("sk-")));
  }

  const Reload rotated =
      After(With({{"{file: /run/west}}, credential_id: west-1",
                   "{env: OLD_KEY}}, credential_id: west-2, previous_credential: {api_key: {file: "
                   "/run/west}}, previous_credential_id: west-1"}}));
  EXPECT_THAT(rotated.changed, ElementsAre("providers[west].credential.api_key (west-2)",
                                           "providers[west].credential_id (west-2)",
                                           "providers[west].previous_credential.api_key (west-1)",
                                           "providers[west].previous_credential_id (west-1)"));
  EXPECT_THAT(rotated.at_restart, IsEmpty());
}

TEST_F(ReloadTest, FieldsThatNeedARestartStayAndTheRestChanges) {
  WriteTls("c", "k", "ca");
  const std::string next = absl::StrCat(
      With({{"127.0.0.1:1000", "127.0.0.1:2000"}, {"max_in_flight: 3", "max_in_flight: 9"}}),
      "store: {sqlite: {path: other.db}}\nlog: {format: TEXT}\n"
      "tls: {certificate: c, key: k}\nadmin: {listen: 127.0.0.1:3}\n");
  const Reload reload = After(next);
  EXPECT_THAT(reload.changed, ElementsAre("providers[east].limits.max_in_flight"));
  EXPECT_THAT(reload.at_restart, ElementsAre("admin.listen", "listen", "log.format",
                                             "store.sqlite.path", "tls.certificate", "tls.key"));
  EXPECT_EQ(reload.config.listen.port, 1000);
  EXPECT_EQ(reload.config.store.sqlite_path, "assetgate.db");
  EXPECT_FALSE(reload.config.tls.has_value());
  EXPECT_EQ(reload.config.providers[0]->limits.max_in_flight, 9);
  // Said again as long as it is so, and not when it is taken back.
  absl::StatusOr<Reload> again = PlanReload(reload.config, Good(next));
  EXPECT_THAT(again->changed, IsEmpty());
  EXPECT_THAT(again->at_restart, SizeIs(6));
  again = PlanReload(reload.config, Good(kConfig));
  EXPECT_THAT(again->changed, ElementsAre("providers[east].limits.max_in_flight"));
  EXPECT_THAT(again->at_restart, IsEmpty());
}

TEST_F(ReloadTest, LogLevelChangesAtOnceAndLogFormatAtARestart) {
  const Reload reload = After(absl::StrCat(kConfig, "log: {level: DEBUG, format: TEXT}\n"));
  EXPECT_THAT(reload.changed, ElementsAre("log.level"));
  EXPECT_THAT(reload.at_restart, ElementsAre("log.format"));
  EXPECT_EQ(reload.config.log_level, base::LogLevel::kDebug);
  EXPECT_EQ(reload.config.log_format, base::LogFormat::kJson);
}

TEST_F(ReloadTest, ProviderIsAddedAtOnceAndRemovedAtARestart) {
  const std::string more =
      With({{"asset_providers: [west]",
             "  - {id: north, dialect: fake, credential: {api_key: {env: KEY}}}\nasset_providers: "
             "[north]"},
            {"routes:\n", "routes:\n  - {model: o, targets: [{provider: north, model: big}]}\n"}});
  const Reload added = After(more);
  EXPECT_THAT(added.changed,
              ElementsAre("asset_providers", "providers[north] (new)", "routes[o] (new)"));
  EXPECT_THAT(added.at_restart, IsEmpty());
  EXPECT_EQ(CatalogOf(added.config)->FindModel("o")->targets.at(0).provider->id, "north");

  const Reload removed = Between(more, kConfig);
  EXPECT_THAT(removed.changed, ElementsAre("asset_providers", "routes[o] (gone)"));
  EXPECT_THAT(removed.at_restart, ElementsAre("providers[north] (gone)"));
  // What is under way there is followed.
  EXPECT_NE(CatalogOf(removed.config)->FindProvider("north"), nullptr);
  EXPECT_FALSE(CatalogOf(removed.config)->FindModel("o").ok());
}

TEST_F(ReloadTest, NewDialectWaitsTogetherWithItsRoutes) {
  // `n` comes to be of another provider as well, and waits all the same: it names east.
  const Reload reload = After(With(
      {{"{id: east, dialect: fake", "{id: east, dialect: other"},
       {"[{provider: east, model: big}]",
        "[{provider: west, model: big}, {provider: east, model: small}]"},
       {"  - {model: m, targets: [{provider: west, model: small}, {provider: east, model: big}]}",
        "  - {model: m, targets: [{provider: west, model: big}]}\n"
        "  - {model: p, targets: [{provider: east, model: big}]}"}}));
  EXPECT_THAT(reload.changed, ElementsAre("routes[m].targets"));
  EXPECT_THAT(reload.at_restart,
              ElementsAre("providers[east].dialect", "routes[n].targets", "routes[p] (new)"));
  const model::CatalogPtr catalog = CatalogOf(reload.config);
  EXPECT_EQ(catalog->FindProvider("east")->dialect->traits().name, "fake");
  ASSERT_THAT(catalog->FindModel("n")->targets, SizeIs(1));
  EXPECT_EQ(catalog->FindModel("n")->targets[0].provider->id, "east");
  EXPECT_FALSE(catalog->FindModel("p").ok());
}

constexpr char kCallers[] =
    "callers:\n  - {id: farm, roles: [WRITER], token_sha256: "
    "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]}\n";

TEST_F(ReloadTest, ConfigThatLosesItsCallersIsRejected) {
  const Config former = Good(absl::StrCat(kConfig, kCallers));
  const auto reload = PlanReload(former, Good(With({{"max_in_flight: 3", "max_in_flight: 9"}})));
  ASSERT_FALSE(reload.ok());
  EXPECT_THAT(std::string(reload.status().message()), HasSubstr("callers: "));
  // The other way round it is what it says.
  EXPECT_THAT(After(absl::StrCat(kConfig, kCallers)).changed, ElementsAre("callers[farm] (new)"));
}

TEST_F(ReloadTest, CallersWithCertificatesWaitUntilClientsAreAskedForThem) {
  WriteTls("c", "k", "ca");
  const Reload reload = Between(
      absl::StrCat(kConfig, kCallers),
      absl::StrCat(kConfig,
                   "tls: {certificate: c, key: k, client_ca: ca}\n"
                   "callers:\n  - {id: farm, roles: [READER], certificates: [farm.example]}\n"));
  EXPECT_THAT(reload.changed, IsEmpty());
  EXPECT_THAT(reload.at_restart, ::testing::Contains("callers[farm].certificates"));
  EXPECT_THAT(reload.config.callers.callers[0].token_digests, SizeIs(1));
}

TEST_F(ReloadTest, NewCertificateIsReadFromAnyPath) {
  const std::string before = absl::StrCat(kConfig, "tls: {certificate: c, key: k}\n");
  WriteTls("c", "k", "ca");
  const std::string first = files_["c"];
  const Config in_force = Good(before);
  WriteTls("c", "k", "ca");
  absl::StatusOr<Reload> reload = PlanReload(in_force, Good(before));
  ASSERT_TRUE(reload.ok()) << reload.status();
  EXPECT_THAT(reload->changed, ElementsAre("tls.certificate", "tls.key"));
  EXPECT_THAT(reload->at_restart, IsEmpty());
  EXPECT_EQ(reload->config.tls->material.certificate, files_["c"]);
  for (const auto& [path, text] : reload->config.fields) {
    EXPECT_THAT(path + text, Not(HasSubstr("BEGIN")));
  }

  WriteTls("new.crt", "new.key", "new.ca");
  reload = PlanReload(in_force,
                      Good(absl::StrCat(kConfig, "tls: {certificate: new.crt, key: new.key}\n")));
  EXPECT_THAT(reload->changed, ElementsAre("tls.certificate", "tls.key"));
  EXPECT_EQ(reload->config.tls->certificate, "new.crt");

  // Whether clients are asked belongs to the port.
  reload = PlanReload(
      in_force, Good(absl::StrCat(kConfig, "tls: {certificate: c, key: k, client_ca: ca}\n")));
  EXPECT_THAT(reload->changed, IsEmpty());
  EXPECT_THAT(reload->at_restart, ElementsAre("tls.certificate", "tls.client_ca", "tls.key"));
  EXPECT_EQ(reload->config.tls->material.certificate, first);
}

TEST_F(ReloadTest, ExpiredCertificateInForceDoesNotBlockOtherChanges) {
  const std::string before = absl::StrCat(kConfig, "tls: {certificate: c, key: k}\n");
  WriteTls("c", "k", "ca");
  const Config in_force = Good(before);
  environment_.now = [] { return absl::Now() + absl::Hours(24 * 365 * 100); };
  // That in force is as good as it was: what else changes is taken.
  const Config later = Good(absl::StrCat(With({{"max_in_flight: 3", "max_in_flight: 9"}}),
                                         "tls: {certificate: c, key: k}\n"));
  EXPECT_THAT(std::string(CheckTimes(later).message()),
              AllOf(HasSubstr("f.yaml:"), HasSubstr("tls.certificate: the file that it names "
                                                    "expired at ")));
  const absl::StatusOr<Reload> reload = PlanReload(in_force, later);
  ASSERT_TRUE(reload.ok()) << reload.status();
  EXPECT_THAT(reload->changed, ElementsAre("providers[east].limits.max_in_flight"));
  WriteTls("c", "k", "ca");
  EXPECT_THAT(std::string(PlanReload(in_force, Good(before)).status().message()),
              HasSubstr("expired at "));
}

TEST_F(ReloadTest, ReaderNoticesEveryChangedFile) {
  files_["f.yaml"] = kConfig;
  Reader reader("f.yaml", environment_);
  ASSERT_TRUE(reader.Read().ok());
  EXPECT_FALSE(reader.Changed());
  // That of a secret, which the config only points to.
  files_["/run/west"] = "sk-following";
  EXPECT_TRUE(reader.Changed());
  EXPECT_EQ(reader.Read()->providers[1]->credential.secrets.at("api_key").Reveal(), "sk-following");
  EXPECT_FALSE(reader.Changed());
  // One that is not there is looked for until it is.
  files_["f.yaml"] = With({{"/run/west", "/run/later"}});
  EXPECT_TRUE(reader.Changed());
  EXPECT_FALSE(reader.Read().ok());
  EXPECT_FALSE(reader.Changed());
  files_["/run/later"] = "sk-later";
  EXPECT_TRUE(reader.Changed());
  EXPECT_TRUE(reader.Read().ok());
  // What is not named any more is not looked at.
  files_.erase("/run/west");
  EXPECT_FALSE(reader.Changed());
  files_.erase("f.yaml");
  EXPECT_TRUE(reader.Changed());
}

}  // namespace
}  // namespace assetgate::config
