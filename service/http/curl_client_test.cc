#include "http/curl_client.h"

#include <zlib.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/testing/exchange.h"
#include "http/testing/scripted_server.h"

namespace assetgate::http {
namespace {

using testing::Connection;
using testing::Exchange;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScriptedServer;
using Kind = TransportError::Kind;

class CurlClientTest : public ::testing::Test {
 protected:
  CurlClient& client() {
    if (client_ == nullptr) client_ = std::make_unique<CurlClient>(options_, clock_);
    return *client_;
  }
  SendOptions To(const ScriptedServer& server) const { return {.base_url = server.url()}; }
  SendOptions Submission(const ScriptedServer& server) const {
    return {.base_url = server.url(), .submission = true};
  }
  Exchange Get(const ScriptedServer& server, std::string path = "/") {
    return Exchange(client(), {.path = std::move(path)}, To(server));
  }

  // Returns once `server` has seen everything that was ever sent.
  void StopAll(ScriptedServer& server) {
    client_ = nullptr;
    server.WaitForScripts();
  }

  base::FakeClock clock_;
  CurlClientOptions options_;

 private:
  std::unique_ptr<CurlClient> client_;
};

// Answers every request of every connection.
void ServeAll(Connection& connection) {
  while (connection.ReadRequest().has_value()) connection.Respond(200, "ok");
}

std::string Gzip(absl::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// ---- Requests and answers ----

TEST_F(CurlClientTest, RequestArrivesUnchanged) {
  ScriptedServer server(ServeAll);
  SendOptions options = To(server);
  options.base_url += "/v1/";
  const Exchange exchange(client(),
                          {.method = "POST",
                           .path = "/assets/../x?platform=JIMENG&a=%20",
                           .headers = {{"Authorization", "Bearer key"},
                                       {"Content-Type", "application/json"},
                                       {"X-Empty", ""}},
                           .body = R"({"a":1})"},
                          options);
  exchange.WaitForResponse();

  const Request seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/assets/../x?platform=JIMENG&a=%20");
  EXPECT_EQ(seen.body, R"({"a":1})");
  Response headers{.headers = seen.headers};
  EXPECT_EQ(headers.HeaderValue("authorization"), "Bearer key");
  EXPECT_EQ(headers.HeaderValue("content-type"), "application/json");
  EXPECT_EQ(headers.HeaderValue("user-agent"), "assetgate");
  int empty = 0;
  for (const Header& header : seen.headers) empty += header.name == "X-Empty";
  EXPECT_EQ(empty, 1);
}

TEST_F(CurlClientTest, EveryMethodSendsExactlyItsBody) {
  ScriptedServer server(ServeAll);
  const std::vector<Request> requests = {
      {.method = "POST", .path = "/1", .body = "one"},
      {.method = "GET", .path = "/2"},
      {.method = "DELETE", .path = "/3"},
      {.method = "POST", .path = "/4"},
      {.method = "PUT", .path = "/5", .body = "five"},
      {.method = "DELETE", .path = "/6", .body = "6"},
      {.method = "PATCH", .path = "/7", .body = "sev"},
      {.method = "GET", .path = "/8", .body = "8"},
      {.method = "GET", .path = "/9"},
  };
  // One after another, on one easy handle.
  for (const Request& request : requests) {
    EXPECT_EQ(Exchange(client(), request, To(server)).WaitForResponse().status, 200);
  }
  const std::vector<Request> seen = server.requests();
  ASSERT_EQ(seen.size(), requests.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].method, requests[i].method) << i;
    EXPECT_EQ(seen[i].path, requests[i].path) << i;
    EXPECT_EQ(seen[i].body, requests[i].body) << i;
    const Response headers{.headers = seen[i].headers};
    EXPECT_EQ(headers.HeaderValue("content-type"), "") << i;
    EXPECT_EQ(headers.HeaderValue("expect"), "") << i;
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(CurlClientTest, BodyIsReadAfterAHeadRequest) {
  ScriptedServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    connection.ReadRequest();
    connection.Respond(200, "body");
  });
  EXPECT_EQ(Exchange(client(), {.method = "HEAD", .path = "/"}, To(server)).WaitForResponse().body,
            "");
  EXPECT_EQ(Get(server).WaitForResponse().body, "body");
  EXPECT_EQ(server.requests().at(0).method, "HEAD");
}

TEST_F(CurlClientTest, AnyStatusIsAValue) {
  ScriptedServer server([](Connection& connection) {
    for (const int status : {200, 201, 204, 301, 400, 401, 404, 429, 500, 503}) {
      if (!connection.ReadRequest().has_value()) return;
      connection.Respond(status, status == 204 ? "" : "words", "Retry-After: 7\r\n");
    }
  });
  for (const int status : {200, 201, 204, 301, 400, 401, 404, 429, 500, 503}) {
    const Response response = Get(server).WaitForResponse();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.HeaderValue("retry-after"), "7");
    EXPECT_EQ(response.body, status == 204 ? "" : "words");
  }
}

