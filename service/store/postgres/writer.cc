#include "store/postgres/writer.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "store/codec.h"
#include "store/trusted_time.h"

namespace assetgate::store::postgres {
namespace {

using Outcome = CommitResult::Outcome;

// How often a group is tried before its transactions are answered with the error.
constexpr int kMaxTries = 4;

constexpr char kBegin[] = "BEGIN";
constexpr char kCommit[] = "COMMIT";

// In the order of the arrays: unnest returns them, and so the locks are taken, in that order.
constexpr char kLock[] = R"sql(
SELECT count(*) FROM unnest($1::bigint[], $2::boolean[]) AS l(key, shared)
WHERE CASE WHEN l.shared THEN pg_advisory_xact_lock_shared(l.key)::text
           ELSE pg_advisory_xact_lock(l.key)::text END IS NOT NULL
)sql";

// After the locks: everything read from here on includes the commits of their previous holders. The
// transaction's number identifies it when its outcome is looked up.
constexpr char kHead[] =
    "SELECT (SELECT revision FROM head), pg_current_xact_id()::text::bigint, "
    "current_setting('synchronous_standby_names') <> ''";
constexpr char kHeadForUpdate[] = "SELECT revision FROM head FOR UPDATE";

// Two bounds and an order, as in postgres/reader.cc: only resources_by_key provides it.
constexpr char kFindRows[] = R"sql(
SELECT u.n, r.create_revision, r.revision, r.terms,
       CASE WHEN u.wants_resource THEN r.resource ELSE ''::bytea END
FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::boolean[]) WITH ORDINALITY
     AS u(tenant, kind, id, wants_resource, n)
CROSS JOIN LATERAL (SELECT * FROM resources
                    WHERE tenant = u.tenant AND kind = u.kind AND id >= u.id AND id <= u.id
                    ORDER BY id LIMIT 1) r
)sql";

constexpr char kFindRequests[] = R"sql(
SELECT u.n, q.create_time, q.rows, q.request
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS u(tenant, method, request_id, n)
JOIN requests q ON q.tenant = u.tenant AND q.method = u.method AND q.request_id = u.request_id
)sql";

constexpr char kFindTerms[] = R"sql(
SELECT u.n, r.id
FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS u(tenant, kind, term, n)
CROSS JOIN LATERAL (SELECT create_revision FROM terms t
                    WHERE t.tenant = u.tenant AND t.kind = u.kind AND t.term = u.term
                    LIMIT $4::bigint) t
JOIN resources r ON r.create_revision = t.create_revision
)sql";

// One tenant after the other, each by one look-up.
constexpr char kFindTermsAnywhere[] = R"sql(
WITH RECURSIVE tenants(name) AS (
  (SELECT tenant FROM resources ORDER BY tenant LIMIT 1)
  UNION ALL
  SELECT (SELECT tenant FROM resources WHERE tenant > name ORDER BY tenant LIMIT 1)
  FROM tenants WHERE name IS NOT NULL
)
SELECT u.n, r.tenant, r.id
FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS u(kind, term, n)
CROSS JOIN tenants
CROSS JOIN LATERAL (SELECT create_revision FROM terms t
                    WHERE t.tenant = tenants.name AND t.kind = u.kind AND t.term = u.term
                    LIMIT $3::bigint) t
JOIN resources r ON r.create_revision = t.create_revision
)sql";

constexpr char kDeleteRows[] = "DELETE FROM resources WHERE create_revision = ANY($1::bigint[])";

constexpr char kDeleteTerms[] = R"sql(
DELETE FROM terms t
USING unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[]) AS u(tenant, kind, term, row)
WHERE t.tenant = u.tenant AND t.kind = u.kind AND t.term = u.term AND t.create_revision = u.row
)sql";

constexpr char kDeleteRequests[] = R"sql(
DELETE FROM requests q
USING unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS u(tenant, method, request_id)
WHERE q.tenant = u.tenant AND q.method = u.method AND q.request_id = u.request_id
)sql";

// Dated by the database, which also decides when they expire.
constexpr char kInsertRequests[] = R"sql(
INSERT INTO requests (tenant, method, request_id, create_time, rows, request)
SELECT r.tenant, r.method, r.request_id, (extract(epoch FROM now()) * 1000000)::bigint, r.rows,
       r.request
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[])
     AS r(tenant, method, request_id, rows, request)
)sql";

