// What a watch holds, and how one resource looks in a row.
#ifndef ASSETGATE_CLI_MODEL_H_
#define ASSETGATE_CLI_MODEL_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset.pb.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "cli/follow.h"
#include "cli/text.h"

namespace assetgate::cli {

// The resources of one watch, as its events tell. After a RESET the old ones stay visible until the
// new snapshot is complete, so that a table does not blink; they are forgotten then.
template <typename Watch>
class Holdings {
 public:
  using Resource = typename Watch::Resource;

  void Apply(const typename Watch::Event& event) {
    switch (event.type()) {
      case v1::RESET:
        incoming_.clear();
        rebuilding_ = true;
        break;
      case v1::PUT:
        Target()[Watch::Of(event).name()] = Watch::Of(event);
        break;
      case v1::DELETE:
        Target().erase(Watch::Of(event).name());
        break;
      case v1::BOOKMARK:
        if (event.snapshot_complete() && rebuilding_) {
          shown_.swap(incoming_);
          incoming_.clear();
          rebuilding_ = false;
        }
        if (event.snapshot_complete()) complete_ = true;
        break;
      default:
        break;
    }
  }

  // By name.
  const std::map<std::string, Resource>& shown() const {
    // The very first snapshot is shown as it comes.
    return rebuilding_ && !complete_ ? incoming_ : shown_;
  }
  // What is known when the watch has ended, maybe within a snapshot.
  const std::map<std::string, Resource>& newest() const { return rebuilding_ ? incoming_ : shown_; }
  // Whether a first snapshot has arrived in full.
  bool complete() const { return complete_; }

 private:
  std::map<std::string, Resource>& Target() { return rebuilding_ ? incoming_ : shown_; }

  std::map<std::string, Resource> shown_;
  std::map<std::string, Resource> incoming_;
  bool rebuilding_ = false;
  bool complete_ = false;
};

// Everything that a live table shows.
struct WatchModel {
  Holdings<AssetWatch> assets;
  Holdings<VideoWatch> videos;
  Holdings<ProviderWatch> providers;
};

// One line of a live table, before it is laid out. Texts are as they came, not sanitized.
struct Row {
  std::string state;
  // How the state is marked and painted.
  Tone tone = Tone::kPlain;
  // Short ids.
  std::string provider;
  // Since when it has been in this state; unset where nothing tells.
  std::optional<absl::Time> since;
  // Of settled ones: how long it took in all.
  std::optional<absl::Duration> took;
  std::optional<int> percent;
  // Why it waits, what went wrong, or what came out.
  std::string detail;
  Tone detail_tone = Tone::kQuiet;
};

// A resource as one or more rows: an asset has one per placement.
struct Entry {
  std::string name;
  absl::Time created;
  // Nothing more will happen by itself.
  bool settled = false;
  // Settled, and nothing went wrong: first to be left out where room is short.
  bool good = false;
  std::vector<Row> rows;
};

Entry EntryOf(const v1::Asset& asset, absl::Time now);
Entry EntryOf(const v1::VideoTask& task, absl::Time now);
Entry EntryOf(const v1::Provider& provider, absl::Time now);

// Whether a resource that was waited for came to a bad end: FAILED, CANCELLED, UNCONFIRMED.
bool CameToABadEnd(const v1::Asset& asset);
bool CameToABadEnd(const v1::VideoTask& task);

// "waits for a free slot at kyy, next try in 4s".
std::string WhyWaiting(const v1::Waiting& waiting, absl::Time now);

// How states are painted.
Tone ToneOf(v1::Asset::State state);
Tone ToneOf(v1::Placement::State state);
Tone ToneOf(v1::VideoTask::State state);
Tone ToneOf(v1::Provider::State state);

// The mark in front of a state: readable without colours.
std::string MarkOf(Tone tone, const Look& look);

// The part of a resource name after the first slash: "hero" of "assets/hero"; `name` itself where
// there is none.
absl::string_view IdOf(absl::string_view name);

// The provider that is making, or has made, the video: the one of the last attempt; empty before
// the first.
absl::string_view ProviderOf(const v1::VideoTask& task);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_MODEL_H_
