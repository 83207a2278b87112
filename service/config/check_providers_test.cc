#include "config/check_providers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "config/catalog_of.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

using CheckProvidersTest = ConfigTest;

TEST_F(CheckProvidersTest, ConfigWithoutProvidersIsRejected) {
  EXPECT_EQ(Faults("{}"),
            "f.yaml:1: providers: names no provider; name at least one, with id and credential");
}

TEST_F(CheckProvidersTest, IdThatIsNotADialectNeedsADialect) {
  EXPECT_EQ(Faults("providers: [{id: kyy-east}]"),
            "f.yaml:1: providers[0].dialect: is missing, and the id \"kyy-east\" is not a dialect; "
            "known: "
            "fake");
}

TEST_F(CheckProvidersTest, OptionsThatADialectRejectsAreOneFaultAmongOthers) {
  EXPECT_EQ(ProviderFaults("options: {shards: -1}\n  timeout: 1ms"),
            "f.yaml:4: providers[0].options: shards is negative; remove it\n"
            "f.yaml:5: providers[0].timeout: 1ms is not between 1s and 10m");
}

TEST_F(CheckProvidersTest, TwoKeysOfOneProviderNeedTwoIds) {
  EXPECT_EQ(
      ProviderFaults("previous_credential: {api_key: {env: OLD_KEY}}"),
      "f.yaml:2: providers[0].credential_id: \"fake\" is the id of both credential and "
      "previous_credential; give the new one a credential_id, such as \"fake-2\", and keep the old "
      "one's name for previous_credential_id");
  const Config config =
      GoodProvider("previous_credential: {api_key: {env: OLD_KEY}}\n  credential_id: fake-2");
  // What the first key was called when nothing was said.
  EXPECT_EQ(config.providers[0]->previous_credential->id, "fake");
}

TEST_F(CheckProvidersTest, HeadersAreSentAsTheyAreWritten) {
  const Config config =
      GoodProvider("headers: {User-Agent: \"studio/1 (+https://s.example)\", X-Team: film}");
  ASSERT_THAT(config.providers[0]->egress.headers, SizeIs(2));
  EXPECT_EQ(config.providers[0]->egress.headers[0].name, "User-Agent");
  EXPECT_EQ(config.providers[0]->egress.headers[0].value, "studio/1 (+https://s.example)");
  EXPECT_EQ(CatalogOf(config)->FindProvider("fake")->egress.headers[1].value, "film");
}

TEST_F(CheckProvidersTest, HeaderThatAConfigMustNotSetIsRejected) {
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

TEST_F(CheckProvidersTest, SlotsAreSetByModelWithADefault) {
  EXPECT_TRUE(GoodProvider("mode: SERVE").providers[0]->slots.empty());
  const model::SlotLimits slots =
      GoodProvider("slots: {default: 4, models: {big: 2}}").providers[0]->slots;
  EXPECT_EQ(slots.For("big"), 2);
  EXPECT_EQ(slots.For("small"), 4);
  EXPECT_EQ(GoodProvider("slots: {models: {big: 2}}").providers[0]->slots.For("small"),
            std::nullopt);
  EXPECT_THAT(
      ProviderFaults("slots: {models: {bgi: 2}}"),
      HasSubstr("providers[0].slots.models.bgi: is not a model of dialect fake; known: big"));
  EXPECT_THAT(ProviderFaults("slots: {default: 0}"),
              HasSubstr("providers[0].slots.default: 0 is not between 1 and 100000"));
  EXPECT_THAT(ProviderFaults("slots: {models: {big: many}}"), HasSubstr("is not a whole number"));
}

}  // namespace
}  // namespace assetgate::config
