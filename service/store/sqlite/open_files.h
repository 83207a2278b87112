// Checks that the files of an open store are still in place.
#ifndef ASSETGATE_STORE_SQLITE_OPEN_FILES_H_
#define ASSETGATE_STORE_SQLITE_OPEN_FILES_H_

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assetgate::store::sqlite {

// SQLite keeps writing to a file that was deleted or replaced, and reports success: such commits
// are lost when the process ends. This class checks the database and the two files beside it (-wal,
// -shm) by name, which costs some microseconds.
// Threading: used by one thread.
class OpenFiles {
 public:
  // `path`: the database, which exists and is as this process left it. The files beside it are
  // recorded when first seen.
  explicit OpenFiles(std::string path);

  // Whether another process may have written to the database, or truncated its log, since the last
  // Accept: its content must then be checked.
  // Errors: DATA_LOSS if a file is missing or was replaced, or the database is shorter than it was;
  // UNAVAILABLE if that cannot be determined.
  absl::StatusOr<bool> Check();

  // Records the present files as this process's own: after its own writes to the database, or after
  // their content was checked.
  void Accept();

 private:
  struct File {
    std::string path;
    // Device and inode; absent until first seen.
    std::optional<std::pair<dev_t, ino_t>> identity;
    // As last seen.
    off_t size = 0;
    timespec written{};
  };
  absl::Status Inspect(File& file);

  File database_;
  File log_;
  File index_;
  // The accepted state: the database's size and the time of its last write, and the log's size.
  off_t accepted_size_ = 0;
  timespec accepted_{};
  off_t log_size_ = 0;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_OPEN_FILES_H_
