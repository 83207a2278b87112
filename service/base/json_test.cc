#include "base/json.h"

#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

using ::testing::Optional;

rapidjson::Document Parsed(absl::string_view text) {
  std::optional<rapidjson::Document> doc = ParseJson(text);
  EXPECT_TRUE(doc.has_value()) << text;
  return doc.has_value() ? std::move(*doc) : rapidjson::Document();
}

google::protobuf::Struct StructOf(const std::string& json) {
  google::protobuf::Struct value;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &value).ok()) << json;
  return value;
}

TEST(ParseJsonTest, TextThatIsNotOneDocumentIsRejected) {
  for (const absl::string_view text : {"", " ", "{", "{\"a\":1", "{\"a\":1}x", "{\"a\":1}{}",
                                       "<html>", "nul", "{'a':1}", "[1,]", "{\"a\":1e999}"}) {
    EXPECT_FALSE(ParseJson(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseJson(absl::string_view("{}\0x", 4)).has_value());
}

TEST(ParseJsonTest, ScalarsAndArraysAreDocumentsToo) {
  EXPECT_TRUE(Parsed("[1]").IsArray());
  EXPECT_TRUE(Parsed("\"x\"").IsString());
  EXPECT_TRUE(Parsed("null").IsNull());
  EXPECT_TRUE(Parsed("\xEF\xBB\xBF{}").IsObject()) << "a byte order mark is skipped";
}

TEST(ParseJsonTest, InvalidUtf8IsRejected) {
  EXPECT_FALSE(ParseJson("{\"a\":\"\xff\"}").has_value());
  EXPECT_FALSE(ParseJson("{\"a\":\"\xc0\xaf\"}").has_value());
  EXPECT_FALSE(ParseJson("{\"a\":\"\xed\xa0\x80\"}").has_value());
}

TEST(ParseJsonTest, SixtyFourLevelsAreTheLimit) {
  const auto nested = [](int depth) {
    return absl::StrCat(std::string(static_cast<std::size_t>(depth), '['),
                        std::string(static_cast<std::size_t>(depth), ']'));
  };
  EXPECT_TRUE(ParseJson(nested(64)).has_value());
  EXPECT_FALSE(ParseJson(nested(65)).has_value());
  EXPECT_FALSE(ParseJson(std::string(4'000'000, '[')).has_value());
  EXPECT_TRUE(ParseJson(absl::StrCat("{\"a\\\"\":\"", std::string(100, '['), "\"}")).has_value())
      << "brackets in strings are text";
}

TEST(ParseJsonTest, LoneSurrogatesBecomeReplacementCharacters) {
  EXPECT_EQ(JsonText(Parsed(R"({"a":"x\ud83d"})"), "a"), "x\uFFFD");
  EXPECT_EQ(JsonText(Parsed(R"({"a":"\udc00y"})"), "a"), "\uFFFDy");
  EXPECT_EQ(JsonText(Parsed(R"({"a":"\ud83d\ud83d\ude00"})"), "a"), "\uFFFD\U0001F600");
  EXPECT_EQ(JsonText(Parsed(R"({"a":"\\ud83d"})"), "a"), "\\ud83d") << "an escaped backslash";
}

TEST(FindJsonTest, PathsStopAtValuesThatAreNotObjects) {
  const rapidjson::Document doc = Parsed(R"({"a":{"b":{"c":1}},"n":null,"l":[{"c":2}],"s":"x"})");
  ASSERT_NE(FindJson(doc, "a.b.c"), nullptr);
  EXPECT_EQ(FindJson(doc, "a.b.c")->GetInt(), 1);
  EXPECT_EQ(FindJson(doc, "a.x.c"), nullptr);
  EXPECT_EQ(FindJson(doc, "n"), nullptr) << "null counts as absent";
  EXPECT_EQ(FindJson(doc, "n.x"), nullptr);
  EXPECT_EQ(FindJson(doc, "l.c"), nullptr);
  EXPECT_EQ(FindJson(doc, "s.x"), nullptr);
  EXPECT_EQ(FindJson(Parsed("[]"), "a"), nullptr);
}

TEST(JsonTextTest, ScalarsAreTextAndOtherValuesAreEmpty) {
  const rapidjson::Document doc =
      Parsed(R"({"s":"x","i":12,"d":1.5,"b":true,"o":{},"l":[],"n":null})");
  EXPECT_EQ(JsonText(doc, "s"), "x");
  EXPECT_EQ(JsonText(doc, "i"), "12");
  EXPECT_EQ(JsonText(doc, "d"), "1.5");
  EXPECT_EQ(JsonText(doc, "b"), "true");
  EXPECT_EQ(JsonText(doc, "o"), "");
  EXPECT_EQ(JsonText(doc, "l"), "");
  EXPECT_EQ(JsonText(doc, "n"), "");
  EXPECT_EQ(JsonText(doc, "x"), "");
}

TEST(JsonStringTest, OnlyStringsAreAccepted) {
  const rapidjson::Document doc = Parsed(R"({"s":"","i":12})");
  EXPECT_THAT(JsonString(doc, "s"), Optional(std::string()));
  EXPECT_EQ(JsonString(doc, "i"), std::nullopt);
  EXPECT_EQ(JsonString(doc, "x"), std::nullopt);
}

TEST(JsonIntegerTest, WholeNumbersAreReadInEveryNotation) {
  const rapidjson::Document doc = Parsed(
      R"({"i":-7,"d":200.0,"e":1e3,"s":"42","t":"42.0","max":9223372036854775807,
          "f":1.5,"u":18446744073709551615,"h":1e300,"hs":"1e300","w":"x","z":"","y":"0x10",
          "b":true,"nan":"nan"})");
  EXPECT_THAT(JsonInteger(doc, "i"), Optional(-7));
  EXPECT_THAT(JsonInteger(doc, "d"), Optional(200));
  EXPECT_THAT(JsonInteger(doc, "e"), Optional(1000));
  EXPECT_THAT(JsonInteger(doc, "s"), Optional(42));
  EXPECT_THAT(JsonInteger(doc, "t"), Optional(42));
  EXPECT_THAT(JsonInteger(doc, "max"), Optional(std::int64_t{9223372036854775807}));
  for (const absl::string_view key : {"f", "u", "h", "hs", "w", "z", "y", "b", "nan", "absent"}) {
    EXPECT_EQ(JsonInteger(doc, key), std::nullopt) << key;
  }
}

TEST(JsonNumberTest, NanAndInfinityAreRejected) {
  const rapidjson::Document doc =
      Parsed(R"({"d":1.5,"i":3,"s":"2.5","inf":"inf","nan":"nan","big":"1e999","b":false})");
  EXPECT_THAT(JsonNumber(doc, "d"), Optional(1.5));
  EXPECT_THAT(JsonNumber(doc, "i"), Optional(3.0));
  EXPECT_THAT(JsonNumber(doc, "s"), Optional(2.5));
  for (const absl::string_view key : {"inf", "nan", "big", "b", "absent"}) {
    EXPECT_EQ(JsonNumber(doc, key), std::nullopt) << key;
  }
}

TEST(ParseJsonTest, EndlessNumbersAreBoundedOrRejected) {
  for (const std::string& number :
       {std::string("1e400"), std::string("-1e400"), std::string("1e99999999999999999999"),
        absl::StrCat("1", std::string(1'000'000, '0')),
        absl::StrCat("1", std::string(1'000'000, '0'), "e-999990"),
        absl::StrCat("0.", std::string(400, '0'), "1"),
        absl::StrCat("0.", std::string(1'000'000, '0'), "1"), std::string("1e-400"),
        std::string("1e-99999999999999999999")}) {
    const std::optional<rapidjson::Document> doc = ParseJson(absl::StrCat("{\"n\":", number, "}"));
    if (!doc.has_value()) continue;  // too large for any number type
    const std::optional<double> read = JsonNumber(*doc, "n");
    ASSERT_TRUE(read.has_value()) << number.substr(0, 40);
    EXPECT_LE(std::abs(*read), 1e15) << number.substr(0, 40);
    EXPECT_LT(JsonText(*doc, "n").size(), 64U) << number.substr(0, 40);
  }
  EXPECT_FALSE(ParseJson("{\"n\":1e400}").has_value());
  EXPECT_TRUE(ParseJson("{\"n\":1e-400}").has_value());
  // Such numbers once made RapidJSON read outside its tables.
  EXPECT_EQ(JsonNumber(*ParseJson(absl::StrCat("{\"n\":0.", std::string(400, '0'), "1}")), "n"),
            0.0);
}

TEST(ParseJsonTest, OrdinaryNumbersAreExact) {
  const rapidjson::Document doc =
      Parsed(R"({"a":6.04,"b":0.1,"c":123456789.012345,"d":29.97,"e":1e-7,"f":5.000,"g":2.5e3})");
  EXPECT_THAT(JsonNumber(doc, "a"), Optional(6.04));
  EXPECT_THAT(JsonNumber(doc, "b"), Optional(0.1));
  EXPECT_THAT(JsonNumber(doc, "c"), Optional(123456789.012345));
  EXPECT_THAT(JsonNumber(doc, "d"), Optional(29.97));
  EXPECT_THAT(JsonNumber(doc, "e"), Optional(1e-7));
  EXPECT_THAT(JsonNumber(doc, "f"), Optional(5.0));
  EXPECT_THAT(JsonNumber(doc, "g"), Optional(2500.0));
}

TEST(ParseJsonTest, MillionsOfValuesAreReadUnlessTooDeep) {
  // As many values as fit into one answer of 8 MiB.
  std::string wide = "[";
  for (int i = 0; i < 1'000'000; ++i) wide += "[],{},0,";
  wide += "0]";
  EXPECT_TRUE(ParseJson(wide).has_value());
  EXPECT_FALSE(ParseJson(std::string(8 << 20, '[')).has_value());
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(ParseJson(deep).has_value());
}

TEST(JsonBoolTest, OnlyBoolsAreAccepted) {
  const rapidjson::Document doc = Parsed(R"({"t":true,"s":"true","i":1})");
  EXPECT_THAT(JsonBool(doc, "t"), Optional(true));
  EXPECT_EQ(JsonBool(doc, "s"), std::nullopt);
  EXPECT_EQ(JsonBool(doc, "i"), std::nullopt);
}

TEST(SetJsonTest, ReplacesAnExistingValue) {
  rapidjson::Document doc(rapidjson::kObjectType);
  SetJson(doc, doc, "a", "x");
  SetJson(doc, doc, "b", rapidjson::Value(1));
  SetJson(doc, doc, "a", "y \"quoted\" \n");
  EXPECT_EQ(WriteJson(doc), R"({"a":"y \"quoted\" \n","b":1})");
}

