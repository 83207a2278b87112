// Tells the listener of every change, of whatever gateway, in the order of revisions.
#ifndef ASSETGATE_STORE_POSTGRES_FEED_H_
#define ASSETGATE_STORE_POSTGRES_FEED_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "store/postgres/connection.h"
#include "store/postgres/connection_pool.h"
#include "store/postgres/reader.h"
#include "store/store.h"

namespace assetgate::store::postgres {

// NOTIFY is the doorbell, the log the truth: a thread listens, reads the log from where it stands
// when it is told that another gateway has committed (or has not been told anything for a while),
// and tells the listener. What this gateway commits is told by its writer at once, which first
// fetches what others have committed before. Whoever comes second finds it told.
//
// The thread is also the one that keeps trying while the database is away, and that says so to the
// pool.
class Feed {
 public:
  static constexpr char kListen[] = "LISTEN assetgate";

  struct Options {
    Connection::Options connection;
    std::string store_id;
    // Whose changes are local.
    std::int64_t writer = 0;
    // How often the log is looked at when nobody rings.
    absl::Duration interval = absl::Seconds(1);
    // For how long a writer waits until what was committed before it can be told.
    absl::Duration patience = absl::Seconds(10);
  };

  // `connection` listens; everything up to `told` is known to everybody. The pool must outlive it.
  Feed(Options options, std::unique_ptr<Connection> connection, Revision told,
       ConnectionPool& pool);
  // Stops.
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Waits for a call that is under way.
  void SetListener(ChangeListener* listener) ABSL_LOCKS_EXCLUDED(telling_);
  // What this gateway has just committed; consecutive revisions. Returns when the listener was told
  // of them, or, with the database away, when the patience is at its end: they then follow from the
  // log. `connection` is used to read what is between; it may be null.
  void Tell(const std::vector<ChangePtr>& changes, Connection* connection);
  // Up to which revision the listener has been told.
  Revision told() ABSL_LOCKS_EXCLUDED(telling_);

 private:
  void Run();
  // Waits until somebody rings who is not of this gateway, or the interval is over.
  absl::Status AwaitDoorbell();
  // Tells all that the log has.
  absl::Status CatchUp(Connection& connection);
  void Advance(const LogPage& page) ABSL_LOCKS_EXCLUDED(telling_);
  void TellFrom(const std::vector<ChangePtr>& changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(telling_);
  bool ending() ABSL_LOCKS_EXCLUDED(telling_);

  const Options options_;
  ConnectionPool& pool_;
  // Of the thread.
  std::unique_ptr<Connection> connection_;
  // Wakes the thread.
  const int wake_fd_;

  // Held while the listener is told (which does not block), so that it hears in order.
  absl::Mutex telling_;
  absl::CondVar advanced_;
  ChangeListener* listener_ ABSL_GUARDED_BY(telling_) = nullptr;
  Revision told_ ABSL_GUARDED_BY(telling_);
  bool ending_ ABSL_GUARDED_BY(telling_) = false;
  std::thread thread_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_FEED_H_
