#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/testing/fake_clock.h"
#include "base/testing/kept_lines.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace assetgate::base {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class LogTest : public ::testing::Test {
 protected:
  Log Make(LogFormat format, LogLevel level = LogLevel::kDebug) {
    return Log(format, level, sink_, &clock_);
  }
  // The only line, parsed as JSON.
  google::protobuf::Struct Parsed() {
    EXPECT_THAT(sink_->lines, SizeIs(1));
    google::protobuf::Struct parsed;
    const auto status = google::protobuf::util::JsonStringToMessage(sink_->lines.at(0), &parsed);
    EXPECT_TRUE(status.ok()) << sink_->lines.at(0);
    return parsed;
  }

  FakeClock clock_{absl::FromUnixMillis(1'800'000'000'125)};
  std::shared_ptr<KeptLines> sink_ = std::make_shared<KeptLines>();
};

TEST_F(LogTest, JsonLineHoldsTheEventAndItsTypedFields) {
  Make(LogFormat::kJson)
      .Info("submitted", {{"provider", "kyy"},
                          {"name", std::string("videoTasks/hero")},
                          {"tries", 2},
                          {"share", 0.5},
                          {"replay", false},
                          {"took", absl::Milliseconds(1500)}});
  EXPECT_THAT(sink_->lines,
              ElementsAre("{\"time\":\"2027-01-15T08:00:00.125000Z\",\"level\":\"info\","
                          "\"message\":\"submitted\",\"provider\":\"kyy\","
                          "\"name\":\"videoTasks/hero\",\"tries\":2,\"share\":0.5,\"replay\":false,"
                          "\"took\":1.5}\n"));
}

TEST_F(LogTest, SetLevelAppliesToAllCopies) {
  const Log log = Make(LogFormat::kText, LogLevel::kWarning);
  const Log copy = log.With({});
  copy.Info("before");
  log.SetLevel(LogLevel::kDebug);
  copy.Debug("during");
  EXPECT_TRUE(copy.Enabled(LogLevel::kDebug));
  copy.SetLevel(LogLevel::kError);
  log.Warning("after");
  EXPECT_THAT(sink_->lines, ElementsAre(HasSubstr("during")));
}

TEST_F(LogTest, TextLineQuotesOnlyValuesThatNeedIt) {
  Make(LogFormat::kText)
      .Warning("poll failed", {{"provider", "kyy"},
                               {"message", "try again"},
                               {"empty", ""},
                               {"after", absl::Seconds(90)}});
  EXPECT_THAT(sink_->lines,
              ElementsAre("2027-01-15T08:00:00.125000Z WARNING poll failed provider=kyy "
                          "message=\"try again\" empty=\"\" after=1m30s\n"));
}

TEST_F(LogTest, ContextIsInEveryLineOfACall) {
  const Log log = Make(LogFormat::kJson).With({"req-1", "4bf92f3577b34da6a3ce929d0e0e4736"});
  log.Error("lost", {{"provider", "kyy"}});
  const google::protobuf::Struct line = Parsed();
  EXPECT_EQ(line.fields().at("request_id").string_value(), "req-1");
  EXPECT_EQ(line.fields().at("trace_id").string_value(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(line.fields().at("level").string_value(), "error");
}

TEST_F(LogTest, EmptyPartsOfAContextAreLeftOut) {
  Make(LogFormat::kText).With({"", "abc"}).Info("x");
  EXPECT_THAT(sink_->lines, ElementsAre(EndsWith(" INFO x trace_id=abc\n")));
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  const Log log = Make(LogFormat::kJson, LogLevel::kWarning);
  log.Debug("a");
  log.Info("b");
  EXPECT_THAT(sink_->lines, IsEmpty());
  EXPECT_FALSE(log.Enabled(LogLevel::kInfo));
  EXPECT_TRUE(log.Enabled(LogLevel::kError));
}

TEST_F(LogTest, ValuesStayInsideTheirFieldAndLine) {
  const std::string hostile =
      "a\"b\\c\nINFO forged=1\r\t\x1b[31m\x7f \xC2\x9B"
      "0m \xE2\x80\xA8 end";
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    sink_->lines.clear();
    Make(format).Info(hostile, {{hostile, hostile}});
    ASSERT_THAT(sink_->lines, SizeIs(1));
    std::string line = sink_->lines[0];
    ASSERT_EQ(line.back(), '\n');
    line.pop_back();
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
    EXPECT_THAT(line, Not(HasSubstr("\x7f")));
    EXPECT_THAT(line, Not(HasSubstr("\xC2\x9B")));
    EXPECT_THAT(line, Not(HasSubstr("\xE2\x80\xA8")));
  }
}

TEST_F(LogTest, JsonParsesBackToTheLoggedValue) {
  const std::string text = "a\"b\\c\n\r\t\x1b \xC2\x9B \xE2\x80\xA8 émoji 🎬";
  Make(LogFormat::kJson).Info("x", {{"text", text}});
  EXPECT_EQ(Parsed().fields().at("text").string_value(), text);
}

TEST_F(LogTest, InvalidUtf8IsReplaced) {
  Make(LogFormat::kJson)
      .Info("x", {{"text",
                   "a\xFF"
                   "b\xC0\xAF"
                   "c\xED\xA0\x80"
                   "d\xE2\x82"}});
  EXPECT_EQ(Parsed().fields().at("text").string_value(), "a�b��c���d��");
}

TEST_F(LogTest, NonFiniteNumbersAreNull) {
  Make(LogFormat::kJson)
      .Info("x", {{"rate", std::numeric_limits<double>::infinity()},
                  {"wait", absl::InfiniteDuration()}});
  EXPECT_EQ(Parsed().fields().at("rate").kind_case(), google::protobuf::Value::kNullValue);
  EXPECT_EQ(Parsed().fields().at("wait").kind_case(), google::protobuf::Value::kNullValue);
}

TEST_F(LogTest, LongValuesAndLinesAreCutAndStayValid) {
  const std::string huge(100'000, '\n');
  Make(LogFormat::kJson)
      .With({huge, huge})
      .Info(huge, {{"a", huge}, {"b", huge}, {"c", huge}, {"d", huge}});
  const google::protobuf::Struct line = Parsed();
  EXPECT_LE(sink_->lines[0].size(), 4096u);
  EXPECT_TRUE(line.fields().contains("trace_id"));
  EXPECT_TRUE(line.fields().at("truncated").bool_value());
}

TEST_F(LogTest, DefaultLogAcceptsLinesAndWritesNothing) {
  const Log log = Log().With({"a", "b"});
  log.Error("x", {{"a", 1}});
  EXPECT_FALSE(log.Enabled(LogLevel::kError));
  EXPECT_EQ(log.dropped(), 0u);
}

}  // namespace
}  // namespace assetgate::base
