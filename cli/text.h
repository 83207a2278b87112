// Text for a terminal: safe, measured, painted and laid out in columns. Pure functions.
#ifndef ASSETGATE_CLI_TEXT_H_
#define ASSETGATE_CLI_TEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::cli {

// What a piece of text means; Paint chooses the colour.
enum class Tone { kPlain, kStrong, kQuiet, kGood, kBad, kWaiting, kWorking };

// What the terminal can show.
struct Look {
  // ANSI colours.
  bool color = false;
  // Characters outside of ASCII. Without, marks and progress bars are drawn in ASCII.
  bool utf8 = true;
};

// `text` without anything that could steer a terminal or pretend to be other text: control and
// escape characters, bidirectional overrides, invisible characters and broken UTF-8 become U+FFFD;
// line breaks and tabs become a space. Everything that came from a server or a provider passes here
// before it is printed as text.
std::string Sanitize(absl::string_view text);

// How many columns `text` (sanitized) takes: wide East Asian characters take two, combining ones
// none.
int DisplayWidth(absl::string_view text);

// `text` cut to at most `width` columns, with an ellipsis where something was cut off.
std::string Fit(absl::string_view text, int width, const Look& look);

// `text` in the colour of `tone`; as it is where `look` has no colours.
std::string Paint(absl::string_view text, Tone tone, const Look& look);

// How many columns a line takes in which Paint has painted.
int PaintedWidth(absl::string_view line);

// A length of time at a glance, at most 6 columns: "0s", "59s", "4m05s", "3h07m", "12d".
std::string ShortDuration(absl::Duration duration);

// A URI without its query: pre-signed ones carry a credential there.
std::string WithoutQuery(absl::string_view uri);

// A bar of `width` columns that is filled to `percent`.
std::string ProgressBar(int percent, int width, Tone tone, const Look& look);

// A column of a table.
struct Column {
  std::string title;
  // At least this wide, whatever it holds: columns that change do not make the others jump.
  int min_width = 0;
  bool right = false;
  // Where the table is too wide, columns with a `yield_to` above 0 are narrowed to that, the last
  // one first.
  int yield_to = 0;
};

// A field of a table. `text` is sanitized when it is laid out.
struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
  // Set where the text is painted already, and takes that many columns. It is trusted as it is.
  std::optional<int> painted_width;
  // Never cut, however narrow the terminal is: it breaks the line then. For what is to be copied
  // into the next command.
  bool whole = false;
};

// A header line and one line per row, two spaces between columns, without trailing spaces. With
// `width`, no line is wider, unless the cells that are `whole` make it so. Rows may be shorter than
// `columns`. Columns without a minimum width in which nothing stands are left out.
std::vector<std::string> LayOut(std::vector<Column> columns, std::vector<std::vector<Cell>> rows,
                                const Look& look, std::optional<int> width);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TEXT_H_
