// Where the next page of a list begins.
//
// Web-safe Base64 of "1 <fingerprint of kind and filter, in hex> <revision>". Callers treat it as
// opaque. It grants nothing: what a page may show follows from its request, never from its token.
#ifndef ASSETGATE_CALLS_PAGE_TOKEN_H_
#define ASSETGATE_CALLS_PAGE_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "store/store.h"

namespace assetgate::calls {

// The list that a token belongs to: the same in every build, and for the same kind and filter only.
std::uint64_t ListFingerprint(store::Kind kind, const store::TermFilter& filter);

// `after` is where the previous page ended (store::ListPage::end).
std::string MakePageToken(std::uint64_t fingerprint, store::Revision after);

// Accepts any bytes. Absent unless they are, to the byte, what MakePageToken makes for this
// fingerprint and some revision.
std::optional<store::Revision> ReadPageToken(absl::string_view token, std::uint64_t fingerprint);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_PAGE_TOKEN_H_
