// Opens watches.
#ifndef ASSETGATE_WATCH_WATCHER_H_
#define ASSETGATE_WATCH_WATCHER_H_

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
// Threading: thread-safe.
class Watcher {
 public:
  // `replay_loop` belongs to watch alone: its tasks read from `store`, which blocks. Streams take
  // turns on it, one page each.
  // Lifetime: all three must outlive the watcher. When it is destroyed, both loops must have
  // stopped and all streams must be closed.
  Watcher(store::Store& store, Hub& hub, base::EventLoop& replay_loop,
          const Stream::Options& options = {});
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Opens a stream for `reader`; see Stream. The stream holds `reader` until it is closed.
  std::shared_ptr<Stream> Open(WatchRequest request, std::shared_ptr<Reader> reader)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all streams, and any opened later, with a last BOOKMARK and UNAVAILABLE `DRAINING`.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  std::size_t open_streams() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class Stream;

  void OnClosed(const Stream* stream) ABSL_LOCKS_EXCLUDED(mu_);

  store::Store& store_;
  Hub& hub_;
  base::EventLoop& replay_loop_;
  const Stream::Options options_;

  mutable absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<const Stream*, std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_WATCHER_H_
