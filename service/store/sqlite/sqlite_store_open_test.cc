// Which files can be opened, and which are rejected.
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/rows.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

void Execute(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_close(db);
}

int Mode(const std::string& path) {
  struct stat file;
  EXPECT_EQ(::stat(path.c_str(), &file), 0) << path;
  return file.st_mode & 07777;
}

class SqliteStoreOpenTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path) {
    SqliteStore::Options options;
    options.path = path;
    options.clock = &clock_;
    return SqliteStore::Open(options);
  }

  // Creates a store with some content, and closes it.
  void MakeStore() {
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    for (int i = 0; i < 50; ++i) {
      CommitAndWait(**store, Create({"default", Kind::kAsset, absl::StrCat(i)},
                                    MakeContent(std::string(3'000, 'x'), {"t"})));
    }
  }

  void ExpectRefused(const std::string& path, absl::StatusCode code,
                     testing::Matcher<const std::string&> message) {
    const absl::Status status = Open(path).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), message));
  }

  base::FakeClock clock_;
  sqlite::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/store.db";
};

TEST_F(SqliteStoreOpenTest, FilesAreReadableByTheirOwnerOnly) {
  const mode_t old = ::umask(0);
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  CommitAndWait(**store, Create({"default", Kind::kAsset, "a"}, MakeContent("x")));
  ::umask(old);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(Mode(path_ + suffix), 0600) << suffix;
  }
}

TEST_F(SqliteStoreOpenTest, OpenFileIsRejectedUnderAnyName) {
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  std::filesystem::create_symlink(path_, directory_.path() + "/link.db");
  std::filesystem::create_directory(directory_.path() + "/sub");
  std::filesystem::create_directory_symlink(directory_.path(), directory_.path() + "/sub/up");
  for (const std::string& path :
       {path_, directory_.path() + "/./sub/../store.db", directory_.path() + "/link.db",
        directory_.path() + "/sub/up/store.db"}) {
    ExpectRefused(path, absl::StatusCode::kFailedPrecondition,
                  HasSubstr(absl::StrCat("in use by process ", ::getpid())));
  }
  // The rejected attempts did not affect the holder.
  EXPECT_EQ(
      CommitAndWait(**store, Create({"default", Kind::kAsset, "a"}, MakeContent("x"))).outcome,
      CommitResult::Outcome::kCommitted);
  store->reset();
  EXPECT_TRUE(Open(directory_.path() + "/link.db").ok());
}