TEST_F(CurlClientTest, RedirectIsNotFollowed) {
  ScriptedServer elsewhere(ServeAll);
  ScriptedServer server([&elsewhere](Connection& connection) {
    connection.ReadRequest();
    connection.Respond(302, "", absl::StrCat("Location: ", elsewhere.url(), "/\r\n"));
  });
  const Response response = Get(server).WaitForResponse();
  EXPECT_EQ(response.status, 302);
  EXPECT_EQ(response.HeaderValue("Location"), elsewhere.url() + "/");
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(CurlClientTest, OnlyHeadersOfTheFinalAnswerAreReturned) {
  ScriptedServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Write(
        "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
        "HTTP/1.1 200 OK\r\nX-Folded: one\r\n  two\r\nX-Bare:three\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n");
  });
  const Response response = Get(server).WaitForResponse();
  EXPECT_EQ(response.body, "ok");
  EXPECT_EQ(response.HeaderValue("x-early"), "");
  EXPECT_EQ(response.HeaderValue("x-folded"), "one two");
  EXPECT_EQ(response.HeaderValue("x-bare"), "three");
  EXPECT_EQ(response.HeaderValue("x-trailer"), "");
}

TEST_F(CurlClientTest, CompressedAnswerIsDecompressed) {
  const std::string text(100'000, 'a');
  ScriptedServer server([&text](Connection& connection) {
    connection.ReadRequest();
    connection.Respond(200, Gzip(text), "Content-Encoding: gzip\r\n");
  });
  EXPECT_EQ(Get(server).WaitForResponse().body, text);
  EXPECT_THAT(std::string(Response{.headers = server.requests().at(0).headers}.HeaderValue(
                  "Accept-Encoding")),
              HasSubstr("gzip"));
}

TEST_F(CurlClientTest, ProxyFromTheEnvironmentIsIgnored) {
  ScriptedServer proxy(ServeAll);
  ScriptedServer server(ServeAll);
  setenv("http_proxy", proxy.url().c_str(), 1);
  EXPECT_EQ(Get(server).WaitForResponse().status, 200);
  unsetenv("http_proxy");
  EXPECT_EQ(proxy.connections(), 0);
}

TEST_F(CurlClientTest, NoProxyFromTheEnvironmentIsIgnored) {
  ScriptedServer proxy([](Connection& connection) {
    if (!connection.ReadRequest().has_value()) return;
    connection.Write("HTTP/1.1 200 OK\r\n\r\n");
    ServeAll(connection);
  });
  ScriptedServer server(ServeAll);
  SendOptions options = To(server);
  options.proxy = proxy.url();
  setenv("no_proxy", "*", 1);
  EXPECT_EQ(Exchange(client(), {.path = "/"}, options).WaitForResponse().status, 200);
  unsetenv("no_proxy");
  EXPECT_EQ(proxy.connections(), 1);
}

// ---- Proxies ----
using CurlClientProxyTest = CurlClientTest;

// Accepts a CONNECT, and then acts as the server behind it.
void ProxyAndServer(Connection& connection) {
  if (!connection.ReadRequest().has_value()) return;
  connection.Write("HTTP/1.1 200 Connection established\r\nProxy-Agent: tiny\r\n\r\n");
  ServeAll(connection);
}

TEST_F(CurlClientProxyTest, RequestsUseTheGivenProxy) {
  ScriptedServer proxy(ProxyAndServer);
  SendOptions options{.base_url = "http://provider.invalid/v1", .submission = true};
  options.proxy = proxy.url();
  options.proxy_credential = base::Secret("me:pass:word");
  Exchange exchange(
      client(), {.method = "POST", .path = "/videos", .headers = {{"X-Own", "1"}}, .body = "{}"},
      options);
  const Response response = exchange.WaitForResponse();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.HeaderValue("Proxy-Agent"), "") << "the proxy's headers are not the answer's";
  const std::vector<Request> seen = proxy.requests();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].method, "CONNECT");
  EXPECT_EQ(seen[0].path, "provider.invalid:80") << "the proxy resolves the name";
  const Response connect{.headers = seen[0].headers};
  const Response request{.headers = seen[1].headers};
  EXPECT_EQ(connect.HeaderValue("Proxy-Authorization"), "Basic bWU6cGFzczp3b3Jk");
  EXPECT_EQ(connect.HeaderValue("X-Own"), "") << "headers for the server are not for the proxy";
  EXPECT_EQ(seen[1].path, "/v1/videos");
  EXPECT_EQ(seen[1].body, "{}");
  EXPECT_EQ(request.HeaderValue("Proxy-Authorization"), "")
      << "the proxy's password is not for the server";
}

