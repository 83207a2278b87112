// The open watches of one gateway.
#ifndef ASSETGATE_WATCH_WATCHES_H_
#define ASSETGATE_WATCH_WATCHES_H_

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "base/event_loop.h"
#include "store/store.h"
#include "watch/hub.h"
#include "watch/stream.h"

namespace assetgate::watch {

// Opens watches, and ends them all when the gateway shuts down.
//
// Threading: thread-safe. Lifetime: `store`, `hub` and `replay_loop` outlive it; when it is
// destroyed, both loops have stopped and all streams are closed.
class Watches {
 public:
  // `replay_loop` belongs to watches alone: its tasks read from `store`, which blocks. Streams take
  // turns on it, a page each.
  Watches(store::Store& store, Hub& hub, base::EventLoop& replay_loop,
          const Stream::Options& options = {});
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // A stream that `reader` reads. The stream holds `reader` until it is closed.
  std::shared_ptr<Stream> Open(WatchRequest request, std::shared_ptr<Reader> reader)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all streams, and those opened later, with a last BOOKMARK and UNAVAILABLE `DRAINING`.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  std::size_t open_streams() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void OnClosed(const Stream* stream) ABSL_LOCKS_EXCLUDED(mu_);

  const Stream::Shared shared_;

  mutable absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<const Stream*, std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_WATCHES_H_
