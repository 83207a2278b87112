// The embedded store: one file, one process.
#ifndef ASSETGATE_STORE_SQLITE_SQLITE_STORE_H_
#define ASSETGATE_STORE_SQLITE_SQLITE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "store/commit_queue.h"
#include "store/sqlite/file_lock.h"
#include "store/sqlite/open_files.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/writer.h"
#include "store/store.h"

namespace assetgate::store {

// A Store in a SQLite file (WAL, synchronous=FULL). One thread writes; all that is queued when it
// wakes goes into one commit, so that the more there is to do, the fewer syncs each change costs.
// Reads run on the calling threads, beside it.
//
// The file belongs to one process for life: whoever opens it second is refused. It holds what
// callers sent, pre-signed URLs among it, so it and the files beside it (`-wal`, `-shm`, `.lock`)
// are made with mode 0600.
//
// When the disk is full or fails, transactions are answered kUnavailable (kUnknown where the
// failure left it open) and Health says why; the store tries by itself whether the disk is back.
//
// When somebody deletes, replaces or truncates one of its files, or the file turns out to be
// damaged, the store takes no more writes: Health is DATA_LOSS, a commit that was under way is
// kUnknown. Reads go on as far as they can. A file that comes back is used again, one that was
// damaged is not before the next Open, which checks it.
class SqliteStore final : public Store, private GroupWriter {
 public:
  struct Options {
    // The file; made when it does not exist. Its directory must.
    std::string path;
    // Dates changes and tells when they are past. Must outlive the store.
    const base::Clock* clock = nullptr;
    Retention retention;
    // Transactions handed in and not yet answered; further ones are answered kUnavailable.
    std::size_t max_queue = 10'000;
    // Reads at the same time; further ones wait.
    std::size_t max_readers = 4;
    // How often one List may look a term up in the index before it ends short: about a microsecond
    // each.
    std::size_t max_look_ups = 10'000;
    // How often, at least, to try whether writing works again after it failed.
    absl::Duration probe_interval = absl::Seconds(1);
    // How often, at least, to look whether the files are still there.
    absl::Duration look_interval = absl::Seconds(5);
    // Counts commits and times groups, if given. Must outlive the store.
    base::Metrics* metrics = nullptr;
  };

  // FAILED_PRECONDITION, with the path and the remedy: the directory is missing, the file is in
  // use, belongs to something else, or has a schema too new. DATA_LOSS: it is damaged. Neither is
  // ever recreated or repaired.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(Options options);
  // For after a backup was put in the file's place: gives the store a new id, and returns it. The
  // revisions of what the backup does not have are given out again, for other changes; a resume
  // token from before would skip these. With another id it starts over. Errors are as those of
  // Open, and FAILED_PRECONDITION where there is no store.
  static absl::StatusOr<std::string> MarkRestored(const std::string& path);
  // What is at a path, without opening it as a store.
  struct Inspection {
    // The process that has it open: it has been looked at by that one.
    std::optional<int> holder;
    bool exists = false;
    // Of the schema; 0 where there is none yet. Not looked at while somebody has it open.
    std::int64_t version = 0;
  };
  // Whether Open would take the file. Makes, changes and locks nothing. Errors as those of Open,
  // but for a file that is in use, and one that is damaged further inside.
  static absl::StatusOr<Inspection> Inspect(const std::string& path);
  // Stops. No call may be under way.
  ~SqliteStore() override;

  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  const std::string& store_id() const override { return store_id_; }
  void Commit(Transaction transaction, CommitDone done) override;
  absl::StatusOr<std::optional<Row>> Get(const Key& key) override;
  absl::StatusOr<ListPage> List(const ListQuery& query) override;
  absl::StatusOr<ChangesPage> ReadChanges(const ChangesQuery& query) override;
  absl::StatusOr<std::optional<RequestRow>> FindRequest(const RequestKey& key) override;
  absl::StatusOr<std::vector<Row>> ListUnfinished(const UnfinishedQuery& query) override;
  absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after) override;
  absl::StatusOr<Revision> Head() override;
  absl::Status Health() override;
  std::size_t queue_depth() const override { return queue_.queue_depth(); }
  Leases& leases() override { return leases_; }
  absl::Time lived_until() const override { return lived_until_; }
  void SetListener(ChangeListener* listener) override;
  void Stop() override { queue_.Stop(); }

 private:
  SqliteStore(Options options, std::unique_ptr<sqlite::FileLock> lock,
              std::unique_ptr<sqlite::Writer> writer, std::string store_id);

  // GroupWriter.
  Group Write(absl::Span<const PendingCommit> group) override;
  void Tell(const std::vector<ChangePtr>& changes) override;
  absl::Status Probe() override;
  absl::Status Look() override { return CheckFiles(); }
  void Tidy() override;
  absl::StatusOr<bool> Expire() override;

  // On the queue's thread: whether what is committed is still in the files.
  absl::Status CheckFiles();
  // Whether a file that somebody else has written to is still this store, with all that is
  // committed.
  absl::Status CheckContent();
  // Keeps the first DATA_LOSS of a read or a write. Returns `status`.
  absl::Status NoteDamage(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status damage() const ABSL_LOCKS_EXCLUDED(mu_);
  // A failed group: nothing of it counts, but what may have been committed.
  static void Fail(const absl::Status& status, bool unknown, Group& group);

  template <typename Result, typename Read>
  absl::StatusOr<Result> ReadWith(Read read);

  const Options options_;
  // Held longer than any connection.
  const std::unique_ptr<sqlite::FileLock> lock_;
  // Of the queue's thread.
  const std::unique_ptr<sqlite::Writer> writer_;
  sqlite::OpenFiles files_;
  // Of the steady clock, when what is past was last looked for.
  std::optional<absl::Duration> expired_;
  const std::string store_id_;
  const absl::Time lived_until_;
  sqlite::ReaderPool readers_;
  SoleLeases leases_;

  mutable absl::Mutex mu_;
  // What ends writing for good.
  absl::Status damage_ ABSL_GUARDED_BY(mu_);
  ChangeListener* listener_ ABSL_GUARDED_BY(mu_) = nullptr;
  // Last: its thread uses all of the above.
  CommitQueue queue_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_SQLITE_SQLITE_STORE_H_
