#include "provider/dialect.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"

namespace assetgate::provider {

void MaskSecrets(const Credential& credential, http::Response& response) {
  for (const auto& [name, secret] : credential.secrets) {
    const std::string& text = secret.Reveal();
    if (text.empty()) continue;
    const auto mask = [&](const std::string& spelling) {
      const auto mask_in = [&](std::string& in) {
        if (absl::StrContains(in, spelling)) in = absl::StrReplaceAll(in, {{spelling, "[secret]"}});
      };
      mask_in(response.body);
      for (http::Header& header : response.headers) mask_in(header.value);
    };
    mask(text);
    // As JSON with slashes escaped, and as part of a URL.
    const std::string in_json = absl::StrReplaceAll(text, {{"/", "\\/"}});
    if (in_json != text) mask(in_json);
    const std::string in_url = http::PercentEncode(text);
    if (in_url != text) mask(in_url);
  }
}

absl::StatusOr<http::Request> Dialect::EncodeSubmitGroup(const GroupSubmission&) const {
  return absl::InternalError(
      "this dialect's groups are kept by the gateway; none is ever submitted");
}

std::optional<http::Request> Dialect::EncodeDeleteAsset(const Handle&) const {
  return std::nullopt;
}

std::optional<http::Request> Dialect::EncodeCheckCredential() const { return std::nullopt; }

std::optional<Failure> Dialect::DecodeCheckCredential(const http::Response& response) const {
  if (response.status >= 200 && response.status < 300) return std::nullopt;
  return FailureOf(response, "", response.body);
}

std::optional<Failure> Dialect::DecodeDeleteAsset(const http::Response& response) const {
  if (response.status >= 200 && response.status < 300) return std::nullopt;
  if (response.status == 404) return std::nullopt;
  return FailureOf(response, "", "");
}

}  // namespace assetgate::provider
