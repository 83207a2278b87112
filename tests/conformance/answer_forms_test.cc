// The same answer in the many forms that relays give it: envelopes, state words, places of links
// and encodings differ between twins, versions and days. In each form the unit is accepted, polled
// and delivered, and it is submitted once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error.h"
#include "tests/conformance/profile.h"
#include "tests/conformance/world.h"

namespace assetgate::conformance {
namespace {

struct Form {
  std::string name;
  std::string fault;
};

// For the name of a failed test.
void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }

std::string Dress(absl::string_view form) {
  return absl::StrCat(R"({"kind":"dress","template":)", form, "}");
}

// --- Envelopes

const std::vector<Form>& Envelopes() {
  static const auto* const forms = new std::vector<Form>{
      {"CodeZero", Dress(R"({"code":0,"message":"ok","data":"$payload"})")},
      {"CodeZeroAsText", Dress(R"({"code":"0","msg":null,"data":"$payload"})")},
      {"CodeTwoHundred", Dress(R"({"code":200,"msg":"success","data":"$payload"})")},
      {"CodeSuccess", Dress(R"({"code":"success","message":"","data":"$payload"})")},
      {"ListOfOne", Dress(R"({"code":200,"data":["$payload"]})")},
      {"ArkEnvelope",
       Dress(R"({"ResponseMetadata":{"RequestId":"r-1","Action":"x"},"Result":"$payload"})")},
      {"StateOne", Dress(R"({"state":1,"data":"$payload","error":null})")},
      {"EmptyErrorBeside", Dress(R"({"...":"$answer","error":{"code":0,"message":""}})")},
      {"NullErrorBeside", Dress(R"({"...":"$answer","error":null})")},
      {"ForeignCharset", R"({"kind":"not_utf8"})"},
  };
  return *forms;
}

class EnvelopeOf : public ::testing::TestWithParam<std::tuple<std::string, Form>> {
 protected:
  void TearDown() override { world_.Heal(); }

  const std::string dialect_ = std::get<0>(GetParam());
  const Form form_ = std::get<1>(GetParam());
  World& world_ = World::Of(dialect_);
  const Account account_ = world_.NewAccount();
};

TEST_P(EnvelopeOf, TheCreationOfAVideoIsAccepted) {
  const auto made_before = world_.Made().videos_made;
  const auto calls_before = world_.Calls("video.create");
  world_.Fail("video.create", form_.fault, 1);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account_, "a cat at sea");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
  EXPECT_EQ(world_.Calls("video.create"), calls_before + 1);
}

TEST_P(EnvelopeOf, TheStateOfAVideoIsRead) {
  world_.Fail("video.get", form_.fault, 0);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account_, "a cat at sea");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
  EXPECT_NE(settled.video().uri(), "");
}

TEST_P(EnvelopeOf, TheFailureOfAVideoIsRead) {
  world_.Fail("video.get", form_.fault, 0);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account_, "a [moderated] cat");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::VideoTask::FAILED) << settled.ShortDebugString();
}

TEST_P(EnvelopeOf, TheCreationOfAnAssetIsAccepted) {
  const auto made_before = world_.Made().assets_made;
  world_.Fail("asset.create", form_.fault, 1);
  const Answer<v1::Asset> asset = world_.CreateAsset(account_, form_.name);
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const v1::Asset settled =
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::Asset::ACTIVE) << settled.ShortDebugString();
  EXPECT_EQ(world_.Made().assets_made, made_before + 1);
}

TEST_P(EnvelopeOf, TheStateOfAnAssetIsRead) {
  world_.Fail("asset.get", form_.fault, 0);
  const Answer<v1::Asset> asset = world_.CreateAsset(account_, form_.name);
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const v1::Asset settled =
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::Asset::ACTIVE) << settled.ShortDebugString();
}

TEST_P(EnvelopeOf, TheCreationOfAGroupIsAccepted) {
  if (!world_.HasGroups()) return;  // Kept by the gateway.
  const auto made_before = world_.Made().groups_made;
  world_.Fail("group.create", form_.fault, 1);
  const Answer<v1::AssetGroup> group = world_.CreateAssetGroup(account_, form_.name);
  ASSERT_TRUE(group.ok()) << group.error.ShortDebugString();
  ASSERT_EQ(group.value.placements_size(), 1);
  EXPECT_EQ(group.value.placements(0).state(), v1::Placement::ACTIVE)
      << group.value.ShortDebugString();
  EXPECT_EQ(world_.Made().groups_made, made_before + 1);
}

INSTANTIATE_TEST_SUITE_P(Every, EnvelopeOf,
                         ::testing::Combine(::testing::ValuesIn(World::Dialects()),
                                            ::testing::ValuesIn(Envelopes())),
                         [](const auto& test) {
                           return absl::StrCat(std::get<0>(test.param), "_",
                                               std::get<1>(test.param).name);
                         });

class Forms : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { world_.Heal(); }

  v1::VideoTask Settle(const Account& account, absl::string_view prompt) {
    const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, prompt);
    EXPECT_TRUE(task.ok()) << task.error.ShortDebugString();
    return world_.AwaitTask(task.value.name(),
                            [](const v1::VideoTask& seen) { return IsSettled(seen); });
  }

  const Profile& profile_ = ProfileOf(GetParam());
  World& world_ = World::Of(GetParam());
};

