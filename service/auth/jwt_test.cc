#include "auth/jwt.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "auth/testing/issuer_key.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::auth {
namespace {

using ::testing::HasSubstr;

constexpr char kIssuer[] = "https://issuer.example";

class JwtTest : public ::testing::Test {
 protected:
  JwtTest() { Publish(absl::StrCat(rsa_.Jwk(), ",", ec_.Jwk())); }

  void Publish(const std::string& keys) {
    verifier_ = std::make_unique<JwtVerifier>(
        std::vector<JwtIssuer>{{.issuer = kIssuer,
                                .audiences = {"assetgate", "other"},
                                .jwks_file = "jwks.json",
                                .keys = std::make_shared<const std::vector<JwkKey>>(
                                    *ParseJwks(absl::StrCat("{\"keys\":[", keys, "]}")))}},
        clock_);
  }

  std::string Claims(absl::Duration expires_in, const std::string& audience = "\"assetgate\"",
                     const std::string& more = "") const {
    return absl::StrCat(R"({"iss":")", kIssuer, R"(","sub":"farm","aud":)", audience, R"(,"exp":)",
                        absl::ToUnixSeconds(clock_.Now() + expires_in), more, "}");
  }
  std::string Why(const std::string& token) {
    const absl::StatusOr<Subject> subject = verifier_->Verify(token);
    EXPECT_FALSE(subject.ok());
    return std::string(subject.status().message());
  }

  base::FakeClock clock_;
  const IssuerKey rsa_ = IssuerKey::Rsa("first");
  const IssuerKey ec_ = IssuerKey::Ec("curve");
  std::unique_ptr<JwtVerifier> verifier_;
};

TEST_F(JwtTest, TokensOfTheIssuerAreAccepted) {
  for (const auto& [key, algorithm] : std::vector<std::pair<const IssuerKey*, jwt_alg_t>>{
           {&rsa_, JWT_ALG_RS256}, {&rsa_, JWT_ALG_RS512}, {&ec_, JWT_ALG_ES256}}) {
    const auto subject = verifier_->Verify(key->Sign(algorithm, Claims(absl::Hours(1))));
    ASSERT_TRUE(subject.ok()) << algorithm << " " << subject.status();
    EXPECT_EQ(subject->issuer, kIssuer);
    EXPECT_EQ(subject->subject, "farm");
  }
  EXPECT_TRUE(
      verifier_->Verify(rsa_.Sign(JWT_ALG_RS256, Claims(absl::Hours(1), R"(["x","other"])"))).ok());
}

TEST_F(JwtTest, TimesAllowAMinuteOfClockSkew) {
  EXPECT_TRUE(verifier_->Verify(rsa_.Sign(JWT_ALG_RS256, Claims(-absl::Seconds(59)))).ok());
  EXPECT_THAT(Why(rsa_.Sign(JWT_ALG_RS256, Claims(-absl::Seconds(61)))), HasSubstr("expired at"));
  const auto not_before = [&](absl::Duration in) {
    return Claims(absl::Hours(1), "\"assetgate\"",
                  absl::StrCat(R"(,"nbf":)", absl::ToUnixSeconds(clock_.Now() + in)));
  };
  EXPECT_TRUE(verifier_->Verify(rsa_.Sign(JWT_ALG_RS256, not_before(absl::Seconds(59)))).ok());
  EXPECT_THAT(Why(rsa_.Sign(JWT_ALG_RS256, not_before(absl::Seconds(62)))),
              HasSubstr("valid from"));
  EXPECT_THAT(Why(rsa_.Sign(JWT_ALG_RS256, absl::StrCat(R"({"iss":")", kIssuer,
                                                        R"(","sub":"farm","aud":"assetgate"})"))),
              HasSubstr("never expires"));
}

TEST_F(JwtTest, OtherAudiencesIssuersAndKeysAreRejected) {
  EXPECT_THAT(Why(rsa_.Sign(JWT_ALG_RS256, Claims(absl::Hours(1), "\"somebody\""))),
              AllOf(HasSubstr("\"somebody\""), HasSubstr("not for assetgate, other")));
  EXPECT_THAT(Why(rsa_.Sign(JWT_ALG_RS256, Claims(absl::Hours(1), "[]"))), HasSubstr("audience"));
  EXPECT_THAT(Why(rsa_.Sign(JWT_ALG_RS256, R"({"iss":"https://evil.example","exp":99999999999})")),
              HasSubstr("issuer \"https://evil.example\""));
  EXPECT_THAT(Why(IssuerKey::Rsa("first").Sign(JWT_ALG_RS256, Claims(absl::Hours(1)))),
              HasSubstr("signature"));
  EXPECT_THAT(Why(IssuerKey::Rsa("unknown").Sign(JWT_ALG_RS256, Claims(absl::Hours(1)))),
              HasSubstr("key \"unknown\""));
}

TEST_F(JwtTest, TokensThatAnybodyCanSignAreRejected) {
  EXPECT_THAT(Why(IssuerKey::SignWith(JWT_ALG_NONE, Claims(absl::Hours(1)), "first", "")),
              HasSubstr("alg \"none\""));
  // The public key as the secret of an HMAC: a verifier that trusts the header would accept it.
  EXPECT_THAT(
      Why(IssuerKey::SignWith(JWT_ALG_HS256, Claims(absl::Hours(1)), "first", rsa_.PublicPem())),
      HasSubstr("alg \"HS256\""));
  // The same with a header that names another algorithm.
  const std::string hmac =
      IssuerKey::SignWith(JWT_ALG_HS256, Claims(absl::Hours(1)), "first", rsa_.PublicPem());
  const std::vector<std::string> parts = absl::StrSplit(hmac, '.');
  EXPECT_THAT(Why(absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"RS256","kid":"first"})"), ".",
                               parts[1], ".", parts[2])),
              HasSubstr("signature"));
}

