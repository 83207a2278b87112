// Exclusive ownership of a store file.
#ifndef ASSETGATE_STORE_SQLITE_FILE_LOCK_H_
#define ASSETGATE_STORE_SQLITE_FILE_LOCK_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assetgate::store::sqlite {

// The right to be the only user of a file, held until destruction or until the process dies in any
// way. It consists of a flock on `<file>.lock`, which is never removed, and one on the file itself,
// which holds even if the lock file is deleted. SQLite's own locks on the file are POSIX locks,
// which are independent of flocks; but they would be dropped if any code in this process closed the
// file, so the file stays open until destruction, after SQLite has closed it.
class FileLock {
 public:
  // Takes the lock for `path`, which need not exist (its directory must). A file has one lock,
  // whatever the spelling of the path and its symbolic links.
  // Errors: FAILED_PRECONDITION if another process holds it.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path);
  ~FileLock();

  // Takes the lock on the file itself, which must exist by now; before SQLite opens it.
  // Errors: as in Acquire.
  absl::Status LockFile();

  // The process that holds the lock for `path`, from the system's list of locks; absent if none is
  // listed. Takes no lock and creates no file.
  // Errors: as in Acquire for an invalid path.
  static absl::StatusOr<std::optional<int>> Holder(const std::string& path);

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // The file's absolute path without symbolic links.
  const std::string& real_path() const { return real_path_; }

 private:
  FileLock(std::string path, std::string real_path, int fd)
      : path_(std::move(path)), real_path_(std::move(real_path)), fd_(fd) {}

  // As given, for messages.
  std::string path_;
  std::string real_path_;
  int fd_;
  // The descriptor of the file itself; -1 until LockFile.
  int file_fd_ = -1;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_FILE_LOCK_H_
