// Logged values stay inside their field and their line.
//
// An input is the value of the fields and of the context of one line.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/testing/fake_clock.h"
#include "base/testing/kept_lines.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

// One byte of input takes at most six bytes of a line, four times.
constexpr std::size_t kAlwaysFits = 128;

// The keys of a text line, as a reader who respects quotes finds them.
std::vector<std::string> KeysOf(absl::string_view line) {
  std::vector<std::string> keys;
  std::string word;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted) {
      if (line[i] == '\\')
        ++i;
      else if (line[i] == '"')
        quoted = false;
    } else if (line[i] == '"') {
      quoted = true;
    } else if (line[i] == ' ') {
      word.clear();
    } else if (line[i] == '=') {
      keys.push_back(word);
      word.clear();
    } else {
      word += line[i];
    }
  }
  return keys;
}

void CheckLine(base::LogFormat format, absl::string_view input, Claims& claims) {
  const auto sink = std::make_shared<base::KeptLines>();
  base::FakeClock clock(absl::FromUnixMillis(1'800'000'000'125));
  const base::Log log(format, base::LogLevel::kDebug, sink, &clock);
  const std::string text(input);
  log.With({text, text}).Info("submitted", {{"name", text}, {"again", input}, {"tries", 3}});
  claims.Hold(sink->lines.size() == 1, "one event is one line");
  if (sink->lines.size() != 1) return;
  absl::string_view line = sink->lines[0];
  claims.Hold(absl::EndsWith(line, "\n"), "a line ends", line);
  line.remove_suffix(1);
  // One less than a pipe takes at once.
  claims.Plain("a line", line, 4095);
  claims.Hold(!absl::StrContains(line, "\xE2\x80\xA8") && !absl::StrContains(line, "\xE2\x80\xA9"),
              "no other separator ends a line", line);
  const bool context = !input.empty();
  if (format == base::LogFormat::kText) {
    claims.Hold(absl::StartsWith(line, "2027-01-15T08:00:00.125000Z INFO submitted name="),
                "a text line starts with the gateway's own text", line);
    std::vector<std::string> expected = {"name", "again", "tries"};
    if (context) expected.insert(expected.end(), {"request_id", "trace_id"});
    std::vector<std::string> keys = KeysOf(line);
    if (input.size() <= kAlwaysFits) {
      claims.Hold(keys == expected, "a text line has the fields that were given", line);
    }
    return;
  }
  const auto doc = base::ParseJson(line);
  claims.Hold(doc.has_value() && doc->IsObject(), "a line is a JSON object", line);
  if (!doc.has_value() || !doc->IsObject()) return;
  claims.Hold(base::JsonText(*doc, "level") == "info" &&
                  base::JsonText(*doc, "message") == "submitted" &&
                  base::JsonText(*doc, "time") == "2027-01-15T08:00:00.125000Z",
              "no field replaces another", line);
  if (input.size() <= kAlwaysFits) {
    claims.Hold(doc->MemberCount() == (context ? 8U : 6U), "a line has the fields that were given",
                line);
    if (IsUtf8(input)) {
      claims.Hold(base::JsonText(*doc, "name") == input, "the logged value is read back", line);
    }
  }
}

std::optional<std::string> Check(absl::string_view input) {
  Claims claims;
  CheckLine(base::LogFormat::kJson, input, claims);
  CheckLine(base::LogFormat::kText, input, claims);
  return claims.broken();
}

}  // namespace

Target LogTarget() {
  return {.name = "log",
          .check = Check,
          .seeds =
              [] {
                return std::vector<std::string>{"a cat",
                                                "a\"b\\c\nINFO forged=1\r\t\x1b[31m\x7f \xC2\x9B"
                                                "0m \xE2\x80\xA8 end",
                                                "\",\"level\":\"error", "x level=ERROR",
                                                std::string(3000, '\n')};
              },
          .words =
              [] {
                return std::set<std::string>{
                    "=", "\"", "\\", "\\\"", " level=", "\n", "\xC2\x85", "\xE2\x80\xA9", "\xFF"};
              }};
}

}  // namespace assetgate::fuzz
