// Temporary directories for tests.
#ifndef ASSETGATE_STORE_TESTING_TEMPORARY_DIRECTORY_H_
#define ASSETGATE_STORE_TESTING_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "gtest/gtest.h"

namespace assetgate::store::sqlite {

// An empty directory that is removed with its content on destruction.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(testing::TempDir() + "/assetgate-store-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_TESTING_TEMPORARY_DIRECTORY_H_