TEST(ToJsonTest, MembersAreSortedAndWholeNumbersHaveNoFraction) {
  rapidjson::Document doc(rapidjson::kObjectType);
  const google::protobuf::Struct options =
      StructOf(R"({"z":1,"a":[1.5,true,null,"x",{"k":-0.25}],"m":9007199254740992})");
  EXPECT_EQ(WriteJson(ToJson(options, doc)),
            R"({"a":[1.5,true,null,"x",{"k":-0.25}],"m":9007199254740992,"z":1})");
}

TEST(ToJsonTest, NonFiniteNumbersAreNull) {
  rapidjson::Document doc(rapidjson::kObjectType);
  google::protobuf::Value value;
  value.set_number_value(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(WriteJson(ToJson(value, doc)), "null");
}

TEST(MergeOptionsTest, MergesObjectsAndKeepsExistingMembers) {
  rapidjson::Document doc = Parsed(R"({"model":"m","metadata":{"ratio":"16:9"},"list":[1]})");
  MergeOptions(doc, doc, StructOf(R"({"model":"other","extra":1,"list":[2],
                            "metadata":{"ratio":"1:1","tier":"flex"}})"));
  EXPECT_EQ(WriteJson(doc),
            R"({"model":"m","metadata":{"ratio":"16:9","tier":"flex"},"list":[1],"extra":1})");
}

TEST(ParseAnswerTest, OneFaultyFieldDoesNotHideTheOthers) {
  for (const std::string bad :
       {"{\"x\":\"\xB0\xA1\",\"id\":\"t\"}", "{\"x\":\"a\nb\tc\",\"id\":\"t\"}",
        "{\"x\":NaN,\"id\":\"t\"}", "{\"x\":-Infinity,\"id\":\"t\"}", "{\"x\":1e400,\"id\":\"t\"}",
        "{\"x\":\"\\ud800\",\"id\":\"t\"}", "\xEF\xBB\xBF{\"id\":\"t\"}"}) {
    const std::optional<rapidjson::Document> answer = ParseAnswer(bad);
    ASSERT_TRUE(answer.has_value()) << bad;
    EXPECT_EQ(JsonText(*answer, "id"), "t") << bad;
  }
  EXPECT_EQ(JsonText(*ParseAnswer("{\"x\":\"\xB0\"}"), "x"), "\uFFFD");
  // Objects inside other text.
  for (const std::string& embedded :
       {std::string("data: {\"id\":\"t\"}\n\n"), std::string("Warning: x\n{\"id\":\"t\"}"),
        std::string("{\"id\":\"t\"}}"), std::string("{\"id\":\"t\"}\n{\"id\":\"u\"}\n"),
        std::string("{\"id\":\"t\",}"), std::string("{/* \"x\" */\"id\":\"t\"}"),
        std::string("{\"id\":\"t\"}\0", 11)}) {
    const std::optional<rapidjson::Document> answer = ParseAnswer(embedded);
    ASSERT_TRUE(answer.has_value()) << embedded;
    EXPECT_EQ(JsonText(*answer, "id"), "t") << embedded;
  }
  for (const std::string bad :
       {"", "{", "<html>", "<html>{\"a\":1}</html>", "{'a':1}", "{\"a\":\"cut o"}) {
    EXPECT_FALSE(ParseAnswer(bad).has_value()) << bad;
  }
}

TEST(ParseJsonTest, WholeNumbersAreExactInEveryNotation) {
  const rapidjson::Document doc = Parsed(
      R"({"a":1.8006570711803499e18,"b":18446744073709551616,"c":-9.223372036854775808e18,
          "d":0.0,"e":100e-2})");
  EXPECT_EQ(JsonText(doc, "a"), "1800657071180349900");
  EXPECT_EQ(JsonText(doc, "b"), "18446744073709551616");
  EXPECT_EQ(JsonText(doc, "c"), "-9223372036854775808");
  EXPECT_THAT(JsonInteger(doc, "d"), Optional(0));
  EXPECT_THAT(JsonInteger(doc, "e"), Optional(1));
}

}  // namespace
}  // namespace assetgate::base
