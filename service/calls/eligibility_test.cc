#include "calls/eligibility.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "assetgate/v1/errors.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A gateway whose route "film" has two targets: alpha documents its resolutions, beta takes any.
reconcile::Harness::Options OneOpenTarget() {
  reconcile::Harness::Options options;
  options.alpha.resolutions = {"480p", "720p"};
  options.beta.any_resolution = true;
  return options;
}

v1::CreateVideoTaskRequest Asking(const std::string& resolution) {
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.mutable_video_task()->set_resolution(resolution);
  request.set_validate_only(true);
  return request;
}

std::vector<std::string> Remaining(const v1::VideoTask& task) {
  std::vector<std::string> names;
  for (const auto& target : task.validation().targets()) names.push_back(target.provider());
  return names;
}

TEST(EligibilityTest, ValidateOnlyListsAllTargetsWhereAllCan) {
  reconcile::Harness harness(OneOpenTarget());
  const auto checked = harness.Create(Asking("720p"));
  ASSERT_TRUE(checked.status().ok()) << checked.status();
  EXPECT_THAT(Remaining(*checked), ElementsAre("providers/alpha", "providers/beta"));
  EXPECT_EQ(checked->validation().targets(0).provider_model(), "video-1");
  EXPECT_THAT(checked->validation().passed_targets(), IsEmpty());
}

TEST(EligibilityTest, ValidateOnlyListsWhatIsPassedOverAndWhy) {
  reconcile::Harness::Options options = OneOpenTarget();
  options.alpha.seed = false;
  reconcile::Harness harness(options);
  v1::CreateVideoTaskRequest request = Asking("720p");
  request.mutable_video_task()->set_seed(5);
  const auto checked = harness.Create(request);
  ASSERT_TRUE(checked.status().ok()) << checked.status();
  EXPECT_THAT(Remaining(*checked), ElementsAre("providers/beta"));
  ASSERT_EQ(checked->validation().passed_targets_size(), 1);
  const auto& passed = checked->validation().passed_targets(0);
  EXPECT_EQ(passed.provider(), "providers/alpha");
  ASSERT_EQ(passed.reasons_size(), 1);
  EXPECT_EQ(passed.reasons(0).field(), "video_task.seed");
  EXPECT_THAT(passed.reasons(0).message(), HasSubstr("cannot express it; leave it unset"));
}

TEST(EligibilityTest, TargetsThatTheRequestDoesNotNameArePassedOver) {
  reconcile::Harness harness(OneOpenTarget());
  v1::CreateVideoTaskRequest request = Asking("720p");
  request.add_providers("providers/beta");
  const auto checked = harness.Create(request);
  ASSERT_TRUE(checked.status().ok()) << checked.status();
  EXPECT_THAT(Remaining(*checked), ElementsAre("providers/beta"));
  ASSERT_EQ(checked->validation().passed_targets_size(), 1);
  EXPECT_EQ(checked->validation().passed_targets(0).reasons(0).field(), "providers");
}

TEST(EligibilityTest, ProvidersThatTheCallerMayNotUseAreNotNamed) {
  reconcile::Harness harness(OneOpenTarget());
  Caller caller;
  caller.providers = std::make_shared<const std::set<std::string>>(std::set<std::string>{"beta"});
  reconcile::Answer<v1::VideoTask> checked;
  harness.gateway().CreateVideoTask(caller, Asking("720p"), checked.reply());
  ASSERT_TRUE(checked.status().ok()) << checked.status();
  EXPECT_THAT(Remaining(*checked), ElementsAre("providers/beta"));
  EXPECT_THAT(checked->validation().passed_targets(), IsEmpty());
}

TEST(EligibilityTest, AStoredTaskHasNoValidation) {
  reconcile::Harness harness(OneOpenTarget());
  v1::CreateVideoTaskRequest request = Asking("720p");
  request.set_validate_only(false);
  request.mutable_video_task()->mutable_validation()->add_targets()->set_provider("providers/me");
  request.mutable_max_wait()->set_seconds(0);
  const auto created = harness.Create(request);
  ASSERT_TRUE(created.status().ok()) << created.status();
  EXPECT_FALSE(created->has_validation());
}

// What a resolution that no target documents comes to.
TEST(EligibilityTest, AValueThatOnlyAnOpenTargetWouldTakeIsRefused) {
  struct Row {
    const char* value;
    const char* remedy;
  };
  for (const Row& row : {Row{"720", "did you mean \"720p\"?"},
                         Row{"720P", "did you mean \"720p\"?"}, Row{"4k", "(480p, 720p)"}}) {
    for (const bool validate_only : {true, false}) {
      reconcile::Harness harness(OneOpenTarget());
      v1::CreateVideoTaskRequest request = Asking(row.value);
      request.set_validate_only(validate_only);
      const auto answer = harness.Create(request);
      EXPECT_EQ(base::ReasonOf(answer.status()), v1::FIELD_NOT_EXPRESSIBLE) << row.value;
      EXPECT_THAT(std::string(answer.status().message()),
                  AllOf(HasSubstr("video_task.resolution"), HasSubstr(row.value),
                        HasSubstr(row.remedy), HasSubstr("providers/beta")));
      EXPECT_EQ(harness.http().sent(), 0u);
    }
  }
}

TEST(EligibilityTest, AnOpenTargetThatIsNamedTakesAnyValue) {
  reconcile::Harness harness(OneOpenTarget());
  v1::CreateVideoTaskRequest named = Asking("4k");
  named.add_providers("providers/beta");
  EXPECT_THAT(Remaining(*harness.Create(named)), ElementsAre("providers/beta"));
  v1::CreateVideoTaskRequest pinned = Asking("4k");
  pinned.mutable_video_task()->set_model("providers/beta/models/video-1");
  EXPECT_THAT(Remaining(*harness.Create(pinned)), ElementsAre("providers/beta"));
}

TEST(EligibilityTest, WhereNoTargetDocumentsValuesAnyIsTaken) {
  reconcile::Harness::Options options;
  options.alpha.any_resolution = true;
  options.beta.any_resolution = true;
  reconcile::Harness harness(options);
  EXPECT_THAT(Remaining(*harness.Create(Asking("4k"))),
              ElementsAre("providers/alpha", "providers/beta"));
}

}  // namespace
}  // namespace assetgate::calls
