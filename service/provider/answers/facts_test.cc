#include "provider/answers/facts.h"

#include <string>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider::answers {
namespace {

using ::testing::Optional;

rapidjson::Document Parsed(const std::string& body) {
  auto doc = base::ParseAnswer(body);
  EXPECT_TRUE(doc.has_value()) << body;
  return doc.has_value() ? *std::move(doc) : rapidjson::Document(rapidjson::kObjectType);
}

TEST(FindEndTimeTest, TimesAreReadInEveryForm) {
  const absl::Time expected = absl::FromUnixSeconds(1'782'900'130);
  for (const char* const body :
       {R"({"completedAt":"2026-07-01T10:02:10.000Z"})", R"({"finish_time":1782900130})",
        R"({"finish_time":"1782900130"})", R"({"finished_at":1782900130000})",
        R"({"end_time":1782900130000000})", R"({"completed_at":"2026-07-01T12:02:10+02:00"})",
        R"({"completedAt":"2026-07-01T10:02:10.000000000Z"})"}) {
    const rapidjson::Document doc = Parsed(body);
    const rapidjson::Value* const objects[] = {&doc};
    EXPECT_THAT(FindEndTime(objects), Optional(expected)) << body;
  }
  for (const char* const body :
       {R"({})", R"({"finish_time":0})", R"({"finish_time":-1})", R"({"finish_time":"soon"})",
        R"({"finish_time":1e300})", R"({"completedAt":"2026-07-01 10:02:10"})",
        R"({"completedAt":"2026-13-45T99:99:99Z"})"}) {
    const rapidjson::Document doc = Parsed(body);
    const rapidjson::Value* const objects[] = {&doc};
    EXPECT_EQ(FindEndTime(objects), std::nullopt) << body;
  }
}

TEST(FindSecondsTest, LengthsAreAlsoReadFromText) {
  const rapidjson::Document doc = Parsed(R"({"a":"4.000000","b":6.04,"c":-1,"d":86400})");
  const rapidjson::Value* const objects[] = {nullptr, &doc};
  EXPECT_EQ(FindSeconds(objects, {"a"})->seconds(), 4);
  EXPECT_EQ(FindSeconds(objects, {"b"})->nanos(), 40'000'000);
  EXPECT_EQ(FindSeconds(objects, {"c", "d", "e"}), std::nullopt);
}

TEST(FindUsageTest, CountsAreAlsoReadFromText) {
  const rapidjson::Document doc =
      Parsed(R"({"totalTokens":"131040","usage":{"video_tokens":108900}})");
  const rapidjson::Value* const objects[] = {&doc};
  const auto usage = FindUsage(objects);
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->total_tokens(), 131040);
  EXPECT_EQ(usage->completion_tokens(), 108900);
  const rapidjson::Document none = Parsed(R"({"usage":{"total_tokens":-1}})");
  const rapidjson::Value* const others[] = {&none};
  EXPECT_EQ(FindUsage(others), std::nullopt);
}

}  // namespace
}  // namespace assetgate::provider::answers