TEST_F(CurlClientProxyTest, RejectionByTheProxyIsCertainlyNotSent) {
  ScriptedServer proxy([](Connection& connection) {
    connection.ReadRequest();
    connection.Respond(407, "who are you");
  });
  SendOptions options{.base_url = "http://provider.invalid", .submission = true};
  options.proxy = proxy.url();
  Exchange exchange(client(), {.method = "POST", .path = "/videos", .body = "{}"}, options);
  const TransportError error = exchange.WaitForError();
  EXPECT_EQ(error.kind, Kind::kConnect);
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_THAT(error.message, HasSubstr("407"));
}

TEST_F(CurlClientProxyTest, SocksProxyResolvesTheName) {
  std::string asked;
  ScriptedServer proxy([&asked](Connection& connection) {
    const auto greeting = connection.Read(2);
    if (!greeting.has_value()) return;
    connection.Read(static_cast<unsigned char>((*greeting)[1]));
    connection.Write(absl::string_view("\x05\x00", 2));
    const auto head = connection.Read(5);
    if (!head.has_value()) return;
    asked = connection.Read(static_cast<unsigned char>((*head)[4])).value_or("");
    connection.Read(2);
    connection.Write(absl::string_view("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10));
    ServeAll(connection);
  });
  SendOptions options{.base_url = "http://provider.invalid"};
  options.proxy = absl::StrCat("socks5h://127.0.0.1:", proxy.port());
  EXPECT_EQ(Exchange(client(), {.path = "/"}, options).WaitForResponse().status, 200);
  EXPECT_EQ(asked, "provider.invalid");
}

TEST_F(CurlClientProxyTest, HandleThatHasUsedAProxyConnectsDirectlyAgain) {
  ScriptedServer proxy(ProxyAndServer);
  ScriptedServer server(ServeAll);
  SendOptions options{.base_url = "http://provider.invalid"};
  options.proxy = proxy.url();
  options.proxy_credential = base::Secret("me:word");
  EXPECT_EQ(Exchange(client(), {.path = "/"}, options).WaitForResponse().status, 200);
  EXPECT_EQ(Get(server).WaitForResponse().status, 200);
  EXPECT_EQ(proxy.requests().size(), 2u);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(CurlClientProxyTest, NoProxyHostsAreCalledDirectly) {
  ScriptedServer proxy(ProxyAndServer);
  ScriptedServer server(ServeAll);
  SendOptions options = To(server);
  options.proxy = proxy.url();
  options.no_proxy = "localhost,127.0.0.1";
  EXPECT_EQ(Exchange(client(), {.path = "/"}, options).WaitForResponse().status, 200);
  EXPECT_EQ(proxy.connections(), 0);
}

TEST_F(CurlClientProxyTest, CallersUserAgentReplacesTheClients) {
  options_.user_agent = "assetgate/1";
  ScriptedServer server(ServeAll);
  Get(server).WaitForResponse();
  Exchange(client(), {.path = "/", .headers = {{"user-agent", "studio/2"}}}, To(server))
      .WaitForResponse();
  std::vector<std::string> agents;
  for (const Request& request : server.requests()) {
    for (const Header& header : request.headers) {
      if (absl::EqualsIgnoreCase(header.name, "User-Agent")) agents.push_back(header.value);
    }
  }
  EXPECT_EQ(agents, (std::vector<std::string>{"assetgate/1", "studio/2"}));
}

// ---- Connections ----
using CurlClientConnectionTest = CurlClientTest;

TEST_F(CurlClientConnectionTest, ConnectionIsReused) {
  ScriptedServer server(ServeAll);
  for (int i = 0; i < 20; ++i) {
    Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, Submission(server))
        .WaitForResponse();
    Get(server).WaitForResponse();
  }
  EXPECT_EQ(server.requests().size(), 40u);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(CurlClientConnectionTest, ThousandConcurrentRequestsGetTheirOwnAnswers) {
  ScriptedServer server([](Connection& connection) {
    while (const std::optional<Request> request = connection.ReadRequest()) {
      connection.Respond(200, request->path);
    }
  });
  options_.max_connections_per_host = 32;
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  absl::BlockingCounter left(kThreads * kEach);
  std::atomic<int> right{0};
  client();
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string path = absl::StrCat("/", t, "-", i);
        client().Send({.path = path}, To(server), [&left, &right, path](Result result) {
          const auto* response = std::get_if<Response>(&result);
          right += response != nullptr && response->body == path;
          left.DecrementCount();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  left.Wait();
  EXPECT_EQ(right, kThreads * kEach);
  EXPECT_LE(server.connections(), 32);
}

TEST_F(CurlClientConnectionTest, DoneMaySendAnotherRequest) {
  ScriptedServer server(ServeAll);
  absl::Notification ended;
  client().Send({.path = "/1"}, To(server), [&](Result) {
    client().Send({.path = "/2"}, To(server), [&](Result) { ended.Notify(); });
  });
  ended.WaitForNotification();
  EXPECT_EQ(server.requests().at(1).path, "/2");
}

// ---- Submissions are never sent twice ----
using CurlClientRepetitionTest = CurlClientTest;

// Serves the first request of the first connection, reads the second one completely, and closes. A
// repeated request on another connection would be served and counted.
void ServeOneThenCut(Connection& connection) {
  if (connection.index() > 0) return ServeAll(connection);
  if (!connection.ReadRequest().has_value()) return;
  connection.Respond(200, "first");
  connection.ReadRequest();
}

void ServeOneThenReset(Connection& connection) {
  if (connection.index() > 0) return ServeAll(connection);
  if (!connection.ReadRequest().has_value()) return;
  connection.Respond(200, "first");
  connection.ReadRequest();
  connection.Reset();
}

struct Situation {
  const char* name;
  ScriptedServer::Script script;
  const char* body;
};

class SubmissionTest : public CurlClientTest, public ::testing::WithParamInterface<Situation> {};

TEST_P(SubmissionTest, CutOnAReusedConnectionIsServedExactlyOnce) {
  ScriptedServer server(GetParam().script);
  Exchange(client(), {.method = "POST", .path = "/first", .body = "1"}, Submission(server))
      .WaitForResponse();

  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/second", .body = GetParam().body},
               Submission(server))
          .WaitForError();
  EXPECT_EQ(error.kind, Kind::kReset);
  EXPECT_TRUE(error.maybe_sent);

  StopAll(server);
  std::vector<std::string> paths;
  for (const Request& request : server.requests()) paths.push_back(request.path);
  EXPECT_THAT(paths, ::testing::ElementsAre("/first", "/second"));
}

INSTANTIATE_TEST_SUITE_P(
    Situations, SubmissionTest,
    ::testing::Values(Situation{"Closed", ServeOneThenCut, R"({"prompt":"a"})"},
                      Situation{"Reset", ServeOneThenReset, R"({"prompt":"a"})"},
                      Situation{"ClosedWithoutBody", ServeOneThenCut, ""},
                      Situation{"ResetWithoutBody", ServeOneThenReset, ""}),
    [](const auto& test) { return test.param.name; });

TEST_F(CurlClientRepetitionTest, ServerDetectsARepeatedRequest) {
  // The counterpart of SubmissionTest: libcurl does repeat a request that is not a submission,
  // which proves that the test above can fail.
  ScriptedServer server(ServeOneThenCut);
  Get(server, "/first").WaitForResponse();
  EXPECT_EQ(Exchange(client(), {.method = "POST", .path = "/second", .body = "x"}, To(server))
                .WaitForResponse()
                .status,
            200);
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(CurlClientRepetitionTest, PollIsRepeatedOnceAtMost) {
  // Fills the client's cache with connections that all fail when they are reused.
  constexpr int kConnections = 4;
  ScriptedServer* all = nullptr;
  ScriptedServer server([&all](Connection& connection) {
    if (!connection.ReadRequest().has_value() || connection.index() >= kConnections) return;
    if (!all->WaitForRequests(kConnections)) return;
    connection.Respond(200, "first");
    connection.ReadRequest();
  });
  all = &server;
  std::vector<Exchange> exchanges;
  exchanges.reserve(kConnections);
  for (int i = 0; i < kConnections; ++i) exchanges.push_back(Get(server, "/first"));
  for (const Exchange& exchange : exchanges) exchange.WaitForResponse();

  const TransportError error = Get(server, "/second").WaitForError();
  EXPECT_EQ(error.kind, Kind::kReset);
  EXPECT_TRUE(error.maybe_sent);
  StopAll(server);
  EXPECT_EQ(server.requests().size(), kConnections + 2u);
}

TEST_F(CurlClientRepetitionTest, ServerGoneAfterASubmissionIsMaybeSent) {
  // libcurl tries to repeat the request and cannot connect. "Connection refused" must not count as
  // "certainly not sent".
  ScriptedServer* listening = nullptr;
  ScriptedServer server([&listening](Connection& connection) {
    connection.ReadRequest();
    connection.Respond(200, "first");
    connection.ReadRequest();
    listening->StopListening();
  });
  listening = &server;
  Get(server).WaitForResponse();
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, Submission(server))
          .WaitForError();
  EXPECT_EQ(error.kind, Kind::kReset);
  EXPECT_TRUE(error.maybe_sent);
}

TEST_F(CurlClientRepetitionTest, IdleConnectionThatTheServerClosedIsNotUsedForASubmission) {
  absl::Notification closed;
  ScriptedServer server([&closed](Connection& connection) {
    if (connection.index() > 0) return ServeAll(connection);
    connection.ReadRequest();
    connection.Respond(200, "first");
    connection.Close();
    closed.Notify();
    connection.WaitForPeer();
  });
  Get(server).WaitForResponse();
  closed.WaitForNotification();
  EXPECT_EQ(Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, Submission(server))
                .WaitForResponse()
                .status,
            200);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(CurlClientRepetitionTest, CutAfterPartOfTheAnswerIsMaybeSent) {
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadRequest().has_value()) return;
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":");
  });
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, Submission(server))
          .WaitForError();
  EXPECT_EQ(error.kind, Kind::kReset);
  EXPECT_TRUE(error.maybe_sent);
  StopAll(server);
  EXPECT_EQ(server.requests().size(), 1u);
}

