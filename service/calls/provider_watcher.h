// Watches of the providers: how they are, as this gateway sees them.
#ifndef ASSETGATE_CALLS_PROVIDER_WATCHER_H_
#define ASSETGATE_CALLS_PROVIDER_WATCHER_H_

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
#include "calls/gateway.h"
#include "reconcile/reconciler.h"
#include "watch/event.h"
#include "watch/event_stream.h"

namespace assetgate::calls {

// Opens watches of the providers, and ends them all when the gateway goes away.
//
// While there are any, the providers are looked at once a second, and at once when the reconciler
// says that a mode or a state has changed (ten times a second at most: one that flaps costs no
// more). One look serves all streams: what it finds goes onto a board with the newest event of each
// provider, numbered in the order of change. A stream is no more than the number up to which it has
// told the board, so that a slow reader skips what is superseded, and holds up nobody.
//
// Thread-safe.
class ProviderWatcher final : public reconcile::ProviderListener {
 public:
  struct Options {
    // Between BOOKMARKs; not less than `look_interval`.
    absl::Duration bookmark_interval = absl::Seconds(25);
    absl::Duration look_interval = absl::Seconds(1);
    // The shortest time from one look to the next.
    absl::Duration look_pause = absl::Milliseconds(100);
  };

  // Readers are told on `loop`, which is not the reconciler's: that one has other work. Both
  // outlive the watcher; when it is destroyed, the loops must have stopped and all streams been
  // closed.
  ProviderWatcher(reconcile::Reconciler& reconciler, base::EventLoop& loop, const Options& options);
  ProviderWatcher(const ProviderWatcher&) = delete;
  ProviderWatcher& operator=(const ProviderWatcher&) = delete;

  // Tells `reader`, which is held on to until the stream is closed, of the providers that `caller`
  // may use: RESET, the PUTs of the snapshot, a BOOKMARK with `snapshot_complete`, then changes,
  // and a BOOKMARK every `bookmark_interval`. Ends with UNAVAILABLE `DRAINING`.
  std::shared_ptr<watch::EventStream> Open(const Caller& caller,
                                           std::shared_ptr<watch::Reader> reader)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all streams, and those yet to be opened.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  void OnProvidersChanged() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class Stream;

  // What a look is for; each includes those before it.
  enum class Look {
    kNone,
    // Modes and states; the rest can wait for the next kAll.
    kStates,
    kAll,
  };
  // The newest event of a provider.
  struct Posted {
    std::uint64_t number = 0;
    watch::EventPtr event;
  };
  using Readers = std::vector<std::shared_ptr<watch::Reader>>;

  // Has the providers looked at, as soon as that may be.
  void Want(Look look) ABSL_LOCKS_EXCLUDED(mu_);
  void OnLooked(Look look, std::vector<v1::Provider> providers) ABSL_LOCKS_EXCLUDED(mu_);
  void PostTick();
  void Tick() ABSL_LOCKS_EXCLUDED(mu_);
  void Post(const std::string& name, watch::EventPtr event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Those who wait, and from now on do not.
  Readers TakeWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Wake(const Readers& readers);

  reconcile::Reconciler& reconciler_;
  base::EventLoop& loop_;
  const Options options_;
  // The same for all.
  const watch::EventPtr reset_;
  const watch::EventPtr snapshot_complete_;
  const watch::EventPtr bookmark_;

  // Held for the time of a glance at the board.
  absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  // Those that are not closed.
  absl::flat_hash_set<Stream*> streams_ ABSL_GUARDED_BY(mu_);
  bool ticking_ ABSL_GUARDED_BY(mu_) = false;

  Look wanted_ ABSL_GUARDED_BY(mu_) = Look::kNone;
  // A look is under way, or posted for when the pause is over.
  bool looking_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time last_look_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();

  // By name. Empty while nobody watches, and until the first look.
  std::map<std::string, Posted> board_ ABSL_GUARDED_BY(mu_);
  // There has been a look since somebody watches.
  bool looked_ ABSL_GUARDED_BY(mu_) = false;
  std::uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_PROVIDER_WATCHER_H_
