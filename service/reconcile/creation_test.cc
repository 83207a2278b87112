// Requests that come twice, ids that are taken, and batches.
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::reconcile {
namespace {

TEST(CreationTest, DuplicateInFlightGetsTheSameAnswer) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  const auto second = harness.Create(request);
  EXPECT_FALSE(second.has());
  harness.AnswerNext(200, "id=up-1 state=queued");
  ASSERT_TRUE(first.has() && second.has());
  EXPECT_EQ(first->name(), second->name());
  EXPECT_EQ(second->state(), v1::VideoTask::QUEUED);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(CreationTest, ConcurrentDuplicatesCreateOneTask) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  Answer<v1::VideoTask> first;
  Answer<v1::VideoTask> second;
  harness.gateway().CreateVideoTask(calls::Caller(), request, first.reply());
  harness.gateway().CreateVideoTask(calls::Caller(), request, second.reply());
  harness.Run();
  EXPECT_EQ(harness.http().sent(), 1u);
  harness.AnswerNext(400, "no");
  EXPECT_EQ(base::ReasonOf(first.status()), v1::PROVIDER_INVALID_ARGUMENT);
  EXPECT_EQ(base::ReasonOf(second.status()), v1::PROVIDER_INVALID_ARGUMENT);
}

// Duplicates get the answer of the first request, whether they come while its intent is being
// committed or while the call to the provider is in flight.
template <typename Request>
void ExpectDuplicatesToldTheSame(Request request, int status, const std::string& body,
                                 std::size_t calls, Harness::Options options = {}) {
  SCOPED_TRACE(absl::StrCat(request.GetTypeName(), " HTTP ", status));
  Harness harness(std::move(options));
  request.set_request_id("r-1");
  using Reply = decltype(harness.Create(request));
  Reply first;
  Reply together;
  const auto create = [&](const Reply& answer) {
    if constexpr (std::is_same_v<Request, v1::CreateAssetGroupRequest>) {
      harness.gateway().CreateAssetGroup(calls::Caller(), request, Reply(answer).reply());
    } else if constexpr (std::is_same_v<Request, v1::CreateAssetRequest>) {
      harness.gateway().CreateAsset(calls::Caller(), request, Reply(answer).reply());
    } else if constexpr (std::is_same_v<Request, v1::BatchCreateAssetsRequest>) {
      harness.gateway().BatchCreateAssets(calls::Caller(), request, Reply(answer).reply());
    } else {
      harness.gateway().CreateVideoTask(calls::Caller(), request, Reply(answer).reply());
    }
  };
  create(first);
  create(together);
  harness.Run();
  const Reply in_flight = harness.Create(request);
  EXPECT_FALSE(first.has() || together.has() || in_flight.has());
  EXPECT_EQ(harness.http().pending(), calls) << "sent once each";
  for (std::size_t i = 0; i < calls; ++i) harness.AnswerNext(status, body);
  ASSERT_TRUE(first.has() && together.has() && in_flight.has());
  for (const Reply& duplicate : {together, in_flight}) {
    EXPECT_EQ(duplicate.status().ToString(), first.status().ToString());
    EXPECT_EQ(base::ToRpcStatus(duplicate.status()).SerializeAsString(),
              base::ToRpcStatus(first.status()).SerializeAsString());
    if (first.get().ok()) {
      EXPECT_EQ(duplicate->SerializeAsString(), first->SerializeAsString());
    }
  }
  EXPECT_EQ(harness.http().sent(), calls);
}

TEST(CreationTest, DuplicatesOfEveryKindGetTheFirstAnswer) {
  for (const auto& [status, body] :
       {std::pair<int, std::string>{200, "id=up-1 state=done"}, {400, "no"}}) {
    ExpectDuplicatesToldTheSame(Harness::Asset("hero", {"alpha"}), status, body, 1);
    v1::CreateVideoTaskRequest video = Harness::Video("fox");
    ExpectDuplicatesToldTheSame(video, status, body, 1);
    v1::CreateAssetGroupRequest group;
    group.set_asset_group_id("cast");
    group.mutable_asset_group()->set_display_name("cast");
    group.add_providers("providers/alpha");
    Harness::Options native;
    native.alpha.native_groups = true;
    ExpectDuplicatesToldTheSame(group, status, body, 1, native);
    v1::BatchCreateAssetsRequest batch;
    for (const char* id : {"one", "two"}) *batch.add_requests() = Harness::Asset(id, {"alpha"});
    ExpectDuplicatesToldTheSame(batch, status, body, 2);
  }
}

TEST(CreationTest, DuplicateAfterARestartFindsTheTask) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  harness.AnswerNext(200, "id=up-1 state=done");
  harness.Restart();
  request.mutable_max_wait()->set_seconds(3);  // how long to wait is not what to do
  const auto second = harness.Create(request);
  ASSERT_TRUE(second.has());
  ASSERT_TRUE(second.get().ok()) << second.status();
  EXPECT_EQ(second->name(), first->name());
  EXPECT_EQ(harness.http().sent(), 0u);
}

