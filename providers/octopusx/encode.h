// Encodes the requests to this provider. Pure functions.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_ENCODE_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_ENCODE_H_

#include "absl/status/statusor.h"
#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::octopusx {

absl::StatusOr<http::Request> EncodeCreateGroup(const provider::GroupSubmission& submission);

absl::StatusOr<http::Request> EncodeCreateAsset(const provider::AssetSubmission& submission);
http::Request EncodeGetAsset(const provider::Handle& handle);

absl::StatusOr<http::Request> EncodeCreateVideo(const provider::VideoSubmission& submission);
http::Request EncodeQueryVideo(const provider::Handle& handle);

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_ENCODE_H_
