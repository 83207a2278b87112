#include "calls/unfinished_videos.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/resource.h"
#include "reconcile/testing/replicas.h"
#include "store/testing/forwarding_store.h"
#include "store/testing/rows.h"

namespace assetgate::calls {
namespace {

using testing::HasSubstr;

constexpr int kA = 0;
constexpr int kB = 1;

// A farm that may have two, in front of a provider that takes everything and finishes nothing.
class FarmTest : public testing::Test {
 protected:
  FarmTest() {
    replicas_.script = [this](int, const http::Request& request) -> std::optional<http::Result> {
      if (request.method != "POST") return std::nullopt;
      if (refusing_) return http::Response{400, {}, "no"};
      return http::Response{200, {}, absl::StrCat("id=up-", ++submitted_, " state=running")};
    };
    for (const int at : {kA, kB}) Follow(at);
    farm_.identity = "farm";
    farm_.most_unfinished_videos = 2;
  }

  void Follow(int at) {
    EXPECT_TRUE(replicas_.unfinished_videos(at).Follow({{model::kDefaultTenant, "farm"}}).ok());
  }
  reconcile::Answer<v1::VideoTask> Create(int at, absl::string_view id, const std::string& request_id = "") {
    v1::CreateVideoTaskRequest request = reconcile::Harness::Video(id);
    request.set_request_id(request_id);
    return replicas_.Create(at, request, farm_);
  }
  void ExpectRefused(int at) {
    const auto answer = Create(at, "");
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted) << answer.status();
    EXPECT_EQ(base::ReasonOf(answer.status()), v1::CALLER_LIMIT);
  }
  void ExpectMade(const reconcile::Answer<v1::VideoTask>& answer) {
    EXPECT_TRUE(answer.status().ok()) << answer.status();
  }

  reconcile::Replicas replicas_{2};
  Caller farm_;
  bool refusing_ = false;
  int submitted_ = 0;
};

TEST_F(FarmTest, ALimitIsHeldAndToldWithWhatToDo) {
  ExpectMade(Create(kA, "one"));
  ExpectMade(Create(kA, "two"));
  const auto answer = Create(kA, "three");
  EXPECT_EQ(base::ReasonOf(answer.status()), v1::CALLER_LIMIT);
  EXPECT_THAT(std::string(answer.status().message()),
              AllOf(HasSubstr("\"farm\" has 2 unfinished videos"), HasSubstr("limit is 2"),
                    HasSubstr("cancel one")));
  EXPECT_GT(base::RetryDelayOf(base::ToRpcStatus(answer.status())), absl::ZeroDuration());
  EXPECT_EQ(replicas_.StoredVideo("three"), std::nullopt);
  EXPECT_EQ(submitted_, 2);
}

TEST_F(FarmTest, RoomComesWithEachThatEnds) {
  ExpectMade(Create(kA, "one"));
  ExpectMade(Create(kA, "two"));
  ExpectRefused(kA);
  replicas_.script = [](int, const http::Request&) {
    return http::Response{200, {}, "id=up-1 state=done url=https://v.example/1.mp4"};
  };
  replicas_.Advance(absl::Minutes(1));
  ASSERT_TRUE(model::IsFinal(replicas_.Task("one").state())) << replicas_.Task("one").DebugString();
  ExpectMade(Create(kA, "three"));
}

TEST_F(FarmTest, ARepeatedRequestIsAnsweredWhateverTheLimit) {
  ExpectMade(Create(kA, "one", "r-1"));
  ExpectMade(Create(kA, "two"));
  for (const int at : {kA, kB}) {
    const auto repeated = Create(at, "one", "r-1");
    ASSERT_TRUE(repeated.status().ok()) << repeated.status();
    EXPECT_EQ(repeated->name(), "videoTasks/one");
  }
}

TEST_F(FarmTest, WhatIsBeingCommittedCounts) {
  std::vector<reconcile::Answer<v1::VideoTask>> answers(5);
  for (auto& answer : answers) {
    replicas_.gateway(kA).CreateVideoTask(farm_, reconcile::Harness::Video(), answer.reply());
  }
  replicas_.Run();
  int made = 0;
  for (const auto& answer : answers) made += answer.status().ok() ? 1 : 0;
  EXPECT_EQ(made, 2);
}

TEST_F(FarmTest, OthersAreNotHeldUp) {
  ExpectMade(Create(kA, "one"));
  ExpectMade(Create(kA, "two"));
  ExpectMade(replicas_.Create(kA, reconcile::Harness::Video("nobodys")));
  Caller mill;
  mill.identity = "mill";
  mill.most_unfinished_videos = 1;
  ExpectMade(replicas_.Create(kA, reconcile::Harness::Video("mills"), mill));
  Caller elsewhere = farm_;
  elsewhere.tenant = "elsewhere";
  ExpectMade(replicas_.Create(kA, reconcile::Harness::Video("theirs"), elsewhere));
}

TEST_F(FarmTest, WhatOtherGatewaysTookCounts) {
  ExpectMade(Create(kA, "one"));
  ExpectMade(Create(kB, "two"));
  ExpectRefused(kA);
  ExpectRefused(kB);
}

TEST_F(FarmTest, ARestartForgetsNothing) {
  ExpectMade(Create(kA, "one"));
  ExpectMade(Create(kA, "two"));
  replicas_.Kill(kA);
  replicas_.Start(kA);
  Follow(kA);
  replicas_.TakeAll(kA);
  ExpectRefused(kA);
}

TEST_F(FarmTest, WhatCameToNothingTakesNoRoom) {
  ExpectMade(Create(kA, "one"));
  refusing_ = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Create(kA, "").status().code(), absl::StatusCode::kInvalidArgument);
  }
  refusing_ = false;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(base::ReasonOf(Create(kA, "one").status()), v1::RESOURCE_EXISTS);
    EXPECT_EQ(base::ReasonOf(Create(kB, "one").status()), v1::RESOURCE_EXISTS);
  }
  replicas_.faults(kA).judge = [](const store::Transaction&) {
    return store::FaultyStore::Outcome::kUnavailable;
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(base::ReasonOf(Create(kA, "").status()), v1::STORE_UNAVAILABLE);
  }
  replicas_.faults(kA).judge = nullptr;
  ExpectMade(Create(kA, "two"));
  ExpectRefused(kA);
}

