#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/curl_client.h"
#include "http/testing/exchange.h"
#include "http/testing/http2.h"
#include "http/testing/scripted_server.h"

namespace assetgate::http {
namespace {

using testing::Certificate;
using testing::Connection;
using testing::Exchange;
using testing::Http2Peer;
using testing::ScriptedServer;
using Kind = TransportError::Kind;

void ServeAll(Connection& connection) {
  while (connection.ReadRequest().has_value()) connection.Respond(200, "ok");
}

class CurlClientTlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.ca_file = ::testing::TempDir() + "curl_client_tls_test_ca.pem";
    certificate_.WriteTo(options_.ca_file);
    client_ = std::make_unique<CurlClient>(options_, clock_);
  }
  Exchange Get(const ScriptedServer& server) {
    return Exchange(*client_, {.path = "/"}, {.base_url = server.url()});
  }
  Exchange Submit(const ScriptedServer& server, std::string body) {
    return Exchange(*client_, {.method = "POST", .path = "/", .body = std::move(body)},
                    {.base_url = server.url(), .submission = true});
  }

  base::FakeClock clock_;
  const Certificate certificate_ = Certificate::SelfSigned();
  CurlClientOptions options_;
  std::unique_ptr<CurlClient> client_;
};

TEST_F(CurlClientTlsTest, TrustedCertificateIsAccepted) {
  ScriptedServer server(ServeAll, {.certificate = certificate_});
  EXPECT_EQ(Get(server).WaitForResponse().body, "ok");
  EXPECT_EQ(Submit(server, "x").WaitForResponse().body, "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(CurlClientTlsTest, CertificateExpiryIsReportedOnRequest) {
  ScriptedServer server(ServeAll, {.certificate = certificate_});
  EXPECT_EQ(Get(server).WaitForResponse().certificate_end, std::nullopt);
  // On a new connection.
  CurlClient fresh(options_, clock_);
  const Response response =
      Exchange(fresh, {.path = "/"}, {.base_url = server.url(), .report_certificate = true})
          .WaitForResponse();
  ASSERT_TRUE(response.certificate_end.has_value());
  EXPECT_GT(*response.certificate_end, absl::Now());
  EXPECT_LT(*response.certificate_end, absl::Now() + absl::Hours(24 * 366 * 20));
}

TEST_F(CurlClientTlsTest, RequestMayTrustItsOwnAuthorityOnly) {
  const Certificate other = Certificate::SelfSigned();
  ScriptedServer ours(ServeAll, {.certificate = certificate_});
  ScriptedServer theirs(ServeAll, {.certificate = other});
  const auto get = [&](const ScriptedServer& server, const std::string& ca) {
    return Exchange(*client_, {.path = "/"}, {.base_url = server.url(), .ca = ca});
  };
  EXPECT_EQ(get(theirs, other.certificate).WaitForResponse().body, "ok");
  EXPECT_EQ(get(ours, other.certificate).WaitForError().kind, Kind::kTls);
  // Neither its trust nor its connection is used for other requests.
  EXPECT_EQ(get(theirs, "").WaitForError().kind, Kind::kTls);
  EXPECT_EQ(get(ours, "").WaitForResponse().body, "ok");
  EXPECT_EQ(get(ours, certificate_.certificate).WaitForResponse().body, "ok");
}

TEST_F(CurlClientTlsTest, UntrustedCertificateIsRejectedAndNothingSent) {
  ScriptedServer server(ServeAll, {.certificate = Certificate::SelfSigned()});
  const TransportError error = Submit(server, "x").WaitForError();
  EXPECT_EQ(error.kind, Kind::kTls) << error.message;
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(CurlClientTlsTest, CertificateOfAnotherHostIsRejected) {
  ScriptedServer server(ServeAll, {.certificate = certificate_});
  // Resolves to the same address, but is not in the certificate.
  const TransportError error =
      Exchange(*client_, {.path = "/"},
               {.base_url = absl::StrCat("https://127.0.0.2:", server.port())})
          .WaitForError();
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(CurlClientTlsTest, ServerWithoutTlsIsCertainlyNotSent) {
  ScriptedServer server([](Connection& connection) {
    connection.Write("HTTP/1.1 400 Speak plainly\r\n\r\n");
    connection.Close();
    connection.WaitForPeer();
  });
  const TransportError error =
      Exchange(*client_, {.method = "POST", .path = "/", .body = "x"},
               {.base_url = absl::StrCat("https://127.0.0.1:", server.port()), .submission = true})
          .WaitForError();
  EXPECT_EQ(error.kind, Kind::kTls) << error.message;
  EXPECT_FALSE(error.maybe_sent);
}

TEST_F(CurlClientTlsTest, ConnectTimeCountsTowardsSendBefore) {
  // The lease that covers the submission ends during the TLS handshake.
  ScriptedServer server(ServeAll, {.certificate = certificate_, .before_handshake = [this] {
                                     clock_.Advance(absl::Seconds(10));
                                   }});
  const TransportError error = Exchange(*client_, {.method = "POST", .path = "/", .body = "x"},
                                        {.base_url = server.url(),
                                         .submission = true,
                                         .send_before = clock_.Now() + absl::Seconds(5)})
                                   .WaitForError();
  EXPECT_EQ(error.kind, Kind::kExpired) << error.message;
  EXPECT_FALSE(error.maybe_sent);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(CurlClientTlsTest, StalledHandshakeIsCertainlyNotSent) {
  absl::Notification release;
  ScriptedServer server(ServeAll, {.certificate = certificate_,
                                   .before_handshake = [&] { release.WaitForNotification(); }});
  const TransportError error =
      Exchange(*client_, {.method = "POST", .path = "/", .body = "x"},
               {.base_url = server.url(), .timeout = absl::Milliseconds(50), .submission = true})
          .WaitForError();
  EXPECT_EQ(error.kind, Kind::kConnect) << error.message;
  EXPECT_FALSE(error.maybe_sent);
  release.Notify();
}

// ---- HTTP/2 ----

class CurlClientHttp2Test : public CurlClientTlsTest {
 protected:
  // Runs `script` on each connection that negotiates HTTP/2, and serves the others.
  std::unique_ptr<ScriptedServer> Serve(std::function<void(Http2Peer&, Connection&)> script) {
    return std::make_unique<ScriptedServer>(
        [this, script](Connection& connection) {
          // After HTTP_1_1_REQUIRED libcurl would try HTTP/1.1.
          if (connection.protocol() != "h2") return ServeAll(connection);
          Http2Peer peer(*server_, connection);
          script(peer, connection);
        },
        testing::ScriptedServerOptions{.certificate = certificate_, .protocol = "h2"});
  }
  static void ServeAllStreams(Http2Peer& peer) {
    while (const std::optional<std::uint32_t> stream = peer.ReadRequest()) {
      peer.Respond(*stream, "ok");
    }
  }

  std::unique_ptr<ScriptedServer> server_;
};

TEST_F(CurlClientHttp2Test, RequestsShareOneConnection) {
  server_ = Serve([](Http2Peer& peer, Connection&) { ServeAllStreams(peer); });
  std::vector<Exchange> exchanges;
  exchanges.reserve(50);
  for (int i = 0; i < 50; ++i) exchanges.push_back(Submit(*server_, "x"));
  for (const Exchange& exchange : exchanges) EXPECT_EQ(exchange.WaitForResponse().body, "ok");
  EXPECT_EQ(server_->requests().size(), 50u);
  EXPECT_EQ(server_->connections(), 1);
}

// The server's action on the second submission of a connection, after reading all of it.
struct Ending {
  const char* name;
  void (*end)(Http2Peer& peer, std::uint32_t stream);
};

class Http2SubmissionTest : public CurlClientHttp2Test,
                            public ::testing::WithParamInterface<std::tuple<Ending, const char*>> {
};

TEST_P(Http2SubmissionTest, IsServedExactlyOnce) {
  const auto& [ending, body] = GetParam();
  const auto end = ending.end;
  server_ = Serve([end](Http2Peer& peer, Connection& connection) {
    if (connection.index() > 0) return ServeAllStreams(peer);
    const std::optional<std::uint32_t> first = peer.ReadRequest();
    if (!first.has_value()) return;
    peer.Respond(*first, "first");
    const std::optional<std::uint32_t> second = peer.ReadRequest();
    if (!second.has_value()) return;
    end(peer, *second);
    connection.Close();
    // A repetition on the same connection would be counted, too.
    while (peer.ReadRequest().has_value()) {
    }
  });
  Submit(*server_, "first").WaitForResponse();
  const TransportError error = Submit(*server_, body).WaitForError();
  EXPECT_EQ(error.kind, Kind::kReset) << error.message;
  EXPECT_TRUE(error.maybe_sent);

  client_ = nullptr;
  server_->WaitForScripts();
  EXPECT_EQ(server_->requests().size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(
    Endings, Http2SubmissionTest,
    ::testing::Combine(::testing::Values(Ending{"Cut", [](Http2Peer&, std::uint32_t) {}},
                                         Ending{"CutInTheBody",
                                                [](Http2Peer& peer, std::uint32_t stream) {
                                                  peer.RespondPartly(stream, "{");
                                                }},
                                         Ending{"RefusedStream",
                                                [](Http2Peer& peer, std::uint32_t stream) {
                                                  peer.ResetStream(stream,
                                                                   Http2Peer::kRefusedStream);
                                                }},
                                         Ending{"StreamReset",
                                                [](Http2Peer& peer, std::uint32_t stream) {
                                                  peer.ResetStream(stream,
                                                                   Http2Peer::kInternalError);
                                                }},
                                         Ending{"Http11Required",
                                                [](Http2Peer& peer, std::uint32_t stream) {
                                                  peer.ResetStream(stream,
                                                                   Http2Peer::kHttp11Required);
                                                }},
                                         Ending{"GoAwayBeforeIt",
                                                [](Http2Peer& peer, std::uint32_t) {
                                                  peer.GoAway(1, Http2Peer::kNoError);
                                                }},
                                         Ending{"GoAwayAfterIt",
                                                [](Http2Peer& peer, std::uint32_t stream) {
                                                  peer.GoAway(stream, Http2Peer::kNoError);
                                                }}),
                       ::testing::Values("body", "")),
    [](const auto& test) {
      return absl::StrCat(std::get<0>(test.param).name,
                          *std::get<1>(test.param) == '\0' ? "WithoutBody" : "");
    });

TEST_F(CurlClientHttp2Test, ServerDetectsARepeatedRequest) {
  // The counterpart of Http2SubmissionTest: a refused stream is repeated if it is not a submission.
  server_ = Serve([](Http2Peer& peer, Connection& connection) {
    if (connection.index() > 0) return ServeAllStreams(peer);
    const std::optional<std::uint32_t> stream = peer.ReadRequest();
    if (!stream.has_value()) return;
    peer.ResetStream(*stream, Http2Peer::kRefusedStream);
    ServeAllStreams(peer);
  });
  EXPECT_EQ(Get(*server_).WaitForResponse().status, 200);
  EXPECT_EQ(server_->requests().size(), 2u);
}

}  // namespace
}  // namespace assetgate::http
