#include "http/egress.h"

#include "gtest/gtest.h"

namespace assetgate::http {
namespace {

TEST(EgressTest, ThisMachineIsDistinguishedFromOthers) {
  for (const char* url : {"http://127.0.0.1", "http://127.0.0.1:8090/kyy", "https://localhost/x",
                          "HTTP://LocalHost:1", "http://[::1]:8080/jwks?a=b", "https://[::1]"}) {
    EXPECT_TRUE(IsOfThisMachine(url)) << url;
  }
  for (const char* url :
       {"", "127.0.0.1", "https://api.example/127.0.0.1", "https://127.evil.example:443/",
        "https://localhost.example", "https://[2001:db8::1]:443/", "https://10.0.0.1/"}) {
    EXPECT_FALSE(IsOfThisMachine(url)) << url;
  }
}

TEST(EgressTest, ProxyIsUsedOnlyForOtherMachines) {
  Egress egress;
  egress.proxy = "http://proxy.example:3128";
  egress.proxy_credential = base::Secret("me:word");
  egress.no_proxy = ".internal";
  Request request;
  SendOptions far;
  far.base_url = "https://api.example/v1";
  egress.ApplyTo(request, far);
  EXPECT_EQ(far.proxy, "http://proxy.example:3128");
  EXPECT_EQ(far.proxy_credential.Reveal(), "me:word");
  EXPECT_EQ(far.no_proxy, ".internal");
  SendOptions near;
  near.base_url = "http://127.0.0.1:8090/kyy";
  egress.ApplyTo(request, near);
  EXPECT_EQ(near.proxy, "") << "the proxy would look for it on its own machine";
  EXPECT_TRUE(near.proxy_credential.empty());
}

}  // namespace
}  // namespace assetgate::http
