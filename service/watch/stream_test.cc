// What one reader sees of a stream, one situation per test.
#include "watch/stream.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "watch/resume_token.h"
#include "watch/testing/fake_store.h"
#include "watch/testing/test_reader.h"
#include "watch/testing/view.h"
#include "watch/watches.h"

namespace assetgate::watch {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::UnorderedElementsAre;

class WatchStreamTest : public ::testing::Test {
 protected:
  WatchStreamTest() {
    store_.SetListener(&hub_);
    options_.replay = {.rows_per_page = 3, .changes_per_page = 4};
  }

  Watches& watches() {
    if (watches_ == nullptr) watches_ = std::make_unique<Watches>(store_, hub_, loop_, options_);
    return *watches_;
  }
  std::unique_ptr<OpenStream> Open(WatchRequest request) {
    request.tenant = FakeStore::kTenant;
    return std::make_unique<OpenStream>(watches(), std::move(request));
  }
  // Everything that the stream delivers before it has nothing more.
  std::vector<EventPtr> ReadUntilIdle(OpenStream& stream) {
    std::vector<EventPtr> all;
    for (int ready = -1; ready != stream.reader().ready();) {
      ready = stream.reader().ready();
      std::vector<EventPtr> some = stream.Read();
      all.insert(all.end(), some.begin(), some.end());
      loop_.RunDue();
    }
    return all;
  }
  std::vector<std::string> ReadTextsUntilIdle(OpenStream& stream) {
    return Texts(ReadUntilIdle(stream));
  }
  // The token of a fresh watch's snapshot.
  std::string TokenOf(WatchRequest request) {
    const auto stream = Open(std::move(request));
    return ReadUntilIdle(*stream).back()->resume_token();
  }
  // Commits changes just before the nth read from now on.
  void BeforeRead(int nth, std::function<void()> change) {
    slipped_in_[store_.reads() + nth] = std::move(change);
    store_.before_read = [this] {
      if (auto change = slipped_in_.extract(store_.reads() + 1)) change.mapped()();
    };
  }
  store::Revision RevisionOf(const std::string& token, const WatchRequest& request) {
    const Interest interest =
        Interest::Normalized({FakeStore::kTenant, request.kind, request.ids, request.filter});
    const ResumePoint point = ReadResumeToken(token, store_.store_id(), interest.Fingerprint());
    EXPECT_EQ(point.verdict, ResumePoint::Verdict::kValid);
    return point.revision;
  }

  FakeStore store_;
  base::FakeEventLoop loop_;
  Hub hub_{loop_};
  Stream::Options options_;
  std::unique_ptr<Watches> watches_;
  // By the number of the read.
  std::map<int, std::function<void()>> slipped_in_;
};

TEST_F(WatchStreamTest, FreshWatchGetsResetThenSnapshotThenCompletion) {
  for (const char* id : {"a", "b", "c", "d", "e"}) store_.Put(id);
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT e@5", "PUT d@4", "PUT c@3", "PUT b@2", "PUT a@1",
                          "BOOKMARK complete"));
}

TEST_F(WatchStreamTest, EmptySnapshotIsAResetAndABookmark) {
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("RESET FRESH", "BOOKMARK complete"));
}

TEST_F(WatchStreamTest, ReaderThatKeepsUpSeesEveryState) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  store_.Put("a");
  store_.Put("a");
  store_.Put("a");
  store_.Delete("a");
  loop_.RunDue();
  EXPECT_THAT(Texts(stream->Read()),
              ElementsAre("PUT a@1", "PUT a@2", "PUT a@3", "DELETE a@4 DELETED"));
}

TEST_F(WatchStreamTest, ReaderIsNotifiedOnceUntilItReads) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  const int before = stream->reader().ready();
  for (int i = 0; i < 10; ++i) store_.Put("a");
  loop_.RunDue();
  store_.Put("b");
  loop_.RunDue();
  EXPECT_EQ(stream->reader().ready(), before + 1);
  EXPECT_EQ(stream->Read().size(), 11U);
  store_.Put("b");
  loop_.RunDue();
  EXPECT_EQ(stream->reader().ready(), before + 2);
}

TEST_F(WatchStreamTest, MoreIsSetWithinABurst) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  store_.Put("a");
  store_.Put("b");
  loop_.RunDue();
  EXPECT_TRUE(stream->Next().more);
  EXPECT_FALSE(stream->Next().more);
}

TEST_F(WatchStreamTest, StreamsOfOneChangeShareOneEvent) {
  const auto one = Open({});
  const auto two = Open({.ids = {"a"}});
  store_.Put("a");
  ReadUntilIdle(*one);
  ReadUntilIdle(*two);
  store_.Put("a");
  loop_.RunDue();
  EXPECT_EQ(one->Next().event, two->Next().event);
}

TEST_F(WatchStreamTest, WatchByNamesDeliversThoseAlone) {
  store_.Put("a");
  store_.Put("b");
  const auto stream = Open({.ids = {"b"}});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT b@2", "BOOKMARK complete"));
  store_.Put("a");
  store_.Put("b");
  store_.Delete("b", store::DeleteCause::kPurged);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT b@4", "DELETE b@5 PURGED"));
}

TEST_F(WatchStreamTest, FilterDeliversResourcesThatEnterAndLeave) {
  store_.Put("a", {"state:PROCESSING"});
  store_.Put("b", {"state:ACTIVE"});
  const auto stream = Open({.filter = {{{"state:PROCESSING"}}}});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT a@1", "BOOKMARK complete"));
  store_.Put("a", {"state:ACTIVE"});      // 3: leaves
  store_.Put("b", {"state:PROCESSING"});  // 4: enters
  store_.Put("a", {"state:FAILED"});      // 5: stays outside
  store_.Delete("a");                     // 6: was outside
  store_.Delete("b");                     // 7: was inside
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("DELETE a@3 LEFT_FILTER", "PUT b@4", "DELETE b@7 DELETED"));
}

