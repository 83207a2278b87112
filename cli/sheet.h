// A page of fields about one resource: "name   value" lines, with tables between them.
#ifndef ASSETGATE_CLI_SHEET_H_
#define ASSETGATE_CLI_SHEET_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/common.pb.h"
#include "cli/tables.h"
#include "cli/text.h"
#include "google/protobuf/map.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/rpc/status.pb.h"

namespace assetgate::cli {

using Rows = std::vector<std::vector<Cell>>;

// A cell that may be cut.
Cell Text(absl::string_view text, Tone tone = Tone::kPlain);

// "first frame" for "FIRST_FRAME": the name of an enum value, for people.
std::string ForPeople(absl::string_view enum_name);

// Values are sanitized. Lifetime: `page` must outlive the sheet.
class Sheet {
 public:
  explicit Sheet(const Page& page) : page_(page) {}

  void Title(absl::string_view name);
  // Adds nothing where `value` is empty.
  void Field(absl::string_view name, absl::string_view value, Tone tone = Tone::kPlain);
  void Time(absl::string_view name, bool has, const google::protobuf::Timestamp& time);
  void Labels(const google::protobuf::Map<std::string, std::string>& labels);
  void Options(const google::protobuf::Map<std::string, google::protobuf::Struct>& options);
  void Error(bool has, const google::rpc::Status& error);
  void Waits(bool has, const v1::Waiting& waiting);
  // Cuts nothing: where the table is wider than the page, each row becomes a list of its fields.
  void AddTable(const std::vector<Column>& columns, const Rows& rows);
  // The same for a table that compares its columns: the first column names the properties, and
  // where the table is too wide each of the other columns becomes a list.
  void AddComparison(const std::vector<Column>& columns, const Rows& rows);
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  bool AddIfItFits(const std::vector<Column>& columns, const Rows& rows);

  const Page& page_;
  std::vector<std::string> lines_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_SHEET_H_
