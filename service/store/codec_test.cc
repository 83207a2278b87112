#include "store/codec.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::store {
namespace {

using ::testing::ElementsAreArray;

TEST(CodecTest, StringsOfAnyLengthAndBytesReadBack) {
  const std::vector<std::string> strings = {"",
                                            "a",
                                            std::string("\0\n\xff", 3),
                                            std::string(127, 'x'),
                                            std::string(128, 'y'),
                                            std::string(300'000, 'z'),
                                            ""};
  const auto decoded = DecodeStrings(EncodeStrings(strings));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(*decoded, ElementsAreArray(strings));
  EXPECT_TRUE(EncodeStrings({}).empty());
  EXPECT_TRUE(DecodeStrings("")->empty());
}

TEST(CodecTest, KeysReadBack) {
  const std::vector<Key> keys = {{"default", Kind::kAsset, "a"}, {"", Kind::kUpstreamDeletion, ""}};
  const auto decoded = DecodeKeys(EncodeKeys(keys));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(*decoded, ElementsAreArray(keys));
}

TEST(CodecTest, DamageIsDetected) {
  const std::string bytes = EncodeStrings({"hello", std::string(200, 'x')});
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    if (size == 6) continue;  // The first string, complete.
    EXPECT_EQ(DecodeStrings(bytes.substr(0, size)).status().code(), absl::StatusCode::kInternal)
        << size;
  }
  EXPECT_FALSE(DecodeStrings(std::string(11, '\xff')).ok());
  EXPECT_FALSE(DecodeKeys(EncodeStrings({"tenant", "kind", "id"})).ok());
  EXPECT_FALSE(DecodeKeys(EncodeStrings({"tenant", "1"})).ok());
}

}  // namespace
}  // namespace assetgate::store
