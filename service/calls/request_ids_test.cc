#include "calls/request_ids.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "upstream/waited_call.h"

namespace assetgate::calls {
namespace {

// A caller that waits as long as `call` lives.
Caller Waiting(std::shared_ptr<upstream::WaitedCall> call) {
  Caller caller;
  caller.waited = std::move(call);
  return caller;
}

TEST(RequestIdsTest, CallerThatRepeatsACallAndHangsUpIsReleased) {
  reconcile::Harness harness;
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  ASSERT_FALSE(first.has()) << "it is being submitted";
  // Each caller waits for the answer to the first call, and hangs up.
  std::vector<std::weak_ptr<int>> replies;
  for (int i = 0; i < 5; ++i) {
    auto call = std::make_shared<upstream::WaitedCall>();
    auto kept = std::make_shared<int>(i);
    replies.push_back(kept);
    harness.gateway().CreateVideoTask(
        Waiting(call), request, [kept = std::move(kept)](const absl::StatusOr<v1::VideoTask>&) {
          ADD_FAILURE() << "answered " << *kept;
        });
    harness.Run();
  }
  // One more caller, which keeps waiting.
  auto call = std::make_shared<upstream::WaitedCall>();
  std::optional<absl::StatusOr<v1::VideoTask>> answer;
  harness.gateway().CreateVideoTask(
      Waiting(call), request,
      [&answer](absl::StatusOr<v1::VideoTask> task) { answer = std::move(task); });
  harness.Run();
  for (const auto& reply : replies) EXPECT_TRUE(reply.expired());
  harness.AnswerNext(200, "id=up-1 state=running");
  EXPECT_TRUE(first.has());
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok()) << answer->status();
}

TEST(RequestIdsTest, MaxWaitIsNoPartOfTheRequestThatIsKept) {
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  const std::string kept = KeptRequest(request);
  request.mutable_max_wait()->set_seconds(3);
  EXPECT_EQ(KeptRequest(request), kept);
  request.mutable_video_task()->set_prompt("a wolf");
  EXPECT_NE(KeptRequest(request), kept);
}

TEST(RequestIdsTest, RepetitionOfARequestThatHasBecomeInvalidGetsTheStoredAnswer) {
  reconcile::Harness harness;
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.set_request_id("r-1");
  request.add_providers("providers/alpha");
  request.mutable_max_wait()->set_seconds(0);
  ASSERT_TRUE(harness.Create(request).status().ok());
  reconcile::Harness::Options without_alpha;
  without_alpha.has_alpha = false;
  harness.Reconfigure(without_alpha);
  const auto repeated = harness.Create(request);
  ASSERT_TRUE(repeated.status().ok()) << repeated.status();
  EXPECT_EQ(repeated->name(), "videoTasks/fox");
  request.set_request_id("r-2");
  EXPECT_EQ(base::ReasonOf(harness.Create(request).status()), v1::RESOURCE_NOT_FOUND);
}

}  // namespace
}  // namespace assetgate::calls
