#include "store/postgres/schema.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace assetgate::store::postgres {
namespace {

// "AGST": the advisory lock for migrations.
constexpr std::int64_t kMigrationLock = 0x41475354;

// Names, terms and ids are bytea: any bytes, compared as bytes, whatever the database's locale.
constexpr char kVersion1[] = R"sql(
CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);
-- 128 random bits, which identify resume tokens and page tokens of another store.
INSERT INTO meta VALUES ('store_id', replace(gen_random_uuid()::text, '-', ''));
-- Written to test whether the database accepts writes again.
INSERT INTO meta VALUES ('probe', '');

-- The newest revision. Its row lock, taken last in every group, orders the commits. Rewritten
-- constantly, so the page keeps room for its next versions.
CREATE TABLE head (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  revision bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO head (revision) VALUES (0);

-- Changes up to this revision are no longer kept.
CREATE TABLE compaction (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  upto bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO compaction (upto) VALUES (0);

-- The present state. The create revision of a new row is unique and the highest, so new rows are
-- appended to every index that ends with it.
CREATE TABLE resources (
  create_revision bigint PRIMARY KEY,
  tenant bytea NOT NULL,
  kind bigint NOT NULL,
  id bytea NOT NULL,
  revision bigint NOT NULL,
  unfinished boolean NOT NULL,
  shard bigint NOT NULL,
  settled boolean NOT NULL,
  terms bytea NOT NULL,
  resource bytea NOT NULL,
  internal bytea NOT NULL
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX resources_by_key ON resources (tenant, kind, id);
CREATE INDEX resources_by_age ON resources (tenant, kind, create_revision);
CREATE INDEX resources_unfinished ON resources (tenant, kind, id, shard) WHERE unfinished;
CREATE INDEX resources_unfinished_by_shard ON resources (shard, tenant, kind, id) WHERE unfinished;

-- The terms by which rows are found; each term's rows are ordered by age.
CREATE TABLE terms (
  tenant bytea NOT NULL,
  kind bigint NOT NULL,
  term bytea NOT NULL,
  create_revision bigint NOT NULL,
  PRIMARY KEY (tenant, kind, term, create_revision)
);

-- Every change, until it is compacted.
CREATE TABLE changes (
  revision bigint PRIMARY KEY,
  -- Microseconds since 1970.
  time bigint NOT NULL,
  -- Of the store object that committed it: a number that each makes for itself.
  writer bigint NOT NULL,
  tenant bytea NOT NULL,
  kind bigint NOT NULL,
  id bytea NOT NULL,
  create_revision bigint NOT NULL,
  deleted boolean NOT NULL,
  cause bigint NOT NULL,
  settled boolean NOT NULL,
  unfinished boolean NOT NULL,
  shard bigint NOT NULL,
  terms bytea NOT NULL,
  previous_terms bytea NOT NULL,
  resource bytea NOT NULL
);
CREATE INDEX changes_by_kind ON changes (tenant, kind, revision);

CREATE TABLE requests (
  tenant bytea NOT NULL,
  method bytea NOT NULL,
  request_id bytea NOT NULL,
  -- Microseconds since 1970.
  create_time bigint NOT NULL,
  rows bytea NOT NULL,
  request bytea NOT NULL,
  PRIMARY KEY (tenant, method, request_id)
);
CREATE INDEX requests_by_age ON requests (create_time);

-- The running gateways, and until when each counts as running.
CREATE TABLE gateways (
  owner text PRIMARY KEY,
  name text NOT NULL,
  expires_at timestamptz NOT NULL
);

-- The owner of each shard: see store/leases.h. `epoch` counts the owners.
CREATE TABLE shards (
  shard bigint PRIMARY KEY,
  owner text NOT NULL DEFAULT '',
  epoch bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
INSERT INTO shards (shard) SELECT generate_series(0, 255);

-- Called by releases whose lists had no bound; now postgres/reader.cc does the walk. It is kept while
-- such a release may run beside this one.
-- The create_revisions of at most `most` rows at or below `upto` that have a term of each clause,
-- descending. Leaps from clause to clause to the next revision that all of them have, so it costs in
-- proportion to the rarest clause.
CREATE FUNCTION matching(of_tenant bytea, of_kind bigint, words bytea[], clause_of bigint[],
                         clauses bigint, upto bigint, most bigint)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  candidate bigint := upto;
  newest bigint;
  agreeing bigint := 0;
  found_rows bigint := 0;
  at bigint := 0;
BEGIN
  LOOP
    SELECT max(n) INTO newest FROM (
      SELECT (SELECT t.create_revision FROM assetgate.terms t
              WHERE t.tenant = of_tenant AND t.kind = of_kind AND t.term = w.word
              AND t.create_revision <= candidate
              ORDER BY t.create_revision DESC LIMIT 1) AS n
      FROM unnest(words, clause_of) AS w(word, clause) WHERE w.clause = at) AS of_clause;
    IF newest IS NULL THEN RETURN; END IF;
    IF newest = candidate THEN agreeing := agreeing + 1; ELSE agreeing := 1; END IF;
    candidate := newest;
    IF agreeing >= clauses THEN
      RETURN NEXT candidate;
      found_rows := found_rows + 1;
      IF found_rows >= most THEN RETURN; END IF;
      candidate := candidate - 1;
      agreeing := 0;
    END IF;
    at := (at + 1) % clauses;
  END LOOP;
END $$;
)sql";

constexpr Migration kMigrations[] = {
    {.version = 1, .min_reader = 1, .sql = kVersion1},
};

absl::Status MissingRight(const Connection& connection, absl::string_view what) {
  return absl::PermissionDeniedError(absl::StrCat(
      what, ". The user needs the privilege to create the schema assetgate: GRANT CREATE ON ",
      "DATABASE \"", connection.database(), "\" TO \"", connection.user(), "\"; or, if it exists ",
      "already, to own it: ALTER SCHEMA assetgate OWNER TO \"", connection.user(), "\""));
}

// Names the missing privilege if the server reports one.
absl::Status ExplainRights(const Connection& connection, const absl::Status& status) {
  return absl::IsPermissionDenied(status) ? MissingRight(connection, status.message()) : status;
}

absl::Status NotOurs() {
  return absl::FailedPreconditionError(
      "the schema assetgate was not created by assetgate; use another database for the gateway");
}

absl::Status MigrateLocked(Connection& connection, absl::Span<const Migration> migrations) {
  const int known = migrations.back().version;
  absl::StatusOr<Rows> there =
      connection.Run({"SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'assetgate'), "
                      "to_regclass('assetgate.schema_version') IS NOT NULL",
                      {}});
  if (!there.ok()) return there.status();
  if (!there->BoolAt(0, 0)) {
    if (absl::Status s = connection.Execute("CREATE SCHEMA assetgate"); !s.ok()) return s;
  }
  if (!there->BoolAt(0, 1)) {
    if (absl::Status s = connection.Execute(
            "CREATE TABLE assetgate.schema_version (version bigint NOT NULL, min_reader bigint NOT "
            "NULL); INSERT INTO assetgate.schema_version VALUES (0, 0)");
        !s.ok()) {
      return s;
    }
  }
  absl::StatusOr<Rows> rows =
      connection.Run({"SELECT version, min_reader FROM assetgate.schema_version", {}});
  if (!rows.ok()) return rows.status();
  if (rows->size() != 1) return NotOurs();
  const std::int64_t version = rows->IntAt(0, 0);
  const std::int64_t min_reader = rows->IntAt(0, 1);
  if (absl::Status s = CheckReadable(version, min_reader, known); !s.ok()) return s;
  for (const Migration& migration : migrations) {
    if (migration.version <= version) continue;
    if (absl::Status s = connection.Execute(absl::StrCat(
            migration.sql, "\nUPDATE assetgate.schema_version SET version = ", migration.version,
            ", min_reader = ", migration.min_reader));
        !s.ok()) {
      return absl::Status(s.code(),
                          absl::StrCat("migration ", migration.version, ": ", s.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const Migration> Migrations() { return kMigrations; }

absl::StatusOr<std::int64_t> CheckSchema(Connection& connection) {
  absl::StatusOr<Rows> rights = connection.Run(
      {"SELECT has_database_privilege(current_database(), 'CREATE'), "
       "(SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'assetgate')",
       {}});
  if (!rights.ok()) return rights.status();
  if (rights->IsNull(0, 1)) {
    if (rights->BoolAt(0, 0)) return 0;
    return MissingRight(connection,
                        "the database has no schema assetgate, and this user cannot create it");
  }
  if (!rights->BoolAt(0, 1)) {
    return MissingRight(connection, "the schema assetgate belongs to another user");
  }
  absl::StatusOr<Rows> there =
      connection.Run({"SELECT to_regclass('assetgate.schema_version') IS NOT NULL", {}});
  if (!there.ok()) return there.status();
  if (!there->BoolAt(0, 0)) return 0;
  absl::StatusOr<Rows> rows =
      connection.Run({"SELECT version, min_reader FROM assetgate.schema_version", {}});
  if (!rows.ok()) return rows.status();
  if (rows->size() != 1) return NotOurs();
  const std::int64_t version = rows->IntAt(0, 0);
  if (absl::Status s = CheckReadable(version, rows->IntAt(0, 1), Migrations().back().version);
      !s.ok()) {
    return s;
  }
  return version;
}

absl::Status Migrate(Connection& connection, absl::Span<const Migration> migrations) {
  if (absl::Status s = connection.Execute(
          absl::StrCat("BEGIN; SELECT pg_advisory_xact_lock(", kMigrationLock, ")"));
      !s.ok()) {
    return s;
  }
  const absl::Status status = MigrateLocked(connection, migrations);
  if (status.ok()) return connection.Execute("COMMIT");
  if (!connection.broken()) connection.Execute("ROLLBACK").IgnoreError();
  return ExplainRights(connection, status);
}

}  // namespace assetgate::store::postgres