TEST_F(WatchStreamTest, NamesAndFilterBothHaveToMatch) {
  store_.Put("a", {"x"});
  store_.Put("b", {"y"});
  store_.Put("c", {"x"});
  const auto stream = Open({.ids = {"a", "b"}, .filter = {{{"x"}}}});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT a@1", "BOOKMARK complete"));
  store_.Put("c", {"x"});
  store_.Put("b", {"x"});
  store_.Put("a", {"y"});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT b@5", "DELETE a@6 LEFT_FILTER"));
}

TEST_F(WatchStreamTest, ResourceUnderSeveralTermsOfAClauseIsDeliveredOnce) {
  const auto stream = Open({.filter = {{{"x", "y"}}}});
  ReadUntilIdle(*stream);
  store_.Put("a", {"x", "y"});
  store_.Put("a", {"y", "x"});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT a@1", "PUT a@2"));
}

TEST_F(WatchStreamTest, OtherTenantsAndKindsAreNotDelivered) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  store_.tenant = "somebody-else";
  store_.Put("a");
  store_.tenant = FakeStore::kTenant;
  store_.kind = store::Kind::kVideoTask;
  store_.Put("a");
  EXPECT_THAT(ReadTextsUntilIdle(*stream), IsEmpty());
}

// Watches by names.
using WatchStreamNamesTest = WatchStreamTest;

TEST_F(WatchStreamNamesTest, UnknownNameIsNotFoundAtOnce) {
  for (const char* id : {"a", "b", "c", "d", "e"}) store_.Put(id);
  const auto stream = Open({.ids = {"a", "b", "c", "d", "e", "nobody"}});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), IsEmpty());
  ASSERT_TRUE(stream->end().has_value());
  EXPECT_EQ(stream->end()->code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::ReasonOf(*stream->end()), v1::RESOURCE_NOT_FOUND);
  google::rpc::ResourceInfo resource;
  const google::rpc::Status status = base::ToRpcStatus(*stream->end());
  ASSERT_TRUE(status.details(1).UnpackTo(&resource));
  EXPECT_EQ(resource.resource_name(), "assets/nobody");
  EXPECT_EQ(resource.resource_type(), "assetgate.v1.Asset");
}

TEST_F(WatchStreamNamesTest, ResourceDeletedMeanwhileIsADeleteNotAnError) {
  store_.Put("a");
  WatchRequest request{.ids = {"a"}};
  request.resume_token = TokenOf(request);
  store_.Delete("a");
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("DELETE a@2 DELETED", "BOOKMARK"));
  EXPECT_FALSE(stream->end().has_value());
}

TEST_F(WatchStreamNamesTest, UnusableTokenIsNeverAnErrorEvenWithAnUnknownName) {
  const auto stream = Open({.ids = {"nobody"}, .resume_token = "garbage"});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("RESET OTHER_STORE", "BOOKMARK complete"));
  store_.Put("nobody");
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT nobody@1"));
}

// Snapshots during changes.
using WatchStreamSnapshotTest = WatchStreamTest;

TEST_F(WatchStreamSnapshotTest, ChangeOfAPageAlreadyShownFollowsTheSnapshot) {
  for (const char* id : {"a", "b", "c", "d", "e"}) store_.Put(id, {"x"});
  BeforeRead(2, [&] {
    store_.Put("e", {"x"});  // 6: shown by the first page as of 5
    store_.Put("d", {"y"});  // 7: leaves, after it was shown
    store_.Put("b", {"x"});  // 8: the second page shows this one
    store_.Put("a", {"y"});  // 9: the second page does not show it
    store_.Put("f", {"x"});  // 10: newer than the first page
  });
  const auto stream = Open({.filter = {{{"x"}}}});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT e@5", "PUT d@4", "PUT c@3", "PUT b@8",
                          "BOOKMARK complete", "PUT e@6", "DELETE d@7 LEFT_FILTER", "PUT f@10"));
}

TEST_F(WatchStreamSnapshotTest, EachPageIsComparedAsOfItsOwnHead) {
  for (const char* id : {"a", "b", "c", "d", "e", "f", "g"}) store_.Put(id);
  BeforeRead(2, [&] {
    store_.Put("g");  // 8: shown by the first page as of 7
    store_.Put("d");  // 9: the second page shows this one
    store_.Put("a");  // 10: not in the third page, because it changes again
  });
  BeforeRead(3, [&] {
    store_.Put("d");     // 11: shown by the second page as of 10
    store_.Put("a");     // 12: the third page shows this one
    store_.Delete("b");  // 13: shown by the second page
  });
  WatchRequest request;
  View view;
  view.BeginStream(false);
  {
    const auto stream = Open(request);
    const std::vector<EventPtr> events = ReadUntilIdle(*stream);
    for (const EventPtr& event : events) {
      EXPECT_EQ(view.Apply(*event), "");
      if (event->snapshot_complete()) request.resume_token = event->resume_token();
    }
    EXPECT_THAT(Texts(events), ElementsAre("RESET FRESH", "PUT g@7", "PUT f@6", "PUT e@5",  //
                                           "PUT d@9", "PUT c@3", "PUT b@2",                 //
                                           "PUT a@12", "BOOKMARK complete",                 //
                                           "PUT g@8", "PUT d@11", "DELETE b@13 DELETED"));
    EXPECT_EQ(view.CheckUpto(store_.History(), stream->stream().interest(), 13), "");
  }
  // The token covers no more than the first page does.
  EXPECT_EQ(RevisionOf(request.resume_token, request), 7);
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("PUT g@8", "PUT d@9", "PUT a@10", "PUT d@11", "PUT a@12",
                          "DELETE b@13 DELETED", "BOOKMARK"));
}

