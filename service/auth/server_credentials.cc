#include "auth/server_credentials.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/handshake.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace assetgate::auth {
namespace {

// How often gRPC looks whether the files have changed.
constexpr unsigned kRereadSeconds = 10;

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;
using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

absl::Status Fault(const std::string& path, const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", what));
}

absl::StatusOr<std::string> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fault(path, "cannot be read");
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (text.empty()) return Fault(path, "is empty");
  return text;
}

Certificate FirstCertificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return {PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free};
}

// Keys with a passphrase are not for servers that start by themselves.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm civil{};
  if (ASN1_TIME_to_tm(time, &civil) != 1) return absl::InfinitePast();
  return absl::FromTM(civil, absl::UTCTimeZone());
}

std::string Shown(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<TlsState> CheckTls(const TlsFiles& files, absl::Time now) {
  const absl::StatusOr<std::string> chain = Read(files.certificate);
  if (!chain.ok()) return chain.status();
  const Certificate certificate = FirstCertificate(*chain);
  if (certificate == nullptr) return Fault(files.certificate, "holds no certificate in PEM");
  const absl::StatusOr<std::string> key_text = Read(files.key);
  if (!key_text.ok()) return key_text.status();
  const Bio key_bio(BIO_new_mem_buf(key_text->data(), static_cast<int>(key_text->size())),
                    BIO_free);
  const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &NoPassphrase, nullptr),
                EVP_PKEY_free);
  if (key == nullptr) {
    return Fault(files.key, "holds no private key in PEM, or one with a passphrase");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Fault(files.key, absl::StrCat("is not the key of ", files.certificate));
  }
  TlsState state;
  state.not_after = TimeOf(X509_get0_notAfter(certificate.get()));
  const absl::Time not_before = TimeOf(X509_get0_notBefore(certificate.get()));
  if (now > state.not_after) {
    return Fault(files.certificate, absl::StrCat("expired at ", Shown(state.not_after)));
  }
  if (now < not_before) {
    return Fault(files.certificate, absl::StrCat("is valid from ", Shown(not_before)));
  }
  if (files.clients != ClientCertificates::kNone) {
    const absl::StatusOr<std::string> roots = Read(files.client_ca);
    if (!roots.ok()) return roots.status();
    if (FirstCertificate(*roots) == nullptr) {
      return Fault(files.client_ca, "holds no certificate in PEM");
    }
  }
  return state;
}

std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const TlsFiles& files) {
  using grpc::experimental::FileWatcherCertificateProvider;
  WatchHandshakes();
  const bool asks = files.clients != ClientCertificates::kNone;
  auto provider = asks ? std::make_shared<FileWatcherCertificateProvider>(
                             files.key, files.certificate, files.client_ca, kRereadSeconds)
                       : std::make_shared<FileWatcherCertificateProvider>(
                             files.key, files.certificate, kRereadSeconds);
  grpc::experimental::TlsServerCredentialsOptions options(std::move(provider));
  options.watch_identity_key_cert_pairs();
  if (asks) options.watch_root_certs();
  options.set_cert_request_type(!asks ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                : files.clients == ClientCertificates::kRequired
                                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace assetgate::auth
