#include "auth/tls_material.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/testing/scripted_server.h"

namespace assetgate::auth {
namespace {

using http::testing::Certificate;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsMaterialTest : public ::testing::Test {
 protected:
  std::string FaultOfKeyFile(const std::string& pem) const {
    return FaultOfKey(base::Secret(pem), ours_.certificate);
  }

  const Certificate ours_ = Certificate::SelfSigned();
  const Certificate other_ = Certificate::SelfSigned();
  const absl::Time now_ = absl::Now();
};

TEST_F(TlsMaterialTest, CompleteFilesHaveNoFault) {
  EXPECT_EQ(FaultOfCertificate(ours_.certificate), "");
  EXPECT_EQ(FaultOfCertificate(ours_.certificate + "\n" + other_.certificate), "");
  EXPECT_EQ(FaultOfCertificate("for people\n" + ours_.certificate + "and for more\n"), "");
  EXPECT_EQ(FaultOfKeyFile(ours_.key), "");
  EXPECT_EQ(FaultOfAuthorities(ours_.certificate, now_), "");
  EXPECT_EQ(FaultOfTime(ours_.certificate, now_), "");
  EXPECT_GT(CertificateEnd(ours_.certificate), now_);
}

TEST_F(TlsMaterialTest, FaultsOfCertificates) {
  const std::string& pem = ours_.certificate;
  const struct {
    std::string pem;
    std::string fault;
  } cases[] = {
      {"", "is empty"},
      {" \n", "is empty"},
      {"garbage", "holds no whole certificate"},
      {std::string(4096, '\0'), "holds no whole certificate"},
      {pem.substr(0, pem.size() / 2), "holds no whole certificate"},
      {ours_.key, "holds no whole certificate"},
      // The second one is truncated: clients that need it could not connect.
      {pem + pem.substr(0, pem.size() / 2), "damaged after its certificate 1"},
      {pem + pem + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
       "damaged after its certificate 2"},
  };
  for (const auto& [text, fault] : cases) {
    EXPECT_THAT(FaultOfCertificate(text), HasSubstr(fault)) << text;
    EXPECT_THAT(FaultOfAuthorities(text, now_), HasSubstr(fault)) << text;
  }
}

TEST_F(TlsMaterialTest, FaultsOfKeys) {
  const struct {
    std::string pem;
    std::string fault;
  } cases[] = {
      {"", "is empty"},
      {"garbage", "holds no whole private key"},
      {ours_.key.substr(0, ours_.key.size() / 2), "holds no whole private key"},
      {ours_.certificate, "holds no whole private key"},
      {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "holds no whole private key"},
      {other_.key, "is not the key of the certificate"},
  };
  for (const auto& [text, fault] : cases) {
    EXPECT_THAT(FaultOfKeyFile(text), HasSubstr(fault)) << text;
    if (text.size() > 40) {
      EXPECT_THAT(FaultOfKeyFile(text), Not(HasSubstr(text.substr(30, 10))));
    }
  }
}

TEST_F(TlsMaterialTest, ValidityIsChecked) {
  const absl::Duration century = absl::Hours(24 * 365 * 100);
  EXPECT_THAT(FaultOfTime(ours_.certificate, now_ + century), HasSubstr("expired at "));
  EXPECT_THAT(FaultOfTime(ours_.certificate, now_ - century), HasSubstr("is valid from "));
  EXPECT_THAT(FaultOfAuthorities(ours_.certificate, now_ + century), HasSubstr("have expired"));
}

TEST_F(TlsMaterialTest, WithoutACertificateTheEndIsInfinitePast) {
  EXPECT_EQ(CertificateEnd("garbage"), absl::InfinitePast());
}

}  // namespace
}  // namespace assetgate::auth
