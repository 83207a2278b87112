// The guarantees of watching, checked against a store and readers that act in any order.
//
// One thread runs all parts: writers, the store's thread, the hub, replay, readers and the clock. A
// random choice selects the next step, so every interleaving occurs sooner or later; a seed repeats
// a run exactly.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"
#include "watch/resume_token.h"
#include "watch/testing/fake_store.h"
#include "watch/testing/test_reader.h"
#include "watch/testing/view.h"
#include "watch/watches.h"

namespace assetgate::watch {
namespace {

// A loop that runs one task per call.
class SteppedLoop final : public base::EventLoop {
 public:
  explicit SteppedLoop(base::FakeClock& clock) : clock_(clock) {}
  void Post(base::Task task) override { ready_.push_back(std::move(task)); }
  void PostAt(absl::Time when, base::Task task) override { timers_.emplace(when, std::move(task)); }
  const base::Clock& clock() const override { return clock_; }

  bool Step() {
    while (!timers_.empty() && timers_.begin()->first <= clock_.Now()) {
      ready_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    if (ready_.empty()) return false;
    base::Task task = std::move(ready_.front());
    ready_.pop_front();
    std::move(task)();
    return true;
  }

 private:
  base::FakeClock& clock_;
  std::deque<base::Task> ready_;
  std::multimap<absl::Time, base::Task> timers_;
};

class World {
 public:
  explicit World(std::uint32_t seed)
      : random_(seed), options_(MakeOptions()), watches_(store_, hub_, replay_loop_, options_) {
    may_overrun_ = Chance(10);
    if (Chance(50)) store_.max_look_ups = 1 + static_cast<std::size_t>(Below(6));
    store_.SetListener(&hub_);
    store_.HoldNotifications();
    store_.before_read = [this] {
      // Where rows are read one by one, the reads of a page are not atomic.
      if (Chance(10)) Write();
    };
    for (int i = Below(8); i > 0; --i) Write();
    for (int i = 0; i < 5; ++i) readers_.push_back(MakeReader());
  }

  // Returns what went wrong; empty if nothing did.
  std::string Run(int steps) {
    for (int i = 0; i < steps && error_.empty(); ++i) Step();
    if (error_.empty()) Finish();
    return error_;
  }
  int resets() const { return resets_; }
  int bookmarks() const { return bookmarks_; }

 private:
  struct ReaderState {
    WatchRequest request;
    Interest interest;
    View view;
    std::vector<std::string> tokens;
    std::unique_ptr<OpenStream> stream;
  };

  int Below(int n) { return static_cast<int>(random_() % static_cast<std::uint32_t>(n)); }
  bool Chance(int percent) { return Below(100) < percent; }

  Stream::Options MakeOptions() {
    Stream::Options options;
    options.replay.rows_per_page = 1 + static_cast<std::size_t>(Below(5));
    options.replay.changes_per_page = 1 + static_cast<std::size_t>(Below(6));
    return options;
  }

  std::string RandomId() { return std::string(1, static_cast<char>('a' + Below(8))); }
  std::vector<std::string> RandomTerms() {
    std::vector<std::string> terms;
    for (const char* term : {"x", "y", "z"}) {
      if (Chance(50)) terms.emplace_back(term);
    }
    return terms;
  }

  void Write() {
    if (Chance(25)) {
      store_.Delete(RandomId(),
                    Chance(50) ? store::DeleteCause::kDeleted : store::DeleteCause::kPurged);
    } else {
      store_.Put(RandomId(), RandomTerms(), Chance(50));
    }
  }

  std::unique_ptr<ReaderState> MakeReader() {
    auto reader = std::make_unique<ReaderState>();
    reader->request.tenant = FakeStore::kTenant;
    if (Chance(40)) {
      for (int i = 1 + Below(5); i > 0; --i) reader->request.ids.push_back(RandomId());
    }
    if (Chance(60)) reader->request.filter.clauses.push_back({"x"});
    if (Chance(30)) reader->request.filter.clauses.push_back({"y", "z"});
    reader->interest = Interest::Normalized({reader->request.tenant, reader->request.kind,
                                             reader->request.ids, reader->request.filter});
    return reader;
  }

  void Open(ReaderState& reader) {
    WatchRequest request = reader.request;
    if (!reader.tokens.empty() && Chance(90)) {
      // Resumes mostly with the last token, or with any that it has received since it started over.
      // The reader then returns to its state at that token.
      if (Chance(30)) {
        reader.tokens.resize(
            1 + static_cast<std::size_t>(Below(static_cast<int>(reader.tokens.size()))));
      }
      request.resume_token = reader.tokens.back();
    } else if (Chance(40) || final_) {
      request.resume_token = "garbage";
    }
    reader.view.BeginStream(!request.resume_token.empty());
    reader.stream = std::make_unique<OpenStream>(watches_, request);
  }

