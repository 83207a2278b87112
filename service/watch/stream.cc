#include "watch/stream.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "watch/resume_token.h"

namespace assetgate::watch {

Stream::Stream(const Shared& shared, WatchRequest request, std::shared_ptr<Reader> reader)
    : shared_(shared),
      interest_(Interest::Normalized({std::move(request.tenant), request.kind,
                                      std::move(request.ids), std::move(request.filter)})),
      fingerprint_(interest_.Fingerprint()),
      replay_(shared.store, interest_, request.resume_token, request.until_settled,
              shared.options.replay),
      retry_delay_(shared.options.initial_retry_delay),
      reader_(std::move(reader)),
      settling_(request.until_settled ? std::make_unique<Settling>(!interest_.ids.empty())
                                      : nullptr),
      bookmark_when_caught_up_(!request.resume_token.empty()),
      last_bookmark_(shared.hub.loop().Now()) {}

template <void (Stream::*on_time)()>
void Stream::PostTimer(absl::Time when) {
  // Weak, so that a closed stream does not live until its timers are due.
  shared_.hub.loop().PostAt(when, [weak = weak_from_this()] {
    if (const std::shared_ptr<Stream> self = weak.lock()) (*self.*on_time)();
  });
}

Stream::Pulled Stream::Next() {
  FollowUp follow_up;
  Pulled pulled;
  absl::Time interval_due;
  {
    absl::MutexLock lock(&mu_);
    follow_up.start = !std::exchange(started_, true);
    interval_due = last_bookmark_ + shared_.options.bookmark_interval;
    waiting_ = Waiting::kNo;
    pulled = NextLocked(follow_up);
    if (pulled.event == nullptr && !pulled.end.has_value()) waiting_ = Waiting::kYes;
  }
  if (follow_up.start) PostTimer<&Stream::OnIntervalTimer>(interval_due);
  if (follow_up.read_page) PostReadPage();
  if (follow_up.quiet_timer) {
    PostTimer<&Stream::OnQuietTimer>(shared_.hub.loop().Now() + shared_.options.bookmark_quiet);
  }
  return pulled;
}

Stream::Pulled Stream::NextLocked(FollowUp& follow_up) {
  if (closed_ && !end_.has_value()) end_ = absl::CancelledError("closed");
  if (end_.has_value()) return {.end = end_};
  if (draining_) return DrainLocked();

  // A slow reader with a long backlog reaches no new safe point for a long time. It gets the last
  // one again, which still holds.
  const bool backlog = page_next_ < page_.size() || !mailbox_.drained();
  if (bookmark_wanted_ && backlog && safe_.has_value() &&
      shared_.hub.loop().Now() - last_bookmark_ >= shared_.options.bookmark_interval) {
    const auto unmarked = unmarked_events_;
    EventPtr bookmark = MakeBookmark();
    // The bookmark does not cover the events delivered since.
    unmarked_events_ = unmarked;
    return {.event = std::move(bookmark), .more = true};
  }
  if (page_next_ < page_.size()) return Deliver(std::move(page_[page_next_++]), follow_up);
  page_ = {};
  page_next_ = 0;
  if (page_upto_.has_value()) safe_ = std::exchange(page_upto_, std::nullopt);
  if (failure_.has_value()) {
    end_ = std::move(failure_);
    return {.end = end_};
  }
  if (phase_ != Phase::kReplay) {
    if (EventPtr event = mailbox_.Take()) return Deliver(std::move(event), follow_up);
    if (phase_ == Phase::kLive && mailbox_.empty()) {
      // Read under the lock that Put needs: every event up to there is in the mailbox, or was not
      // for it.
      mailbox_.NextGeneration(shared_.hub.offered_upto());
    }
    safe_ = mailbox_.safe();
  }

  // The reader has everything up to `safe_`, where that is known.
  if (safe_.has_value()) {
    const bool done = settling_ != nullptr && settling_->done();
    if (done) end_ = absl::OkStatus();
    if (bookmark_wanted_ || unmarked_events_ >= shared_.options.bookmark_changes ||
        (done && unmarked_events_ > 0)) {
      return {.event = MakeBookmark(), .more = done};
    }
    if (done) return {.end = end_};
  }

  switch (phase_) {
    case Phase::kLive:
      mailbox_.NextGeneration(shared_.hub.offered_upto());
      if (EventPtr event = mailbox_.Take()) return Deliver(std::move(event), follow_up);
      return {};
    case Phase::kMailbox:
      continue_after_ = mailbox_.safe();
      phase_ = Phase::kReplay;
      break;
    case Phase::kReplay:
      break;
  }
  if (step_ == Step::kIdle) {
    step_ = Step::kPending;
    follow_up.read_page = true;
  }
  return {};
}

Stream::Pulled Stream::DrainLocked() {
  end_ = base::Draining("reconnect with the last resume token");
  if (page_next_ == page_.size()) {
    if (page_upto_.has_value()) safe_ = page_upto_;
    if (phase_ == Phase::kLive && mailbox_.empty()) {
      mailbox_.NextGeneration(shared_.hub.offered_upto());
      safe_ = mailbox_.safe();
    }
  }
  // Pending events come after this revision: the reader gets them when it resumes.
  if (safe_.has_value()) return {.event = MakeBookmark(), .more = true};
  return {.end = end_};
}

Stream::Pulled Stream::Deliver(EventPtr event, FollowUp& follow_up) {
  if (settling_ != nullptr) settling_->OnDelivered(*event);
  switch (event->type()) {
    case v1::BOOKMARK:
      last_bookmark_ = shared_.hub.loop().Now();
      bookmark_wanted_ = false;
      unmarked_events_ = 0;
      break;
    case v1::RESET:
      // No token until the snapshot is complete; its own bookmark marks that.
      safe_.reset();
      bookmark_when_caught_up_ = false;
      bookmark_wanted_ = false;
      break;
    default:
      ++unmarked_events_;
      if (!std::exchange(quiet_timer_posted_, true)) follow_up.quiet_timer = true;
      break;
  }
  const bool more = page_next_ < page_.size() || (phase_ != Phase::kReplay && !mailbox_.drained());
  return {.event = std::move(event), .more = more};
}

EventPtr Stream::MakeBookmark() {
  last_bookmark_ = shared_.hub.loop().Now();
  bookmark_wanted_ = false;
  unmarked_events_ = 0;
  return Event::Bookmark(MakeResumeToken(shared_.store.store_id(), fingerprint_, *safe_), false);
}

void Stream::Close() {
  std::shared_ptr<Reader> reader;
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(closed_, true)) return;
    reader = std::move(reader_);
    page_ = {};
    page_next_ = 0;
    mailbox_.Overflow();
  }
  shared_.on_closed(this);
  shared_.hub.Leave(shared_from_this());
}

