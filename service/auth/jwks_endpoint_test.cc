#include "auth/jwks_endpoint.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/jwt.h"
#include "auth/testing/issuer_key.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/testing/fake_client.h"

namespace assetgate::auth {
namespace {

using http::TransportError;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kIssuer[] = "https://issuer.example/realm";
constexpr char kUrl[] = "https://keys.example:8443/jwks?policy=one";

// A verifier for one issuer whose keys are fetched.
class JwksEndpointTest : public testing::Test {
 protected:
  explicit JwksEndpointTest(JwtIssuer issuer = {.issuer = kIssuer,
                                                .audiences = {"assetgate"},
                                                .jwks_url = kUrl})
      : endpoint_(std::make_shared<JwksEndpoint>(issuer, Fetching{http_, loop_})),
        verifier_({issuer}, loop_.clock(), {endpoint_}) {
    loop_.fake_clock().Set(absl::FromUnixSeconds(1'800'000'000));
  }

  static std::string Set(const std::string& keys) {
    return absl::StrCat("{\"keys\":[", keys, "]}");
  }
  // The pending request; there must be one.
  http::FakeHttpClient::Call Take() {
    loop_.RunDue();
    EXPECT_EQ(http_.pending(), 1u);
    return http_.Take(absl::ZeroDuration());
  }
  void Answer(http::Result result) {
    Take().Answer(std::move(result));
    loop_.RunDue();
  }
  void Answer(const IssuerKey& key) { Answer(http::Response{200, {}, Set(key.Jwk())}); }
  // Lets time pass, with a Refresh every few seconds.
  void Wait(absl::Duration time) {
    for (const absl::Time end = loop_.Now() + time; loop_.Now() < end;) {
      loop_.Advance(absl::Seconds(1));
      endpoint_->Refresh();
      loop_.RunDue();
    }
  }
  absl::Status Verify(const IssuerKey& key) {
    return verifier_
        .Verify(key.Sign(JWT_ALG_ES256, absl::StrCat(R"({"iss":")", kIssuer,
                                                     R"(","sub":"farm","aud":"assetgate","exp":)",
                                                     absl::ToUnixSeconds(loop_.Now()) + 3600, "}")))
        .status();
  }
  std::string Fault() const { return std::string(endpoint_->status().message()); }
  static http::Result Discovery(const std::string& url, const std::string& issuer = kIssuer) {
    return http::Response{
        200, {}, absl::StrCat(R"({"issuer":")", issuer, R"(","jwks_uri":")", url, "\"}")};
  }

  base::FakeEventLoop loop_;
  http::FakeHttpClient http_;
  const IssuerKey first_ = IssuerKey::Ec("first");
  const IssuerKey next_ = IssuerKey::Ec("next");
  std::shared_ptr<JwksEndpoint> endpoint_;
  JwtVerifier verifier_;
};

TEST_F(JwksEndpointTest, KeysAreFetchedPeriodically) {
  endpoint_->Refresh();
  auto call = Take();
  EXPECT_EQ(call.options.base_url, "https://keys.example:8443");
  EXPECT_EQ(call.request.path, "/jwks?policy=one");
  EXPECT_EQ(call.options.max_response_bytes, std::size_t{1} << 20);
  EXPECT_GT(call.options.timeout, absl::ZeroDuration());
  std::move(call).Answer(http::Response{200, {}, Set(first_.Jwk())});
  loop_.RunDue();
  EXPECT_TRUE(Verify(first_).ok()) << Verify(first_);
  EXPECT_EQ(endpoint_->fetch_time(), loop_.Now());

  Wait(JwksEndpoint::kRefresh - absl::Seconds(1));
  EXPECT_EQ(http_.pending(), 0u);
  Wait(absl::Seconds(1));
  Answer(next_);
  EXPECT_TRUE(Verify(next_).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Verify(first_)));
}

