#include "cli/watch.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/file.h"
#include "cli/failure.h"
#include "cli/json.h"

namespace assetgate::cli {
namespace {

constexpr absl::Duration kFrameInterval = absl::Milliseconds(80);
constexpr std::size_t kInboxLimit = 1024;
// A resume token of each kind has some hundred bytes.
constexpr std::size_t kMaxBookmarkBytes = 64 << 10;

// What the follower threads say.
struct Connected {
  absl::string_view collection;
};
struct Disconnected {
  absl::string_view collection;
  std::string why;
  absl::Duration pause;
};
struct Ended {
  absl::Status status;
};
using Message = std::variant<v1::AssetEvent, v1::VideoTaskEvent, v1::ProviderEvent, Connected,
                             Disconnected, Ended>;

// From the follower threads to the showing one. Bounded: a full inbox stops the reading.
class Inbox {
 public:
  // Waits for room. Drops the message when the inbox is closed.
  void Put(Message message) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &Inbox::HasRoom));
    if (!closed_) messages_.push_back(std::move(message));
  }

  // What has arrived; waits for something until `deadline`, or until it is poked or closed.
  std::deque<Message> TakeAll(absl::Time deadline) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithDeadline(absl::Condition(this, &Inbox::HasNews), deadline);
    poked_ = false;
    return std::exchange(messages_, {});
  }

  // Makes TakeAll return.
  void Poke() {
    absl::MutexLock lock(&mu_);
    poked_ = true;
  }

  // From now on nothing is kept and nobody waits.
  void Close() {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    messages_.clear();
  }

 private:
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return closed_ || messages_.size() < kInboxLimit;
  }
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return closed_ || poked_ || !messages_.empty();
  }

  absl::Mutex mu_;
  std::deque<Message> messages_ ABSL_GUARDED_BY(mu_);
  bool poked_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

template <typename W>
class ToInbox final : public FollowListener<W> {
 public:
  explicit ToInbox(Inbox& inbox) : inbox_(inbox) {}
  void OnEvent(typename W::Event event) override { inbox_.Put(std::move(event)); }
  void OnConnected() override { inbox_.Put(Connected{W::kCollection}); }
  void OnDisconnected(const absl::Status& why, absl::Duration pause) override {
    inbox_.Put(Disconnected{W::kCollection, std::string(why.message()), pause});
  }

 private:
  Inbox& inbox_;
};

template <typename W>
std::thread StartFollowing(Client& client, typename W::Request request,
                           const FollowOptions& options, std::stop_token stop, Inbox& inbox) {
  return std::thread(
      [&client, request = std::move(request), options, stop = std::move(stop), &inbox] {
        ToInbox<W> listener(inbox);
        inbox.Put(Ended{Follow<W>(client, request, options, stop, listener)});
      });
}

}  // namespace

absl::Time LiveView::Refresh(const WatchModel& model, bool changed) {
  const absl::Time now = clock_.Now();
  dirty_ = dirty_ || changed;
  if (dirty_ && now < drawn_ + kFrameInterval) return drawn_ + kFrameInterval;
  const Terminal::Size size = terminal_.size();
  block_.Draw(RenderLive(
      model,
      {assets_, videos_, providers_, trouble_, now, size.width, std::max(1, size.height - 1)},
      look_));
  dirty_ = false;
  drawn_ = now;
  return now + absl::Seconds(1);
}

void LiveView::End(const WatchModel& model) {
  if (!keep_) {
    block_.Erase();
    block_.End();
    return;
  }
  const Terminal::Size size = terminal_.size();
  std::vector<std::string> lines = RenderLive(
      model, {assets_, videos_, providers_, trouble_, clock_.Now(), size.width, 0}, look_);
  block_.Draw(lines);
  block_.End();
  std::string results;
  for (const std::string& line : RenderResults(model, look_))
    absl::StrAppend(&results, line, "\r\n");
  if (!results.empty()) terminal_.Write(absl::StrCat("\r\n", results));
}

template <typename Event>
void LineView::Print(const Event& event, absl::string_view wrapper) {
  switch (format_) {
    case Format::kText:
      if (const std::string line = RenderEvent(event, clock_.Now(), look_); !line.empty()) {
        out_ << line << '\n';
      }
      break;
    case Format::kJson:
      out_ << ToJson(event) << '\n';
      break;
    case Format::kJsonWrapped:
      out_ << "{\"" << wrapper << "\":" << ToJson(event) << "}\n";
      break;
    case Format::kSilent:
      break;
  }
}

void LineView::Show(const v1::AssetEvent& event) { Print(event, "asset_event"); }
void LineView::Show(const v1::VideoTaskEvent& event) { Print(event, "video_task_event"); }
void LineView::Show(const v1::ProviderEvent& event) { Print(event, "provider_event"); }

void LineView::Trouble(const std::string& sentence) {
  out_.flush();
  err_ << "assetctl: " << (sentence.empty() ? "connected again" : Sanitize(sentence)) << std::endl;
}

absl::Time LineView::Refresh(const WatchModel&, bool changed) {
  if (changed) out_.flush();
  return absl::InfiniteFuture();
}

