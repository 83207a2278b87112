#include "model/fingerprint.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace assetgate::model {
namespace {

constexpr std::size_t kSaltBytes = 16;

// Appends `text` with its length, so that different lists of texts never give the same bytes.
void Frame(absl::string_view text, std::string& out) {
  std::uint64_t size = text.size();
  for (int i = 0; i < 8; ++i, size >>= 8) out.push_back(static_cast<char>(size & 0xff));
  out.append(text.data(), text.size());
}

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Empty if the library fails.
std::string Digest(const std::string& salt, const ProviderEntry& provider,
                   const provider::Credential& credential) {
  std::string text;
  Frame(provider.base_url, text);
  for (const auto& [plane, url] : provider.planes) {
    Frame(plane, text);
    Frame(url, text);
  }
  for (const std::string& name : provider.dialect->traits().secrets) {
    const auto secret = credential.secrets.find(name);
    Frame(name, text);
    if (secret != credential.secrets.end()) Frame(secret->second.Reveal(), text);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const bool done = HMAC(EVP_sha256(), salt.data(), static_cast<int>(salt.size()), Bytes(text),
                         text.size(), digest, &size) != nullptr;
  OPENSSL_cleanse(text.data(), text.size());
  return done ? std::string(reinterpret_cast<const char*>(digest), size) : std::string();
}

}  // namespace

AccountFingerprint FingerprintOf(const ProviderEntry& provider,
                                 const provider::Credential& credential) {
  unsigned char salt[kSaltBytes];
  AccountFingerprint fingerprint;
  if (RAND_bytes(salt, sizeof(salt)) != 1) return fingerprint;
  fingerprint.set_salt(std::string(reinterpret_cast<const char*>(salt), sizeof(salt)));
  fingerprint.set_digest(Digest(fingerprint.salt(), provider, credential));
  return fingerprint;
}

bool Matches(const AccountFingerprint& fingerprint, const ProviderEntry& provider,
             const provider::Credential& credential) {
  if (fingerprint.salt().size() != kSaltBytes || fingerprint.digest().empty()) return false;
  const std::string now = Digest(fingerprint.salt(), provider, credential);
  return now.size() == fingerprint.digest().size() &&
         CRYPTO_memcmp(now.data(), fingerprint.digest().data(), now.size()) == 0;
}

const provider::Credential* CredentialBehind(const Unit& unit, const ProviderEntry& provider) {
  if (Matches(unit.account(), provider, provider.credential)) return &provider.credential;
  if (provider.previous_credential.has_value() &&
      Matches(unit.account(), provider, *provider.previous_credential)) {
    return &*provider.previous_credential;
  }
  return nullptr;
}

const provider::Credential& CredentialToAsk(const Unit& unit, const ProviderEntry& provider) {
  // With a single credential there is no choice.
  if (provider.previous_credential.has_value()) {
    if (const provider::Credential* known = CredentialBehind(unit, provider)) return *known;
  }
  return provider.CredentialFor(unit.credential_id());
}

bool IsOfAnotherAccount(const Unit& unit, const ProviderEntry& provider) {
  return !unit.account().digest().empty() && CredentialBehind(unit, provider) == nullptr;
}

std::string DigestOf(const http::Request& request) {
  std::string text;
  Frame(request.method, text);
  Frame(request.path, text);
  for (const http::Header& header : request.headers) {
    Frame(header.name, text);
    Frame(header.value, text);
  }
  Frame(request.body, text);
  if (!request.plane.empty()) Frame(request.plane, text);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) return "";
  return {reinterpret_cast<const char*>(digest), size};
}

}  // namespace assetgate::model
