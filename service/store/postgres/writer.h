// This gateway's writer in PostgreSQL.
#ifndef ASSETGATE_STORE_POSTGRES_WRITER_H_
#define ASSETGATE_STORE_POSTGRES_WRITER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "store/commit_queue.h"
#include "store/postgres/batch.h"
#include "store/postgres/connection.h"
#include "store/store.h"

namespace assetgate::store::postgres {

// Writes each group of transactions in one transaction of PostgreSQL:
//
//   1. in one flush: BEGIN, the locks of everything named (see Batch::Locks), and the look-ups;
//   2. in memory: the outcome of each transaction;
//   3. in one flush: the rows, then, in one statement, the head with everything that carries
//      revisions, and COMMIT.
//
// The head's row lock is taken in that last statement, which the server has received completely by
// then. So it is held for as long as the server takes to write and commit, and never while the
// server waits for a client. Its next holder sees all lower revisions committed, so no reader of
// the log sees a revision before a lower one. All gateways take locks in the same order, the head's
// last, so there is no deadlock.
//
// If the connection is lost in step 3, the outcome is looked up by the transaction's number. A
// commit that is found counts only once a barrier is committed after it: with synchronous
// replication, a backend whose wait for a standby is cut short commits on this server alone. So a
// backend that waits for a standby is never terminated; if the standby stays unreachable for longer
// than `outcome_timeout`, the outcome is kUnknown.
//
// Threading: used by one thread.
class Writer {
 public:
  struct Options {
    Connection::Options connection;
    // Identifies this writer's changes in the log.
    std::int64_t id = 0;
    std::string store_id;
    // How long the writer tries to find the outcome of a lost COMMIT.
    absl::Duration outcome_timeout = absl::Seconds(10);
    // After a failure to connect, writes fail at once for this long.
    absl::Duration retry_interval = absl::Seconds(1);
  };

  Writer(Options options, std::unique_ptr<Connection> connection)
      : options_(std::move(options)), connection_(std::move(connection)) {}

  GroupWriter::Group Write(absl::Span<const PendingCommit> group);
  // Whether writing works.
  absl::Status Probe();
  // Removes at most `limit` rows of each sort. Returns whether there is more to remove at once.
  // Does nothing while another gateway removes rows. The time is the database's, as for all rows
  // written here, and counts only as far as the store trusts it (see TrustedTime): no gateway's
  // clock removes anything. `elapsed`: since the last call, by a steady clock.
  absl::StatusOr<bool> Expire(const Retention& retention, absl::Duration elapsed,
                              std::int64_t limit);
  // The connection, reopened if it was lost; for reads on this thread.
  absl::StatusOr<Connection*> Connected();

 private:
  enum class End {
    kCommitted,
    // Nothing was changed.
    kNothing,
    // Nothing was changed, and a retry may succeed at once.
    kAgain,
    kUnknown,
  };
  struct Ended {
    End end = End::kNothing;
    absl::Status status;
    // kUnknown: see CommitResult.
    bool provisional = false;
  };
  struct Begun {
    Revision head = 0;
    std::int64_t transaction = 0;
    // The server waits for standbys before it answers a COMMIT.
    bool synchronous = false;
  };
  Ended Try(Batch& batch);
  absl::StatusOr<Begun> Begin(Connection& connection, Batch& batch);
  // Finds the outcome of a transaction whose COMMIT was not answered. If it was committed, `base`
  // is set to the head below its changes.
  Ended FindOutcome(const Begun& begun, bool has_changes, Revision& base);
  // Commits a barrier, so that everything committed before it is as durable as the server
  // guarantees: with synchronous replication, also on the standbys.
  absl::Status AwaitBarrier(const Deadline& deadline);
  // What to do after an error from the server.
  Ended Failed(Connection& connection, const absl::Status& status);
  // Terminates connections that hold locks and have waited too long for their clients.
  void TerminateStalled(Connection& connection);

  const Options options_;
  std::unique_ptr<Connection> connection_;
  absl::Status lost_;
  std::chrono::steady_clock::time_point retry_at_;
};

// Opens a connection to the same store.
// Errors: FAILED_PRECONDITION if another store has taken its place.
absl::StatusOr<std::unique_ptr<Connection>> OpenStoreConnection(const Connection::Options& options,
                                                                const std::string& store_id);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_WRITER_H_