WatchOutcome Watch(Client& client, WatchPlan plan, const FollowOptions& options, WatchView& view,
                   Terminal* terminal, const std::stop_token& interrupted) {
  WatchOutcome outcome;
  Bookmarks bookmarks;
  if (!plan.resume_token_file.empty()) {
    auto read = ReadBookmarks(plan.resume_token_file);
    if (!read.ok()) {
      outcome.status = read.status();
      return outcome;
    }
    bookmarks = *std::move(read);
    if (plan.assets.has_value()) plan.assets->set_resume_token(bookmarks.assets);
    if (plan.videos.has_value()) plan.videos->set_resume_token(bookmarks.videos);
  }

  const absl::Time deadline = absl::Now() + plan.timeout;
  Inbox inbox;
  std::stop_source stop;
  const std::stop_callback on_interrupt(interrupted, [&inbox] { inbox.Poke(); });
  if (terminal != nullptr) terminal->OnResize([&inbox] { inbox.Poke(); });
  std::vector<std::thread> followers;
  if (plan.assets.has_value()) {
    followers.push_back(
        StartFollowing<AssetWatch>(client, *plan.assets, options, stop.get_token(), inbox));
  }
  if (plan.videos.has_value()) {
    followers.push_back(
        StartFollowing<VideoWatch>(client, *plan.videos, options, stop.get_token(), inbox));
  }
  if (plan.providers.has_value()) {
    followers.push_back(
        StartFollowing<ProviderWatch>(client, *plan.providers, options, stop.get_token(), inbox));
  }

  std::size_t open = followers.size();
  std::map<absl::string_view, std::string> troubles;  // By collection.
  bool new_bookmark = false;
  const auto tell_trouble = [&] { view.Trouble(troubles.empty() ? "" : troubles.begin()->second); };
  const auto take_event = [&](const auto& event, auto& holdings, std::string& bookmark) {
    holdings.Apply(event);
    view.Show(event);
    if (event.type() == v1::BOOKMARK && bookmark != event.resume_token()) {
      bookmark = event.resume_token();
      new_bookmark = true;
    }
  };
  absl::Time refresh = view.Refresh(outcome.model, true);
  while (open > 0) {
    std::deque<Message> messages = inbox.TakeAll(std::min(refresh, deadline));
    for (const Message& message : messages) {
      if (const auto* asset = std::get_if<v1::AssetEvent>(&message)) {
        take_event(*asset, outcome.model.assets, bookmarks.assets);
      } else if (const auto* video = std::get_if<v1::VideoTaskEvent>(&message)) {
        take_event(*video, outcome.model.videos, bookmarks.videos);
      } else if (const auto* provider = std::get_if<v1::ProviderEvent>(&message)) {
        outcome.model.providers.Apply(*provider);
        view.Show(*provider);
      } else if (const auto* connected = std::get_if<Connected>(&message)) {
        if (troubles.erase(connected->collection) > 0) tell_trouble();
      } else if (const auto* lost = std::get_if<Disconnected>(&message)) {
        troubles[lost->collection] =
            absl::StrCat("lost the watch of ", lost->collection, ", trying again in ",
                         absl::FormatDuration(absl::Trunc(lost->pause, absl::Milliseconds(100))),
                         ": ", lost->why);
        tell_trouble();
      } else if (const auto* ended = std::get_if<Ended>(&message)) {
        --open;
        if (!ended->status.ok() && outcome.status.ok()) outcome.status = ended->status;
      }
    }
    refresh = view.Refresh(outcome.model, !messages.empty());
    if (new_bookmark && !plan.resume_token_file.empty()) {
      const absl::Status written = WriteBookmarks(plan.resume_token_file, bookmarks);
      if (!written.ok() && outcome.status.ok()) outcome.status = written;
    }
    new_bookmark = false;
    if (!outcome.status.ok()) break;
    if (open == 0) break;
    if (interrupted.stop_requested()) {
      outcome.status = PlainError(absl::StatusCode::kCancelled, "interrupted");
      break;
    }
    if (absl::Now() >= deadline) {
      outcome.status =
          PlainError(absl::StatusCode::kDeadlineExceeded,
                     absl::StrCat("still watching after ", absl::FormatDuration(plan.timeout)));
      break;
    }
  }

  if (terminal != nullptr) terminal->OnResize(nullptr);
  stop.request_stop();
  inbox.Close();
  for (std::thread& follower : followers) follower.join();
  view.End(outcome.model);
  return outcome;
}

absl::StatusOr<Bookmarks> ReadBookmarks(const std::string& path) {
  Bookmarks bookmarks;
  const absl::StatusOr<std::string> text = base::ReadFile(path, kMaxBookmarkBytes);
  if (absl::IsNotFound(text.status())) return bookmarks;
  if (!text.ok()) {
    return PlainError(absl::StatusCode::kUnknown,
                      absl::StrCat("cannot read ", path, ": it ", text.status().message()));
  }
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    std::string* const token = parts.first == AssetWatch::kCollection   ? &bookmarks.assets
                               : parts.first == VideoWatch::kCollection ? &bookmarks.videos
                                                                        : nullptr;
    if (token == nullptr || !absl::Base64Unescape(parts.second, token)) {
      return PlainError(absl::StatusCode::kInvalidArgument,
                        absl::StrCat(path,
                                     " is not a resume token file of assetctl; take it away "
                                     "to start over"));
    }
  }
  return bookmarks;
}

absl::Status WriteBookmarks(const std::string& path, const Bookmarks& bookmarks) {
  const std::string temporary = absl::StrCat(path, ".new");
  std::ofstream file(temporary, std::ios::trunc);
  if (!bookmarks.assets.empty()) {
    file << AssetWatch::kCollection << ' ' << absl::Base64Escape(bookmarks.assets) << '\n';
  }
  if (!bookmarks.videos.empty()) {
    file << VideoWatch::kCollection << ' ' << absl::Base64Escape(bookmarks.videos) << '\n';
  }
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return PlainError(absl::StatusCode::kUnknown,
                      absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace assetgate::cli
