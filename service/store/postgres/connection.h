// A connection to PostgreSQL on which every call has a deadline.
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

// A point in time that steps of the wall clock do not affect.
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

// The parameters of a statement, $1 first, in PostgreSQL's binary form. Names chosen by callers are
// passed as bytea: they may hold any byte, and are compared byte by byte.
class Parameters {
 public:
  Parameters& Int(std::int64_t value);
  Parameters& Bytes(absl::string_view value);
  // Of type text: words chosen by the gateway.
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

// One statement. `sql` must be a literal: it is prepared once per connection, and identified by its
// address.
struct Statement {
  const char* sql;
  Parameters parameters;
};

// The rows of an answer. Columns are bytea, text, int8 or bool; reading any other type is a defect.
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
  // The number of rows that a statement has changed.
  std::int64_t affected() const;

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// Errors: INVALID_ARGUMENT if libpq cannot parse the connection string (or URI).
absl::Status CheckConnectionString(const std::string& uri);

// One connection.
// Threading: used by one thread at a time.
// Errors: if a call fails and broken() is then true, the connection is unusable, and the server's
// progress with that call is unknown. If broken() is false, the server rejected the call, and no
// transaction is open any more. UNAVAILABLE means a failure that may pass. No error ever contains
// the password.
class Connection {
 public:
  struct Options {
    // A connection string or URI in libpq's format.
    std::string uri;
    // Shown in pg_stat_activity; starts with kApplication.
    std::string application_name;
    absl::Duration connect_timeout = absl::Seconds(3);
    // For each call of this class; the server gives up slightly earlier.
    absl::Duration timeout = absl::Seconds(10);
    // How long a statement waits for a lock, and how long the server waits for the next statement
    // of a client with an open transaction.
    absl::Duration lock_timeout = absl::Seconds(3);
  };
  // The common prefix of all gateways' application names.
  static constexpr char kApplication[] = "assetgate";

  // Opens a connection. Resolves the host's name on the calling thread, which takes as long as the
  // resolver does.
  // Errors: INVALID_ARGUMENT: the string is invalid. PERMISSION_DENIED: user or password are
  // rejected. NOT_FOUND: the database does not exist. UNAVAILABLE: any other failure.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Options& options);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  absl::StatusOr<Rows> Run(const Statement& statement);
  // Sends all statements in one flush and runs them in order; the first error ends it, and later
  // statements are not run.
  absl::StatusOr<std::vector<Rows>> RunAll(const std::vector<Statement>& statements);
  // Runs the text of one or more statements without parameters or rows: for migrations and
  // settings.
  absl::Status Execute(const std::string& sql);

  // Waits until a notification arrives, `wake_fd` is readable (-1 for none), or `timeout` has
  // passed. Returns the notifications' payloads.
  absl::StatusOr<std::vector<std::string>> AwaitNotifications(absl::Duration timeout, int wake_fd);

  bool broken() const { return broken_; }
  // The SQLSTATE of the server's last error ("40P01"); empty if the server reported none.
  const std::string& sqlstate() const { return sqlstate_; }
  // Whether the server stopped waiting for its synchronous standbys during the last call: the
  // commit is on this server only, and is lost if a standby is promoted.
  bool committed_locally() const { return committed_locally_; }
  // The server process of this connection, as it reported when the connection was opened.
  int backend_pid() const { return PQbackendPID(connection_.get()); }
  int server_version() const { return PQserverVersion(connection_.get()); }
  std::string database() const { return PQdb(connection_.get()); }
  std::string user() const { return PQuser(connection_.get()); }
  // HOST:PORT, or the path of a socket.
  std::string address() const;

 private:
  Connection(PGconn* connection, absl::Duration timeout)
      : connection_(connection, &PQfinish), timeout_(timeout) {}

  // libpq's callback for messages that are not answers.
  static void OnNotice(void* connection, const PGresult* notice);
  absl::Status Break(absl::string_view what);
  absl::Status Connect(const Options& options);
  absl::Status Configure(const Options& options);
  // The status for the server's answer to a statement.
  absl::Status ErrorOf(const PGresult* result);
  // Sends what is buffered and waits until an answer can be read, or until the deadline.
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
