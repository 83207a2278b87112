#include "calls/provider_watches.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "google/protobuf/util/message_differencer.h"
#include "model/resource.h"

namespace assetgate::calls {
namespace {

bool SameState(const v1::Provider& a, const v1::Provider& b) {
  return a.mode() == b.mode() && a.state() == b.state() && a.state_reason() == b.state_reason();
}

}  // namespace

// One open watch. Its state is guarded by the lock of ProviderWatches.
class ProviderWatches::Stream final : public watch::EventStream {
 public:
  Stream(ProviderWatches& watches, const Caller& caller, std::shared_ptr<watch::Reader> reader)
      : watches_(watches),
        caller_(caller),
        reader_(std::move(reader)),
        last_bookmark_(watches.loop_.Now()) {}
  ~Stream() override { Close(); }

  Pulled Next() override ABSL_LOCKS_EXCLUDED(watches_.mu_) {
    absl::MutexLock lock(&watches_.mu_);
    Pulled pulled = NextLocked();
    waiting_ = pulled.event == nullptr && !pulled.end.has_value();
    return pulled;
  }

  void Close() final ABSL_LOCKS_EXCLUDED(watches_.mu_) {
    // Destroyed after the lock is released.
    std::shared_ptr<watch::Reader> reader;
    absl::MutexLock lock(&watches_.mu_);
    reader = std::move(reader_);
    closed_ = true;
    if (watches_.streams_.erase(this) == 0 || !watches_.streams_.empty()) return;
    watches_.board_.clear();
    watches_.filled_ = false;
  }

  // For ProviderWatches, which holds its lock.

  // The reader if it waits for an event; from now on it does not.
  std::shared_ptr<watch::Reader> TakeWaiting() {
    watches_.mu_.AssertHeld();
    return std::exchange(waiting_, false) ? reader_ : nullptr;
  }

  // Has a BOOKMARK delivered next if one is due before `before`. Returns whether it is.
  bool WantBookmark(absl::Time before) {
    watches_.mu_.AssertHeld();
    if (!complete_ || last_bookmark_ + watches_.options_.bookmark_interval >= before) return false;
    return bookmark_wanted_ = true;
  }

 private:
  Pulled NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(watches_.mu_) {
    if (closed_) return {.end = absl::CancelledError("closed")};
    if (watches_.draining_) return {.end = base::Draining("watch again, at another gateway")};
    if (!std::exchange(opened_, true)) return {.event = watches_.reset_, .more = watches_.filled_};
    if (!watches_.filled_) return {};
    if (!joined_.has_value()) joined_ = watches_.last_number_;
    // Before the changes: a reader that always has changes to read needs bookmarks too.
    if (complete_ && bookmark_wanted_) return Bookmark(watches_.bookmark_);
    if (const Posted* next = FindNext()) {
      delivered_ = next->number;
      return {.event = next->event, .more = !complete_ || FindNext() != nullptr};
    }
    if (!std::exchange(complete_, true)) return Bookmark(watches_.snapshot_complete_);
    return {};
  }

  // The next event to deliver; null when the whole board has been delivered.
  const Posted* FindNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(watches_.mu_) {
    const Posted* next = nullptr;
    for (const auto& [name, posted] : watches_.board_) {
      if (posted.number <= delivered_ || (next != nullptr && next->number < posted.number))
        continue;
      // The provider was deleted before this stream joined.
      if (posted.event->type() == v1::DELETE && posted.number <= *joined_) continue;
      if (caller_.MayUse(*model::ParseProvider(name))) next = &posted;
    }
    return next;
  }