void Stream::Drain() {
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
  }
  Wake();
}

void Stream::PostReadPage() {
  shared_.replay_loop.Post([self = shared_from_this()] { self->ReadPage(); });
}

void Stream::ReadPage() {
  std::optional<store::Revision> continue_after;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    continue_after = std::exchange(continue_after_, std::nullopt);
  }
  if (continue_after.has_value()) replay_.ContinueAfter(*continue_after);
  absl::StatusOr<Replay::Page> page = replay_.Next();
  if (page.ok()) {
    retry_delay_ = shared_.options.initial_retry_delay;
    OnPage(*std::move(page));
  } else {
    OnReadFailed(page.status());
  }
}

void Stream::OnPage(Replay::Page page) {
  const bool join = page.caught_up;
  const store::Revision upto = page.upto.value_or(0);
  {
    absl::MutexLock lock(&mu_);
    if (page.unsettled.has_value() && settling_ != nullptr) {
      settling_->OnResumed(*std::move(page.unsettled));
    }
    page_ = std::move(page.events);
    page_next_ = 0;
    page_upto_ = page.upto;
    if (page.snapshot_complete) {
      page_.push_back(
          Event::Bookmark(MakeResumeToken(shared_.store.store_id(), fingerprint_, upto), true));
    }
    // Otherwise the step stays pending until the hub replies.
    if (!join) step_ = Step::kIdle;
  }
  if (join) shared_.hub.Join(shared_from_this(), upto);
  Wake();
}

void Stream::OnReadFailed(absl::Status status) {
  if (absl::IsUnavailable(status)) {
    const absl::Duration delay = retry_delay_;
    retry_delay_ = std::min(2 * delay, shared_.options.max_retry_delay);
    PostTimer<&Stream::PostReadPage>(shared_.hub.loop().Now() + delay);
    return;
  }
  {
    absl::MutexLock lock(&mu_);
    failure_ = std::move(status);
    step_ = Step::kIdle;
  }
  Wake();
}

bool Stream::OnJoined(store::Revision upto, std::vector<EventPtr> missed) {
  absl::MutexLock lock(&mu_);
  if (closed_) return false;
  step_ = Step::kIdle;
  mailbox_.Open(upto);
  for (EventPtr& event : missed) mailbox_.Put(std::move(event));
  // The stream continues with the log where it stopped.
  if (mailbox_.overflowed()) return false;
  phase_ = Phase::kLive;
  if (settling_ != nullptr) settling_->OnCaughtUp();
  if (std::exchange(bookmark_when_caught_up_, false)) bookmark_wanted_ = true;
  return true;
}

void Stream::OnTooFarBehind() {
  absl::MutexLock lock(&mu_);
  step_ = Step::kIdle;
}

Subscriber::Offered Stream::Offer(const EventPtr& event) {
  absl::MutexLock lock(&mu_);
  mailbox_.Put(event);
  if (mailbox_.overflowed()) {
    phase_ = Phase::kMailbox;
    return Offered::kOverflow;
  }
  if (waiting_ != Waiting::kYes) return Offered::kTaken;
  waiting_ = Waiting::kToBeWoken;
  return Offered::kWake;
}

void Stream::OnLost() {
  absl::MutexLock lock(&mu_);
  mailbox_.Overflow();
  phase_ = Phase::kMailbox;
}

void Stream::Wake() {
  std::shared_ptr<Reader> reader;
  {
    absl::MutexLock lock(&mu_);
    if (waiting_ == Waiting::kNo) return;
    waiting_ = Waiting::kNo;
    reader = reader_;
  }
  if (reader != nullptr) reader->OnReady();
}

void Stream::OnIntervalTimer() {
  const absl::Duration interval = shared_.options.bookmark_interval;
  const absl::Time now = shared_.hub.loop().Now();
  absl::Time due;
  bool wanted = false;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    due = last_bookmark_ + interval;
    wanted = due <= now;
    if (wanted) bookmark_wanted_ = true;
    // The clock may have been set back.
    if (wanted || due > now + interval) due = now + interval;
  }
  PostTimer<&Stream::OnIntervalTimer>(due);
  if (wanted) Wake();
}

void Stream::OnQuietTimer() {
  bool again = false;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    again = unmarked_events_ != unmarked_at_quiet_timer_;
    unmarked_at_quiet_timer_ = unmarked_events_;
    quiet_timer_posted_ = again;
    if (!again && unmarked_events_ > 0) bookmark_wanted_ = true;
  }
  if (again) {
    PostTimer<&Stream::OnQuietTimer>(shared_.hub.loop().Now() + shared_.options.bookmark_quiet);
  } else {
    Wake();
  }
}

}  // namespace assetgate::watch
