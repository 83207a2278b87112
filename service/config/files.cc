#include "config/files.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "auth/jwks.h"
#include "auth/tls_material.h"
#include "base/file.h"
#include "base/secret.h"

namespace assetgate::config {
namespace {

// The path is not shown: it may be a secret that was put into its place.
constexpr absl::string_view kFile = "the file that it names ";

// The content of the file `name`; empty, with a fault at `path`, where it cannot be read.
std::string Read(const std::string& path, const std::string& name, std::size_t max_bytes,
                 Reading& reading) {
  if (name.empty()) {
    reading.AddFault(path, "is empty; name a file");
    return "";
  }
  absl::StatusOr<std::string> text = reading.environment().read_file(name, max_bytes);
  if (text.ok()) return *std::move(text);
  reading.AddFault(path, absl::StrCat(kFile, text.status().message()));
  return "";
}

void AddFault(const std::string& path, const std::string& fault, Reading& reading) {
  if (!fault.empty()) reading.AddFault(path, absl::StrCat(kFile, fault));
}

std::string ReadPem(const std::string& path, const std::string& name, Reading& reading) {
  return Read(path, name, base::kMaxKeyFileBytes, reading);
}

}  // namespace

Tls ReadTls(const file::Tls& in, Reading& reading) {
  Tls tls;
  tls.certificate = in.certificate();
  tls.key = in.key();
  tls.client_ca = in.client_ca();
  tls.client_certificate_required =
      !tls.client_ca.empty() && in.client_certificate() != file::Tls::OPTIONAL;
  if (!in.has_certificate()) {
    reading.AddFault("tls.certificate", "is missing; name the file with the certificate");
  }
  if (!in.has_key()) reading.AddFault("tls.key", "is missing; name the file with its key");
  if (in.client_certificate() != file::Tls::CLIENT_CERTIFICATE_UNSPECIFIED &&
      tls.client_ca.empty()) {
    reading.AddFault(
        "tls.client_certificate",
        "needs client_ca: the file with the authorities that sign clients' certificates");
  }

  const absl::Time now = reading.environment().now();
  if (in.has_certificate()) {
    tls.material.certificate = ReadPem("tls.certificate", tls.certificate, reading);
    AddFault("tls.certificate", auth::FaultOfCertificate(tls.material.certificate), reading);
    if (const std::string fault = auth::FaultOfTime(tls.material.certificate, now);
        !fault.empty()) {
      tls.time_fault = reading.Describe("tls.certificate", absl::StrCat(kFile, fault));
    }
  }
  if (in.has_key()) {
    tls.material.key = base::Secret(ReadPem("tls.key", tls.key, reading));
    // Without a valid certificate there is nothing that the key must fit.
    if (in.has_certificate() && !reading.HasFault("tls.certificate")) {
      AddFault("tls.key", auth::FaultOfKey(tls.material.key, tls.material.certificate), reading);
    }
  }
  if (!tls.client_ca.empty()) {
    tls.material.client_ca = ReadPem("tls.client_ca", tls.client_ca, reading);
    AddFault("tls.client_ca", auth::FaultOfAuthorities(tls.material.client_ca, now), reading);
  }
  return tls;
}

void ReadFilesOf(const std::string& path, Reading& reading, auth::JwtIssuer& issuer) {
  if (!issuer.fetched()) {
    const std::string at = path + ".jwks_file";
    const std::string text = ReadPem(at, issuer.jwks_file, reading);
    if (reading.HasFault(at)) return;
    absl::StatusOr<std::vector<auth::JwkKey>> keys = auth::ParseJwks(text);
    if (keys.ok()) {
      issuer.keys = std::make_shared<const std::vector<auth::JwkKey>>(*std::move(keys));
    } else {
      AddFault(at, absl::StrCat(keys.status().message(), "; put the issuer's JWKS there"), reading);
    }
    return;
  }
  if (!issuer.ca_file.empty()) {
    const std::string at = path + ".ca_file";
    issuer.ca = ReadPem(at, issuer.ca_file, reading);
    AddFault(at, auth::FaultOfAuthorities(issuer.ca, reading.environment().now()), reading);
  }
  if (!issuer.token_file.empty()) {
    const std::string at = path + ".token_file";
    const std::string text = Read(at, issuer.token_file, base::kMaxSecretBytes, reading);
    issuer.token = base::Secret(std::string(absl::StripAsciiWhitespace(text)));
    if (issuer.token.empty()) AddFault(at, "is empty", reading);
    const std::string& token = issuer.token.Reveal();
    if (!std::all_of(token.begin(), token.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
      AddFault(at, "holds spaces, line breaks or characters outside of ASCII inside", reading);
    }
  }
}

}  // namespace assetgate::config