TEST_F(WatchStreamSnapshotTest, EmptyPagesDoNotEndASnapshot) {
  store_.max_look_ups = 2;
  store_.Put("a", {"x"});
  for (const char* id : {"b", "c", "d", "e", "f"}) store_.Put(id, {"y"});
  store_.Put("g", {"x"});  // 7: the first page, with f
  BeforeRead(3, [&] {
    store_.Put("e", {"x"});  // 8: the second page, of d and e, was empty
    store_.Put("b", {"x"});  // 9: the third page shows this one
    store_.Put("g", {"y"});  // 10: shown by the first page
  });
  const auto stream = Open({.filter = {{{"x"}}}});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT g@7", "PUT b@9", "PUT a@1", "BOOKMARK complete",
                          "PUT e@8", "DELETE g@10 LEFT_FILTER"));
  // Nor if all pages are empty.
  const auto empty = Open({.filter = {{{"z"}}}});
  EXPECT_THAT(ReadTextsUntilIdle(*empty), ElementsAre("RESET FRESH", "BOOKMARK complete"));
}

TEST_F(WatchStreamSnapshotTest, IdCreatedAgainBetweenTwoPagesIsAnotherRow) {
  for (const char* id : {"a", "b", "c", "d", "e"}) store_.Put(id, {"x"});
  BeforeRead(2, [&] {
    store_.Delete("e");      // 6: shown by the first page
    store_.Put("e", {"x"});  // 7
    store_.Delete("a");      // 8: shown by no page
    store_.Put("a", {"x"});  // 9
    store_.Delete("d");      // 10: shown
    store_.Put("d", {"y"});  // 11: the new row does not match
    store_.Delete("b");      // 12: shown by no page
    store_.Put("b", {"y"});  // 13
    store_.Put("b", {"x"});  // 14: the new row now matches
    store_.Delete("e");      // 15
    store_.Put("e", {"x"});  // 16: and again
  });
  const auto stream = Open({.filter = {{{"x"}}}});
  const std::vector<EventPtr> events = ReadUntilIdle(*stream);
  EXPECT_THAT(Texts(events),
              ElementsAre("RESET FRESH", "PUT e@5", "PUT d@4", "PUT c@3", "BOOKMARK complete",
                          "DELETE e@6 DELETED", "PUT e@7", "PUT a@9", "DELETE d@10 DELETED",
                          "PUT b@14", "DELETE e@15 DELETED", "PUT e@16"));
  View view;
  view.BeginStream(false);
  for (const EventPtr& event : events) EXPECT_EQ(view.Apply(*event), "");
  EXPECT_EQ(view.CheckUpto(store_.History(), stream->stream().interest(), 16), "");
}

TEST_F(WatchStreamSnapshotTest, RowsCreatedAfterTheFirstPageComeWithTheLog) {
  for (const char* id : {"a", "b", "c", "d"}) store_.Put(id);
  BeforeRead(1, [&] { store_.Put("new"); });  // 5: the first page shows it
  BeforeRead(2, [&] {
    store_.Put("newer");    // 6
    store_.Put("gone");     // 7
    store_.Put("newer");    // 8
    store_.Delete("gone");  // 9
  });
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT new@5", "PUT d@4", "PUT c@3", "PUT b@2", "PUT a@1",
                          "BOOKMARK complete", "PUT newer@6", "PUT gone@7", "PUT newer@8",
                          "DELETE gone@9 DELETED"));
}

TEST_F(WatchStreamSnapshotTest, CompactionThatOvertakesASnapshotStartsItOver) {
  for (const char* id : {"a", "b", "c", "d"}) store_.Put(id);
  BeforeRead(2, [&] {
    store_.Delete("d");  // 5: shown by the first page; its DELETE is compacted
    store_.Put("e");     // 6
    store_.CompactUpto(5);
  });
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT d@4", "PUT c@3", "PUT b@2", "PUT a@1",
                          "BOOKMARK complete", "RESET COMPACTED", "PUT e@6", "PUT c@3", "PUT b@2",
                          "PUT a@1", "BOOKMARK complete"));
}

TEST_F(WatchStreamSnapshotTest, FailedPageIsReadAgain) {
  options_.replay.rows_per_page = 1;
  for (const char* id : {"a", "b", "c", "d"}) store_.Put(id);
  for (const WatchRequest& request : {WatchRequest{}, WatchRequest{.ids = {"a", "b", "c", "d"}}}) {
    for (int nth = 1; nth <= 4; ++nth) {
      BeforeRead(nth, [&] { store_.FailReads(absl::UnavailableError("away")); });
      BeforeRead(nth + 1, [&] { store_.FailReads(absl::OkStatus()); });
      const auto stream = Open(request);
      std::vector<EventPtr> events = ReadUntilIdle(*stream);
      loop_.Advance(absl::Seconds(5));
      for (EventPtr& event : ReadUntilIdle(*stream)) events.push_back(std::move(event));
      EXPECT_THAT(Texts(events), UnorderedElementsAre("RESET FRESH", "PUT a@1", "PUT b@2",
                                                      "PUT c@3", "PUT d@4", "BOOKMARK complete"));
    }
  }
}

TEST_F(WatchStreamSnapshotTest, ChangeThatTheHubDidNotReceiveYetIsDeliveredOnce) {
  store_.HoldNotifications();
  store_.Put("a");
  store_.Put("b");
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT b@2", "PUT a@1", "BOOKMARK complete"));
  store_.Put("a");
  store_.Notify(1);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), IsEmpty());
  store_.Notify(2);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT a@3"));
}

TEST_F(WatchStreamSnapshotTest, SnapshotIsReadOnlyAsFastAsTheReaderTakesIt) {
  for (const char* id : {"a", "b", "c", "d", "e", "f", "g"}) store_.Put(id);
  const auto stream = Open({});
  EXPECT_EQ(store_.reads(), 0);
  EXPECT_EQ(stream->Next().event, nullptr);
  loop_.RunDue();
  EXPECT_EQ(store_.reads(), 1);
  for (int i = 0; i < 4; ++i) EXPECT_NE(stream->Next().event, nullptr);
  loop_.RunDue();
  EXPECT_EQ(store_.reads(), 1);
  EXPECT_EQ(stream->Next().event, nullptr);
  loop_.RunDue();
  EXPECT_EQ(store_.reads(), 2);
}