// The commit finds a request id that is taken: with a database a millisecond away, a look before it
// would cost more than all the rest.
TEST(CreationTest, NewRequestCausesNoLookUp) {
  Harness harness;
  v1::CreateVideoTaskRequest video = Harness::Video();
  v1::CreateAssetRequest asset = Harness::Asset("hero", {"alpha"});
  v1::CreateAssetGroupRequest group;
  group.mutable_asset_group()->set_display_name("cast");
  v1::BatchCreateAssetsRequest batch;
  *batch.add_requests() = Harness::Asset("one", {"alpha"});
  const auto create_all = [&] {
    harness.Create(video);
    harness.Create(asset);
    harness.Create(group);
    harness.Create(batch);
  };
  for (auto* id : {video.mutable_request_id(), asset.mutable_request_id(),
                   group.mutable_request_id(), batch.mutable_request_id()}) {
    *id = "r-1";
  }
  create_all();
  EXPECT_EQ(harness.http().sent(), 3u);
  EXPECT_EQ(harness.store().found_requests, 0);
  // A repetition is not looked up either.
  video.mutable_max_wait()->set_seconds(5);
  harness.Create(video);
  EXPECT_EQ(harness.store().found_requests, 0);
  EXPECT_EQ(harness.http().sent(), 3u);
}

TEST(CreationTest, DuplicateIsAnsweredEvenIfTheRequestIsInvalidNow) {
  Harness::Options options;
  Harness harness(options);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.add_providers("providers/alpha");
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  harness.AnswerNext(200, "id=up-1 state=done");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  const auto expect_first = [&] {
    const auto again = harness.Create(request);
    ASSERT_TRUE(again.has() && again.get().ok()) << again.status();
    EXPECT_EQ(again->name(), first->name());
    v1::CreateVideoTaskRequest other = request;
    other.mutable_video_task()->set_prompt("a wolf");
    EXPECT_EQ(base::ReasonOf(harness.Create(other).status()), v1::REQUEST_ID_REUSED);
  };
  expect_first();  // Its name is taken, and in memory.
  harness.Advance(absl::Minutes(1));
  expect_first();  // In the store.
  options.has_alpha = false;
  options.settings.max_unfinished = 0;
  harness.Reconfigure(options);
  expect_first();  // It cannot be routed.
  options.has_alpha = true;
  harness.Reconfigure(options);
  expect_first();  // There is no room for it.
}

TEST(CreationTest, DuplicateWithAnotherBodyIsRefused) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  harness.Create(request);
  request.mutable_video_task()->set_prompt("a wolf");
  const auto reused = harness.Create(request);
  EXPECT_EQ(reused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(base::ReasonOf(reused.status()), v1::REQUEST_ID_REUSED);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(CreationTest, ExistingIdIsRefused) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(harness.Create(Harness::Video("fox")).status()), v1::RESOURCE_EXISTS);
  harness.AnswerNext(200, "id=up-1 state=done");
  harness.Advance(absl::Minutes(1));
  // Out of memory by now, and in the store.
  EXPECT_EQ(base::ReasonOf(harness.Create(Harness::Video("fox")).status()), v1::RESOURCE_EXISTS);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(CreationTest, BatchContinuesWithoutTheIdThatIsTaken) {
  Harness harness;
  harness.Create(Harness::Asset("two", {}));
  v1::BatchCreateAssetsRequest batch;
  for (const char* id : {"one", "two", "three"}) *batch.add_requests() = Harness::Asset(id, {});
  batch.set_request_id("r-1");
  const auto check = [](const Answer<v1::BatchCreateAssetsResponse>& answer) {
    ASSERT_TRUE(answer.has());
    ASSERT_TRUE(answer.get().ok()) << answer.status();
    ASSERT_EQ(answer->results_size(), 3);
    EXPECT_EQ(answer->results(0).asset().name(), "assets/one");
    EXPECT_EQ(base::ReasonOf(answer->results(1).error()), v1::RESOURCE_EXISTS);
    EXPECT_EQ(answer->results(2).asset().name(), "assets/three");
  };
  check(harness.Create(batch));
  // The same request gets the same answer, later as well.
  check(harness.Create(batch));
  harness.Restart();
  check(harness.Create(batch));
}

TEST(CreationTest, CommandForATaskWhoseCreationFailsIsAnswered) {
  Harness harness;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  Answer<v1::VideoTask> created;
  Answer<v1::VideoTask> cancelled;
  harness.gateway().CreateVideoTask(calls::Caller(), Harness::Video("fox"), created.reply());
  v1::CancelVideoTaskRequest cancel;
  cancel.set_name("videoTasks/fox");
  harness.gateway().CancelVideoTask(calls::Caller(), cancel, cancelled.reply());
  harness.Run();
  EXPECT_EQ(base::ReasonOf(created.status()), v1::STORE_UNAVAILABLE);
  EXPECT_EQ(base::ReasonOf(cancelled.status()), v1::RESOURCE_NOT_FOUND);
}

}  // namespace
}  // namespace assetgate::reconcile
