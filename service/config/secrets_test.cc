#include "config/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using SecretsTest = ConfigTest;

TEST_F(SecretsTest, SecretIsReadFromAFile) {
  const std::string path = ::testing::TempDir() + "config_test_secret";
  std::ofstream(path) << "  sk-from-file\n";
  const Config config =
      Good(absl::StrCat("providers: [{id: fake, credential: {api_key: {file: ", path, "}}}]"));
  EXPECT_EQ(config.providers[0]->credential.secrets.at("api_key").Reveal(), "sk-from-file");
  EXPECT_EQ(config.secret_sources.at("providers[fake].credential.api_key").file, path);
}

TEST_F(SecretsTest, InvalidSecretIsRejected) {
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

TEST_F(SecretsTest, SecretUnderAWrongKeyIsNotShown) {
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

TEST_F(SecretsTest, SecretInPlaceOfAVariablesNameIsNotShown) {
  EXPECT_THAT(Faults("providers: [{id: fake, credential: {api_key: {env: afk_LEAKED}}}]"),
              AllOf(HasSubstr("is not set"), Not(HasSubstr("LEAKED"))));
}

}  // namespace
}  // namespace assetgate::config