  // Returns whether there was an event.
  bool Read(ReaderState& reader) {
    const Stream::Pulled pulled = reader.stream->Next();
    if (pulled.event != nullptr) {
      const Event& event = *pulled.event;
      Check(reader.view.Apply(event), event);
      if (event.type() == v1::RESET) {
        reader.tokens.clear();
        ++resets_;
      }
      if (event.type() == v1::BOOKMARK) {
        ++bookmarks_;
        reader.tokens.push_back(event.resume_token());
        const ResumePoint point =
            ReadResumeToken(event.resume_token(), store_.store_id(), reader.interest.Fingerprint());
        Check(reader.view.CheckUpto(History(), reader.interest, point.revision), event);
      }
    }
    if (pulled.end.has_value()) {
      if (!absl::IsNotFound(*pulled.end)) error_ = pulled.end->ToString();
      reader.stream.reset();
    }
    return pulled.event != nullptr;
  }

  const std::vector<store::ChangePtr>& History() {
    for (store::ChangePtr& change : store_.History(history_.size())) {
      history_.push_back(std::move(change));
    }
    return history_;
  }

  void Check(const std::string& error, const Event& event) {
    if (!error.empty()) error_ = absl::StrCat(error, " (at ", Text(event), ")");
  }

  void Step() {
    ReaderState& reader = *readers_[static_cast<std::size_t>(Below(5))];
    const int choice = Below(1'000);
    if (choice < 150) {
      Write();
    } else if (choice < 250) {
      store_.Notify(1 + static_cast<std::size_t>(Below(4)));
    } else if (choice < 450) {
      hub_loop_.Step();
    } else if (choice < 600) {
      replay_loop_.Step();
    } else if (choice < 960) {
      if (reader.stream == nullptr) {
        Open(reader);
      } else {
        for (int i = Below(6); i >= 0 && reader.stream != nullptr; --i) Read(reader);
      }
    } else if (choice < 970) {
      reader.stream.reset();
    } else if (choice < 990) {
      clock_.Advance(absl::Milliseconds(Below(10'000)));
    } else if (choice < 993) {
      store_.CompactUpto(
          static_cast<store::Revision>(Below(static_cast<int>(History().size()) + 1)));
    } else if (choice < 996) {
      store_.FailReads(Chance(50) ? absl::UnavailableError("away") : absl::OkStatus());
    } else if (choice < 997) {
      // More than a mailbox holds.
      for (int i = 0; i < 1'100; ++i) store_.Put(absl::StrCat("burst", i), RandomTerms());
      store_.Notify(2'000);
    } else if (choice < 998) {
      // More than the hub holds.
      if (std::exchange(may_overrun_, false)) {
        for (std::size_t i = 0; i < Hub::kMaxInbox + 5; ++i) store_.Put("a", {"x"});
        store_.Notify(2 * Hub::kMaxInbox);
      }
    }
  }

  // Stops all changes; then each reader must hold exactly what the store holds.
  void Finish() {
    final_ = true;
    store_.before_read = nullptr;
    store_.FailReads(absl::OkStatus());
    store_.Notify(1'000'000);
    // Long enough for every retry and every bookmark, in rounds in which each reader reads
    // everything, however often it has to go back to the store.
    for (int round = 0; round < 12; ++round) {
      for (const auto& reader : readers_) {
        for (int ready = -1; error_.empty();) {
          if (reader->stream == nullptr) {
            Open(*reader);
            ready = -1;
          }
          if (ready == reader->stream->reader().ready()) break;
          ready = reader->stream->reader().ready();
          while (reader->stream != nullptr && Read(*reader) && error_.empty()) {
          }
          while (hub_loop_.Step() || replay_loop_.Step()) {
          }
        }
      }
      if (!error_.empty()) return;
      clock_.Advance(absl::Seconds(6));
      while (hub_loop_.Step() || replay_loop_.Step()) {
      }
    }
    const std::vector<store::ChangePtr>& history = History();
    const auto head = static_cast<store::Revision>(history.size());
    for (const auto& reader : readers_) {
      const std::string wrong = reader->view.CheckUpto(history, reader->interest, head);
      if (!wrong.empty()) error_ = absl::StrCat("at the end: ", wrong);
      const ResumePoint last =
          ReadResumeToken(reader->view.token(), store_.store_id(), reader->interest.Fingerprint());
      if (last.revision != head) {
        error_ = absl::StrCat("the last token is of ", last.revision, ", the head is ", head);
      }
    }
  }

  std::mt19937 random_;
  FakeStore store_;
  base::FakeClock clock_;
  SteppedLoop hub_loop_{clock_};
  SteppedLoop replay_loop_{clock_};
  Hub hub_{hub_loop_};
  const Stream::Options options_;
  Watches watches_;
  std::vector<std::unique_ptr<ReaderState>> readers_;
  std::vector<store::ChangePtr> history_;
  // Slow to check, so only in a few worlds, and once in each.
  bool may_overrun_;
  bool final_ = false;
  int resets_ = 0;
  int bookmarks_ = 0;
  std::string error_;
};

TEST(WatchGuaranteesTest, HoldUnderEveryInterleaving) {
  const char* const fixed = std::getenv("ASSETGATE_TEST_SEED");
  const std::uint32_t first = fixed != nullptr
                                  ? static_cast<std::uint32_t>(std::strtoul(fixed, nullptr, 10))
                                  : std::random_device()();
  const int worlds = fixed != nullptr ? 1 : 100;
  int resets = 0;
  int bookmarks = 0;
  for (int i = 0; i < worlds; ++i) {
    const std::uint32_t seed = first + static_cast<std::uint32_t>(i);
    World world(seed);
    const std::string error = world.Run(1'500);
    ASSERT_EQ(error, "") << "repeat with ASSETGATE_TEST_SEED=" << seed;
    resets += world.resets();
    bookmarks += world.bookmarks();
  }
  RecordProperty("resets", resets);
  RecordProperty("bookmarks", bookmarks);
  EXPECT_GT(bookmarks, worlds);
  EXPECT_GT(resets, worlds);
}

// The checks themselves: each detects a reader that got wrong events.

store::ChangePtr ChangeOf(const std::string& id, store::Revision revision, bool deleted = false) {
  auto change = std::make_shared<store::Change>();
  change->key = {FakeStore::kTenant, store::Kind::kAsset, id};
  change->revision = revision;
  change->deleted = deleted;
  change->resource = FakeStore::ResourceOf(id, revision);
  return change;
}

class ViewTest : public ::testing::Test {
 protected:
  ViewTest() {
    view_.BeginStream(false);
    EXPECT_EQ(view_.Apply(*Event::Reset(v1::FRESH)), "");
    EXPECT_EQ(view_.Apply(*Event::Bookmark("token", true)), "");
  }
  std::string Put(const std::string& id, store::Revision revision) {
    return view_.Apply(*Event::Put(ChangeOf(id, revision)));
  }

  const Interest interest_{FakeStore::kTenant, store::Kind::kAsset, {}, {}};
  View view_;
};

TEST_F(ViewTest, DetectsARevisionThatGoesBackOrRepeats) {
  EXPECT_EQ(Put("a", 5), "");
  EXPECT_NE(Put("a", 4), "");
  EXPECT_NE(Put("a", 5), "");
  EXPECT_EQ(Put("b", 3), "");
}

TEST_F(ViewTest, DetectsATornResource) {
  store::Change torn = *ChangeOf("a", 5);
  torn.resource.pop_back();
  EXPECT_NE(view_.Apply(*Event::Put(std::make_shared<store::Change>(torn))), "");
}

TEST_F(ViewTest, DetectsMissingAndSurplusResources) {
  const std::vector<store::ChangePtr> history = {ChangeOf("a", 1), ChangeOf("b", 2),
                                                 ChangeOf("a", 3), ChangeOf("b", 4, true),
                                                 ChangeOf("c", 5)};
  EXPECT_NE(view_.CheckUpto(history, interest_, 1), "");
  Put("a", 1);
  EXPECT_EQ(view_.CheckUpto(history, interest_, 1), "");
  Put("b", 2);
  EXPECT_EQ(view_.CheckUpto(history, interest_, 2), "");
  EXPECT_NE(view_.CheckUpto(history, interest_, 3), "");
  Put("a", 3);
  EXPECT_EQ(view_.CheckUpto(history, interest_, 3), "");
  EXPECT_NE(view_.CheckUpto(history, interest_, 4), "");
  view_.Apply(*Event::Delete(ChangeOf("b", 4, true), v1::DELETED));
  EXPECT_EQ(view_.CheckUpto(history, interest_, 4), "");
  EXPECT_NE(view_.CheckUpto(history, interest_, 5), "");
  Put("c", 5);
  EXPECT_EQ(view_.CheckUpto(history, interest_, 5), "");
  Put("never", 5);
  EXPECT_NE(view_.CheckUpto(history, interest_, 5), "");
}

TEST_F(ViewTest, DetectsEventsOutOfPlace) {
  EXPECT_NE(view_.Apply(*Event::Bookmark("token", true)), "");
  EXPECT_NE(view_.Apply(*Event::Bookmark("", false)), "");
  view_.Apply(*Event::Reset(v1::COMPACTED));
  EXPECT_NE(view_.Apply(*Event::Delete(ChangeOf("a", 5), v1::DELETED)), "");
  EXPECT_NE(view_.Apply(*Event::Bookmark("token", false)), "");
  View fresh;
  fresh.BeginStream(false);
  EXPECT_NE(fresh.Apply(*Event::Put(ChangeOf("a", 5))), "");
}

}  // namespace
}  // namespace assetgate::watch
