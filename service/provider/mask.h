// Masks secrets in answers of providers.
#ifndef ASSETGATE_PROVIDER_MASK_H_
#define ASSETGATE_PROVIDER_MASK_H_

#include <string>

#include "absl/strings/string_view.h"
#include "provider/dialect.h"

namespace assetgate::provider {

// Replaces by "[secret]" every run of 12 or more characters of `secret` in `text`; a shorter secret
// is replaced as a whole, and only where it is a separate word. Each of these spellings is found:
// plain, with JSON escapes (\u003d, \/, several layers deep), percent-encoded in either case, as
// HTML entities, in hexadecimal, and in base64 (also of "Bearer {secret}", at any offset, in either
// alphabet).
void MaskSecret(absl::string_view secret, std::string& text);

// Masks every secret of `credential` in the body and the headers. An answer can repeat the request
// with its key; it is masked before any part of it reaches an error, a log line or the store.
void MaskSecrets(const Credential& credential, http::Response& response);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_MASK_H_
