#include "store/postgres/reader.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "store/codec.h"
#include "store/postgres/batch.h"

namespace assetgate::store::postgres {
namespace {

// Unfinished rows of up to this many shards are read shard by shard; of more, in one scan.
constexpr std::size_t kFewShards = 8;

// The statements of the transaction see one state.
constexpr char kBegin[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr char kEnd[] = "COMMIT";
constexpr char kExtent[] = "SELECT head.revision, compaction.upto FROM head, compaction";

// The columns that ReadRow reads, in its order.
#define ROW_COLUMNS                                                                           \
  "r.tenant, r.kind, r.id, r.create_revision, r.revision, r.unfinished, r.shard, r.settled, " \
  "r.terms, r.resource, r.internal"

// Of a statement's rows, in order: those up to the row that reaches `max_bytes`, and rows without a
// create_revision, which carry other results. Later rows are looked up but not sent.
#define UP_TO_BYTES(statement, held, max_bytes)                                  \
  "SELECT * FROM (SELECT q.*, coalesce(" held ", 0) AS held, sum(coalesce(" held \
  ", 0)) OVER (ROWS UNBOUNDED PRECEDING) AS held_in_all FROM (" statement        \
  ") AS q) AS p WHERE held_in_all - held < " max_bytes "::bigint OR create_revision IS NULL"
#define ROWS_UP_TO_BYTES(statement, max_bytes) \
  UP_TO_BYTES(statement, "octet_length(resource) + octet_length(internal)", max_bytes)

// Two bounds and an order instead of an equality: on a table without statistics the planner
// considers resources_by_age an equally good index, and that reads all rows of the tenant and kind.
constexpr char kGet[] = "SELECT " ROW_COLUMNS
                        " FROM resources r WHERE tenant = $1::bytea AND kind = $2::bigint AND "
                        "id >= $3::bytea AND id <= $3::bytea ORDER BY id LIMIT 1";
constexpr char kNewest[] =
    ROWS_UP_TO_BYTES("SELECT " ROW_COLUMNS
                     " FROM resources r WHERE tenant = $1::bytea AND kind = $2::bigint AND "
                     "create_revision <= $3::bigint ORDER BY create_revision DESC "
                     "LIMIT $4::bigint",
                     "$5");
constexpr char kOldest[] =
    ROWS_UP_TO_BYTES("SELECT " ROW_COLUMNS
                     " FROM resources r WHERE tenant = $1::bytea AND kind = $2::bigint AND "
                     "create_revision > $3::bigint ORDER BY create_revision "
                     "LIMIT $4::bigint",
                     "$5");
// The rows that match all clauses, and last, in a column after the row's own, where the next page
// starts, unless the list ends here. The walk leaps from clause to clause to the next revision that
// all of them have, so it costs in proportion to the rarest clause. It ends after a limited number
// of look-ups, but never where it began. `candidate` is where the next leap starts; `match` is set
// if the previous leap reached a row that all clauses have.
constexpr char kNewestMatching[] = ROWS_UP_TO_BYTES(
    "WITH RECURSIVE walk(candidate, clause, agreeing, match, matches, look_ups) AS ("
    "SELECT $3::bigint, 0::bigint, 0::bigint, NULL::bigint, 0::bigint, 0::bigint UNION ALL "
    "SELECT CASE WHEN newest IS NULL THEN 0 WHEN leap.agreeing = $7::bigint THEN newest - 1 "
    "ELSE newest END, (walk.clause + 1) % $7, leap.agreeing % $7, "
    "CASE WHEN leap.agreeing = $7 THEN newest END, "
    "CASE WHEN leap.agreeing = $7 THEN matches + 1 ELSE matches END, look_ups + words "
    "FROM walk CROSS JOIN LATERAL ("
    "SELECT newest, words, CASE WHEN newest = candidate THEN walk.agreeing + 1 "
    "WHEN newest IS NULL THEN 0 ELSE 1 END AS agreeing FROM ("
    "SELECT max(created) AS newest, count(*) AS words FROM ("
    "SELECT (SELECT t.create_revision FROM terms t WHERE t.tenant = $1::bytea AND "
    "t.kind = $2::bigint AND t.term = w.word AND t.create_revision <= candidate "
    "ORDER BY t.create_revision DESC LIMIT 1) AS created "
    "FROM unnest($5::bytea[], $6::bigint[]) AS w(word, clause) WHERE w.clause = walk.clause) "
    "AS of_word) AS of_clause) AS leap "
    "WHERE candidate > 0 AND matches < $4::bigint AND (look_ups < $8::bigint OR candidate = $3)) "
    "SELECT " ROW_COLUMNS
    ", m.go_on FROM (SELECT match AS created, NULL::bigint AS go_on FROM walk "
    "WHERE match IS NOT NULL UNION ALL "
    "SELECT NULL, CASE WHEN min(candidate) > 0 THEN min(candidate) + 1 END FROM walk) AS m "
    "LEFT JOIN LATERAL (SELECT * FROM resources WHERE create_revision = m.created OFFSET 0) AS r "
    "ON true ORDER BY m.created DESC NULLS LAST",
    "$9");
// With a single word, the index alone has the rows in order, without a function call for each.
// LATERAL and OFFSET force a look-up per row, whatever the planner expects from LIMIT.
constexpr char kNewestWithTerm[] = ROWS_UP_TO_BYTES(
    "SELECT " ROW_COLUMNS
    " FROM (SELECT create_revision AS row FROM terms WHERE tenant = $1::bytea AND "
    "kind = $2::bigint AND term = $5::bytea AND create_revision <= $3::bigint "
    "ORDER BY create_revision DESC LIMIT $4::bigint) AS m CROSS JOIN LATERAL "
    "(SELECT * FROM resources WHERE create_revision = m.row OFFSET 0) AS r ORDER BY m.row DESC",
    "$6");
// The same for the next rows, oldest first. Each row's terms are looked up one by one by the whole
// key: EXISTS would become a join, and the join a walk over all terms.
constexpr char kOldestMatching[] = ROWS_UP_TO_BYTES(
    "WITH walk AS MATERIALIZED (SELECT create_revision AS created FROM resources WHERE "
    "tenant = $1::bytea AND kind = $2::bigint AND create_revision > $3::bigint "
    "ORDER BY create_revision LIMIT $8::bigint) "
    "SELECT " ROW_COLUMNS
    ", m.go_on FROM ((SELECT created, NULL::bigint AS go_on FROM walk WHERE "
    "(SELECT count(DISTINCT w.clause) FROM unnest($5::bytea[], $6::bigint[]) AS w(word, clause) "
    "WHERE (SELECT true FROM terms t WHERE t.tenant = $1 AND t.kind = $2 AND t.term = w.word AND "
    "t.create_revision = walk.created)) = $7::bigint ORDER BY created LIMIT $4::bigint) "
    "UNION ALL SELECT NULL, CASE WHEN count(*) = $8 THEN max(created) END FROM walk) AS m "
    "LEFT JOIN LATERAL (SELECT * FROM resources WHERE create_revision = m.created OFFSET 0) AS r "
    "ON true ORDER BY m.created NULLS LAST",
    "$9");
constexpr char kUnfinished[] =
    "SELECT " ROW_COLUMNS
    " FROM resources r WHERE unfinished AND (tenant, kind, id) > ($1::bytea, $2::bigint, "
    "$3::bytea) ORDER BY tenant, kind, id LIMIT $4::bigint";
constexpr char kUnfinishedOfMany[] =
    "SELECT " ROW_COLUMNS
    " FROM resources r WHERE unfinished AND (tenant, kind, id) > ($1::bytea, $2::bigint, "
    "$3::bytea) AND shard = ANY($5::bigint[]) ORDER BY tenant, kind, id LIMIT $4::bigint";
constexpr char kUnfinishedOfFew[] =
    "SELECT " ROW_COLUMNS
    " FROM unnest($5::bigint[]) AS s(shard) CROSS JOIN LATERAL (SELECT * FROM resources "
    "WHERE unfinished AND shard = s.shard AND (tenant, kind, id) > ($1::bytea, $2::bigint, "
    "$3::bytea) ORDER BY tenant, kind, id LIMIT $4::bigint) r ORDER BY r.tenant, r.kind, r.id "
    "LIMIT $4::bigint";
#undef ROW_COLUMNS

#define CHANGE_COLUMNS                                                                        \
  "revision, tenant, kind, id, create_revision, deleted, cause, settled, unfinished, shard, " \
  "terms, previous_terms, resource, writer"
constexpr char kChanges[] =
    UP_TO_BYTES("SELECT " CHANGE_COLUMNS
                " FROM changes WHERE tenant = $1::bytea AND kind = $2::bigint AND "
                "revision > $3::bigint ORDER BY revision LIMIT $4::bigint",
                "octet_length(resource)", "$5");
constexpr char kLog[] = "SELECT " CHANGE_COLUMNS
                        " FROM changes WHERE revision > $1::bigint ORDER BY revision "
                        "LIMIT $2::bigint";
#undef CHANGE_COLUMNS

constexpr char kRequest[] =
    "SELECT create_time, rows, request FROM requests WHERE tenant = $1::bytea AND "
    "method = $2::bytea AND request_id = $3::bytea";

constexpr char kNextTenant[] =
    "SELECT tenant FROM resources WHERE tenant > $1::bytea ORDER BY tenant LIMIT 1";

constexpr char kHolder[] =
    "SELECT g.name FROM shards s JOIN gateways g ON g.owner = s.owner "
    "WHERE s.shard = $1::bigint AND s.expires_at > now()";

// A number beyond the maximum means no limit.
std::int64_t AsInt(std::size_t number) {
  return static_cast<std::int64_t>(
      std::min<std::size_t>(number, std::numeric_limits<std::int64_t>::max() / 2));
}

std::size_t HeldBy(const std::vector<Row>& rows) {
  std::size_t bytes = 0;
  for (const Row& row : rows) bytes += row.content.resource.size() + row.content.internal.size();
  return bytes;
}

std::int64_t KindNumber(Kind kind) { return static_cast<std::int64_t>(kind); }

// The number of ROW_COLUMNS.
constexpr int kRowColumns = 11;

absl::StatusOr<Row> ReadRow(const Rows& rows, int i) {
  Row row;
  row.key = {rows.StringAt(i, 0), static_cast<Kind>(rows.IntAt(i, 1)), rows.StringAt(i, 2)};
  row.create_revision = rows.IntAt(i, 3);
  row.revision = rows.IntAt(i, 4);
  row.content.unfinished = rows.BoolAt(i, 5);
  row.content.shard = static_cast<Shard>(rows.IntAt(i, 6));
  row.content.settled = rows.BoolAt(i, 7);
  absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(rows.BytesAt(i, 8));
  if (!terms.ok()) return terms.status();
  row.content.terms = *std::move(terms);
  row.content.resource = rows.StringAt(i, 9);
  row.content.internal = rows.StringAt(i, 10);
  return row;
}

// The first `count` rows.
absl::StatusOr<std::vector<Row>> ReadRows(const Rows& found, int count) {
  std::vector<Row> rows;
  rows.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    absl::StatusOr<Row> row = ReadRow(found, i);
    if (!row.ok()) return row.status();
    rows.push_back(*std::move(row));
  }
  return rows;
}

// Changes by `writer` are local; readers of the log pass none, and all are local.
absl::StatusOr<std::vector<ChangePtr>> ReadChangeRows(const Rows& found,
                                                      std::optional<std::int64_t> writer) {
  std::vector<ChangePtr> changes;
  changes.reserve(static_cast<std::size_t>(found.size()));
  for (int i = 0; i < found.size(); ++i) {
    auto change = std::make_shared<Change>();
    change->revision = found.IntAt(i, 0);
    change->key = {found.StringAt(i, 1), static_cast<Kind>(found.IntAt(i, 2)),
                   found.StringAt(i, 3)};
    change->create_revision = found.IntAt(i, 4);
    change->deleted = found.BoolAt(i, 5);
    change->cause = static_cast<DeleteCause>(found.IntAt(i, 6));
    change->settled = found.BoolAt(i, 7);
    change->unfinished = found.BoolAt(i, 8);
    change->shard = static_cast<Shard>(found.IntAt(i, 9));
    absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(found.BytesAt(i, 10));
    if (!terms.ok()) return terms.status();
    change->terms = *std::move(terms);
    terms = DecodeStrings(found.BytesAt(i, 11));
    if (!terms.ok()) return terms.status();
    change->previous_terms = *std::move(terms);
    change->resource = found.StringAt(i, 12);
    change->local = !writer.has_value() || found.IntAt(i, 13) == *writer;
    changes.push_back(std::move(change));
  }
  return changes;
}

// A filter's clauses, flattened.
struct Words {
  std::vector<std::string> words;
  std::vector<std::int64_t> clause_of;
  std::int64_t clauses = 0;

