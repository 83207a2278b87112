// The part of SQLite's C interface that the store needs, with owning types.
#ifndef ASSETGATE_STORE_SQLITE_DATABASE_H_
#define ASSETGATE_STORE_SQLITE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::store::sqlite {

struct StatementFinalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
// A compiled statement, reused for many runs.
// Lifetime: must be destroyed before its connection.
using Statement = std::unique_ptr<sqlite3_stmt, StatementFinalizer>;

// One connection.
// Threading: used by one thread at a time.
class Connection {
 public:
  // Opens an existing file, or an empty one. `busy_timeout` is how long to wait for a lock that
  // another connection holds.
  static absl::StatusOr<Connection> Open(const std::string& path, absl::Duration busy_timeout);

  // Opens an existing file for inspection while no other process has it open: the file is not
  // written, no file is created beside it, and data that is only in a write-ahead log is not seen.
  static absl::StatusOr<Connection> OpenForInspection(const std::string& path);

  sqlite3* get() const { return db_.get(); }

  void SetBusyTimeout(absl::Duration timeout) const {
    sqlite3_busy_timeout(get(), static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  }

  absl::StatusOr<Statement> Prepare(absl::string_view sql) const;
  // Runs one or more statements without parameters, and ignores their rows.
  absl::Status Execute(const char* sql) const;

  // The last error, with SQLite's message.
  absl::Status Error() const;

 private:
  struct Closer {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Connection(sqlite3* db) : db_(db) {}
  static absl::StatusOr<Connection> OpenWith(const std::string& name, int flags);

  std::unique_ptr<sqlite3, Closer> db_;
};

// The status for a result code of SQLite: UNAVAILABLE for failures that may pass (disk full, I/O,
// locks), DATA_LOSS for a damaged file, INTERNAL for the rest.
absl::Status ToStatus(int code, absl::string_view message);

// One run of a statement: binds the parameters in their order, steps, and resets at the end.
//
//   Query query(statement);
//   query.Text(tenant).Int(kind);
//   while (query.Next()) use(query.TextAt(0));
//   if (!query.status().ok()) …
//
// Lifetime: bound text must outlive the query; text that is read is valid until the next step.
class Query {
 public:
  explicit Query(const Statement& statement) : statement_(statement.get()) {}
  ~Query();

  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& Int(std::int64_t value);
  Query& Text(absl::string_view value);
  Query& Blob(absl::string_view value);

  // Moves to the next row. Returns false after the last one, and on an error.
  bool Next();
  // Runs a statement that returns no rows.
  absl::Status Run();
  const absl::Status& status() const { return status_; }
  // SQLite's extended result code of the failure; SQLITE_OK if there was none.
  int code() const { return code_; }

  std::int64_t IntAt(int column) const { return sqlite3_column_int64(statement_, column); }
  // Text or blob.
  absl::string_view TextAt(int column) const;
  std::string StringAt(int column) const { return std::string(TextAt(column)); }

 private:
  void Bound(int code);
  void Fail();

  sqlite3_stmt* statement_;
  int bound_ = 0;
  int code_ = SQLITE_OK;
  absl::Status status_;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_DATABASE_H_
