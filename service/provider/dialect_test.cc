#include "provider/dialect.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider {
namespace {

TEST(DestinationOfTest, HostPathAndQueryAreThoseOfTheSentRequest) {
  struct Row {
    const char* base_url;
    const char* path;
    const char* host;
    const char* sent_path;
    const char* query;
  };
  for (const Row& row : {
           Row{"https://a.example", "/v1/assets", "a.example", "/v1/assets", ""},
           Row{"https://a.example/v1/", "/assets/x?platform=P&n=1", "a.example", "/v1/assets/x",
               "platform=P&n=1"},
           Row{"https://a.example:443/v1", "/x", "a.example", "/v1/x", ""},
           Row{"https://a.example:8443/v1", "/x", "a.example:8443", "/v1/x", ""},
           Row{"http://127.0.0.1:80", "/x", "127.0.0.1", "/x", ""},
           Row{"http://127.0.0.1:443/p", "?Action=List", "127.0.0.1:443", "/p", "Action=List"},
           Row{"https://[2001:db8::1]:8443", "?a=b?c", "[2001:db8::1]:8443", "/", "a=b?c"},
           Row{"https://a.example", "/asset%2F1", "a.example", "/asset%2F1", ""},
       }) {
    http::Request request;
    request.path = row.path;
    const Destination destination = DestinationOf(request, row.base_url);
    EXPECT_EQ(destination.host, row.host) << row.base_url << row.path;
    EXPECT_EQ(destination.path, row.sent_path) << row.base_url << row.path;
    EXPECT_EQ(destination.query, row.query) << row.base_url << row.path;
  }
}

TEST(BaseUrlForTest, ARequestGoesToThePlaneThatItNames) {
  const std::map<std::string, std::string> planes = {{"control", "https://control.example"}};
  http::Request request;
  EXPECT_EQ(BaseUrlFor(request, "https://data.example", planes), "https://data.example");
  request.plane = "control";
  EXPECT_EQ(BaseUrlFor(request, "https://data.example", planes), "https://control.example");
  request.plane = "other";
  EXPECT_EQ(BaseUrlFor(request, "https://data.example", planes), "");
}

}  // namespace
}  // namespace assetgate::provider
