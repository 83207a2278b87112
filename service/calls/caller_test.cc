#include "calls/caller.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "google/protobuf/struct.pb.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

// A caller that may use these providers alone.
Caller LimitedTo(std::set<std::string> providers) {
  Caller caller;
  caller.providers = std::make_shared<const std::set<std::string>>(std::move(providers));
  return caller;
}

TEST(AllowedProvidersTest, CommandsAndExplanationsNeedTheRightToUseAllProvidersOfTheResource) {
  struct Row {
    std::set<std::string> usable;
    bool allowed;
  };
  for (const Row& row :
       {Row{{"alpha", "beta"}, true}, Row{{"alpha"}, true}, Row{{"beta"}, false}, Row{{}, false}}) {
    SCOPED_TRACE(row.usable.size());
    const Caller caller = LimitedTo(row.usable);
    reconcile::Harness::Options options;
    options.film_targets = {"alpha"};
    reconcile::Harness harness(options);
    // `otherwise`: why it fails where it is allowed.
    const auto run = [&](auto call, const auto& request, auto response,
                         v1::ErrorReason otherwise = v1::ERROR_REASON_UNSPECIFIED) {
      std::optional<absl::StatusOr<decltype(response)>> answer;
      (harness.gateway().*call)(caller, request, [&](absl::StatusOr<decltype(response)> given) {
        answer = std::move(given);
      });
      harness.Run();
      ASSERT_TRUE(answer.has_value());
      const absl::Status status = answer->status();
      if (!row.allowed) {
        EXPECT_EQ(base::ReasonOf(status), v1::NOT_ALLOWED) << status;
        EXPECT_EQ(status.ToString().find("alpha"), std::string::npos) << status;
      } else if (otherwise != v1::ERROR_REASON_UNSPECIFIED) {
        EXPECT_EQ(base::ReasonOf(status), otherwise) << status;
      } else {
        EXPECT_TRUE(status.ok()) << status;
      }
    };
    v1::CreateAssetRequest asset = reconcile::Harness::Asset("hero", {"alpha"});
    asset.mutable_max_wait()->set_seconds(0);
    const auto placed = harness.Create(asset);
    harness.AnswerNext(400, "{}");
    v1::CreateVideoTaskRequest video = reconcile::Harness::Video("fox");
    video.mutable_max_wait()->set_seconds(0);
    const auto made = harness.Create(video);
    harness.AnswerNext(400, "{}");
    ASSERT_TRUE(placed.has() && made.has());

    v1::ExplainRequest explain;
    explain.set_name("videoTasks/fox");
    run(&ProviderCalls::Explain, explain, v1::Explanation());
    v1::CancelVideoTaskRequest cancel;
    cancel.set_name("videoTasks/fox");
    run(&VideoCalls::CancelVideoTask, cancel, v1::VideoTask(), v1::ALREADY_FINISHED);
    run(&VideoCalls::ResolveVideoTask, reconcile::Harness::Accepted("fox", "up-1"), v1::VideoTask(),
        v1::ALREADY_FINISHED);
    v1::DeleteVideoTaskRequest remove_video;
    remove_video.set_name("videoTasks/fox");
    run(&VideoCalls::DeleteVideoTask, remove_video, v1::DeleteVideoTaskResponse());
    v1::DeleteAssetRequest remove_asset;
    remove_asset.set_name("assets/hero");
    run(&AssetCalls::DeleteAsset, remove_asset, v1::DeleteAssetResponse());
    EXPECT_EQ(harness.StoredAsset("hero").has_value(), !row.allowed);
    EXPECT_EQ(harness.StoredVideo("fox").has_value(), !row.allowed);
  }
}

TEST(AllowedProvidersTest,
     OptionsForAProviderThatTheCallerMayNotUseAreNotAllowedAndNameNoProvider) {
  reconcile::Harness harness;
  v1::CreateAssetRequest request = reconcile::Harness::Asset("hero", {});
  for (const char* id : {"alpha", "unknown"}) {
    SCOPED_TRACE(id);
    request.mutable_asset()->clear_provider_options();
    (*request.mutable_asset()->mutable_provider_options())[id] = google::protobuf::Struct();
    std::optional<absl::Status> status;
    harness.gateway().CreateAsset(LimitedTo({"beta"}), request,
                                  [&](const absl::StatusOr<v1::Asset>& a) { status = a.status(); });
    harness.Run();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(base::ReasonOf(*status), v1::NOT_ALLOWED);
    EXPECT_EQ(status->ToString().find("beta"), std::string::npos) << *status;
  }
}

TEST(AnswerByTest, IsTheEarliestOfTheWaitItsMaximumAndTheDeadlineLessAMargin) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  model::Settings settings;
  settings.default_max_wait = absl::Seconds(10);
  settings.max_wait_limit = absl::Seconds(60);
  Caller caller;
  EXPECT_EQ(AnswerBy(settings, caller, now, std::nullopt), now + absl::Seconds(10));
  EXPECT_EQ(AnswerBy(settings, caller, now, absl::Seconds(3)), now + absl::Seconds(3));
  EXPECT_EQ(AnswerBy(settings, caller, now, absl::Seconds(90)), now + absl::Seconds(60));
  caller.deadline = now + absl::Seconds(2);
  EXPECT_EQ(AnswerBy(settings, caller, now, absl::Seconds(3)),
            now + absl::Seconds(2) - kDeadlineMargin);
}

}  // namespace
}  // namespace assetgate::calls
