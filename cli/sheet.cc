#include "cli/sheet.h"

#include <cstddef>
#include <map>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "cli/failure.h"
#include "cli/json.h"
#include "cli/model.h"

namespace assetgate::cli {
namespace {

std::string When(const google::protobuf::Timestamp& time, const Page& page) {
  const absl::Time when = base::FromProto(time);
  const absl::Duration ago = page.now - when;
  const std::string stamp = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", when, absl::UTCTimeZone());
  if (ago < absl::ZeroDuration()) return absl::StrCat(stamp, " (in ", ShortDuration(-ago), ")");
  return absl::StrCat(stamp, " (", ShortDuration(ago), " ago)");
}

}  // namespace

Cell Text(absl::string_view text, Tone tone) { return {std::string(text), tone, std::nullopt}; }

std::string ForPeople(absl::string_view enum_name) {
  std::string words = absl::AsciiStrToLower(enum_name);
  for (char& c : words) c = c == '_' ? ' ' : c;
  return words;
}

void Sheet::Title(absl::string_view name) {
  lines_.push_back(Paint(Sanitize(name), Tone::kStrong, page_.look));
}

void Sheet::Field(absl::string_view name, absl::string_view value, Tone tone) {
  if (value.empty()) return;
  lines_.push_back(absl::StrCat("  ",
                                Paint(absl::StrFormat("%-16s", name), Tone::kQuiet, page_.look),
                                " ", Paint(Sanitize(value), tone, page_.look)));
}

void Sheet::Time(absl::string_view name, bool has, const google::protobuf::Timestamp& time) {
  if (has) Field(name, When(time, page_));
}

void Sheet::Labels(const google::protobuf::Map<std::string, std::string>& labels) {
  std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  Field("labels", absl::StrJoin(sorted, ", ", absl::PairFormatter("=")));
}

void Sheet::Options(const google::protobuf::Map<std::string, google::protobuf::Struct>& options) {
  for (const auto& [provider, fields] : options) {
    Field(absl::StrCat("option ", provider), ToJson(fields));
  }
}

void Sheet::Error(bool has, const google::rpc::Status& error) {
  if (has) Field("error", ErrorSummary(error), Tone::kBad);
}

void Sheet::Waits(bool has, const v1::Waiting& waiting) {
  if (has) Field("waiting", WhyWaiting(waiting, page_.now), Tone::kWaiting);
}

void Sheet::AddTable(const std::vector<Column>& columns, const Rows& rows) {
  if (rows.empty() || AddIfItFits(columns, rows)) return;
  for (const std::vector<Cell>& row : rows) {
    lines_.emplace_back();
    for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i) {
      Field(columns[i].title.empty() ? "detail" : ForPeople(columns[i].title), row[i].text,
            row[i].tone);
    }
  }
}

void Sheet::AddComparison(const std::vector<Column>& columns, const Rows& rows) {
  if (AddIfItFits(columns, rows)) return;
  for (std::size_t i = 1; i < columns.size(); ++i) {
    lines_.emplace_back();
    lines_.push_back(
        absl::StrCat("  ", Paint(Sanitize(columns[i].title), Tone::kStrong, page_.look)));
    for (const std::vector<Cell>& row : rows) Field(row[0].text, row[i].text, row[i].tone);
  }
}

bool Sheet::AddIfItFits(const std::vector<Column>& columns, const Rows& rows) {
  const auto table = LayOut(columns, rows, page_.look, std::nullopt);
  for (const std::string& line : table) {
    if (page_.width.has_value() && PaintedWidth(line) + 2 > *page_.width) return false;
  }
  lines_.emplace_back();
  for (const std::string& line : table) lines_.push_back(absl::StrCat("  ", line));
  return true;
}

}  // namespace assetgate::cli