  Pulled Bookmark(const watch::EventPtr& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(watches_.mu_) {
    last_bookmark_ = watches_.loop_.Now();
    bookmark_wanted_ = false;
    return {.event = event, .more = FindNext() != nullptr};
  }

  ProviderWatches& watches_;
  const Caller caller_;
  std::shared_ptr<watch::Reader> reader_ ABSL_GUARDED_BY(watches_.mu_);
  bool closed_ ABSL_GUARDED_BY(watches_.mu_) = false;
  bool waiting_ ABSL_GUARDED_BY(watches_.mu_) = false;
  // RESET has been delivered.
  bool opened_ ABSL_GUARDED_BY(watches_.mu_) = false;
  // The board's newest number when the stream first read it.
  std::optional<std::uint64_t> joined_ ABSL_GUARDED_BY(watches_.mu_);
  // Events up to this number have been delivered or superseded.
  std::uint64_t delivered_ ABSL_GUARDED_BY(watches_.mu_) = 0;
  // The end of the snapshot has been delivered.
  bool complete_ ABSL_GUARDED_BY(watches_.mu_) = false;
  bool bookmark_wanted_ ABSL_GUARDED_BY(watches_.mu_) = false;
  absl::Time last_bookmark_ ABSL_GUARDED_BY(watches_.mu_);
};

ProviderWatches::ProviderWatches(reconcile::Reconciler& reconciler, base::EventLoop& loop,
                                 const Options& options)
    : reconciler_(reconciler),
      loop_(loop),
      options_(options),
      reset_(watch::Event::Reset(v1::FRESH)),
      snapshot_complete_(watch::Event::Bookmark("", /*snapshot_complete=*/true)),
      bookmark_(watch::Event::Bookmark("", /*snapshot_complete=*/false)) {}

std::shared_ptr<watch::EventStream> ProviderWatches::Open(const Caller& caller,
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
  // Otherwise the board is up to date.
  if (first) RequestRead(Scope::kAll);
  return stream;
}

void ProviderWatches::Drain() {
  Readers waiting;
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    waiting = TakeWaiting();
  }
  Wake(waiting);
}

void ProviderWatches::OnProvidersChanged() { RequestRead(Scope::kStates); }

void ProviderWatches::RequestRead(Scope scope) {
  absl::Time when;
  {
    absl::MutexLock lock(&mu_);
    if (streams_.empty()) return;
    wanted_ = std::max(wanted_, scope);
    if (wanted_ == Scope::kNone || std::exchange(reading_, true)) return;
    when = last_read_ + options_.min_read_interval;
  }
  loop_.PostAt(when, [this] { Read(); });
}

void ProviderWatches::Read() {
  Scope scope = Scope::kNone;
  {
    absl::MutexLock lock(&mu_);
    scope = std::exchange(wanted_, Scope::kNone);
    if (streams_.empty()) {
      reading_ = false;
      return;
    }
    last_read_ = loop_.Now();
  }
  reconciler_.DescribeProviders([this, scope](absl::StatusOr<std::vector<v1::Provider>> described) {
    loop_.Post([this, scope, providers = *std::move(described)]() mutable {
      OnRead(scope, std::move(providers));
    });
  });
}

void ProviderWatches::OnRead(Scope scope, std::vector<v1::Provider> providers) {
  Readers waiting;
  {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    if (streams_.empty()) return;
    const std::uint64_t before = last_number_;
    UpdateBoard(scope, std::move(providers));
    const bool first = !std::exchange(filled_, true);
    if (first || last_number_ != before) waiting = TakeWaiting();
  }
  Wake(waiting);
  // A change may have been reported meanwhile.
  RequestRead(Scope::kNone);
}

void ProviderWatches::UpdateBoard(Scope scope, std::vector<v1::Provider> providers) {
  std::set<std::string> configured;
  for (v1::Provider& provider : providers) {
    const std::string name = provider.name();
    configured.insert(name);
    if (const auto posted = board_.find(name); posted != board_.end()) {
      const watch::Event& event = *posted->second.event;
      const v1::Provider& known = *event.provider();
      if (event.type() == v1::PUT &&
          (scope == Scope::kStates
               ? SameState(known, provider)
               : google::protobuf::util::MessageDifferencer::Equals(known, provider))) {
        continue;
      }
    }
    Post(name, watch::Event::OfProvider(v1::PUT, std::move(provider)));
  }
  for (const auto& [name, posted] : board_) {
    if (posted.event->type() == v1::DELETE || configured.contains(name)) continue;
    Post(name, watch::Event::OfProvider(v1::DELETE, *posted.event->provider()));
  }
}

void ProviderWatches::PostTick() {
  loop_.PostAt(loop_.Now() + options_.read_interval, [this] { Tick(); });
}

void ProviderWatches::Tick() {
  Readers waiting;
  {
    absl::MutexLock lock(&mu_);
    if (streams_.empty()) {
      ticking_ = false;
      return;
    }
    const absl::Time next = loop_.Now() + options_.read_interval;
    for (Stream* stream : streams_) {
      if (!stream->WantBookmark(next)) continue;
      if (std::shared_ptr<watch::Reader> reader = stream->TakeWaiting()) {
        waiting.push_back(std::move(reader));
      }
    }
  }
  PostTick();
  RequestRead(Scope::kAll);
  Wake(waiting);
}

void ProviderWatches::Post(const std::string& name, watch::EventPtr event) {
  board_[name] = {++last_number_, std::move(event)};
}

ProviderWatches::Readers ProviderWatches::TakeWaiting() {
  Readers waiting;
  for (Stream* stream : streams_) {
    if (std::shared_ptr<watch::Reader> reader = stream->TakeWaiting()) {
      waiting.push_back(std::move(reader));
    }
  }
  return waiting;
}

void ProviderWatches::Wake(const Readers& readers) {
  for (const std::shared_ptr<watch::Reader>& reader : readers) reader->OnReady();
}

}  // namespace assetgate::calls
