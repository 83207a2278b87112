// Sanitizes, measures, colours and lays out text for a terminal. Pure functions.
#ifndef ASSETGATE_CLI_TEXT_H_
#define ASSETGATE_CLI_TEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::cli {

// The meaning of a piece of text, for which Paint chooses the colour.
enum class Tone { kPlain, kStrong, kQuiet, kGood, kBad, kWaiting, kWorking };

// The capabilities of the terminal.
struct Look {
  // ANSI colours.
  bool color = false;
  // Characters outside of ASCII. Without them, marks and progress bars are drawn in ASCII.
  bool utf8 = true;
};

// Replaces everything in `text` that could control a terminal or pass for other text: control and
// escape characters, bidirectional overrides, invisible characters and invalid UTF-8 become U+FFFD;
// line breaks and tabs become a space. All text from a server or a provider must go through this
// before it is printed.
std::string Sanitize(absl::string_view text);

// The number of columns that `text` (sanitized) takes: two for a wide East Asian character, none
// for a combining one.
int DisplayWidth(absl::string_view text);

// Cuts `text` to at most `width` columns, with an ellipsis at the cut.
std::string Fit(absl::string_view text, int width, const Look& look);

// `text` in the colour of `tone`; unchanged where `look` has no colours.
std::string Paint(absl::string_view text, Tone tone, const Look& look);

// The number of columns that a line with the colours of Paint takes.
int PaintedWidth(absl::string_view line);

// A duration in at most 6 columns: "0s", "59s", "4m05s", "3h07m", "12d".
std::string ShortDuration(absl::Duration duration);

// `uri` without its query, which in a pre-signed URL holds a credential.
std::string WithoutQuery(absl::string_view uri);

// A bar of `width` columns, filled to `percent`.
std::string ProgressBar(int percent, int width, Tone tone, const Look& look);

// A column of a table.
struct Column {
  std::string title;
  // The minimum width, so that a column whose content changes does not move the others.
  int min_width = 0;
  bool right = false;
  // The width down to which the column is narrowed where the table is too wide, the last column
  // first; 0: never.
  int shrink_to = 0;
};

// A field of a table. `text` is sanitized when it is laid out.
struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
  // Set where the text is already painted: the columns that it takes. Such a text is not sanitized.
  std::optional<int> painted_width;
  // Never cut; on a narrow terminal the line wraps. For text that a person copies into the next
  // command.
  bool whole = false;
};

// Returns a header line and one line per row, with two spaces between columns and no trailing
// spaces. No line is wider than `width`, unless cells that are `whole` make it so. Rows may be
// shorter than `columns`. Leaves out empty columns without a minimum width.
std::vector<std::string> LayOut(std::vector<Column> columns, std::vector<std::vector<Cell>> rows,
                                const Look& look, std::optional<int> width);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TEXT_H_
