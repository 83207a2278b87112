// Notifies the listener of every change, made by any gateway, in the order of revisions.
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

// NOTIFY only wakes the feed; the log is authoritative. A thread listens, reads the log from its
// position when another gateway has committed (or after an interval without a notification), and
// notifies the listener. This gateway's own commits are reported by its writer at once; the writer
// first fetches earlier commits of others. Each change is delivered once, by whichever of the two
// comes first.
//
// The thread also keeps reconnecting while the database is unreachable, and reports its state to
// the pool.
class Feed {
 public:
  static constexpr char kListen[] = "LISTEN assetgate";

  struct Options {
    Connection::Options connection;
    std::string store_id;
    // Changes by this writer are local.
    std::int64_t writer = 0;
    // How often the log is read if no notification arrives.
    absl::Duration interval = absl::Seconds(1);
    // How long a writer waits until the changes before its own can be delivered.
    absl::Duration max_wait = absl::Seconds(10);
  };

  // `connection` listens; the listener needs no changes up to `notified_upto`.
  // Lifetime: the pool must outlive this object.
  Feed(Options options, std::unique_ptr<Connection> connection, Revision notified_upto,
       ConnectionPool& pool);
  // Stops the thread.
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Waits for a call of the listener that is in progress.
  void SetListener(ChangeListener* listener) ABSL_LOCKS_EXCLUDED(notify_mu_);
  // Reports consecutive changes that this gateway has just committed. Returns once the listener was
  // notified of them, or, while the database is unreachable, after `max_wait`: the log then
  // delivers them later. `connection` is used to read the changes in between; it may be null.
  void Notify(const std::vector<ChangePtr>& changes, Connection* connection);
  // The revision up to which the listener has been notified.
  Revision notified_upto() ABSL_LOCKS_EXCLUDED(notify_mu_);

 private:
  void Run();
  // Waits until another gateway commits, or the interval has passed.
  absl::Status AwaitNotification();
  // Delivers everything in the log.
  absl::Status CatchUp(Connection& connection);
  void Advance(const LogPage& page) ABSL_LOCKS_EXCLUDED(notify_mu_);
  void NotifyFrom(const std::vector<ChangePtr>& changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(notify_mu_);
  bool ending() ABSL_LOCKS_EXCLUDED(notify_mu_);

  const Options options_;
  ConnectionPool& pool_;
  // Used by the thread.
  std::unique_ptr<Connection> connection_;
  // Wakes the thread.
  const int wake_fd_;

  // Held while the listener is notified (which does not block), to keep the order.
  absl::Mutex notify_mu_;
  absl::CondVar advanced_;
  ChangeListener* listener_ ABSL_GUARDED_BY(notify_mu_) = nullptr;
  Revision notified_upto_ ABSL_GUARDED_BY(notify_mu_);
  bool ending_ ABSL_GUARDED_BY(notify_mu_) = false;
  std::thread thread_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_FEED_H_