TEST_F(JwksEndpointTest, BeforeTheFirstFetchTokensCannotBeVerified) {
  EXPECT_TRUE(absl::IsUnavailable(Verify(first_)));
  Answer(TransportError{TransportError::Kind::kConnect, false, "nobody there"});
  EXPECT_TRUE(absl::IsUnavailable(Verify(first_)));
  EXPECT_THAT(Fault(), HasSubstr("nobody there"));
  Wait(JwksEndpoint::kInitialBackoff);
  Answer(first_);
  EXPECT_TRUE(Verify(first_).ok());
  EXPECT_TRUE(endpoint_->status().ok());
}

TEST_F(JwksEndpointTest, ANewKeyIsFetchedWhenATokenNamesIt) {
  endpoint_->Refresh();
  Answer(first_);
  Wait(absl::Minutes(1));
  EXPECT_TRUE(absl::IsUnavailable(Verify(next_)));
  EXPECT_TRUE(Verify(first_).ok()) << "the others are not held up";
  Answer(http::Response{200, {}, Set(absl::StrCat(first_.Jwk(), ",", next_.Jwk()))});
  EXPECT_TRUE(Verify(next_).ok());
  EXPECT_TRUE(Verify(first_).ok());
}

TEST_F(JwksEndpointTest, InventedKeysDoNotCauseAStorm) {
  endpoint_->Refresh();
  Answer(first_);
  const std::size_t before = http_.sent();
  Wait(absl::Seconds(20));
  int pending = 0;
  for (int i = 0; i < 60; ++i) {
    for (int k = 0; k < 5; ++k) {
      if (absl::IsUnavailable(Verify(next_))) ++pending;
    }
    loop_.RunDue();
    while (http_.pending() > 0) Answer(first_);
    Wait(absl::Seconds(1));
  }
  EXPECT_LE(http_.sent() - before, 7u);
  EXPECT_GE(http_.sent() - before, 6u);
  EXPECT_LE(pending, 5 * 7) << "and most are refused at once";
}

TEST_F(JwksEndpointTest, AKeyThatAppearsSoonAfterAFetchIsFetchedLater) {
  endpoint_->Refresh();
  Answer(first_);
  EXPECT_TRUE(absl::IsUnauthenticated(Verify(next_)));
  Wait(JwksEndpoint::kMissInterval);
  Answer(next_);
  EXPECT_TRUE(Verify(next_).ok());
}

TEST_F(JwksEndpointTest, AWrongSignatureOfAKnownKeyFetchesNothing) {
  endpoint_->Refresh();
  Answer(first_);
  Wait(absl::Minutes(1));
  EXPECT_TRUE(absl::IsUnauthenticated(Verify(IssuerKey::Ec("first"))));
  EXPECT_EQ(verifier_
                .Verify(IssuerKey::SignWith(
                    JWT_ALG_NONE, absl::StrCat(R"({"iss":")", kIssuer, "\"}"), "next", ""))
                .status()
                .code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(http_.pending(), 0u);
}

TEST_F(JwksEndpointTest, KeysStayWhenTheEndpointFails) {
  endpoint_->Refresh();
  Answer(first_);
  const absl::Time fetched = endpoint_->fetch_time();
  const std::vector<std::pair<http::Result, std::string>> answers = {
      {http::Response{503, {}, "no"}, "HTTP 503"},
      {http::Response{302, {{"Location", "https://evil.example"}}, ""}, "HTTP 302"},
      {http::Response{200, {}, "<html>"}, "is not a JSON object"},
      {http::Response{200, {}, Set("")}, "no key that signs"},
      {http::Response{200, {}, Set(R"({"kty":"oct","k":"AAAA","kid":"first"})")}, "no key"},
      {http::Response{200, {}, Set(R"({"kty":"RSA","n":"AQ","e":"AQAB"})")},
       "is not a valid RSA key"},
      {http::Response{200, {}, std::string((1 << 20) + 1, ' ')}, "larger than 1 MiB"},
      {TransportError{TransportError::Kind::kTimeout, true, "no whole answer within 10s"},
       "no whole answer"},
      {TransportError{TransportError::Kind::kTooLarge, true, "the answer is larger"}, "larger"},
      {TransportError{TransportError::Kind::kTls, false, "expired certificate"}, "expired"}};
  Wait(JwksEndpoint::kRefresh);
  for (const auto& [answer, fault] : answers) {
    Answer(answer);
    EXPECT_THAT(Fault(), AllOf(HasSubstr(fault), Not(HasSubstr("policy=one"))));
    EXPECT_TRUE(Verify(first_).ok()) << fault;
    EXPECT_EQ(endpoint_->fetch_time(), fetched);
    // Tried again soon, but not at once.
    EXPECT_EQ(http_.pending(), 0u);
    Wait(JwksEndpoint::kMaxBackoff);
  }
  Answer(next_);
  EXPECT_TRUE(endpoint_->status().ok());
  EXPECT_TRUE(Verify(next_).ok());
}

