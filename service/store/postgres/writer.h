// The gateway's one writer in PostgreSQL.
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

// Writes groups of transactions, each in one transaction of PostgreSQL:
//
//   1. in one flush: BEGIN, the locks of all that is named (see Batch::Locks), and what stands
//   there;
//   2. here: what becomes of each transaction;
//   3. in one flush: the rows, and last the head with all that carries revisions, in one statement,
//      and COMMIT.
//
// The head's row lock is taken in that last statement, which the server has whole before it begins,
// so it is held for as long as the server takes to write and commit, and never while the server
// waits for a client. Whoever gets it sees all lower revisions committed: no reader of the log ever
// sees a revision before a lower one. Locks are taken in one order by everybody, the head's last,
// so there is no deadlock.
//
// A connection that is lost in step 3 leaves the outcome open; it is then looked up by the
// transaction's number. What is found committed there counts once a barrier is committed behind it:
// with synchronous replication, a backend whose wait for a standby is cut short commits on this
// server alone. So a backend that waits for a standby is never ended; when the standby stays away
// for longer than `patience`, the outcome is kUnknown. Used by one thread.
class Writer {
 public:
  struct Options {
    Connection::Options connection;
    // In the log, next to each change: whose it is.
    std::int64_t id = 0;
    std::string store_id;
    // For how long the outcome of a lost COMMIT is asked for.
    absl::Duration patience = absl::Seconds(10);
    // After a failure to connect, writes fail at once for this long.
    absl::Duration retry_interval = absl::Seconds(1);
  };

  Writer(Options options, std::unique_ptr<Connection> connection)
      : options_(std::move(options)), connection_(std::move(connection)) {}

  GroupWriter::Group Write(absl::Span<const PendingCommit> group);
  // Whether writing works.
  absl::Status Probe();
  // Removes at most `limit` rows of each sort. Gives whether there is more to remove at once. Does
  // nothing while another gateway is at it. The time is the database's, as in all that is written
  // here, and counts as far as the store has lived through it (see LivedTime): no gateway's clock
  // removes anything. `passed`: on a steady clock, since the last call.
  absl::StatusOr<bool> Expire(const Retention& retention, absl::Duration passed,
                              std::int64_t limit);
  // The connection, made anew where it was lost; for reads of this thread.
  absl::StatusOr<Connection*> Connected();

 private:
  enum class End {
    kCommitted,
    // Nothing was changed.
    kNothing,
    // Nothing was changed, and it may work when it is tried again at once.
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
  // What became of a transaction of PostgreSQL whose COMMIT was not answered. Where it was
  // committed, `base` is the head below its changes.
  Ended LookUp(const Begun& begun, bool has_changes, Revision& base);
  // Commits a barrier, so that what is committed before it is where the server says that it has to
  // be: with synchronous replication, on the standbys too.
  absl::Status AwaitBarrier(const Deadline& deadline);
  // What to do after an error that the server gave.
  Ended Failed(Connection& connection, const absl::Status& status);
  // Ends the connections that hold locks and have been waiting for their clients for too long.
  void ThrowOutStalled(Connection& connection);

  const Options options_;
  std::unique_ptr<Connection> connection_;
  absl::Status lost_;
  std::chrono::steady_clock::time_point retry_at_;
};

// Opens a connection to this very store. FAILED_PRECONDITION where another one has taken its place.
absl::StatusOr<std::unique_ptr<Connection>> OpenStoreConnection(const Connection::Options& options,
                                                                const std::string& store_id);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_WRITER_H_
