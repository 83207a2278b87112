#include "config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/config.pb.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The faults of a file called f.yaml; empty when there are none.
std::string FaultsOf(const std::string& text) {
  YamlFile yaml("f.yaml");
  yaml.SetSecretType(file::Secret::descriptor());
  file::Config config;
  yaml.Read(text, config);
  return std::string(yaml.Result().message());
}

TEST(YamlFileTest, FieldsOfEveryTypeAreFilled) {
  YamlFile yaml("f.yaml");
  file::Config config;
  yaml.Read(R"(
listen: 127.0.0.1:1
submit_timeout: 1m30s
log: {format: text, level: DEBUG}
asset_providers: [a, "b"]
providers:
  - id: a
    allow_insecure_http: true
    credential: {api_key: {env: KEY}}
    limits: {requests_per_second: 2.5, max_in_flight: 3}
)",
            config);
  EXPECT_EQ(yaml.Result().message(), "");
  EXPECT_EQ(config.listen(), "127.0.0.1:1");
  EXPECT_EQ(config.submit_timeout().seconds(), 90);
  EXPECT_EQ(config.log().format(), file::Log::TEXT);
  EXPECT_EQ(config.log().level(), file::Log::DEBUG);
  ASSERT_EQ(config.asset_providers_size(), 2);
  EXPECT_EQ(config.asset_providers(1), "b");
  ASSERT_EQ(config.providers_size(), 1);
  EXPECT_TRUE(config.providers(0).allow_insecure_http());
  EXPECT_EQ(config.providers(0).credential().at("api_key").env(), "KEY");
  EXPECT_EQ(config.providers(0).limits().requests_per_second(), 2.5);
  EXPECT_EQ(config.providers(0).limits().max_in_flight(), 3);
}

TEST(YamlFileTest, EmptyFileIsAnEmptyMessage) {
  EXPECT_EQ(FaultsOf(""), "");
  EXPECT_EQ(FaultsOf("# nothing\n"), "");
}

TEST(YamlFileTest, UnknownKeyNamesTheNearestKnownOne) {
  EXPECT_EQ(FaultsOf("\nlogg: {}\n").substr(0, 48),
            "f.yaml:2: logg: unknown key; did you mean log? (");
  EXPECT_THAT(FaultsOf("log: {colour: red}\n"),
              StartsWith("f.yaml:1: log.colour: unknown key; known here: format, level"));
}

TEST(YamlFileTest, EveryFaultIsReportedInTheOrderOfTheFile) {
  EXPECT_EQ(FaultsOf(R"(
listen: [1]
providers:
  - id: a
    limits: {max_in_flight: many, requests_per_second: "1"}
    mode: ON
    allow_insecure_http: yes
    timeout: 5
  - 7
log:
)"),
            R"(f.yaml:2: listen: is a list, but must be a single value
f.yaml:5: providers[0].limits.max_in_flight: "many" is not a whole number
f.yaml:5: providers[0].limits.requests_per_second: "1" is not a number
f.yaml:6: providers[0].mode: is not known here; it can be SERVE, DRAIN, OFF
f.yaml:7: providers[0].allow_insecure_http: "yes" is neither true nor false
f.yaml:8: providers[0].timeout: "5" is not a duration; write it with its unit: 250ms, 5s, 1m30s, 24h
f.yaml:9: providers[1]: is a single value, but must be a mapping with keys of id, dialect, base_url, allow_insecure_http, credential, credential_id, previous_credential, previous_credential_id, options, mode, limits, timeout, tracking, headers, timeouts, proxy, proxy_credential, slots, planes
f.yaml:10: log: is empty, but must be a mapping with keys of format, level)");
}

TEST(YamlFileTest, NumberOutsideOfItsTypeIsRejected) {
  EXPECT_THAT(FaultsOf("limits: {max_message_bytes: 3000000000}"), HasSubstr("too large"));
  EXPECT_THAT(FaultsOf("limits: {max_message_bytes: 1.5}"), HasSubstr("not a whole number"));
  EXPECT_THAT(FaultsOf("providers: [{limits: {requests_per_second: .inf}}]"),
              HasSubstr("not a number"));
  EXPECT_THAT(FaultsOf("submit_timeout: inf"), HasSubstr("not a duration"));
}

TEST(YamlFileTest, DuplicateKeyIsRejected) {
  EXPECT_EQ(FaultsOf("listen: a:1\nlisten: b:2\n"),
            "f.yaml:2: listen: is listed twice; remove one");
}

