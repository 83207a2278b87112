#include "cli/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "cli/testing/fake_terminal.h"

namespace assetgate::cli {
namespace {

using ::testing::ElementsAre;

TEST(BlockTest, FramesReplaceEachOtherInPlace) {
  FakeTerminal terminal(40, 20);
  terminal.Write("before\r\n");
  {
    Block block(terminal);
    block.Draw({"one", "two", "three"});
    EXPECT_THAT(terminal.Screen(), ElementsAre("before", "one", "two", "three"));
    block.Draw({"uno"});
    EXPECT_THAT(terminal.Screen(), ElementsAre("before", "uno"));
    block.Draw({"a", "", "b", "c"});
    EXPECT_THAT(terminal.Screen(), ElementsAre("before", "a", "", "b", "c"));
  }
  terminal.Write("after");
  EXPECT_THAT(terminal.Screen(), ElementsAre("before", "a", "", "b", "c", "after"));
}

TEST(BlockTest, EachFrameIsOneWrite) {
  FakeTerminal terminal(40, 20);
  Block block(terminal);
  block.Draw({"one", "two"});
  block.Draw({"three", "four"});
  EXPECT_EQ(terminal.writes(), 2);
}

TEST(BlockTest, TheTerminalIsRestored) {
  FakeTerminal terminal(40, 20);
  {
    Block block(terminal);
    EXPECT_TRUE(terminal.cursor_visible());
    block.Draw({"one"});
    EXPECT_FALSE(terminal.cursor_visible());
    EXPECT_TRUE(terminal.quiet());
  }
  EXPECT_TRUE(terminal.cursor_visible());
  EXPECT_TRUE(terminal.wraps());
  EXPECT_FALSE(terminal.quiet());
}

TEST(BlockTest, AnErasedFrameLeavesNoTrace) {
  FakeTerminal terminal(40, 20);
  terminal.Write("before\r\n");
  Block block(terminal);
  block.Draw({"one", "two"});
  block.Erase();
  block.End();
  terminal.Write("after");
  EXPECT_THAT(terminal.Screen(), ElementsAre("before", "after"));
}

TEST(BlockTest, AFrameReplacesLinesThatANarrowerTerminalWrapped) {
  FakeTerminal terminal(40, 20);
  terminal.Write("before\r\n");
  Block block(terminal);
  block.Draw({"0123456789012345678901234", "short"});
  terminal.Reflow(10);
  block.Draw({"0123456", "short"});
  EXPECT_THAT(terminal.Screen(), ElementsAre("before", "0123456", "short"));
}

TEST(BlockTest, AFrameThatScrolledOffDoesNotReappear) {
  FakeTerminal terminal(40, 8);
  Block block(terminal);
  const std::string wide(40, 'x');
  block.Draw({wide, wide, wide, wide});
  // The lines are wrapped into four each, of which eight are visible; then the size is normal
  // again.
  terminal.Reflow(10);
  block.Draw({"narrow"});
  EXPECT_THAT(terminal.Visible(), ElementsAre("narrow"));
  terminal.SetHeight(4);
  block.Draw({"a", "b", "c"});
  terminal.SetHeight(8);
  block.Draw({"d", "e", "f"});
  EXPECT_THAT(terminal.Visible(), ElementsAre("d", "e", "f"));
}

TEST(BlockTest, EarlierOutputStaysWhereFramesFit) {
  FakeTerminal terminal(40, 20);
  terminal.Write("before\r\n");
  Block block(terminal);
  block.Draw({"one", "two"});
  terminal.SetHeight(10);
  block.Draw({"three", "four"});
  EXPECT_THAT(terminal.Visible(), ElementsAre("before", "three", "four"));
}

TEST(BlockTest, ALineAsWideAsTheTerminalIsShownWhole) {
  FakeTerminal terminal(10, 20);
  Block block(terminal);
  block.Draw({"0123456789", "short"});
  block.Draw({"9876543210", "short"});
  EXPECT_THAT(terminal.Screen(), ElementsAre("9876543210", "short"));
}

TEST(BlockTest, AFrameAsHighAsAllowedDoesNotScroll) {
  FakeTerminal terminal(20, 4);
  Block block(terminal);
  for (int i = 0; i < 3; ++i) {
    block.Draw({absl::StrCat("a", i), absl::StrCat("b", i), absl::StrCat("c", i)});
  }
  EXPECT_THAT(terminal.Screen(), ElementsAre("a2", "b2", "c2"));
}

}  // namespace
}  // namespace assetgate::cli
