// Watch streams on real threads over a real store: writers, readers at every speed, resumes.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "gtest/gtest.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/rows.h"
#include "store/testing/temporary_directory.h"
#include "watch/resume_token.h"
#include "watch/testing/view.h"
#include "watch/watches.h"

namespace assetgate::watch {
namespace {

constexpr char kTenant[] = "default";
// The last row to be written; every reader reads until it has received it.
constexpr char kLast[] = "last";

constexpr int kNeverDeleted = 3;
std::string IdOf(int writer, int n) { return absl::StrCat("w", writer, "-", n); }

store::Key AssetKey(const std::string& id) { return {kTenant, store::Kind::kAsset, id}; }

// Blocks until there is something to read.
class BlockingReader final : public Reader {
 public:
  void OnReady() override {
    absl::MutexLock lock(&mu_);
    ready_ = true;
  }
  bool WaitForReady() {
    absl::MutexLock lock(&mu_);
    const bool came = mu_.AwaitWithTimeout(absl::Condition(&ready_), absl::Seconds(30));
    ready_ = false;
    return came;
  }

 private:
  absl::Mutex mu_;
  bool ready_ ABSL_GUARDED_BY(mu_) = false;
};

class WatchThreadsTest : public ::testing::Test {
 protected:
  WatchThreadsTest() { store_->SetListener(&hub_); }
  ~WatchThreadsTest() override {
    store_->Stop();
    store_->SetListener(nullptr);
    replay_loop_.Stop();
    hub_loop_.Stop();
  }

  std::unique_ptr<store::SqliteStore> OpenStore() {
    auto store =
        store::SqliteStore::Open({.path = directory_.path() + "/watch.db", .clock = &clock_});
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  void Put(const std::string& id, store::Revision& revision, std::vector<std::string> terms) {
    const store::CommitResult result = store::CommitAndWait(
        *store_,
        store::Update(AssetKey(id), revision,
                      store::MakeContent(absl::StrCat(id, " after ", revision), std::move(terms))));
    ASSERT_EQ(result.outcome, store::CommitResult::Outcome::kCommitted) << result.message;
    revision = result.revisions.at(0);
  }
  void Delete(const std::string& id, store::Revision& revision) {
    const store::CommitResult result =
        store::CommitAndWait(*store_, store::Delete(AssetKey(id), revision));
    ASSERT_EQ(result.outcome, store::CommitResult::Outcome::kCommitted) << result.message;
    revision = 0;
  }

  store::Revision RevisionOf(const std::string& id) {
    const absl::StatusOr<std::optional<store::Row>> row = store_->Get(AssetKey(id));
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() && row->has_value() ? (*row)->revision : 0;
  }

  // Each writer has its own ids, so no writer loses a race. The first few ids are never deleted: a
  // fresh watch that names them may start at any time.
  void Write(int writer, int changes) {
    std::mt19937 random(static_cast<std::uint32_t>(writer));
    std::vector<store::Revision> revisions;
    revisions.reserve(20);
    for (int n = 0; n < 20; ++n) revisions.push_back(RevisionOf(IdOf(writer, n)));
    for (int i = 0; i < changes && !HasFatalFailure(); ++i) {
      const int n = static_cast<int>(random() % revisions.size());
      store::Revision& revision = revisions[static_cast<std::size_t>(n)];
      if (revision != 0 && n >= kNeverDeleted && random() % 4 == 0) {
        Delete(IdOf(writer, n), revision);
      } else {
        Put(IdOf(writer, n), revision, {random() % 2 == 0 ? "x" : "y"});
      }
      absl::MutexLock lock(&mu_);
      ++commits_;
    }
  }

  // Reads up to the first BOOKMARK that covers the last change. Returns what is wrong; empty if
  // nothing is.
  std::string ReadAll(WatchRequest request, std::uint32_t seed, int resume_every,
                      int commits_per_event) {
    std::mt19937 random(seed);
    request.tenant = kTenant;
    const Interest interest =
        Interest::Normalized({kTenant, request.kind, request.ids, request.filter});
    View view([](const store::Change&) { return true; });
    for (;;) {
      request.resume_token = view.token();
      view.BeginStream(!request.resume_token.empty());
      const auto reader = std::make_shared<BlockingReader>();
      const std::shared_ptr<Stream> stream = watches_.Open(request, reader);
      std::string wrong;
      bool again = false;
      while (wrong.empty() && !again) {
        const Stream::Pulled pulled = stream->Next();
        if (pulled.end.has_value()) {
          wrong = pulled.end->ToString();
        } else if (pulled.event != nullptr) {
          wrong = view.Apply(*pulled.event);
          if (pulled.event->type() == v1::BOOKMARK) {
            const store::Revision upto =
                ReadResumeToken(view.token(), store_->store_id(), interest.Fingerprint()).revision;
            if (last_ > 0 && upto >= last_) {
              stream->Close();
              return CheckUpto(view, interest, upto);
            }
          }
          again = resume_every > 0 && random() % static_cast<std::uint32_t>(resume_every) == 0;
          if (commits_per_event > 0) WaitForCommits(commits_per_event);
        } else if (!reader->WaitForReady()) {
          wrong = "no event arrived";
        }
      }
      stream->Close();
      if (!wrong.empty()) return wrong;
    }
  }

  // Makes a reader slow: returns after `count` more commits, or when all writers are done.
  void WaitForCommits(int count) {
    absl::MutexLock lock(&mu_);
    const int until = commits_ + count;
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return commits_ >= until || writers_done_;
    };
    mu_.Await(absl::Condition(&enough));
  }

