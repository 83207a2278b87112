// Decodes this provider's answers. Pure functions; every byte is treated as hostile.
#ifndef ASSETGATE_PROVIDERS_KYY_DECODE_H_
#define ASSETGATE_PROVIDERS_KYY_DECODE_H_

#include <optional>

#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::kyy {

provider::SubmitResult DecodeUpload(const http::Response& response);
// `handle`: of the polled asset.
provider::PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle);
std::optional<provider::Failure> DecodeDeleteAsset(const http::Response& response);

provider::SubmitResult DecodeCreateVideo(const http::Response& response);
// `handle`: of the polled task.
provider::PollResult DecodeGetResult(const http::Response& response,
                                     const provider::Handle& handle);

}  // namespace assetgate::providers::kyy

#endif  // ASSETGATE_PROVIDERS_KYY_DECODE_H_
