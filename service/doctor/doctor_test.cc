#include "doctor/doctor.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "doctor/port.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/curl_client.h"
#include "http/testing/scripted_server.h"
#include "providers/dialects.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::doctor {
namespace {

using http::testing::Certificate;
using http::testing::Connection;
using http::testing::ScriptedServer;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using Verdict = Finding::Verdict;

constexpr char kKey[] = "sk-3f9b7c51d2a84e60";

// A config in a temporary directory, and the doctor's findings about it.
class DoctorTest : public testing::Test {
 protected:
  DoctorTest() {
    environment_.dialects = providers::AllDialects();
    environment_.getenv = [this](const std::string& name) -> std::optional<std::string> {
      if (name == "KEY") return key_;
      if (name == "OTHER_KEY") return std::string("sk-another-4711-0815");
      return std::nullopt;
    };
    options_.ca_file = directory_.path() + "/ca.pem";
    certificate_.WriteTo(options_.ca_file);
  }

  // A config with one provider, at `base_url`.
  std::string Config(const std::string& dialect, const std::string& base_url,
                     const std::string& more = "") {
    return absl::StrCat("listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\n",
                        "store: {sqlite: {path: ", directory_.path(), "/gate.db}}\n",
                        "providers:\n  - {id: one, dialect: ", dialect, ", base_url: \"", base_url,
                        "\", credential: {api_key: {env: KEY}}", more, "}\n", "routes: []\n");
  }
  std::vector<Finding> Examine(const std::string& config) {
    const std::string path = directory_.path() + "/assetgate.yaml";
    std::ofstream(path) << config;
    std::vector<Finding> findings;
    http::CurlClient http(options_, clock_);
    passed_ = doctor::Examine(path, {environment_, http, clock_},
                              [&](const Finding& finding) { findings.push_back(finding); });
    for (const Finding& finding : findings) {
      EXPECT_THAT(finding.detail, Not(HasSubstr(key_))) << "a key is never shown";
      EXPECT_TRUE(finding.verdict == Verdict::kOk || finding.what == "config" ||
                  finding.what == "store" || !finding.remedy.empty())
          << finding.what << ": " << finding.detail;
    }
    return findings;
  }
  // The finding about `what`.
  static Finding Of(const std::vector<Finding>& findings, absl::string_view what) {
    for (const Finding& finding : findings) {
      if (finding.what == what) return finding;
    }
    ADD_FAILURE() << "no finding about " << what;
    return {};
  }

  store::sqlite::TemporaryDirectory directory_;
  config::Environment environment_;
  std::string key_ = kKey;
  const base::SystemClock clock_;
  const Certificate certificate_ = Certificate::SelfSigned();
  http::CurlClientOptions options_;
  bool passed_ = false;
};

ScriptedServer::Script Answering(int status, std::string body, std::string headers = "") {
  return [=](Connection& connection) {
    while (connection.ReadRequest().has_value()) connection.Respond(status, body, headers);
  };
}

TEST_F(DoctorTest, KeysOfIssuersAreFetchedOnce) {
  // RFC 7517, appendix A.1.
  const std::string keys = R"({"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig",)"
                           R"("x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",)"
                           R"("y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]})";
  ScriptedServer good(Answering(200, keys), {.certificate = certificate_});
  ScriptedServer bad(Answering(403, "forbidden"), {.certificate = certificate_});
  const auto findings = Examine(absl::StrCat(
      Config("apiframe", good.url()), "callers: [{id: a, roles: [READER], token_sha256: [",
      std::string(64, 'a'), "]}]\njwt_issuers:\n",
      "  - {issuer: good, audiences: [a], jwks_url: \"", good.url(), "/jwks\", ca_file: \"",
      options_.ca_file, "\"}\n", "  - {issuer: \"", bad.url(), "\", audiences: [a]}\n"));
  EXPECT_FALSE(passed_);
  EXPECT_EQ(Of(findings, "issuer good: keys").detail, "can be fetched: 1 for signatures");
  const Finding wrong = Of(findings, absl::StrCat("issuer ", bad.url(), ": keys"));
  EXPECT_EQ(wrong.verdict, Verdict::kFailed);
  EXPECT_THAT(wrong.detail, HasSubstr("/.well-known/openid-configuration: was answered HTTP 403"));
  EXPECT_THAT(wrong.remedy, HasSubstr("set jwks_url"));
}

