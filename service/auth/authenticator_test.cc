#include "auth/authenticator.h"

#include <memory>

#include "auth/testing/issuer_key.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/testing/fake_client.h"

namespace assetgate::auth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Caller Known(std::string id) {
  Caller caller;
  caller.id = std::move(id);
  return caller;
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() {
    Callers callers;
    callers.callers.push_back(Known("farm"));
    callers.callers.back().certificates = {"spiffe://prod/ns/render/sa/farm", "farm.example"};
    callers.callers.push_back(Known("script"));
    callers.callers.back().token_digests = {DigestOf("hunter2"), DigestOf("hunter3")};
    callers.callers.push_back(Known("pod"));
    callers.callers.back().subjects = {{"https://issuer.example", "pod-1"}};
    callers.issuers.push_back({.issuer = "https://issuer.example",
                               .audiences = {"assetgate"},
                               .jwks_file = "jwks.json",
                               .keys = std::make_shared<const std::vector<JwkKey>>(
                                   *ParseJwks(absl::StrCat("{\"keys\":[", key_.Jwk(), "]}")))});
    authenticator_.Replace(std::move(callers));
  }

  std::string Who(const Credentials& credentials) {
    const auto caller = authenticator_.Identify(credentials);
    return caller.ok() ? (*caller)->id : std::string(caller.status().message());
  }
  std::string Token(const std::string& subject) const {
    return key_.Sign(
        JWT_ALG_RS256,
        absl::StrCat(R"({"iss":"https://issuer.example","aud":"assetgate","sub":")", subject,
                     R"(","exp":)", absl::ToUnixSeconds(clock_.Now() + absl::Hours(1)), "}"));
  }

  base::FakeClock clock_;
  const IssuerKey key_ = IssuerKey::Rsa("k");
  base::FakeEventLoop loop_;
  http::FakeHttpClient http_;
  Authenticator authenticator_{{}, clock_, {http_, loop_}};
};

TEST_F(AuthenticatorTest, IdentifiesCallersByEachKindOfCredential) {
  EXPECT_EQ(Who({.certificate_uris = {"spiffe://prod/ns/render/sa/farm"}}), "farm");
  EXPECT_EQ(Who({.certificate_dns_names = {"x.example", "farm.example"}}), "farm");
  EXPECT_EQ(Who({.authorization = {"Bearer hunter2"}}), "script");
  EXPECT_EQ(Who({.authorization = {"bearer  hunter3 "}}), "script");
  EXPECT_EQ(Who({.authorization = {absl::StrCat("Bearer ", Token("pod-1"))}}), "pod");
}

TEST_F(AuthenticatorTest, UrisAndDnsNamesInCertificatesAreNotConfused) {
  const std::string uri = "spiffe://prod/ns/render/sa/farm";
  EXPECT_THAT(Who({.certificate_dns_names = {uri}}), HasSubstr("is in callers: DNS spiffe://"));
  EXPECT_THAT(Who({.certificate_uris = {"farm.example"}}), HasSubstr("is in callers: URI farm"));
  EXPECT_EQ(Who({.certificate_uris = {uri}, .certificate_dns_names = {uri}}), "farm");
}

TEST_F(AuthenticatorTest, ATokenTakesPrecedenceOverACertificate) {
  EXPECT_EQ(Who({.certificate_dns_names = {"farm.example"}, .authorization = {"Bearer hunter2"}}),
            "script");
  // A valid certificate does not make up for an invalid token.
  EXPECT_THAT(Who({.certificate_dns_names = {"farm.example"}, .authorization = {"Bearer wrong"}}),
              HasSubstr("is not in callers"));
}

TEST_F(AuthenticatorTest, ReasonsDoNotContainTheToken) {
  EXPECT_THAT(Who({}), HasSubstr("neither a bearer token nor a client certificate"));
  EXPECT_THAT(Who({.authorization = {"Bearer secret-4711"}}),
              AllOf(HasSubstr("is not in callers"), Not(HasSubstr("4711"))));
  EXPECT_THAT(Who({.authorization = {"Bearer "}}), HasSubstr("empty"));
  EXPECT_THAT(Who({.authorization = {"Basic c2VjcmV0"}}),
              AllOf(HasSubstr("not a bearer token"), Not(HasSubstr("c2VjcmV0"))));
  EXPECT_THAT(Who({.authorization = {"Bearer hunter2", "Bearer hunter2"}}), HasSubstr("several"));
  EXPECT_THAT(Who({.authorization = {absl::StrCat("Bearer ", Token("pod-2"))}}),
              HasSubstr("subject \"pod-2\" of https://issuer.example"));
  EXPECT_THAT(Who({.certificate_dns_names = {"a.example", "b\n.example"}}),
              AllOf(HasSubstr("a.example"), Not(HasSubstr("\n"))));
}

TEST_F(AuthenticatorTest, ReplaceReplacesAllCallers) {
  Callers next;
  next.callers.push_back(Known("new"));
  next.callers.back().token_digests = {DigestOf("hunter2")};
  authenticator_.Replace(next);
  EXPECT_EQ(Who({.authorization = {"Bearer hunter2"}}), "new");
  EXPECT_THAT(Who({.authorization = {"Bearer hunter3"}}), HasSubstr("is not in callers"));
}

TEST_F(AuthenticatorTest, ReplaceKeepsKeysFetchedFromTheSameUrl) {
  Callers next;
  next.callers.push_back(Known("pod"));
  next.callers.back().subjects = {{"https://issuer.example", "pod-1"}};
  next.issuers.push_back({.issuer = "https://issuer.example",
                          .audiences = {"assetgate"},
                          .jwks_url = "https://keys.example/jwks"});
  const Credentials shown = {.authorization = {absl::StrCat("Bearer ", Token("pod-1"))}};
  authenticator_.Replace(next);
  EXPECT_TRUE(absl::IsUnavailable(authenticator_.Identify(shown).status()));
  EXPECT_EQ(authenticator_.FetchTimes().at("https://issuer.example"), absl::InfinitePast());
  loop_.RunDue();
  http_.Take().Answer(http::Response{200, {}, absl::StrCat("{\"keys\":[", key_.Jwk(), "]}")});
  loop_.RunDue();
  EXPECT_EQ(Who(shown), "pod");
  EXPECT_EQ(authenticator_.FetchTimes().at("https://issuer.example"), loop_.Now());

  next.issuers[0].audiences.push_back("more");
  authenticator_.Replace(next);
  EXPECT_EQ(Who(shown), "pod");
  loop_.RunDue();
  EXPECT_EQ(http_.sent(), 1u);

  // With another token they are fetched again; until then they stay.
  next.issuers[0].token = base::Secret("sesame");
  authenticator_.Replace(next);
  EXPECT_EQ(Who(shown), "pod");
  loop_.RunDue();
  EXPECT_EQ(http_.sent(), 2u);

  next.issuers[0].jwks_url = "https://keys.example/other";
  authenticator_.Replace(next);
  EXPECT_TRUE(absl::IsUnavailable(authenticator_.Identify(shown).status()));
}

TEST_F(AuthenticatorTest, WithoutCallersNobodyIsAuthenticated) {
  EXPECT_FALSE(authenticator_.open());
  authenticator_.Replace({});
  EXPECT_TRUE(authenticator_.open());
}

}  // namespace
}  // namespace assetgate::auth
