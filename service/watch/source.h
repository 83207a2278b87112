// What a watch stream is to whoever writes it to a caller.
#ifndef ASSETGATE_WATCH_SOURCE_H_
#define ASSETGATE_WATCH_SOURCE_H_

#include <optional>

#include "absl/status/status.h"
#include "watch/event.h"

namespace assetgate::watch {

// Who reads a stream.
class Reader {
 public:
  virtual ~Reader() = default;
  // There may be something to read: call Next. Comes once for each time that Next had nothing, on a
  // thread of watch, with no lock held; once more, perhaps, while or after the stream is closed.
  virtual void OnReady() = 0;
};

// An open watch. Its reader pulls: nothing is done for one that does not. Thread-safe, though only
// one thread should read.
class Source {
 public:
  virtual ~Source() = default;

  // At most one of both; neither when there is nothing right now, then OnReady follows.
  struct Pulled {
    EventPtr event;
    // Another event, or the end, is at hand.
    bool more = false;
    // The end, as at every call from now on.
    std::optional<absl::Status> end;
  };
  virtual Pulled Next() = 0;

  // The reader goes away. Must be called, at the latest when the stream has ended and been told of;
  // more than once is fine.
  virtual void Close() = 0;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_SOURCE_H_