// The head, and everything that carries revisions: numbers in the arrays count from the head, those
// of existing rows are absolute. One statement, so that the server has all of it before it takes
// the head's lock. Other gateways are notified when, and only if, it is committed.
constexpr char kPublish[] = R"sql(
WITH h AS (
  UPDATE head SET revision = revision + $1::bigint RETURNING revision - $1::bigint AS base
), inserted AS (
  INSERT INTO resources (create_revision, tenant, kind, id, revision, unfinished, shard, settled,
                         terms, resource, internal)
  SELECT h.base + i.created, i.tenant, i.kind, i.id, h.base + i.revision, i.unfinished, i.shard,
         i.settled, i.terms, i.resource, i.internal
  FROM h, unnest($2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bigint[], $7::boolean[],
                 $8::bigint[], $9::boolean[], $10::bytea[], $11::bytea[], $12::bytea[])
       AS i(created, tenant, kind, id, revision, unfinished, shard, settled, terms, resource, internal)
), updated AS (
  UPDATE resources r
  SET revision = h.base + u.revision, unfinished = u.unfinished, shard = u.shard,
      settled = u.settled, terms = u.terms, resource = u.resource, internal = u.internal
  FROM h, unnest($13::bigint[], $14::bigint[], $15::boolean[], $16::bigint[], $17::boolean[],
                 $18::bytea[], $19::bytea[], $20::bytea[])
       AS u(row, revision, unfinished, shard, settled, terms, resource, internal)
  WHERE r.create_revision = u.row
), described AS (
  INSERT INTO terms (tenant, kind, term, create_revision)
  SELECT t.tenant, t.kind, t.term, CASE WHEN t.made THEN h.base + t.row ELSE t.row END
  FROM h, unnest($21::bytea[], $22::bigint[], $23::bytea[], $24::bigint[], $25::boolean[])
       AS t(tenant, kind, term, row, made)
), logged AS (
  INSERT INTO changes (revision, time, writer, tenant, kind, id, create_revision, deleted, cause,
                       settled, unfinished, shard, terms, previous_terms, resource)
  SELECT h.base + c.revision, (extract(epoch FROM now()) * 1000000)::bigint, $26::bigint, c.tenant, c.kind, c.id,
         CASE WHEN c.made THEN h.base + c.row ELSE c.row END, c.deleted, c.cause, c.settled,
         c.unfinished, c.shard, c.terms, c.previous_terms, c.resource
  FROM h, unnest($27::bigint[], $28::bytea[], $29::bigint[], $30::bytea[], $31::bigint[],
                 $32::boolean[], $33::boolean[], $34::bigint[], $35::boolean[], $36::boolean[],
                 $37::bigint[], $38::bytea[], $39::bytea[], $40::bytea[])
       AS c(revision, tenant, kind, id, row, made, deleted, cause, settled, unfinished, shard, terms,
            previous_terms, resource)
)
SELECT base, pg_notify('assetgate', $26::bigint::text) IS NULL FROM h
)sql";

// Waits for every group that holds the head's lock, and is logged after them.
constexpr char kBarrier[] = "UPDATE head SET revision = revision";

constexpr char kProbe[] = "UPDATE meta SET value = value WHERE name = 'probe'";

// The outcome is open as long as the server runs the transaction. A backend that waits for a lock
// or for its client is terminated; one that waits for a standby never is, because it would then
// commit on this server alone. MATERIALIZED, here and below: pg_terminate_backend must be called
// for the selected rows only, and not, as the planner would have it, before the rest of the
// condition is evaluated.
constexpr char kOutcome[] = R"sql(
WITH running AS MATERIALIZED (
  SELECT pid FROM pg_stat_activity
  WHERE backend_xid = $1::bigint::text::xid8::xid AND pid <> pg_backend_pid()
    AND wait_event_type IN ('Lock', 'Client')
)
SELECT coalesce(pg_xact_status($1::bigint::text::xid8), ''),
       (SELECT count(*) FROM running WHERE pg_terminate_backend(pid))
)sql";
constexpr char kOwnBase[] =
    "SELECT coalesce(min(revision) - 1, -1) FROM changes "
    "WHERE revision > $1::bigint AND writer = $2::bigint";

// Backends that wait for their client within a transaction older than $1 and hold this gateway's
// kind of locks.
constexpr char kTerminateStalled[] = R"sql(
WITH stalled AS MATERIALIZED (
  SELECT a.pid FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.application_name LIKE 'assetgate%'
    AND a.pid <> pg_backend_pid() AND a.wait_event_type = 'Client'
    AND a.xact_start < clock_timestamp() - $1::bigint * interval '1 millisecond'
    AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted
                AND l.locktype IN ('advisory', 'transactionid'))
)
SELECT count(*) FROM stalled WHERE pg_terminate_backend(pid)
)sql";

