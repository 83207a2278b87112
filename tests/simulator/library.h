// What one simulated provider holds: groups, assets and videos, each on a course through its states
// that is set when it is made and read off the clock. Nothing runs in the background.
#ifndef ASSETGATE_TESTS_SIMULATOR_LIBRARY_H_
#define ASSETGATE_TESTS_SIMULATOR_LIBRARY_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace assetgate::simulator {

enum class Phase { kQueued, kRunning, kSucceeded, kFailed, kCancelled };
absl::string_view PhaseName(Phase phase);

// Where an asset or a video stands at which time.
struct Course {
  enum class Ending { kSuccess, kFailure, kCancelled, kNever };

  absl::Time created;
  absl::Duration queue;  // from creation until work starts
  absl::Duration work;   // from then to the ending
  Ending ending = Ending::kSuccess;
  std::string failure;  // why, if the ending is kFailure
  std::optional<absl::Time> held_since;
  std::optional<absl::Time> ended_early;  // by force

  Phase At(absl::Time now) const;
  // 0 to 100.
  int PercentAt(absl::Time now) const;
  absl::Time StartTime() const { return created + queue; }
  absl::Time EndTime() const { return ended_early.value_or(created + queue + work); }
};

// Gives an object a bad ending if the text that decides it says so: the path of a media URL, or a
// prompt in which the word stands in square brackets. The words: `dead-link` (the media cannot be
// fetched), `moderated` (refused by review), `stuck` (never ends).
void ApplyFatefulWords(absl::string_view media_url, Course* course);
void ApplyFatefulWordsOfPrompt(absl::string_view prompt, Course* course);

struct Group {
  std::string id;
  std::string account;
  std::string platform;
  std::string name;
  std::string description;
  std::string project;
  absl::Time created;
};

struct Asset {
  std::string id;
  std::string tracking_id;  // what it is asked for by, where that is not its id
  std::string account;
  std::string platform;
  std::string group_id;
  std::string name;
  std::string url;
  std::string type;  // the dialect's word
  Course course;
  int64_t polls = 0;
};

struct Video {
  std::string id;
  std::string account;
  std::string model;
  std::string upstream;  // which of the provider's own providers makes it
  int64_t duration = 5;  // seconds
  std::string resolution = "720p";
  std::string ratio = "16:9";
  std::optional<int64_t> seed;
  bool return_last_frame = false;
  int64_t cost = 0;       // credits
  std::string request;    // JSON: the request, for dialects that echo it
  std::string effective;  // JSON: the options that reached the model
  Course course;
  int64_t polls = 0;
};

// Things by id in the order they came; the oldest leave when there are too many.
template <typename T>
class Shelf {
 public:
  explicit Shelf(size_t capacity) : capacity_(capacity) {}

  void Put(T thing) {
    if (order_.size() >= capacity_) {
      things_.erase(order_.front());
      order_.pop_front();
    }
    order_.push_back(thing.id);
    things_.insert_or_assign(thing.id, std::move(thing));
  }
  // Null if there is none of that id.
  T* Find(absl::string_view id) {
    const auto found = things_.find(std::string(id));
    return found == things_.end() ? nullptr : &found->second;
  }
  bool Erase(absl::string_view id) { return things_.erase(std::string(id)) > 0; }
  // The newest first, at most `limit`.
  std::vector<T> Newest(size_t limit) const {
    std::vector<T> newest;
    for (auto id = order_.rbegin(); id != order_.rend() && newest.size() < limit; ++id) {
      const auto found = things_.find(*id);
      if (found != things_.end()) newest.push_back(found->second);
    }
    return newest;
  }
  size_t size() const { return things_.size(); }

 private:
  const size_t capacity_;
  std::unordered_map<std::string, T> things_;
  std::deque<std::string> order_;  // erased ids stay until their turn comes
};

// Thread-safe. Everything is handed out as a copy, so that no lock is held over a caller.
class Library {
 public:
  // How many things of each kind are kept; with one more the oldest is forgotten.
  static constexpr size_t kCapacity = 1'000'000;

  void Add(Group group);
  void Add(Asset asset);
  void Add(Video video);

  std::optional<Group> FindGroup(absl::string_view id) const;
  // By id.
  std::optional<Asset> FindAsset(absl::string_view id) const;
  std::optional<Video> FindVideo(absl::string_view id) const;
  // The same for a client that asks: counts a poll. The asset by its tracking id.
  std::optional<Asset> PollAsset(absl::string_view tracking_id);
  std::optional<Video> PollVideo(absl::string_view id);
  bool EraseAsset(absl::string_view id);
  // Sets a video's cost, and returns what it was.
  int64_t ReplaceCost(absl::string_view id, int64_t cost);

  enum class Kind { kAsset, kVideo };
  // Takes a thing off its course: "succeed", "fail" (with a reason, or a made-up one), "cancel"
  // (videos), "hold" (it stands still), "release" (it stands where it would without the hold) or
  // "forget" (it was never there). NOT_FOUND, INVALID_ARGUMENT.
  absl::Status Force(Kind kind, absl::string_view id, absl::string_view action,
                     absl::string_view reason, absl::Time now);

  struct Counts {
    int64_t groups_made = 0;
    int64_t assets_made = 0;
    int64_t videos_made = 0;
  };
  Counts counts() const;

  // The newest first, at most `limit`.
  std::vector<Group> Groups(size_t limit) const;
  std::vector<Asset> Assets(size_t limit) const;
  std::vector<Video> Videos(size_t limit) const;

 private:
  Asset* FindTracked(absl::string_view tracking_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  mutable Shelf<Group> groups_ ABSL_GUARDED_BY(mu_){kCapacity};
  mutable Shelf<Asset> assets_ ABSL_GUARDED_BY(mu_){kCapacity};
  mutable Shelf<Video> videos_ ABSL_GUARDED_BY(mu_){kCapacity};
  std::unordered_map<std::string, std::string> asset_of_tracking_id_ ABSL_GUARDED_BY(mu_);
  Counts counts_ ABSL_GUARDED_BY(mu_);
};

// Random lower-case letters and digits; never the same twice in practice, nor after a restart.
// Thread-safe.
std::string RandomAlphanumerics(int length);
std::string RandomHex(int length);
std::string RandomUuid();

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_LIBRARY_H_
