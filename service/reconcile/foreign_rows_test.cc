// Rows of a later release, and what cannot be stored or read: left alone, and in nobody's way.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr int kOfALaterRelease = 77;

TEST(ForeignRowsTest, TaskWithAStateOfALaterReleaseIsNotTouched) {
  using Edit = std::function<void(model::VideoEntity&)>;
  const std::vector<Edit> edits = {
      [](model::VideoEntity& entity) {
        entity.resource.set_state(static_cast<v1::VideoTask::State>(kOfALaterRelease));
      },
      [](model::VideoEntity& entity) {
        entity.resource.mutable_attempts(0)->set_state(
            static_cast<v1::Attempt::State>(kOfALaterRelease));
      },
      [](model::VideoEntity& entity) {
        entity.resource.mutable_attempts(0)->set_billing(
            static_cast<v1::Attempt::Billing>(kOfALaterRelease));
      },
      // Nor what does not fit together.
      [](model::VideoEntity& entity) { entity.record.clear_units(); },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    for (const bool accepted : {false, true}) {
      SCOPED_TRACE(absl::StrCat(i, accepted ? " accepted" : " in doubt"));
      Harness harness(WithKeys());
      harness.Create(VideoWithRequestId("fox"));
      harness.AnswerNext(accepted ? 200 : 502, accepted ? "id=up-1 state=running" : "");
      Rewrite<model::VideoEntity>(harness, "fox", edits[i]);
      const v1::VideoTask before = harness.Task("fox");
      for (const absl::Status& status :
           {harness.Cancel("fox").status(),
            harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true)).status(),
            harness.Resolve(Harness::Accepted("fox", "up-1")).status(),
            harness.DeleteVideo("fox").status()}) {
        EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
        EXPECT_EQ(base::ReasonOf(status), v1::WRITTEN_BY_LATER_RELEASE) << status;
      }
      harness.Advance(absl::Hours(30));
      EXPECT_EQ(harness.http().sent(), 0u);
      EXPECT_EQ(harness.Task("fox").SerializeAsString(), before.SerializeAsString());
      EXPECT_EQ(harness.Provider("alpha").unfinished_attempts(), 0);
      // A repetition of the call that made it is answered with what is there.
      const auto again = harness.Create(VideoWithRequestId("fox"));
      harness.Advance(absl::Seconds(15));
      ASSERT_TRUE(again.has());
      EXPECT_TRUE(again.get().ok()) << again.status();
      EXPECT_EQ(harness.http().sent(), 0u);
    }
  }
}

TEST(ForeignRowsTest, AssetWithAStateOfALaterReleaseIsNotTouched) {
  for (const bool placement : {false, true}) {
    SCOPED_TRACE(placement);
    Harness harness;
    v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
    request.mutable_max_wait()->set_seconds(0);
    harness.Create(request);
    harness.AnswerNext(429);
    Rewrite<model::AssetEntity>(harness, "hero", [&](model::AssetEntity& entity) {
      if (placement) {
        entity.resource.mutable_placements(0)->set_state(
            static_cast<v1::Placement::State>(kOfALaterRelease));
      } else {
        entity.resource.set_state(static_cast<v1::Asset::State>(kOfALaterRelease));
      }
    });
    const v1::Asset before = harness.AssetNow("hero");
    EXPECT_EQ(base::ReasonOf(harness.DeleteAsset("hero").status()), v1::WRITTEN_BY_LATER_RELEASE);
    // What needs it waits.
    v1::CreateVideoTaskRequest video = VideoWithRequestId("fox");
    v1::Reference& reference = *video.mutable_video_task()->add_references();
    reference.set_role(v1::Reference::REFERENCE);
    reference.set_asset("assets/hero");
    harness.Create(video);
    EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::ASSET_PROCESSING);
    harness.Advance(absl::Hours(1));
    EXPECT_EQ(harness.http().sent(), 0u);
    EXPECT_EQ(harness.AssetNow("hero").SerializeAsString(), before.SerializeAsString());
  }
}

TEST(ForeignRowsTest, GroupWithAStateOfALaterReleaseIsNotTouched) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_max_wait()->set_seconds(0);
  harness.Create(request);
  harness.AnswerNext(200, "id=g-1 state=running");
  Rewrite<model::GroupEntity>(harness, "default-alpha", [](model::GroupEntity& entity) {
    entity.resource.mutable_placements(0)->set_state(
        static_cast<v1::Placement::State>(kOfALaterRelease));
  });
  EXPECT_EQ(base::ReasonOf(harness.DeleteGroup("default-alpha").status()),
            v1::WRITTEN_BY_LATER_RELEASE);
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 0u);
}

// The bytes of a text that is not UTF-8: a row with it could be written, and read by nobody.
constexpr char kNotUtf8[] = "\xff";

// Whether the stored row can be read again.
bool IsReadable(Harness& harness, const store::Key& key) {
  const auto row = harness.store().Get(key);
  return row.ok() && row->has_value() && model::ReadsBack(key.kind, (*row)->content);
}

