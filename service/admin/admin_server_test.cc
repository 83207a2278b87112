#include "admin/admin_server.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "admin/testing/raw_client.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/curl_client.h"

namespace assetgate::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::Talk;

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

TEST_F(AdminServerTest, MetricsAreCurrent) {
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

TEST_F(AdminServerTest, ReadyzSaysWhyItIsNotReady) {
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

TEST_F(AdminServerTest, OtherPathsAreNotFound) {
  EXPECT_EQ(Get("/etc/passwd").status, 404);
  EXPECT_EQ(Get("/../../etc/passwd").status, 404);
  EXPECT_EQ(Get("/metrics/").status, 404);
  EXPECT_EQ(Get("//").status, 404);
}

TEST_F(AdminServerTest, OtherMethodsAndBodiesAreRejected) {
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

TEST_F(AdminServerTest, ClosesAfterOneRequestPerConnection) {
  const std::string answer =
      Talk(server_->port(), "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(AdminServerTest, GarbageIsRejected) {
  EXPECT_THAT(Talk(server_->port(), "what?\r\n\r\n"), HasSubstr(" 400 "));
  EXPECT_THAT(Talk(server_->port(), std::string(100'000, 'a')), HasSubstr(" 431 "));
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(AdminServerTest, AnAddressInUseIsRejected) {
  const auto second = AdminServer::Start({.listen = absl::StrCat("127.0.0.1:", server_->port()),
                                          .readiness = [] { return Readiness(); }},
                                         metrics_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(absl::StrCat(server_->port())));
}

}  // namespace
}  // namespace assetgate::admin