TEST_P(Forms, AnIdAloneIsAccepted) {
  const Account account = world_.NewAccount();
  const auto made_before = world_.Made().videos_made;
  for (const char* form : {R"({"code":"success","data":"$id"})", R"({"code":0,"data":"$id"})",
                           R"({"code":200,"data":{"task_id":"$id"}})", R"({"id":"$id"})",
                           R"({"task_id":"$id","error":{"code":0,"message":""}})"}) {
    world_.Fail("video.create", Dress(form), 1);
    const v1::VideoTask settled = Settle(account, "a cat at sea");
    EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << form << settled.ShortDebugString();
    world_.Heal();
  }
  EXPECT_EQ(world_.Made().videos_made, made_before + 5);
}

// --- State words

TEST_P(Forms, WordsAreReadInAnyCaseAndWithBlanks) {
  for (const char* words : {R"("letters":"upper")", R"("letters":"lower")",
                            R"("letters":"capitalized")", R"("around":" ")", R"("around":"\n")"}) {
    const Account account = world_.NewAccount();
    for (const char* call : {"video.create", "video.get", "asset.create", "asset.get"}) {
      world_.Fail(call, absl::StrCat(R"({"kind":"words",)", words, "}"), 0);
    }
    EXPECT_EQ(Settle(account, "a cat at sea").state(), v1::VideoTask::SUCCEEDED) << words;
    EXPECT_EQ(Settle(account, "a [moderated] cat").state(), v1::VideoTask::FAILED) << words;
    const Answer<v1::Asset> asset = world_.CreateAsset(account, "face");
    ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
    EXPECT_EQ(
        world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); })
            .state(),
        v1::Asset::ACTIVE)
        << words;
    world_.Heal();
  }
}

// A fault that replaces each of `words` by `word`.
std::string Say(absl::string_view word, const std::vector<std::string>& words) {
  const auto pair = [word](std::string* out, const std::string& each) {
    absl::StrAppend(out, "\"", each, "\":\"", word, "\"");
  };
  return absl::StrCat(R"({"kind":"words","words":{)", absl::StrJoin(words, ",", pair), "}}");
}

TEST_P(Forms, SynonymsOfSuccessAndFailureAreRead) {
  const Account account = world_.NewAccount();
  for (const char* word :
       {"succeeded", "success", "SUCCESS", "completed", "complete", "done", "finished"}) {
    world_.Fail("video.get", Say(word, profile_.succeeded_words), 0);
    EXPECT_EQ(Settle(account, "a cat at sea").state(), v1::VideoTask::SUCCEEDED) << word;
    world_.Heal();
  }
  for (const char* word : {"failed", "failure", "FAILURE", "error"}) {
    world_.Fail("video.get", Say(word, profile_.failed_words), 0);
    EXPECT_EQ(Settle(account, "a [moderated] cat").state(), v1::VideoTask::FAILED) << word;
    world_.Heal();
  }
}

// --- Links

TEST_P(Forms, LinksAreFoundInAllObservedPlaces) {
  const Account account = world_.NewAccount();
  for (const std::string& form : profile_.link_faults) {
    world_.Fail("video.get", form, 0);
    const v1::VideoTask settled = Settle(account, "a cat at sea");
    EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << form << settled.ShortDebugString();
    EXPECT_THAT(settled.video().uri(), ::testing::HasSubstr("/media/")) << form;
    world_.Heal();
  }
}

TEST_P(Forms, ALinkThatComesAfterTheStateWordIsAwaited) {
  const Account account = world_.NewAccount();
  world_.Fail("video.get", R"({"kind":"link"})", 3);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a cat at sea");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); },
      [](const v1::VideoTask& seen) {
        return seen.state() != v1::VideoTask::FAILED &&
               (seen.state() != v1::VideoTask::SUCCEEDED || !seen.video().uri().empty());
      });
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
}

TEST_P(Forms, AVideoThatIsNotFoundAtFirstIsStillPolled) {
  const Account account = world_.NewAccount();
  simulator::Timing timing = world_.simulator().timing();
  const simulator::Timing usual = timing;
  timing.unknown_delay = absl::Milliseconds(100);
  world_.simulator().SetTiming(timing);
  const v1::VideoTask settled = Settle(account, "a cat at sea");
  world_.simulator().SetTiming(usual);
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
}

TEST_P(Forms, AnInnerStateThatIsAheadCountsEventually) {
  if (!profile_.inner_states) return;
  const Account account = world_.NewAccount();
  world_.Fail("video.get",
              Say("IN_PROGRESS", {profile_.succeeded_words.at(0), profile_.failed_words.at(0)}), 0);
  EXPECT_EQ(Settle(account, "a cat at sea").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(Settle(account, "a [moderated] cat").state(), v1::VideoTask::FAILED);
}

INSTANTIATE_TEST_SUITE_P(Every, Forms, ::testing::ValuesIn(World::Dialects()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace assetgate::conformance
