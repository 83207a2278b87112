// Applies transactions to the tables.
#ifndef ASSETGATE_STORE_SQLITE_WRITER_H_
#define ASSETGATE_STORE_SQLITE_WRITER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "store/sqlite/database.h"
#include "store/store.h"
#include "store/trusted_time.h"

namespace assetgate::store::sqlite {

// The only connection that writes. Several transactions share one commit, a group: each sees those
// before it in the group, and one that does not apply changes nothing and does not affect others.
//
//   Begin, Apply…, Commit    or    Begin, Apply…, Rollback
//
// Threading: used by one thread.
class Writer {
 public:
  static absl::StatusOr<std::unique_ptr<Writer>> Open(const std::string& path);

  // The newest revision, including those of the open group.
  Revision head() const { return head_; }

  // Starts the trusted time of a new store at `now`. Returns the trusted time that an earlier
  // process saved; absent if the store is new.
  std::optional<absl::Time> StartTrustedTime(absl::Time now) {
    const std::optional<absl::Time> before = trusted_time_.newest();
    if (!before.has_value()) trusted_time_.Advance(now, absl::ZeroDuration());
    return before;
  }

  absl::Status Begin();
  // Checks one transaction and, if it applies, executes it and appends its changes. After an error
  // the group is lost: call Rollback.
  absl::Status Apply(const Transaction& transaction, absl::Time now, CommitResult& result,
                     std::vector<ChangePtr>& changes);

  // How a group ended.
  enum class End {
    kCommitted,
    kRolledBack,
    // Not committed now, but a crash may restore it, because it may be on the disk (see Commit).
    kUnknown,
  };
  struct Ended {
    End end = End::kCommitted;
    absl::Status status;
  };
  Ended Commit();
  void Rollback();

  // Commits a meaningless row, to test whether the disk accepts writes.
  absl::Status Probe();

  // Removes expired data: at most `limit` requests and `limit` changes, in a commit of their own.
  // Returns whether there may be more. `now` counts as far as the store trusts it (see
  // TrustedTime); `elapsed`: since the last call, by a steady clock.
  absl::StatusOr<bool> Expire(const Retention& retention, absl::Time now, absl::Duration elapsed,
                              std::int64_t limit);

  // Copies committed data from the log into the file, once the log is long enough. A failure is
  // harmless: the log grows until it works again. Returns whether it may have written to the file.
  bool Checkpoint();

 private:
  explicit Writer(Connection connection) : connection_(std::move(connection)) {}
  absl::Status Prepare();

  // The part of a row that a write needs.
  struct RowState {
    Revision create_revision = 0;
    Revision revision = 0;
    bool unfinished = false;
    std::string terms;
  };
  absl::StatusOr<std::optional<RowState>> Find(const Key& key);
  // Adds to `unmet` the conditions that do not hold.
  absl::Status Check(const Conditions& conditions, std::vector<Key>& unmet);
  absl::Status ApplyWrite(const Write& write, const std::optional<RowState>& standing,
                          absl::Time now, std::vector<ChangePtr>& changes);
  // Changes the row's index entries from `held` to `wanted`.
  absl::Status IndexTerms(const Key& key, Revision create_revision, std::vector<std::string> held,
                          std::vector<std::string> wanted);
  absl::Status SaveTrustedTime();
  absl::Status ExpireInGroup(const Retention& retention, absl::Time now, std::int64_t limit,
                             bool& more);

  static int OnWal(void* context, sqlite3* db, const char* schema, int pages);

  Connection connection_;
  Revision head_ = 0;
  Revision committed_head_ = 0;
  Revision compacted_ = 0;
  TrustedTime trusted_time_;
  // Its saved part.
  std::optional<absl::Time> saved_trusted_time_;
  // The log's length, and the length at which it is copied.
  int wal_pages_ = 0;
  int checkpoint_at_ = 0;

  Statement begin_;
  Statement commit_;
  Statement rollback_;
  Statement probe_;
  Statement read_head_;
  Statement find_row_;
  Statement find_term_;
  Statement find_term_anywhere_;
  Statement read_resource_;
  Statement insert_row_;
  Statement update_row_;
  Statement update_row_and_unfinished_;
  Statement delete_row_;
  Statement insert_term_;
  Statement delete_term_;
  Statement insert_change_;
  Statement find_request_;
  Statement insert_request_;
  Statement delete_request_;
  Statement expire_requests_;
  Statement oldest_changes_;
  Statement delete_changes_;
  Statement set_compacted_;
  Statement read_trusted_time_;
  Statement save_trusted_time_;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_WRITER_H_