// ---- Deadlines ----
using CurlClientDeadlineTest = CurlClientTest;

TEST_F(CurlClientDeadlineTest, RequestIsNotStartedAfterSendBefore) {
  ScriptedServer server(ServeAll);
  SendOptions options = Submission(server);
  options.send_before = clock_.Now() - absl::Milliseconds(1);
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, options).WaitForError();
  EXPECT_EQ(error.kind, Kind::kExpired);
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_EQ(server.connections(), 0);

  options.send_before = clock_.Now();
  EXPECT_EQ(Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, options)
                .WaitForResponse()
                .status,
            200);
}

TEST_F(CurlClientDeadlineTest, StalledServerTimesOutAsMaybeSent) {
  ScriptedServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nX-Slow: ");
    connection.WaitForPeer();
  });
  SendOptions options = Submission(server);
  options.timeout = absl::Milliseconds(50);
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, options).WaitForError();
  EXPECT_EQ(error.kind, Kind::kTimeout);
  EXPECT_TRUE(error.maybe_sent);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(CurlClientDeadlineTest, AnswerThatArrivedWhileSuspendedIsReturned) {
  absl::Notification suspended;
  absl::Notification answered;
  ScriptedServer server([&](Connection& connection) {
    connection.ReadRequest();
    suspended.WaitForNotification();
    connection.Respond(200, "paid for");
    answered.Notify();
    connection.WaitForPeer();
  });
  SendOptions options = Submission(server);
  options.timeout = absl::Milliseconds(300);
  const Exchange exchange(client(), {.method = "POST", .path = "/", .body = "x"}, options);
  ASSERT_TRUE(server.WaitForRequests(1));
  // The callback blocks the client's thread.
  ScriptedServer other(ServeAll);
  client().Send({.path = "/"}, To(other), [&](Result) {
    suspended.Notify();
    answered.WaitForNotification();
    absl::Notification never;
    never.WaitForNotificationWithTimeout(2 * options.timeout);
  });
  EXPECT_EQ(exchange.WaitForResponse().body, "paid for");
}

