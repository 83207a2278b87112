// Whether the files of an open store are still there.
#ifndef ASSETGATE_STORE_SQLITE_OPEN_FILES_H_
#define ASSETGATE_STORE_SQLITE_OPEN_FILES_H_

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assetgate::store::sqlite {

// SQLite goes on in a file that somebody has deleted or replaced, and says that all is well: what
// is committed then is gone with the process. This looks at the database and the two files beside
// it (-wal, -shm) by their names, which costs some microseconds. Used by one thread.
class OpenFiles {
 public:
  // `path`: of the database, which exists and is as this process left it. The files beside it are
  // known from when they are first seen.
  explicit OpenFiles(std::string path);

  // DATA_LOSS where a file is gone or is another one, or the database is shorter than it was;
  // UNAVAILABLE where that cannot be told. The value says whether somebody may have written to the
  // database, or cut its log, since the last call of Accept: then the content has to be looked at.
  absl::StatusOr<bool> Check();

  // The files, as they are now, are as this process left them: after its own writes to the
  // database, and where their content is good.
  void Accept();

 private:
  struct File {
    std::string path;
    // Device and inode; absent until it was first seen.
    std::optional<std::pair<dev_t, ino_t>> identity;
    // As it was last seen.
    off_t size = 0;
    timespec written{};
  };
  absl::Status Look(File& file);

  File database_;
  File log_;
  File index_;
  // What is known to be ours: the database's size and the time of its last write, and the log's
  // size.
  off_t accepted_size_ = 0;
  timespec accepted_{};
  off_t log_size_ = 0;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_OPEN_FILES_H_
