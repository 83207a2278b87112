#include "auth/server_credentials.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/testing/scripted_server.h"

namespace assetgate::auth {
namespace {

using http::testing::Certificate;
using ::testing::HasSubstr;

class CheckTlsTest : public ::testing::Test {
 protected:
  CheckTlsTest() {
    const Certificate certificate = Certificate::SelfSigned();
    files_.certificate = Write("tls.crt", certificate.certificate);
    files_.key = Write("tls.key", certificate.key);
  }
  static std::string Write(const std::string& name, const std::string& text) {
    std::string path = ::testing::TempDir() + "check_tls_test_" + name;
    std::ofstream(path) << text;
    return path;
  }
  std::string Why() {
    const auto state = CheckTls(files_, now_);
    EXPECT_FALSE(state.ok());
    return std::string(state.status().message());
  }

  TlsFiles files_;
  absl::Time now_ = absl::Now();
};

TEST_F(CheckTlsTest, GoodFilesTellWhenTheyEnd) {
  const auto state = CheckTls(files_, now_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_GT(state->not_after, now_);
}

TEST_F(CheckTlsTest, EveryFaultNamesTheFile) {
  const TlsFiles good = files_;
  files_.certificate = "/not/there.crt";
  EXPECT_EQ(Why(), "/not/there.crt: cannot be read");
  files_ = good;
  files_.certificate = Write("empty", "");
  EXPECT_THAT(Why(), HasSubstr("empty: is empty"));
  files_ = good;
  files_.certificate = good.key;
  EXPECT_THAT(Why(), HasSubstr("holds no certificate in PEM"));
  files_ = good;
  files_.key = good.certificate;
  EXPECT_THAT(Why(), HasSubstr("holds no private key in PEM"));
  files_.key = Write("other.key", Certificate::SelfSigned().key);
  EXPECT_THAT(Why(), HasSubstr("is not the key of"));
  files_ = good;
  files_.clients = ClientCertificates::kRequired;
  files_.client_ca = Write("ca", "nonsense");
  EXPECT_THAT(Why(), HasSubstr("holds no certificate in PEM"));
}

TEST_F(CheckTlsTest, TimesAreLookedAt) {
  now_ = absl::Now() + absl::Hours(24 * 365 * 100);
  EXPECT_THAT(Why(), HasSubstr("expired at"));
  now_ = absl::Now() - absl::Hours(24 * 365 * 10);
  EXPECT_THAT(Why(), HasSubstr("is valid from"));
}

}  // namespace
}  // namespace assetgate::auth