TEST_F(WatchStreamSnapshotTest, PagesAreBoundedInBytes) {
  // Three fit by number.
  options_.replay.bytes_per_page = 250;
  store_.padding = 100;
  for (const char* id : {"a", "b", "c", "d", "e"}) store_.Put(id);
  for (const std::vector<std::string>& ids :
       {std::vector<std::string>(), std::vector<std::string>{"a", "b", "c", "d", "e"}}) {
    SCOPED_TRACE(ids.size());
    WatchRequest request;
    request.ids = ids;
    const auto stream = Open(request);
    const int reads = store_.reads();
    EXPECT_THAT(ReadTextsUntilIdle(*stream),
                ElementsAre("RESET FRESH", _, _, _, _, _, "BOOKMARK complete"));
    EXPECT_GE(store_.reads() - reads, 2);
  }
  store_.padding = 1000;
  store_.Put("large");
  const auto stream = Open({});
  EXPECT_EQ(stream->Next().event, nullptr);
  loop_.RunDue();
  EXPECT_EQ(Text(*stream->Next().event), "RESET FRESH");
  EXPECT_EQ(Text(*stream->Next().event), "PUT large@6");
  EXPECT_EQ(stream->Next().event, nullptr) << "it needs a page of its own";
}

// Resumed watches.
using WatchStreamResumeTest = WatchStreamTest;

TEST_F(WatchStreamResumeTest, ResumedWatchGetsTheChangesSinceAndABookmark) {
  store_.Put("a");
  store_.Put("b");
  WatchRequest request;
  request.resume_token = TokenOf(request);
  store_.Put("a");
  store_.Delete("b");
  const auto stream = Open(request);
  const std::vector<EventPtr> events = ReadUntilIdle(*stream);
  EXPECT_THAT(Texts(events), ElementsAre("PUT a@3", "DELETE b@4 DELETED", "BOOKMARK"));
  EXPECT_EQ(RevisionOf(events.back()->resume_token(), request), 4);
  store_.Put("c");
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT c@5"));
}

TEST_F(WatchStreamResumeTest, ResumingWithNothingNewIsABookmark) {
  store_.Put("a");
  WatchRequest request;
  request.resume_token = TokenOf(request);
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("BOOKMARK"));
}

TEST_F(WatchStreamResumeTest, ResumedFilterGetsDeletesOfResourcesThatLeftMeanwhile) {
  store_.Put("a", {"x"});
  store_.Put("b", {"x"});
  WatchRequest request{.filter = {{{"x"}}}};
  request.resume_token = TokenOf(request);
  store_.Put("a", {"y"});
  store_.Put("a", {"z"});
  store_.Delete("b");
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("DELETE a@3 LEFT_FILTER", "DELETE b@5 DELETED", "BOOKMARK"));
}

TEST_F(WatchStreamResumeTest, ResumeOverALongLogTakesTurns) {
  store_.Put("a");
  WatchRequest request;
  request.resume_token = TokenOf(request);
  for (int i = 0; i < 20; ++i) store_.Put("a");
  const int reads = store_.reads();
  const auto stream = Open(request);
  EXPECT_EQ(ReadUntilIdle(*stream).size(), 21U);
  EXPECT_EQ(store_.reads(), reads + 5);
}

struct ResetCase {
  const char* what;
  v1::ResetReason reason;
  std::function<void(FakeStore&, WatchRequest&)> spoil;
};

TEST_F(WatchStreamResumeTest, UnusableTokenStartsOverWithItsReason) {
  const ResetCase cases[] = {
      {"too old", v1::COMPACTED, [](FakeStore& store, WatchRequest&) { store.CompactUpto(3); }},
      {"another store", v1::OTHER_STORE,
       [](FakeStore&, WatchRequest& request) {
         FakeStore other("store-2");
         request.resume_token = MakeResumeToken(
             "store-2", Interest::Normalized({FakeStore::kTenant, request.kind}).Fingerprint(), 1);
       }},
      {"garbage", v1::OTHER_STORE,
       [](FakeStore&, WatchRequest& request) { request.resume_token = "\xff garbage"; }},
      {"from the future of a store that was restored", v1::OTHER_STORE,
       [](FakeStore& store, WatchRequest& request) {
         request.resume_token = MakeResumeToken(
             store.store_id(),
             Interest::Normalized({FakeStore::kTenant, request.kind}).Fingerprint(), 1'000);
       }},
      {"another filter", v1::OTHER_FILTER,
       [](FakeStore&, WatchRequest& request) { request.filter = {{{"x"}}}; }},
      {"other names", v1::OTHER_FILTER,
       [](FakeStore&, WatchRequest& request) { request.ids = {"a"}; }},
      {"another kind", v1::OTHER_FILTER,
       [](FakeStore&, WatchRequest& request) { request.kind = store::Kind::kVideoTask; }},
  };
  for (int i = 0; i < 3; ++i) store_.Put("a", {"x"});
  WatchRequest original;
  original.resume_token = TokenOf(original);
  store_.Put("a", {"x"});
  for (const ResetCase& c : cases) {
    WatchRequest request = original;
    c.spoil(store_, request);
    if (c.reason == v1::COMPACTED) store_.CompactUpto(4);
    const auto stream = Open(request);
    std::vector<std::string> expected = {absl::StrCat("RESET ", v1::ResetReason_Name(c.reason)),
                                         "PUT a@4", "BOOKMARK complete"};
    if (request.kind == store::Kind::kVideoTask) expected.erase(expected.begin() + 1);
    EXPECT_EQ(ReadTextsUntilIdle(*stream), expected) << c.what;
    EXPECT_FALSE(stream->end().has_value()) << c.what;
  }
}

TEST_F(WatchStreamResumeTest, TokenAtTheEdgeOfCompactionIsValid) {
  for (int i = 0; i < 3; ++i) store_.Put("a");
  WatchRequest request;
  request.resume_token = TokenOf(request);
  store_.Put("a");
  store_.CompactUpto(3);
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT a@4", "BOOKMARK"));
}

TEST_F(WatchStreamResumeTest, CompactionThatOvertakesAReplayStartsItOver) {
  store_.Put("a");
  WatchRequest request;
  request.resume_token = TokenOf(request);
  for (int i = 0; i < 10; ++i) store_.Put("a");
  const auto stream = Open(request);
  stream->Next();
  loop_.RunDue();
  EXPECT_THAT(Texts(stream->Read()), ElementsAre("PUT a@2", "PUT a@3", "PUT a@4", "PUT a@5"));
  store_.CompactUpto(9);
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET COMPACTED", "PUT a@11", "BOOKMARK complete"));
}

// Slow readers.
using WatchStreamSlowReaderTest = WatchStreamTest;

TEST_F(WatchStreamSlowReaderTest, SlowReaderSeesTheNewestState) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  for (int i = 0; i < 10'000; ++i) {
    store_.Put("a");
    store_.Put("b");
    loop_.RunDue();
  }
  const std::vector<std::string> texts = Texts(stream->Read());
  EXPECT_LE(texts.size(), Mailbox::kKeepEach + 2);
  EXPECT_THAT(texts, ::testing::IsSupersetOf({"PUT a@19999", "PUT b@20000"}));
}

