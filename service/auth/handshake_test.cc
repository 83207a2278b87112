#include "auth/handshake.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/testing/fake_clock.h"
#include "base/testing/kept_lines.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::auth {
namespace {

using testing::HasSubstr;

constexpr char kFile[] = "./src/core/tsi/ssl_transport_security.cc";
constexpr char kRefused[] =
    "Handshake failed with fatal error SSL_ERROR_SSL: error:0A000086:SSL routines::certificate "
    "verify failed.";

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

Key MakeKey() { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free}; }

// A certificate for `name` ("authority" may sign others), valid from `begins` to `ends` seconds
// from now.
Certificate Make(const Key& key, const char* name, const Key& issuer_key, const char* issuer,
                 long begins = -60, long ends = 3600) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), begins);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), ends);
  X509_set_pubkey(certificate.get(), key.get());
  const auto set = [](X509_NAME* to, const char* text) {
    X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text),
                               -1, -1, 0);
  };
  set(X509_get_subject_name(certificate.get()), name);
  set(X509_get_issuer_name(certificate.get()), issuer);
  if (absl::string_view(name) == "authority") {
    const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"),
        X509_EXTENSION_free);
    X509_add_ext(certificate.get(), extension.get(), -1);
  }
  X509_sign(certificate.get(), issuer_key.get(), EVP_sha256());
  return certificate;
}

// A server that requires client certificates of its authority, and its clients, in memory.
class HandshakeTest : public testing::Test {
 protected:
  HandshakeTest() {
    RecordHandshakeFailures();
    RecordHandshakeFailures();
    server_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(server_.get(), Make(key_, "server", authority_, "authority").get());
    SSL_CTX_use_PrivateKey(server_.get(), key_.get());
    SSL_CTX_set_verify(server_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server_.get()),
                        Make(authority_, "authority", authority_, "authority").get());
  }

  // Whether the server accepts a client with that certificate; null: without one.
  bool Connect(const Certificate& certificate) {
    const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                               SSL_CTX_free);
    if (certificate != nullptr) {
      SSL_CTX_use_certificate(context.get(), certificate.get());
      SSL_CTX_use_PrivateKey(context.get(), key_.get());
    }
    const std::unique_ptr<SSL, void (*)(SSL*)> client(SSL_new(context.get()), SSL_free);
    const std::unique_ptr<SSL, void (*)(SSL*)> server(SSL_new(server_.get()), SSL_free);
    BIO* ours = nullptr;
    BIO* theirs = nullptr;
    BIO_new_bio_pair(&ours, 1 << 16, &theirs, 1 << 16);
    SSL_set_bio(client.get(), ours, ours);
    SSL_set_bio(server.get(), theirs, theirs);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    int accepted = 0;
    for (int i = 0; i < 4; ++i) {
      SSL_do_handshake(client.get());
      accepted = SSL_do_handshake(server.get());
    }
    return accepted == 1;
  }
  // Why the server rejects a client with that certificate.
  std::string Why(const Certificate& certificate) {
    EXPECT_FALSE(Connect(certificate));
    return HandshakeFailure(kFile, kRefused).value_or("");
  }

  const Key key_ = MakeKey();
  const Key authority_ = MakeKey();
  const Key stranger_ = MakeKey();
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> server_{nullptr, SSL_CTX_free};
};

TEST_F(HandshakeTest, TheReasonNamesTheFaultOfTheCertificate) {
  EXPECT_THAT(Why(Make(key_, "farm", authority_, "authority", -3600, -60)), HasSubstr("expired"));
  EXPECT_THAT(Why(Make(key_, "farm", authority_, "authority", 3600, 7200)),
              HasSubstr("not valid yet"));
  EXPECT_THAT(Why(Make(key_, "farm", stranger_, "stranger")),
              HasSubstr("an authority that is not in tls.client_ca"));
  EXPECT_THAT(Why(Make(key_, "farm", key_, "farm")), HasSubstr("self-signed"));
  EXPECT_THAT(Why(Make(key_, "farm", stranger_, "authority")), HasSubstr("signature"));
}

TEST_F(HandshakeTest, AValidCertificateIsStillAccepted) {
  EXPECT_TRUE(Connect(Make(key_, "farm", authority_, "authority")));
}

TEST_F(HandshakeTest, AReasonIsReportedOnce) {
  Why(Make(key_, "farm", authority_, "authority", -3600, -60));
  EXPECT_EQ(HandshakeFailure(kFile, kRefused), "certificate verify failed");
  // Nor is it reported for a client without a certificate.
  EXPECT_FALSE(Connect(Make(key_, "farm", authority_, "authority", -3600, -60)));
  EXPECT_FALSE(Connect(nullptr));
  EXPECT_EQ(HandshakeFailure(kFile, kRefused), "certificate verify failed");
}

TEST(HandshakeFailureTest, ExplainsOpenSslsMessages) {
  const auto why = [](const std::string& words) {
    return HandshakeFailure(kFile,
                            "Handshake failed with fatal error SSL_ERROR_SSL: error:0A0:SSL "
                            "routines::" +
                                words + ".")
        .value_or("");
  };
  EXPECT_THAT(why("peer did not return a certificate"), HasSubstr("presents no certificate"));
  EXPECT_THAT(why("http request"), HasSubstr("HTTP without TLS"));
  EXPECT_THAT(why("wrong version number"), HasSubstr("plain text"));
  EXPECT_THAT(why("tlsv1 alert unknown ca"), HasSubstr("the CA of tls.certificate"));
  EXPECT_EQ(why("something new"), "something new");
  EXPECT_EQ(HandshakeFailure("./src/core/lib/iomgr/tcp_posix.cc", kRefused), std::nullopt);
  EXPECT_EQ(HandshakeFailure(kFile, "Could not load any root certificate."), std::nullopt);
}

TEST(HandshakeLogTest, AFloodIsCountedAndNotLogged) {
  const auto sink = std::make_shared<base::KeptLines>();
  base::FakeClock clock;
  HandshakeLog log(base::Log(base::LogFormat::kJson, base::LogLevel::kInfo, sink, &clock), clock);
  for (int i = 0; i < 1000; ++i) log.Failed("expired");
  EXPECT_EQ(sink->lines.size(), std::size_t{HandshakeLog::kLinesPerMinute});
  EXPECT_THAT(sink->lines[0], HasSubstr(R"("why":"expired")"));
  clock.Advance(absl::Minutes(1));
  log.Failed("expired");
  ASSERT_EQ(sink->lines.size(), std::size_t{HandshakeLog::kLinesPerMinute} + 1);
  EXPECT_THAT(sink->lines.back(), HasSubstr(R"("others_not_logged":990)"));
}

}  // namespace
}  // namespace assetgate::auth
