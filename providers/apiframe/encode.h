// Encodes the requests to this provider. Pure functions.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_ENCODE_H_
#define ASSETGATE_PROVIDERS_APIFRAME_ENCODE_H_

#include "absl/status/statusor.h"
#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::apiframe {

absl::StatusOr<http::Request> EncodeCreateAsset(const provider::AssetSubmission& submission);
http::Request EncodeGetAsset(const provider::Handle& handle);

absl::StatusOr<http::Request> EncodeGenerateVideo(const provider::VideoSubmission& submission);
http::Request EncodeGetJob(const provider::Handle& handle);

// X-API-Key: {the secret "api_key"}
void AuthorizeRequest(http::Request& request, const provider::Credential& credential);

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_ENCODE_H_
