// A pool of connections for reads.
#ifndef ASSETGATE_STORE_POSTGRES_CONNECTION_POOL_H_
#define ASSETGATE_STORE_POSTGRES_CONNECTION_POOL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "store/postgres/connection.h"

namespace assetgate::store::postgres {

// Lends connections to threads, and opens new ones up to a limit. Once the database is found
// unreachable, every read fails at once without using the network, until the feed, which keeps
// trying, reports that it is back. So an outage delays no reading thread twice.
// Threading: thread-safe.
class ConnectionPool {
 public:
  ConnectionPool(Connection::Options options, std::string store_id, std::size_t max_connections)
      : options_(std::move(options)),
        store_id_(std::move(store_id)),
        max_connections_(max_connections) {}

  // Runs `read(connection)`. If the connection turns out to be dead (the database was restarted),
  // it is replaced and the read is retried once. Waits for a free connection at most as long as the
  // connections' timeout.
  template <typename Result, typename Read>
  absl::StatusOr<Result> With(Read read) {
    for (bool again = false;; again = true) {
      absl::StatusOr<std::unique_ptr<Connection>> connection = Take(/*fresh=*/again);
      if (!connection.ok()) return connection.status();
      absl::StatusOr<Result> result = read(**connection);
      const bool dead = (*connection)->broken();
      Return(*std::move(connection), dead && again ? result.status() : absl::OkStatus());
      if (!dead || again) return result;
    }
  }

  // Sets the last known state of the database; OK allows reads again.
  void Report(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status health() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::StatusOr<std::unique_ptr<Connection>> Take(bool fresh) ABSL_LOCKS_EXCLUDED(mu_);
  void Return(std::unique_ptr<Connection> connection, const absl::Status& away)
      ABSL_LOCKS_EXCLUDED(mu_);

  const Connection::Options options_;
  const std::string store_id_;
  const std::size_t max_connections_;
  mutable absl::Mutex mu_;
  absl::CondVar returned_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mu_);
  std::size_t lent_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status unavailable_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_CONNECTION_POOL_H_