TEST(YamlFileTest, InvalidYamlIsReportedWithItsLineAndColumn) {
  EXPECT_THAT(FaultsOf("listen: a\n  log: [\n"),
              AllOf(StartsWith("f.yaml:2: not YAML: "), HasSubstr("(column ")));
  EXPECT_THAT(FaultsOf("just words"), StartsWith("f.yaml:1: the file holds a single value;"));
  EXPECT_THAT(FaultsOf("listen: a:1\n---\nlisten: b:2\n"),
              HasSubstr("a second document begins here"));
}

TEST(YamlFileTest, TextThatTheParserReadsForeverIsRejected) {
  for (const char* text : {",", "# a comment\n, ", "]", "}", "a: 1\n, "}) {
    EXPECT_THAT(FaultsOf(text), StartsWith("f.yaml:")) << text;
  }
  EXPECT_THAT(FaultsOf("listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n"),
              StartsWith("f.yaml:2: a second document begins here"));
}

TEST(YamlFileTest, AliasesAreFollowed) {
  YamlFile yaml("f.yaml");
  file::Config config;
  yaml.Read("providers:\n- {id: a, limits: &l {max_in_flight: 3}}\n- {id: b, limits: *l}\n",
            config);
  EXPECT_EQ(yaml.Result().message(), "");
  EXPECT_EQ(config.providers(1).limits().max_in_flight(), 3);
}

TEST(YamlFileTest, MultiplyingAliasesAreBounded) {
  // Unknown keys are not walked, so the bomb is built where lists of messages belong.
  std::string text = "routes:\n- &r {model: m, targets: [&t {provider: a}";
  for (int i = 0; i < 300; ++i) text += ", *t";
  text += "]}\n";
  for (int i = 0; i < 300; ++i) text += "- *r\n";
  EXPECT_THAT(FaultsOf(text), HasSubstr("holds more than 50000 values"));
}

TEST(YamlFileTest, NestingIsBounded) {
  EXPECT_THAT(FaultsOf("providers: " + std::string(100'000, '[')), HasSubstr("f.yaml:1: "));
}

TEST(YamlFileTest, ValueInPlaceOfASecretIsNotShown) {
  for (const std::string& credential : std::vector<std::string>{
           "sk-LEAKED1",
           "[sk-LEAKED1]",
           "{sk-LEAKED1: }",
           "{api_key: sk-LEAKED1}",
           "{api_key: {sk-LEAKED1}}",
           "{api_key: {value: sk-LEAKED1}}",
           "{api_key: {env: [sk-LEAKED1]}}",
           "{api_key: [sk-LEAKED1]}",
           "{api_key: {env: {sk-LEAKED1: 1}}}",
       }) {
    const std::string faults = FaultsOf("providers: [{id: a, credential: " + credential + "}]");
    EXPECT_THAT(faults, AllOf(StartsWith("f.yaml:1: providers[0].credential"),
                              Not(HasSubstr("LEAKED")), HasSubstr("env")))
        << credential;
  }
}

TEST(YamlFileTest, HostileKeysAndValuesStayOnOneLine) {
  const std::string faults = FaultsOf("\"a\\nb\\e[31m\": 1\nlisten: {}\n");
  EXPECT_EQ(std::count(faults.begin(), faults.end(), '\n'), 1);
  EXPECT_THAT(faults, Not(HasSubstr("\x1b")));
}

TEST(YamlFileTest, ParserMessagesAboutHostileTextStayOnOneLine) {
  const std::string faults = FaultsOf(std::string("listen: \"\\\x1b[2J\""));
  EXPECT_THAT(faults, AllOf(StartsWith("f.yaml:1: not YAML: "), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(FaultsOf(std::string("a: \"\\\0\"", 7)), Not(HasSubstr(std::string(1, '\0'))));
}

TEST(YamlFileTest, FaultOfAMissingKeyHasTheLineOfItsParent) {
  YamlFile yaml("f.yaml");
  file::Config config;
  yaml.Read("listen: a:1\nproviders:\n  - id: a\n  - id: b\n", config);
  yaml.AddFault("providers[1].base_url", "is missing");
  yaml.AddFault("routes", "is missing");
  EXPECT_EQ(yaml.Result().message(),
            "f.yaml:1: routes: is missing\nf.yaml:4: providers[1].base_url: is missing");
}

TEST(YamlFileTest, OnlyTheFirstFaultOfAKeyIsReported) {
  YamlFile yaml("f.yaml");
  file::Config config;
  yaml.Read("submit_timeout: soon\n", config);
  yaml.AddFault("submit_timeout", "is not between 1s and 2s");
  EXPECT_THAT(std::string(yaml.Result().message()), EndsWith("1m30s, 24h"));
}

}  // namespace
}  // namespace assetgate::config
