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

// Its path is not shown: somebody may have put a secret where the path belongs.
constexpr absl::string_view kFile = "the file that it names ";

// What the file `name` holds; empty, with a fault at `path`, where it cannot be read.
std::string Read(const std::string& path, const std::string& name, std::size_t max_bytes,
                 const Environment& environment, YamlFile& yaml) {
  if (name.empty()) {
    yaml.AddFault(path, "is empty; name a file");
    return "";
  }
  absl::StatusOr<std::string> text = environment.read_file(name, max_bytes);
  if (text.ok()) return *std::move(text);
  yaml.AddFault(path, absl::StrCat(kFile, text.status().message()));
  return "";
}

void AddFault(const std::string& path, const std::string& fault, YamlFile& yaml) {
  if (!fault.empty()) yaml.AddFault(path, absl::StrCat(kFile, fault));
}

std::string ReadPem(const std::string& path, const std::string& name,
                    const Environment& environment, YamlFile& yaml) {
  return Read(path, name, base::kMaxKeyFileBytes, environment, yaml);
}

}  // namespace

Tls ReadTls(const file::Tls& in, const Environment& environment, YamlFile& yaml) {
  Tls tls;
  tls.certificate = in.certificate();
  tls.key = in.key();
  tls.client_ca = in.client_ca();
  tls.client_certificate_required =
      !tls.client_ca.empty() && in.client_certificate() != file::Tls::OPTIONAL;
  if (!in.has_certificate()) {
    yaml.AddFault("tls.certificate", "is missing; name the file with the certificate");
  }
  if (!in.has_key()) yaml.AddFault("tls.key", "is missing; name the file with its key");
  if (in.client_certificate() != file::Tls::CLIENT_CERTIFICATE_UNSPECIFIED &&
      tls.client_ca.empty()) {
    yaml.AddFault("tls.client_certificate",
                  "needs client_ca: the file with who signs clients' certificates");
  }

  const absl::Time now = environment.now();
  if (in.has_certificate()) {
    tls.material.certificate = ReadPem("tls.certificate", tls.certificate, environment, yaml);
    AddFault("tls.certificate", auth::FaultOfCertificate(tls.material.certificate), yaml);
    if (const std::string fault = auth::FaultOfTime(tls.material.certificate, now);
        !fault.empty()) {
      tls.time_fault = yaml.Describe("tls.certificate", absl::StrCat(kFile, fault));
    }
  }
  if (in.has_key()) {
    tls.material.key = base::Secret(ReadPem("tls.key", tls.key, environment, yaml));
    // What it is to fit must be there.
    if (in.has_certificate() && !yaml.HasFault("tls.certificate")) {
      AddFault("tls.key", auth::FaultOfKey(tls.material.key, tls.material.certificate), yaml);
    }
  }
  if (!tls.client_ca.empty()) {
    tls.material.client_ca = ReadPem("tls.client_ca", tls.client_ca, environment, yaml);
    AddFault("tls.client_ca", auth::FaultOfAuthorities(tls.material.client_ca, now), yaml);
  }
  return tls;
}

void ReadFilesOf(const std::string& path, const Environment& environment, YamlFile& yaml,
                 auth::JwtIssuer& issuer) {
  if (!issuer.fetched()) {
    const std::string at = path + ".jwks_file";
    const std::string text = ReadPem(at, issuer.jwks_file, environment, yaml);
    if (yaml.HasFault(at)) return;
    absl::StatusOr<std::vector<auth::JwkKey>> keys = auth::ParseJwks(text);
    if (keys.ok()) {
      issuer.keys = std::make_shared<const std::vector<auth::JwkKey>>(*std::move(keys));
    } else {
      AddFault(at, absl::StrCat(keys.status().message(), "; put the issuer's JWKS there"), yaml);
    }
    return;
  }
  if (!issuer.ca_file.empty()) {
    const std::string at = path + ".ca_file";
    issuer.ca = ReadPem(at, issuer.ca_file, environment, yaml);
    AddFault(at, auth::FaultOfAuthorities(issuer.ca, environment.now()), yaml);
  }
  if (!issuer.token_file.empty()) {
    const std::string at = path + ".token_file";
    const std::string text = Read(at, issuer.token_file, base::kMaxSecretBytes, environment, yaml);
    issuer.token = base::Secret(std::string(absl::StripAsciiWhitespace(text)));
    if (issuer.token.empty()) AddFault(at, "is empty", yaml);
    const std::string& token = issuer.token.Reveal();
    if (!std::all_of(token.begin(), token.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
      AddFault(at, "holds spaces, line breaks or characters outside of ASCII inside", yaml);
    }
  }
}

}  // namespace assetgate::config
