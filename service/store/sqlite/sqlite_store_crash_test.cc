// Acknowledged commits survive the process.
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/rows.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;

// One transaction creates two rows and claims a request id, all three named by its number; a second
// transaction then changes the first row.
Key First(std::int64_t number) { return {"default", Kind::kAsset, absl::StrCat(number, "-1")}; }
Key Second(std::int64_t number) {
  return {"default", Kind::kVideoTask, absl::StrCat(number, "-2")};
}
RequestKey Request(std::int64_t number) { return {"default", "CreateAsset", absl::StrCat(number)}; }

// The child's report for each commit, in the order of the answers.
struct Acknowledged {
  std::int64_t number;
  // Of the first row.
  Revision revision;
  std::int64_t updated;
};

absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path,
                                                  const base::Clock& clock) {
  SqliteStore::Options options;
  options.path = path;
  options.clock = &clock;
  options.retention.max_changes = 5'000;  // So that compaction sometimes runs.
  return SqliteStore::Open(options);
}

// The child: commits as fast as it can, sixteen at a time, until it is killed.
[[noreturn]] void CommitUntilKilled(const std::string& path, std::int64_t number, int pipe) {
  base::FakeClock clock;
  absl::StatusOr<std::unique_ptr<SqliteStore>> opened = Open(path, clock);
  if (!opened.ok()) _exit(3);
  SqliteStore& store = **opened;
  absl::Mutex mu;
  int outstanding = 0;
  const auto report = [pipe](Acknowledged acknowledged) {
    // Less than PIPE_BUF, so it is written whole or not at all.
    if (::write(pipe, &acknowledged, sizeof(acknowledged)) != sizeof(acknowledged)) _exit(4);
  };
  for (;; ++number) {
    {
      absl::MutexLock lock(&mu);
      const auto free = [&] { return outstanding < 16; };
      mu.Await(absl::Condition(&free));
      ++outstanding;
    }
    clock.Advance(absl::Milliseconds(50));
    Content content = MakeContent(std::string(static_cast<std::size_t>(number % 3'000), 'x'),
                                  {absl::StrCat("number:", number), "all"});
    Transaction transaction;
    transaction.writes.push_back({First(number), 0, content, {}});
    transaction.writes.push_back({Second(number), 0, content, {}});
    transaction.claim_request =
        RequestRow{Request(number), "body", {First(number), Second(number)}, clock.Now()};
    store.Commit(std::move(transaction), [&, number](CommitResult made) {
      if (made.outcome != Outcome::kCommitted) _exit(5);
      report({number, made.revisions[0], 0});
      store.Commit(Update(First(number), made.revisions[0], MakeContent("updated")),
                   [&, number](CommitResult updated) {
                     if (updated.outcome != Outcome::kCommitted) _exit(6);
                     report({number, updated.revisions[0], 1});
                     absl::MutexLock lock(&mu);
                     --outstanding;
                   });
    });
  }
}

std::string IntegrityCheck(const std::string& path) {
  sqlite3* db = nullptr;
  std::string answer = "not opened";
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    sqlite3_exec(
        db, "PRAGMA integrity_check",
        [](void* out, int, char** values, char**) {
          *static_cast<std::string*>(out) = values[0];
          return 0;
        },
        &answer, nullptr);
  }
  sqlite3_close(db);
  return answer;
}

TEST(SqliteStoreCrashTest, ProcessKilledAtAnyMomentLosesNothingAcknowledged) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  sqlite::TemporaryDirectory directory;
  const std::string path = directory.path() + "/store.db";
  std::int64_t number = 1;
  Revision newest_acknowledged = 0;

  for (int round = 0; round < 15; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      CommitUntilKilled(path, number, ends[1]);
    }
    ::close(ends[1]);
    // The child's progress at that moment is random enough.
    const auto enough = std::uniform_int_distribution<std::size_t>(1, 1'000)(random);
    std::vector<Acknowledged> all;
    Acknowledged one;
    bool killed = false;
    while (::read(ends[0], &one, sizeof(one)) == sizeof(one)) {
      all.push_back(one);
      if (all.size() == enough) {
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        killed = true;
      }
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(killed && WIFSIGNALED(status)) << "the child ended by itself: " << status;

    base::FakeClock clock;
    absl::StatusOr<std::unique_ptr<SqliteStore>> opened = Open(path, clock);
    ASSERT_TRUE(opened.ok()) << opened.status();
    SqliteStore& store = **opened;
    const Revision head = *store.Head();
    Revision previous = newest_acknowledged;
    std::int64_t highest = number - 1;
    for (const Acknowledged& acknowledged : all) {
      ASSERT_GT(acknowledged.revision, previous);
      // A transaction takes one revision per row; the child reports the first row's.
      previous = acknowledged.revision;
      highest = std::max(highest, acknowledged.number);
      const std::optional<Row> row = *store.Get(First(acknowledged.number));
      ASSERT_TRUE(row.has_value()) << acknowledged.number;
      ASSERT_GE(row->revision, acknowledged.revision);
      if (acknowledged.updated != 0) {
        ASSERT_EQ(row->content.resource, "updated");
      }
      ASSERT_TRUE(store.FindRequest(Request(acknowledged.number))->has_value());
      const ChangesPage changes = *store.ReadChanges({.tenant = "default",
                                                      .kind = Kind::kAsset,
                                                      .after = acknowledged.revision - 1,
                                                      .limit = 1});
      if (!changes.compacted) {
        ASSERT_EQ(changes.changes.size(), 1u);
        ASSERT_EQ(changes.changes[0]->revision, acknowledged.revision);
        ASSERT_EQ(changes.changes[0]->key, First(acknowledged.number));
      }
    }
    ASSERT_GE(head, previous);
    newest_acknowledged = previous;

    // A transaction that was not acknowledged is there whole or not at all.
    number = highest + 1;
    for (int gone = 0; gone < 32; ++number) {
      const bool first = store.Get(First(number))->has_value();
      ASSERT_EQ(store.Get(Second(number))->has_value(), first);
      ASSERT_EQ(store.FindRequest(Request(number))->has_value(), first);
      gone = first ? 0 : gone + 1;
    }
    opened->reset();
    ASSERT_EQ(IntegrityCheck(path), "ok");
  }
}

}  // namespace
}  // namespace assetgate::store
