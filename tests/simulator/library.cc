#include "tests/simulator/library.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace assetgate::simulator {
namespace {

std::string RandomText(absl::string_view alphabet, int length) {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  std::uniform_int_distribution<size_t> pick(0, alphabet.size() - 1);
  std::string text;
  text.reserve(length);
  for (int i = 0; i < length; ++i) text.push_back(alphabet[pick(engine)]);
  return text;
}

void ApplyWord(absl::string_view text, absl::string_view open, absl::string_view close,
               Course* course) {
  const auto says = [&](absl::string_view word) {
    return absl::StrContains(text, absl::StrCat(open, word, close));
  };
  if (says("dead-link")) {
    course->ending = Course::Ending::kFailure;
    course->failure = "the media could not be fetched: the server answered 404";
  } else if (says("moderated")) {
    course->ending = Course::Ending::kFailure;
    course->failure = "the content was refused by moderation";
  } else if (says("stuck")) {
    course->ending = Course::Ending::kNever;
  }
}

// The path of a URL, without query and fragment.
absl::string_view PathOf(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != absl::string_view::npos) url.remove_prefix(scheme + 3);
  const size_t slash = url.find('/');
  if (slash == absl::string_view::npos) return "";
  url.remove_prefix(slash);
  return url.substr(0, url.find_first_of("?#"));
}

}  // namespace

absl::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kQueued:
      return "queued";
    case Phase::kRunning:
      return "running";
    case Phase::kSucceeded:
      return "succeeded";
    case Phase::kFailed:
      return "failed";
    case Phase::kCancelled:
      return "cancelled";
  }
  return "";
}

Phase Course::At(absl::Time now) const {
  if (held_since) now = std::min(now, *held_since);
  const bool may_end = ending != Ending::kNever;
  if (may_end && now >= EndTime()) {
    if (ending == Ending::kSuccess) return Phase::kSucceeded;
    return ending == Ending::kFailure ? Phase::kFailed : Phase::kCancelled;
  }
  return now >= StartTime() ? Phase::kRunning : Phase::kQueued;
}

int Course::PercentAt(absl::Time now) const {
  if (held_since) now = std::min(now, *held_since);
  switch (At(now)) {
    case Phase::kQueued:
      return 0;
    case Phase::kSucceeded:
      return 100;
    default:
      break;
  }
  if (work <= absl::ZeroDuration()) return 99;
  const double share = absl::FDivDuration(now - StartTime(), work);
  return std::clamp(static_cast<int>(share * 100), 1, 99);
}

void ApplyFatefulWords(absl::string_view media_url, Course* course) {
  ApplyWord(PathOf(media_url), "", "", course);
}

void ApplyFatefulWordsOfPrompt(absl::string_view prompt, Course* course) {
  ApplyWord(prompt, "[", "]", course);
}

void Library::Add(Group group) {
  absl::MutexLock lock(&mu_);
  ++counts_.groups_made;
  groups_.Put(std::move(group));
}

void Library::Add(Asset asset) {
  absl::MutexLock lock(&mu_);
  ++counts_.assets_made;
  if (!asset.tracking_id.empty()) asset_of_tracking_id_[asset.tracking_id] = asset.id;
  assets_.Put(std::move(asset));
}

void Library::Add(Video video) {
  absl::MutexLock lock(&mu_);
  ++counts_.videos_made;
  videos_.Put(std::move(video));
}

std::optional<Group> Library::FindGroup(absl::string_view id) const {
  absl::MutexLock lock(&mu_);
  const Group* group = groups_.Find(id);
  return group == nullptr ? std::nullopt : std::optional<Group>(*group);
}

std::optional<Asset> Library::FindAsset(absl::string_view id) const {
  absl::MutexLock lock(&mu_);
  const Asset* asset = assets_.Find(id);
  return asset == nullptr ? std::nullopt : std::optional<Asset>(*asset);
}

std::optional<Video> Library::FindVideo(absl::string_view id) const {
  absl::MutexLock lock(&mu_);
  const Video* video = videos_.Find(id);
  return video == nullptr ? std::nullopt : std::optional<Video>(*video);
}

