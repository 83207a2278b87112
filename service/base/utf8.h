// Recognises valid UTF-8.
#ifndef ASSETGATE_BASE_UTF8_H_
#define ASSETGATE_BASE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace assetgate::base {

// The length of the character at the start of `text`: 1 to 4 bytes of valid UTF-8 (no overlong
// forms, no surrogates, nothing above U+10FFFF); 0 if there is none, or `text` is empty.
std::size_t Utf8CharacterLength(absl::string_view text);

// Whether `character` (one, as above) is a control character: C0, DEL or C1. Terminals obey all of
// them.
bool IsControlCharacter(absl::string_view character);

// How many characters (code points) valid UTF-8 has.
std::size_t CountCharacters(absl::string_view text);
// How many UTF-16 code units that is: two for each character outside the Basic Multilingual Plane.
std::size_t CountUtf16CodeUnits(absl::string_view text);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_UTF8_H_
