// One open watch over stored resources.
#ifndef ASSETGATE_WATCH_STREAM_H_
#define ASSETGATE_WATCH_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "store/store.h"
#include "watch/event.h"
#include "watch/event_stream.h"
#include "watch/hub.h"
#include "watch/interest.h"
#include "watch/mailbox.h"
#include "watch/replay.h"
#include "watch/settling.h"

namespace assetgate::watch {

// A client's watch request, already validated.
struct WatchRequest {
  std::string tenant;
  store::Kind kind = store::Kind::kAsset;
  // Only these, without their collection ("hero", not "assets/hero"); in any order; empty for all.
  std::vector<std::string> ids;
  store::TermFilter filter;
  // As received: any bytes. Empty for a fresh watch.
  std::string resume_token;
  // End once everything is settled (see settling.h for what counts).
  bool until_settled = false;
};

// One open watch. The reader pulls; until it does, nothing is read from the store for it, and no
// more than a mailbox is kept.
//
// Ordering: a reader gets
//   1. Unless it resumes with a valid token: RESET, the PUTs of the snapshot, and a BOOKMARK with
//      `snapshot_complete`.
//   2. Changes. A BOOKMARK as soon as a resumed stream has caught up, within a second of the last
//      of some changes, after some hundred changes, and otherwise every 25 seconds; none inside a
//      snapshot. A reader that is too slow for its mailbox gets its changes from the log; if the
//      log is compacted beyond its position, it starts over with RESET.
//   3. The end. OK after a BOOKMARK when everything in scope is settled; UNAVAILABLE `DRAINING`
//      after a BOOKMARK (none inside a snapshot) when the gateway shuts down; NOT_FOUND, before any
//      event, for an unknown id in a watch without a token; the store's error if it fails for good.
//      While the store is only unavailable, the stream stays open and retries.
//
// Threading: thread-safe, but only one thread should read.
class Stream final : public EventStream,
                     public Subscriber,
                     public std::enable_shared_from_this<Stream> {
 public:
  struct Options {
    // Between BOOKMARKs; the API promises one every 30 s.
    absl::Duration bookmark_interval = absl::Seconds(25);
    // After the last of some changes.
    absl::Duration bookmark_quiet = absl::Milliseconds(500);
    // A BOOKMARK is sent as soon as possible after this many changes, so that a reader whose
    // connection keeps breaking still advances, and a resuming reader gets few events twice.
    std::uint32_t bookmark_changes = 500;
    // The delay after a failed read; doubles up to the maximum.
    absl::Duration initial_retry_delay = absl::Milliseconds(200);
    absl::Duration max_retry_delay = absl::Seconds(5);
    Replay::Options replay;
  };

  // What the streams of one gateway share; outlives them.
  struct Shared {
    store::Store& store;
    Hub& hub;
    // Its tasks read from `store`, which blocks.
    base::EventLoop& replay_loop;
    const Options options;
    // Called once for each stream, when it is closed.
    std::function<void(const Stream*)> on_closed;
  };

  // For Watches.
  Stream(const Shared& shared, WatchRequest request, std::shared_ptr<Reader> reader);

  // The first call starts the stream.
  Pulled Next() override ABSL_LOCKS_EXCLUDED(mu_);
  void Close() override ABSL_LOCKS_EXCLUDED(mu_);

  // Called by Watches: ends the stream as soon as the reader reads.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  const Interest& interest() const override { return interest_; }
  bool OnJoined(store::Revision upto, std::vector<EventPtr> missed) override
      ABSL_LOCKS_EXCLUDED(mu_);
  void OnTooFarBehind() override ABSL_LOCKS_EXCLUDED(mu_);
  Offered Offer(const EventPtr& event) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnLost() override ABSL_LOCKS_EXCLUDED(mu_);
  void Wake() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Where events come from.
  enum class Phase {
    kReplay,   // pages of replay_; `step_` is the state of the next page
    kLive,     // the mailbox
    kMailbox,  // the rest of the overflowed mailbox; then kReplay
  };
  enum class Step {
    kIdle,     // the next page is read when the reader asks for it
    kPending,  // a page is being read, or the hub is being joined
  };
  enum class Waiting { kNo, kYes, kToBeWoken };

  // Work for Next to do after it has released the lock.
  struct FollowUp {
    bool start = false;
    bool read_page = false;
    bool quiet_timer = false;
  };

  Pulled NextLocked(FollowUp& follow_up) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Pulled DrainLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Pulled Deliver(EventPtr event, FollowUp& follow_up) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  EventPtr MakeBookmark() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void PostReadPage();
  // Threading: on the replay thread.
  void ReadPage() ABSL_LOCKS_EXCLUDED(mu_);
  void OnPage(Replay::Page page) ABSL_LOCKS_EXCLUDED(mu_);
  void OnReadFailed(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);

  // Threading: on the hub's thread.
  template <void (Stream::*on_time)()>
  void PostTimer(absl::Time when);
  void OnIntervalTimer() ABSL_LOCKS_EXCLUDED(mu_);
  void OnQuietTimer() ABSL_LOCKS_EXCLUDED(mu_);

  const Shared& shared_;
  const Interest interest_;
  const std::uint64_t fingerprint_;
  // Used only by the pending step.
  Replay replay_;
  absl::Duration retry_delay_;

  absl::Mutex mu_;
  std::shared_ptr<Reader> reader_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  Waiting waiting_ ABSL_GUARDED_BY(mu_) = Waiting::kNo;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);

  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kReplay;
  Step step_ ABSL_GUARDED_BY(mu_) = Step::kIdle;
  // Where the next step continues, if not where the last one ended.
  std::optional<store::Revision> continue_after_ ABSL_GUARDED_BY(mu_);
  std::vector<EventPtr> page_ ABSL_GUARDED_BY(mu_);
  std::size_t page_next_ ABSL_GUARDED_BY(mu_) = 0;
  // What the reader has once the page is delivered.
  std::optional<store::Revision> page_upto_ ABSL_GUARDED_BY(mu_);
  // How the stream ends after the page.
  std::optional<absl::Status> failure_ ABSL_GUARDED_BY(mu_);
  Mailbox mailbox_ ABSL_GUARDED_BY(mu_);
  // The reader has everything up to here. Absent until a snapshot is complete.
  std::optional<store::Revision> safe_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Settling> settling_ ABSL_GUARDED_BY(mu_);

  bool bookmark_when_caught_up_ ABSL_GUARDED_BY(mu_);
  bool bookmark_wanted_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time last_bookmark_ ABSL_GUARDED_BY(mu_);
  bool quiet_timer_posted_ ABSL_GUARDED_BY(mu_) = false;
  // Events since the last bookmark, and their number when the quiet timer last fired.
  std::uint32_t unmarked_events_ ABSL_GUARDED_BY(mu_) = 0;
  std::uint32_t unmarked_at_quiet_timer_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_STREAM_H_
