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

// A Store in a SQLite file (WAL, synchronous=FULL). One thread writes with group commit: the more
// transactions are queued, the fewer syncs each one costs. Reads run on the calling threads,
// concurrently with writes.
//
// One process owns the file for its whole life; a second one is rejected. The file holds what
// callers sent, including pre-signed URLs, so it and the files beside it (`-wal`, `-shm`, `.lock`)
// are created with mode 0600.
//
// Errors: if the disk is full or fails, transactions are answered kUnavailable (kUnknown if the
// outcome is open), Health returns the reason, and the store probes until the disk works again.
//
// If one of its files is deleted, replaced or truncated, or turns out to be damaged, the store
// accepts no more writes: Health is DATA_LOSS, and a commit in progress is kUnknown. Reads continue
// as far as they can. A file that is put back is used again; a damaged one is not used before the
// next Open, which checks it.
class SqliteStore final : public Store, private GroupWriter {
 public:
  struct Options {
    // The file; created if it does not exist. Its directory must exist.
    std::string path;
    // Dates changes and decides when they expire.
    // Lifetime: must outlive the store.
    const base::Clock* clock = nullptr;
    Retention retention;
    // The limit on transactions that are not answered yet; any more are answered kUnavailable.
    std::size_t max_queue = 10'000;
    // The limit on concurrent reads; any more wait.
    std::size_t max_readers = 4;
    // How many index look-ups one List may make before it ends early: about a microsecond each.
    std::size_t max_look_ups = 10'000;
    // The longest time between probes after writing has failed.
    absl::Duration probe_interval = absl::Seconds(1);
    // The longest time between checks that the files are still in place.
    absl::Duration check_interval = absl::Seconds(5);
    // If set, counts commits and measures groups. Must outlive the store.
    base::Metrics* metrics = nullptr;
  };

  // Never recreates or repairs a file.
  // Errors: FAILED_PRECONDITION, with the path and the remedy: the directory is missing, the file
  // is in use, is not a store, or has a schema that is too new. DATA_LOSS: it is damaged.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(Options options);
  // To be called after a backup was put in the file's place: gives the store a new id and returns
  // it. Revisions of changes that the backup lacks are assigned again to other changes, which an
  // older resume token would skip. With a new id, such a watch starts over.
  // Errors: as in Open, and FAILED_PRECONDITION if there is no store.
  static absl::StatusOr<std::string> MarkRestored(const std::string& path);
  // What is at a path, without opening it as a store.
  struct Inspection {
    // The process that has it open, and so has checked it.
    std::optional<int> holder;
    bool exists = false;
    // The schema's version; 0 if there is none yet, or while another process has the file open.
    std::int64_t version = 0;
  };
  // Whether Open would accept the file. Creates, changes and locks nothing.
  // Errors: as in Open, except that a file in use is accepted, and damage deep inside the file is
  // not detected.
  static absl::StatusOr<Inspection> Inspect(const std::string& path);
  // Stops. No call may be in progress.
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
  // Whether it neither writes nor checks its files now.
  bool idle() const { return queue_.idle(); }
  Leases& leases() override { return leases_; }
  absl::Time trusted_time() const override { return trusted_time_; }
  void SetListener(ChangeListener* listener) override;
  void Stop() override { queue_.Stop(); }

 private:
  SqliteStore(Options options, std::unique_ptr<sqlite::FileLock> lock,
              std::unique_ptr<sqlite::Writer> writer, std::string store_id);

  // GroupWriter.
  Group Write(absl::Span<const PendingCommit> group) override;
  void Notify(const std::vector<ChangePtr>& changes) override;
  absl::Status Probe() override;
  absl::Status CheckIntegrity() override { return CheckFiles(); }
  void Maintain() override;
  absl::StatusOr<bool> Expire() override;

  // On the queue's thread: whether the committed data is still in the files.
  absl::Status CheckFiles();
  // Whether a file that another process wrote to is still this store, with everything that is
  // committed.
  absl::Status CheckContent();
  // Records the first DATA_LOSS of a read or a write. Returns `status`.
  absl::Status RecordDamage(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status damage() const ABSL_LOCKS_EXCLUDED(mu_);
  // Marks a group as failed: all results count as not committed, or unknown.
  static void Fail(const absl::Status& status, bool unknown, Group& group);

  template <typename Result, typename Read>
  absl::StatusOr<Result> ReadWith(Read read);

  const Options options_;
  // Held longer than any connection.
  const std::unique_ptr<sqlite::FileLock> lock_;
  // Used by the queue's thread.
  const std::unique_ptr<sqlite::Writer> writer_;
  sqlite::OpenFiles files_;
  // When expired data was last removed, by the steady clock.
  std::optional<absl::Duration> expired_;
  const std::string store_id_;
  const absl::Time trusted_time_;
  sqlite::ReaderPool readers_;
  SoleLeases leases_;

  mutable absl::Mutex mu_;
  // Set once writing has ended for good.
  absl::Status damage_ ABSL_GUARDED_BY(mu_);
  ChangeListener* listener_ ABSL_GUARDED_BY(mu_) = nullptr;
  // Last, because its thread uses all of the above.
  CommitQueue queue_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_SQLITE_SQLITE_STORE_H_
