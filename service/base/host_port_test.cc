#include "base/host_port.h"

#include <gtest/gtest.h>

namespace assetgate::base {
namespace {

TEST(HostPortTest, HostAndPortAreRead) {
  const auto parsed = ParseHostPort("gateway-1.example:8080");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->host, "gateway-1.example");
  EXPECT_EQ(parsed->port, 8080);
  EXPECT_EQ(parsed->ToString(), "gateway-1.example:8080");
}

TEST(HostPortTest, IPv6AddressIsWrittenInBrackets) {
  const auto parsed = ParseHostPort("[fe80::1%eth0]:0");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->host, "fe80::1%eth0");
  EXPECT_EQ(parsed->port, 0);
  EXPECT_EQ(parsed->ToString(), "[fe80::1%eth0]:0");
}

TEST(HostPortTest, InvalidAddressIsRejected) {
  for (const char* text : {"", "x", ":80", "x:", "x:y", "x:65536", "x:-1", "x:+1", "x:123456",
                           "::1:80", "[::1:80", "::1]:80", "a b:1", "http://x:1", "[]:1"}) {
    EXPECT_FALSE(ParseHostPort(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace assetgate::base
