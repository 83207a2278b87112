#include "store/sqlite/reader.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "absl/cleanup/cleanup.h"
#include "store/codec.h"
#include "store/sqlite/term_rows.h"

namespace assetgate::store::sqlite {
namespace {

constexpr absl::Duration kBusyTimeout = absl::Seconds(5);

constexpr char kRowColumns[] =
    "create_revision, revision, unfinished, settled, terms, resource, internal";

// Reads kRowColumns columns, starting at `column`.
absl::StatusOr<Row> ReadRow(const Query& query, int column, Key key) {
  Row row;
  row.key = std::move(key);
  row.create_revision = query.IntAt(column);
  row.revision = query.IntAt(column + 1);
  row.content.unfinished = query.IntAt(column + 2) != 0;
  row.content.settled = query.IntAt(column + 3) != 0;
  absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(query.TextAt(column + 4));
  if (!terms.ok()) return terms.status();
  row.content.terms = *std::move(terms);
  row.content.resource = query.StringAt(column + 5);
  row.content.internal = query.StringAt(column + 6);
  return row;
}

absl::Status Append(absl::StatusOr<Row> row, std::vector<Row>& rows) {
  if (!row.ok()) return row.status();
  rows.push_back(*std::move(row));
  return absl::OkStatus();
}

// The size of a page's rows.
class PageBytes {
 public:
  explicit PageBytes(std::size_t max) : max_(max) {}
  void Add(const Row& row) { held_ += row.content.resource.size() + row.content.internal.size(); }
  // The page is full.
  bool reached() const { return held_ >= max_; }

