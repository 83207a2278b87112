// What a transaction does to the tables.
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
#include "store/lived_time.h"
#include "store/sqlite/database.h"
#include "store/store.h"

namespace assetgate::store::sqlite {

// The one connection that writes. Several transactions share one commit, a group: each sees those
// before it in the group, and one that does not fit changes nothing and leaves the others alone.
//
//   Begin, Apply…, Commit    or    Begin, Apply…, Rollback
//
// Used by one thread.
class Writer {
 public:
  static absl::StatusOr<std::unique_ptr<Writer>> Open(const std::string& path);

  // The newest revision, including those of the open group.
  Revision head() const { return head_; }

  // A new store begins its life now. Returns the newest time that an earlier process lived through;
  // absent where the store is new.
  std::optional<absl::Time> BeginLife(absl::Time now) {
    const std::optional<absl::Time> before = lived_.newest();
    if (!before.has_value()) lived_.Follow(now, absl::ZeroDuration());
    return before;
  }

  absl::Status Begin();
  // Checks one transaction and, if it fits, does it, and appends its changes. An error means that
  // the group is lost: Rollback.
  absl::Status Apply(const Transaction& transaction, absl::Time now, CommitResult& result,
                     std::vector<ChangePtr>& changes);

  // How a group ended.
  enum class End {
    kCommitted,
    kRolledBack,
    // Not there, but a crash may bring it back: the disk may have it (see Commit).
    kUnknown,
  };
  struct Ended {
    End end = End::kCommitted;
    absl::Status status;
  };
  Ended Commit();
  void Rollback();

  // Commits a row that means nothing, to see whether the disk takes writes.
  absl::Status Probe();

  // Removes what is past its time: at most `limit` requests and `limit` changes, in a commit of
  // their own. Gives whether there may be more. `now` counts as far as the store has lived through
  // it (see LivedTime); `passed`: on a steady clock, since the last call.
  absl::StatusOr<bool> Expire(const Retention& retention, absl::Time now, absl::Duration passed,
                              std::int64_t limit);

  // Moves what is committed from the log into the file, when the log has grown enough to be worth
  // it. What stops it is no harm: the log grows until it works again. Gives whether it may have
  // written to the file.
  bool Checkpoint();

 private:
  explicit Writer(Connection connection) : connection_(std::move(connection)) {}
  absl::Status Prepare();

  // A row as it stands, as far as a write needs it.
  struct Standing {
    Revision create_revision = 0;
    Revision revision = 0;
    bool unfinished = false;
    std::string terms;
  };
  absl::StatusOr<std::optional<Standing>> Find(const Key& key);
  // What of the conditions does not hold goes to `unmet`.
  absl::Status Check(const Conditions& conditions, std::vector<Key>& unmet);
  absl::Status ApplyWrite(const Write& write, const std::optional<Standing>& standing,
                          absl::Time now, std::vector<ChangePtr>& changes);
  // Makes the index hold `wanted` instead of `held`.
  absl::Status IndexTerms(const Key& key, Revision create_revision, std::vector<std::string> held,
                          std::vector<std::string> wanted);
  absl::Status SaveLived();
  absl::Status ExpireInGroup(const Retention& retention, absl::Time now, std::int64_t limit,
                             bool& more);

  static int OnWal(void* context, sqlite3* db, const char* schema, int pages);

  Connection connection_;
  Revision head_ = 0;
  Revision committed_head_ = 0;
  Revision compacted_ = 0;
  LivedTime lived_;
  // What of it is in the file.
  std::optional<absl::Time> saved_lived_;
  // How long the log is, and how long it must be to be copied.
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
  Statement read_lived_;
  Statement save_lived_;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_WRITER_H_