TEST_F(SqliteStoreOpenTest, AnotherProcessIsRejectedUntilTheHolderDies) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = Open(path_);
    const char ok = store.ok() ? 'y' : 'n';
    if (::write(ends[1], &ok, 1) != 1) _exit(1);
    for (;;) ::pause();
  }
  char ok = 0;
  ASSERT_EQ(::read(ends[0], &ok, 1), 1);
  EXPECT_EQ(ok, 'y');
  ExpectRefused(path_, absl::StatusCode::kFailedPrecondition,
                HasSubstr(absl::StrCat("in use by process ", child)));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Open(path_).ok());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(SqliteStoreOpenTest, MissingDirectoryIsNotCreated) {
  ExpectRefused(directory_.path() + "/missing/store.db", absl::StatusCode::kFailedPrecondition,
                HasSubstr("directory"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/missing"));
}

TEST_F(SqliteStoreOpenTest, PathThatIsNotAFileIsRejected) {
  ExpectRefused(directory_.path(), absl::StatusCode::kFailedPrecondition,
                HasSubstr("not a regular file"));
  std::filesystem::create_symlink(directory_.path() + "/nowhere", directory_.path() + "/dangling");
  ExpectRefused(directory_.path() + "/dangling", absl::StatusCode::kFailedPrecondition,
                HasSubstr("symbolic link"));
}

TEST_F(SqliteStoreOpenTest, FileWithTwoNamesIsRejected) {
  MakeStore();
  std::filesystem::create_hard_link(path_, directory_.path() + "/other.db");
  ExpectRefused(path_, absl::StatusCode::kFailedPrecondition, HasSubstr("hard links"));
}

TEST_F(SqliteStoreOpenTest, FileThatIsNotADatabaseIsRejectedAndUnchanged) {
  for (const std::string& content : {std::string("x"), std::string(10'000, 'x')}) {
    WriteFile(path_, content);
    ExpectRefused(path_, absl::StatusCode::kDataLoss, HasSubstr("not a SQLite database"));
    EXPECT_TRUE(ReadFile(path_) == content);
  }
}

TEST_F(SqliteStoreOpenTest, DamagedFileIsRejectedAndUnchanged) {
  MakeStore();
  const std::string sound = ReadFile(path_);
  const auto expect_refused = [&](const std::string& damaged) {
    WriteFile(path_, damaged);
    ExpectRefused(path_, absl::StatusCode::kDataLoss, testing::_);
    EXPECT_TRUE(ReadFile(path_) == damaged);
  };
  std::string damaged = sound;
  damaged.replace(0, 100, 100, '\x5a');
  expect_refused(damaged);
  damaged = sound;
  damaged.replace(4096, 4096, 4096, '\x5a');
  expect_refused(damaged);
  damaged = sound;
  damaged.replace(damaged.size() / 2, 20'000, 20'000, '\0');
  expect_refused(damaged);
  expect_refused(sound.substr(0, sound.size() / 2));
  WriteFile(path_, sound);
  EXPECT_TRUE(Open(path_).ok());
}

TEST_F(SqliteStoreOpenTest, ForeignDatabaseIsRejectedAndUnchanged) {
  Execute(path_, "CREATE TABLE songs (title TEXT)");
  const std::string before = ReadFile(path_);
  ExpectRefused(path_, absl::StatusCode::kFailedPrecondition, HasSubstr("not one of assetgate"));
  EXPECT_TRUE(ReadFile(path_) == before);
}

TEST_F(SqliteStoreOpenTest, EmptyFileBecomesAStore) {
  WriteFile(path_, "");
  EXPECT_TRUE(Open(path_).ok());
}

TEST_F(SqliteStoreOpenTest, SchemaTooNewIsRejectedWithBothVersions) {
  MakeStore();
  const int known = sqlite::Migrations().back().version;
  Execute(path_,
          absl::StrCat("UPDATE schema SET version = ", known + 7, ", min_reader = ", known + 3));
  const std::string before = ReadFile(path_);
  ExpectRefused(path_, absl::StatusCode::kFailedPrecondition,
                AllOf(HasSubstr(absl::StrCat("version ", known + 7)),
                      HasSubstr(absl::StrCat("knows version ", known + 3)),
                      HasSubstr(absl::StrCat("this one knows version ", known))));
  EXPECT_TRUE(ReadFile(path_) == before);
}

TEST_F(SqliteStoreOpenTest, NewerCompatibleSchemaIsAccepted) {
  MakeStore();
  const int known = sqlite::Migrations().back().version;
  Execute(path_, absl::StrCat("UPDATE schema SET version = ", known + 7, ", min_reader = ", known));
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(*(*store)->Head(), 50);
}

TEST_F(SqliteStoreOpenTest, RestoredStoreHasANewIdAndTheSameRows) {
  std::string before;
  {
    const auto store = Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    before = (*store)->store_id();
    CommitAndWait(**store, Create({"default", Kind::kAsset, "a"}, MakeContent("x")));
    const auto refused = SqliteStore::MarkRestored(path_);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(path_)) << "it is open";
    EXPECT_EQ((*store)->store_id(), before);
  }
  const auto marked = SqliteStore::MarkRestored(path_);
  ASSERT_TRUE(marked.ok()) << marked.status();
  EXPECT_NE(*marked, before);
  const auto store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->store_id(), *marked);
  EXPECT_EQ((*store)->store_id().size(), before.size());
  EXPECT_EQ(*(*store)->Head(), 1);
  EXPECT_TRUE((*store)->Get({"default", Kind::kAsset, "a"})->has_value());
}

TEST_F(SqliteStoreOpenTest, OnlyAStoreCanBeMarkedAsRestored) {
  const auto refuses = [&](absl::StatusCode code, absl::string_view message) {
    const absl::Status status = SqliteStore::MarkRestored(path_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(path_), HasSubstr(std::string(message))));
  };
  refuses(absl::StatusCode::kFailedPrecondition, "there is no store");
  EXPECT_FALSE(std::filesystem::exists(path_)) << "one was created";
  std::ofstream(path_).close();
  refuses(absl::StatusCode::kFailedPrecondition, "there is no store");
  std::ofstream(path_) << "this is a text";
  refuses(absl::StatusCode::kDataLoss, "not a SQLite database");
  EXPECT_EQ(ReadFile(path_), "this is a text");
}

TEST_F(SqliteStoreOpenTest, LogDoesNotOutgrowItsBoundWhileReadersRead) {
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  std::atomic<bool> over = false;
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!over) {
        EXPECT_TRUE((*store)->List({.tenant = "default", .limit = 20}).ok());
      }
    });
  }
  const std::string resource(100'000, 'x');
  std::uintmax_t longest = 0;
  Revision revision = 0;
  for (int i = 0; i < 800; ++i) {
    const Key key{"default", Kind::kAsset, "a"};
    revision = CommitAndWait(**store, Update(key, revision, MakeContent(resource))).revisions[0];
    longest = std::max(longest, std::filesystem::file_size(path_ + "-wal"));
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  // 160 MB were written.
  EXPECT_LT(longest, 80u << 20);
}

}  // namespace
}  // namespace assetgate::store