Asset* Library::FindTracked(absl::string_view tracking_id) {
  const auto found = asset_of_tracking_id_.find(std::string(tracking_id));
  if (found == asset_of_tracking_id_.end()) {
    Asset* asset = assets_.Find(tracking_id);
    return asset != nullptr && asset->tracking_id.empty() ? asset : nullptr;
  }
  Asset* asset = assets_.Find(found->second);
  if (asset == nullptr) asset_of_tracking_id_.erase(found);
  return asset;
}

std::optional<Asset> Library::PollAsset(absl::string_view tracking_id) {
  absl::MutexLock lock(&mu_);
  Asset* asset = FindTracked(tracking_id);
  if (asset == nullptr) return std::nullopt;
  ++asset->polls;
  return *asset;
}

std::optional<Video> Library::PollVideo(absl::string_view id) {
  absl::MutexLock lock(&mu_);
  Video* video = videos_.Find(id);
  if (video == nullptr) return std::nullopt;
  ++video->polls;
  return *video;
}

bool Library::EraseAsset(absl::string_view id) {
  absl::MutexLock lock(&mu_);
  return assets_.Erase(id);
}

int64_t Library::ReplaceCost(absl::string_view id, int64_t cost) {
  absl::MutexLock lock(&mu_);
  Video* video = videos_.Find(id);
  return video == nullptr ? 0 : std::exchange(video->cost, cost);
}

absl::Status Library::Force(Kind kind, absl::string_view id, absl::string_view action,
                            absl::string_view reason, absl::Time now) {
  absl::MutexLock lock(&mu_);
  Course* course = nullptr;
  if (kind == Kind::kVideo) {
    Video* video = videos_.Find(id);
    if (video != nullptr) course = &video->course;
  } else {
    Asset* asset = assets_.Find(id);
    if (asset == nullptr) asset = FindTracked(id);
    if (asset != nullptr) {
      course = &asset->course;
      id = asset->id;
    }
  }
  if (course == nullptr) return absl::NotFoundError(absl::StrCat("nothing has the id ", id));

  const auto end_with = [&](Course::Ending ending) {
    course->ending = ending;
    course->ended_early = now;
    course->held_since.reset();
  };
  if (action == "succeed") {
    end_with(Course::Ending::kSuccess);
  } else if (action == "fail") {
    end_with(Course::Ending::kFailure);
    course->failure = reason.empty() ? "failed on demand" : std::string(reason);
  } else if (action == "cancel" && kind == Kind::kVideo) {
    end_with(Course::Ending::kCancelled);
  } else if (action == "hold") {
    course->held_since = now;
  } else if (action == "release") {
    course->held_since.reset();
  } else if (action == "forget") {
    const std::string key(id);  // `id` may be part of the erased object
    if (kind == Kind::kVideo) {
      videos_.Erase(key);
    } else {
      assets_.Erase(key);
    }
  } else {
    return absl::InvalidArgumentError(
        "state must be succeed, fail, cancel (videos), hold, release or forget");
  }
  return absl::OkStatus();
}

Library::Counts Library::counts() const {
  absl::MutexLock lock(&mu_);
  return counts_;
}

std::vector<Group> Library::Groups(size_t limit) const {
  absl::MutexLock lock(&mu_);
  return groups_.Newest(limit);
}

std::vector<Asset> Library::Assets(size_t limit) const {
  absl::MutexLock lock(&mu_);
  return assets_.Newest(limit);
}

std::vector<Video> Library::Videos(size_t limit) const {
  absl::MutexLock lock(&mu_);
  return videos_.Newest(limit);
}

std::string RandomAlphanumerics(int length) {
  return RandomText("abcdefghijklmnopqrstuvwxyz0123456789", length);
}

std::string RandomHex(int length) { return RandomText("0123456789abcdef", length); }

std::string RandomUuid() {
  return absl::StrCat(RandomHex(8), "-", RandomHex(4), "-4", RandomHex(3), "-a", RandomHex(3), "-",
                      RandomHex(12));
}

}  // namespace assetgate::simulator