TEST_F(WatchStreamSlowReaderTest, ReaderTooSlowForItsMailboxGoesBackToTheLogAndMissesNothing) {
  options_.replay = {};
  const auto stream = Open({});
  View view;
  view.BeginStream(false);
  for (const EventPtr& event : ReadUntilIdle(*stream)) EXPECT_EQ(view.Apply(*event), "");
  for (int i = 0; i < 3'000; ++i) {
    store_.Put(absl::StrCat("a", i));
    loop_.RunDue();
  }
  const int reads = store_.reads();
  const std::vector<EventPtr> events = ReadUntilIdle(*stream);
  for (const EventPtr& event : events) EXPECT_EQ(view.Apply(*event), "");
  EXPECT_EQ(view.CheckUpto(store_.History(), stream->stream().interest(), 3'000), "");
  EXPECT_GT(store_.reads(), reads);
  // The stream is live again.
  store_.Put("z");
  loop_.RunDue();
  EXPECT_THAT(Texts(stream->Read()), ElementsAre("PUT z@3001"));
}

TEST_F(WatchStreamSlowReaderTest, ReaderTooSlowForLargeResourcesGoesBackToTheLogAndMissesNothing) {
  options_.replay = {};
  const auto stream = Open({});
  View view;
  view.BeginStream(false);
  for (const EventPtr& event : ReadUntilIdle(*stream)) EXPECT_EQ(view.Apply(*event), "");
  store_.padding = 200 << 10;
  for (int i = 0; i < 30; ++i) {
    store_.Put(absl::StrCat("a", i));
    loop_.RunDue();
  }
  for (const EventPtr& event : ReadUntilIdle(*stream)) EXPECT_EQ(view.Apply(*event), "");
  EXPECT_EQ(view.CheckUpto(store_.History(), stream->stream().interest(), 30), "");
  store_.Put("z");
  loop_.RunDue();
  EXPECT_THAT(Texts(stream->Read()), ElementsAre("PUT z@31"));
}

TEST_F(WatchStreamSlowReaderTest, ReaderTooSlowForTheLogStartsOver) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  for (int i = 0; i < 3'000; ++i) {
    store_.Put(absl::StrCat("a", i % 1'100));
    loop_.RunDue();
  }
  store_.CompactUpto(2'500);
  const std::vector<EventPtr> events = ReadUntilIdle(*stream);
  EXPECT_EQ(Text(*events.front()), "RESET COMPACTED");
  EXPECT_EQ(events.size(), 1'102U);
  EXPECT_EQ(Text(*events.back()), "BOOKMARK complete");
}

TEST_F(WatchStreamSlowReaderTest, OverrunHubSendsItsStreamsToTheLog) {
  const auto stream = Open({.ids = {}});
  ReadUntilIdle(*stream);
  for (std::size_t i = 0; i < Hub::kMaxInbox + 10; ++i) store_.Put("a");
  EXPECT_EQ(hub_.overruns(), 1);
  const std::vector<EventPtr> events = ReadUntilIdle(*stream);
  EXPECT_EQ(Text(*events.back()), absl::StrCat("PUT a@", Hub::kMaxInbox + 10));
  store_.Put("a");
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre(absl::StrCat("PUT a@", Hub::kMaxInbox + 11)));
}

// Bookmarks.
using WatchStreamBookmarkTest = WatchStreamTest;

TEST_F(WatchStreamBookmarkTest, BookmarkFollowsSoonAfterTheLastChange) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  store_.Put("a");
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT a@1"));
  loop_.Advance(absl::Seconds(1));
  const std::vector<EventPtr> events = stream->Read();
  EXPECT_THAT(Texts(events), ElementsAre("BOOKMARK"));
  EXPECT_EQ(RevisionOf(events.back()->resume_token(), {}), 1);
  loop_.Advance(absl::Seconds(10));
  EXPECT_THAT(stream->Read(), IsEmpty());
}

TEST_F(WatchStreamBookmarkTest, IdleStreamIsBookmarkedEvery30SecondsUpToOtherResourcesChanges) {
  store_.Put("a", {"x"});
  const WatchRequest request{.filter = {{{"x"}}}};
  const auto stream = Open(request);
  ReadUntilIdle(*stream);
  absl::Time last = loop_.Now();
  for (int i = 0; i < 5; ++i) {
    const store::Revision revision = store_.Put("b", {"y"});
    std::vector<EventPtr> events;
    while (events.empty() && loop_.Now() < last + absl::Seconds(31)) {
      loop_.Advance(absl::Seconds(1));
      events = stream->Read();
    }
    ASSERT_THAT(Texts(events), ElementsAre("BOOKMARK"));
    EXPECT_LE(loop_.Now() - last, absl::Seconds(30));
    EXPECT_EQ(RevisionOf(events[0]->resume_token(), request), revision);
    last = loop_.Now();
  }
}

TEST_F(WatchStreamBookmarkTest, BusyStreamIsBookmarkedEvery30Seconds) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  absl::Time last = loop_.Now();
  int bookmarks = 0;
  for (int i = 0; i < 1'000; ++i) {
    const store::Revision revision = store_.Put("a");
    loop_.Advance(absl::Milliseconds(100));
    for (const EventPtr& event : stream->Read()) {
      if (event->type() != v1::BOOKMARK) continue;
      ++bookmarks;
      EXPECT_LE(loop_.Now() - last, absl::Seconds(30));
      EXPECT_THAT(RevisionOf(event->resume_token(), {}), AllOf(Ge(revision - 1), Le(revision)));
      last = loop_.Now();
    }
  }
  EXPECT_GE(bookmarks, 3);
}

TEST_F(WatchStreamBookmarkTest, BookmarkWithinABacklogCoversOnlyDeliveredEvents) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  store_.Put("a");
  store_.Put("b");
  loop_.RunDue();
  EXPECT_EQ(Text(*stream->Next().event), "PUT a@1");
  store_.Put("c");
  loop_.Advance(absl::Seconds(26));
  // Not behind the backlog, which may take the reader arbitrarily long.
  const Stream::Pulled bookmark = stream->Next();
  EXPECT_EQ(Text(*bookmark.event), "BOOKMARK");
  EXPECT_EQ(RevisionOf(bookmark.event->resume_token(), {}), 0);
  EXPECT_EQ(Text(*stream->Next().event), "PUT b@2");
  EXPECT_EQ(Text(*stream->Next().event), "PUT c@3");
  loop_.Advance(absl::Seconds(5));
  const Stream::Pulled covering = stream->Next();
  EXPECT_EQ(Text(*covering.event), "BOOKMARK");
  EXPECT_EQ(RevisionOf(covering.event->resume_token(), {}), 3);
}

TEST_F(WatchStreamBookmarkTest, SlowReaderWithALongBacklogIsBookmarkedEvery30Seconds) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  for (int i = 0; i < 200; ++i) store_.Put(absl::StrCat("a-", i));
  loop_.RunDue();
  absl::Time last = loop_.Now();
  int bookmarks = 0;
  for (int i = 0; i < 100; ++i) {
    loop_.Advance(absl::Seconds(5));
    const Stream::Pulled pulled = stream->Next();
    ASSERT_NE(pulled.event, nullptr);
    if (pulled.event->type() != v1::BOOKMARK) continue;
    ++bookmarks;
    EXPECT_LE(loop_.Now() - last, absl::Seconds(30));
    EXPECT_EQ(RevisionOf(pulled.event->resume_token(), {}), 0) << "the last safe revision";
    last = loop_.Now();
  }
  EXPECT_GE(bookmarks, 16);
}

