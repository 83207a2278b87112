#include "provider/mask.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider {
namespace {

constexpr char kKey[] = "sk-A/b+C=d_9.xYzQ&w\"7890klmnop";

std::string Escaped(absl::string_view text, absl::string_view form) {
  std::string out;
  for (const char c : text) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c));
    const std::string hex = absl::BytesToHexString(absl::string_view(&c, 1));
    if (form == "json-all") absl::StrAppend(&out, "\\u00", hex);
    if (form == "json")
      absl::StrAppend(&out, plain ? std::string(1, c) : absl::StrCat("\\u00", hex));
    if (form == "url") absl::StrAppend(&out, plain ? std::string(1, c) : absl::StrCat("%", hex));
    if (form == "URL") {
      absl::StrAppend(&out,
                      plain ? std::string(1, c) : absl::StrCat("%", absl::AsciiStrToUpper(hex)));
    }
    if (form == "html") {
      absl::StrAppend(&out, plain ? std::string(1, c) : absl::StrCat("&#", int{c}, ";"));
    }
    if (form == "htmlx") {
      absl::StrAppend(&out, plain ? std::string(1, c) : absl::StrCat("&#x", hex, ";"));
    }
  }
  return out;
}

std::vector<std::string> Spellings() {
  std::vector<std::string> forms = {
      kKey,
      absl::StrReplaceAll(kKey, {{"/", "\\/"}, {"\"", "\\\""}}),
      absl::StrReplaceAll(kKey, {{"&", "&amp;"}, {"\"", "&quot;"}}),
      absl::BytesToHexString(kKey),
      absl::AsciiStrToUpper(absl::BytesToHexString(kKey)),
      absl::Base64Escape(kKey),
      absl::WebSafeBase64Escape(kKey),
      absl::Base64Escape(absl::StrCat("Bearer ", kKey)),
      absl::Base64Escape(absl::StrCat("user:", kKey)),
      absl::Base64Escape(absl::StrCat("api:", kKey, "@host")),
      std::string(kKey).substr(0, 12),
      std::string(kKey).substr(7, 15),
  };
  for (const char* const form : {"json-all", "json", "url", "URL", "html", "htmlx"}) {
    forms.push_back(Escaped(kKey, form));
  }
  // A JSON text in a JSON text, in a URL.
  forms.push_back(absl::StrReplaceAll(Escaped(kKey, "json"), {{"\\", "\\\\"}}));
  forms.push_back(Escaped(Escaped(kKey, "url"), "url"));
  return forms;
}

// The longest run of the key in `text`, read as it stands.
std::size_t LongestRun(const std::string& text) {
  const std::string key = kKey;
  std::size_t longest = 0;
  for (std::size_t begin = 0; begin < key.size(); ++begin) {
    for (std::size_t length = longest + 1; begin + length <= key.size(); ++length) {
      if (!absl::StrContains(text, key.substr(begin, length))) break;
      longest = length;
    }
  }
  return longest;
}

TEST(MaskSecretTest, EverySpellingIsMaskedInEveryPlace) {
  for (const std::string& spelling : Spellings()) {
    std::string text = absl::StrCat(R"({"error":"key )", spelling, R"( is wrong","id":"t-7"})");
    MaskSecret(kKey, text);
    EXPECT_THAT(text, ::testing::HasSubstr("[secret]")) << spelling;
    EXPECT_FALSE(absl::StrContains(text, spelling)) << spelling;
    EXPECT_LT(LongestRun(text), 12u) << text;
    EXPECT_THAT(text, ::testing::StartsWith(R"({"error":"key )")) << spelling;
    EXPECT_THAT(text, ::testing::EndsWith(R"( is wrong","id":"t-7"})")) << spelling;
  }
}

TEST(MaskSecretTest, TextThatOnlyResemblesTheKeyStays) {
  for (const char* const text :
       {"", "t-7", "sk-A/b+C=d_",
        "{\"id\":\"asset-20260402091500-k7x2m\",\"x\":\"\\u003d%3d&#61;\"}"}) {
    std::string same = text;
    MaskSecret(kKey, same);
    EXPECT_EQ(same, text);
  }
}

TEST(MaskSecretTest, AShortKeyIsMaskedAsAWhole) {
  std::string text = "key short-key is wrong, short-ke is not";
  MaskSecret("short-key", text);
  EXPECT_EQ(text, "key [secret] is wrong, short-ke is not");
  text = R"({"id":"k-12-short-key-7","key":"short-key"})";
  MaskSecret("short-key", text);
  EXPECT_EQ(text, R"({"id":"k-12-short-key-7","key":"[secret]"})");
}

TEST(MaskSecretsTest, EverySecretIsMaskedInBodyAndHeaders) {
  Credential credential;
  credential.secrets.emplace("access_key", base::Secret("AKLT-0123456789abcdef"));
  credential.secrets.emplace("secret_key", base::Secret("very/secret=0123456789"));
  http::Response response{.status = 401,
                          .headers = {{"X-Echo", "AKLT-0123456789abcdef"}},
                          .body = R"({"a":"very\/secret\u003d0123456789"})"};
  MaskSecrets(credential, response);
  EXPECT_EQ(response.headers[0].value, "[secret]");
  EXPECT_EQ(response.body, R"({"a":"[secret]"})");
}

}  // namespace
}  // namespace assetgate::provider
