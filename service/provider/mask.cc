#include "provider/mask.h"

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace assetgate::provider {
namespace {

constexpr absl::string_view kMask = "[secret]";
// The shortest run of characters of a key that must not be shown.
constexpr std::size_t kRun = 12;
// How many layers of escapes are read: a JSON text in a JSON text in a page.
constexpr int kMaxLayers = 4;

// A text after its escapes were read, and the bytes of the original that each character comes from.
struct Decoded {
  std::string text;
  struct Range {
    std::size_t begin;
    std::size_t end;
  };
  std::vector<Range> from;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The value of `digits` hexadecimal digits at `at`; -1 where there are fewer.
int Hex(absl::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    const int digit = HexDigit(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// The character that an escape at `at` stands for, and the escape's length; a length of 0 where
// there is none. Keys are ASCII, so that only escapes of ASCII are read.
struct Escape {
  char c = '\0';
  std::size_t length = 0;
};

Escape EntityAt(absl::string_view text, std::size_t at) {
  const std::size_t end = text.substr(at, 12).find(';');
  if (end == absl::string_view::npos) return {};
  const absl::string_view name = text.substr(at + 1, end - 1);
  if (absl::StartsWith(name, "#")) {
    int value = 0;
    if (name.size() > 2 && (name[1] == 'x' || name[1] == 'X')) {
      value = Hex(name, 2, name.size() - 2);
    } else {
      for (const char c : name.substr(1)) {
        if (!absl::ascii_isdigit(static_cast<unsigned char>(c)) || value > 1000) return {};
        value = value * 10 + (c - '0');
      }
    }
    return value > 0 && value < 0x80 ? Escape{static_cast<char>(value), end + 1} : Escape{};
  }
  static constexpr std::pair<absl::string_view, char> kNamed[] = {
      {"amp", '&'},    {"lt", '<'},     {"gt", '>'},     {"quot", '"'},
      {"apos", '\''},  {"sol", '/'},    {"equals", '='}, {"plus", '+'},
      {"lowbar", '_'}, {"period", '.'}, {"colon", ':'}};
  for (const auto& [known, c] : kNamed) {
    if (name == known) return {c, end + 1};
  }
  return {};
}

Escape EscapeAt(absl::string_view text, std::size_t at) {
  const char next = at + 1 < text.size() ? text[at + 1] : '\0';
  switch (text[at]) {
    case '\\': {
      if (next == 'u') {
        const int value = Hex(text, at + 2, 4);
        return value >= 0 && value < 0x80 ? Escape{static_cast<char>(value), 6} : Escape{};
      }
      if (next == 'x') {
        const int value = Hex(text, at + 2, 2);
        return value >= 0 && value < 0x80 ? Escape{static_cast<char>(value), 4} : Escape{};
      }
      if (next == '/' || next == '\\' || next == '"' || next == '\'') return {next, 2};
      return {};
    }
    case '%': {
      const int value = Hex(text, at + 1, 2);
      return value >= 0 && value < 0x80 ? Escape{static_cast<char>(value), 3} : Escape{};
    }
    case '&':
      return EntityAt(text, at);
    default:
      return {};
  }
}

// Reads one layer of escapes. False where there was none.
bool Decode(const Decoded& in, Decoded& out) {
  out.text.clear();
  out.from.clear();
  bool found = false;
  for (std::size_t i = 0; i < in.text.size();) {
    const Escape escape = EscapeAt(in.text, i);
    const std::size_t length = escape.length == 0 ? 1 : escape.length;
    found |= escape.length != 0;
    out.text.push_back(escape.length == 0 ? in.text[i] : escape.c);
    out.from.push_back({in.from[i].begin, in.from[i + length - 1].end});
    i += length;
  }
  return found;
}

// Finds runs of a key's spelling in a text.
class Needle {
 public:
  Needle(std::string spelling, std::size_t run, bool any_case)
      : spelling_(any_case ? absl::AsciiStrToLower(spelling) : std::move(spelling)),
        run_(std::min(run, spelling_.size())),
        any_case_(any_case) {
    for (std::size_t i = 0; run_ >= kHashed && i + run_ <= spelling_.size(); ++i) {
      beginnings_.set(Hash(spelling_, i));
    }
  }

  // Calls `mark(begin, end)` for each run.
  template <typename Mark>
  void Find(absl::string_view text, const Mark& mark) const {
    std::string lower;
    if (any_case_) text = lower = absl::AsciiStrToLower(text);
    if (run_ < kHashed || text.size() < run_) return;
    for (std::size_t i = 0; i + run_ <= text.size(); ++i) {
      if (!beginnings_.test(Hash(text, i))) continue;
      if (!absl::StrContains(spelling_, text.substr(i, run_))) continue;
      // A short key can be part of unrelated ids and words.
      if (run_ < kRun && !IsWord(text, i, run_)) continue;
      mark(i, i + run_);
    }
  }

 private:
  // The first bytes, which quickly exclude places where no run begins.
  static constexpr std::size_t kHashed = 4;
  static constexpr std::size_t kBuckets = 4096;

  // Whether the run is a separate word: no character of a key is before or after it.
  static bool IsWord(absl::string_view text, std::size_t at, std::size_t length) {
    const auto part = [&](std::size_t i) {
      const char c = text[i];
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    };
    return (at == 0 || !part(at - 1)) && (at + length >= text.size() || !part(at + length));
  }

  static std::size_t Hash(absl::string_view text, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + kHashed; ++i) {
      value = value * 131 + static_cast<unsigned char>(text[i]);
    }
    return (value * 2654435761u) >> 20;
  }

  const std::string spelling_;
  const std::size_t run_;
  const bool any_case_;
  std::bitset<kBuckets> beginnings_;
};

// The spellings that reading escapes does not undo.
std::vector<Needle> NeedlesOf(absl::string_view secret) {
  std::vector<Needle> needles;
  needles.emplace_back(std::string(secret), kRun, /*any_case=*/false);
  needles.emplace_back(absl::BytesToHexString(secret), 2 * kRun, /*any_case=*/true);
  // At any offset in the encoded text, groups of three bytes begin at the secret's first, second or
  // third byte. The ends of each encoding depend on the neighbouring bytes.
  for (std::size_t skip = 0; skip < 3 && secret.size() > skip + kRun; ++skip) {
    const absl::string_view whole = secret.substr(skip, (secret.size() - skip) / 3 * 3);
    const std::size_t run = kRun / 3 * 4;
    needles.emplace_back(absl::Base64Escape(whole), run, /*any_case=*/false);
    needles.emplace_back(absl::WebSafeBase64Escape(whole), run, /*any_case=*/false);
  }
  return needles;
}

}  // namespace

void MaskSecret(absl::string_view secret, std::string& text) {
  if (secret.empty() || text.empty()) return;
  const std::vector<Needle> needles = NeedlesOf(secret);
  // The bytes to mask; empty where there are none.
  std::vector<bool> masked;
  const auto mark = [&](std::size_t begin, std::size_t end) {
    if (masked.empty()) masked.resize(text.size());
    std::fill(masked.begin() + static_cast<std::ptrdiff_t>(begin),
              masked.begin() + static_cast<std::ptrdiff_t>(end), true);
  };
  for (const Needle& needle : needles) needle.Find(text, mark);
  if (text.find_first_of("\\%&") != std::string::npos) {
    Decoded layer;
    layer.text = text;
    layer.from.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) layer.from.push_back({i, i + 1});
    Decoded deeper;
    for (int i = 0; i < kMaxLayers && Decode(layer, deeper); ++i) {
      std::swap(layer, deeper);
      for (const Needle& needle : needles) {
        needle.Find(layer.text, [&](std::size_t begin, std::size_t end) {
          mark(layer.from[begin].begin, layer.from[end - 1].end);
        });
      }
    }
  }
  if (masked.empty()) return;
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!masked[i]) {
      out.push_back(text[i]);
    } else if (i == 0 || !masked[i - 1]) {
      absl::StrAppend(&out, kMask);
    }
  }
  text = std::move(out);
}

void MaskSecrets(const Credential& credential, http::Response& response) {
  for (const auto& [name, secret] : credential.secrets) {
    const std::string& text = secret.Reveal();
    MaskSecret(text, response.body);
    for (http::Header& header : response.headers) MaskSecret(text, header.value);
  }
}

}  // namespace assetgate::provider
