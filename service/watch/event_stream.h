// The interface between a watch and the code that writes its events to a client.
#ifndef ASSETGATE_WATCH_EVENT_STREAM_H_
#define ASSETGATE_WATCH_EVENT_STREAM_H_

#include <optional>

#include "absl/status/status.h"
#include "watch/event.h"

namespace assetgate::watch {

// Consumes a stream.
class Reader {
 public:
  virtual ~Reader() = default;
  // There may be something to read: call Next. Called once for each time that Next returned
  // nothing, and perhaps once more while or after the stream is closed.
  // Threading: called on one of watch's threads, with no lock held.
  virtual void OnReady() = 0;
};

// An open watch. Its reader pulls: the watch does no work for a reader that does not.
// Threading: thread-safe, but only one thread should read.
class EventStream {
 public:
  virtual ~EventStream() = default;

  // At most one of `event` and `end`; neither if nothing is pending, and then OnReady follows.
  struct Pulled {
    EventPtr event;
    // Another event, or the end, is ready.
    bool more = false;
    // The end; every later call returns it too.
    std::optional<absl::Status> end;
  };
  virtual Pulled Next() = 0;

  // Closes the watch. Must be called at the latest after Next returned the end; idempotent.
  virtual void Close() = 0;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_EVENT_STREAM_H_
