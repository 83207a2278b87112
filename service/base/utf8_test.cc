#include "base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

// U+`code` in the form of UTF-8, even if that is not valid.
std::string Encode(unsigned code) {
  const auto byte = [](unsigned b) { return static_cast<char>(b); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F))};
  if (code < 0x10000) {
    return {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
  }
  return {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)),
          byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
}

TEST(Utf8Test, EveryCharacterAndNothingElseIsValid) {
  for (unsigned code = 0; code < 0x140000; ++code) {
    const std::string character = Encode(code);
    const bool valid = (code < 0xD800 || code > 0xDFFF) && code <= 0x10FFFF;
    ASSERT_EQ(Utf8CharacterLength(character + "x"), valid ? character.size() : 0) << code;
    // Cut short.
    if (code >= 0x80) {
      ASSERT_EQ(Utf8CharacterLength(character.substr(0, character.size() - 1)), 0U);
    }
  }
}

TEST(Utf8Test, OverlongFormsAndStrayBytesAreInvalid) {
  for (const char* text : {"\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\x80",
                           "\xBF", "\xFE", "\xFF", "\xC3(", "\xE5\x9B("}) {
    EXPECT_EQ(Utf8CharacterLength(text), 0U) << text;
  }
  EXPECT_EQ(Utf8CharacterLength(""), 0U);
}

TEST(Utf8Test, ControlCharactersOfBothSetsAreRecognised) {
  for (unsigned code = 0; code < 0x200; ++code) {
    const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    EXPECT_EQ(IsControlCharacter(Encode(code)), control) << code;
  }
}

TEST(Utf8Test, CharactersAndUtf16CodeUnitsAreCounted) {
  EXPECT_EQ(CountCharacters("a\xC3\xA4\xF0\x9F\x98\x80"), 3u);
  EXPECT_EQ(CountUtf16CodeUnits("a\xC3\xA4\xF0\x9F\x98\x80"), 4u);
  EXPECT_EQ(CountUtf16CodeUnits(""), 0u);
}

}  // namespace
}  // namespace assetgate::base
