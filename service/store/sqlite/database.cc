#include "store/sqlite/database.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace assetgate::store::sqlite {

absl::Status ToStatus(int code, absl::string_view message) {
  const std::string text = absl::StrCat("SQLite: ", message, " (", code, ")");
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return absl::OkStatus();
    case SQLITE_BUSY:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
      return absl::UnavailableError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::StatusOr<Connection> Connection::Open(const std::string& path, absl::Duration busy_timeout) {
  absl::StatusOr<Connection> connection = OpenWith(path, SQLITE_OPEN_READWRITE);
  if (connection.ok()) connection->SetBusyTimeout(busy_timeout);
  return connection;
}

absl::StatusOr<Connection> Connection::OpenForInspection(const std::string& path) {
  const std::string uri =
      absl::StrCat("file:", absl::StrReplaceAll(path, {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}),
                   "?immutable=1");
  return OpenWith(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

absl::StatusOr<Connection> Connection::OpenWith(const std::string& name, int flags) {
  sqlite3* db = nullptr;
  // NOMUTEX: each connection has only one user at a time.
  const int code =
      sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, /*zVfs=*/nullptr);
  Connection connection(db);  // Even a failed open returns a handle to close.
  if (code != SQLITE_OK) {
    return ToStatus(code, db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code));
  }
  sqlite3_extended_result_codes(db, 1);
  return connection;
}

absl::StatusOr<Statement> Connection::Prepare(absl::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error();
  return Statement(statement);
}

absl::Status Connection::Execute(const char* sql) const {
  return sqlite3_exec(get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus()
                                                                          : Error();
}

absl::Status Connection::Error() const {
  return ToStatus(sqlite3_extended_errcode(get()), sqlite3_errmsg(get()));
}

Query::~Query() { sqlite3_reset(statement_); }

void Query::Bound(int code) {
  if (code != SQLITE_OK && status_.ok()) Fail();
}

void Query::Fail() {
  sqlite3* db = sqlite3_db_handle(statement_);
  code_ = sqlite3_extended_errcode(db);
  status_ = ToStatus(code_, sqlite3_errmsg(db));
}

Query& Query::Int(std::int64_t value) {
  Bound(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Query& Query::Text(absl::string_view value) {
  // A null pointer would bind NULL.
  Bound(sqlite3_bind_text64(statement_, ++bound_, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Query& Query::Blob(absl::string_view value) {
  Bound(sqlite3_bind_blob64(statement_, ++bound_, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_STATIC));
  return *this;
}

bool Query::Next() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) Fail();
  return false;
}

absl::Status Query::Run() {
  while (Next()) {
  }
  return status_;
}

absl::string_view Query::TextAt(int column) const {
  // The order matters: sqlite3_column_bytes refers to the last conversion.
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return absl::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

}  // namespace assetgate::store::sqlite
