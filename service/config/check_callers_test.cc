#include "config/check_callers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "auth/testing/issuer_key.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using CheckCallersTest = ConfigTest;

TEST_F(CheckCallersTest, CallersAreRead) {
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

TEST_F(CheckCallersTest, InvalidCallerIsRejected) {
  const std::string hash(64, 'a');
  const auto faults = [&](absl::string_view callers) {
    return Faults(absl::StrCat(kSmallest, "callers: [", callers, "]"));
  };
  EXPECT_THAT(faults("{id: a, roles: [READER]}"), HasSubstr("callers[0]: has no credential"));
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
  EXPECT_THAT(faults("{id: a, roles: [READER], token_sha256: [hunter2]}"),
              AllOf(HasSubstr("callers[0].token_sha256[0]: is not a SHA-256 digest"),
                    Not(HasSubstr("hunter2"))));
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
      HasSubstr("jwt_issuers: has no effect without callers"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "jwt_issuers: [{issuer: i, jwks_file: f}]")),
              HasSubstr("jwt_issuers[0].audiences: is missing"));
}

TEST_F(CheckCallersTest, IssuersWhoseKeysAreFetchedAreRead) {
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
              HasSubstr("jwks_url: has no effect beside jwks_file"));
  EXPECT_THAT(faults("jwks_file: f, ca_file: ca.crt"),
              HasSubstr("ca_file: is for keys that are fetched"));
  EXPECT_THAT(faults(""), HasSubstr("jwt_issuers[0].issuer: is not a URL"));
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

}  // namespace
}  // namespace assetgate::config