TEST_F(CurlClientDeadlineTest, ConnectionThatIsNeverMadeTimesOutUnsent) {
  options_.connect_timeout = absl::Seconds(60);
  absl::Notification over;
  ScriptedServer server([](Connection&) {},
                        {.certificate = testing::Certificate::SelfSigned(),
                         .before_handshake = [&] { over.WaitForNotification(); }});
  SendOptions options = Submission(server);
  options.timeout = absl::Milliseconds(50);
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, options).WaitForError();
  over.Notify();
  EXPECT_EQ(error.kind, Kind::kConnect);
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_THAT(error.message, HasSubstr("not sent within 50ms"));
}

TEST_F(CurlClientDeadlineTest, StalledServerDelaysNoOtherRequest) {
  ScriptedServer stuck([](Connection& connection) { connection.WaitForPeer(); });
  ScriptedServer server(ServeAll);
  std::vector<Exchange> waiting;
  waiting.reserve(50);
  for (int i = 0; i < 50; ++i) waiting.push_back(Get(stuck));
  ASSERT_TRUE(stuck.WaitForConnections(50));
  EXPECT_EQ(Get(server).WaitForResponse().status, 200);
  for (const Exchange& exchange : waiting) EXPECT_FALSE(exchange.ended());
}

TEST_F(CurlClientDeadlineTest, ZeroTimeoutTimesOutUnsent) {
  ScriptedServer server(ServeAll);
  SendOptions options = To(server);
  options.timeout = absl::ZeroDuration();
  const TransportError error = Exchange(client(), {.path = "/"}, options).WaitForError();
  EXPECT_EQ(error.kind, Kind::kTimeout);
  EXPECT_FALSE(error.maybe_sent);
}

