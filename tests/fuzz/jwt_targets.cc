// Tokens of callers, and key sets of issuers: no token is accepted that was not signed with the
// key.
//
// The private halves of the keys below were discarded, so these two are the only good tokens.
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "auth/jwks.h"
#include "auth/jwks_endpoint.h"
#include "auth/jwt.h"
#include "base/event_loop.h"
#include "base/testing/fake_event_loop.h"
#include "http/testing/fake_client.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

constexpr char kRsaKey[] =
    R"({"kty":"RSA","kid":"r","n":"jMGpWRTMjfvgumQhaa2wv8WVolH_okMdv1euE5KY56M4FNK5-_0bhGMZwjEa-c)"
    R"(wu2DzMKbrfsbsNnHBn-EbgnbZQJwaGTwRgGg_wYWIZppUSYNUQZJGBgjyzDuLFODPEe_U0DXKecBI1JyDfH1E1jacM)"
    R"(u3eXWTVYXDXxomC7o0WdEo8TLpgecJILCTFInaO1BU7DIZ4erZRrInX22cKghxK2GKmwXfx1VUNhwxbUSTzIMwihXY)"
    R"(rn1FLyZhOpuOKU748JQFVyF0gTo7vBrweGsjnwrVhxmVroFF_Yxs4KHiAmgp90kn-3p-IT-iq-4iyoFwthR7030_5R)"
    R"(VK2tfwM0Yw","e":"AQAB"})";
constexpr char kEcKey[] =
    R"({"kty":"EC","crv":"P-256","kid":"e","x":"CvKL8eHffVH_CYBf2L4mtLyo5OhgWAfFZaCzasou19Q","y":)"
    R"("aYZxdasL7IJ4TdVgdPQWDFdoG076eEeeTylHFEzuta0"})";
