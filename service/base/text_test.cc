#include "base/text.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

using testing::HasSubstr;

TEST(CleanTextTest, ControlCharactersAreSpacesAndBadUtf8IsReplaced) {
  EXPECT_EQ(CleanText("a\nb\x1b[31mc\x7f"), "a b [31mc ");
  EXPECT_EQ(CleanText("a\xC2\x9b"
                      "31m"),
            "a 31m");
  EXPECT_EQ(CleanText("x\xffy\xed\xa0\x80z\xf4\x90\x80\x80"),
            absl::StrCat("x\uFFFDy", "\uFFFD\uFFFD\uFFFD", "z", "\uFFFD\uFFFD\uFFFD\uFFFD"));
  EXPECT_EQ(CleanText("\xe4\xbd"), "\uFFFD\uFFFD") << "cut inside a character";
  EXPECT_EQ(CleanText("余额不足 😀"), "余额不足 😀");
  EXPECT_EQ(CleanText(""), "");
}

TEST(CleanTextTest, CutsBetweenCharacters) {
  EXPECT_EQ(CleanText("abcdef", 6), "abcdef");
  EXPECT_EQ(CleanText("abcdefg", 6), "abc…");
  EXPECT_EQ(CleanText("余额不足", 7), "余…");
  EXPECT_EQ(CleanText("abc", 2), "");
  EXPECT_LE(CleanText(std::string(1'000'000, 'x')).size(), 1024u);
}

TEST(CleanTextTest, QueriesOfUrlsAreRedacted) {
  const std::string clean = CleanText(
      "cannot fetch \"https://cdn.example.org/a.png?X-Signature=s3cr3t&b=1\" or "
      "http://h/b?token=t0k3n, sorry");
  EXPECT_THAT(clean, HasSubstr("https://cdn.example.org/a.png"));
  EXPECT_THAT(clean, HasSubstr("http://h/b"));
  EXPECT_THAT(clean, Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(clean, Not(HasSubstr("t0k3n")));
  EXPECT_THAT(clean, HasSubstr("sorry"));
}

TEST(CleanTextTest, QueryIsRedactedEvenWhereTheTextIsCut) {
  const std::string url = absl::StrCat("https://h/a?sig=", std::string(5000, 's'));
  EXPECT_THAT(CleanText(url, 64), Not(HasSubstr("sss")));
}

TEST(CleanTextTest, UserIsRedactedWhereverALongTextIsCut) {
  // Redaction shortens the query, which brings text from far behind it within the limit.
  for (int size = 4000; size < 4300; ++size) {
    const std::string text =
        absl::StrCat("https://h/?", std::string(size, 'q'), " https://me:s3cr3t@host.example/a");
    EXPECT_THAT(CleanText(text, 1), Not(HasSubstr("s3c"))) << size;
    EXPECT_THAT(CleanText(absl::StrCat(std::string(64 * 64, ' '), text), 64), Not(HasSubstr("s3c")))
        << size;
  }
}

TEST(QuotedTest, QuotedValueIsOneShortLine) {
  EXPECT_EQ(Quoted("a\nb"), "\"a b\"");
  EXPECT_LE(Quoted(std::string(1000, 'x'), 10).size(), 12u);
}

}  // namespace
}  // namespace assetgate::base