  explicit Words(const TermFilter& filter) {
    for (const std::vector<std::string>& clause : filter.clauses) {
      for (const std::string& term : clause) {
        words.push_back(IndexedTerm(term));
        clause_of.push_back(clauses);
      }
      ++clauses;
    }
  }
};

absl::StatusOr<std::vector<Rows>> RunInOneState(Connection& connection,
                                                std::vector<Statement> statements) {
  statements.insert(statements.begin(), {{kBegin, {}}, {kExtent, {}}});
  statements.push_back({kEnd, {}});
  absl::StatusOr<std::vector<Rows>> answers = connection.RunAll(statements);
  if (!answers.ok()) return answers;
  if ((*answers)[1].size() != 1) return absl::DataLossError("PostgreSQL: the table head is empty");
  answers->erase(answers->begin());
  answers->pop_back();
  return answers;
}

}  // namespace

absl::StatusOr<std::optional<Row>> Get(Connection& connection, const Key& key) {
  absl::StatusOr<Rows> found = connection.Run(
      {kGet, Parameters().Bytes(key.tenant).Int(KindNumber(key.kind)).Bytes(key.id)});
  if (!found.ok()) return found.status();
  if (found->size() == 0) return std::optional<Row>();
  absl::StatusOr<Row> row = ReadRow(*found, 0);
  if (!row.ok()) return row.status();
  return std::optional<Row>(*std::move(row));
}

absl::StatusOr<ListPage> List(Connection& connection, const ListQuery& query,
                              std::size_t max_look_ups) {
  const Words words(query.filter);
  const bool filtered = words.clauses > 0;
  const bool of_one_word = words.clauses == 1 && words.words.size() == 1;
  Parameters parameters;
  parameters.Bytes(query.tenant).Int(KindNumber(query.kind));
  const char* sql = nullptr;
  auto limit = static_cast<std::int64_t>(max_look_ups);
  switch (query.order) {
    case ListQuery::Order::kNewestFirst:
      sql = !filtered ? kNewest : of_one_word ? kNewestWithTerm : kNewestMatching;
      parameters.Int(query.after_create_revision.has_value()
                         ? *query.after_create_revision - 1
                         : std::numeric_limits<Revision>::max());
      break;
    case ListQuery::Order::kOldestFirst:
      sql = filtered ? kOldestMatching : kOldest;
      // Each row is looked up under every word.
      limit = std::max<std::int64_t>(1, limit / std::max<std::int64_t>(1, std::ssize(words.words)));
      parameters.Int(query.after_create_revision.value_or(0));
      break;
  }
  parameters.Int(static_cast<std::int64_t>(query.limit) + 1);
  const bool walks = sql == kNewestMatching || sql == kOldestMatching;
  if (sql == kNewestWithTerm) {
    parameters.Bytes(words.words[0]);
  } else if (walks) {
    parameters.ByteStrings(words.words).Ints(words.clause_of).Int(words.clauses).Int(limit);
  }
  parameters.Int(AsInt(query.max_bytes));

  absl::StatusOr<std::vector<Rows>> answers =
      RunInOneState(connection, {{sql, std::move(parameters)}});
  if (!answers.ok()) return answers.status();
  ListPage page;
  page.head = (*answers)[0].IntAt(0, 0);
  const Rows& found = (*answers)[1];
  const int shown = walks ? found.size() - 1 : found.size();
  absl::StatusOr<std::vector<Row>> rows = ReadRows(found, shown);
  if (!rows.ok()) return rows.status();
  page.rows = *std::move(rows);
  const bool cut = page.rows.size() > query.limit;
  if (cut) page.rows.resize(query.limit);
  if (cut || HeldBy(page.rows) >= query.max_bytes) {
    page.more = true;
    page.end = page.rows.back().create_revision;
  } else if (walks && !found.IsNull(shown, kRowColumns)) {
    page.more = true;
    page.end = found.IntAt(shown, kRowColumns);
  }
  return page;
}

absl::StatusOr<ChangesPage> ReadChanges(Connection& connection, const ChangesQuery& query) {
  absl::StatusOr<std::vector<Rows>> answers =
      RunInOneState(connection, {{kChanges, Parameters()
                                                .Bytes(query.tenant)
                                                .Int(KindNumber(query.kind))
                                                .Int(query.after)
                                                .Int(AsInt(query.limit))
                                                .Int(AsInt(query.max_bytes))}});
  if (!answers.ok()) return answers.status();
  ChangesPage page;
  page.head = (*answers)[0].IntAt(0, 0);
  page.upto = query.after;
  if (query.after < (*answers)[0].IntAt(0, 1)) {
    page.compacted = true;
    return page;
  }
  absl::StatusOr<std::vector<ChangePtr>> changes = ReadChangeRows((*answers)[1], std::nullopt);
  if (!changes.ok()) return changes.status();
  page.changes = *std::move(changes);
  if (!page.changes.empty()) page.upto = page.changes.back()->revision;
  std::size_t held = 0;
  for (const ChangePtr& change : page.changes) held += change->resource.size();
  if (page.changes.size() < query.limit && held < query.max_bytes) {
    page.upto = std::max(query.after, page.head);
  }
  return page;
}

absl::StatusOr<LogPage> ReadLog(Connection& connection, Revision after, std::size_t limit,
                                std::int64_t writer) {
  absl::StatusOr<std::vector<Rows>> answers = RunInOneState(
      connection, {{kLog, Parameters().Int(after).Int(static_cast<std::int64_t>(limit))}});
  if (!answers.ok()) return answers.status();
  absl::StatusOr<std::vector<ChangePtr>> changes = ReadChangeRows((*answers)[1], writer);
  if (!changes.ok()) return changes.status();
  return LogPage{*std::move(changes), (*answers)[0].IntAt(0, 0), (*answers)[0].IntAt(0, 1)};
}

absl::StatusOr<std::optional<RequestRow>> FindRequest(Connection& connection,
                                                      const RequestKey& key) {
  absl::StatusOr<Rows> found = connection.Run(
      {kRequest, Parameters().Bytes(key.tenant).Bytes(key.method).Bytes(key.request_id)});
  if (!found.ok()) return found.status();
  if (found->size() == 0) return std::optional<RequestRow>();
  absl::StatusOr<std::vector<Key>> rows = DecodeKeys(found->BytesAt(0, 1));
  if (!rows.ok()) return rows.status();
  return std::optional<RequestRow>(RequestRow{key, found->StringAt(0, 2), *std::move(rows),
                                              absl::FromUnixMicros(found->IntAt(0, 0))});
}

absl::StatusOr<std::vector<Row>> ListUnfinished(Connection& connection,
                                                const UnfinishedQuery& query) {
  // Nothing sorts before kind 0 of the empty tenant.
  const Key start = query.after.value_or(Key{"", static_cast<Kind>(0), ""});
  Parameters parameters;
  parameters.Bytes(start.tenant)
      .Int(KindNumber(start.kind))
      .Bytes(start.id)
      .Int(static_cast<std::int64_t>(query.limit));
  const char* sql = kUnfinished;
  if (query.shards.has_value()) {
    // Duplicates would return their rows twice.
    std::vector<std::int64_t> shards(query.shards->begin(), query.shards->end());
    std::sort(shards.begin(), shards.end());
    shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
    sql = shards.size() <= kFewShards ? kUnfinishedOfFew : kUnfinishedOfMany;
    parameters.Ints(shards);
  }
  absl::StatusOr<Rows> found = connection.Run({sql, std::move(parameters)});
  if (!found.ok()) return found.status();
  return ReadRows(*found, found->size());
}

absl::StatusOr<std::optional<std::string>> NextTenant(Connection& connection,
                                                      const std::string& after) {
  absl::StatusOr<Rows> found = connection.Run({kNextTenant, Parameters().Bytes(after)});
  if (!found.ok()) return found.status();
  if (found->size() == 0) return std::optional<std::string>();
  return std::optional<std::string>(found->StringAt(0, 0));
}

absl::StatusOr<Revision> Head(Connection& connection) {
  absl::StatusOr<Rows> found = connection.Run({kExtent, {}});
  if (!found.ok()) return found.status();
  if (found->size() != 1) return absl::DataLossError("PostgreSQL: the table head is empty");
  return found->IntAt(0, 0);
}

absl::StatusOr<std::string> HolderOf(Connection& connection, Shard shard) {
  absl::StatusOr<Rows> found = connection.Run({kHolder, Parameters().Int(shard)});
  if (!found.ok()) return found.status();
  return found->size() == 0 ? std::string() : found->StringAt(0, 0);
}

}  // namespace assetgate::store::postgres
