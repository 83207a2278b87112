// Reads the tables.
#ifndef ASSETGATE_STORE_SQLITE_READER_H_
#define ASSETGATE_STORE_SQLITE_READER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "store/sqlite/database.h"
#include "store/store.h"

namespace assetgate::store::sqlite {

// One connection for reading, with its statements. Each call sees one state of the file: what was
// committed when the call began.
// Threading: used by one thread at a time.
class Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> Open(const std::string& path);

  absl::StatusOr<std::string> StoreId();
  absl::StatusOr<std::optional<Row>> Get(const Key& key);
  // Makes at most that many index look-ups, or continues to the next row.
  absl::StatusOr<ListPage> List(const ListQuery& query, std::size_t max_look_ups);
  absl::StatusOr<ChangesPage> ReadChanges(const ChangesQuery& query);
  absl::StatusOr<std::optional<RequestRow>> FindRequest(const RequestKey& key);
  absl::StatusOr<std::vector<Row>> ListUnfinished(const UnfinishedQuery& query);
  absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after);
  absl::StatusOr<Revision> Head();

 private:
  explicit Reader(Connection connection) : connection_(std::move(connection)) {}
  absl::Status Prepare();

  // Called inside a transaction, like everything below.
  struct Extent {
    Revision head = 0;
    Revision compacted = 0;
  };
  absl::StatusOr<Extent> ReadExtent();
  // Each adds rows to the page until it is full or holds one row more than `query.limit`, and sets
  // `more` and `end` if it stops before that and before the last row.
  absl::Status ListNewestFirst(const ListQuery& query, std::size_t max_look_ups, ListPage& page);
  absl::Status ListOldestFirst(const ListQuery& query, std::size_t max_look_ups, ListPage& page);
  absl::Status AppendRow(const Key& key, Revision create_revision, std::vector<Row>& rows);

  Connection connection_;
  Statement begin_;
  Statement end_;
  Statement store_id_;
  Statement extent_;
  Statement get_;
  Statement row_;
  Statement rows_by_age_;
  Statement rows_oldest_first_;
  Statement rows_unfinished_;
  Statement term_rows_;
  Statement changes_;
  Statement request_;
  Statement next_tenant_;
};

// A few readers, opened on first use and shared by all threads. A thread waits if all are in use;
// reads are short.
class ReaderPool {
 public:
  ReaderPool(std::string path, std::size_t max_readers)
      : path_(std::move(path)), max_readers_(max_readers) {}

  // Calls `read` with a reader that no other thread uses meanwhile.
  template <typename Result, typename Read>
  absl::StatusOr<Result> With(Read read) {
    absl::StatusOr<std::unique_ptr<Reader>> reader = Take();
    if (!reader.ok()) return reader.status();
    absl::StatusOr<Result> result = read(**reader);
    Return(*std::move(reader));
    return result;
  }

 private:
  absl::StatusOr<std::unique_ptr<Reader>> Take() ABSL_LOCKS_EXCLUDED(mu_);
  void Return(std::unique_ptr<Reader> reader) ABSL_LOCKS_EXCLUDED(mu_);

  const std::string path_;
  const std::size_t max_readers_;
  absl::Mutex mu_;
  absl::CondVar returned_;
  // The reader that was used last is taken first: its cache is warm.
  std::vector<std::unique_ptr<Reader>> idle_ ABSL_GUARDED_BY(mu_);
  std::size_t opened_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_READER_H_
