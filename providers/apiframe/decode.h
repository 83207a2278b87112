// Decodes this provider's answers. Pure functions; every byte is treated as hostile.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_DECODE_H_
#define ASSETGATE_PROVIDERS_APIFRAME_DECODE_H_

#include "http/message.h"
#include "provider/dialect.h"

namespace assetgate::providers::apiframe {

// Whether a text is the id of a job: a UUID. The provider answers 400 to anything else.
bool IsJobId(absl::string_view id);

provider::SubmitResult DecodeCreateAsset(const http::Response& response);
provider::PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle);

// `replay`: the same bytes, with the same key, had been sent before, and what came of that is not
// known.
provider::SubmitResult DecodeGenerateVideo(const http::Response& response, bool replay);
// `handle`: of the polled job.
provider::PollResult DecodeGetJob(const http::Response& response, const provider::Handle& handle);

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_DECODE_H_
