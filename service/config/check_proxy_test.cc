#include "config/check_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using CheckProxyTest = ConfigTest;

TEST_F(CheckProxyTest, NoProxyIsUsedUnlessTheFileNamesIt) {
  variables_["https_proxy"] = "http://not-asked.example:1";
  EXPECT_EQ(GoodProvider("mode: SERVE").providers[0]->egress.proxy, "");
  for (const char* proxy :
       {"http://proxy.example:3128", "https://proxy.example:443", "socks5h://[::1]:1080"}) {
    EXPECT_EQ(GoodProvider(absl::StrCat("proxy: \"", proxy, "\"")).providers[0]->egress.proxy,
              proxy);
  }
  variables_["PROXY_USER"] = "me:word";
  const Config config =
      GoodProvider("proxy: http://proxy.example:3128\n  proxy_credential: {env: PROXY_USER}");
  EXPECT_EQ(config.providers[0]->egress.proxy_credential.Reveal(), "me:word");
}

TEST_F(CheckProxyTest, ProxyForThisMachineIsRejected) {
  EXPECT_THAT(ProviderFaults("base_url: \"http://127.0.0.1:8090\"\n  proxy: http://p.example:1"),
              HasSubstr("providers[0].proxy: has no effect for an address of this machine"));
  variables_["https_proxy"] = variables_["http_proxy"] = "http://p.example:1";
  const Config config = GoodProvider("base_url: \"http://localhost:8090\"\n  proxy: environment");
  EXPECT_EQ(config.providers[0]->egress.proxy, "");
}

TEST_F(CheckProxyTest, InvalidProxyIsRejected) {
  EXPECT_THAT(ProviderFaults("proxy: \"http://me:LEAKED@proxy.example:3128\""),
              AllOf(HasSubstr("proxy_credential"), Not(HasSubstr("LEAKED"))));
  EXPECT_THAT(ProviderFaults("proxy: socks5://proxy.example:1080"),
              HasSubstr("socks5h://HOST:PORT"));
  EXPECT_THAT(ProviderFaults("proxy: proxy.example:3128"), HasSubstr("http://HOST:PORT"));
  EXPECT_THAT(ProviderFaults("proxy: http://proxy.example"), HasSubstr("no valid host and port"));
  EXPECT_THAT(ProviderFaults("proxy: \"http://proxy.example:3128/path\""),
              HasSubstr("no valid host and port"));
  EXPECT_THAT(ProviderFaults("proxy_credential: {env: KEY}"),
              HasSubstr("has no effect without proxy"));
  EXPECT_THAT(ProviderFaults("proxy: http://p.example:1\n  proxy_credential: {env: KEY}"),
              AllOf(HasSubstr("should be USER:PASSWORD"), Not(HasSubstr("sk-current"))));
  EXPECT_THAT(ProviderFaults("proxy: http://p.example:1\n  proxy_credential: sk-LEAKED"),
              Not(HasSubstr("LEAKED")));
}

TEST_F(CheckProxyTest, ProxyOfTheEnvironmentIsUsedWhereTheFileSaysSo) {
  EXPECT_EQ(GoodProvider("proxy: environment").providers[0]->egress.proxy, "");
  variables_["all_proxy"] = "socks5h://all.example:1080";
  EXPECT_EQ(GoodProvider("proxy: environment").providers[0]->egress.proxy,
            "socks5h://all.example:1080");
  variables_["HTTPS_PROXY"] = "me:w%40rd@proxy.example:3128";
  variables_["NO_PROXY"] = ".internal.example";
  const Config config = GoodProvider("proxy: environment");
  EXPECT_EQ(config.providers[0]->egress.proxy, "http://proxy.example:3128");
  EXPECT_EQ(config.providers[0]->egress.proxy_credential.Reveal(), "me:w@rd");
  EXPECT_EQ(config.providers[0]->egress.no_proxy, ".internal.example");
  EXPECT_THAT(ProviderFaults("proxy: environment\n  proxy_credential: {env: KEY}"),
              HasSubstr("has no effect beside proxy: environment"));
  variables_["HTTPS_PROXY"] = "ftp://me:LEAKED@proxy.example:1";
  EXPECT_THAT(ProviderFaults("proxy: environment"),
              AllOf(HasSubstr("environment variable HTTPS_PROXY"), Not(HasSubstr("LEAKED"))));
}

TEST_F(CheckProxyTest, KeysOfAnIssuerAreFetchedThroughTheNamedProxy) {
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
              HasSubstr("jwt_issuers[0].proxy_credential: has no effect without proxy"));
  EXPECT_THAT(Faults(with(", proxy: \"http://me:LEAKED@p.example:1\"")),
              AllOf(HasSubstr("jwt_issuers[0].proxy: holds an @"), Not(HasSubstr("LEAKED"))));
  EXPECT_THAT(Faults(with(", jwks_url: \"http://127.0.0.1/\", proxy: \"http://p.example:1\"")),
              HasSubstr("jwt_issuers[0].proxy: has no effect for an address of this machine"));
  EXPECT_THAT(Faults(with(", jwks_file: f, proxy: \"http://p.example:1\"")),
              HasSubstr("jwt_issuers[0].proxy: is for keys that are fetched"));
}

}  // namespace
}  // namespace assetgate::config
