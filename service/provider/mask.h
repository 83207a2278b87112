// Takes secrets out of what a provider sends back.
#ifndef ASSETGATE_PROVIDER_MASK_H_
#define ASSETGATE_PROVIDER_MASK_H_

#include <string>

#include "absl/strings/string_view.h"
#include "provider/dialect.h"

namespace assetgate::provider {

// Puts "[secret]" in the place of every run of 12 characters or more of `secret` in `text` (of the
// whole secret where it is shorter, and only where it stands as a word of its own), however it is
// spelled there: plain, with escapes of JSON
// (\u003d, \/, several layers deep), percent-encoded in either case, as HTML entities, in
// hexadecimal, or in base64 (also of "Bearer {secret}", at any offset, in either alphabet).
void MaskSecret(absl::string_view secret, std::string& text);

// A provider's answer can hold what was sent to it, the key among it: masks every secret of
// `credential` in the body and in the headers, before any of it gets into errors, logs and rows.
void MaskSecrets(const Credential& credential, http::Response& response);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_MASK_H_