TEST_F(DoctorTest, AHealthyConfigPassesAndNoFileIsCreated) {
  ScriptedServer server(Answering(200, "{}"), {.certificate = certificate_});
  const auto findings = Examine(Config("apiframe", server.url()));
  EXPECT_TRUE(passed_);
  EXPECT_THAT(Of(findings, "provider one: secret api_key").detail,
              HasSubstr("from environment variable KEY, 19 characters"));
  EXPECT_THAT(Of(findings, "store").detail, HasSubstr("does not exist yet"));
  EXPECT_THAT(Of(findings, "port listen").detail, HasSubstr("the system chooses a free one"));
  EXPECT_THAT(Of(findings, "provider one: host").detail,
              HasSubstr("its certificate is valid until"));
  EXPECT_THAT(Of(findings, "provider one: key").detail, HasSubstr("is accepted"));
  // One harmless call, and no file for a store.
  ASSERT_THAT(server.requests(), SizeIs(1));
  EXPECT_EQ(server.requests()[0].method, "GET");
  EXPECT_EQ(server.requests()[0].path, "/me");
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(directory_.path())) {
    files.push_back(file.path().filename().string());
  }
  EXPECT_THAT(files, testing::UnorderedElementsAre("assetgate.yaml", "ca.pem"));
}

TEST_F(DoctorTest, EveryFaultOfTheConfigIsALine) {
  const auto findings = Examine("listen: nowhere\ncolour: red\n");
  EXPECT_FALSE(passed_);
  EXPECT_THAT(findings, Each(Field(&Finding::verdict, Verdict::kFailed)));
  EXPECT_THAT(findings, Each(Field(&Finding::what, "config")));
  EXPECT_GE(findings.size(), 3u);
}

TEST_F(DoctorTest, TheAccountsCreditIsShownWhereTheProviderReportsIt) {
  {
    ScriptedServer server(
        Answering(200, R"({"user":{},"team":{"credits":1250,"maxConcurrentJobs":4},"apiKey":{}})"));
    EXPECT_THAT(Of(Examine(Config("apiframe", server.url())), "provider one: key").detail,
                HasSubstr("its account has 1250 credits left"));
  }
  {
    ScriptedServer server(
        Answering(200, R"({"balance":99,"remaining":14.16,"isValid":true,"unit":"USD"})"));
    EXPECT_THAT(Of(Examine(Config("zerozero", server.url())), "provider one: key").detail,
                HasSubstr("its account has 14.16 USD left"));
    EXPECT_EQ(server.requests().at(0).path, "/usage");
  }
  {
    ScriptedServer server(
        Answering(200, R"({"balance":0,"remaining":0,"isValid":true,"unit":"USD"})"));
    const Finding key = Of(Examine(Config("zerozero", server.url())), "provider one: key");
    EXPECT_EQ(key.verdict, Verdict::kFailed);
    EXPECT_THAT(key.detail, HasSubstr("no credit"));
  }
  {
    ScriptedServer server(Answering(200, R"({"isValid":false})"));
    const Finding key = Of(Examine(Config("zerozero", server.url())), "provider one: key");
    EXPECT_EQ(key.verdict, Verdict::kFailed);
    EXPECT_THAT(key.detail, HasSubstr("is rejected"));
  }
}