TEST(ForeignRowsTest, AcceptanceThatCannotBeStoredEndsTheTaskWithoutAnotherSubmission) {
  Harness harness(WithKeys());
  const auto created = harness.Create(VideoWithRequestId("fox"));
  harness.AnswerNext(200, absl::StrCat("id=up-", kNotUtf8, " state=running"));
  harness.Advance(absl::Seconds(15));
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status() << ": it may be billed, so it stays";
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    if (restarted) harness.Restart();
    harness.Advance(absl::Hours(30));
    EXPECT_TRUE(IsReadable(harness, {model::kDefaultTenant, store::Kind::kVideoTask, "fox"}));
    const v1::VideoTask task = harness.Task("fox");
    EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
    EXPECT_EQ(base::ReasonOf(task.error()), v1::INTERNAL_ERROR);
    EXPECT_THAT(task.error().message(), HasSubstr("not UTF-8"));
    ASSERT_EQ(task.attempts_size(), 1);
    EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
    EXPECT_EQ(harness.http().sent(), restarted ? 0u : 1u);
  }
  EXPECT_THAT(harness.telemetry().warnings, Contains(HasSubstr("not committed")));
}

TEST(ForeignRowsTest, PlacementThatCannotBeStoredFailsAloneAtItsProvider) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha", "beta"}));
  harness.AnswerNext(200, absl::StrCat("id=up-", kNotUtf8, " state=done"));
  harness.AnswerNext(200, "id=up-2 state=done");
  harness.Advance(absl::Minutes(2));
  EXPECT_TRUE(IsReadable(harness, {model::kDefaultTenant, store::Kind::kAsset, "hero"}));
  const v1::Asset asset = harness.AssetNow("hero");
  EXPECT_EQ(asset.state(), v1::Asset::ACTIVE);
  ASSERT_EQ(asset.placements_size(), 2);
  EXPECT_EQ(asset.placements(0).state(), v1::Placement::FAILED);
  EXPECT_EQ(base::ReasonOf(asset.placements(0).error()), v1::INTERNAL_ERROR);
  EXPECT_EQ(asset.placements(1).provider_asset_id(), "up-2");
  EXPECT_EQ(harness.http().sent(), 2u);
}

// As no call of gRPC brings it, which checks its texts.
TEST(ForeignRowsTest, BatchItemThatCannotBeStoredFailsAlone) {
  Harness harness;
  v1::BatchCreateAssetsRequest request;
  *request.add_requests() = Harness::Asset("odd", {"alpha"});
  *request.add_requests() = Harness::Asset("fine", {"alpha"});
  request.mutable_requests(0)->mutable_asset()->set_display_name(kNotUtf8);
  const auto created = harness.Create(request);
  harness.AnswerNext(200, "id=up-1 state=done");
  harness.Advance(absl::Seconds(15));
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  ASSERT_EQ(created->results_size(), 2);
  EXPECT_EQ(base::ReasonOf(created->results(0).error()), v1::INTERNAL_ERROR);
  EXPECT_EQ(created->results(1).asset().name(), "assets/fine");
  EXPECT_FALSE(harness.StoredAsset("odd").has_value());
  EXPECT_EQ(harness.AssetNow("fine").state(), v1::Asset::ACTIVE);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(ForeignRowsTest, UnreadableRowIsSkippedAndHidesNoOther) {
  for (const bool record_alone : {false, true}) {
    SCOPED_TRACE(record_alone);
    Harness harness(WithKeys());
    harness.Create(Harness::Video("other"));
    harness.AnswerNext(200, "id=up-0 state=done");
    harness.Create(VideoWithRequestId("fox"));
    harness.AnswerNext(502);
    const store::Key key{model::kDefaultTenant, store::Kind::kVideoTask, "fox"};
    store::Content damaged;
    RewriteRow(harness, key, [&](store::Content& content) {
      ASSERT_TRUE(content.unfinished);
      (record_alone ? content.internal : content.resource) = kNotUtf8;
      damaged = content;
    });
    harness.Advance(absl::Hours(30));
    EXPECT_EQ(harness.http().sent(), 0u);
    for (const absl::Status& status :
         {harness.Cancel("fox").status(), harness.DeleteVideo("fox").status(),
          harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true)).status()}) {
      EXPECT_FALSE(status.ok());
    }
    const auto row = harness.store().Get(key);
    ASSERT_TRUE(row.ok() && row->has_value());
    EXPECT_EQ((*row)->content.resource, damaged.resource) << "it is left as it is";
    EXPECT_EQ((*row)->content.internal, damaged.internal);

    v1::GetVideoTaskRequest get;
    get.set_name("videoTasks/fox");
    const auto got = harness.gateway().GetVideoTask(calls::Caller(), get);
    std::vector<std::string> listed;
    const auto page =
        harness.gateway().ListVideoTasks(calls::Caller(), v1::ListVideoTasksRequest());
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::VideoTask& task : page->video_tasks()) listed.push_back(task.name());
    harness.Run();
    if (record_alone) {
      // What callers see of it can be read.
      EXPECT_TRUE(got.ok()) << got.status();
      EXPECT_THAT(listed, UnorderedElementsAre("videoTasks/fox", "videoTasks/other"));
      continue;
    }
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInternal);
    EXPECT_EQ(base::ReasonOf(got.status()), v1::INTERNAL_ERROR);
    EXPECT_THAT(std::string(got.status().message()), HasSubstr("cannot be read"));
    EXPECT_THAT(listed, ElementsAre("videoTasks/other"));
    EXPECT_THAT(harness.telemetry().unreadable, Contains("videoTasks/fox"));
  }
}

}  // namespace
}  // namespace assetgate::reconcile
