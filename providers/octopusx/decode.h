// Decodes this provider's answers. Pure functions; every byte is treated as hostile.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_DECODE_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_DECODE_H_

#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::octopusx {

provider::SubmitResult DecodeCreateGroup(const http::Response& response);

provider::SubmitResult DecodeCreateAsset(const http::Response& response);
// `handle`: of the polled asset.
provider::PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle);

provider::SubmitResult DecodeCreateVideo(const http::Response& response);
// `handle`: of the polled task.
provider::PollResult DecodeQueryVideo(const http::Response& response,
                                      const provider::Handle& handle);

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_DECODE_H_
