// One process per file.
#ifndef ASSETGATE_STORE_SQLITE_FILE_LOCK_H_
#define ASSETGATE_STORE_SQLITE_FILE_LOCK_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assetgate::store::sqlite {

// The right to be the only user of a file, held until destruction or until the process dies,
// however it dies. It is a flock on `<file>.lock`, which stays behind, and one on the file itself,
// which holds also where somebody has deleted the former. SQLite's own locks on the file are POSIX
// locks, of which a flock knows nothing. They would be dropped when anybody in this process closed
// the file, so it stays open until destruction: after SQLite has closed it.
class FileLock {
 public:
  // Takes the lock of `path`, which need not exist (its directory must). However the path is spelt,
  // and through whatever symbolic links, a file has one lock. FAILED_PRECONDITION where somebody
  // has it.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path);
  ~FileLock();

  // Takes the lock on the file itself, which exists by now; before SQLite opens it. Errors as of
  // Acquire.
  absl::Status LockFile();

  // The process that has the lock of `path`, as the system lists locks; absent where none is seen
  // that has it. Takes no lock and makes no file. Errors as of Acquire, for what is wrong with the
  // path.
  static absl::StatusOr<std::optional<int>> Holder(const std::string& path);

  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // The file, absolute and without symbolic links.
  const std::string& real_path() const { return real_path_; }

 private:
  FileLock(std::string path, std::string real_path, int fd)
      : path_(std::move(path)), real_path_(std::move(real_path)), fd_(fd) {}

  // As it was given, for messages.
  std::string path_;
  std::string real_path_;
  int fd_;
  // Of the file itself; -1 until LockFile.
  int file_fd_ = -1;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_FILE_LOCK_H_
