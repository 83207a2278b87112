// What this provider's answers say. Pure functions; every byte is taken for hostile.
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_DECODE_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_DECODE_H_

#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::zerozero {

// `request` is what was sent: the platform, or the model, is kept in the handle.
provider::SubmitResult DecodeCreateGroup(const http::Request& request,
                                         const http::Response& response);
provider::SubmitResult DecodeCreateAsset(const http::Request& request,
                                         const http::Response& response);
provider::SubmitResult DecodeCreateVideo(const http::Request& request,
                                         const http::Response& response);

// `handle`: of the unit that was asked for.
provider::PollResult DecodeGetGroup(const http::Response& response, const provider::Handle& handle);
provider::PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle);
provider::PollResult DecodeGetVideo(const http::Response& response, const provider::Handle& handle);

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_DECODE_H_