TEST_F(DoctorTest, UsesTheProxyAndHeadersOfTheConfig) {
  // Accepts a CONNECT, and also acts as the provider behind it.
  ScriptedServer proxy([](Connection& connection) {
    if (!connection.ReadRequest().has_value()) return;
    connection.Write("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.ReadRequest().has_value()) connection.Respond(404, "");
  });
  const auto findings =
      Examine(Config("kyy", "http://provider.invalid",
                     absl::StrCat(", allow_insecure_http: true, proxy: \"", proxy.url(),
                                  "\", headers: {User-Agent: studio/1}")));
  EXPECT_THAT(Of(findings, "provider one: host").detail,
              HasSubstr(absl::StrCat("through the proxy ", proxy.url())));
  ASSERT_THAT(proxy.requests(), SizeIs(2));
  EXPECT_EQ(http::Response{.headers = proxy.requests()[1].headers}.HeaderValue("User-Agent"),
            "studio/1");
}

TEST_F(DoctorTest, ATimeoutThatIsTooShortIsAWarning) {
  ScriptedServer server(Answering(404, ""));
  const Finding timeout = Of(Examine(Config("kyy", server.url(), ", timeout: 60s")),
                             "provider one: timeouts.submit_asset");
  EXPECT_EQ(timeout.verdict, Verdict::kWarning);
  EXPECT_THAT(timeout.detail, HasSubstr("known to take up to 2m30s"));
  for (const Finding& finding : Examine(Config("kyy", server.url()))) {
    EXPECT_NE(finding.what, "provider one: timeouts.submit_asset")
        << "the dialect's own timeout applies";
  }
}

TEST_F(DoctorTest, ARejectedKeyAndMissingCreditFail) {
  {
    // The provider echoes the key.
    ScriptedServer server(Answering(401, absl::StrCat("bad key ", kKey)));
    const Finding key = Of(Examine(Config("zerozero", server.url())), "provider one: key");
    EXPECT_FALSE(passed_);
    EXPECT_EQ(key.verdict, Verdict::kFailed);
    EXPECT_THAT(key.detail, HasSubstr("is rejected (HTTP 401: bad key [secret])"));
  }
  {
    ScriptedServer server(Answering(402, "no credit"));
    const Finding key = Of(Examine(Config("apiframe", server.url())), "provider one: key");
    EXPECT_EQ(key.verdict, Verdict::kFailed);
    EXPECT_THAT(key.detail, HasSubstr("no credit"));
  }
  {
    ScriptedServer server(Answering(503, "later"));
    const Finding key = Of(Examine(Config("apiframe", server.url())), "provider one: key");
    EXPECT_TRUE(passed_) << "a 503 says nothing about the key";
    EXPECT_EQ(key.verdict, Verdict::kWarning);
  }
}

TEST_F(DoctorTest, AKeyThatCannotBeCheckedIsNotSent) {
  for (const char* dialect : {"kyy", "octopusx"}) {
    ScriptedServer server(Answering(404, "nothing here"));
    const auto findings = Examine(Config(dialect, server.url()));
    EXPECT_TRUE(passed_) << dialect;
    EXPECT_THAT(Of(findings, "provider one: host").detail, HasSubstr("answers (HTTP 404)"));
    EXPECT_THAT(Of(findings, "provider one: key").detail, HasSubstr("not checked"));
    ASSERT_THAT(server.requests(), SizeIs(1));
    const http::Request seen = server.requests()[0];
    for (const http::Header& header : seen.headers) {
      EXPECT_THAT(header.value, Not(HasSubstr(kKey)));
    }
  }
}

TEST_F(DoctorTest, AProviderInModeOffIsNotCalled) {
  ScriptedServer server(Answering(200, "{}"));
  Examine(Config("apiframe", server.url(), ", mode: OFF"));
  EXPECT_TRUE(passed_);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(DoctorTest, ReportsTheStepAtWhichTheConnectionFails) {
  std::string refused;
  {
    ScriptedServer gone(Answering(200, ""));
    refused = gone.url();
  }
  EXPECT_THAT(Of(Examine(Config("kyy", refused)), "provider one: host").detail,
              HasSubstr("no connection (TCP)"));
  EXPECT_FALSE(passed_);
  ScriptedServer untrusted(Answering(200, ""), {.certificate = Certificate::SelfSigned()});
  EXPECT_THAT(Of(Examine(Config("kyy", untrusted.url())), "provider one: host").detail,
              HasSubstr("no trusted channel (TLS)"));
  EXPECT_THAT(Of(Examine(Config("kyy", "https://nowhere.invalid/x")), "provider one: host").detail,
              HasSubstr("DNS"));
}

TEST_F(DoctorTest, AWrongClockIsAWarning) {
  const auto date_of = [](absl::Time time) {
    return absl::FormatTime("Date: %a, %d %b %E4Y %H:%M:%S GMT\r\n", time, absl::UTCTimeZone());
  };
  ScriptedServer right(Answering(404, "", date_of(clock_.Now())));
  EXPECT_EQ(Of(Examine(Config("kyy", right.url())), "provider one: clock").verdict, Verdict::kOk);
  ScriptedServer ahead(Answering(404, "", date_of(clock_.Now() + absl::Minutes(10))));
  const Finding clock = Of(Examine(Config("kyy", ahead.url())), "provider one: clock");
  EXPECT_EQ(clock.verdict, Verdict::kWarning);
  EXPECT_THAT(clock.detail, HasSubstr("behind the provider's"));
  EXPECT_TRUE(passed_);
}

TEST_F(DoctorTest, ASuspiciousSecretIsAWarningAndIsNotShown) {
  ScriptedServer server(Answering(404, ""));
  for (const char* odd : {"\"sk-3f9b7c51d2a84e60\"", "changeme-please", "<your-key>", "shortkey"}) {
    key_ = odd;
    const Finding secret = Of(Examine(Config("kyy", server.url())), "provider one: secret api_key");
    EXPECT_EQ(secret.verdict, Verdict::kWarning) << odd;
  }
  key_ = "Bearer sk-3f9b7c51d2a84e60";
  EXPECT_EQ(Of(Examine(Config("kyy", server.url())), "config").verdict, Verdict::kFailed);
}

TEST_F(DoctorTest, TheStoreOfARunningGatewayIsNotChanged) {
  ScriptedServer server(Answering(404, ""));
  const std::string config = Config("kyy", server.url());
  store::SqliteStore::Options options;
  options.path = directory_.path() + "/gate.db";
  options.clock = &clock_;
  auto open = store::SqliteStore::Open(options);
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_THAT(Of(Examine(config), "store").detail,
              HasSubstr(absl::StrCat("a gateway uses it, process ", ::getpid())));
  EXPECT_TRUE(passed_);
  open->reset();

  const auto written = std::filesystem::last_write_time(options.path);
  EXPECT_THAT(Of(Examine(config), "store").detail, HasSubstr("schema version 1, not in use"));
  EXPECT_EQ(std::filesystem::last_write_time(options.path), written);
  EXPECT_FALSE(std::filesystem::exists(options.path + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(options.path + "-shm"));
  // The checks leave no lock behind.
  EXPECT_TRUE(store::SqliteStore::Open(options).ok());
}

TEST_F(DoctorTest, AStoreThatCannotBeOpenedFails) {
  ScriptedServer server(Answering(404, ""));
  const std::string config = Config("kyy", server.url());
  std::ofstream(directory_.path() + "/gate.db") << "this is not a database";
  const Finding store = Of(Examine(config), "store");
  EXPECT_EQ(store.verdict, Verdict::kFailed);
  EXPECT_THAT(store.detail, HasSubstr("not a SQLite database"));
  EXPECT_FALSE(passed_);
}

TEST_F(DoctorTest, ReportsAGatewayThatRejectedItsConfig) {
  const auto with = [&](const ScriptedServer& admin) {
    return absl::StrReplaceAll(Config("kyy", "https://nowhere.invalid"),
                               {{"admin: {listen: 127.0.0.1:0}",
                                 absl::StrCat("admin: {listen: \"127.0.0.1:", admin.port(), "\"}")},
                                {"{id: one,", "{id: one, mode: OFF,"}});
  };
  const std::string time = "assetgate_config_last_reload_success_timestamp_seconds 1800000000\n";
  {
    ScriptedServer admin(Answering(200, "assetgate_config_last_reload_successful 0\n" + time));
    const Finding refused = Of(Examine(with(admin)), "current config");
    EXPECT_FALSE(passed_);
    EXPECT_EQ(refused.verdict, Verdict::kFailed);
    EXPECT_THAT(refused.detail, HasSubstr("read at 2027-01-15T08:00:00+00:00"));
    EXPECT_THAT(refused.remedy, HasSubstr("config rejected"));
    EXPECT_EQ(admin.requests().at(0).path, "/metrics");
  }
  {
    ScriptedServer admin(Answering(200, "assetgate_config_last_reload_successful 1\n" + time));
    EXPECT_EQ(Of(Examine(with(admin)), "current config").verdict, Verdict::kOk);
    EXPECT_TRUE(passed_);
  }
  // Another program on the port is not a gateway.
  ScriptedServer other(Answering(404, "not found"));
  for (const Finding& finding : Examine(with(other))) EXPECT_NE(finding.what, "current config");
}

// Uses a port of 127.0.0.1 that this process itself listens on.
TEST_F(DoctorTest, NamesTheProcessThatUsesAPort) {
  ScriptedServer server(Answering(404, ""));
  EXPECT_TRUE(absl::IsAlreadyExists(TryPort({"127.0.0.1", server.port()})));
  const auto listener = ListenerOn(server.port());
  ASSERT_TRUE(listener.has_value());
  EXPECT_EQ(listener->id, ::getpid());
  EXPECT_EQ(listener->name, NameOf(::getpid()));
  EXPECT_TRUE(TryPort({"127.0.0.1", 0}).ok());
  EXPECT_FALSE(TryPort({"192.0.2.1", 0}).ok()) << "not an address of this host";
  EXPECT_FALSE(ListenerOn(1).has_value());
}

}  // namespace
}  // namespace assetgate::doctor
