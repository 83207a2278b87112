#include "store/postgres/connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace assetgate::store::postgres {
namespace {

// Type OIDs, from pg_type.
constexpr std::uint32_t kBool = 16;
constexpr std::uint32_t kBytea = 17;
constexpr std::uint32_t kInt8 = 20;

void AppendBig32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}
void AppendBig64(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// The header of a one-dimensional array in binary form; each element follows after its length.
std::string ArrayHead(std::uint32_t type, std::size_t size) {
  std::string out;
  AppendBig32(out, size == 0 ? 0 : 1);  // dimensions
  AppendBig32(out, 0);                  // no nulls
  AppendBig32(out, type);
  if (size > 0) {
    AppendBig32(out, static_cast<std::uint32_t>(size));
    AppendBig32(out, 1);  // the first index
  }
  return out;
}

template <typename Strings>
std::string ByteArray(const Strings& values) {
  std::string out = ArrayHead(kBytea, values.size());
  std::size_t size = out.size();
  for (const auto& value : values) size += value.size() + 4;
  out.reserve(size);
  for (const auto& value : values) {
    AppendBig32(out, static_cast<std::uint32_t>(value.size()));
    out.append(value.data(), value.size());
  }
  return out;
}

// `text` on one line.
std::string Line(absl::string_view text) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(text), {{"\n", "; "}, {"\t", " "}});
}

std::int64_t Milliseconds(absl::Duration duration) { return absl::ToInt64Milliseconds(duration); }

// Waits for one of the events; false if the deadline passes.
absl::StatusOr<bool> Poll(pollfd* sockets, nfds_t count, const Deadline& deadline) {
  for (;;) {
    const absl::Duration left = std::max(deadline.left(), absl::ZeroDuration());
    const int ready = ::poll(sockets, count, static_cast<int>(Milliseconds(left)) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return absl::UnavailableError(std::strerror(errno));
    if (deadline.passed()) return false;
  }
}

// Extracts the SQLSTATE from libpq's message about a rejected connection: "FATAL: 28P01: password
// authentication failed for user "x"; LOCATION: …". The word before it is in the server's language.
std::string TakeCode(std::string& message) {
  for (std::size_t at = message.find(":  "); at != std::string::npos;
       at = message.find(":  ", at + 1)) {
    const absl::string_view code = absl::string_view(message).substr(at + 3, 5);
    const bool is_code = code.size() == 5 && message.substr(at + 8, 2) == ": " &&
                         std::all_of(code.begin(), code.end(), [](unsigned char c) {
                           return absl::ascii_isdigit(c) || absl::ascii_isupper(c);
                         });
    if (!is_code) continue;
    std::string found(code);
    message.erase(at + 2, 6);
    if (const std::size_t end = message.find("; LOCATION:"); end != std::string::npos) {
      message.resize(end);
    }
    return found;
  }
  return "";
}

}  // namespace

Parameters& Parameters::Int(std::int64_t value) {
  AppendBig64(values_.emplace_back(), static_cast<std::uint64_t>(value));
  return *this;
}

Parameters& Parameters::Bytes(absl::string_view value) {
  values_.emplace_back(value);
  return *this;
}

Parameters& Parameters::Ints(const std::vector<std::int64_t>& values) {
  std::string& out = values_.emplace_back(ArrayHead(kInt8, values.size()));
  for (const std::int64_t value : values) {
    AppendBig32(out, 8);
    AppendBig64(out, static_cast<std::uint64_t>(value));
  }
  return *this;
}

Parameters& Parameters::Bools(const std::vector<bool>& values) {
  std::string& out = values_.emplace_back(ArrayHead(kBool, values.size()));
  for (const bool value : values) {
    AppendBig32(out, 1);
    out.push_back(value ? 1 : 0);
  }
  return *this;
}

Parameters& Parameters::ByteStrings(const std::vector<std::string>& values) {
  values_.push_back(ByteArray(values));
  return *this;
}

Parameters& Parameters::ByteStrings(const std::vector<absl::string_view>& values) {
  values_.push_back(ByteArray(values));
  return *this;
}

