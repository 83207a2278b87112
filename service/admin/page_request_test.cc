#include "admin/page_request.h"

#include <string>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::admin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The status of a rejected request, 0 where the request is served, -1 where it is incomplete.
int StatusOf(const std::string& bytes) {
  const auto parsed = ParsePageRequest(bytes);
  if (const auto* refusal = std::get_if<http::Response>(&parsed)) return refusal->status;
  return std::holds_alternative<PageRequest>(parsed) ? 0 : -1;
}

TEST(ParsePageRequestTest, PathsAreDecodedAndQueriesLeftOut) {
  const struct {
    std::string line;
    PageRequest request;
  } cases[] = {
      {"GET /healthz HTTP/1.1", {"/healthz", false}},
      {"HEAD /healthz HTTP/1.0", {"/healthz", true}},
      {"GET /?x=/healthz HTTP/1.1", {"/", false}},
      {"GET /%68ealthz?%zz HTTP/1.1", {"/healthz", false}},
      {"GET //healthz HTTP/1.1", {"//healthz", false}},
  };
  for (const auto& [line, request] : cases) {
    for (const std::string end : {"\r\nHost: a\r\n\r\n", "\nHost: a\n\n", "\r\n\r\nmore"}) {
      const auto parsed = ParsePageRequest(line + end);
      ASSERT_TRUE(std::holds_alternative<PageRequest>(parsed)) << line << end;
      EXPECT_EQ(std::get<PageRequest>(parsed), request) << line << end;
    }
  }
}

TEST(ParsePageRequestTest, OtherRequestsAreRejected) {
  const struct {
    std::string bytes;
    int status;
  } cases[] = {
      {"", -1},
      {"GET / HTTP/1.1\r\n", -1},
      {"GET / HTTP/1.1\r\nHost: a\r\n", -1},
      {std::string(kMaxRequestBytes - 1, 'a'), -1},
      {std::string(kMaxRequestBytes, 'a'), 431},
      {"GET /" + std::string(kMaxRequestBytes, 'a') + " HTTP/1.1\r\n\r\n", 431},
      {"\r\n\r\n", 400},
      {"what?\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET healthz HTTP/1.1\r\n\r\n", 400},
      {"GET http://host/healthz HTTP/1.1\r\n\r\n", 400},
      {"GET /%4 HTTP/1.1\r\n\r\n", 400},
      {"GET /%4g HTTP/1.1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n\r\n", 405},
      {"get / HTTP/1.1\r\n\r\n", 405},
      {"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\ncontent-length:0\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n", 413},
  };
  for (const auto& [bytes, status] : cases) {
    EXPECT_EQ(StatusOf(bytes), status) << bytes.substr(0, 80);
  }
}

TEST(SerializeTest, AResponseHasItsLengthAndClosesTheConnection) {
  const std::string answer = Serialize(TextPage(404, "no"), /*with_body=*/true);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 3\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nno\n"));
  EXPECT_THAT(Serialize(TextPage(404, "no"), /*with_body=*/false),
              AllOf(HasSubstr("Content-Length: 3"), EndsWith("\r\n\r\n")));
}

}  // namespace
}  // namespace assetgate::admin
