#include "auth/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "rapidjson/document.h"

namespace assetgate::auth {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
// Checking a key takes longer the larger it is.
constexpr unsigned kMaxKeys = 100;
constexpr int kMinRsaBits = 2048;
constexpr std::size_t kMaxRsaBytes = 8192 / 8;

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* value) const { Free(value); }
};
using Number = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM, OSSL_PARAM_free>>;

std::string TextOf(const rapidjson::Value& object, const char* name) {
  return base::JsonString(object, name).value_or("");
}

// The bytes of a number or a coordinate: base64url without padding.
std::optional<std::string> BytesOf(const rapidjson::Value& object, const char* name) {
  std::string bytes;
  const std::string text = TextOf(object, name);
  if (text.empty() || !absl::WebSafeBase64Unescape(text, &bytes) || bytes.empty()) {
    return std::nullopt;
  }
  return bytes;
}

Number NumberOf(const std::string& bytes) {
  return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()), nullptr));
}

// The key with these parameters; null where they are invalid.
Key Make(const char* type, OSSL_PARAM_BLD* parameters) {
  const Parameters built(OSSL_PARAM_BLD_to_param(parameters));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (built == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, built.get()) != 1) {
    return nullptr;
  }
  Key owned(key);
  const Context check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return owned;
}

Key MakeRsa(const rapidjson::Value& jwk) {
  const auto modulus = BytesOf(jwk, "n");
  const auto exponent = BytesOf(jwk, "e");
  if (!modulus.has_value() || !exponent.has_value() || modulus->size() > kMaxRsaBytes ||
      exponent->size() > sizeof(std::uint64_t)) {
    return nullptr;
  }
  const Number n = NumberOf(*modulus);
  const Number e = NumberOf(*exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return Make("RSA", builder.get());
}

struct Curve {
  const char* name;
  const char* group;
  int bits;
};
constexpr Curve kCurves[] = {
    {"P-256", "prime256v1", 256}, {"P-384", "secp384r1", 384}, {"P-521", "secp521r1", 521}};

Key MakeEc(const rapidjson::Value& jwk, const Curve& curve) {
  auto x = BytesOf(jwk, "x");
  auto y = BytesOf(jwk, "y");
  const auto size = static_cast<std::size_t>((curve.bits + 7) / 8);
  if (!x.has_value() || !y.has_value() || x->size() > size || y->size() > size) return nullptr;
  const std::string point = absl::StrCat("\x04", std::string(size - x->size(), '\0'), *x,
                                         std::string(size - y->size(), '\0'), *y);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return Make("EC", builder.get());
}

std::string PemOf(EVP_PKEY* key) {
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (out == nullptr || PEM_write_bio_PUBKEY(out.get(), key) != 1) return "";
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

absl::StatusOr<std::vector<JwkKey>> ParseJwks(absl::string_view json) {
  if (json.size() > kMaxBytes) return absl::InvalidArgumentError("is larger than 1 MiB");
  const std::optional<rapidjson::Document> document = base::ParseJson(json);
  if (!document.has_value() || !document->IsObject()) {
    return absl::InvalidArgumentError("is not a JSON object; a JWKS is {\"keys\": [...]}");
  }
  const rapidjson::Value* keys = base::FindJson(*document, "keys");
  if (keys == nullptr || !keys->IsArray()) {
    return absl::InvalidArgumentError("has no \"keys\"; a JWKS is {\"keys\": [...]}");
  }
  if (keys->Size() > kMaxKeys) {
    return absl::InvalidArgumentError(absl::StrCat("has more than ", kMaxKeys, " keys"));
  }
  std::vector<JwkKey> found;
  std::vector<std::string> faults;
  int number = -1;
  for (const rapidjson::Value& jwk : keys->GetArray()) {
    ++number;
    // An unusable key is skipped; the others stay usable (RFC 7517, section 5).
    if (!jwk.IsObject()) {
      faults.push_back(absl::StrCat("keys[", number, "] is not an object"));
      continue;
    }
    const std::string use = TextOf(jwk, "use");
    if (!use.empty() && use != "sig") continue;
    JwkKey key;
    key.id = TextOf(jwk, "kid");
    key.algorithm = TextOf(jwk, "alg");
    Key made;
    const std::string type = TextOf(jwk, "kty");
    if (type == "RSA") {
      made = MakeRsa(jwk);
    } else if (type == "EC") {
      key.type = JwkKey::Type::kEc;
      const Curve* curve = nullptr;
      for (const Curve& each : kCurves) {
        if (TextOf(jwk, "crv") == each.name) curve = &each;
      }
      if (curve == nullptr) continue;
      key.bits = curve->bits;
      made = MakeEc(jwk, *curve);
    } else {
      continue;
    }
    if (made == nullptr) {
      faults.push_back(absl::StrCat("keys[", number, "] is not a valid ", type, " key"));
      continue;
    }
    if (type == "RSA" && EVP_PKEY_get_bits(made.get()) < kMinRsaBits) {
      faults.push_back(absl::StrCat("keys[", number, "] has ", EVP_PKEY_get_bits(made.get()),
                                    " bits; use at least ", kMinRsaBits));
      continue;
    }
    key.pem = PemOf(made.get());
    if (key.pem.empty()) {
      faults.push_back(absl::StrCat("keys[", number, "] cannot be written as PEM"));
      continue;
    }
    found.push_back(std::move(key));
  }
  if (found.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("has no key that signs: RSA, or EC on P-256, P-384 or P-521",
                     faults.empty() ? "" : "; ", absl::StrJoin(faults, "; ")));
  }
  return found;
}

}  // namespace assetgate::auth
