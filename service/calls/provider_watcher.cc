#include "calls/provider_watcher.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "google/protobuf/util/message_differencer.h"
#include "model/resource.h"

namespace assetgate::calls {
namespace {

absl::Status Draining() {
  return base::Error(absl::StatusCode::kUnavailable, v1::DRAINING,
                     "the gateway is going away; watch again, at another one")
      .RetryAfter(absl::Seconds(1));
}

bool SameState(const v1::Provider& a, const v1::Provider& b) {
  return a.mode() == b.mode() && a.state() == b.state() && a.state_reason() == b.state_reason();
}

}  // namespace

// One open watch. All that it knows is guarded by the watcher's lock.
class ProviderWatcher::Stream final : public watch::EventStream {
 public:
  Stream(ProviderWatcher& watcher, const Caller& caller, std::shared_ptr<watch::Reader> reader)
      : watcher_(watcher),
        caller_(caller),
        reader_(std::move(reader)),
        last_bookmark_(watcher.loop_.Now()) {}
  ~Stream() override { Close(); }

  Pulled Next() override ABSL_LOCKS_EXCLUDED(watcher_.mu_) {
    absl::MutexLock lock(&watcher_.mu_);
    Pulled pulled = NextLocked();
    waiting_ = pulled.event == nullptr && !pulled.end.has_value();
    return pulled;
  }

  void Close() final ABSL_LOCKS_EXCLUDED(watcher_.mu_) {
    // Let go of after the lock.
    std::shared_ptr<watch::Reader> reader;
    absl::MutexLock lock(&watcher_.mu_);
    reader = std::move(reader_);
    closed_ = true;
    if (watcher_.streams_.erase(this) == 0 || !watcher_.streams_.empty()) return;
    watcher_.board_.clear();
    watcher_.looked_ = false;
  }

  // For the watcher, which holds its lock.

  // The reader, if it waits; it does not from now on.
  std::shared_ptr<watch::Reader> TakeWaiting() {
    watcher_.mu_.AssertHeld();
    return std::exchange(waiting_, false) ? reader_ : nullptr;
  }

  // Has a BOOKMARK told that would be late otherwise. Whether there is one now.
  bool WantBookmark(absl::Time before) {
    watcher_.mu_.AssertHeld();
    if (!complete_ || last_bookmark_ + watcher_.options_.bookmark_interval >= before) return false;
    return bookmark_wanted_ = true;
  }

 private:
  Pulled NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watcher_.mu_) {
    if (closed_) return {.end = absl::CancelledError("closed")};
    if (watcher_.draining_) return {.end = Draining()};
    if (!std::exchange(opened_, true)) return {.event = watcher_.reset_, .more = watcher_.looked_};
    if (!watcher_.looked_) return {};
    if (!joined_.has_value()) joined_ = watcher_.last_number_;
    // Not behind the changes: a reader that has enough of them to read needs it all the same.
    if (complete_ && bookmark_wanted_) return Bookmark(watcher_.bookmark_);
    if (const Posted* next = FindNext()) {
      told_ = next->number;
      return {.event = next->event, .more = !complete_ || FindNext() != nullptr};
    }
    if (!std::exchange(complete_, true)) return Bookmark(watcher_.snapshot_complete_);
    return {};
  }

  // What is to be told next; null when all of the board has been.
  const Posted* FindNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(watcher_.mu_) {
    const Posted* next = nullptr;
    for (const auto& [name, posted] : watcher_.board_) {
      if (posted.number <= told_ || (next != nullptr && next->number < posted.number)) continue;
      // It was gone before this reader came.
      if (posted.event->type() == v1::DELETE && posted.number <= *joined_) continue;
      if (caller_.MayUse(*model::ParseProvider(name))) next = &posted;
    }
    return next;
  }

