#include "store/postgres/connection_pool.h"

#include "store/postgres/writer.h"

namespace assetgate::store::postgres {

absl::StatusOr<std::unique_ptr<Connection>> ConnectionPool::Take(bool fresh) {
  std::vector<std::unique_ptr<Connection>> dead;  // Closed without the lock.
  {
    const Deadline deadline(options_.timeout);
    absl::MutexLock lock(&mu_);
    // If one connection has died, the other idle ones have probably died too.
    if (fresh) dead.swap(idle_);
    while (unavailable_.ok() && idle_.empty() && lent_ == max_connections_) {
      if (returned_.WaitWithTimeout(&mu_, deadline.left()) && deadline.passed()) {
        return absl::UnavailableError("PostgreSQL: all connections for reads are in use");
      }
    }
    if (!unavailable_.ok()) return unavailable_;
    ++lent_;
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  absl::StatusOr<std::unique_ptr<Connection>> opened = OpenStoreConnection(options_, store_id_);
  if (!opened.ok()) {
    absl::MutexLock lock(&mu_);
    --lent_;
    unavailable_ = opened.status();
    returned_.SignalAll();
  }
  return opened;
}

void ConnectionPool::Return(std::unique_ptr<Connection> connection, const absl::Status& away) {
  absl::MutexLock lock(&mu_);
  --lent_;
  if (!connection->broken()) idle_.push_back(std::move(connection));
  if (!away.ok()) unavailable_ = away;
  returned_.SignalAll();
}

void ConnectionPool::Report(const absl::Status& status) {
  std::vector<std::unique_ptr<Connection>> dead;
  absl::MutexLock lock(&mu_);
  if (!status.ok()) dead.swap(idle_);
  unavailable_ = status;
  returned_.SignalAll();
}

absl::Status ConnectionPool::health() const {
  absl::MutexLock lock(&mu_);
  return unavailable_;
}

}  // namespace assetgate::store::postgres
