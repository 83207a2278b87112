// Decodes this provider's answers. Pure functions; every byte is treated as hostile.
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_DECODE_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_DECODE_H_

#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::zerozero {

// `request` is the sent one: its platform, or its model, is kept in the handle.
provider::SubmitResult DecodeCreateGroup(const http::Request& request,
                                         const http::Response& response);
provider::SubmitResult DecodeCreateAsset(const http::Request& request,
                                         const http::Response& response);
provider::SubmitResult DecodeCreateVideo(const http::Request& request,
                                         const http::Response& response);

// `handle`: of the polled unit.
provider::PollResult DecodeGetGroup(const http::Response& response, const provider::Handle& handle);
provider::PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle);
provider::PollResult DecodeGetVideo(const http::Response& response, const provider::Handle& handle);

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_DECODE_H_
