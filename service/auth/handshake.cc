#include "auth/handshake.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace assetgate::auth {
namespace {

// Why the certificate was rejected in the last failed handshake on this thread. gRPC logs the
// failure on the same thread, before it does anything else.
thread_local long refused_for = X509_V_OK;

void OnMessage(int is_written, int, int type, const void* data, std::size_t size, SSL* ssl, void*) {
  if (type != SSL3_RT_ALERT || size < 2 || is_written == 0) return;
  if (static_cast<const unsigned char*>(data)[0] != SSL3_AL_FATAL) return;
  // The HTTP and database clients report failures of this process's own TLS clients.
  if (SSL_is_server(ssl) == 1) refused_for = SSL_get_verify_result(ssl);
}

void OnNewContext(void* context, void*, CRYPTO_EX_DATA*, int, long, void*) {
  SSL_CTX_set_msg_callback(static_cast<SSL_CTX*>(context), &OnMessage);
}

std::string WhyRefused(long code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the client's certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the client's certificate is not valid yet (or this machine's clock is behind)";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "the client's certificate is self-signed, and not in tls.client_ca";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the client's certificate is signed by an authority that is not in tls.client_ca";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "the client's certificate has an invalid signature";
    case X509_V_ERR_INVALID_PURPOSE:
      return "the client's certificate is not meant for clients (extended key usage)";
    default:
      return absl::StrCat("the client's certificate is rejected: ",
                          X509_verify_cert_error_string(code));
  }
}

// A part of OpenSSL's message, and the reason in plain words.
struct Explanation {
  absl::string_view message;
  absl::string_view reason;
};
constexpr Explanation kExplanations[] = {
    {"peer did not return a certificate",
     "the client presents no certificate, and tls.client_certificate is REQUIRED"},
    {"http request", "the client uses HTTP without TLS"},
    {"wrong version number", "the client does not use TLS; does it connect in plain text?"},
    {"unsupported protocol", "the client supports nothing newer than TLS 1.1"},
    {"no shared cipher", "the client supports none of the ciphers that this gateway accepts"},
    {"alert unknown ca", "the client does not know the CA of tls.certificate"},
    {"alert certificate expired", "the client reports that tls.certificate has expired"},
    {"alert bad certificate", "the client rejects tls.certificate"},
    {"alert certificate unknown", "the client rejects tls.certificate"}};

}  // namespace

void RecordHandshakeFailures() {
  static std::once_flag once;
  std::call_once(once, [] {
    CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, &OnNewContext, nullptr, nullptr);
  });
}

std::optional<std::string> HandshakeFailure(absl::string_view file, absl::string_view message) {
  if (!absl::EndsWith(file, "ssl_transport_security.cc") ||
      !absl::ConsumePrefix(&message, "Handshake failed")) {
    return std::nullopt;
  }
  const long code = std::exchange(refused_for, long{X509_V_OK});
  if (code != X509_V_OK && absl::StrContains(message, "certificate verify failed")) {
    return WhyRefused(code);
  }
  for (const Explanation& each : kExplanations) {
    if (absl::StrContains(message, each.message)) return std::string(each.reason);
  }
  // OpenSSL's reason comes last.
  return std::string(absl::StripSuffix(message.substr(message.rfind(':') + 1), "."));
}

void HandshakeLog::Failed(const std::string& why) {
  std::int64_t suppressed = 0;
  {
    absl::MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    if (now - began_ >= absl::Minutes(1)) {
      began_ = now;
      lines_ = 0;
    }
    if (lines_ >= kLinesPerMinute) {
      ++suppressed_;
      return;
    }
    ++lines_;
    suppressed = std::exchange(suppressed_, 0);
  }
  if (suppressed == 0) return log_.Warning("TLS handshake failed", {{"why", why}});
  log_.Warning("TLS handshake failed", {{"why", why}, {"others_not_logged", suppressed}});
}

}  // namespace assetgate::auth
