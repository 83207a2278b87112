#include "cli/watch.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <utility>
#include <variant>
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
// A resume token has a few hundred bytes.
constexpr std::size_t kMaxBookmarkBytes = 64 << 10;

// The messages from the follower threads.
struct Connected {
  absl::string_view collection;
};
struct Disconnected {
  absl::string_view collection;
  std::string why;
  absl::Duration backoff;
};
struct Ended {
  absl::Status status;
};
using Message = std::variant<v1::AssetEvent, v1::VideoTaskEvent, v1::ProviderEvent, Connected,
                             Disconnected, Ended>;

// The queue from the follower threads to the thread that shows. Bounded: a full inbox stops the
// reading.
class Inbox {
 public:
  // Waits for space. Drops the message when the inbox is closed.
  void Put(Message message) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &Inbox::HasRoom));
    if (!closed_) messages_.push_back(std::move(message));
  }

  // Takes all messages; waits for the first one until `deadline`, Wake or Close.
  std::deque<Message> TakeAll(absl::Time deadline) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithDeadline(absl::Condition(this, &Inbox::HasNews), deadline);
    awake_ = false;
    return std::exchange(messages_, {});
  }

  // Makes TakeAll return.
  void Wake() {
    absl::MutexLock lock(&mu_);
    awake_ = true;
  }

  // From now on every message is dropped and no call waits.
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
    return closed_ || awake_ || !messages_.empty();
  }

  absl::Mutex mu_;
  std::deque<Message> messages_ ABSL_GUARDED_BY(mu_);
  bool awake_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

template <typename W>
class ToInbox final : public FollowListener<W> {
 public:
  explicit ToInbox(Inbox& inbox) : inbox_(inbox) {}
  void OnEvent(typename W::Event event) override { inbox_.Put(std::move(event)); }
  void OnConnected() override { inbox_.Put(Connected{W::kCollection}); }
  void OnDisconnected(const absl::Status& why, absl::Duration backoff) override {
    inbox_.Put(Disconnected{W::kCollection, std::string(why.message()), backoff});
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

// Starts one follower thread per watch of `plan`.
std::vector<std::thread> StartFollowers(Client& client, const WatchPlan& plan,
                                        const FollowOptions& options, const std::stop_token& stop,
                                        Inbox& inbox) {
  std::vector<std::thread> followers;
  if (plan.assets.has_value()) {
    followers.push_back(StartFollowing<AssetWatch>(client, *plan.assets, options, stop, inbox));
  }
  if (plan.videos.has_value()) {
    followers.push_back(StartFollowing<VideoWatch>(client, *plan.videos, options, stop, inbox));
  }
  if (plan.providers.has_value()) {
    followers.push_back(
        StartFollowing<ProviderWatch>(client, *plan.providers, options, stop, inbox));
  }
  return followers;
}

// The state of a watch: applies the messages of the followers and passes them on to the view.
class WatchState {
 public:
  WatchState(Bookmarks bookmarks, std::size_t open, WatchView& view)
      : bookmarks_(std::move(bookmarks)), open_(open), view_(view) {}

  void Apply(const Message& message) {
    std::visit([this](const auto& each) { Take(each); }, message);
  }

  WatchOutcome& outcome() { return outcome_; }
  const Bookmarks& bookmarks() const { return bookmarks_; }
  // Whether a stream is still open.
  bool open() const { return open_ > 0; }
  // Whether a bookmark has changed since the last call.
  bool TakeNewBookmark() { return std::exchange(new_bookmark_, false); }

 private:
  void Take(const v1::AssetEvent& event) {
    TakeEvent(event, outcome_.model.assets, bookmarks_.assets);
  }
  void Take(const v1::VideoTaskEvent& event) {
    TakeEvent(event, outcome_.model.videos, bookmarks_.videos);
  }
  void Take(const v1::ProviderEvent& event) {
    outcome_.model.providers.Apply(event);
    view_.Show(event);
  }
  void Take(const Connected& connected) {
    if (troubles_.erase(connected.collection) > 0) ShowTrouble();
  }
  void Take(const Disconnected& lost) {
    troubles_[lost.collection] = absl::StrCat(
        "lost the watch of ", lost.collection, ", trying again in ",
        absl::FormatDuration(absl::Trunc(lost.backoff, absl::Milliseconds(100))), ": ", lost.why);
    ShowTrouble();
  }
  void Take(const Ended& ended) {
    --open_;
    if (!ended.status.ok() && outcome_.status.ok()) outcome_.status = ended.status;
  }

  template <typename Event, typename Resources>
  void TakeEvent(const Event& event, Resources& resources, std::string& bookmark) {
    resources.Apply(event);
    view_.Show(event);
    if (event.type() == v1::BOOKMARK && bookmark != event.resume_token()) {
      bookmark = event.resume_token();
      new_bookmark_ = true;
    }
  }
  void ShowTrouble() { view_.ShowTrouble(troubles_.empty() ? "" : troubles_.begin()->second); }

  WatchOutcome outcome_;
  Bookmarks bookmarks_;
  std::size_t open_;
  bool new_bookmark_ = false;
  // By collection.
  std::map<absl::string_view, std::string> troubles_;
  WatchView& view_;
};

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

void LineView::ShowTrouble(const std::string& sentence) {
  out_.flush();
  err_ << "assetctl: " << (sentence.empty() ? "connected again" : Sanitize(sentence)) << std::endl;
}

absl::Time LineView::Refresh(const WatchModel&, bool changed) {
  if (changed) out_.flush();
  return absl::InfiniteFuture();
}

WatchOutcome Watch(Client& client, WatchPlan plan, const FollowOptions& options, WatchView& view,
                   Terminal* terminal, const std::stop_token& interrupted) {
  Bookmarks bookmarks;
  if (!plan.resume_token_file.empty()) {
    auto read = ReadBookmarks(plan.resume_token_file);
    if (!read.ok()) return {.status = read.status(), .model = {}};
    bookmarks = *std::move(read);
    if (plan.assets.has_value()) plan.assets->set_resume_token(bookmarks.assets);
    if (plan.videos.has_value()) plan.videos->set_resume_token(bookmarks.videos);
  }

  const absl::Time deadline = absl::Now() + plan.timeout;
  Inbox inbox;
  std::stop_source stop;
  const std::stop_callback on_interrupt(interrupted, [&inbox] { inbox.Wake(); });
  if (terminal != nullptr) terminal->OnResize([&inbox] { inbox.Wake(); });
  std::vector<std::thread> followers =
      StartFollowers(client, plan, options, stop.get_token(), inbox);

  WatchState state(std::move(bookmarks), followers.size(), view);
  WatchOutcome& outcome = state.outcome();
  absl::Time refresh = view.Refresh(outcome.model, true);
  while (state.open()) {
    const std::deque<Message> messages = inbox.TakeAll(std::min(refresh, deadline));
    for (const Message& message : messages) state.Apply(message);
    refresh = view.Refresh(outcome.model, !messages.empty());
    if (state.TakeNewBookmark() && !plan.resume_token_file.empty()) {
      const absl::Status written = WriteBookmarks(plan.resume_token_file, state.bookmarks());
      if (!written.ok() && outcome.status.ok()) outcome.status = written;
    }
    if (!outcome.status.ok() || !state.open()) break;
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
  return std::move(outcome);
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
                                     " is not a resume token file of assetctl; remove it to "
                                     "start over"));
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
