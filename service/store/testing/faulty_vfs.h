// A disk that fails on demand, for tests.
#ifndef ASSETGATE_STORE_TESTING_FAULTY_VFS_H_
#define ASSETGATE_STORE_TESTING_FAULTY_VFS_H_

#include <functional>

#include "absl/strings/string_view.h"

namespace assetgate::store::sqlite {

// While it exists, every SQLite file opened in this process asks it before each operation. Only one
// at a time; it must outlive the connections opened under it.
class FaultyVfs {
 public:
  enum class Operation {
    kRead,
    kWrite,
    kSync,
    // Growing the log's index in shared memory.
    kGrowIndex,
  };
  // Returns SQLITE_OK to proceed, or the result code to fail with. Called on any thread, with the
  // path of the file (for the index, of the database).
  using Judge = std::function<int(Operation operation, absl::string_view path)>;

  explicit FaultyVfs(Judge judge);
  ~FaultyVfs();

  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_TESTING_FAULTY_VFS_H_