absl::string_view Rows::BytesAt(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Rows::IntAt(int row, int column) const {
  std::uint64_t value = 0;
  for (const char c : BytesAt(row, column)) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

bool Rows::BoolAt(int row, int column) const {
  return BytesAt(row, column) == absl::string_view("\1", 1);
}

std::int64_t Rows::affected() const {
  std::int64_t rows = 0;
  return absl::SimpleAtoi(PQcmdTuples(result_.get()), &rows) ? rows : 0;
}

absl::Status CheckConnectionString(const std::string& uri) {
  // libpq's message about an invalid string quotes the string, and with it the password.
  char* error = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(uri.c_str(), &error);
  PQfreemem(error);
  if (parsed == nullptr) {
    return absl::InvalidArgumentError(
        "PostgreSQL: the connection string is invalid; write "
        "postgresql://USER@HOST:PORT/DATABASE, with % and two digits for special characters");
  }
  PQconninfoFree(parsed);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Options& options) {
  if (absl::Status s = CheckConnectionString(options.uri); !s.ok()) return s;
  // The last two override the connection string.
  const char* const names[] = {"dbname", "application_name", "client_encoding", nullptr};
  const char* const values[] = {options.uri.c_str(), options.application_name.c_str(), "UTF8",
                                nullptr};
  std::unique_ptr<Connection> connection(
      new Connection(PQconnectStartParams(names, values, /*expand_dbname=*/1), options.timeout));
  if (connection->connection_ == nullptr) {
    return absl::UnavailableError("PostgreSQL: out of memory for a connection");
  }
  if (absl::Status s = connection->Connect(options); !s.ok()) return s;
  if (absl::Status s = connection->Configure(options); !s.ok()) return s;
  return connection;
}

absl::Status Connection::Connect(const Options& options) {
  PGconn* raw = connection_.get();
  PQsetErrorVerbosity(raw, PQERRORS_VERBOSE);  // With codes: messages may be in any language.
  const Deadline deadline(options.connect_timeout);
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (PQstatus(raw) == CONNECTION_BAD || state == PGRES_POLLING_FAILED) {
      std::string message = Line(PQerrorMessage(raw));
      sqlstate_ = TakeCode(message);
      const std::string text = absl::StrCat("PostgreSQL: ", message);
      if (absl::StartsWith(sqlstate_, "28")) return absl::PermissionDeniedError(text);
      if (sqlstate_ == "3D000") return absl::NotFoundError(text);
      return absl::UnavailableError(text);
    }
    pollfd socket{PQsocket(raw),
                  static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    absl::StatusOr<bool> ready = Poll(&socket, 1, deadline);
    if (!ready.ok()) return ready.status();
    if (!*ready) {
      return absl::UnavailableError(absl::StrCat("PostgreSQL: no connection to ", address(),
                                                 " within ",
                                                 absl::FormatDuration(options.connect_timeout)));
    }
    state = PQconnectPoll(raw);
  }
  PQsetErrorVerbosity(raw, PQERRORS_DEFAULT);
  if (PQsetnonblocking(raw, 1) != 0) return Break("no non-blocking mode");
  // The server's notices are read here, and must not go to stderr.
  PQsetNoticeReceiver(raw, &Connection::OnNotice, this);
  return absl::OkStatus();
}

void Connection::OnNotice(void* connection, const PGresult* notice) {
  // "The transaction has already committed locally, but might not have been replicated to the
  // standby": a warning in the server's language, next to a COMMIT that succeeds.
  const char* function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
  if (function != nullptr && absl::string_view(function) == "SyncRepWaitForLSN") {
    static_cast<Connection*>(connection)->committed_locally_ = true;
  }
}

absl::Status Connection::Configure(const Options& options) {
  // A stalled client blocks others no longer than the lock timeout, and the server gives up on a
  // lost client as soon as this client would.
  //
  // The planner gets no choice: every statement is written for one index, whatever the statistics
  // of a young table say, and no plan is made twice. If two indexes could find a row, the statement
  // asks for an order that only the right one provides, and sorting is disabled.
  return Execute(absl::StrCat(
      "SET search_path = assetgate, pg_temp; SET statement_timeout = ",
      Milliseconds(options.timeout * 0.8),
      "; SET lock_timeout = ", Milliseconds(options.lock_timeout),
      "; SET idle_in_transaction_session_timeout = ", Milliseconds(options.lock_timeout),
      "; SET tcp_user_timeout = ", Milliseconds(options.timeout),
      "; SET default_transaction_isolation = 'read committed'; SET synchronous_commit = on; "
      "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
      "SET enable_sort = off; "
      "SET plan_cache_mode = force_generic_plan; SET jit = off"));
}

std::string Connection::address() const {
  const char* host = PQhost(connection_.get());
  const char* port = PQport(connection_.get());
  return absl::StrCat(host == nullptr ? "" : host, ":", port == nullptr ? "" : port);
}

absl::Status Connection::Break(absl::string_view what) {
  broken_ = true;
  return absl::UnavailableError(absl::StrCat("PostgreSQL: ", Line(what)));
}

absl::Status Connection::ErrorOf(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  sqlstate_ = state == nullptr ? "" : state;
  const std::string text = absl::StrCat("PostgreSQL: ", Line(message == nullptr ? "" : message),
                                        " (SQLSTATE ", sqlstate_.empty() ? "none" : sqlstate_, ")");
  if (sqlstate_ == "42501" || sqlstate_ == "3F000") return absl::PermissionDeniedError(text);
  // Connection, read-only, transaction rollback, resources, locks and timeouts, operator, system.
  for (const char* passing : {"08", "25", "40", "53", "55", "57", "58"}) {
    if (absl::StartsWith(sqlstate_, passing)) return absl::UnavailableError(text);
  }
  return absl::InternalError(text);
}

absl::Status Connection::Await(const Deadline& deadline) {
  PGconn* raw = connection_.get();
  for (;;) {
    const int unsent = PQflush(raw);
    if (unsent < 0) return Break(PQerrorMessage(raw));
    if (unsent == 0 && PQisBusy(raw) == 0) return absl::OkStatus();
    pollfd socket{PQsocket(raw), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0};
    absl::StatusOr<bool> ready = Poll(&socket, 1, deadline);
    if (!ready.ok()) return Break(ready.status().message());
    if (!*ready) return Break(absl::StrCat("no answer within ", absl::FormatDuration(timeout_)));
    if ((socket.revents & ~POLLOUT) != 0 && PQconsumeInput(raw) == 0) {
      return Break(PQerrorMessage(raw));
    }
  }
}

absl::StatusOr<PGresult*> Connection::NextResult(const Deadline& deadline) {
  if (absl::Status s = Await(deadline); !s.ok()) return s;
  PGresult* result = PQgetResult(connection_.get());
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    const std::string why = PQerrorMessage(connection_.get());
    PQclear(result);
    return Break(why);
  }
  return result;
}

absl::Status Connection::Prepare(const char* sql, const Deadline& deadline) {
  if (prepared_.contains(sql)) return absl::OkStatus();
  const std::string name = absl::StrCat("s", prepared_.size());
  if (PQsendPrepare(connection_.get(), name.c_str(), sql, 0, nullptr) == 0) {
    return Break(PQerrorMessage(connection_.get()));
  }
  absl::Status status;
  for (;;) {
    absl::StatusOr<PGresult*> result = NextResult(deadline);
    if (!result.ok()) return result.status();
    if (*result == nullptr) break;
    const Rows owned(*result);
    if (PQresultStatus(*result) != PGRES_COMMAND_OK) status = ErrorOf(*result);
  }
  if (status.ok()) prepared_[sql] = name;
  return status;
}

absl::Status Connection::Send(const Statement& statement) {
  const std::vector<std::string>& values = statement.parameters.values_;
  std::vector<const char*> pointers;
  std::vector<int> lengths;
  const std::vector<int> formats(values.size(), 1);
  pointers.reserve(values.size());
  lengths.reserve(values.size());
  for (const std::string& value : values) {
    pointers.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
  }
  if (PQsendQueryPrepared(connection_.get(), prepared_.at(statement.sql).c_str(),
                          static_cast<int>(values.size()), pointers.data(), lengths.data(),
                          formats.data(), /*resultFormat=*/1) == 0) {
    return Break(PQerrorMessage(connection_.get()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Rows> Connection::Run(const Statement& statement) {
  absl::StatusOr<std::vector<Rows>> rows = RunAll({statement});
  if (!rows.ok()) return rows.status();
  return std::move(rows->front());
}

absl::StatusOr<std::vector<Rows>> Connection::RunAll(const std::vector<Statement>& statements) {
  sqlstate_.clear();
  committed_locally_ = false;
  if (broken_) return absl::UnavailableError("PostgreSQL: the connection is lost");
  absl::StatusOr<std::vector<Rows>> answers = RunPipeline(statements);
  if (!answers.ok() && !broken_ && PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
    // The first error is the one to report.
    const std::string sqlstate = sqlstate_;
    if (absl::Status s = Execute("ROLLBACK"); !s.ok() && !broken_) return Break(s.message());
    sqlstate_ = sqlstate;
  }
  return answers;
}

absl::StatusOr<std::vector<Rows>> Connection::RunPipeline(
    const std::vector<Statement>& statements) {
  PGconn* raw = connection_.get();
  const Deadline deadline(timeout_);
  for (const Statement& statement : statements) {
    if (absl::Status s = Prepare(statement.sql, deadline); !s.ok()) return s;
  }
  if (PQenterPipelineMode(raw) == 0) return Break(PQerrorMessage(raw));
  for (const Statement& statement : statements) {
    if (absl::Status s = Send(statement); !s.ok()) return s;
  }
  if (PQpipelineSync(raw) == 0) return Break(PQerrorMessage(raw));
  std::vector<Rows> answers;
  answers.reserve(statements.size());
  absl::Status status;
  for (bool synced = false; !synced;) {
    absl::StatusOr<PGresult*> result = NextResult(deadline);
    if (!result.ok()) return result.status();
    if (*result == nullptr) continue;  // The end of one statement's answer.
    Rows rows(*result);
    switch (PQresultStatus(*result)) {
      case PGRES_PIPELINE_SYNC:
        synced = true;
        break;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        answers.push_back(std::move(rows));
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      default:
        if (status.ok()) status = ErrorOf(*result);
        break;
    }
  }
  if (PQexitPipelineMode(raw) == 0) return Break(PQerrorMessage(raw));
  if (!status.ok()) return status;
  return answers;
}

absl::Status Connection::Execute(const std::string& sql) {
  sqlstate_.clear();
  if (broken_) return absl::UnavailableError("PostgreSQL: the connection is lost");
  const Deadline deadline(timeout_);
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) {
    return Break(PQerrorMessage(connection_.get()));
  }
  absl::Status status;
  for (;;) {
    absl::StatusOr<PGresult*> result = NextResult(deadline);
    if (!result.ok()) return result.status();
    if (*result == nullptr) return status;
    const Rows owned(*result);
    const ExecStatusType state = PQresultStatus(*result);
    if (state != PGRES_COMMAND_OK && state != PGRES_TUPLES_OK && status.ok()) {
      status = ErrorOf(*result);
    }
  }
}

absl::StatusOr<std::vector<std::string>> Connection::AwaitNotifications(absl::Duration timeout,
                                                                        int wake_fd) {
  if (broken_) return absl::UnavailableError("PostgreSQL: the connection is lost");
  PGconn* raw = connection_.get();
  const Deadline deadline(timeout);
  for (;;) {
    std::vector<std::string> said;
    while (PGnotify* notification = PQnotifies(raw)) {
      said.emplace_back(notification->extra);
      PQfreemem(notification);
    }
    if (!said.empty()) return said;
    pollfd sockets[] = {{PQsocket(raw), POLLIN, 0}, {wake_fd, POLLIN, 0}};
    absl::StatusOr<bool> ready = Poll(sockets, wake_fd < 0 ? 1 : 2, deadline);
    if (!ready.ok()) return Break(ready.status().message());
    if (!*ready || sockets[1].revents != 0) return said;
    if (PQconsumeInput(raw) == 0) return Break(PQerrorMessage(raw));
  }
}

}  // namespace assetgate::store::postgres
