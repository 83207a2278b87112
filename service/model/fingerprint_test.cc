#include "model/fingerprint.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "provider/testing/fake_dialect.h"

namespace assetgate::model {
namespace {

using testing::HasSubstr;
using testing::Not;

provider::Credential Key(const std::string& id, const std::string& secret) {
  provider::Credential credential;
  credential.id = id;
  credential.secrets.emplace("api_key", base::Secret(secret));
  return credential;
}

ProviderEntry Alpha(const std::string& url, provider::Credential credential) {
  ProviderEntry entry;
  entry.id = "alpha";
  entry.dialect = std::make_shared<provider::FakeDialect>();
  entry.base_url = url;
  entry.credential = std::move(credential);
  return entry;
}

TEST(FingerprintTest, KnowsTheSameKeyAtTheSameAddress) {
  const ProviderEntry alpha = Alpha("https://a.example", Key("key", "sk-0123456789"));
  const AccountFingerprint print = FingerprintOf(alpha, alpha.credential);
  EXPECT_TRUE(Matches(print, alpha, alpha.credential));
  EXPECT_TRUE(Matches(print, alpha, Key("another-name", "sk-0123456789")));
  EXPECT_FALSE(Matches(print, alpha, Key("key", "sk-0123456780")));
  EXPECT_FALSE(Matches(print, alpha, Key("key", "")));
  const ProviderEntry elsewhere = Alpha("https://b.example", alpha.credential);
  EXPECT_FALSE(Matches(print, elsewhere, elsewhere.credential));
  // Nor can bytes wander from one to the other.
  const ProviderEntry shifted = Alpha("https://a.examples", Key("key", "k-0123456789"));
  EXPECT_FALSE(Matches(print, shifted, shifted.credential));
}

TEST(FingerprintTest, IsAnotherEachTimeAndHoldsNothingOfTheKey) {
  const ProviderEntry alpha = Alpha("https://a.example", Key("key", "sk-0123456789"));
  const AccountFingerprint one = FingerprintOf(alpha, alpha.credential);
  const AccountFingerprint other = FingerprintOf(alpha, alpha.credential);
  EXPECT_NE(one.salt(), other.salt());
  EXPECT_NE(one.digest(), other.digest());
  EXPECT_EQ(one.digest().size(), 32u);
  EXPECT_THAT(one.SerializeAsString(), Not(HasSubstr("0123456789")));
}

TEST(FingerprintTest, NoneMatchesNothing) {
  const ProviderEntry alpha = Alpha("https://a.example", Key("key", "sk-0123456789"));
  EXPECT_FALSE(Matches(AccountFingerprint(), alpha, alpha.credential));
  AccountFingerprint salt_alone = FingerprintOf(alpha, alpha.credential);
  salt_alone.clear_digest();
  EXPECT_FALSE(Matches(salt_alone, alpha, alpha.credential));
  Unit unit;
  EXPECT_EQ(CredentialBehind(unit, alpha), nullptr);
  EXPECT_FALSE(IsOfAnotherAccount(unit, alpha)) << "of what is not known";
}

TEST(FingerprintTest, FindsTheCredentialThatItWas) {
  ProviderEntry alpha = Alpha("https://a.example", Key("key", "sk-0123456789"));
  Unit unit;
  unit.set_credential_id("key");
  *unit.mutable_account() = FingerprintOf(alpha, alpha.credential);
  EXPECT_EQ(CredentialBehind(unit, alpha), &alpha.credential);
  // Replaced in place, and kept under another name.
  alpha.previous_credential = Key("old", "sk-0123456789");
  alpha.credential = Key("key", "sk-other");
  EXPECT_EQ(CredentialBehind(unit, alpha), &*alpha.previous_credential);
  EXPECT_EQ(&CredentialToAsk(unit, alpha), &*alpha.previous_credential);
  EXPECT_FALSE(IsOfAnotherAccount(unit, alpha));
  alpha.previous_credential = Key("old", "sk-older");
  EXPECT_EQ(CredentialBehind(unit, alpha), nullptr);
  EXPECT_EQ(&CredentialToAsk(unit, alpha), &alpha.credential);
  EXPECT_TRUE(IsOfAnotherAccount(unit, alpha));
}

TEST(FingerprintTest, DigestTellsRequestsApart) {
  const http::Request request{"POST", "/videos", {{"Idempotency-Key", "k-1"}}, "a fox"};
  EXPECT_EQ(DigestOf(request), DigestOf(request));
  for (const http::Request& other :
       {http::Request{"PUT", "/videos", {{"Idempotency-Key", "k-1"}}, "a fox"},
        http::Request{"POST", "/video", {{"Idempotency-Key", "k-1"}}, "a fox"},
        http::Request{"POST", "/videos", {{"Idempotency-Key", "k-2"}}, "a fox"},
        http::Request{"POST", "/videos", {}, "a fox"},
        http::Request{"POST", "/videos", {{"Idempotency-Key", "k-1"}}, "a fix"}}) {
    EXPECT_NE(DigestOf(request), DigestOf(other));
  }
}

}  // namespace
}  // namespace assetgate::model
