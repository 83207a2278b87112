#include "base/loopback.h"

#include <gtest/gtest.h>

namespace assetgate::base {
namespace {

TEST(LoopbackTest, OnlyHostsThatAreCertainlyThisMachineAreLoopback) {
  for (const char* host : {"localhost", "::1", "127.0.0.1", "127.1.2.3"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"", "127", "127.example.com", "localhost.example.com", "128.0.0.1",
                           "0.0.0.0", "::", "[::1]"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace assetgate::base
