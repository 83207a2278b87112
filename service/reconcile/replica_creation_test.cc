// Several gateways over one store: requests that come twice.
#include <string>

#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/replicas.h"

namespace assetgate::reconcile {
namespace {

using testing::HasSubstr;

TEST(ReplicaCreationTest, RepetitionElsewhereWaitsForTheFirstAnswerAndGetsIt) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  const auto second = replicas.Create(kB, request);
  EXPECT_FALSE(first.has());
  EXPECT_FALSE(second.has());
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(second->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaCreationTest, RepetitionsThatCollideInTheStoreCreateOneTask) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  Answer<v1::VideoTask> first;
  Answer<v1::VideoTask> second;
  // Both have looked, and found the request id free.
  replicas.gateway(kA).CreateVideoTask(calls::Caller(), request, first.reply());
  replicas.gateway(kB).CreateVideoTask(calls::Caller(), request, second.reply());
  replicas.Run();
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(second->name(), first->name());
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaCreationTest, RepetitionOfARequestRefusedElsewhereRunsOnItsOwn) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  const auto second = replicas.Create(kB, request);
  replicas.AnswerNext(kA, 422, "no");
  EXPECT_TRUE(absl::IsInvalidArgument(first.status())) << first.status();
  EXPECT_FALSE(second.has());
  // The id is free, so the repetition is the first now.
  replicas.AnswerNext(kB, 200, "id=up-1 state=running");
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
  const auto third = replicas.Create(kA, request);
  ASSERT_TRUE(third.has() && third.get().ok()) << third.status();
}

TEST(ReplicaCreationTest, RepetitionThatIsAlsoRefusedFails) {
  Replicas replicas(2);
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  const auto second = replicas.Create(kB, request);
  replicas.AnswerNext(kA, 422, "no");
  replicas.AnswerNext(kB, 422, "not here either");
  EXPECT_TRUE(absl::IsInvalidArgument(first.status())) << first.status();
  ASSERT_TRUE(second.has());
  EXPECT_TRUE(absl::IsInvalidArgument(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("not here either"));
  EXPECT_FALSE(replicas.StoredAsset("hero").has_value());
}

TEST(ReplicaCreationTest, RepetitionOfABatchRefusedAndDeletedElsewhereFails) {
  Replicas replicas(2);
  v1::BatchCreateAssetsRequest request;
  request.set_request_id("r-1");
  for (const char* id : {"a", "b"}) *request.add_requests() = Harness::Asset(id, {"alpha"});
  Answer<v1::BatchCreateAssetsResponse> first;
  replicas.gateway(kA).BatchCreateAssets(calls::Caller(), request, first.reply());
  replicas.Run();
  Answer<v1::BatchCreateAssetsResponse> second;
  replicas.gateway(kB).BatchCreateAssets(calls::Caller(), request, second.reply());
  replicas.Run();
  replicas.AnswerNext(kA, 422, "no");
  replicas.AnswerNext(kA, 200, "id=up-2 state=done");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(base::ReasonOf(second->results(0).error()), v1::RESOURCE_NOT_FOUND);
  EXPECT_EQ(second->results(1).asset().state(), v1::Asset::ACTIVE);
}

TEST(ReplicaCreationTest, ResourceReturnedToARepetitionElsewhereIsNotDeleted) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  request.mutable_max_wait()->set_seconds(1);
  const auto second = replicas.Create(kB, request);
  replicas.Advance(absl::Seconds(2));
  EXPECT_FALSE(first.has());
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(second->state(), v1::VideoTask::PENDING);
  // B's caller relies on it: it fails instead of going away.
  replicas.AnswerNext(kA, 422, "no");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::FAILED);
}

TEST(ReplicaCreationTest, RepetitionDoesNotReturnAResourceBeingDeleted) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  request.mutable_max_wait()->set_seconds(1);
  const auto second = replicas.Create(kB, request);
  // A commits the refusal; B's time is up before it hears of that.
  replicas.Pause(kB);
  replicas.AnswerNext(kA, 422, "no");
  ASSERT_FALSE(first.get().ok());
  replicas.Skip(absl::Seconds(2));
  replicas.loop(kB).RunDue();
  EXPECT_FALSE(second.has());
  replicas.Wake(kB);
  replicas.Run();
  // It was carried out again, and answered as it then stood.
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(replicas.http(kB).pending(), 1u);
}

TEST(ReplicaCreationTest, CreatorThatLosesTheLeaseStillAnswers) {
  Replicas replicas(2);
  const auto created = replicas.Create(kA, Harness::Video("fox"));
  replicas.MoveAll(kA, kB);
  replicas.Run();
  replicas.AnswerNext(kA, 422, "no");
  // Another gateway has it: it stays, and shows what became of it.
  ASSERT_TRUE(created.has() && created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::FAILED);
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::FAILED);
}

}  // namespace
}  // namespace assetgate::reconcile