TEST_F(WatchStreamBookmarkTest, LongReplayIsBookmarkedOnItsWay) {
  store_.Put("a");
  WatchRequest request;
  request.resume_token = TokenOf(request);
  for (int i = 0; i < 10; ++i) store_.Put("a");
  const auto stream = Open(request);
  stream->Next();
  loop_.RunDue();
  EXPECT_EQ(stream->Read().size(), 4U);
  loop_.Advance(absl::Seconds(26));
  const std::vector<EventPtr> events = stream->Read();
  // Not behind a page, which may take the reader arbitrarily long.
  EXPECT_THAT(Texts(events), ElementsAre("BOOKMARK", "PUT a@6", "PUT a@7", "PUT a@8", "PUT a@9"));
  EXPECT_EQ(RevisionOf(events.front()->resume_token(), request), 5);
}

TEST_F(WatchStreamBookmarkTest, ManyChangesAreBookmarkedWithoutWaitingForATimer) {
  options_.bookmark_changes = 8;
  WatchRequest request;
  request.resume_token = TokenOf(request);
  for (int i = 0; i < 20; ++i) store_.Put(absl::StrCat("a", i));
  // From the log, which is read four changes at a time.
  const auto stream = Open(request);
  std::vector<store::Revision> marked;
  int delivered = 0;
  for (const EventPtr& event : ReadUntilIdle(*stream)) {
    if (event->type() == v1::PUT) ++delivered;
    if (event->type() == v1::BOOKMARK) {
      marked.push_back(RevisionOf(event->resume_token(), request));
      EXPECT_EQ(marked.back(), delivered) << "it covers exactly the delivered events";
    }
  }
  EXPECT_THAT(marked, ElementsAre(8, 16, 20));
  // And live.
  for (int i = 0; i < 10; ++i) store_.Put("b");
  loop_.RunDue();
  EXPECT_EQ(stream->Read().back()->type(), v1::BOOKMARK);
}

TEST_F(WatchStreamBookmarkTest, ClockSetBackDoesNotStopBookmarks) {
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  loop_.Advance(absl::Seconds(20));
  loop_.fake_clock().Advance(-absl::Hours(5));
  // The real loop's timers use steady time. The fake's use its clock, so it is advanced to the old
  // time.
  loop_.Advance(absl::Hours(5) + absl::Seconds(10));
  EXPECT_THAT(Texts(stream->Read()), ElementsAre("BOOKMARK"));
}

// Watches with until_settled.
using WatchStreamUntilSettledTest = WatchStreamTest;