constexpr char kRsaToken[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJpc3MiOiJodHRwczovL2kuZXhhbXBsZSIsInN1YiI6ImZhcm0iLCJ"
    "hdWQiOiJhc3NldGdhdGUiLCJleHAiOjk5OTk5OTk5OTl9.aR5IdNH35fbm_BISDFc_mp7fqkJi8DP_dkNCBkk8F407"
    "sp3AW4ITXG-jG1mg0_tZ2wif7BYovTEz7bGp8UfofCGNzLTG0B5IcHlUa3EbN-ESXktC1-FvI0oi7XBGADSkISpVu0"
    "tfGp_qUxk1X6QyWzkBleAdTQ46tdVNBJocdy1IUqJ1uG4r1zaLHwjjlDSr09GeQrSkjQ1fU00LdEMkDEycDAqxxieq"
    "q-m1nmKUTZnNdGY4B2h0bZHsdHkTkWxihdnhh7azJu-sxdUgehHwdu9ecbJniwJ0hRaKYRpnuav6Vmc9u38KeO2vHL"
    "jHShiEy9sSiRND6ukNR67f2GSjbg";
constexpr char kEcToken[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2kuZXhhbXBsZSIsInN1YiI6ImZhcm0iLCJ"
    "hdWQiOiJhc3NldGdhdGUiLCJleHAiOjk5OTk5OTk5OTl9.oETJgCFAf4G9pu1UVBSbo0jTu5VUaTBBzVjxAfDngVWq"
    "G_A2DNNzdXMipkxEZgg6c42_x1iYoKOPP8kMB-vNjg";

std::string KeySet(absl::string_view keys) { return absl::StrCat("{\"keys\":[", keys, "]}"); }

// A verifier of one issuer that has published `key_set`.
class Published {
 public:
  explicit Published(absl::string_view key_set) {
    endpoint_->Refresh();
    loop_.RunDue();
    http_.Take().Answer(http::Response{200, {}, std::string(key_set)});
    loop_.RunDue();
  }

  absl::StatusOr<auth::Subject> Verify(absl::string_view token) const {
    return verifier_.Verify(std::string(token));
  }
  const auth::JwksEndpoint& endpoint() const { return *endpoint_; }

 private:
  const auth::JwtIssuer issuer_ = {.issuer = "https://i.example",
                                   .audiences = {"assetgate"},
                                   .jwks_url = "https://i.example/keys"};
  base::FakeEventLoop loop_;
  http::FakeHttpClient http_;
  const std::shared_ptr<auth::JwksEndpoint> endpoint_ =
      std::make_shared<auth::JwksEndpoint>(issuer_, auth::Fetching{http_, loop_});
  const auth::JwtVerifier verifier_{{issuer_}, loop_.clock(), {endpoint_}};
};

// The signed part of a token.
absl::string_view SignedPart(absl::string_view token) { return token.substr(0, token.rfind('.')); }

// An input is a token; and also, line by line, the header, the claims and the signature of one. If
// the signature is left out, that of a good token is used.
std::optional<std::string> CheckJwt(absl::string_view input) {
  static const Published* const published =
      new Published(KeySet(absl::StrCat(kRsaKey, ",", kEcKey)));
  Claims claims;
  const auto look_at = [&](const std::string& token) {
    const auto subject = published->Verify(token);
    if (subject.ok()) {
      claims.Hold(
          SignedPart(token) == SignedPart(kRsaToken) || SignedPart(token) == SignedPart(kEcToken),
          "an accepted token was signed", token);
      claims.Hold(subject->issuer == "https://i.example" && subject->subject == "farm",
                  "the subject is the signed one", subject->subject);
    } else {
      claims.Plain("why a token is rejected", subject.status().message(), 1024);
      const absl::string_view signature = absl::string_view(token).substr(token.rfind('.') + 1);
      claims.Hold(
          signature.size() < 40 || !absl::StrContains(subject.status().message(), signature),
          "no token is revealed", subject.status().message());
    }
  };
  look_at(std::string(input));
  const std::vector<absl::string_view> lines = absl::StrSplit(input, absl::MaxSplits('\n', 2));
  if (lines.size() < 2) return claims.broken();
  const std::string text =
      absl::StrCat(absl::WebSafeBase64Escape(lines[0]), ".", absl::WebSafeBase64Escape(lines[1]));
  if (lines.size() == 3) {
    look_at(absl::StrCat(text, ".", absl::WebSafeBase64Escape(lines[2])));
    return claims.broken();
  }
  for (const absl::string_view good : {kRsaToken, kEcToken}) {
    look_at(absl::StrCat(text, good.substr(good.rfind('.'))));
  }
  return claims.broken();
}

bool IsPublicKey(const std::string& pem, const auth::JwkKey& key) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> read(
      PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (read == nullptr) return false;
  const int bits = EVP_PKEY_get_bits(read.get());
  if (key.type == auth::JwkKey::Type::kEc) {
    return EVP_PKEY_get_base_id(read.get()) == EVP_PKEY_EC && bits == key.bits;
  }
  return EVP_PKEY_get_base_id(read.get()) == EVP_PKEY_RSA && bits >= 2048 && bits <= 8192;
}

std::optional<std::string> CheckJwks(absl::string_view input) {
  static const std::vector<auth::JwkKey>* const good =
      new std::vector<auth::JwkKey>(*auth::ParseJwks(KeySet(absl::StrCat(kRsaKey, ",", kEcKey))));
  Claims claims;
  const absl::StatusOr<std::vector<auth::JwkKey>> keys = auth::ParseJwks(input);
  if (!keys.ok()) {
    claims.Plain("what is wrong with a key set", keys.status().message(), 256);
    return claims.broken();
  }
  claims.Hold(!keys->empty() && keys->size() <= 100, "a key set has 1 to 100 keys");
  for (const auth::JwkKey& key : *keys) {
    claims.Hold(IsPublicKey(key.pem, key), "a key is a public key of its type", key.pem);
  }
  const Published published(input);
  claims.Hold(published.endpoint().keys() != nullptr,
              "a key set that can be read can be published");
  for (std::size_t i = 0; i < good->size(); ++i) {
    if (!published.Verify(i == 0 ? kRsaToken : kEcToken).ok()) continue;
    claims.Hold(std::any_of(keys->begin(), keys->end(),
                            [&](const auth::JwkKey& key) { return key.pem == (*good)[i].pem; }),
                "a token is accepted with the key that signed it");
  }
  return claims.broken();
}

}  // namespace

Target JwtTarget() {
  return {.name = "jwt",
          .check = CheckJwt,
          .seeds =
              [] {
                const std::string claims =
                    R"({"iss":"https://i.example","sub":"farm","aud":["assetgate"],)"
                    R"("exp":9999999999,"nbf":1})";
                return std::vector<std::string>{
                    kRsaToken,
                    kEcToken,
                    absl::StrCat(R"({"alg":"RS256","kid":"r"})", "\n", claims),
                    absl::StrCat(R"({"alg":"ES256"})", "\n", claims),
                    absl::StrCat(R"({"alg":"none"})", "\n", claims, "\n"),
                    absl::StrCat(R"({"alg":"HS256","kid":"r"})", "\n", claims, "\n",
                                 std::string(32, 'h')),
                    absl::StrCat(R"({"alg":"RS256","kid":"new","crit":["x"]})", "\n", claims, "\n",
                                 std::string(256, '\1'))};
              },
          .words =
              [] {
                return std::set<std::string>{"\"alg\"",  "\"kid\"",   "\"iss\"",   "\"sub\"",
                                             "\"aud\"",  "\"exp\"",   "\"nbf\"",   "\"crit\"",
                                             "\"none\"", "\"HS256\"", "\"PS256\"", "\"ES512\""};
              }};
}

Target JwksTarget() {
  return {.name = "jwks",
          .check = CheckJwks,
          .seeds =
              [] {
                return std::vector<std::string>{
                    KeySet(kRsaKey), KeySet(kEcKey), KeySet(absl::StrCat(kRsaKey, ",", kEcKey)),
                    KeySet(R"({"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AQAB"})")};
              },
          .words =
              [] {
                return std::set<std::string>{"\"keys\"", "\"kty\"", "\"kid\"",   "\"use\"",
                                             "\"sig\"",  "\"alg\"", "\"crv\"",   "\"RSA\"",
                                             "\"EC\"",   "\"oct\"", "\"P-384\"", "\"P-521\"",
                                             "\"n\"",    "\"e\"",   "\"x\"",     "\"y\""};
              }};
}

}  // namespace assetgate::fuzz
