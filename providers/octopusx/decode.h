// What this provider's answers say. Pure functions; every byte is taken for hostile.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_DECODE_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_DECODE_H_

#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::octopusx {

provider::SubmitResult DecodeCreateGroup(const http::Response& response);

provider::SubmitResult DecodeCreateAsset(const http::Response& response);
// `handle`: of the asset that was asked for.
provider::PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle);

provider::SubmitResult DecodeCreateVideo(const http::Response& response);
// `handle`: of the task that was asked for.
provider::PollResult DecodeQueryVideo(const http::Response& response,
                                      const provider::Handle& handle);

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_DECODE_H_