  std::string CheckUpto(const View& view, const Interest& interest, store::Revision revision) {
    std::vector<store::ChangePtr> history;
    store::ChangesQuery query{.tenant = kTenant, .kind = interest.kind};
    for (;;) {
      absl::StatusOr<store::ChangesPage> page = store_->ReadChanges(query);
      if (!page.ok()) return page.status().ToString();
      history.insert(history.end(), page->changes.begin(), page->changes.end());
      if (page->upto >= page->head) return view.CheckUpto(history, interest, revision);
      query.after = page->upto;
    }
  }

  store::sqlite::TemporaryDirectory directory_;
  base::SystemClock clock_;
  base::ThreadEventLoop hub_loop_{"test-hub"};
  base::ThreadEventLoop replay_loop_{"test-replay"};
  Hub hub_{hub_loop_};
  const std::unique_ptr<store::SqliteStore> store_ = OpenStore();
  Watches watches_{
      *store_,
      hub_,
      replay_loop_,
      // A reader that loses its connection after some tens of events still makes progress.
      {.bookmark_quiet = absl::Milliseconds(20),
       .bookmark_changes = 5,
       .replay = {.rows_per_page = 7, .changes_per_page = 20}}};
  std::atomic<store::Revision> last_{0};
  absl::Mutex mu_;
  int commits_ ABSL_GUARDED_BY(mu_) = 0;
  bool writers_done_ ABSL_GUARDED_BY(mu_) = false;
};

TEST_F(WatchThreadsTest, EveryReaderEndsWithWhatTheStoreHolds) {
  struct Pace {
    const char* what;
    WatchRequest request;
    int resume_every;
    int commits_per_event;
  };
  const std::vector<Pace> paces = {
      {"keeps up", {}, 0, 0},
      {"slow", {}, 0, 3},
      {"keeps losing its connection", {}, 40, 0},
      {"a filter, often resumed", {.filter = {{{"x"}}}}, 30, 0},
      {"a filter, slow and resumed", {.filter = {{{"y"}}}}, 100, 2},
      {"names", {.ids = {IdOf(0, 0), IdOf(1, 1), IdOf(2, 2), kLast}}, 0, 0},
      {"names and a filter, resumed",
       {.ids = {IdOf(0, 1), IdOf(1, 2), IdOf(2, 0), kLast}, .filter = {{{"x"}}}},
       20,
       0},
  };
  for (int writer = 0; writer < 3; ++writer) {
    for (int n = 0; n < kNeverDeleted; ++n) {
      store::Revision revision = 0;
      Put(IdOf(writer, n), revision, {"x"});
    }
  }
  store::Revision revision = 0;
  Put(kLast, revision, {"x", "y"});

  std::vector<std::string> results(paces.size());
  std::vector<std::thread> readers;
  readers.reserve(paces.size());
  for (std::size_t i = 0; i < paces.size(); ++i) {
    readers.emplace_back([&, i] {
      WatchRequest request = paces[i].request;
      results[i] = ReadAll(request, static_cast<std::uint32_t>(i), paces[i].resume_every,
                           paces[i].commits_per_event);
    });
  }
  std::vector<std::thread> writers;
  writers.reserve(3);
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([this, writer] { Write(writer, 200); });
  }
  for (std::thread& writer : writers) writer.join();
  {
    absl::MutexLock lock(&mu_);
    writers_done_ = true;
  }
  Put(kLast, revision, {"x", "y"});
  last_ = revision;
  // Readers that had read everything by then receive one more change.
  Put(kLast, revision, {"x", "y"});
  for (std::thread& reader : readers) reader.join();
  for (std::size_t i = 0; i < paces.size(); ++i) EXPECT_EQ(results[i], "") << paces[i].what;
  EXPECT_EQ(watches_.open_streams(), 0U);
}

}  // namespace
}  // namespace assetgate::watch
