// Watches of the providers: their modes, states and counts, as this gateway sees them.
#ifndef ASSETGATE_CALLS_PROVIDER_WATCHES_H_
#define ASSETGATE_CALLS_PROVIDER_WATCHES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "assetgate/v1/provider.pb.h"
#include "base/event_loop.h"
#include "calls/caller.h"
#include "reconcile/reconciler.h"
#include "watch/event.h"
#include "watch/event_stream.h"

namespace assetgate::calls {

// Opens watches of the providers, and ends them all when the gateway shuts down.
//
// While there are any, the providers are read once a second, and at once when the reconciler
// reports that a mode or a state has changed (ten times a second at most, so that a flapping
// provider costs no more). One reading serves all streams: it updates a board with the newest event
// of each provider, numbered in the order of change. A stream is the number up to which it has
// delivered the board: a slow reader skips superseded events, and delays no other.
//
// Threading: thread-safe. Lifetime: the constructor's arguments outlive it; when it is destroyed,
// the loops have stopped and all streams are closed.
class ProviderWatches final : public reconcile::ProviderListener {
 public:
  struct Options {
    // Between BOOKMARKs; not less than `read_interval`.
    absl::Duration bookmark_interval = absl::Seconds(25);
    absl::Duration read_interval = absl::Seconds(1);
    absl::Duration min_read_interval = absl::Milliseconds(100);
  };

  // Readers are woken on `loop`, which is not the reconciler's.
  ProviderWatches(reconcile::Reconciler& reconciler, base::EventLoop& loop, const Options& options);
  ProviderWatches(const ProviderWatches&) = delete;
  ProviderWatches& operator=(const ProviderWatches&) = delete;

  // Opens a stream for `reader` with the providers that `caller` may use: RESET, the PUTs of the
  // snapshot, a BOOKMARK with `snapshot_complete`, then changes, and a BOOKMARK every
  // `bookmark_interval`. It ends with UNAVAILABLE `DRAINING`. The stream holds `reader` until it is
  // closed.
  std::shared_ptr<watch::EventStream> Open(const Caller& caller,
                                           std::shared_ptr<watch::Reader> reader)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all streams, and those opened later.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  void OnProvidersChanged() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class Stream;

  // Which changes a reading looks for; each includes those before it.
  enum class Scope {
    kNone,
    // Of modes and states; others wait for the next kAll.
    kStates,
    kAll,
  };
  // The newest event of a provider.
  struct Posted {
    std::uint64_t number = 0;
    watch::EventPtr event;
  };
  using Readers = std::vector<std::shared_ptr<watch::Reader>>;

  // Has the providers read, no sooner than `min_read_interval` after the last reading.
  void RequestRead(Scope scope) ABSL_LOCKS_EXCLUDED(mu_);
  void Read() ABSL_LOCKS_EXCLUDED(mu_);
  void OnRead(Scope scope, std::vector<v1::Provider> providers) ABSL_LOCKS_EXCLUDED(mu_);
  // Posts what has changed to the board.
  void UpdateBoard(Scope scope, std::vector<v1::Provider> providers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PostTick();
  void Tick() ABSL_LOCKS_EXCLUDED(mu_);
  void Post(const std::string& name, watch::EventPtr event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The readers that wait for an event; from now on they do not.
  Readers TakeWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Wake(const Readers& readers);

  reconcile::Reconciler& reconciler_;
  base::EventLoop& loop_;
  const Options options_;
  // The same for all.
  const watch::EventPtr reset_;
  const watch::EventPtr snapshot_complete_;
  const watch::EventPtr bookmark_;

  // Never held over a call out.
  absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  // The open streams.
  absl::flat_hash_set<Stream*> streams_ ABSL_GUARDED_BY(mu_);
  bool ticking_ ABSL_GUARDED_BY(mu_) = false;

  // What the next reading looks for.
  Scope wanted_ ABSL_GUARDED_BY(mu_) = Scope::kNone;
  // A reading is under way, or posted for later.
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time last_read_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();

  // By name. Empty without streams, and until the first reading.
  std::map<std::string, Posted> board_ ABSL_GUARDED_BY(mu_);
  // The board is filled: there was a reading since the first of the open streams was opened.
  bool filled_ ABSL_GUARDED_BY(mu_) = false;
  std::uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_PROVIDER_WATCHES_H_