// "AGSX": the lock for removing expired data.
constexpr char kExpireLock[] = "SELECT pg_try_advisory_xact_lock(1095193432)";
constexpr char kReadTrustedTime[] =
    "SELECT (extract(epoch FROM now()) * 1000000)::bigint, "
    "(SELECT value::bigint FROM meta WHERE name = 'lived')";
constexpr char kSaveTrustedTime[] =
    "INSERT INTO meta VALUES ('lived', ($1::bigint)::text) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value";
constexpr char kExpireRequests[] = R"sql(
DELETE FROM requests WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM requests WHERE create_time < $1::bigint ORDER BY create_time LIMIT $2::bigint
  FOR UPDATE SKIP LOCKED))
)sql";
constexpr char kOldestChanges[] = R"sql(
SELECT revision, time, (SELECT revision FROM head) AS newest FROM changes ORDER BY revision LIMIT $1::bigint
)sql";
constexpr char kDeleteChanges[] = "DELETE FROM changes WHERE revision <= $1::bigint";
constexpr char kSetCompacted[] = "UPDATE compaction SET upto = $1::bigint WHERE upto < $1::bigint";

// Sorted and unique, in the form of the index.
std::vector<std::string> Indexed(const std::vector<std::string>& terms) {
  std::vector<std::string> indexed;
  indexed.reserve(terms.size());
  for (const std::string& term : terms) indexed.push_back(IndexedTerm(term));
  std::sort(indexed.begin(), indexed.end());
  indexed.erase(std::unique(indexed.begin(), indexed.end()), indexed.end());
  return indexed;
}

// The columns to write, sent as arrays. Revisions count from the head.
struct Columns {
  using Ints = std::vector<std::int64_t>;
  using Bools = std::vector<bool>;
  using Strings = std::vector<std::string>;
  using Views = std::vector<absl::string_view>;

  Ints deleted_rows;
  struct {
    Views tenant;
    Ints kind;
    Strings term;
    Ints row;
    Bools made;
  } removed_terms, terms_new;
  struct {
    Views tenant;
    Views method;
    Views id;
    Strings rows;
    Views request;
  } removed_requests, requests_new;
  struct {
    Ints row;
    Views tenant;
    Ints kind;
    Views id;
    Ints revision;
    Bools unfinished;
    Ints shard;
    Bools settled;
    Strings terms;
    Views resource;
    Views internal;
  } inserted, updated;
  struct {
    Ints revision;
    Views tenant;
    Ints kind;
    Views id;
    Ints row;
    Bools made;
    Bools deleted;
    Ints cause;
    Bools settled;
    Bools unfinished;
    Ints shard;
    Strings terms;
    Strings previous_terms;
    Views resource;
  } changes;

  void AddRow(const Batch::RowSlot& slot, Revision head);
  void AddRequest(const Batch::RequestSlot& slot);
  void AddChange(const Change& change, Revision head);
};

void Columns::AddRow(const Batch::RowSlot& slot, Revision head) {
  const Batch::RowState& before = slot.before;
  const Batch::RowState& now = slot.now;
  if (now.revision == before.revision) return;
  const bool made = now.create_revision > head;
  const bool removed = before.revision != 0 && (now.revision == 0 || made);
  const auto kind = static_cast<std::int64_t>(slot.key.kind);
  const auto add_terms = [&](auto& table, const std::vector<std::string>& terms, Revision row) {
    for (const std::string& term : terms) {
      table.tenant.push_back(slot.key.tenant);
      table.kind.push_back(kind);
      table.term.push_back(term);
      table.row.push_back(row > head ? row - head : row);
      table.made.push_back(row > head);
    }
  };
  const std::vector<std::string> held =
      before.revision == 0 ? std::vector<std::string>() : Indexed(before.terms);
  const std::vector<std::string> wanted =
      now.revision == 0 ? std::vector<std::string>() : Indexed(now.current_terms());
  if (removed || now.revision == 0 || made) {
    if (removed) deleted_rows.push_back(before.create_revision);
    add_terms(removed_terms, held, before.create_revision);
    add_terms(terms_new, wanted, now.create_revision);
  } else {
    std::vector<std::string> difference;
    std::set_difference(held.begin(), held.end(), wanted.begin(), wanted.end(),
                        std::back_inserter(difference));
    add_terms(removed_terms, difference, before.create_revision);
    difference.clear();
    std::set_difference(wanted.begin(), wanted.end(), held.begin(), held.end(),
                        std::back_inserter(difference));
    add_terms(terms_new, difference, before.create_revision);
  }
  if (now.revision == 0) return;
  auto& table = made ? inserted : updated;
  table.row.push_back(made ? now.create_revision - head : now.create_revision);
  table.tenant.push_back(slot.key.tenant);
  table.kind.push_back(kind);
  table.id.push_back(slot.key.id);
  table.revision.push_back(now.revision - head);
  table.unfinished.push_back(now.content->unfinished);
  table.shard.push_back(now.content->shard);
  table.settled.push_back(now.content->settled);
  table.terms.push_back(EncodeStrings(now.content->terms));
  table.resource.push_back(now.content->resource);
  table.internal.push_back(now.content->internal);
}