TEST_F(JwksEndpointTest, AnAnswerMayArriveAfterTheEndpointIsDestroyed) {
  auto endpoint = std::make_shared<JwksEndpoint>(endpoint_->issuer(), Fetching{http_, loop_});
  endpoint->Refresh();
  auto call = Take();
  endpoint.reset();
  std::move(call).Answer(http::Response{200, {}, Set(first_.Jwk())});
  loop_.RunDue();
}

class TokenTest : public JwksEndpointTest {
 protected:
  TokenTest()
      : JwksEndpointTest({.issuer = kIssuer,
                          .audiences = {"assetgate"},
                          .ca = "authority",
                          .token = base::Secret("sesame-1")}) {}
  static std::string Authorization(const http::Request& request) {
    for (const http::Header& header : request.headers) {
      if (header.name == "Authorization") return header.value;
    }
    return "";
  }
};

TEST_F(TokenTest, TheDiscoveryDocumentNamesTheUrlOfTheKeys) {
  endpoint_->Refresh();
  auto call = Take();
  EXPECT_EQ(absl::StrCat(call.options.base_url, call.request.path),
            "https://issuer.example/realm/.well-known/openid-configuration");
  EXPECT_EQ(call.options.ca, "authority");
  EXPECT_EQ(Authorization(call.request), "Bearer sesame-1");
  std::move(call).Answer(Discovery("https://issuer.example/keys/"));
  call = Take();
  EXPECT_EQ(absl::StrCat(call.options.base_url, call.request.path), "https://issuer.example/keys/");
  EXPECT_EQ(Authorization(call.request), "Bearer sesame-1");
  EXPECT_EQ(call.options.ca, "authority");
  std::move(call).Answer(http::Response{200, {}, Set(first_.Jwk())});
  loop_.RunDue();
  EXPECT_TRUE(Verify(first_).ok()) << Verify(first_);
}

TEST_F(TokenTest, AnotherHostDoesNotGetTheToken) {
  for (const char* url : {"https://issuer.example:444/keys", "https://evil.example/keys",
                          "https://issuer.example.evil.example/"}) {
    const auto endpoint =
        std::make_shared<JwksEndpoint>(endpoint_->issuer(), Fetching{http_, loop_});
    endpoint->Refresh();
    Answer(Discovery(url));
    auto call = Take();
    EXPECT_EQ(Authorization(call.request), "") << url;
    std::move(call).Answer(http::Response{200, {}, Set(first_.Jwk())});
    loop_.RunDue();
    EXPECT_NE(endpoint->keys(), nullptr);
  }
}

TEST_F(TokenTest, AnInvalidDiscoveryDocumentIsNotFollowed) {
  const std::vector<std::pair<http::Result, std::string>> answers = {
      {Discovery("https://issuer.example/keys", "https://evil.example"), "names another issuer"},
      {Discovery("http://issuer.example/keys"), "has a jwks_uri that begins with http://"},
      {Discovery("file:///etc/passwd"), "has a jwks_uri that does not begin with https://"},
      {http::Response{200, {}, "[]"}, "is not a JSON object"},
      {http::Response{404, {}, ""}, "HTTP 404"}};
  for (const auto& [answer, fault] : answers) {
    endpoint_->Refresh();
    Answer(answer);
    EXPECT_THAT(Fault(), HasSubstr(fault));
    EXPECT_EQ(http_.pending(), 0u);
    loop_.Advance(JwksEndpoint::kMaxBackoff);
  }
}

