#include "base/trace_context.h"

#include <string>

#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, TraceContinuesUnderANewSpan) {
  const TraceContext trace = ParseTraceContext(kParent, "vendor=a:1,other=2");
  EXPECT_EQ(trace.trace_id, kTraceId);
  EXPECT_EQ(trace.flags, "01");
  EXPECT_EQ(trace.state, "vendor=a:1,other=2");
  EXPECT_EQ(TraceParent(trace, SpanId(0xabc)),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000abc-01");
}

TEST(TraceContextTest, FlagsArePassedOn) {
  std::string parent = kParent;
  parent.replace(53, 2, "00");
  EXPECT_EQ(TraceParent(ParseTraceContext(parent, ""), SpanId(1)).substr(52), "-00");
}

TEST(TraceContextTest, SpanIdIsNeverZero) { EXPECT_EQ(SpanId(0), "0000000000000001"); }

TEST(TraceContextTest, LaterVersionsMayBeLonger) {
  const std::string later = std::string("01") + (kParent + 2);
  EXPECT_EQ(ParseTraceContext(later, "").trace_id, kTraceId);
  EXPECT_EQ(ParseTraceContext(later + "-more", "").trace_id, kTraceId);
  EXPECT_TRUE(ParseTraceContext(later + "more", "").empty());
  EXPECT_TRUE(ParseTraceContext(std::string(kParent) + "-more", "").empty());
}

TEST(TraceContextTest, InvalidTraceParentIsIgnored) {
  for (const char* const wrong :
       {"", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01"}) {
    EXPECT_TRUE(ParseTraceContext(wrong, "vendor=1").empty()) << wrong;
  }
}

TEST(TraceContextTest, InvalidTraceStateIsLeftOut) {
  EXPECT_EQ(ParseTraceContext(kParent, "a=1\r\nX-Key: 2").state, "");
  EXPECT_EQ(ParseTraceContext(kParent, std::string(513, 'a')).state, "");
  EXPECT_EQ(ParseTraceContext(kParent, std::string(512, 'a')).state.size(), 512U);
}

}  // namespace
}  // namespace assetgate::base