void Columns::AddRequest(const Batch::RequestSlot& slot) {
  if (!slot.changed) return;
  if (slot.before.has_value()) {
    removed_requests.tenant.push_back(slot.key.tenant);
    removed_requests.method.push_back(slot.key.method);
    removed_requests.id.push_back(slot.key.request_id);
  }
  if (!slot.now.has_value()) return;
  requests_new.tenant.push_back(slot.key.tenant);
  requests_new.method.push_back(slot.key.method);
  requests_new.id.push_back(slot.key.request_id);
  requests_new.rows.push_back(EncodeKeys(slot.now->rows));
  requests_new.request.push_back(slot.now->request);
}

void Columns::AddChange(const Change& change, Revision head) {
  const bool made = change.create_revision > head;
  changes.revision.push_back(change.revision - head);
  changes.tenant.push_back(change.key.tenant);
  changes.kind.push_back(static_cast<std::int64_t>(change.key.kind));
  changes.id.push_back(change.key.id);
  changes.row.push_back(made ? change.create_revision - head : change.create_revision);
  changes.made.push_back(made);
  changes.deleted.push_back(change.deleted);
  changes.cause.push_back(static_cast<std::int64_t>(change.cause));
  changes.settled.push_back(change.settled);
  changes.unfinished.push_back(change.unfinished);
  changes.shard.push_back(change.shard);
  changes.terms.push_back(EncodeStrings(change.terms));
  changes.previous_terms.push_back(EncodeStrings(change.previous_terms));
  changes.resource.push_back(change.resource);
}

// All statements of a batch, without BEGIN and COMMIT; none if it changes nothing. Statements that
// need no revision come first, while the head is not locked.
std::vector<Statement> WriteStatements(Batch& batch, Revision head, std::int64_t writer) {
  Columns columns;
  for (const Batch::RowSlot& row : batch.rows()) columns.AddRow(row, head);
  for (const Batch::RequestSlot& request : batch.requests()) columns.AddRequest(request);
  for (const auto& change : batch.changes()) columns.AddChange(*change, head);

  std::vector<Statement> statements;
  if (!columns.deleted_rows.empty()) {
    statements.push_back({kDeleteRows, Parameters().Ints(columns.deleted_rows)});
  }
  if (const auto& gone = columns.removed_terms; !gone.row.empty()) {
    statements.push_back({kDeleteTerms, Parameters()
                                            .ByteStrings(gone.tenant)
                                            .Ints(gone.kind)
                                            .ByteStrings(gone.term)
                                            .Ints(gone.row)});
  }
  if (const auto& gone = columns.removed_requests; !gone.id.empty()) {
    statements.push_back(
        {kDeleteRequests,
         Parameters().ByteStrings(gone.tenant).ByteStrings(gone.method).ByteStrings(gone.id)});
  }
  if (const auto& made = columns.requests_new; !made.id.empty()) {
    statements.push_back({kInsertRequests, Parameters()
                                               .ByteStrings(made.tenant)
                                               .ByteStrings(made.method)
                                               .ByteStrings(made.id)
                                               .ByteStrings(made.rows)
                                               .ByteStrings(made.request)});
  }
  if (batch.changes().empty()) return statements;
  const auto& in = columns.inserted;
  const auto& up = columns.updated;
  const auto& terms = columns.terms_new;
  const auto& log = columns.changes;
  Parameters publish;
  publish.Int(static_cast<std::int64_t>(batch.changes().size()));
  publish.Ints(in.row).ByteStrings(in.tenant).Ints(in.kind).ByteStrings(in.id).Ints(in.revision);
  publish.Bools(in.unfinished).Ints(in.shard).Bools(in.settled).ByteStrings(in.terms);
  publish.ByteStrings(in.resource).ByteStrings(in.internal);
  publish.Ints(up.row).Ints(up.revision).Bools(up.unfinished).Ints(up.shard).Bools(up.settled);
  publish.ByteStrings(up.terms).ByteStrings(up.resource).ByteStrings(up.internal);
  publish.ByteStrings(terms.tenant).Ints(terms.kind).ByteStrings(terms.term).Ints(terms.row);
  publish.Bools(terms.made);
  publish.Int(writer);
  publish.Ints(log.revision).ByteStrings(log.tenant).Ints(log.kind).ByteStrings(log.id);
  publish.Ints(log.row).Bools(log.made).Bools(log.deleted).Ints(log.cause).Bools(log.settled);
  publish.Bools(log.unfinished).Ints(log.shard).ByteStrings(log.terms);
  publish.ByteStrings(log.previous_terms).ByteStrings(log.resource);
  statements.push_back({kPublish, std::move(publish)});
  return statements;
}