// The store, with what happens while it is read.
class WatchedStore final : public store::ForwardingStore {
 public:
  explicit WatchedStore(store::Store& real) : ForwardingStore(real) {}

  absl::StatusOr<store::ListPage> List(const store::ListQuery& query) override {
    if (unreadable) return absl::UnavailableError("the test says so");
    auto page = ForwardingStore::List(query);
    if (after_list) std::exchange(after_list, nullptr)();
    return page;
  }

  bool unreadable = false;
  std::function<void()> after_list;
};

class UnfinishedVideosTest : public testing::Test {
 protected:
  UnfinishedVideosTest() {
    store::SqliteStore::Options options;
    options.path = directory_.path() + "/store.db";
    options.clock = &clock_;
    sqlite_ = *store::SqliteStore::Open(std::move(options));
    watched_ = std::make_unique<WatchedStore>(*sqlite_);
    videos_ = std::make_unique<UnfinishedVideos>(*watched_);
  }
  ~UnfinishedVideosTest() override { sqlite_->Stop(); }

  static store::Key KeyOf(const std::string& id) {
    return {model::kDefaultTenant, store::Kind::kVideoTask, id};
  }
  store::Revision Put(const std::string& id, store::Revision expected = 0, bool unfinished = true) {
    const auto terms = unfinished
                           ? std::vector<std::string>{"state:1", model::UnfinishedTasksOf("farm")}
                           : std::vector<std::string>{"state:4"};
    return store::CommitAndWait(*sqlite_,
                                store::Update(KeyOf(id), expected, store::MakeContent(id, terms)))
        .revisions.at(0);
  }
  bool Takes(int most) { return videos_->Take(kFarm, "new", most).ok(); }
  void ExpectCounted(int count) {
    EXPECT_TRUE(Takes(count + 1));
    EXPECT_FALSE(Takes(count)) << "fewer than " << count;
  }

  const UnfinishedVideos::Creator kFarm = {model::kDefaultTenant, "farm"};
  store::sqlite::TemporaryDirectory directory_;
  base::FakeClock clock_;
  std::unique_ptr<store::Store> sqlite_;
  std::unique_ptr<WatchedStore> watched_;
  std::unique_ptr<UnfinishedVideos> videos_;
};

TEST_F(UnfinishedVideosTest, AllPagesOfTheStoreAreCounted) {
  store::Transaction transaction;
  for (int i = 0; i < 1203; ++i) {
    const std::string id = absl::StrCat("fox-", i);
    transaction.writes.push_back(
        {KeyOf(id), 0, store::MakeContent(id, {model::UnfinishedTasksOf("farm")}), {}});
  }
  store::CommitAndWait(*sqlite_, std::move(transaction));
  ASSERT_TRUE(videos_->Follow({kFarm}).ok());
  ExpectCounted(1203);
}

TEST_F(UnfinishedVideosTest, WhatIsHeardWhileTheStoreIsReadIsNewer) {
  const store::Revision ends = Put("ends");
  const store::Revision goes = Put("goes");
  Put("stays");
  sqlite_->SetListener(videos_.get());
  watched_->after_list = [&] {
    Put("ends", ends, /*unfinished=*/false);
    store::CommitAndWait(*sqlite_, store::Delete(KeyOf("goes"), goes));
    Put("comes");
  };
  ASSERT_TRUE(videos_->Follow({kFarm}).ok());
  ExpectCounted(2);
}

TEST_F(UnfinishedVideosTest, AfterAGapTheStoreIsReadAgain) {
  Put("first");
  ASSERT_TRUE(videos_->Follow({kFarm}).ok());
  // Not heard.
  Put("second");
  ASSERT_TRUE(videos_->Refresh().ok());
  ExpectCounted(1);
  videos_->OnGap(7);
  ASSERT_TRUE(videos_->Refresh().ok());
  ExpectCounted(2);
}

TEST_F(UnfinishedVideosTest, AStoreThatCannotBeReadIsReadLater) {
  Put("first");
  watched_->unreadable = true;
  EXPECT_FALSE(videos_->Follow({kFarm}).ok());
  ExpectCounted(0);
  watched_->unreadable = false;
  ASSERT_TRUE(videos_->Refresh().ok());
  ExpectCounted(1);
}

TEST_F(UnfinishedVideosTest, AGapWhileTheStoreIsReadCountsAsOne) {
  watched_->after_list = [&] {
    Put("missed");
    videos_->OnGap(7);
  };
  ASSERT_TRUE(videos_->Follow({kFarm}).ok());
  ASSERT_TRUE(videos_->Refresh().ok());
  ExpectCounted(1);
}

TEST_F(UnfinishedVideosTest, APlaceCountsUntilItIsGivenUp) {
  ASSERT_TRUE(videos_->Follow({kFarm}).ok());
  auto place = videos_->Take(kFarm, "one", 2);
  ASSERT_TRUE(place.ok());
  ExpectCounted(1);
  place->reset();
  ExpectCounted(0);
  // Nobody is held to a limit without being followed.
  ASSERT_TRUE(videos_->Follow({}).ok());
  EXPECT_TRUE(Takes(0));
}

}  // namespace
}  // namespace assetgate::calls