// ---- Certainly not sent ----
using CurlClientNotSentTest = CurlClientTest;

TEST_F(CurlClientNotSentTest, RefusedConnectionIsCertainlyNotSent) {
  std::string url;
  {
    ScriptedServer server(ServeAll);
    url = server.url();
  }
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/x?key=secret", .body = "x"},
               {.base_url = url, .submission = true})
          .WaitForError();
  EXPECT_EQ(error.kind, Kind::kConnect);
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_THAT(error.message, HasSubstr(url + "/x"));
  EXPECT_THAT(error.message, Not(HasSubstr("secret")));
}

TEST_F(CurlClientNotSentTest, UnknownHostIsCertainlyNotSent) {
  const TransportError error =
      Exchange(client(), {.path = "/"}, {.base_url = "http://no-such-host.invalid"}).WaitForError();
  EXPECT_EQ(error.kind, Kind::kResolve);
  EXPECT_FALSE(error.maybe_sent);
}

TEST_F(CurlClientNotSentTest, OtherSchemesAndCredentialsInTheUrlAreRejected) {
  for (const char* base :
       {"ftp://127.0.0.1/", "file:///etc/", "http://me:secret@127.0.0.1:1", ""}) {
    const TransportError error =
        Exchange(client(), {.path = "/passwd"}, {.base_url = base}).WaitForError();
    EXPECT_EQ(error.kind, Kind::kMalformed) << base;
    EXPECT_FALSE(error.maybe_sent) << base;
    EXPECT_THAT(error.message, Not(HasSubstr("secret")));
  }
}

TEST_F(CurlClientNotSentTest, TextThatWouldChangeTheRequestsStructureIsRejected) {
  ScriptedServer server(ServeAll);
  const std::vector<std::pair<Request, std::string>> cases = {
      {{.method = "GET /x HTTP/1.1\r\nX: "}, "method"},
      {{.method = ""}, "method"},
      {{.path = "/a b"}, "path"},
      {{.path = "/a\r\nX: y"}, "path"},
      {{.path = std::string("/a\0b", 4)}, "path"},
      {{.path = "/a#b"}, "path"},
      {{.path = "/é"}, "path"},
      {{.path = ".evil.example"}, "path"},
      {{.path = "@evil.example"}, "path"},
      {{.headers = {{"X-Key", "secret\r\nX: y"}}}, "\"X-Key\""},
      {{.headers = {{"X-Key", std::string("secret\0", 7)}}}, "\"X-Key\""},
      {{.headers = {{"X-Key", "secret\x7f"}}}, "\"X-Key\""},
      {{.headers = {{"A", "b"}, {"X Key", "secret"}}}, "header 1"},
      {{.headers = {{"", "secret"}}}, "header 0"},
      {{.headers = {{"Content-length", "3"}}}, "\"Content-length\""},
      {{.headers = {{"Transfer-Encoding", "chunked"}}}, "\"Transfer-Encoding\""},
  };
  for (const auto& [request, named] : cases) {
    const TransportError error = Exchange(client(), request, To(server)).WaitForError();
    EXPECT_EQ(error.kind, Kind::kMalformed) << named;
    EXPECT_FALSE(error.maybe_sent) << named;
    EXPECT_THAT(error.message, HasSubstr(named));
    EXPECT_THAT(error.message, Not(HasSubstr("secret")));
  }
  EXPECT_EQ(server.connections(), 0);
}

