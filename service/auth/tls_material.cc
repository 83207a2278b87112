#include "auth/tls_material.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pemerr.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace assetgate::auth {
namespace {

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;
using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Context = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;

struct Certificates {
  // The certificates before the first unreadable one.
  std::vector<Certificate> whole;
  // Whether nothing but these was in the file.
  bool complete = false;
};

Bio ReadFrom(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

Certificates ReadCertificates(const std::string& pem) {
  Certificates read;
  const Bio bio = ReadFrom(pem);
  ERR_clear_error();
  while (X509* const one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    read.whole.emplace_back(one, X509_free);
  }
  const unsigned long error = ERR_peek_last_error();
  read.complete = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return read;
}

// A server that starts unattended cannot ask for a passphrase.
int NoPassphrase(char*, int, int, void*) { return 0; }

Key ReadKey(const std::string& pem) {
  const Bio bio = ReadFrom(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr), EVP_PKEY_free);
  ERR_clear_error();
  return key;
}

// OpenSSL's reason for its last failure.
std::string Refusal() {
  const char* words = ERR_reason_error_string(ERR_peek_last_error());
  std::string refusal = words == nullptr ? "no reason given" : words;
  ERR_clear_error();
  return refusal;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm civil{};
  if (ASN1_TIME_to_tm(time, &civil) != 1) return absl::InfinitePast();
  return absl::FromTM(civil, absl::UTCTimeZone());
}

absl::Time Begin(const Certificate& certificate) {
  return TimeOf(X509_get0_notBefore(certificate.get()));
}

absl::Time End(const Certificate& certificate) {
  return TimeOf(X509_get0_notAfter(certificate.get()));
}

std::string Shown(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

bool IsBlank(const std::string& text) { return absl::StripAsciiWhitespace(text).empty(); }

std::string FaultOfList(const std::string& pem, const Certificates& read) {
  if (IsBlank(pem)) return "is empty";
  if (read.whole.empty()) {
    return "holds no whole certificate in PEM (-----BEGIN CERTIFICATE----- …)";
  }
  if (read.complete) return "";
  return absl::StrCat("is cut off or damaged after its certificate ", read.whole.size(),
                      "; write the whole file again");
}

}  // namespace

std::string FaultOfCertificate(const std::string& pem) {
  return FaultOfList(pem, ReadCertificates(pem));
}

std::string FaultOfKey(const base::Secret& pem, const std::string& certificate) {
  if (IsBlank(pem.Reveal())) return "is empty";
  const Key key = ReadKey(pem.Reveal());
  if (key == nullptr) {
    return "holds no whole private key in PEM, or one with a passphrase, which must be taken off";
  }
  const Certificates read = ReadCertificates(certificate);
  if (read.whole.empty() || X509_check_private_key(read.whole[0].get(), key.get()) != 1) {
    ERR_clear_error();
    return "is not the key of the certificate; name two files that belong together";
  }
  ERR_clear_error();
  const Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr || SSL_CTX_use_certificate(context.get(), read.whole[0].get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return absl::StrCat("cannot be used with the certificate: ", Refusal());
  }
  return "";
}

std::string FaultOfAuthorities(const std::string& pem, absl::Time now) {
  const Certificates read = ReadCertificates(pem);
  if (std::string fault = FaultOfList(pem, read); !fault.empty()) return fault;
  if (std::none_of(read.whole.begin(), read.whole.end(),
                   [now](const Certificate& each) { return now <= End(each); })) {
    return "holds only authorities that have expired; put valid ones there";
  }
  return "";
}

std::string FaultOfTime(const std::string& pem, absl::Time now) {
  const Certificates read = ReadCertificates(pem);
  if (read.whole.empty()) return "";
  if (now > End(read.whole[0])) {
    return absl::StrCat("expired at ", Shown(End(read.whole[0])), "; renew it");
  }
  if (now < Begin(read.whole[0])) {
    return absl::StrCat("is valid from ", Shown(Begin(read.whole[0])),
                        "; check this machine's clock");
  }
  return "";
}

absl::Time CertificateEnd(const std::string& pem) {
  const Certificates read = ReadCertificates(pem);
  return read.whole.empty() ? absl::InfinitePast() : End(read.whole[0]);
}

}  // namespace assetgate::auth
