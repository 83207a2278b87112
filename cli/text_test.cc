#include "cli/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assetgate::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::StartsWith;

constexpr Look kPlain{.color = false, .utf8 = true};
constexpr Look kAscii{.color = false, .utf8 = false};

TEST(SanitizeTest, ReplacesCharactersThatControlATerminal) {
  EXPECT_EQ(Sanitize("a\x1b[31mb"), "a\uFFFD[31mb");
  EXPECT_EQ(Sanitize("a\x1b]0;title\x07"), "a\uFFFD]0;title\uFFFD");
  EXPECT_EQ(Sanitize("a\xC2\x9B"
                     "31mb"),
            "a\uFFFD31mb");  // C1: an escape sequence in one character.
  EXPECT_EQ(Sanitize(absl::string_view("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(Sanitize("a\x7F"
                     "b"),
            "a\uFFFDb");
}

TEST(SanitizeTest, ReplacesCharactersThatCouldPassForOtherText) {
  EXPECT_EQ(Sanitize("user\u202Egnp.exe"), "user\uFFFDgnp.exe");
  EXPECT_EQ(Sanitize("a\u2066b\u200Bc\uFEFFd"), "a\uFFFDb\uFFFDc\uFFFDd");
}

TEST(SanitizeTest, LineBreaksBecomeSpaces) {
  EXPECT_EQ(Sanitize("one\ntwo\tthree"), "one two three");
}

TEST(SanitizeTest, InvalidUtf8IsReplacedByteByByte) {
  EXPECT_EQ(Sanitize("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(Sanitize("a\xE4\xBD"), "a\uFFFD\uFFFD");
  EXPECT_EQ(Sanitize("\xC0\x9B"), "\uFFFD\uFFFD");            // An overlong escape.
  EXPECT_EQ(Sanitize("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // A surrogate.
}

TEST(SanitizeTest, OrdinaryTextOfAnyScriptIsUnchanged) {
  EXPECT_EQ(Sanitize("héllo 视频 🎬"), "héllo 视频 🎬");
}

TEST(DisplayWidthTest, WideCharactersTakeTwoColumnsAndCombiningOnesNone) {
  EXPECT_EQ(DisplayWidth("hello"), 5);
  EXPECT_EQ(DisplayWidth("视频"), 4);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("🎬"), 2);
}

TEST(FitTest, CutsWithAnEllipsisAndNeverThroughACharacter) {
  EXPECT_EQ(Fit("hello", 5, kPlain), "hello");
  EXPECT_EQ(Fit("hello", 4, kPlain), "hel…");
  EXPECT_EQ(Fit("hello", 4, kAscii), "hel~");
  EXPECT_EQ(Fit("视频很长", 4, kPlain), "视…");
  EXPECT_EQ(Fit("hello", 0, kPlain), "");
}

TEST(ShortDurationTest, UsesAtMostTwoUnits) {
  EXPECT_EQ(ShortDuration(absl::Seconds(-3)), "0s");
  EXPECT_EQ(ShortDuration(absl::Milliseconds(59'900)), "59s");
  EXPECT_EQ(ShortDuration(absl::Seconds(245)), "4m05s");
  EXPECT_EQ(ShortDuration(absl::Minutes(187)), "3h07m");
  EXPECT_EQ(ShortDuration(absl::Hours(300)), "12d");
}

TEST(WithoutQueryTest, LeavesOutTheQuery) {
  EXPECT_EQ(WithoutQuery("https://x/a.png?sig=secret"), "https://x/a.png?...");
  EXPECT_EQ(WithoutQuery("https://x/a.png"), "https://x/a.png");
}

TEST(ProgressBarTest, FillsFromTheLeft) {
  EXPECT_EQ(ProgressBar(0, 4, Tone::kPlain, kAscii), "....");
  EXPECT_EQ(ProgressBar(50, 4, Tone::kPlain, kAscii), "##..");
  EXPECT_EQ(ProgressBar(250, 4, Tone::kPlain, kAscii), "####");
}

TEST(PaintTest, PaintsOnlyWhereColoursAreEnabled) {
  EXPECT_EQ(Paint("x", Tone::kBad, kPlain), "x");
  EXPECT_EQ(Paint("x", Tone::kBad, Look{.color = true}), "\x1b[31mx\x1b[0m");
}

TEST(LayOutTest, AlignsColumnsAndLeavesNoTrailingSpaces) {
  EXPECT_THAT(LayOut({{"NAME"}, {"AGE", 0, true}, {"WHY"}},
                     {{{"hero"}, {"5s"}, {"fine"}}, {{"a-long-one"}, {"12s"}, {""}}}, kPlain, {}),
              ElementsAre("NAME        AGE  WHY",   //
                          "hero         5s  fine",  //
                          "a-long-one  12s"));
}

TEST(LayOutTest, EmptyColumnsAreLeftOut) {
  EXPECT_THAT(LayOut({{"A"}, {"B"}, {"C", 3}, {"D"}}, {{{"a"}, {""}, {""}, {"d"}}}, kPlain, {}),
              ElementsAre("A  C    D", "a       d"));
}

TEST(LayOutTest, ShrinkableColumnsShrinkFromTheRight) {
  EXPECT_THAT(LayOut({{"NAME", 0, false, 6}, {"WHY", 0, false, 8}},
                     {{{"a-long-name"}, {"a very long reason"}}}, kPlain, 16),
              ElementsAre("NAME    WHY",  //
                          "a-lon…  a very …"));
}

TEST(LayOutTest, NoLineIsEverWiderThanAllowed) {
  for (int width = 1; width < 60; ++width) {
    for (const std::string& line :
         LayOut({{"NAME", 10, false, 6}, {"STATE", 12}, {"N", 6, true}, {"WHY", 0, false, 4}},
                {{{"视频视频视频"}, {"PROCESSING"}, {"12"}, {"it says so, and goes on about it"}}},
                kPlain, width)) {
      EXPECT_LE(DisplayWidth(line), width) << line;
    }
  }
}

TEST(LayOutTest, WholeCellsAreNeverCut) {
  const Cell id{"01a1fc54c91c-bf468e64913f22bd", Tone::kPlain, std::nullopt, /*whole=*/true};
  for (const int width : {1, 20, 40, 80}) {
    const auto lines =
        LayOut({{"NAME"}, {"WHY", 0, false, 4}}, {{id, {"a very long reason"}}}, kPlain, width);
    EXPECT_THAT(lines[1], StartsWith(id.text + "  a v")) << width;
  }
  // The other columns shrink instead.
  EXPECT_THAT(
      LayOut({{"NAME"}, {"WHY", 0, false, 4}}, {{id, {"a very long reason"}}}, kPlain, 40)[1],
      EndsWith("  a very l…"));
}

TEST(LayOutTest, CellsAreSanitized) {
  EXPECT_THAT(LayOut({{"A"}}, {{{"x\x1b[2Jy"}}}, kPlain, {}), ElementsAre("A", "x\uFFFD[2Jy"));
}

}  // namespace
}  // namespace assetgate::cli
