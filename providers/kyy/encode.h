// Encodes the requests to this provider. Pure functions.
#ifndef ASSETGATE_PROVIDERS_KYY_ENCODE_H_
#define ASSETGATE_PROVIDERS_KYY_ENCODE_H_

#include "absl/status/statusor.h"
#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::kyy {

absl::StatusOr<http::Request> EncodeUpload(const provider::AssetSubmission& submission);
http::Request EncodeGetAsset(const provider::Handle& handle);
http::Request EncodeDeleteAsset(const provider::Handle& handle);

absl::StatusOr<http::Request> EncodeCreateVideo(const provider::VideoSubmission& submission);
http::Request EncodeGetResult(const provider::Handle& handle);

}  // namespace assetgate::providers::kyy

#endif  // ASSETGATE_PROVIDERS_KYY_ENCODE_H_
