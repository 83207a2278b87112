#include "provider/dialect.h"

namespace assetgate::provider {

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

std::optional<Credit> Dialect::DecodeCredit(const http::Response& /*response*/) const {
  return std::nullopt;
}

std::optional<Failure> Dialect::DecodeDeleteAsset(const http::Response& response) const {
  if (response.status >= 200 && response.status < 300) return std::nullopt;
  if (response.status == 404) return std::nullopt;
  return FailureOf(response, "", "");
}

}  // namespace assetgate::provider