  Pulled Bookmark(const watch::EventPtr& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(watcher_.mu_) {
    last_bookmark_ = watcher_.loop_.Now();
    bookmark_wanted_ = false;
    return {.event = event, .more = FindNext() != nullptr};
  }

  ProviderWatcher& watcher_;
  const Caller caller_;
  std::shared_ptr<watch::Reader> reader_ ABSL_GUARDED_BY(watcher_.mu_);
  bool closed_ ABSL_GUARDED_BY(watcher_.mu_) = false;
  bool waiting_ ABSL_GUARDED_BY(watcher_.mu_) = false;
  // RESET has been told.
  bool opened_ ABSL_GUARDED_BY(watcher_.mu_) = false;
  // Up to where the board had come when it was first read.
  std::optional<std::uint64_t> joined_ ABSL_GUARDED_BY(watcher_.mu_);
  // What is numbered so and below has been told, or superseded.
  std::uint64_t told_ ABSL_GUARDED_BY(watcher_.mu_) = 0;
  // The snapshot's end has been told.
  bool complete_ ABSL_GUARDED_BY(watcher_.mu_) = false;
  bool bookmark_wanted_ ABSL_GUARDED_BY(watcher_.mu_) = false;
  absl::Time last_bookmark_ ABSL_GUARDED_BY(watcher_.mu_);
};

ProviderWatcher::ProviderWatcher(reconcile::Reconciler& reconciler, base::EventLoop& loop,
                                 const Options& options)
    : reconciler_(reconciler),
      loop_(loop),
      options_(options),
      reset_(watch::Event::Reset(v1::FRESH)),
      snapshot_complete_(watch::Event::Bookmark("", /*snapshot_complete=*/true)),
      bookmark_(watch::Event::Bookmark("", /*snapshot_complete=*/false)) {}

std::shared_ptr<watch::EventStream> ProviderWatcher::Open(const Caller& caller,
                                                          std::shared_ptr<watch::Reader> reader) {
  auto stream = std::make_shared<Stream>(*this, caller, std::move(reader));
  bool first = false;
  bool tick = false;
  {
    absl::MutexLock lock(&mu_);
    first = streams_.empty();
    streams_.insert(stream.get());
    tick = !std::exchange(ticking_, true);
  }
  if (tick) PostTick();
  // Else the board is as good as new.
  if (first) Want(Look::kAll);
  return stream;
}

void ProviderWatcher::Drain() {
  Readers waiting;
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    waiting = TakeWaiting();
  }
  Wake(waiting);
}

void ProviderWatcher::OnProvidersChanged() { Want(Look::kStates); }

void ProviderWatcher::Want(Look look) {
  absl::Time when;
  {
    absl::MutexLock lock(&mu_);
    if (streams_.empty()) return;
    wanted_ = std::max(wanted_, look);
    if (wanted_ == Look::kNone || std::exchange(looking_, true)) return;
    when = last_look_ + options_.look_pause;
  }
  loop_.PostAt(when, [this] {
    Look wanted = Look::kNone;
    {
      absl::MutexLock lock(&mu_);
      wanted = std::exchange(wanted_, Look::kNone);
      // Nobody watches any more.
      if (streams_.empty()) {
        looking_ = false;
        return;
      }
      last_look_ = loop_.Now();
    }
    reconciler_.DescribeProviders(
        [this, wanted](absl::StatusOr<std::vector<v1::Provider>> described) {
          loop_.Post([this, wanted, providers = *std::move(described)]() mutable {
            OnLooked(wanted, std::move(providers));
          });
        });
  });
}

void ProviderWatcher::OnLooked(Look look, std::vector<v1::Provider> providers) {
  Readers waiting;
  {
    absl::MutexLock lock(&mu_);
    looking_ = false;
    if (streams_.empty()) return;
    const std::uint64_t before = last_number_;
    std::set<std::string> there;
    for (v1::Provider& provider : providers) {
      const std::string name = provider.name();
      there.insert(name);
      if (const auto posted = board_.find(name); posted != board_.end()) {
        const watch::Event& event = *posted->second.event;
        const v1::Provider& known = *event.provider();
        if (event.type() == v1::PUT &&
            (look == Look::kStates
                 ? SameState(known, provider)
                 : google::protobuf::util::MessageDifferencer::Equals(known, provider))) {
          continue;
        }
      }
      Post(name, watch::Event::OfProvider(v1::PUT, std::move(provider)));
    }
    for (const auto& [name, posted] : board_) {
      if (posted.event->type() == v1::DELETE || there.contains(name)) continue;
      Post(name, watch::Event::OfProvider(v1::DELETE, *posted.event->provider()));
    }
    const bool first = !std::exchange(looked_, true);
    if (first || last_number_ != before) waiting = TakeWaiting();
  }
  Wake(waiting);
  // For what has been asked for meanwhile.
  Want(Look::kNone);
}

void ProviderWatcher::PostTick() {
  loop_.PostAt(loop_.Now() + options_.look_interval, [this] { Tick(); });
}

void ProviderWatcher::Tick() {
  Readers waiting;
  {
    absl::MutexLock lock(&mu_);
    if (streams_.empty()) {
      ticking_ = false;
      return;
    }
    const absl::Time next = loop_.Now() + options_.look_interval;
    for (Stream* stream : streams_) {
      if (!stream->WantBookmark(next)) continue;
      if (std::shared_ptr<watch::Reader> reader = stream->TakeWaiting()) {
        waiting.push_back(std::move(reader));
      }
    }
  }
  PostTick();
  Want(Look::kAll);
  Wake(waiting);
}

void ProviderWatcher::Post(const std::string& name, watch::EventPtr event) {
  board_[name] = {++last_number_, std::move(event)};
}

ProviderWatcher::Readers ProviderWatcher::TakeWaiting() {
  Readers waiting;
  for (Stream* stream : streams_) {
    if (std::shared_ptr<watch::Reader> reader = stream->TakeWaiting()) {
      waiting.push_back(std::move(reader));
    }
  }
  return waiting;
}

void ProviderWatcher::Wake(const Readers& readers) {
  for (const std::shared_ptr<watch::Reader>& reader : readers) reader->OnReady();
}

}  // namespace assetgate::calls