absl::Status Fill(const Rows& found, std::vector<Batch::RowSlot>& slots) {
  for (Batch::RowSlot& slot : slots) slot.before = {};
  for (int i = 0; i < found.size(); ++i) {
    Batch::RowState& row = slots[static_cast<std::size_t>(found.IntAt(i, 0) - 1)].before;
    row.create_revision = found.IntAt(i, 1);
    row.revision = found.IntAt(i, 2);
    absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(found.BytesAt(i, 3));
    if (!terms.ok()) return terms.status();
    row.terms = *std::move(terms);
    row.resource = found.StringAt(i, 4);
  }
  return absl::OkStatus();
}

absl::Status Fill(const Rows& found, std::vector<Batch::RequestSlot>& slots) {
  for (Batch::RequestSlot& slot : slots) slot.before.reset();
  for (int i = 0; i < found.size(); ++i) {
    Batch::RequestSlot& slot = slots[static_cast<std::size_t>(found.IntAt(i, 0) - 1)];
    absl::StatusOr<std::vector<Key>> rows = DecodeKeys(found.BytesAt(i, 2));
    if (!rows.ok()) return rows.status();
    slot.before = RequestRow{slot.key, found.StringAt(i, 3), *std::move(rows),
                             absl::FromUnixMicros(found.IntAt(i, 1))};
  }
  return absl::OkStatus();
}

absl::Status Fill(const Rows& found, std::vector<Batch::TermSlot>& slots) {
  for (Batch::TermSlot& slot : slots) slot.ids.clear();
  for (int i = 0; i < found.size(); ++i) {
    slots[static_cast<std::size_t>(found.IntAt(i, 0) - 1)].ids.push_back(found.StringAt(i, 1));
  }
  return absl::OkStatus();
}

absl::Status Fill(const Rows& found, std::vector<Batch::TermAnywhereSlot>& slots) {
  for (Batch::TermAnywhereSlot& slot : slots) slot.rows.clear();
  for (int i = 0; i < found.size(); ++i) {
    Batch::TermAnywhereSlot& slot = slots[static_cast<std::size_t>(found.IntAt(i, 0) - 1)];
    slot.rows.push_back({found.StringAt(i, 1), slot.kind, found.StringAt(i, 2)});
  }
  return absl::OkStatus();
}

Statement FindRows(const std::vector<Batch::RowSlot>& slots) {
  Columns::Views tenants;
  Columns::Ints kinds;
  Columns::Views ids;
  Columns::Bools wanted;
  for (const Batch::RowSlot& slot : slots) {
    tenants.push_back(slot.key.tenant);
    kinds.push_back(static_cast<std::int64_t>(slot.key.kind));
    ids.push_back(slot.key.id);
    wanted.push_back(slot.wants_resource);
  }
  return {kFindRows, Parameters().ByteStrings(tenants).Ints(kinds).ByteStrings(ids).Bools(wanted)};
}

Statement FindRequests(const std::vector<Batch::RequestSlot>& slots) {
  Columns::Views tenants;
  Columns::Views methods;
  Columns::Views ids;
  for (const Batch::RequestSlot& slot : slots) {
    tenants.push_back(slot.key.tenant);
    methods.push_back(slot.key.method);
    ids.push_back(slot.key.request_id);
  }
  return {kFindRequests, Parameters().ByteStrings(tenants).ByteStrings(methods).ByteStrings(ids)};
}

