#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assetgate::base {
namespace {

constexpr std::size_t kChunkBytes = 64 << 10;

absl::Status CannotOpen(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError("does not exist");
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          "may not be read by this process; check the owner and the mode of the file and of its "
          "directories");
    case ENXIO:
      return absl::InvalidArgumentError("is a socket or a device; name a regular file");
    default:
      return absl::UnavailableError(absl::StrCat("cannot be opened: ", std::strerror(error)));
  }
}

absl::string_view KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "directory";
  if (S_ISFIFO(mode)) return "pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "device";
  return "special file";
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer; without O_NOCTTY, a terminal could
  // become the process's controlling terminal.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return CannotOpen(errno);
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat file;
  if (::fstat(fd, &file) != 0) return CannotOpen(errno);
  if (!S_ISREG(file.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("is a ", KindOf(file.st_mode), "; name a regular file"));
  }
  // The size is only a hint: the file may grow, and files in /proc report none.
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    text.resize(std::min(before + kChunkBytes, max_bytes + 1));
    const ssize_t got = ::read(fd, text.data() + before, text.size() - before);
    if (got < 0 && errno == EINTR) {
      text.resize(before);
      continue;
    }
    if (got < 0) {
      return absl::UnavailableError(absl::StrCat("cannot be read: ", std::strerror(errno)));
    }
    text.resize(before + static_cast<std::size_t>(got));
    if (got == 0) return text;
    if (text.size() > max_bytes) {
      return absl::InvalidArgumentError(absl::StrCat("is larger than ", max_bytes, " bytes"));
    }
  }
}

}  // namespace assetgate::base
