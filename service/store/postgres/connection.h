// A connection to PostgreSQL on which everything has a deadline.
#ifndef ASSETGATE_STORE_POSTGRES_CONNECTION_H_
#define ASSETGATE_STORE_POSTGRES_CONNECTION_H_

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::store::postgres {

// A point in time that steps of the wall clock do not move.
class Deadline {
 public:
  explicit Deadline(absl::Duration timeout)
      : at_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout)) {}
  // Negative once it has passed.
  absl::Duration left() const { return absl::FromChrono(at_ - std::chrono::steady_clock::now()); }
  bool passed() const { return left() <= absl::ZeroDuration(); }

 private:
  std::chrono::steady_clock::time_point at_;
};

// The parameters of a statement, $1 first, in PostgreSQL's binary form. What callers named is
// passed as bytea: it may hold any byte, and is compared byte by byte.
class Parameters {
 public:
  Parameters& Int(std::int64_t value);
  Parameters& Bytes(absl::string_view value);
  // Of type text: words of our own.
  Parameters& Text(absl::string_view value) { return Bytes(value); }
  // Arrays: int8[], bool[], bytea[].
  Parameters& Ints(const std::vector<std::int64_t>& values);
  Parameters& Bools(const std::vector<bool>& values);
  Parameters& ByteStrings(const std::vector<std::string>& values);
  Parameters& ByteStrings(const std::vector<absl::string_view>& values);

 private:
  friend class Connection;
  std::vector<std::string> values_;
};

// One statement. `sql` is a literal: it is prepared once per connection, and known by its address.
struct Statement {
  const char* sql;
  Parameters parameters;
};

// The rows of an answer. Columns are bytea, text, int8 or bool; reading another type is a defect.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result, &PQclear) {}

  int size() const { return PQntuples(result_.get()); }
  bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::int64_t IntAt(int row, int column) const;
  bool BoolAt(int row, int column) const;
  // Valid as long as the rows.
  absl::string_view BytesAt(int row, int column) const;
  std::string StringAt(int row, int column) const { return std::string(BytesAt(row, column)); }
  // How many rows a statement has changed.
  std::int64_t affected() const;

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// INVALID_ARGUMENT where libpq cannot read a connection string (or URI).
absl::Status CheckConnectionString(const std::string& uri);

// Used by one thread at a time. Where a call fails and broken() is true from then on, the
// connection is of no more use, and what the server has done of that call is not known; where
// broken() is false, the server has said no, and no transaction is open any more. UNAVAILABLE is
// what may pass. No error ever holds the password.
class Connection {
 public:
  struct Options {
    // A connection string or URI, as libpq takes it.
    std::string uri;
    // Shown in pg_stat_activity; begins with kApplication.
    std::string application_name;
    absl::Duration connect_timeout = absl::Seconds(3);
    // For each call of this class; the server gives up somewhat earlier.
    absl::Duration timeout = absl::Seconds(10);
    // How long a statement waits for a lock, and the server for the next word of a client that has
    // a transaction open.
    absl::Duration lock_timeout = absl::Seconds(3);
  };
  // What the application names of all gateways begin with.
  static constexpr char kApplication[] = "assetgate";

  // Looks up the host's name on the calling thread, for as long as the resolver takes.
  // INVALID_ARGUMENT: the string is none. PERMISSION_DENIED: user or password are refused.
  // NOT_FOUND: there is no such database. UNAVAILABLE: the rest.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Options& options);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  absl::StatusOr<Rows> Run(const Statement& statement);
  // All in one flush, each in its order; the first error ends it, and what follows is not done.
  absl::StatusOr<std::vector<Rows>> RunAll(const std::vector<Statement>& statements);
  // Text of one or more statements, without parameters or rows: for migrations and settings.
  absl::Status Execute(const std::string& sql);

  // Waits for notifications, until one comes, `wake_fd` can be read (-1 for none), or the time is
  // over. Gives what they say.
  absl::StatusOr<std::vector<std::string>> AwaitNotifications(absl::Duration timeout, int wake_fd);

  bool broken() const { return broken_; }
  // What the server called its last error, as in its documentation ("40P01"); empty where it said
  // nothing.
  const std::string& sqlstate() const { return sqlstate_; }
  // Whether the server ended a wait for its synchronous standbys during the last call: what was
  // committed stands on this server alone, and is lost where a standby takes its place.
  bool committed_locally() const { return committed_locally_; }
  // The process that serves it, as it said itself when it was connected.
  int backend_pid() const { return PQbackendPID(connection_.get()); }
  int server_version() const { return PQserverVersion(connection_.get()); }
  std::string database() const { return PQdb(connection_.get()); }
  std::string user() const { return PQuser(connection_.get()); }
  // HOST:PORT, or the path of a socket.
  std::string address() const;

 private:
  Connection(PGconn* connection, absl::Duration timeout)
      : connection_(connection, &PQfinish), timeout_(timeout) {}

  // Of libpq: the server has said something that is not an answer.
  static void OnNotice(void* connection, const PGresult* notice);
  absl::Status Break(absl::string_view what);
  absl::Status Connect(const Options& options);
  absl::Status Configure(const Options& options);
  // What the server has said of a statement.
  absl::Status ErrorOf(const PGresult* result);
  // Sends what is buffered and waits until an answer can be read, or the deadline.
  absl::Status Await(const Deadline& deadline);
  // The next result; nullptr at the end of an answer.
  absl::StatusOr<PGresult*> NextResult(const Deadline& deadline);
  absl::Status Prepare(const char* sql, const Deadline& deadline);
  absl::Status Send(const Statement& statement);
  absl::StatusOr<std::vector<Rows>> RunPipeline(const std::vector<Statement>& statements);

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  const absl::Duration timeout_;
  bool broken_ = false;
  bool committed_locally_ = false;
  std::string sqlstate_;
  absl::flat_hash_map<const char*, std::string> prepared_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_CONNECTION_H_