TEST_F(WatchStreamUntilSettledTest, EndsAtOnceWhenNothingIsUnsettled) {
  store_.Put("a", {}, true);
  const auto stream = Open({.until_settled = true});
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT a@1", "BOOKMARK complete"));
  ASSERT_TRUE(stream->end().has_value());
  EXPECT_TRUE(stream->end()->ok());
}

TEST_F(WatchStreamUntilSettledTest, EndsAfterTheLastEventAndABookmark) {
  store_.Put("a", {}, false);
  store_.Put("b", {}, false);
  store_.Put("c", {}, true);
  const WatchRequest request{.ids = {"a", "b", "c"}, .until_settled = true};
  const auto stream = Open(request);
  ReadUntilIdle(*stream);
  store_.Put("a", {}, true);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT a@4"));
  EXPECT_FALSE(stream->end().has_value());
  store_.Put("b", {}, true);
  const std::vector<EventPtr> events = ReadUntilIdle(*stream);
  EXPECT_THAT(Texts(events), ElementsAre("PUT b@5", "BOOKMARK"));
  EXPECT_EQ(RevisionOf(events.back()->resume_token(), request), 5);
  ASSERT_TRUE(stream->end().has_value());
  EXPECT_TRUE(stream->end()->ok());
}

TEST_F(WatchStreamUntilSettledTest, CountsDeletedAndLeftAsSettled) {
  store_.Put("a", {"x"}, false);
  store_.Put("b", {"x"}, false);
  const auto stream = Open({.filter = {{{"x"}}}, .until_settled = true});
  ReadUntilIdle(*stream);
  store_.Delete("a");
  ReadUntilIdle(*stream);
  EXPECT_FALSE(stream->end().has_value());
  store_.Put("b", {"y"}, false);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("DELETE b@4 LEFT_FILTER", "BOOKMARK"));
  EXPECT_TRUE(stream->end().has_value());
}

TEST_F(WatchStreamUntilSettledTest, ByFilterDoesNotWaitForLaterArrivals) {
  store_.Put("a", {}, false);
  const auto stream = Open({.until_settled = true});
  ReadUntilIdle(*stream);
  store_.Put("late", {}, false);
  store_.Put("a", {}, true);
  ReadUntilIdle(*stream);
  EXPECT_TRUE(stream->end().has_value());
}

TEST_F(WatchStreamUntilSettledTest, ByNamesWaitsForAResourceThatBecomesUnsettled) {
  store_.Put("a", {}, false);
  store_.Put("b", {}, true);
  const auto stream = Open({.ids = {"a", "b"}, .until_settled = true});
  ReadUntilIdle(*stream);
  store_.Put("b", {}, false);
  store_.Put("a", {}, true);
  ReadUntilIdle(*stream);
  EXPECT_FALSE(stream->end().has_value());
  store_.Put("b", {}, true);
  ReadUntilIdle(*stream);
  EXPECT_TRUE(stream->end().has_value());
}

TEST_F(WatchStreamUntilSettledTest, ResumedAfterEverythingSettledEndsWhenCaughtUp) {
  store_.Put("a", {}, false);
  for (const bool by_name : {true, false}) {
    WatchRequest request{.until_settled = true};
    if (by_name) request.ids = {"a"};
    store_.Put("a", {}, false);
    request.resume_token = TokenOf(request);
    store_.Put("a", {}, false);
    const store::Revision last = store_.Put("a", {}, true);
    const auto stream = Open(request);
    EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre(absl::StrCat("PUT a@", last - 1),
                                                         absl::StrCat("PUT a@", last), "BOOKMARK"));
    ASSERT_TRUE(stream->end().has_value());
    EXPECT_TRUE(stream->end()->ok());
  }
}

TEST_F(WatchStreamUntilSettledTest, ResumedWaitsForUnsettledResourcesWithoutChanges) {
  const std::vector<std::string> ids = {"a", "b", "c", "d", "e"};
  for (const std::string& last : ids) {  // On any page.
    for (const std::string& id : ids) store_.Put(id, {}, false);
    WatchRequest request{.until_settled = true};
    request.resume_token = TokenOf(request);
    for (const std::string& id : ids) {
      if (id != last) store_.Put(id, {}, true);
    }
    const auto stream = Open(request);
    ReadUntilIdle(*stream);
    EXPECT_FALSE(stream->end().has_value()) << last;
    store_.Put(last, {}, true);
    ReadUntilIdle(*stream);
    EXPECT_TRUE(stream->end().has_value()) << last;
  }
}

TEST_F(WatchStreamUntilSettledTest, CountsAnIdCreatedAgainAsALaterArrival) {
  WatchRequest request{.until_settled = true};
  for (const bool resumed : {false, true}) {
    SCOPED_TRACE(resumed);
    for (const char* id : {"a", "b", "c", "d", "e"}) store_.Put(id, {}, false);
    if (resumed) request.resume_token = TokenOf(request);
    BeforeRead(2, [&] {
      for (const char* id : {"e", "a"}) {  // In the first page, and in the second.
        store_.Delete(id);
        store_.Put(id, {}, false);
      }
    });
    const auto stream = Open(request);
    ReadUntilIdle(*stream);
    for (const char* id : {"b", "c", "d"}) {
      EXPECT_FALSE(stream->end().has_value()) << id;
      store_.Put(id, {}, true);
      ReadUntilIdle(*stream);
    }
    ASSERT_TRUE(stream->end().has_value());
    EXPECT_TRUE(stream->end()->ok());
    for (const char* id : {"a", "b", "c", "d", "e"}) store_.Delete(id);
  }
}

