// The resources of a watch, and the rows that show one resource.
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

// The resources of one watch, built from its events. After a RESET the old ones stay visible until
// the new snapshot is complete, so that a table does not flicker.
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
    // The first snapshot is shown while it arrives.
    return rebuilding_ && !complete_ ? incoming_ : shown_;
  }
  // The resources when the watch has ended, possibly within a snapshot.
  const std::map<std::string, Resource>& newest() const { return rebuilding_ ? incoming_ : shown_; }
  // Whether the first snapshot has arrived completely.
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

// One line of a live table, before it is laid out. Texts are not sanitized.
struct Row {
  std::string state;
  // The mark and the colour of the state.
  Tone tone = Tone::kPlain;
  // The provider's id.
  std::string provider;
  // When it entered this state; unset where that is not known.
  std::optional<absl::Time> since;
  // How long it took from creation to end; set where it is settled.
  std::optional<absl::Duration> took;
  std::optional<int> percent;
  // Why it waits, what went wrong, or the result.
  std::string detail;
  Tone detail_tone = Tone::kQuiet;
};

// A resource as one or more rows: an asset has one per placement.
struct Entry {
  std::string name;
  absl::Time created;
  // Nothing more happens without a person.
  bool settled = false;
  // Settled, and nothing went wrong: hidden first where space is short.
  bool good = false;
  std::vector<Row> rows;
};

Entry EntryOf(const v1::Asset& asset, absl::Time now);
Entry EntryOf(const v1::VideoTask& task, absl::Time now);
Entry EntryOf(const v1::Provider& provider, absl::Time now);

// Whether the resource is FAILED, CANCELLED or UNCONFIRMED.
bool EndedUnsuccessfully(const v1::Asset& asset);
bool EndedUnsuccessfully(const v1::VideoTask& task);

// "waits for a free slot at kyy, next try in 4s".
std::string WhyWaiting(const v1::Waiting& waiting, absl::Time now);

// The colour of a state.
Tone ToneOf(v1::Asset::State state);
Tone ToneOf(v1::Placement::State state);
Tone ToneOf(v1::VideoTask::State state);
Tone ToneOf(v1::Provider::State state);

// The mark in front of a state, which tells states apart without colours.
std::string MarkOf(Tone tone, const Look& look);

// The part of a resource name after the first slash: "hero" of "assets/hero"; `name` itself where
// there is none.
absl::string_view IdOf(absl::string_view name);

// The provider that is making, or has made, the video: the one of the last attempt; empty before
// the first.
absl::string_view ProviderOf(const v1::VideoTask& task);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_MODEL_H_