TEST_F(TokenTest, AnotherTokenIsUsedAtOnceAndNoneIsReported) {
  endpoint_->Refresh();
  Answer(http::Response{401, {}, "sesame-1"});
  EXPECT_THAT(Fault(), AllOf(HasSubstr("HTTP 401"), Not(HasSubstr("sesame"))));
  JwtIssuer next = endpoint_->issuer();
  endpoint_->FetchWith(next);
  endpoint_->Refresh();
  EXPECT_EQ(http_.pending(), 0u) << "the same token waits for its time";
  next.token = base::Secret("sesame-2");
  endpoint_->FetchWith(next);
  endpoint_->Refresh();
  auto call = Take();
  EXPECT_EQ(Authorization(call.request), "Bearer sesame-2");
  std::move(call).Answer(http::Response{401, {}, ""});
}

// Fetches through a proxy.
class ProxyTest : public JwksEndpointTest {
 protected:
  static JwtIssuer Issuer() {
    JwtIssuer issuer{.issuer = kIssuer, .audiences = {"assetgate"}};
    issuer.egress.proxy = "http://proxy.example:3128";
    issuer.egress.proxy_credential = base::Secret("me:word-1");
    return issuer;
  }
  ProxyTest() : JwksEndpointTest(Issuer()) {}
};

TEST_F(ProxyTest, TheDiscoveryDocumentAndTheKeysAreFetchedThroughTheProxy) {
  endpoint_->Refresh();
  for (const auto& [url, answer] : std::vector<std::pair<std::string, http::Result>>{
           {"https://issuer.example", Discovery("https://keys.example/jwks")},
           {"https://keys.example", http::Response{200, {}, Set(first_.Jwk())}}}) {
    auto call = Take();
    EXPECT_EQ(call.options.base_url, url);
    EXPECT_EQ(call.options.proxy, "http://proxy.example:3128");
    EXPECT_EQ(call.options.proxy_credential.Reveal(), "me:word-1");
    std::move(call).Answer(answer);
    loop_.RunDue();
  }
  EXPECT_TRUE(Verify(first_).ok());
}

TEST_F(ProxyTest, KeysOnThisMachineAreFetchedDirectly) {
  endpoint_->Refresh();
  Answer(Discovery("http://127.0.0.1:9000/jwks"));
  auto call = Take();
  EXPECT_EQ(call.options.base_url, "http://127.0.0.1:9000");
  EXPECT_EQ(call.options.proxy, "");
  std::move(call).Answer(http::Response{200, {}, Set(first_.Jwk())});
  loop_.RunDue();
  EXPECT_TRUE(Verify(first_).ok());
}

TEST_F(ProxyTest, AnotherProxyIsUsedAtOnce) {
  endpoint_->Refresh();
  Answer(TransportError{TransportError::Kind::kConnect, false, "the proxy refused"});
  JwtIssuer next = Issuer();
  next.egress.proxy_credential = base::Secret("me:word-2");
  endpoint_->FetchWith(next);
  endpoint_->Refresh();
  auto call = Take();
  EXPECT_EQ(call.options.proxy_credential.Reveal(), "me:word-2");
  std::move(call).Answer(http::Response{503, {}, ""});
}

TEST(KeyUrlTest, AcceptsOnlyUrlsThatNobodyOnTheNetworkCanIntercept) {
  for (const char* url : {"https://k.example", "https://k.example:8443/jwks?p=a%20b", "HTTPS://K/",
                          "http://127.0.0.1:1/", "http://localhost/x", "http://[::1]:8080/x"}) {
    EXPECT_EQ(FaultOfKeyUrl(url), "") << url;
  }
  for (const char* url :
       {"", "k.example", "ftp://k.example", "https://", "https:///x", "https://u@k.example/",
        "https://k.example/#x", "https://k.example/a b", "https://k.example/\n", "http://k.example",
        "http://127.evil.example/", "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/", "http://evil.example/127.0.0.1"}) {
    EXPECT_NE(FaultOfKeyUrl(url), "") << url;
  }
  EXPECT_NE(FaultOfKeyUrl(absl::StrCat("https://k.example/", std::string(2048, 'a'))), "");
}

}  // namespace
}  // namespace assetgate::auth