TEST_F(WatchStreamUntilSettledTest, ResumedIgnoresTheDeletionOfAnEarlierRowOfTheId) {
  store_.Put("a", {}, false);
  WatchRequest request{.until_settled = true};
  request.resume_token = TokenOf(request);
  store_.Delete("a");
  store_.Put("a", {}, false);
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("DELETE a@2 DELETED", "PUT a@3", "BOOKMARK"));
  EXPECT_FALSE(stream->end().has_value());
  store_.Put("a", {}, true);
  ReadUntilIdle(*stream);
  EXPECT_TRUE(stream->end().has_value());
}

TEST_F(WatchStreamUntilSettledTest, ResumedIgnoresAnOlderSettledState) {
  store_.Put("a", {}, false);
  WatchRequest request{.until_settled = true};
  request.resume_token = TokenOf(request);
  store_.Put("a", {}, true);
  store_.Put("a", {}, false);
  const auto stream = Open(request);
  EXPECT_THAT(ReadTextsUntilIdle(*stream), ElementsAre("PUT a@2", "PUT a@3", "BOOKMARK"));
  EXPECT_FALSE(stream->end().has_value());
}

// How streams end.
using WatchStreamEndTest = WatchStreamTest;

TEST_F(WatchStreamEndTest, DrainEndsWithALastBookmarkAndARetryDelay) {
  store_.Put("a");
  const auto stream = Open({});
  ReadUntilIdle(*stream);
  store_.Put("a");
  store_.Put("b");
  loop_.RunDue();
  EXPECT_EQ(Text(*stream->Next().event), "PUT a@2");
  watches().Drain();
  loop_.RunDue();
  const std::vector<EventPtr> events = stream->Read();
  ASSERT_THAT(Texts(events), ElementsAre("BOOKMARK"));
  EXPECT_EQ(RevisionOf(events[0]->resume_token(), {}), 1);
  ASSERT_TRUE(stream->end().has_value());
  EXPECT_EQ(stream->end()->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::ReasonOf(*stream->end()), v1::DRAINING);
  EXPECT_TRUE(base::RetryDelayOf(base::ToRpcStatus(*stream->end())).has_value());
  EXPECT_TRUE(stream->Next().end.has_value());
}

TEST_F(WatchStreamEndTest, DrainOfAnIdleStreamGivesATokenUpToTheHead) {
  const WatchRequest request{.filter = {{{"x"}}}};
  const auto stream = Open(request);
  ReadUntilIdle(*stream);
  const int ready = stream->reader().ready();
  store_.Put("a", {"y"});
  loop_.RunDue();
  watches().Drain();
  EXPECT_EQ(stream->reader().ready(), ready + 1);
  const std::vector<EventPtr> events = stream->Read();
  ASSERT_THAT(Texts(events), ElementsAre("BOOKMARK"));
  EXPECT_EQ(RevisionOf(events[0]->resume_token(), request), 1);
}

TEST_F(WatchStreamEndTest, DrainInsideASnapshotGivesNoToken) {
  for (const char* id : {"a", "b", "c", "d"}) store_.Put(id);
  const auto stream = Open({});
  stream->Next();
  loop_.RunDue();
  EXPECT_EQ(Text(*stream->Next().event), "RESET FRESH");
  watches().Drain();
  EXPECT_THAT(stream->Read(), IsEmpty());
  EXPECT_EQ(base::ReasonOf(*stream->end()), v1::DRAINING);
}

TEST_F(WatchStreamEndTest, StreamOpenedWhileDrainingEndsAtOnce) {
  watches().Drain();
  const auto stream = Open({});
  EXPECT_THAT(stream->Read(), IsEmpty());
  EXPECT_EQ(base::ReasonOf(*stream->end()), v1::DRAINING);
}

TEST_F(WatchStreamEndTest, StreamStaysOpenWhileTheStoreIsUnavailable) {
  store_.Put("a");
  store_.FailReads(absl::UnavailableError("away"));
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), IsEmpty());
  loop_.Advance(absl::Minutes(2));
  EXPECT_THAT(ReadTextsUntilIdle(*stream), IsEmpty());
  EXPECT_FALSE(stream->end().has_value());
  EXPECT_LE(store_.reads(), 40);
  store_.FailReads(absl::OkStatus());
  loop_.Advance(absl::Seconds(5));
  EXPECT_THAT(ReadTextsUntilIdle(*stream),
              ElementsAre("RESET FRESH", "PUT a@1", "BOOKMARK complete"));
}

TEST_F(WatchStreamEndTest, StoreThatFailsForGoodEndsTheStream) {
  store_.FailReads(absl::DataLossError("torn"));
  const auto stream = Open({});
  EXPECT_THAT(ReadTextsUntilIdle(*stream), IsEmpty());
  ASSERT_TRUE(stream->end().has_value());
  EXPECT_EQ(stream->end()->code(), absl::StatusCode::kDataLoss);
}

TEST_F(WatchStreamEndTest, ClosedStreamIsForgottenInEveryStep) {
  for (const char* id : {"a", "b", "c", "d"}) store_.Put(id);
  for (int steps = 0; steps < 6; ++steps) {
    const auto stream = Open({});
    std::weak_ptr<Stream> weak = stream->stream().weak_from_this();
    for (int i = 0; i < steps; ++i) {
      stream->Read();
      if (i % 2 == 1) loop_.RunDue();
    }
    const int ready = stream->reader().ready();
    stream->stream().Close();
    stream->stream().Close();
    store_.Put("a");
    loop_.RunDue();
    EXPECT_EQ(stream->reader().ready(), ready);
    EXPECT_EQ(watches().open_streams(), 0U);
    EXPECT_TRUE(stream->Next().end.has_value());
  }
}

TEST_F(WatchStreamEndTest, ClosedStreamIsDestroyed) {
  std::weak_ptr<Stream> weak;
  {
    const auto stream = Open({.ids = {}});
    ReadUntilIdle(*stream);
    weak = stream->stream().weak_from_this();
    EXPECT_FALSE(weak.expired());
  }
  loop_.RunDue();
  EXPECT_TRUE(weak.expired());
}

}  // namespace
}  // namespace assetgate::watch