Statement FindTerms(const std::vector<Batch::TermSlot>& slots, std::size_t limit) {
  Columns::Views tenants;
  Columns::Ints kinds;
  Columns::Strings terms;
  for (const Batch::TermSlot& slot : slots) {
    tenants.push_back(slot.term.tenant);
    kinds.push_back(static_cast<std::int64_t>(slot.term.kind));
    terms.push_back(IndexedTerm(slot.term.term));
  }
  return {kFindTerms, Parameters().ByteStrings(tenants).Ints(kinds).ByteStrings(terms).Int(
                          static_cast<std::int64_t>(limit))};
}

Statement FindTermsAnywhere(const std::vector<Batch::TermAnywhereSlot>& slots, std::size_t limit) {
  Columns::Ints kinds;
  Columns::Strings terms;
  for (const Batch::TermAnywhereSlot& slot : slots) {
    kinds.push_back(static_cast<std::int64_t>(slot.kind));
    terms.push_back(IndexedTerm(slot.term));
  }
  return {kFindTermsAnywhere,
          Parameters().Ints(kinds).ByteStrings(terms).Int(static_cast<std::int64_t>(limit))};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> OpenStoreConnection(const Connection::Options& options,
                                                                const std::string& store_id) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(options);
  if (!connection.ok()) return connection;
  absl::StatusOr<Rows> rows =
      (*connection)->Run({"SELECT value FROM meta WHERE name = 'store_id'", {}});
  if (!rows.ok()) return rows.status();
  if (rows->size() != 1 || rows->BytesAt(0, 0) != store_id) {
    return absl::FailedPreconditionError(
        "PostgreSQL: the database now holds another store than when this gateway was started; "
        "restart the gateway");
  }
  return connection;
}

absl::StatusOr<Connection*> Writer::Connected() {
  if (connection_ != nullptr && !connection_->broken()) return connection_.get();
  connection_.reset();
  const auto now = std::chrono::steady_clock::now();
  if (!lost_.ok() && now < retry_at_) return lost_;
  absl::StatusOr<std::unique_ptr<Connection>> opened =
      OpenStoreConnection(options_.connection, options_.store_id);
  lost_ = opened.status();
  if (!opened.ok()) {
    retry_at_ =
        std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(options_.retry_interval);
    return absl::UnavailableError(lost_.message());
  }
  connection_ = *std::move(opened);
  return connection_.get();
}

absl::Status Writer::Probe() {
  absl::StatusOr<Connection*> connection = Connected();
  if (!connection.ok()) return connection.status();
  return (*connection)->Run({kProbe, {}}).status();
}

GroupWriter::Group Writer::Write(absl::Span<const PendingCommit> group) {
  Batch batch(group);
  Ended ended;
  for (int tries = 1;; ++tries) {
    ended = Try(batch);
    if (ended.end != End::kAgain || tries == kMaxTries) break;
  }
  GroupWriter::Group done;
  if (ended.end == End::kCommitted) {
    done.results = std::move(batch.results());
    done.changes.assign(batch.changes().begin(), batch.changes().end());
    return done;
  }
  // A conflict with a transaction that does not count now does not count either.
  done.results.resize(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    const bool may_count =
        ended.end == End::kUnknown && batch.results()[i].outcome == Outcome::kCommitted;
    done.results[i].outcome = may_count ? Outcome::kUnknown : Outcome::kUnavailable;
    done.results[i].provisional = may_count && ended.provisional;
    done.results[i].message = std::string(ended.status.message());
  }
  done.status = ended.status;
  done.caused_by_one = ended.end == End::kNothing && !absl::IsUnavailable(ended.status);
  return done;
}

