#include "config/check_listening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::HasSubstr;

using CheckListeningTest = ConfigTest;

TEST_F(CheckListeningTest, BothListenersNeedTheirOwnAddress) {
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "admin: {listen: 127.0.0.1:8080}\n")),
              HasSubstr("admin.listen: \"127.0.0.1:8080\" is the address of both"));
  Good(absl::StrCat(kSmallest, "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\n"));
}

TEST_F(CheckListeningTest, InvalidAddressIsRejected) {
  for (const char* address : {"", "x", ":80", "x:", "x:y", "x:65536", "x:-1", "x:123456", "::1:80",
                              "[::1:80", "a b:1", "http://x:1", "'[]:1'"}) {
    EXPECT_THAT(Faults(absl::StrCat(kSmallest, "listen: \"", address, "\"\n")),
                HasSubstr("listen: "))
        << address;
  }
}

TEST_F(CheckListeningTest, PlainTextForOthersMustBeAllowed) {
  EXPECT_EQ(Faults(absl::StrCat(kSmallest, "listen: 0.0.0.0:8080\n")),
            "f.yaml:2: listen: \"0.0.0.0:8080\" is reachable from other machines in "
            "plain text; configure tls, or write allow_insecure_listen: true where something else "
            "encrypts");
  Good(absl::StrCat(kSmallest, "listen: 0.0.0.0:8080\nallow_insecure_listen: true\n"));
  Good(absl::StrCat(kSmallest, "listen: \"[::1]:8080\"\n"));
  WriteTls("a.crt", "a.key", "ca.crt");
  const Config config = Good(absl::StrCat(
      kSmallest,
      "listen: 0.0.0.0:8080\ntls: {certificate: a.crt, key: a.key, client_ca: ca.crt}\n"));
  ASSERT_TRUE(config.tls.has_value());
  EXPECT_EQ(config.tls->certificate, "a.crt");
  EXPECT_EQ(config.tls->client_ca, "ca.crt");
  EXPECT_TRUE(config.tls->client_certificate_required);
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tls: {certificate: a.crt}\n")),
              HasSubstr("tls.key: is missing"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest,
                                  "tls: {certificate: a, key: b, client_certificate: REQUIRED}\n")),
              HasSubstr("tls.client_certificate: needs client_ca"));
}

}  // namespace
}  // namespace assetgate::config
