// Renders a watch: as a table that is redrawn in place, or as one line per event. Pure functions.
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
  // The kinds of resources that are watched.
  bool assets = true;
  bool videos = true;
  bool providers = false;
  // A sentence about the connection, below the table; empty while it is open. Sanitized when drawn.
  std::string trouble;
  absl::Time now;
  // No line is wider.
  int width = 80;
  // The maximum number of lines; 0 for no limit. Where space is short, successful resources are
  // hidden first, oldest first, then settled ones, then the newest ones; a line says how many.
  int height = 0;
};

// The lines of one frame, without line breaks.
std::vector<std::string> RenderLive(const WatchModel& model, const LiveFrame& frame,
                                    const Look& look);

// The URLs of the finished videos, one line each, because the table may cut them.
std::vector<std::string> RenderResults(const WatchModel& model, const Look& look);

// One line for an event; empty for an event without news for people, such as a bookmark.
std::string RenderEvent(const v1::AssetEvent& event, absl::Time now, const Look& look);
std::string RenderEvent(const v1::VideoTaskEvent& event, absl::Time now, const Look& look);
std::string RenderEvent(const v1::ProviderEvent& event, absl::Time now, const Look& look);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_LIVE_H_
