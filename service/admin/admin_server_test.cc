#include "admin/admin_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/curl_client.h"

namespace assetgate::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Sends `bytes` over a connection of its own and reads all that comes until the other side ends.
std::string Talk(int port, absl::string_view bytes) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{20, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<long>(bytes.size()));
  std::string all;
  char chunk[4096];
  long got = 0;
  while ((got = recv(socket, chunk, sizeof(chunk), 0)) > 0) {
    all.append(chunk, static_cast<std::size_t>(got));
  }
  EXPECT_EQ(got, 0) << "the server kept the connection";
  close(socket);
  return all;
}

class AdminServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = AdminServer::Start(
        {.listen = "127.0.0.1:0", .version = "1.2.3", .readiness = [this] { return readiness_; }},
        metrics_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  http::Response Send(http::Request request) {
    http::Result result;
    absl::Notification ended;
    client_.Send(std::move(request),
                 {.base_url = absl::StrCat("http://127.0.0.1:", server_->port())},
                 [&](http::Result answer) {
                   result = std::move(answer);
                   ended.Notify();
                 });
    ended.WaitForNotification();
    if (const auto* error = std::get_if<http::TransportError>(&result)) {
      ADD_FAILURE() << error->message;
      return {};
    }
    return std::get<http::Response>(result);
  }
  http::Response Get(std::string path) { return Send({.path = std::move(path)}); }

  base::SystemClock clock_;
  http::CurlClient client_{{}, clock_};
  base::Metrics metrics_{{.version = "1.2.3", .commit = "abc", .flags = "-O2"}};
  Readiness readiness_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, MetricsAreThoseOfNow) {
  metrics_.QueueDepth("store_writer").Set(7);
  const http::Response response = Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.HeaderValue("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body,
              HasSubstr("assetgate_build_info{commit=\"abc\",flags=\"-O2\",version=\"1.2.3\"} 1"));
  EXPECT_THAT(response.body, HasSubstr("assetgate_queue_depth{queue=\"store_writer\"} 7"));
  metrics_.QueueDepth("store_writer").Set(8);
  EXPECT_THAT(Get("/metrics").body, HasSubstr("assetgate_queue_depth{queue=\"store_writer\"} 8"));
}

TEST_F(AdminServerTest, AliveEvenWhenNotReady) {
  readiness_.status = absl::UnavailableError("draining");
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(AdminServerTest, ReadyOrWhyNot) {
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(Get("/readyz").body, "ready\n");

  readiness_.degraded = {"provider kyy is unavailable:\r\nconnection refused"};
  http::Response response = Get("/readyz");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "ready\ndegraded: provider kyy is unavailable:  connection refused\n");

  readiness_.status = absl::UnavailableError("draining");
  response = Get("/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, StartsWith("not ready: draining\ndegraded: "));
}

TEST_F(AdminServerTest, IndexNamesThePages) {
  const http::Response response = Get("/?x=y");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("assetgate 1.2.3"));
  for (const char* page : {"/healthz", "/readyz", "/metrics"}) {
    EXPECT_THAT(response.body, HasSubstr(page));
  }
}

TEST_F(AdminServerTest, NothingElseIsServed) {
  EXPECT_EQ(Get("/etc/passwd").status, 404);
  EXPECT_EQ(Get("/../../etc/passwd").status, 404);
  EXPECT_EQ(Get("/metrics/").status, 404);
  EXPECT_EQ(Get("//").status, 200) << "is the index: civetweb folds slashes";
}

TEST_F(AdminServerTest, OtherMethodsAndBodiesAreRefused) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const http::Response response = Send({.method = method, .path = "/metrics"});
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.HeaderValue("Allow"), "GET, HEAD") << method;
  }
  EXPECT_EQ(Send({.method = "GET", .path = "/metrics", .body = "x"}).status, 413);
}

TEST_F(AdminServerTest, HeadHasHeadersOnly) {
  const std::string answer =
      Talk(server_->port(), "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n")) << answer;
}

TEST_F(AdminServerTest, OneRequestPerConnection) {
  const std::string answer =
      Talk(server_->port(), "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(AdminServerTest, GarbageIsRefused) {
  EXPECT_THAT(Talk(server_->port(), "what?\r\n\r\n"), HasSubstr(" 400 "));
  Talk(server_->port(), std::string(100'000, 'a'));
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(AdminServerTest, TakenAddressIsRefused) {
  const auto second = AdminServer::Start({.listen = absl::StrCat("127.0.0.1:", server_->port()),
                                          .readiness = [] { return Readiness(); }},
                                         metrics_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat(server_->port())));
}

TEST(PageServerTest, FaultyAddressesAreRefused) {
  for (const char* listen :
       {"", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:8080s", "127.0.0.1:65536",
        "127.0.0.1:-1", "::1:0", "127.0.0.1:0,127.0.0.1:0"}) {
    const auto server =
        PageServer::Start({.listen = listen}, [](absl::string_view) { return http::Response(); });
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << listen;
  }
}

TEST(PageServerTest, SlowRequestIsCutOff) {
  auto server = PageServer::Start(
      {.listen = "127.0.0.1:0", .threads = 1, .request_timeout = absl::Milliseconds(100)},
      [](absl::string_view) { return http::Response{.status = 200}; });
  ASSERT_TRUE(server.ok()) << server.status();
  // Half a request, and then the client only reads: Talk returns because the server gives up.
  EXPECT_THAT(Talk((*server)->port(), "GET / HTTP/1.1\r\nHost: a\r\n"),
              ::testing::AnyOf("", HasSubstr(" 400 "), HasSubstr(" 408 ")));
}

TEST(PageServerTest, PageThatThrowsIsAnInternalError) {
  auto server = PageServer::Start({.listen = ":0"}, [](absl::string_view) -> http::Response {
    throw std::runtime_error("no page today");
  });
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string answer = Talk((*server)->port(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
}

}  // namespace
}  // namespace assetgate::admin
