#include "store/sqlite/migrations.h"

#include "absl/strings/str_cat.h"

namespace assetgate::store::sqlite {
namespace {

// "AGST" in the file's header, which identifies the file to `file` and to the gateway.
constexpr int kApplicationId = 0x41475354;

// Columns that are searched or compared come first, so that skipping a row does not read its large
// columns.
constexpr char kVersion1[] = R"sql(
CREATE TABLE meta (
  name TEXT PRIMARY KEY NOT NULL,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;
-- 128 random bits, which identify resume tokens of another store, and of this one from before a
-- backup was restored.
INSERT INTO meta VALUES ('store_id', lower(hex(randomblob(16))));
-- Changes up to this revision are no longer kept.
INSERT INTO meta VALUES ('compacted', 0);
-- Written to test whether the file accepts writes again.
INSERT INTO meta VALUES ('probe', 0);

-- The present state. The create revision of a new row is unique and the highest, so it is the rowid:
-- new rows are appended to the table and to the indexes that end with it.
CREATE TABLE resources (
  create_revision INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  kind INTEGER NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  unfinished INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  terms BLOB NOT NULL,
  resource BLOB NOT NULL,
  internal BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX resources_by_key ON resources (tenant, kind, id);
CREATE INDEX resources_by_age ON resources (tenant, kind, create_revision);
CREATE INDEX resources_unfinished ON resources (tenant, kind, id) WHERE unfinished = 1;

-- The terms by which rows are found; each term's rows are ordered by age.
CREATE TABLE terms (
  tenant TEXT NOT NULL,
  kind INTEGER NOT NULL,
  term TEXT NOT NULL,
  create_revision INTEGER NOT NULL,
  PRIMARY KEY (tenant, kind, term, create_revision)
) STRICT, WITHOUT ROWID;

-- Every change, until it is compacted.
CREATE TABLE changes (
  revision INTEGER PRIMARY KEY,
  -- Microseconds since 1970.
  time INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  kind INTEGER NOT NULL,
  id TEXT NOT NULL,
  create_revision INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  cause INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  terms BLOB NOT NULL,
  previous_terms BLOB NOT NULL,
  resource BLOB NOT NULL
) STRICT;
CREATE INDEX changes_by_kind ON changes (tenant, kind, revision);

CREATE TABLE requests (
  number INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  method TEXT NOT NULL,
  request_id TEXT NOT NULL,
  -- Microseconds since 1970.
  create_time INTEGER NOT NULL,
  rows BLOB NOT NULL,
  request BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX requests_by_id ON requests (tenant, method, request_id);
CREATE INDEX requests_by_age ON requests (create_time);
)sql";

constexpr Migration kMigrations[] = {
    {.version = 1, .min_reader = 1, .sql = kVersion1},
};

absl::StatusOr<std::int64_t> ReadInt(const Connection& connection, absl::string_view sql) {
  absl::StatusOr<Statement> statement = connection.Prepare(sql);
  if (!statement.ok()) return statement.status();
  Query query(*statement);
  const bool found = query.Next();
  if (!query.status().ok()) return query.status();
  return found ? query.IntAt(0) : 0;
}

absl::Status Step(const Connection& connection, const Migration& migration, bool first) {
  if (absl::Status s = connection.Execute("BEGIN IMMEDIATE"); !s.ok()) return s;
  std::string sql;
  if (first) {
    absl::StrAppend(&sql, "PRAGMA application_id = ", kApplicationId, ";",
                    "CREATE TABLE schema (version INTEGER NOT NULL, min_reader INTEGER NOT NULL);",
                    "INSERT INTO schema VALUES (0, 0);");
  }
  absl::StrAppend(&sql, migration.sql, "\nUPDATE schema SET version = ", migration.version,
                  ", min_reader = ", migration.min_reader, "; COMMIT");
  absl::Status status = connection.Execute(sql.c_str());
  if (!status.ok()) {
    if (sqlite3_get_autocommit(connection.get()) == 0) connection.Execute("ROLLBACK").IgnoreError();
    return absl::Status(status.code(),
                        absl::StrCat("migration ", migration.version, ": ", status.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const Migration> Migrations() { return kMigrations; }

absl::StatusOr<std::int64_t> CheckSchema(const Connection& connection, int known) {
  absl::StatusOr<std::int64_t> tables = ReadInt(connection, "SELECT count(*) FROM sqlite_schema");
  if (!tables.ok() || *tables == 0) return tables;
  absl::StatusOr<std::int64_t> application = ReadInt(connection, "PRAGMA application_id");
  if (!application.ok()) return application;
  if (*application != kApplicationId) {
    return absl::FailedPreconditionError(
        "it is a SQLite database, but not one of assetgate; it was not changed");
  }
  absl::StatusOr<std::int64_t> version = ReadInt(connection, "SELECT version FROM schema");
  if (!version.ok()) return version;
  absl::StatusOr<std::int64_t> min_reader = ReadInt(connection, "SELECT min_reader FROM schema");
  if (!min_reader.ok()) return min_reader;
  if (absl::Status s = CheckReadable(*version, *min_reader, known); !s.ok()) return s;
  return version;
}

absl::Status Migrate(const Connection& connection, absl::Span<const Migration> migrations) {
  const absl::StatusOr<std::int64_t> version = CheckSchema(connection, migrations.back().version);
  if (!version.ok()) return version.status();
  bool first = *version == 0;
  for (const Migration& migration : migrations) {
    if (migration.version <= *version) continue;
    if (absl::Status s = Step(connection, migration, first); !s.ok()) return s;
    first = false;
  }
  return absl::OkStatus();
}

}  // namespace assetgate::store::sqlite
