#include "config/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "auth/testing/issuer_key.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::HasSubstr;

constexpr char kConfig[] = R"(providers: [{id: fake, credential: {api_key: {env: KEY}}}]
tls:
  certificate: a.crt
  key: a.key
  client_ca: ca.crt
callers:
  - {id: a, roles: [READER], certificates: [farm.example]}
jwt_issuers:
  - issuer: "https://keys.example"
    audiences: [a]
    jwks_file: jwks.json
  - issuer: "https://fetched.example"
    audiences: [a]
    ca_file: issuer.ca
    token_file: token
)";

class ConfigFilesTest : public ConfigTest {
 protected:
  ConfigFilesTest() {
    WriteTls("a.crt", "a.key", "ca.crt");
    WriteTls("other.crt", "other.key", "issuer.ca");
    files_["jwks.json"] = absl::StrCat("{\"keys\":[", auth::IssuerKey::Ec("k").Jwk(), "]}");
    files_["token"] = "sesame\n";
    files_["empty"] = "";
    files_["words"] = "two\nlines";
    files_["garbage"] = std::string(1000, 'x');
    for (const char* name : {"a.crt", "a.key", "ca.crt", "jwks.json", "issuer.ca"}) {
      files_[absl::StrCat(name, ".half")] = files_[name].substr(0, files_[name].size() / 2);
    }
  }
};

TEST_F(ConfigFilesTest, CompleteFilesAreReadWithTheConfig) {
  const Config config = Good(kConfig);
  EXPECT_EQ(config.tls->material.certificate, files_["a.crt"]);
  EXPECT_EQ(config.tls->material.key.Reveal(), files_["a.key"]);
  EXPECT_EQ(config.tls->material.client_ca, files_["ca.crt"]);
  EXPECT_EQ(config.callers.issuers[0].keys->size(), 1u);
  EXPECT_EQ(config.callers.issuers[1].ca, files_["issuer.ca"]);
  EXPECT_EQ(config.callers.issuers[1].token.Reveal(), "sesame");
  EXPECT_TRUE(CheckTimes(config).ok());
}

TEST_F(ConfigFilesTest, FaultOfAFileNamesLineKeyAndCause) {
  const struct {
    // As it is in kConfig.
    const char* file;
    const char* in_its_place;
    const char* fault;
  } cases[] = {
      {"a.crt", "nowhere", "f.yaml:3: tls.certificate: the file that it names does not exist"},
      {"a.crt", "empty", "f.yaml:3: tls.certificate: the file that it names is empty"},
      {"a.crt", "garbage", "f.yaml:3: tls.certificate: the file that it names holds no whole"},
      {"a.crt", "a.crt.half", "f.yaml:3: tls.certificate: the file that it names holds no whole"},
      {"a.crt", "/", "f.yaml:3: tls.certificate: the file that it names is a directory"},
      {"a.crt", "/dev/zero", "f.yaml:3: tls.certificate: the file that it names is a device"},
      {"a.crt", "other.crt", "f.yaml:4: tls.key: the file that it names is not the key of"},
      {"a.key", "other.key", "f.yaml:4: tls.key: the file that it names is not the key of"},
      {"a.key", "nowhere", "f.yaml:4: tls.key: the file that it names does not exist"},
      {"a.key", "empty", "f.yaml:4: tls.key: the file that it names is empty"},
      {"a.key", "a.key.half", "f.yaml:4: tls.key: the file that it names holds no whole"},
      {"a.key", "/dev/zero", "f.yaml:4: tls.key: the file that it names is a device"},
      {"ca.crt", "nowhere", "f.yaml:5: tls.client_ca: the file that it names does not exist"},
      {"ca.crt", "ca.crt.half", "f.yaml:5: tls.client_ca: the file that it names holds no whole"},
      {"ca.crt", "garbage", "f.yaml:5: tls.client_ca: the file that it names holds no whole"},
      {"jwks.json", "nowhere", "f.yaml:11: jwt_issuers[0].jwks_file: the file that it names does"},
      {"jwks.json", "empty", "f.yaml:11: jwt_issuers[0].jwks_file: the file that it names "},
      {"jwks.json", "jwks.json.half",
       "f.yaml:11: jwt_issuers[0].jwks_file: the file that it names"},
      {"jwks.json", "/dev/zero",
       "f.yaml:11: jwt_issuers[0].jwks_file: the file that it names is a"},
      {"issuer.ca", "issuer.ca.half", "f.yaml:14: jwt_issuers[1].ca_file: the file that it names"},
      {"token", "empty", "f.yaml:15: jwt_issuers[1].token_file: the file that it names is empty"},
      {"token", "words", "f.yaml:15: jwt_issuers[1].token_file: the file that it names holds"},
      {"token", "/dev/zero", "f.yaml:15: jwt_issuers[1].token_file: the file that it names is a"},
  };
  for (const auto& [file, in_its_place, fault] : cases) {
    const std::string said = Faults(absl::StrReplaceAll(
        kConfig, {{absl::StrCat(": ", file, "\n"), absl::StrCat(": ", in_its_place, "\n")}}));
    EXPECT_THAT(said, HasSubstr(fault)) << file << " " << in_its_place;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
}

TEST_F(ConfigFilesTest, AllFaultsAreReportedTogether) {
  files_["a.crt"] = files_["ca.crt"] = files_["jwks.json"] = "";
  const std::string said = Faults(kConfig);
  EXPECT_THAT(said, HasSubstr("tls.certificate: "));
  EXPECT_THAT(said, HasSubstr("tls.client_ca: "));
  EXPECT_THAT(said, HasSubstr("jwt_issuers[0].jwks_file: "));
}

TEST_F(ConfigFilesTest, CertificateOutsideOfItsTimeIsReportedSeparately) {
  const absl::Duration century = absl::Hours(24 * 365 * 100);
  environment_.now = [=] { return absl::Now() - century; };
  EXPECT_THAT(std::string(CheckTimes(Good(kConfig)).message()),
              HasSubstr("f.yaml:3: tls.certificate: the file that it names is valid from "));
  environment_.now = [=] { return absl::Now() + century; };
  EXPECT_THAT(Faults(kConfig), HasSubstr("f.yaml:5: tls.client_ca: the file that it names holds "
                                         "only authorities that have expired"));
}

}  // namespace
}  // namespace assetgate::config
