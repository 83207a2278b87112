// How a watch looks: a table that is redrawn in place, or one line per event. Pure functions.
#ifndef ASSETGATE_CLI_LIVE_H_
#define ASSETGATE_CLI_LIVE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/model.h"
#include "cli/text.h"

namespace assetgate::cli {

// What a live table shows besides the resources.
struct LiveFrame {
  // Which of them are watched.
  bool assets = true;
  bool videos = true;
  bool providers = false;
  // At the foot of the table; empty while all is well. Sanitized when it is drawn.
  std::string trouble;
  absl::Time now;
  // No line is wider.
  int width = 80;
  // No more lines than this; 0 for as many as it takes. Where room is short, what is settled and
  // good is left out first, oldest first, then what is settled, then the newest; a line says how
  // many.
  int height = 0;
};

// The lines of one frame, without line breaks.
std::vector<std::string> RenderLive(const WatchModel& model, const LiveFrame& frame,
                                    const Look& look);

// The addresses of the finished videos, one line each: in a table they may be cut.
std::vector<std::string> RenderResults(const WatchModel& model, const Look& look);

// One line for an event, empty for those that say nothing to a person (bookmarks).
std::string RenderEvent(const v1::AssetEvent& event, absl::Time now, const Look& look);
std::string RenderEvent(const v1::VideoTaskEvent& event, absl::Time now, const Look& look);
std::string RenderEvent(const v1::ProviderEvent& event, absl::Time now, const Look& look);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_LIVE_H_