 private:
  const std::size_t max_;
  std::size_t held_ = 0;
};

bool IsFull(const std::vector<Row>& rows, std::size_t max_bytes) {
  PageBytes bytes(max_bytes);
  for (const Row& row : rows) bytes.Add(row);
  return bytes.reached();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reader>> Reader::Open(const std::string& path) {
  absl::StatusOr<Connection> connection = Connection::Open(path, kBusyTimeout);
  if (!connection.ok()) return connection.status();
  auto reader = std::unique_ptr<Reader>(new Reader(*std::move(connection)));
  if (absl::Status s = reader->Prepare(); !s.ok()) return s;
  return reader;
}

absl::Status Reader::Prepare() {
  if (absl::Status s = connection_.Execute("PRAGMA query_only = ON;"
                                           "PRAGMA cache_size = -8192");
      !s.ok()) {
    return s;
  }
  const std::string columns = kRowColumns;
  const struct {
    Statement& statement;
    std::string sql;
  } statements[] = {
      {begin_, "BEGIN"},
      {end_, "COMMIT"},
      {store_id_, "SELECT value FROM meta WHERE name = 'store_id'"},
      {extent_,
       "SELECT max(coalesce((SELECT max(revision) FROM changes), 0), value), value FROM meta "
       "WHERE name = 'compacted'"},
      {get_, "SELECT " + columns + " FROM resources WHERE tenant = ? AND kind = ? AND id = ?"},
      {row_, "SELECT id, " + columns + " FROM resources WHERE create_revision = ?"},
      // INDEXED BY: if the index did not fit the query, preparing it would fail, here and in tests.
      {rows_by_age_,
       "SELECT id, " + columns +
           " FROM resources INDEXED BY resources_by_age WHERE tenant = ? AND kind = ? "
           "AND create_revision <= ? ORDER BY create_revision DESC LIMIT ?"},
      {rows_oldest_first_,
       "SELECT id, " + columns +
           " FROM resources INDEXED BY resources_by_age WHERE tenant = ? AND kind = ? "
           "AND create_revision > ? ORDER BY create_revision"},
      {rows_unfinished_,
       "SELECT tenant, kind, id, " + columns +
           " FROM resources INDEXED BY resources_unfinished WHERE unfinished = 1 "
           "AND (tenant, kind, id) > (?, ?, ?) ORDER BY tenant, kind, id LIMIT ?"},
      {term_rows_,
       "SELECT create_revision FROM terms WHERE tenant = ? AND kind = ? AND term = ? "
       "AND create_revision <= ? ORDER BY create_revision DESC LIMIT ?"},
      {changes_,
       "SELECT revision, id, create_revision, deleted, cause, settled, terms, previous_terms, "
       "resource FROM changes INDEXED BY changes_by_kind WHERE tenant = ? AND kind = ? "
       "AND revision > ? ORDER BY revision LIMIT ?"},
      {request_,
       "SELECT create_time, rows, request FROM requests "
       "WHERE tenant = ? AND method = ? AND request_id = ?"},
      {next_tenant_, "SELECT tenant FROM resources WHERE tenant > ? ORDER BY tenant LIMIT 1"},
  };
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<Statement> prepared = connection_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Reader::StoreId() {
  Query query(store_id_);
  if (query.Next()) return query.StringAt(0);
  return query.status().ok() ? absl::DataLossError("SQLite: the table meta is incomplete")
                             : query.status();
}

absl::StatusOr<std::optional<Row>> Reader::Get(const Key& key) {
  Query query(get_);
  query.Text(key.tenant).Int(static_cast<int>(key.kind)).Text(key.id);
  if (!query.Next()) {
    if (!query.status().ok()) return query.status();
    return std::optional<Row>();
  }
  absl::StatusOr<Row> row = ReadRow(query, 0, key);
  if (!row.ok()) return row.status();
  return std::optional<Row>(*std::move(row));
}

absl::StatusOr<Reader::Extent> Reader::ReadExtent() {
  Query query(extent_);
  if (query.Next()) return Extent{query.IntAt(0), query.IntAt(1)};
  return query.status().ok() ? absl::DataLossError("SQLite: the table meta is incomplete")
                             : query.status();
}

absl::StatusOr<Revision> Reader::Head() {
  absl::StatusOr<Extent> extent = ReadExtent();
  if (!extent.ok()) return extent.status();
  return extent->head;
}

absl::StatusOr<ListPage> Reader::List(const ListQuery& query, std::size_t max_look_ups) {
  if (absl::Status s = Query(begin_).Run(); !s.ok()) return s;
  const absl::Cleanup end = [this] { Query(end_).Run().IgnoreError(); };
  absl::StatusOr<Extent> extent = ReadExtent();
  if (!extent.ok()) return extent.status();
  ListPage page;
  page.head = extent->head;
  absl::Status status;
  switch (query.order) {
    case ListQuery::Order::kNewestFirst:
      status = ListNewestFirst(query, max_look_ups, page);
      break;
    case ListQuery::Order::kOldestFirst:
      status = ListOldestFirst(query, max_look_ups, page);
      break;
  }
  if (!status.ok()) return status;
  const bool cut = page.rows.size() > query.limit;
  if (cut) page.rows.resize(query.limit);
  if (cut || IsFull(page.rows, query.max_bytes)) {
    page.more = true;
    page.end = page.rows.back().create_revision;
  }
  return page;
}

absl::Status Reader::ListNewestFirst(const ListQuery& query, std::size_t max_look_ups,
                                     ListPage& page) {
  const Revision upto = query.after_create_revision.has_value()
                            ? *query.after_create_revision - 1
                            : std::numeric_limits<Revision>::max();
  if (query.filter.clauses.empty()) {
    Query found(rows_by_age_);
    found.Text(query.tenant)
        .Int(static_cast<int>(query.kind))
        .Int(upto)
        .Int(static_cast<std::int64_t>(query.limit) + 1);
    PageBytes bytes(query.max_bytes);
    while (!bytes.reached() && found.Next()) {
      Key key{query.tenant, query.kind, found.StringAt(0)};
      if (absl::Status s = Append(ReadRow(found, 1, std::move(key)), page.rows); !s.ok()) return s;
      bytes.Add(page.rows.back());
    }
    return found.status();
  }
  MatchingRows matching(term_rows_, query.tenant, query.kind, query.filter, upto, max_look_ups);
  PageBytes bytes(query.max_bytes);
  while (page.rows.size() <= query.limit && !bytes.reached()) {
    absl::StatusOr<Revision> match = matching.Next();
    if (!match.ok()) return match.status();
    if (*match == 0) break;
    if (absl::Status s = AppendRow({query.tenant, query.kind, ""}, *match, page.rows); !s.ok()) {
      return s;
    }
    bytes.Add(page.rows.back());
  }
  page.more = matching.rest() > 0;
  if (page.more) page.end = matching.rest() + 1;
  return absl::OkStatus();
}

absl::Status Reader::ListOldestFirst(const ListQuery& query, std::size_t max_look_ups,
                                     ListPage& page) {
  // A row that is examined for a match counts as a look-up.
  std::size_t look_ups = 0;
  Query found(rows_oldest_first_);
  found.Text(query.tenant)
      .Int(static_cast<int>(query.kind))
      .Int(query.after_create_revision.value_or(0));
  PageBytes bytes(query.max_bytes);
  while (page.rows.size() <= query.limit && !bytes.reached() && found.Next()) {
    if (!query.filter.clauses.empty()) {
      if (look_ups > 0 && look_ups >= max_look_ups) {
        page.more = true;
        break;
      }
      ++look_ups;
      page.end = found.IntAt(1);
      absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(found.TextAt(5));
      if (!terms.ok()) return terms.status();
      if (!query.filter.Matches(*terms)) continue;
    }
    Key key{query.tenant, query.kind, found.StringAt(0)};
    if (absl::Status s = Append(ReadRow(found, 1, std::move(key)), page.rows); !s.ok()) return s;
    bytes.Add(page.rows.back());
  }
  return found.status();
}

absl::Status Reader::AppendRow(const Key& key, Revision create_revision, std::vector<Row>& rows) {
  Query found(row_);
  found.Int(create_revision);
  if (!found.Next()) {
    // The index and the table are always written together.
    return found.status().ok() ? absl::DataLossError("SQLite: a term of a row that does not exist")
                               : found.status();
  }
  return Append(ReadRow(found, 1, {key.tenant, key.kind, found.StringAt(0)}), rows);
}

absl::StatusOr<ChangesPage> Reader::ReadChanges(const ChangesQuery& query) {
  if (absl::Status s = Query(begin_).Run(); !s.ok()) return s;
  const absl::Cleanup end = [this] { Query(end_).Run().IgnoreError(); };
  absl::StatusOr<Extent> extent = ReadExtent();
  if (!extent.ok()) return extent.status();
  ChangesPage page;
  page.head = extent->head;
  page.upto = query.after;
  if (query.after < extent->compacted) {
    page.compacted = true;
    return page;
  }
  Query found(changes_);
  found.Text(query.tenant)
      .Int(static_cast<int>(query.kind))
      .Int(query.after)
      .Int(static_cast<std::int64_t>(query.limit));
  std::size_t bytes = 0;
  while (bytes < query.max_bytes && found.Next()) {
    auto change = std::make_shared<Change>();
    change->revision = found.IntAt(0);
    change->key = {query.tenant, query.kind, found.StringAt(1)};
    change->create_revision = found.IntAt(2);
    change->deleted = found.IntAt(3) != 0;
    change->cause = static_cast<DeleteCause>(found.IntAt(4));
    change->settled = found.IntAt(5) != 0;
    absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(found.TextAt(6));
    if (!terms.ok()) return terms.status();
    change->terms = *std::move(terms);
    terms = DecodeStrings(found.TextAt(7));
    if (!terms.ok()) return terms.status();
    change->previous_terms = *std::move(terms);
    change->resource = found.StringAt(8);
    bytes += change->resource.size();
    page.upto = change->revision;
    page.changes.push_back(std::move(change));
  }
  if (!found.status().ok()) return found.status();
  if (bytes < query.max_bytes && page.changes.size() < query.limit) {
    page.upto = std::max(query.after, page.head);
  }
  return page;
}

absl::StatusOr<std::optional<RequestRow>> Reader::FindRequest(const RequestKey& key) {
  Query query(request_);
  query.Text(key.tenant).Text(key.method).Text(key.request_id);
  if (!query.Next()) {
    if (!query.status().ok()) return query.status();
    return std::optional<RequestRow>();
  }
  absl::StatusOr<std::vector<Key>> rows = DecodeKeys(query.TextAt(1));
  if (!rows.ok()) return rows.status();
  return std::optional<RequestRow>(
      RequestRow{key, query.StringAt(2), *std::move(rows), absl::FromUnixMicros(query.IntAt(0))});
}

absl::StatusOr<std::optional<std::string>> Reader::NextTenant(const std::string& after) {
  Query query(next_tenant_);
  query.Text(after);
  std::optional<std::string> tenant;
  if (query.Next()) tenant = query.StringAt(0);
  if (!query.status().ok()) return query.status();
  return tenant;
}

absl::StatusOr<std::vector<Row>> Reader::ListUnfinished(const UnfinishedQuery& wanted) {
  std::vector<Row> rows;
  // There is only one shard.
  if (wanted.shards.has_value() &&
      std::find(wanted.shards->begin(), wanted.shards->end(), 0) == wanted.shards->end()) {
    return rows;
  }
  // Nothing sorts before kind 0 of the empty tenant.
  const Key start = wanted.after.value_or(Key{"", static_cast<Kind>(0), ""});
  Query query(rows_unfinished_);
  query.Text(start.tenant)
      .Int(static_cast<int>(start.kind))
      .Text(start.id)
      .Int(static_cast<std::int64_t>(wanted.limit));
  while (query.Next()) {
    Key key{query.StringAt(0), static_cast<Kind>(query.IntAt(1)), query.StringAt(2)};
    if (absl::Status s = Append(ReadRow(query, 3, std::move(key)), rows); !s.ok()) return s;
  }
  if (!query.status().ok()) return query.status();
  return rows;
}

absl::StatusOr<std::unique_ptr<Reader>> ReaderPool::Take() {
  {
    absl::MutexLock lock(&mu_);
    while (idle_.empty() && opened_ == max_readers_) returned_.Wait(&mu_);
    if (!idle_.empty()) {
      std::unique_ptr<Reader> reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
    ++opened_;
  }
  absl::StatusOr<std::unique_ptr<Reader>> reader = Reader::Open(path_);
  if (!reader.ok()) {
    absl::MutexLock lock(&mu_);
    --opened_;
    returned_.Signal();
  }
  return reader;
}

void ReaderPool::Return(std::unique_ptr<Reader> reader) {
  absl::MutexLock lock(&mu_);
  idle_.push_back(std::move(reader));
  returned_.Signal();
}

}  // namespace assetgate::store::sqlite