// ---- Hostile answers ----
using CurlClientHostileAnswerTest = CurlClientTest;

struct BadAnswer {
  const char* name;
  std::string bytes;
  Kind kind;
};

class BadAnswerTest : public CurlClientTest, public ::testing::WithParamInterface<BadAnswer> {};

TEST_P(BadAnswerTest, IsAnErrorThatMayHaveBeenSent) {
  options_.max_response_bytes = 1000;
  options_.max_header_bytes = 2000;
  options_.max_headers = 20;
  ScriptedServer server([](Connection& connection) {
    if (!connection.ReadRequest().has_value()) return;
    connection.Write(GetParam().bytes);
  });
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, Submission(server))
          .WaitForError();
  EXPECT_EQ(error.kind, GetParam().kind) << error.message;
  EXPECT_TRUE(error.maybe_sent);
  StopAll(server);
  EXPECT_EQ(server.requests().size(), 1u);
}

std::string Repeated(int count, absl::string_view text) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, text);
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    Answers, BadAnswerTest,
    ::testing::Values(
        BadAnswer{"Nothing", "", Kind::kReset},
        BadAnswer{"Garbage", "\x01\x02\x03 what?\r\n\r\n", Kind::kMalformed},
        BadAnswer{"Http09", "<html>hello</html>", Kind::kMalformed},
        BadAnswer{"EndInHeaders", "HTTP/1.1 200 OK\r\nContent-Le", Kind::kReset},
        BadAnswer{"EndInBody", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", Kind::kReset},
        BadAnswer{"EndInChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc",
                  Kind::kReset},
        BadAnswer{"BadChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
                  Kind::kReset},
        BadAnswer{
            "LongBody",
            absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", std::string(1001, 'a')),
            Kind::kTooLarge},
        BadAnswer{"EndlessChunks",
                  absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                               Repeated(200, "a\r\n0123456789\r\n")),
                  Kind::kTooLarge},
        BadAnswer{"GzipBomb",
                  absl::StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
                               Gzip(std::string(1'000'000, 'a'))),
                  Kind::kTooLarge},
        BadAnswer{"GzipBombInGzip",
                  absl::StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n",
                               Gzip(Gzip(std::string(8'000'000, 'a')))),
                  Kind::kTooLarge},
        BadAnswer{"ManyEncodings",
                  absl::StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip", Repeated(19, ", gzip"),
                               "\r\n\r\n", Gzip("{}")),
                  Kind::kMalformed},
        BadAnswer{"ManyEncodingHeaders",
                  absl::StrCat("HTTP/1.1 200 OK\r\n", Repeated(19, "Content-Encoding: gzip\r\n"),
                               "\r\n", Gzip("{}")),
                  Kind::kMalformed},
        BadAnswer{"UnknownEncoding",
                  "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 2\r\n\r\n{}",
                  Kind::kMalformed},
        BadAnswer{"BadGzip",
                  "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n"
                  "not gzip ...",
                  Kind::kMalformed},
        BadAnswer{"LongHeader",
                  absl::StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(2000, 'a'), "\r\n\r\n"),
                  Kind::kTooLarge},
        BadAnswer{"ManyHeaders",
                  absl::StrCat("HTTP/1.1 200 OK\r\n", Repeated(21, "X: y\r\n"), "\r\n"),
                  Kind::kTooLarge},
        BadAnswer{"EndlessInterimAnswers", Repeated(200, "HTTP/1.1 102 Wait\r\n\r\n"),
                  Kind::kTooLarge},
        BadAnswer{
            "LongTrailers",
            absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
                         Repeated(300, "X: trailer\r\n"), "\r\n"),
            Kind::kTooLarge}),
    [](const auto& test) { return test.param.name; });

