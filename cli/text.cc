#include "cli/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/utf8.h"

namespace assetgate::cli {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr int kGap = 2;

// Removes one code point from the front of `text`, which must not be empty, and returns it. For
// invalid UTF-8 (including overlong forms, surrogates and values that are too large) it removes one
// byte and returns kReplacement.
char32_t TakeCodePoint(absl::string_view& text) {
  const std::size_t length = base::Utf8CharacterLength(text);
  const absl::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
  text.remove_prefix(character.size());
  if (length == 0) return kReplacement;
  const auto first = static_cast<unsigned char>(character[0]);
  // The first byte of several says in its upper bits how many there are.
  char32_t value = length == 1 ? first : first & (0x7F >> length);
  for (const char c : character.substr(1)) value = (value << 6) | (c & 0x3F);
  return value;
}

void AppendCodePoint(char32_t c, std::string& out) {
  const auto tail = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

struct Range {
  char32_t first;
  char32_t last;
};

bool In(const Range* begin, const Range* end, char32_t c) {
  return std::any_of(begin, end, [c](const Range& r) { return c >= r.first && c <= r.last; });
}

bool IsHostile(char32_t c) {
  static constexpr Range kHostile[] = {
      {0x00, 0x1F},        // C0: escape, bell, carriage return, …
      {0x7F, 0x9F},        // delete, and C1: some terminals treat U+009B as an escape sequence
      {0xAD, 0xAD},        // soft hyphen: invisible
      {0x200B, 0x200F},    // zero width, left-to-right and right-to-left marks
      {0x2028, 0x202E},    // line and paragraph separators, bidirectional overrides
      {0x2060, 0x206F},    // invisible operators, bidirectional isolates
      {0xE000, 0xF8FF},    // private use: its appearance depends on the font
      {0xFEFF, 0xFEFF},    // byte order mark
      {0xFFF0, 0xFFFC},    // specials
      {0xE0000, 0x10FFFF}  // tags and private use
  };
  return In(std::begin(kHostile), std::end(kHostile), c);
}

int WidthOf(char32_t c) {
  static constexpr Range kCombining[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD},
                                         {0x064B, 0x065F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
                                         {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
  static constexpr Range kWide[] = {
      {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
      {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},
      {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
      {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
  if (c < 0x300) return 1;
  if (In(std::begin(kCombining), std::end(kCombining), c)) return 0;
  return In(std::begin(kWide), std::end(kWide), c) ? 2 : 1;
}

absl::string_view CodeOf(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kStrong:
      return "1";
    case Tone::kQuiet:
      return "2";
    case Tone::kGood:
      return "32";
    case Tone::kBad:
      return "31";
    case Tone::kWaiting:
      return "33";
    case Tone::kWorking:
      return "36";
  }
  return "";
}

std::string Repeat(absl::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) absl::StrAppend(&text, piece);
  return text;
}

int WidthOf(const Cell& cell) {
  return cell.painted_width.has_value() ? *cell.painted_width : DisplayWidth(Sanitize(cell.text));
}

}  // namespace

std::string Sanitize(absl::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const char32_t c = TakeCodePoint(text);
    if (c == '\n' || c == '\t' || c == '\r') {
      safe.push_back(' ');
    } else {
      AppendCodePoint(IsHostile(c) ? kReplacement : c, safe);
    }
  }
  return safe;
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) width += WidthOf(TakeCodePoint(text));
  return width;
}

std::string Fit(absl::string_view text, int width, const Look& look) {
  if (width <= 0) return "";
  if (DisplayWidth(text) <= width) return std::string(text);
  const absl::string_view ellipsis = look.utf8 ? "…" : "~";
  std::string cut;
  int used = 1;
  while (!text.empty()) {
    const char32_t c = TakeCodePoint(text);
    if (used + WidthOf(c) > width) break;
    used += WidthOf(c);
    AppendCodePoint(c, cut);
  }
  return absl::StrCat(cut, ellipsis);
}

std::string Paint(absl::string_view text, Tone tone, const Look& look) {
  if (!look.color || tone == Tone::kPlain || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", CodeOf(tone), "m", text, "\x1b[0m");
}

int PaintedWidth(absl::string_view line) {
  std::string plain;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      while (i < line.size() && line[i] != 'm') ++i;
    } else {
      plain.push_back(line[i]);
    }
  }
  return DisplayWidth(plain);
}

std::string ShortDuration(absl::Duration duration) {
  const std::int64_t seconds = std::max<std::int64_t>(0, absl::ToInt64Seconds(duration));
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrCat(seconds / 86400, "d");
}

std::string WithoutQuery(absl::string_view uri) {
  const std::size_t query = uri.find_first_of("?#");
  if (query == absl::string_view::npos) return std::string(uri);
  return absl::StrCat(uri.substr(0, query), "?...");
}

std::string ProgressBar(int percent, int width, Tone tone, const Look& look) {
  percent = std::clamp(percent, 0, 100);
  const int full = percent * width / 100;
  const absl::string_view done = look.utf8 ? "━" : "#";
  const absl::string_view open = look.utf8 ? "─" : ".";
  return absl::StrCat(Paint(Repeat(done, full), tone, look),
                      Paint(Repeat(open, width - full), Tone::kQuiet, look));
}

namespace {

// Removes empty columns.
void DropEmptyColumns(std::vector<Column>& columns, std::vector<std::vector<Cell>>& rows) {
  for (std::size_t i = columns.size(); i-- > 0;) {
    const bool used = columns[i].min_width > 0 ||
                      std::any_of(rows.begin(), rows.end(), [i](const std::vector<Cell>& row) {
                        return i < row.size() && !row[i].text.empty();
                      });
    if (used) continue;
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(i));
    for (std::vector<Cell>& row : rows) {
      if (i < row.size()) row.erase(row.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace

std::vector<std::string> LayOut(std::vector<Column> columns, std::vector<std::vector<Cell>> rows,
                                const Look& look, std::optional<int> width) {
  DropEmptyColumns(columns, rows);
  std::vector<int> widths;
  std::vector<int> whole(columns.size(), 0);  // The width of the widest whole cell per column.
  widths.reserve(columns.size());
  for (const Column& column : columns) {
    widths.push_back(std::max(column.min_width, DisplayWidth(column.title)));
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      const int taken = WidthOf(row[i]);
      widths[i] = std::max(widths[i], taken);
      if (row[i].whole) whole[i] = std::max(whole[i], taken);
    }
  }
  if (width.has_value()) {
    int excess = -*width - kGap;
    for (const int w : widths) excess += w + kGap;
    for (std::size_t i = columns.size(); i-- > 0 && excess > 0;) {
      if (columns[i].shrink_to <= 0) continue;
      const int least = std::max(columns[i].shrink_to, whole[i]);
      const int given = std::min(excess, std::max(0, widths[i] - least));
      widths[i] -= given;
      excess -= given;
    }
    if (excess > 0 && *std::max_element(whole.begin(), whole.end()) > 0) width.reset();
  }

  const auto line_of = [&](const std::vector<Cell>& row) {
    std::string line;
    int used = 0;     // The width of `line`, without `pending`.
    int pending = 0;  // Spaces to add if another cell follows.
    for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i) {
      int room = widths[i];
      if (width.has_value()) room = std::min(room, *width - used - pending);
      if (room <= 0) break;
      const Cell& cell = row[i];
      std::string text;
      int taken = 0;
      if (!cell.painted_width.has_value()) {
        const std::string plain = Fit(Sanitize(cell.text), room, look);
        taken = DisplayWidth(plain);
        text = Paint(plain, cell.tone, look);
      } else if (*cell.painted_width <= room) {
        taken = *cell.painted_width;
        text = cell.text;
      }
      const int before = columns[i].right ? std::max(0, room - taken) : 0;
      if (taken > 0) {
        line += Repeat(" ", pending + before);
        absl::StrAppend(&line, text);
        used += pending + before + taken;
        pending = 0;
        pending += widths[i] - before - taken + kGap;
      } else {
        pending += widths[i] + kGap;
      }
    }
    return line;
  };

  std::vector<std::string> lines;
  lines.reserve(rows.size() + 1);
  std::vector<Cell> titles;
  titles.reserve(columns.size());
  for (const Column& column : columns) titles.push_back({column.title, Tone::kQuiet, std::nullopt});
  lines.push_back(line_of(titles));
  for (const auto& row : rows) lines.push_back(line_of(row));
  return lines;
}

}  // namespace assetgate::cli
