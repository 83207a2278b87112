// Watches resources: several streams, and one thread that shows their events.
#ifndef ASSETGATE_CLI_WATCH_H_
#define ASSETGATE_CLI_WATCH_H_

#include <optional>
#include <ostream>
#include <stop_token>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "cli/client.h"
#include "cli/follow.h"
#include "cli/live.h"
#include "cli/model.h"
#include "cli/terminal.h"
#include "cli/text.h"

namespace assetgate::cli {

// What to watch, and until when.
struct WatchPlan {
  std::optional<v1::WatchAssetsRequest> assets;
  std::optional<v1::WatchVideoTasksRequest> videos;
  std::optional<v1::WatchProvidersRequest> providers;
  // The total time; the watch ends with DEADLINE_EXCEEDED after it.
  absl::Duration timeout = absl::InfiniteDuration();
  // The file that keeps the newest bookmarks; empty for none.
  std::string resume_token_file;
};

// Shows a watch.
//
// Threading: called on the thread that called Watch.
class WatchView {
 public:
  virtual ~WatchView() = default;
  virtual void Show(const v1::AssetEvent& event) = 0;
  virtual void Show(const v1::VideoTaskEvent& event) = 0;
  virtual void Show(const v1::ProviderEvent& event) = 0;
  // Shows a sentence about the connection; empty when all streams are open again.
  virtual void ShowTrouble(const std::string& sentence) = 0;
  // Updates the output. `changed`: there was an event since the last call. Returns the latest time
  // for the next call.
  virtual absl::Time Refresh(const WatchModel& model, bool changed) = 0;
  // The watch is over.
  virtual void End(const WatchModel& model) = 0;
};

// Redraws a table in place: at most 12 times a second, and at least once a second, for the ages.
class LiveView final : public WatchView {
 public:
  // Shows the resources that `plan` watches. With `keep`, the last frame stays, complete and
  // followed by the URLs of the results; otherwise it is removed. Lifetime: the terminal and the
  // clock must outlive the view.
  LiveView(Terminal& terminal, const Look& look, const WatchPlan& plan, bool keep,
           const base::Clock& clock)
      : terminal_(terminal),
        block_(terminal),
        look_(look),
        assets_(plan.assets.has_value()),
        videos_(plan.videos.has_value()),
        providers_(plan.providers.has_value()),
        keep_(keep),
        clock_(clock) {}
  void Show(const v1::AssetEvent&) override {}
  void Show(const v1::VideoTaskEvent&) override {}
  void Show(const v1::ProviderEvent&) override {}
  void ShowTrouble(const std::string& sentence) override { trouble_ = sentence; }
  absl::Time Refresh(const WatchModel& model, bool changed) override;
  void End(const WatchModel& model) override;

 private:
  Terminal& terminal_;
  Block block_;
  const Look look_;
  const bool assets_;
  const bool videos_;
  const bool providers_;
  const bool keep_;
  const base::Clock& clock_;
  std::string trouble_;
  bool dirty_ = true;
  absl::Time drawn_ = absl::InfinitePast();
};

// Prints one line per event, as text or JSON. Trouble goes to `err`.
class LineView final : public WatchView {
 public:
  enum class Format {
    kText,
    // The events, unchanged.
    kJson,
    // The events in an object that names the watch: {"asset_event": …}.
    kJsonWrapped,
    // No events, only trouble.
    kSilent,
  };
  LineView(std::ostream& out, std::ostream& err, Format format, const Look& look,
           const base::Clock& clock)
      : out_(out), err_(err), format_(format), look_(look), clock_(clock) {}
  void Show(const v1::AssetEvent& event) override;
  void Show(const v1::VideoTaskEvent& event) override;
  void Show(const v1::ProviderEvent& event) override;
  void ShowTrouble(const std::string& sentence) override;
  absl::Time Refresh(const WatchModel& model, bool changed) override;
  void End(const WatchModel&) override { out_.flush(); }

 private:
  template <typename Event>
  void Print(const Event& event, absl::string_view wrapper);

  std::ostream& out_;
  std::ostream& err_;
  const Format format_;
  const Look look_;
  const base::Clock& clock_;
};

struct WatchOutcome {
  // OK when every stream ended by itself, which means that everything is settled.
  absl::Status status;
  WatchModel model;
};

// Watches until the streams end, one of them fails for good, `interrupted` is requested (CANCELLED)
// or the timeout passes (DEADLINE_EXCEEDED). `terminal` notifies of new sizes; it may be null.
//
// Ordering: `view` receives events in the order of their stream. A bookmark is written to the file
// only after `view` has shown everything before it.
// Threading: while the view blocks, the streams are not read, which bounds the memory.
WatchOutcome Watch(Client& client, WatchPlan plan, const FollowOptions& options, WatchView& view,
                   Terminal* terminal, const std::stop_token& interrupted);

// The bookmarks in a resume token file, one line per watch: its collection and the token in base64.
struct Bookmarks {
  std::string assets;
  std::string videos;
};
// Reads the file; one that does not exist has no bookmarks.
absl::StatusOr<Bookmarks> ReadBookmarks(const std::string& path);
// Replaces the file atomically.
absl::Status WriteBookmarks(const std::string& path, const Bookmarks& bookmarks);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_WATCH_H_
