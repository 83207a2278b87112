// The groups, assets and videos of one simulated provider. The course of each through its states is
// set at its creation and follows the clock; nothing runs in the background.
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

// The state of an asset or a video as a function of time.
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

// Sets a course that fails or never ends, if one of these words is in the path of the media URL, or
// in square brackets in the prompt: `dead-link` (the media cannot be fetched), `moderated` (refused
// by review), `stuck` (never ends).
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
  std::string tracking_id;  // the id by which it is polled, where it differs from `id`
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
  std::string upstream;  // the provider's own provider
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

// Objects by id in the order of their creation; beyond the capacity the oldest are removed.
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
  // Null for an unknown id.
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

// Thread-safe. All results are copies, so that callers hold no lock.
class Library {
 public:
  // How many objects of each kind are kept; one more removes the oldest.
  static constexpr size_t kCapacity = 1'000'000;

  void Add(Group group);
  void Add(Asset asset);
  void Add(Video video);

  std::optional<Group> FindGroup(absl::string_view id) const;
  // By id.
  std::optional<Asset> FindAsset(absl::string_view id) const;
  std::optional<Video> FindVideo(absl::string_view id) const;
  // The same for a client's poll, which is counted. The asset by its tracking id.
  std::optional<Asset> PollAsset(absl::string_view tracking_id);
  std::optional<Video> PollVideo(absl::string_view id);
  bool EraseAsset(absl::string_view id);
  // Sets a video's cost and returns the old one.
  int64_t ReplaceCost(absl::string_view id, int64_t cost);

  enum class Kind { kAsset, kVideo };
  // Changes the course of an object: "succeed", "fail" (with the reason, or a default one),
  // "cancel" (videos), "hold" (it stops), "release" (it is where it would be without the hold) or
  // "forget" (it is removed). NOT_FOUND, INVALID_ARGUMENT.
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

// Random lower-case letters and digits; practically unique, also after a restart.
// Thread-safe.
std::string RandomAlphanumerics(int length);
std::string RandomHex(int length);
std::string RandomUuid();

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_LIBRARY_H_