TEST_F(JwtTest, AlteredAndTruncatedTokensAreRejected) {
  const std::string token = rsa_.Sign(JWT_ALG_RS256, Claims(absl::Hours(1)));
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  const std::string other = absl::WebSafeBase64Escape(absl::StrCat(
      R"({"iss":")", kIssuer, R"(","sub":"admin","aud":"assetgate","exp":99999999999})"));
  EXPECT_THAT(Why(absl::StrCat(parts[0], ".", other, ".", parts[2])), HasSubstr("signature"));
  for (std::size_t size = 0; size < token.size(); size += 7) {
    EXPECT_FALSE(verifier_->Verify(token.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(verifier_->Verify(absl::StrCat(token, ".x")).ok());
  EXPECT_FALSE(verifier_->Verify(absl::StrCat(token, std::string(1, '\0'))).ok());
  EXPECT_THAT(Why(std::string(10'000, 'a')), HasSubstr("8 KiB"));
  EXPECT_FALSE(verifier_->Verify("..").ok());
}

TEST_F(JwtTest, AKeyForAnotherAlgorithmIsNotUsed) {
  Publish(rsa_.Jwk(R"(,"alg":"RS512")"));
  EXPECT_TRUE(verifier_->Verify(rsa_.Sign(JWT_ALG_RS512, Claims(absl::Hours(1)))).ok());
  EXPECT_FALSE(verifier_->Verify(rsa_.Sign(JWT_ALG_RS256, Claims(absl::Hours(1)))).ok());
}

TEST(JwksTest, AnInvalidKeyDoesNotLockOutTheOthers) {
  const std::string good = IssuerKey::Rsa("good").Jwk();
  for (const std::string& bad :
       {std::string("1"), std::string(R"({"kty":"RSA","kid":"bad","n":"AQ","e":"AQAB"})"),
        std::string(R"({"kty":"EC","kid":"bad","crv":"P-256","x":"AQ","y":"AQ"})"),
        IssuerKey::Rsa("bad", 1024).Jwk()}) {
    for (const std::string& keys : {absl::StrCat(bad, ",", good), absl::StrCat(good, ",", bad)}) {
      const auto found = ParseJwks(absl::StrCat("{\"keys\":[", keys, "]}"));
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_EQ(found->size(), 1u);
      EXPECT_EQ(found->front().id, "good");
    }
  }
}

TEST(JwksTest, InvalidKeySetsAreRejected) {
  const auto why = [](const std::string& text) {
    const auto keys = ParseJwks(text);
    EXPECT_FALSE(keys.ok()) << text;
    return std::string(keys.status().message());
  };
  EXPECT_THAT(why("nonsense"), HasSubstr("not a JSON object"));
  EXPECT_THAT(why("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(why(std::string(100'000, '[')), HasSubstr("not a JSON object"));
  EXPECT_THAT(why("{}"), HasSubstr("has no \"keys\""));
  EXPECT_THAT(why(R"({"keys":[]})"), HasSubstr("no key that signs"));
  EXPECT_THAT(why(R"({"keys":[{"kty":"oct","k":"AAAA"}]})"), HasSubstr("no key that signs"));
  std::string many;
  for (int i = 0; i < 101; ++i) absl::StrAppend(&many, i == 0 ? "" : ",", "{}");
  EXPECT_THAT(why(absl::StrCat("{\"keys\":[", many, "]}")), HasSubstr("more than 100 keys"));
  // Checking this key would take too long.
  EXPECT_THAT(
      why(absl::StrCat(R"({"keys":[{"kty":"RSA","e":"AQAB","n":")",
                       absl::WebSafeBase64Escape(std::string(8193 / 8 + 1, '\xff')), "\"}]}")),
      HasSubstr("keys[0] is not a valid RSA key"));
  EXPECT_THAT(why(R"({"keys":[1]})"), HasSubstr("keys[0] is not an object"));
  EXPECT_THAT(why(R"({"keys":[{"kty":"RSA","n":"AQ"}]})"),
              HasSubstr("keys[0] is not a valid RSA key"));
  EXPECT_THAT(why(R"({"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]})"),
              HasSubstr("keys[0] is not a valid EC key"));
  EXPECT_THAT(why(absl::StrCat("{\"keys\":[", IssuerKey::Rsa("weak", 1024).Jwk(), "]}")),
              HasSubstr("1024 bits"));
  EXPECT_THAT(why(absl::StrCat("{\"keys\":[", IssuerKey::Rsa("x").Jwk(R"(,"use":"enc")"), "]}")),
              HasSubstr("no key that signs"));
}

}  // namespace
}  // namespace assetgate::auth