// Streams `total` bytes of body, and returns how many were written before the client closed.
std::int64_t StreamUntilRefused(Connection& connection, std::int64_t total) {
  const std::string piece(64 << 10, 'a');
  std::int64_t written = 0;
  while (written < total && connection.Write(piece)) {
    written += static_cast<std::int64_t>(piece.size());
  }
  return written;
}

TEST_F(CurlClientHostileAnswerTest, HugeBodyIsCutAtTheLimit) {
  constexpr std::int64_t kTotal = 100 << 20;
  // With a length, and until the end of the connection.
  for (const char* framing : {"Content-Length: 104857600\r\n", ""}) {
    std::int64_t written = 0;
    ScriptedServer server([&](Connection& connection) {
      connection.ReadRequest();
      connection.Write(absl::StrCat("HTTP/1.1 200 OK\r\n", framing, "\r\n"));
      written = StreamUntilRefused(connection, kTotal);
    });
    const TransportError error = Get(server).WaitForError();
    EXPECT_EQ(error.kind, Kind::kTooLarge) << error.message;
    StopAll(server);
    // The limit plus the sockets' buffers.
    EXPECT_LT(written, kTotal / 2) << framing;
  }
}

TEST_F(CurlClientHostileAnswerTest, SlowlyDrippingAnswerTimesOut) {
  absl::Notification given_up;
  ScriptedServer server([&](Connection& connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    // Each byte arrives well within the timeout; all of them would take an hour.
    do {
      connection.Write("a");
    } while (!given_up.WaitForNotificationWithTimeout(absl::Milliseconds(4)));
  });
  SendOptions options = Submission(server);
  options.timeout = absl::Milliseconds(100);
  const TransportError error =
      Exchange(client(), {.method = "POST", .path = "/", .body = "x"}, options).WaitForError();
  given_up.Notify();
  EXPECT_EQ(error.kind, Kind::kTimeout);
  EXPECT_TRUE(error.maybe_sent);
}

TEST_F(CurlClientHostileAnswerTest, ErrorsShowNeitherTheQueryNorTheKey) {
  ScriptedServer server([](Connection& connection) {
    if (connection.ReadRequest().has_value()) connection.Reset();
  });
  const Request request = {.path = "/tasks/1?sig=s3cr3t",
                           .headers = {{"Authorization", "Bearer t0k3n"}}};
  const TransportError error = Exchange(client(), request, Submission(server)).WaitForError();
  EXPECT_THAT(error.message, HasSubstr("/tasks/1?…"));
  EXPECT_THAT(error.message, Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(error.message, Not(HasSubstr("t0k3n")));
}

TEST_F(CurlClientHostileAnswerTest, BodyOfExactlyTheLimitIsAccepted) {
  options_.max_response_bytes = 1000;
  ScriptedServer server([](Connection& connection) {
    connection.ReadRequest();
    connection.Respond(200, std::string(1000, 'a'));
  });
  EXPECT_EQ(Get(server).WaitForResponse().body.size(), 1000u);
}

// ---- Shutdown ----
using CurlClientShutdownTest = CurlClientTest;

TEST_F(CurlClientShutdownTest, StopEndsRequestsInFlightOnce) {
  ScriptedServer server([](Connection& connection) { connection.WaitForPeer(); });
  const Exchange first = Get(server);
  const Exchange second = Get(server);
  ASSERT_TRUE(server.WaitForConnections(2));
  client().Stop();
  EXPECT_TRUE(first.ended());
  EXPECT_TRUE(second.ended());
  EXPECT_EQ(first.WaitForError().kind, Kind::kStopped);
  EXPECT_EQ(Get(server).WaitForError().kind, Kind::kStopped);
  EXPECT_FALSE(Get(server).WaitForError().maybe_sent);
  client().Stop();
}

TEST_F(CurlClientShutdownTest, DestructionEndsRequestsJustSent) {
  ScriptedServer server([](Connection& connection) { connection.WaitForPeer(); });
  std::vector<Exchange> exchanges;
  {
    CurlClient local(options_, clock_);
    for (int i = 0; i < 10; ++i) exchanges.emplace_back(local, Request{.path = "/"}, To(server));
  }
  for (const Exchange& exchange : exchanges) {
    ASSERT_TRUE(exchange.ended());
    EXPECT_EQ(exchange.WaitForError().kind, Kind::kStopped);
  }
}

}  // namespace
}  // namespace assetgate::http