absl::StatusOr<Writer::Begun> Writer::Begin(Connection& connection, Batch& batch) {
  std::vector<Statement> statements = {{kBegin, {}}};
  if (const std::vector<Batch::Lock> locks = batch.Locks(); !locks.empty()) {
    Columns::Ints keys;
    Columns::Bools shared;
    for (const Batch::Lock& lock : locks) {
      keys.push_back(lock.key);
      shared.push_back(lock.shared);
    }
    statements.push_back({kLock, Parameters().Ints(keys).Bools(shared)});
  }
  const std::size_t head = statements.size();
  statements.push_back({kHead, {}});
  if (!batch.rows().empty()) statements.push_back(FindRows(batch.rows()));
  if (!batch.requests().empty()) statements.push_back(FindRequests(batch.requests()));
  if (!batch.terms().empty()) {
    statements.push_back(FindTerms(batch.terms(), batch.term_limit()));
  }
  if (!batch.terms_anywhere().empty()) {
    statements.push_back(FindTermsAnywhere(batch.terms_anywhere(), batch.term_limit()));
  }
  absl::StatusOr<std::vector<Rows>> answers = connection.RunAll(statements);
  if (!answers.ok()) return answers.status();
  std::size_t next = head + 1;
  const auto fill = [&](auto& slots) {
    return slots.empty() ? absl::OkStatus() : Fill((*answers)[next++], slots);
  };
  absl::Status status = fill(batch.rows());
  status.Update(fill(batch.requests()));
  status.Update(fill(batch.terms()));
  status.Update(fill(batch.terms_anywhere()));
  if (!status.ok()) {
    connection.Execute("ROLLBACK").IgnoreError();
    return status;
  }
  return Begun{(*answers)[head].IntAt(0, 0), (*answers)[head].IntAt(0, 1),
               (*answers)[head].BoolAt(0, 2)};
}

Writer::Ended Writer::Try(Batch& batch) {
  absl::StatusOr<Connection*> connected = Connected();
  if (!connected.ok()) return {End::kNothing, connected.status()};
  Connection& connection = **connected;
  absl::StatusOr<Begun> begun = Begin(connection, batch);
  if (!begun.ok()) return Failed(connection, begun.status());
  batch.Apply(begun->head);
  if (batch.relies_on_head()) {
    // From here on nothing else can commit. The head's lock is always the last one.
    absl::StatusOr<Rows> head = connection.Run({kHeadForUpdate, {}});
    if (!head.ok()) return Failed(connection, head.status());
    begun->head = head->IntAt(0, 0);
    batch.Apply(begun->head);
  }
  std::vector<Statement> statements = WriteStatements(batch, begun->head, options_.id);
  const bool has_changes = !batch.changes().empty();
  if (batch.barrier()) statements.insert(statements.begin(), {kBarrier, {}});
  statements.push_back({kCommit, {}});
  absl::StatusOr<std::vector<Rows>> answers = connection.RunAll(statements);
  Revision base = begun->head;
  if (answers.ok()) {
    if (has_changes) base = (*answers)[answers->size() - 2].IntAt(0, 0);
    if (connection.committed_locally()) {
      absl::Status confirmed = AwaitBarrier(Deadline(options_.outcome_timeout));
      if (!confirmed.ok()) return {End::kUnknown, std::move(confirmed), /*provisional=*/true};
    }
  } else if (!connection.broken()) {
    return Failed(connection, answers.status());
  } else if (statements.size() == 1) {
    return {End::kAgain, answers.status()};  // Nothing was written.
  } else {
    Ended ended = FindOutcome(*begun, has_changes, base);
    if (ended.end != End::kCommitted) return ended;
  }
  batch.Shift(base - begun->head);
  return {End::kCommitted, absl::OkStatus()};
}

Writer::Ended Writer::Failed(Connection& connection, const absl::Status& status) {
  // If the connection is lost before COMMIT was sent, nothing was committed.
  if (connection.broken()) return {End::kAgain, status};
  const std::string& state = connection.sqlstate();
  if (state == "55P03" || state == "57014") {  // A lock was held for too long.
    TerminateStalled(connection);
    return {End::kAgain, status};
  }
  // Deadlocks, serialization failures, and rows inserted by a client that does not take these
  // locks.
  const bool again = absl::StartsWith(state, "40") || state == "23505";
  return {again ? End::kAgain : End::kNothing, status};
}

void Writer::TerminateStalled(Connection& connection) {
  const std::int64_t age = absl::ToInt64Milliseconds(options_.connection.lock_timeout);
  connection.Run({kTerminateStalled, Parameters().Int(age)}).IgnoreError();
}

