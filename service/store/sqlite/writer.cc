#include "store/sqlite/writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "store/codec.h"

namespace assetgate::store::sqlite {
namespace {

// The gateway's other connections never write; an operator's tool may hold the lock.
constexpr absl::Duration kBusyTimeout = absl::Seconds(5);

// A log of this many pages is copied into the file. Each copy costs one sync of the file; before
// it, readers look pages up in the log. From the second copy on, the log's blocks are overwritten
// in place, which the file system syncs several times faster than growth.
constexpr int kCheckpointPages = 4'000;
// If readers have kept the log from being reused up to this length, the writer waits for them
// briefly.
constexpr int kBlockingCheckpointPages = 4 * kCheckpointPages;
constexpr absl::Duration kCheckpointTimeout = absl::Milliseconds(100);

// How often, at most, the trusted time is saved.
constexpr absl::Duration kSaveInterval = absl::Seconds(50);

// Sorts the strings and removes duplicates.
void MakeSet(std::vector<std::string>& strings) {
  std::sort(strings.begin(), strings.end());
  strings.erase(std::unique(strings.begin(), strings.end()), strings.end());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(const std::string& path) {
  absl::StatusOr<Connection> connection = Connection::Open(path, kBusyTimeout);
  if (!connection.ok()) return connection.status();
  auto writer = std::unique_ptr<Writer>(new Writer(*std::move(connection)));
  if (absl::Status s = writer->Prepare(); !s.ok()) return s;
  return writer;
}

absl::Status Writer::Prepare() {
  if (absl::Status s = connection_.Execute("PRAGMA synchronous = FULL;"
                                           "PRAGMA secure_delete = FAST;"
                                           "PRAGMA cache_size = -16384;"
                                           "PRAGMA wal_autocheckpoint = 0");
      !s.ok()) {
    return s;
  }
  checkpoint_at_ = kCheckpointPages;
  sqlite3_wal_hook(connection_.get(), &Writer::OnWal, this);

  const struct {
    Statement& statement;
    const char* sql;
  } statements[] = {
      {begin_, "BEGIN IMMEDIATE"},
      {commit_, "COMMIT"},
      {rollback_, "ROLLBACK"},
      {probe_, "UPDATE meta SET value = value + 1 WHERE name = 'probe'"},
      {read_head_,
       "SELECT max(coalesce((SELECT max(revision) FROM changes), 0), value), value FROM meta "
       "WHERE name = 'compacted'"},
      {find_row_,
       "SELECT create_revision, revision, unfinished, terms FROM resources "
       "WHERE tenant = ? AND kind = ? AND id = ?"},
      {find_term_,
       "SELECT resources.id FROM terms JOIN resources USING (create_revision) "
       "WHERE terms.tenant = ? AND terms.kind = ? AND terms.term = ? LIMIT 1"},
      // CROSS JOIN fixes the order, so that each tenant costs one look-up.
      {find_term_anywhere_,
       "WITH RECURSIVE tenants(name) AS (SELECT min(tenant) FROM resources UNION ALL "
       "SELECT (SELECT min(tenant) FROM resources WHERE tenant > name) FROM tenants "
       "WHERE name IS NOT NULL) "
       "SELECT resources.tenant, resources.id FROM tenants CROSS JOIN terms CROSS JOIN resources "
       "WHERE terms.tenant = tenants.name AND terms.kind = ? AND terms.term = ? "
       "AND resources.create_revision = terms.create_revision"},
      {read_resource_, "SELECT resource FROM resources WHERE create_revision = ?"},
      {insert_row_,
       "INSERT INTO resources (create_revision, tenant, kind, id, revision, settled, terms, "
       "resource, internal, unfinished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      // Even setting `unfinished` to its present value would rewrite its index.
      {update_row_,
       "UPDATE resources SET revision = ?, settled = ?, terms = ?, resource = ?, internal = ? "
       "WHERE create_revision = ?"},
      {update_row_and_unfinished_,
       "UPDATE resources SET revision = ?, settled = ?, terms = ?, resource = ?, internal = ?, "
       "unfinished = ? WHERE create_revision = ?"},
      {delete_row_, "DELETE FROM resources WHERE create_revision = ?"},
      {insert_term_, "INSERT INTO terms (tenant, kind, term, create_revision) VALUES (?, ?, ?, ?)"},
      {delete_term_,
       "DELETE FROM terms WHERE tenant = ? AND kind = ? AND term = ? AND create_revision = ?"},
      {insert_change_,
       "INSERT INTO changes (revision, time, tenant, kind, id, create_revision, deleted, cause, "
       "settled, terms, previous_terms, resource) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {find_request_,
       "SELECT create_time, rows, request FROM requests "
       "WHERE tenant = ? AND method = ? AND request_id = ?"},
      {insert_request_,
       "INSERT INTO requests (tenant, method, request_id, create_time, rows, request) "
       "VALUES (?, ?, ?, ?, ?, ?)"},
      {delete_request_, "DELETE FROM requests WHERE tenant = ? AND method = ? AND request_id = ?"},
      {expire_requests_,
       "DELETE FROM requests WHERE number IN (SELECT number FROM requests "
       "INDEXED BY requests_by_age WHERE create_time < ? ORDER BY create_time LIMIT ?)"},
      {oldest_changes_, "SELECT revision, time FROM changes ORDER BY revision LIMIT ?"},
      {delete_changes_, "DELETE FROM changes WHERE revision <= ?"},
      {set_compacted_, "UPDATE meta SET value = ? WHERE name = 'compacted'"},
      {read_trusted_time_, "SELECT value FROM meta WHERE name = 'lived'"},
      {save_trusted_time_,
       "INSERT INTO meta VALUES ('lived', ?) ON CONFLICT (name) DO UPDATE SET value = "
       "excluded.value"},
  };
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<Statement> prepared = connection_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    statement = *std::move(prepared);
  }

  Query query(read_head_);
  if (!query.Next()) {
    return query.status().ok() ? absl::DataLossError("SQLite: the table meta is incomplete")
                               : query.status();
  }
  head_ = committed_head_ = query.IntAt(0);
  compacted_ = query.IntAt(1);
  Query saved(read_trusted_time_);
  if (saved.Next()) {
    saved_trusted_time_ = absl::FromUnixMicros(saved.IntAt(0));
    trusted_time_ = TrustedTime(saved_trusted_time_);
  }
  return saved.status();
}

int Writer::OnWal(void* context, sqlite3*, const char*, int pages) {
  auto* writer = static_cast<Writer*>(context);
  if (pages < writer->wal_pages_)
    writer->checkpoint_at_ = kCheckpointPages;  // The log was restarted.
  writer->wal_pages_ = pages;
  return SQLITE_OK;
}

absl::Status Writer::Begin() { return Query(begin_).Run(); }

Writer::Ended Writer::Commit() {
  absl::Status status;
  int code = SQLITE_OK;
  {
    Query query(commit_);
    status = query.Run();
    code = query.code();
  }
  if (status.ok()) {
    committed_head_ = head_;
    return {};
  }
  // The file shows the effect of a COMMIT that failed: the failure may have come after the fact.
  const Revision wanted = head_;
  Rollback();
  {
    Query query(read_head_);
    if (!query.Next()) return {End::kUnknown, std::move(status)};
    if (wanted > committed_head_ && query.IntAt(0) == wanted) {
      head_ = committed_head_ = wanted;
      return {End::kCommitted, absl::OkStatus()};
    }
  }
  // These two codes mean that the frame which commits the group was not written completely.
  if (code == SQLITE_FULL || code == SQLITE_IOERR_WRITE) {
    return {End::kRolledBack, std::move(status)};
  }
  // Otherwise (after a failed sync, say) the log on the disk may hold the whole group although it
  // does not count: recovery after a crash would restore it. The next commit overwrites it for
  // good.
  return {Probe().ok() ? End::kRolledBack : End::kUnknown, std::move(status)};
}

void Writer::Rollback() {
  // Some errors roll back by themselves.
  if (sqlite3_get_autocommit(connection_.get()) == 0) Query(rollback_).Run().IgnoreError();
  head_ = committed_head_;
}

absl::Status Writer::Probe() { return Query(probe_).Run(); }

absl::StatusOr<std::optional<Writer::RowState>> Writer::Find(const Key& key) {
  Query query(find_row_);
  query.Text(key.tenant).Int(static_cast<int>(key.kind)).Text(key.id);
  if (!query.Next()) {
    if (!query.status().ok()) return query.status();
    return std::optional<RowState>();
  }
  return std::optional<RowState>(
      RowState{query.IntAt(0), query.IntAt(1), query.IntAt(2) != 0, query.StringAt(3)});
}

absl::Status Writer::Check(const Conditions& conditions, std::vector<Key>& unmet) {
  for (const Key& key : conditions.exist) {
    absl::StatusOr<std::optional<RowState>> found = Find(key);
    if (!found.ok()) return found.status();
    if (!found->has_value()) unmet.push_back(key);
  }
  for (const Conditions::Term& absent : conditions.absent) {
    Query query(find_term_);
    query.Text(absent.tenant).Int(static_cast<int>(absent.kind)).Text(absent.term);
    if (query.Next()) unmet.push_back({absent.tenant, absent.kind, query.StringAt(0)});
    if (!query.status().ok()) return query.status();
  }
  for (const Conditions::TermAnywhere& absent : conditions.absent_anywhere) {
    Query query(find_term_anywhere_);
    query.Int(static_cast<int>(absent.kind)).Text(absent.term);
    while (query.Next()) {
      const Key found = {query.StringAt(0), absent.kind, query.StringAt(1)};
      if (std::find(absent.except.begin(), absent.except.end(), found) != absent.except.end()) {
        continue;
      }
      unmet.push_back(found);
      break;
    }
    if (!query.status().ok()) return query.status();
  }
  return absl::OkStatus();
}

absl::Status Writer::Apply(const Transaction& transaction, absl::Time now, CommitResult& result,
                           std::vector<ChangePtr>& changes) {
  // Check everything before writing anything.
  if (transaction.claim_request.has_value()) {
    const RequestKey& key = transaction.claim_request->key;
    Query query(find_request_);
    query.Text(key.tenant).Text(key.method).Text(key.request_id);
    if (query.Next()) {
      absl::StatusOr<std::vector<Key>> rows = DecodeKeys(query.TextAt(1));
      if (!rows.ok()) return rows.status();
      result.outcome = CommitResult::Outcome::kRequestIdTaken;
      result.request = RequestRow{key, query.StringAt(2), *std::move(rows),
                                  absl::FromUnixMicros(query.IntAt(0))};
      return absl::OkStatus();
    }
    if (!query.status().ok()) return query.status();
  }
  std::vector<std::optional<RowState>> standing;
  standing.reserve(transaction.writes.size());
  absl::flat_hash_set<Key> seen;
  for (std::size_t i = 0; i < transaction.writes.size(); ++i) {
    const Write& write = transaction.writes[i];
    absl::StatusOr<std::optional<RowState>> found = Find(write.key);
    if (!found.ok()) return found.status();
    const Revision revision = found->has_value() ? (*found)->revision : 0;
    const bool repeated = transaction.writes.size() > 1 && !seen.insert(write.key).second;
    const bool deletes_nothing = revision == 0 && !write.content.has_value();
    if (revision != write.expected_revision || repeated || deletes_nothing) {
      result.conflicts.push_back(i);
    }
    standing.push_back(*std::move(found));
  }
  if (!result.conflicts.empty()) {
    result.outcome = CommitResult::Outcome::kConflict;
    return absl::OkStatus();
  }
  if (absl::Status s = Check(transaction.conditions, result.unmet); !s.ok()) return s;
  if (!result.unmet.empty()) {
    result.outcome = CommitResult::Outcome::kConditionUnmet;
    return absl::OkStatus();
  }

  for (std::size_t i = 0; i < transaction.writes.size(); ++i) {
    if (absl::Status s = ApplyWrite(transaction.writes[i], standing[i], now, changes); !s.ok()) {
      return s;
    }
    result.revisions.push_back(head_);
  }
  if (transaction.barrier) {
    // The next commit overwrites whatever a failed COMMIT has left in the log.
    if (absl::Status s = Probe(); !s.ok()) return s;
  }
  if (transaction.free_request.has_value()) {
    const RequestKey& key = *transaction.free_request;
    Query query(delete_request_);
    query.Text(key.tenant).Text(key.method).Text(key.request_id);
    if (absl::Status s = query.Run(); !s.ok()) return s;
  }
  if (transaction.claim_request.has_value()) {
    const RequestRow& row = *transaction.claim_request;
    const std::string rows = EncodeKeys(row.rows);
    Query query(insert_request_);
    query.Text(row.key.tenant)
        .Text(row.key.method)
        .Text(row.key.request_id)
        .Int(absl::ToUnixMicros(row.create_time))
        .Blob(rows)
        .Blob(row.request);
    if (absl::Status s = query.Run(); !s.ok()) return s;
  }
  result.outcome = CommitResult::Outcome::kCommitted;
  return absl::OkStatus();
}

absl::Status Writer::ApplyWrite(const Write& write, const std::optional<RowState>& standing,
                                absl::Time now, std::vector<ChangePtr>& changes) {
  const Revision revision = ++head_;
  auto change = std::make_shared<Change>();
  change->key = write.key;
  change->revision = revision;
  change->create_revision = standing.has_value() ? standing->create_revision : revision;
  if (standing.has_value()) {
    absl::StatusOr<std::vector<std::string>> terms = DecodeStrings(standing->terms);
    if (!terms.ok()) return terms.status();
    change->previous_terms = *std::move(terms);
  }
  std::string terms;
  if (write.content.has_value()) {
    const Content& content = *write.content;
    change->settled = content.settled;
    change->unfinished = content.unfinished;
    change->resource = content.resource;
    change->terms = content.terms;
    terms = EncodeStrings(content.terms);
  } else {
    change->deleted = true;
    change->cause = write.cause;
    Query query(read_resource_);
    query.Int(change->create_revision);
    if (query.Next()) change->resource = query.StringAt(0);
    if (!query.status().ok()) return query.status();
  }

  if (!write.content.has_value()) {
    Query query(delete_row_);
    query.Int(change->create_revision);
    if (absl::Status s = query.Run(); !s.ok()) return s;
  } else if (!standing.has_value()) {
    Query query(insert_row_);
    query.Int(revision)
        .Text(write.key.tenant)
        .Int(static_cast<int>(write.key.kind))
        .Text(write.key.id)
        .Int(revision)
        .Int(write.content->settled ? 1 : 0)
        .Blob(terms)
        .Blob(write.content->resource)
        .Blob(write.content->internal)
        .Int(write.content->unfinished ? 1 : 0);
    if (absl::Status s = query.Run(); !s.ok()) return s;
  } else {
    const bool same = standing->unfinished == write.content->unfinished;
    Query query(same ? update_row_ : update_row_and_unfinished_);
    query.Int(revision)
        .Int(write.content->settled ? 1 : 0)
        .Blob(terms)
        .Blob(write.content->resource)
        .Blob(write.content->internal);
    if (!same) query.Int(write.content->unfinished ? 1 : 0);
    query.Int(change->create_revision);
    if (absl::Status s = query.Run(); !s.ok()) return s;
  }
  if (absl::Status s =
          IndexTerms(write.key, change->create_revision, change->previous_terms, change->terms);
      !s.ok()) {
    return s;
  }

  const std::string previous_terms = EncodeStrings(change->previous_terms);
  Query query(insert_change_);
  query.Int(revision)
      .Int(absl::ToUnixMicros(now))
      .Text(write.key.tenant)
      .Int(static_cast<int>(write.key.kind))
      .Text(write.key.id)
      .Int(change->create_revision)
      .Int(change->deleted ? 1 : 0)
      .Int(static_cast<int>(change->cause))
      .Int(change->settled ? 1 : 0)
      .Blob(terms)
      .Blob(previous_terms)
      .Blob(change->resource);
  if (absl::Status s = query.Run(); !s.ok()) return s;
  changes.push_back(std::move(change));
  return absl::OkStatus();
}

absl::Status Writer::IndexTerms(const Key& key, Revision create_revision,
                                std::vector<std::string> held, std::vector<std::string> wanted) {
  MakeSet(held);
  MakeSet(wanted);
  const auto run = [&](const Statement& statement, const std::string& term) {
    Query query(statement);
    query.Text(key.tenant).Int(static_cast<int>(key.kind)).Text(term).Int(create_revision);
    return query.Run();
  };
  std::vector<std::string> difference;
  std::set_difference(held.begin(), held.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(difference));
  for (const std::string& term : difference) {
    if (absl::Status s = run(delete_term_, term); !s.ok()) return s;
  }
  difference.clear();
  std::set_difference(wanted.begin(), wanted.end(), held.begin(), held.end(),
                      std::back_inserter(difference));
  for (const std::string& term : difference) {
    if (absl::Status s = run(insert_term_, term); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Writer::SaveTrustedTime() {
  // Saving it now and then is enough: after a crash, the lost part is caught up.
  const absl::Time trusted = *trusted_time_.newest();
  if (saved_trusted_time_.has_value() && trusted < *saved_trusted_time_ + kSaveInterval)
    return absl::OkStatus();
  if (absl::Status s = Query(save_trusted_time_).Int(absl::ToUnixMicros(trusted)).Run(); !s.ok())
    return s;
  saved_trusted_time_ = trusted;
  return absl::OkStatus();
}

absl::StatusOr<bool> Writer::Expire(const Retention& retention, absl::Time now,
                                    absl::Duration elapsed, std::int64_t limit) {
  trusted_time_.Advance(now, elapsed);
  if (absl::Status s = Begin(); !s.ok()) return s;
  bool more = false;
  const Revision compacted = compacted_;
  const std::optional<absl::Time> saved = saved_trusted_time_;
  absl::Status status = SaveTrustedTime();
  if (status.ok()) status = ExpireInGroup(retention, trusted_time_.Horizon(now), limit, more);
  if (status.ok()) {
    status = Commit().status;
  } else {
    Rollback();
  }
  if (!status.ok()) {
    compacted_ = compacted;
    saved_trusted_time_ = saved;
    return status;
  }
  return more;
}

absl::Status Writer::ExpireInGroup(const Retention& retention, absl::Time now, std::int64_t limit,
                                   bool& more) {
  {
    Query query(expire_requests_);
    query.Int(absl::ToUnixMicros(now - retention.requests)).Int(limit);
    if (absl::Status s = query.Run(); !s.ok()) return s;
    if (sqlite3_changes64(connection_.get()) >= limit) more = true;
  }
  Revision upto = compacted_;
  {
    const Revision beyond_count = head_ - retention.max_changes;
    const std::int64_t too_old = absl::ToUnixMicros(now - retention.changes);
    Query query(oldest_changes_);
    query.Int(limit);
    std::int64_t examined = 0;
    bool stopped = false;
    while (!stopped && query.Next()) {
      ++examined;
      stopped = query.IntAt(0) > beyond_count && query.IntAt(1) >= too_old;
      if (!stopped) upto = query.IntAt(0);
    }
    if (!query.status().ok()) return query.status();
    if (!stopped && examined >= limit) more = true;
  }
  if (upto == compacted_) return absl::OkStatus();
  if (absl::Status s = Query(delete_changes_).Int(upto).Run(); !s.ok()) return s;
  if (absl::Status s = Query(set_compacted_).Int(upto).Run(); !s.ok()) return s;
  compacted_ = upto;
  return absl::OkStatus();
}

bool Writer::Checkpoint() {
  if (wal_pages_ < checkpoint_at_) return false;
  int mode = SQLITE_CHECKPOINT_PASSIVE;
  if (wal_pages_ >= kBlockingCheckpointPages) {
    mode = SQLITE_CHECKPOINT_RESTART;
    connection_.SetBusyTimeout(kCheckpointTimeout);
  }
  sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, mode, nullptr, nullptr);
  connection_.SetBusyTimeout(kBusyTimeout);
  // Copied or not: until the log is restarted, the next try comes after the same length again.
  checkpoint_at_ = wal_pages_ + kCheckpointPages;
  return true;
}

}  // namespace assetgate::store::sqlite
