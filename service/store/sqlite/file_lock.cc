#include "store/sqlite/file_lock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace assetgate::store::sqlite {
namespace {

std::string Canonical(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return "";
  std::string result = resolved;
  ::free(resolved);
  return result;
}

absl::StatusOr<std::string> RealPath(const std::string& path) {
  if (std::string real = Canonical(path); !real.empty()) return real;
  if (errno != ENOENT) {
    return absl::FailedPreconditionError(
        absl::StrCat("store file ", path, ": ", std::strerror(errno)));
  }
  struct stat link;
  if (::lstat(path.c_str(), &link) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("store file ", path, " is a symbolic link to a file that does not exist"));
  }
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("store file \"", path, "\" has no name"));
  }
  const std::string real_directory = Canonical(directory);
  if (real_directory.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("store file ", path, ": the directory ",
                                                      directory, ": ", std::strerror(errno),
                                                      "; create it first"));
  }
  return absl::StrCat(absl::StripSuffix(real_directory, "/"), "/", name);
}

// The process id that the lock's holder wrote into the file, for messages; empty if there is none.
std::string WrittenHolder(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof(text), 0);
  if (size <= 0) return "";
  return std::string(
      absl::StripSuffix(absl::string_view(text, static_cast<std::size_t>(size)), "\n"));
}

absl::Status InUse(const std::string& path, const std::string& holder) {
  return absl::FailedPreconditionError(absl::StrCat(
      "store file ", path, " is in use", holder.empty() ? "" : absl::StrCat(" by process ", holder),
      ": an embedded store serves one gateway; stop the other gateway, or give this one another "
      "path"));
}

// The process that has a flock on `file`, from the system's list of locks.
std::optional<int> HolderOf(const struct stat& file) {
  // "1: FLOCK ADVISORY WRITE 4242 fe:01:131 0 EOF": process, device, inode.
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 6 || words[1] != "FLOCK" || words[3] != "WRITE") continue;
    const std::vector<absl::string_view> where = absl::StrSplit(words[5], ':');
    std::uint64_t inode = 0;
    int holder = 0;
    if (where.size() == 3 && absl::SimpleAtoi(where[2], &inode) &&
        absl::SimpleAtoi(words[4], &holder) && inode == file.st_ino &&
        absl::StrCat(where[0], ":", where[1]) ==
            absl::StrFormat("%02x:%02x", major(file.st_dev), minor(file.st_dev))) {
      return holder;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Acquire(const std::string& path) {
  absl::StatusOr<std::string> real_path = RealPath(path);
  if (!real_path.ok()) return real_path.status();
  const std::string lock_path = absl::StrCat(*real_path, ".lock");
  const int fd =
      ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("store file ", path, ": cannot open ", lock_path, ": ", std::strerror(errno)));
  }
  auto lock = std::unique_ptr<FileLock>(new FileLock(path, *std::move(real_path), fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return InUse(path, WrittenHolder(fd));
    return absl::FailedPreconditionError(
        absl::StrCat("store file ", path, ": cannot lock ", lock_path, ": ", std::strerror(errno)));
  }
  // Only for the message above; may fail.
  const std::string pid = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(fd, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(fd, pid.data(), pid.size(), 0);
  }
  return lock;
}

absl::Status FileLock::LockFile() {
  file_fd_ = ::open(real_path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
  if (file_fd_ >= 0 && ::flock(file_fd_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  const int error = errno;
  struct stat file;
  if (file_fd_ >= 0 && error == EWOULDBLOCK && ::fstat(file_fd_, &file) == 0) {
    const std::optional<int> holder = HolderOf(file);
    return InUse(path_, holder.has_value() ? absl::StrCat(*holder) : "");
  }
  return absl::FailedPreconditionError(
      absl::StrCat("store file ", path_, ": cannot be locked: ", std::strerror(error)));
}

absl::StatusOr<std::optional<int>> FileLock::Holder(const std::string& path) {
  const absl::StatusOr<std::string> real_path = RealPath(path);
  if (!real_path.ok()) return real_path.status();
  for (const char* suffix : {"", ".lock"}) {
    struct stat file;
    if (::stat(absl::StrCat(*real_path, suffix).c_str(), &file) != 0) continue;
    if (const std::optional<int> holder = HolderOf(file)) return holder;
  }
  return std::nullopt;
}

// Closing releases the locks.
FileLock::~FileLock() {
  if (file_fd_ >= 0) ::close(file_fd_);
  ::close(fd_);
}

}  // namespace assetgate::store::sqlite
