#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace assetgate::base {
namespace {

using ::testing::HasSubstr;

class ReadFileTest : public ::testing::Test {
 protected:
  ReadFileTest() {
    std::string made = ::testing::TempDir() + "read_file_test.XXXXXX";
    folder_ = ::mkdtemp(made.data());
  }
  ~ReadFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
    return Path(name);
  }
  static absl::Status StatusOf(const std::string& path) { return ReadFile(path, 100).status(); }

  std::string folder_;
};

TEST_F(ReadFileTest, WholeContentIsRead) {
  const std::string bytes("a\0b\n", 4);
  EXPECT_EQ(*ReadFile(Write("bytes", bytes), 100), bytes);
  EXPECT_EQ(*ReadFile(Write("empty", ""), 100), "");
  // Needs several reads.
  const std::string large(300'000, 'x');
  EXPECT_EQ(*ReadFile(Write("large", large), large.size()), large);
}

TEST_F(ReadFileTest, ALinkToARegularFileIsFollowed) {
  std::filesystem::create_symlink(Write("file", "text"), Path("link"));
  EXPECT_EQ(*ReadFile(Path("link"), 100), "text");
}

TEST_F(ReadFileTest, AFileWithoutASizeIsRead) {
  EXPECT_THAT(*ReadFile("/proc/self/status", 1 << 20), HasSubstr("Pid:"));
}

TEST_F(ReadFileTest, OneByteTooManyIsRejected) {
  EXPECT_TRUE(ReadFile(Write("most", std::string(100, 'x')), 100).ok());
  const absl::Status status = StatusOf(Write("more", std::string(101, 'x')));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "is larger than 100 bytes");
}

TEST_F(ReadFileTest, AnythingButARegularFileIsRejectedAtOnce) {
  EXPECT_EQ(StatusOf(folder_).message(), "is a directory; name a regular file");
  EXPECT_EQ(StatusOf("/dev/zero").message(), "is a device; name a regular file");
  std::filesystem::create_symlink("/dev/zero", Path("zero"));
  EXPECT_EQ(StatusOf(Path("zero")).message(), "is a device; name a regular file");
  // The pipe has no writer, so a plain open would block for ever.
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(StatusOf(Path("fifo")).message(), "is a pipe; name a regular file");

  const int listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = Path("socket");
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(StatusOf(path)));
  ::close(listening);
}

TEST_F(ReadFileTest, AMissingFileIsNotFound) {
  for (const std::string& path :
       {Path("nowhere"), Path("nowhere/file"), Write("file", "text") + "/below", std::string()}) {
    EXPECT_TRUE(absl::IsNotFound(StatusOf(path))) << path;
    EXPECT_EQ(StatusOf(path).message(), "does not exist") << path;
  }
  std::filesystem::create_symlink(Path("nowhere"), Path("dangling"));
  EXPECT_TRUE(absl::IsNotFound(StatusOf(Path("dangling"))));
}

TEST_F(ReadFileTest, FileWithoutReadPermissionIsPermissionDenied) {
  const std::string path = Write("locked", "text");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  if (::access(path.c_str(), R_OK) == 0) GTEST_SKIP() << "root may read everything";
  EXPECT_TRUE(absl::IsPermissionDenied(StatusOf(path)));
  EXPECT_THAT(std::string(StatusOf(path).message()), HasSubstr("may not be read"));
}

}  // namespace
}  // namespace assetgate::base
