#include "admin/page_server.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "admin/testing/raw_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::admin {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using ::testing::StartsWith;
using testing::Talk;

constexpr char kProbe[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

http::Response Ok(absl::string_view path) {
  return {.status = 200, .headers = {}, .body = absl::StrCat("page ", path)};
}

std::unique_ptr<PageServer> StartServer(PageServerOptions options, PageServer::Page page = &Ok) {
  options.listen = "127.0.0.1:0";
  options.probes = {"/healthz"};
  auto server = PageServer::Start(std::move(options), std::move(page));
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

TEST(PageServerTest, InvalidAddressesAreRejected) {
  for (const char* listen :
       {"", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:8080s", "127.0.0.1:65536",
        "127.0.0.1:-1", "::1:0", "[::1:0", "127.0.0.1:0,127.0.0.1:0"}) {
    const auto server = PageServer::Start({.listen = listen, .probes = {}}, &Ok);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << listen;
  }
}

TEST(PageServerTest, ServesOnEveryFormOfAddress) {
  for (const char* listen : {":0", "127.0.0.1:0", "localhost:0", "0.0.0.0:0"}) {
    const auto server = PageServer::Start({.listen = listen, .probes = {}}, &Ok);
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_NE((*server)->port(), 0) << listen;
  }
}

TEST(PageServerTest, AnExceptionIsAnInternalError) {
  const auto server = StartServer({}, [](absl::string_view path) -> http::Response {
    throw std::runtime_error(absl::StrCat("no page today at ", path));
  });
  for (const char* path : {"/healthz", "/metrics"}) {
    EXPECT_THAT(Talk(server->port(), absl::StrCat("GET ", path, " HTTP/1.1\r\n\r\n")),
                AllOf(StartsWith("HTTP/1.1 500"), HasSubstr(path)));
  }
}

TEST(PageServerTest, ASlowRequestIsClosed) {
  const auto server = StartServer({.request_timeout = absl::Milliseconds(50)});
  for (const char* bytes : {"", "GET / HTTP/1.1\r\nHost: a\r\n"}) {
    // The client sends half a request at most, and then only reads.
    EXPECT_EQ(Talk(server->port(), bytes), "");
  }
}

TEST(PageServerTest, AClientThatDoesNotReadIsClosed) {
  const std::size_t size = 64 << 20;
  const auto server =
      StartServer({.answer_timeout = absl::Milliseconds(50)}, [&](absl::string_view path) {
        return path == "/healthz" ? Ok(path)
                                  : http::Response{.status = 200, .body = std::string(size, 'x')};
      });
  const RawClient idle(server->port());
  EXPECT_TRUE(idle.Send("GET / HTTP/1.1\r\n\r\n"));
  // The server closes the connection when it gives up on bytes that the kernel has not accepted.
  const RawClient other(server->port());
  EXPECT_TRUE(other.Send("GET /more HTTP/1.1\r\n\r\n"));
  EXPECT_LT(idle.ReadAll().size(), size);
  EXPECT_THAT(Talk(server->port(), kProbe), StartsWith("HTTP/1.1 200"));
}

TEST(PageServerTest, ProbesAreAnsweredBesideManyIdleAndSlowClients) {
  const auto server = StartServer({.request_timeout = absl::Hours(1), .max_connections = 32});
  std::vector<RawClient> others;
  for (int i = 0; i < 300; ++i) {
    others.emplace_back(server->port());
    // The oldest connections are closed by now; some clients notice when they send.
    if (i % 3 == 0) others.back().Send("GET /healthz HTT");
    if (i % 10 == 0) {
      EXPECT_THAT(Talk(server->port(), kProbe), StartsWith("HTTP/1.1 200")) << i;
    }
  }
  EXPECT_EQ(others.front().ReadAll(), "") << "has made room";
}

TEST(PageServerTest, ProbesDoNotWaitForOtherPages) {
  absl::Notification go_on;
  absl::Notification making;
  auto server = StartServer({.max_pending = 1}, [&](absl::string_view path) {
    if (path == "/metrics") {
      if (!making.HasBeenNotified()) making.Notify();
      go_on.WaitForNotification();
    }
    return Ok(path);
  });
  constexpr char kSlow[] = "GET /metrics HTTP/1.1\r\n\r\n";
  const RawClient first(server->port());
  EXPECT_TRUE(first.Send(kSlow));
  making.WaitForNotification();
  const RawClient second(server->port());
  EXPECT_TRUE(second.Send(kSlow));
  // One page is being made and one waits; a third request is rejected at once. Which request that
  // is depends on the order of arrival.
  const RawClient third(server->port());
  EXPECT_TRUE(third.Send(kSlow));
  EXPECT_THAT(Talk(server->port(), kProbe), StartsWith("HTTP/1.1 200"));
  go_on.Notify();
  EXPECT_THAT(first.ReadAll(), HasSubstr("page /metrics"));
  const std::vector<std::string> later = {second.ReadAll(), third.ReadAll()};
  EXPECT_THAT(later, ::testing::UnorderedElementsAre(HasSubstr("page /metrics"),
                                                     StartsWith("HTTP/1.1 503")));
}

TEST(PageServerTest, AClientThatSendsEndlesslyIsClosed) {
  const auto server = StartServer({.request_timeout = absl::Hours(1)});
  const RawClient client(server->port());
  const std::string bytes(64 << 10, 'a');
  while (client.Send(bytes)) {
  }
  EXPECT_THAT(Talk(server->port(), kProbe), StartsWith("HTTP/1.1 200"));
}

TEST(PageServerTest, ProbesAreAnsweredWhenTheDescriptorsAreUsedUp) {
  const auto server = StartServer({.request_timeout = absl::Hours(1)});
  // The clients already have their descriptors.
  const RawClient idle;
  const RawClient first;
  const RawClient second;
  std::vector<int> used;
  for (;;) {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) break;
    used.push_back(fd);
    ASSERT_LT(used.size(), 100'000u) << "there is no limit on descriptors here";
  }
  ASSERT_EQ(errno, EMFILE);
  idle.Connect(server->port());
  std::vector<std::string> answers;
  for (const RawClient* probe : {&first, &second}) {
    probe->Connect(server->port());
    probe->Send(kProbe);
    answers.push_back(probe->ReadAll());
  }
  // A failed assertion needs descriptors.
  for (const int fd : used) ::close(fd);
  EXPECT_THAT(answers, ::testing::Each(StartsWith("HTTP/1.1 200")));
}

TEST(PageServerTest, AServerCanEndWhileClientsAreConnected) {
  auto server = StartServer({.request_timeout = absl::Hours(1)});
  const RawClient idle(server->port());
  EXPECT_THAT(Talk(server->port(), kProbe), StartsWith("HTTP/1.1 200"));
  server.reset();
  EXPECT_EQ(idle.ReadAll(), "");
}

}  // namespace
}  // namespace assetgate::admin
