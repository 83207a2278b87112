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

// Why the certificate was refused in the handshake that this thread has just seen fail. gRPC logs
// the failure on the same thread, before anything else.
thread_local long refused_for = X509_V_OK;

void OnMessage(int is_written, int, int type, const void* data, std::size_t size, SSL* ssl, void*) {
  if (type != SSL3_RT_ALERT || size < 2 || is_written == 0) return;
  if (static_cast<const unsigned char*>(data)[0] != SSL3_AL_FATAL) return;
  // Ours as a client, of providers and databases, are told where they are made.
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
      return "the client's certificate has a signature that is not its authority's";
    case X509_V_ERR_INVALID_PURPOSE:
      return "the client's certificate is not meant for clients (extended key usage)";
    default:
      return absl::StrCat("the client's certificate is refused: ",
                          X509_verify_cert_error_string(code));
  }
}

// OpenSSL's words, and ours.
struct Words {
  absl::string_view theirs;
  absl::string_view ours;
};
constexpr Words kWords[] = {
    {"peer did not return a certificate",
     "the client shows no certificate, and tls.client_certificate is REQUIRED"},
    {"http request", "the client speaks HTTP without TLS"},
    {"wrong version number", "the client speaks no TLS; does it connect in plain text?"},
    {"unsupported protocol", "the client speaks nothing newer than TLS 1.1"},
    {"no shared cipher", "the client knows none of the ciphers that are taken here"},
    {"alert unknown ca", "the client does not know who signed tls.certificate"},
    {"alert certificate expired", "to the client, tls.certificate has expired"},
    {"alert bad certificate", "the client refuses tls.certificate"},
    {"alert certificate unknown", "the client refuses tls.certificate"}};

}  // namespace

void WatchHandshakes() {
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
  for (const Words& words : kWords) {
    if (absl::StrContains(message, words.theirs)) return std::string(words.ours);
  }
  // What comes last is OpenSSL's reason.
  return std::string(absl::StripSuffix(message.substr(message.rfind(':') + 1), "."));
}

void HandshakeLog::Failed(const std::string& why) {
  std::int64_t unsaid = 0;
  {
    absl::MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    if (now - began_ >= absl::Minutes(1)) {
      began_ = now;
      lines_ = 0;
    }
    if (lines_ >= kLinesPerMinute) {
      ++unsaid_;
      return;
    }
    ++lines_;
    unsaid = std::exchange(unsaid_, 0);
  }
  if (unsaid == 0) return log_.Warning("TLS handshake failed", {{"why", why}});
  log_.Warning("TLS handshake failed", {{"why", why}, {"unsaid_before", unsaid}});
}

}  // namespace assetgate::auth
