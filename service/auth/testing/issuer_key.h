// Keys, key sets and tokens for tests.
#ifndef ASSETGATE_AUTH_TESTING_ISSUER_KEY_H_
#define ASSETGATE_AUTH_TESTING_ISSUER_KEY_H_

#include <jwt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace assetgate::auth {

// The key pair of an issuer.
class IssuerKey {
 public:
  static IssuerKey Rsa(std::string id, unsigned bits = 2048) {
    return IssuerKey(std::move(id), EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}));
  }
  static IssuerKey Ec(std::string id) {
    return IssuerKey(std::move(id), EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  }

  // The public key in the form of a JWKS.
  std::string Jwk(absl::string_view more = "") const {
    if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA) {
      return absl::StrCat(R"({"kty":"RSA","kid":")", id_, R"(","n":")", Number("n"), R"(","e":")",
                          Number("e"), "\"", more, "}");
    }
    return absl::StrCat(R"({"kty":"EC","crv":"P-256","kid":")", id_, R"(","x":")", Number("qx"),
                        R"(","y":")", Number("qy"), "\"", more, "}");
  }
  std::string PublicPem() const {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PUBKEY(out.get(), key_.get());
    return Text(out.get());
  }

  // A signed token with these claims.
  std::string Sign(jwt_alg_t algorithm, const std::string& claims) const {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return SignWith(algorithm, claims, id_, Text(out.get()));
  }
  // A token signed with any secret.
  static std::string SignWith(jwt_alg_t algorithm, const std::string& claims, const std::string& id,
                              const std::string& secret) {
    jwt_t* token = nullptr;
    jwt_new(&token);
    jwt_add_grants_json(token, claims.c_str());
    if (!id.empty()) jwt_add_header(token, "kid", id.c_str());
    jwt_set_alg(token, algorithm, reinterpret_cast<const unsigned char*>(secret.c_str()),
                algorithm == JWT_ALG_NONE ? 0 : static_cast<int>(secret.size()));
    char* encoded = jwt_encode_str(token);
    std::string text = encoded == nullptr ? "" : encoded;
    std::free(encoded);
    jwt_free(token);
    return text;
  }

 private:
  IssuerKey(std::string id, EVP_PKEY* key) : id_(std::move(id)), key_(key, EVP_PKEY_free) {}

  static std::string Text(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
  }
  std::string Number(const char* name) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &number);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    std::string text = absl::WebSafeBase64Escape(bytes);
    while (!text.empty() && text.back() == '=') text.pop_back();
    return text;
  }

  std::string id_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_TESTING_ISSUER_KEY_H_
