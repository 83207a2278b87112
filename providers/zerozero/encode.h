// Encodes the requests to this provider. Pure functions.
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_ENCODE_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_ENCODE_H_

#include "absl/status/statusor.h"
#include "http/message.h"
#include "provider/dialect.h"
#include "providers/zerozero/settings.h"

namespace assetgate::providers::zerozero {

http::Request EncodeCreateGroup(const Settings& settings,
                                const provider::GroupSubmission& submission);
http::Request EncodeGetGroup(const Settings& settings, const provider::Handle& handle);

absl::StatusOr<http::Request> EncodeCreateAsset(const Settings& settings,
                                                const provider::AssetSubmission& submission);
http::Request EncodeGetAsset(const Settings& settings, const provider::Handle& handle);

absl::StatusOr<http::Request> EncodeCreateVideo(const Settings& settings,
                                                const provider::VideoSubmission& submission);
http::Request EncodeGetVideo(const provider::Handle& handle);

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_ENCODE_H_
