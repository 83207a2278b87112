#include "store/sqlite/open_files.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assetgate::store::sqlite {
namespace {

absl::Status Lost(const std::string& path, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, " ", what,
                   "; nothing is written any more. Put the file back if you can, or a backup in "
                   "its place, and restart the gateway"));
}

bool SameTime(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

OpenFiles::OpenFiles(std::string path)
    : database_{std::move(path), {}},
      log_{database_.path + "-wal", {}},
      index_{database_.path + "-shm", {}} {
  Check().status().IgnoreError();
  Accept();
}

absl::StatusOr<bool> OpenFiles::Check() {
  for (File* file : {&database_, &log_, &index_}) {
    if (absl::Status s = Inspect(*file); !s.ok()) return s;
  }
  // SQLite shortens the log only after copying it into the database.
  if (database_.size < accepted_size_) return Lost(database_.path, "was truncated");
  accepted_size_ = database_.size;
  const bool touched = !SameTime(database_.written, accepted_) || log_.size < log_size_;
  if (!touched) log_size_ = log_.size;
  return touched;
}

void OpenFiles::Accept() {
  for (File* file : {&database_, &log_, &index_}) Inspect(*file).IgnoreError();
  accepted_size_ = database_.size;
  accepted_ = database_.written;
  log_size_ = log_.size;
}

absl::Status OpenFiles::Inspect(File& file) {
  struct stat found;
  if (::stat(file.path.c_str(), &found) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) {
      return absl::UnavailableError(
          absl::StrCat(file.path, " cannot be examined: ", std::strerror(errno)));
    }
    if (!file.identity.has_value() && &file != &database_) return absl::OkStatus();
    return Lost(file.path, "was deleted");
  }
  const std::pair<dev_t, ino_t> identity(found.st_dev, found.st_ino);
  if (!file.identity.has_value()) file.identity = identity;
  if (*file.identity != identity) return Lost(file.path, "was replaced by another file");
  file.size = found.st_size;
  file.written = found.st_mtim;
  return absl::OkStatus();
}

}  // namespace assetgate::store::sqlite
