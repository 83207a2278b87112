#include "config/base_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using BaseUrlTest = ConfigTest;

TEST_F(BaseUrlTest, InvalidBaseUrlIsRejected) {
  for (const char* url :
       {"", "ftp://x", "https://", "https:///v1", "https://x:0", "https://x:99999", "https://x?a=1",
        "https://x/#f", "https://x y", "https://[::1", "http://api.example.org"}) {
    EXPECT_THAT(ProviderFaults(absl::StrCat("base_url: \"", url, "\"")),
                StartsWith("f.yaml:4: providers[0].base_url: "))
        << url;
  }
}

TEST_F(BaseUrlTest, ValidBaseUrlLosesItsTrailingSlashes) {
  for (const auto& [written, read] : std::map<std::string, std::string>{
           {"https://x.example", "https://x.example"},
           {"https://x.example/v1//", "https://x.example/v1"},
           {"https://[2001:db8::1]:8443/v1", "https://[2001:db8::1]:8443/v1"},
           {"https://[2001:db8::1]", "https://[2001:db8::1]"},
           {"http://localhost:81/zerozero/v1", "http://localhost:81/zerozero/v1"},
           {"http://[::1]:81", "http://[::1]:81"}}) {
    EXPECT_EQ(GoodProvider(absl::StrCat("base_url: \"", written, "\"")).providers[0]->base_url,
              read);
  }
}

TEST_F(BaseUrlTest, PlainHttpToAnotherMachineMustBeAllowed) {
  EXPECT_THAT(ProviderFaults("base_url: http://simulator:8090/kyy"),
              HasSubstr("allow_insecure_http: true"));
  // A name that only begins like this machine's.
  EXPECT_THAT(ProviderFaults("base_url: http://localhost.example"),
              HasSubstr("allow_insecure_http: true"));
  GoodProvider("base_url: http://simulator:8090/kyy\n  allow_insecure_http: true");
}

TEST_F(BaseUrlTest, PasswordInABaseUrlIsNotShown) {
  EXPECT_THAT(ProviderFaults("base_url: https://user:LEAKED@x.example"),
              AllOf(HasSubstr("base_url"), Not(HasSubstr("LEAKED"))));
}

}  // namespace
}  // namespace assetgate::config