Writer::Ended Writer::FindOutcome(const Begun& begun, bool has_changes, Revision& base) {
  const Deadline deadline(options_.outcome_timeout);
  absl::Status status;
  for (bool first = true; first || !deadline.passed(); first = false) {
    if (!first) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    retry_at_ = {};  // An open outcome justifies more frequent tries.
    absl::StatusOr<Connection*> connection = Connected();
    status = connection.status();
    if (!status.ok()) continue;
    absl::StatusOr<Rows> rows = (*connection)->Run({kOutcome, Parameters().Int(begun.transaction)});
    status = rows.status();
    if (!status.ok()) continue;
    const absl::string_view outcome = rows->BytesAt(0, 0);
    if (outcome == "aborted") {
      return {End::kAgain,
              absl::UnavailableError("PostgreSQL: the connection was lost; nothing was committed")};
    }
    if (outcome != "committed") {
      status = absl::UnavailableError(
          absl::StrCat("PostgreSQL: the connection was lost in COMMIT; it is ",
                       outcome.empty() ? "no longer known" : outcome));
      continue;
    }
    if (has_changes) {
      rows = (*connection)->Run({kOwnBase, Parameters().Int(begun.head).Int(options_.id)});
      status = rows.status();
      if (!status.ok()) continue;
      if (rows->IntAt(0, 0) < begun.head) {
        status = absl::UnavailableError(
            "PostgreSQL: the connection was lost in COMMIT, and the log is already compacted");
        continue;
      }
      base = rows->IntAt(0, 0);
    }
    status = AwaitBarrier(deadline);
    if (status.ok()) return {End::kCommitted, absl::OkStatus()};
  }
  return {End::kUnknown, status, begun.synchronous};
}

absl::Status Writer::AwaitBarrier(const Deadline& deadline) {
  absl::Status status;
  for (bool first = true; first || !deadline.passed(); first = false) {
    if (!first) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    retry_at_ = {};
    absl::StatusOr<Connection*> connection = Connected();
    status = connection.status();
    if (!status.ok()) continue;
    // If the server does not answer, the barrier waits there for the standby, which is harmless.
    status = (*connection)->Run({kBarrier, {}}).status();
    if (status.ok() && !(*connection)->committed_locally()) return absl::OkStatus();
  }
  if (!status.ok()) return status;
  return absl::UnavailableError(
      "PostgreSQL: committed on the primary only; its synchronous standby has not confirmed it");
}

absl::StatusOr<bool> Writer::Expire(const Retention& retention, absl::Duration elapsed,
                                    std::int64_t limit) {
  absl::StatusOr<Connection*> connected = Connected();
  if (!connected.ok()) return connected.status();
  Connection& connection = **connected;
  absl::StatusOr<std::vector<Rows>> begun =
      connection.RunAll({{kBegin, {}}, {kExpireLock, {}}, {kReadTrustedTime, {}}});
  if (!begun.ok()) return begun.status();
  if (!(*begun)[1].BoolAt(0, 0)) {
    if (absl::Status s = connection.Execute("ROLLBACK"); !s.ok()) return s;
    return false;
  }
  const Rows& times = (*begun)[2];
  const absl::Time now = absl::FromUnixMicros(times.IntAt(0, 0));
  std::optional<absl::Time> stored;
  if (!times.IsNull(0, 1)) stored = absl::FromUnixMicros(times.IntAt(0, 1));
  TrustedTime trusted(stored);
  trusted.Advance(now, elapsed);
  const absl::Time horizon = trusted.Horizon(now);
  const std::int64_t requests_until = absl::ToUnixMicros(horizon - retention.requests);
  absl::StatusOr<std::vector<Rows>> found =
      connection.RunAll({{kExpireRequests, Parameters().Int(requests_until).Int(limit)},
                         {kOldestChanges, Parameters().Int(limit)}});
  if (!found.ok()) return found.status();
  bool more = (*found)[0].affected() >= limit;
  const Rows& changes = (*found)[1];
  const std::int64_t too_old = absl::ToUnixMicros(horizon - retention.changes);
  Revision upto = 0;
  int past = 0;
  for (; past < changes.size(); ++past) {
    const Revision beyond_count = changes.IntAt(past, 2) - retention.max_changes;
    if (changes.IntAt(past, 0) > beyond_count && changes.IntAt(past, 1) >= too_old) break;
    upto = changes.IntAt(past, 0);
  }
  more = more || past >= limit;
  std::vector<Statement> statements;
  if (trusted.newest() != stored) {
    statements.push_back(
        {kSaveTrustedTime, Parameters().Int(absl::ToUnixMicros(*trusted.newest()))});
  }
  if (past > 0) {
    statements.push_back({kDeleteChanges, Parameters().Int(upto)});
    statements.push_back({kSetCompacted, Parameters().Int(upto)});
  }
  statements.push_back({kCommit, {}});
  if (absl::Status s = connection.RunAll(statements).status(); !s.ok()) return s;
  return more;
}

}  // namespace assetgate::store::postgres
