// The effect of every fault of a submission on the caller, the resource, and the number of units
// that the provider creates (and bills).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "provider/failure.h"
#include "tests/conformance/profile.h"
#include "tests/conformance/world.h"

namespace assetgate::conformance {
namespace {

using provider::Outcome;

struct Fault {
  std::string name;
  std::string json;
  // kAccepted: nothing shows. kNotAccepted: it is sent again until it is accepted. kUnknown: groups
  // and assets are sent again, videos only with an idempotency key.
  Outcome outcome;
  // The reason of a refusal.
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  // Only a timeout ends the fault.
  bool needs_impatience = false;
};

// For the name of a failed test.
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

std::string Status(int status) {
  return absl::StrCat(R"({"kind":"status","retry_after":0,"status":)", status, "}");
}

const std::vector<Fault>& Faults() {
  static const auto* const faults = new std::vector<Fault>{
      {"Status400", Status(400), Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"Status401", Status(401), Outcome::kRefused, v1::PROVIDER_CREDENTIALS_REJECTED},
      {"Status402", Status(402), Outcome::kRefused, v1::PROVIDER_OUT_OF_CREDIT},
      {"Status403", Status(403), Outcome::kRefused, v1::PROVIDER_CREDENTIALS_REJECTED},
      {"Status404", Status(404), Outcome::kRefused, v1::PROVIDER_REJECTED},
      {"Status413", Status(413), Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"Status422", Status(422), Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"Status429", Status(429), Outcome::kNotAccepted},
      {"Status500", Status(500), Outcome::kUnknown},
      {"Status502", Status(502), Outcome::kUnknown},
      {"Status503", Status(503), Outcome::kUnknown},
      {"Status504", Status(504), Outcome::kUnknown},
      {"Status500AfterWork", R"({"kind":"status","status":500,"after_work":true})",
       Outcome::kUnknown},
      {"ServerErrorInside200", R"({"kind":"business_failure","message":"no muse"})",
       Outcome::kUnknown},
      {"RefusalInside200",
       R"({"kind":"business_failure","code":"400","message":"prompt is required"})",
       Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"NoId", R"({"kind":"no_id"})", Outcome::kUnknown},
      {"UnknownStateWord", R"({"kind":"state","state":"Reticulating"})", Outcome::kAccepted},
      {"Garbage", R"({"kind":"garbage"})", Outcome::kUnknown},
      {"GarbageAfterWork", R"({"kind":"garbage","after_work":true})", Outcome::kUnknown},
      {"Truncated", R"({"kind":"truncate"})", Outcome::kUnknown},
      {"Reset", R"({"kind":"reset"})", Outcome::kUnknown},
      {"ResetAfterWork", R"({"kind":"reset","after_work":true})", Outcome::kUnknown},
      {"Close", R"({"kind":"close"})", Outcome::kUnknown},
      {"CloseAfterWork", R"({"kind":"close","after_work":true})", Outcome::kUnknown},
      {"Hang", R"({"kind":"hang","duration":"5s"})", Outcome::kUnknown, {}, true},
      {"HangAfterWork",
       R"({"kind":"hang","duration":"5s","after_work":true})",
       Outcome::kUnknown,
       {},
       true},
      {"Drip", R"({"kind":"drip","bytes":16,"duration":"1ms"})", Outcome::kAccepted},
      {"ContentType", R"({"kind":"content_type","content_type":"text/html"})", Outcome::kAccepted},
      {"Huge", R"({"kind":"huge","bytes":9000000})", Outcome::kUnknown},
      {"HugeAfterWork", R"({"kind":"huge","bytes":9000000,"after_work":true})", Outcome::kUnknown},
      {"ManyHeaders", R"({"kind":"headers","count":100,"bytes":100})", Outcome::kAccepted},
  };
  return *faults;
}

std::string AfterWork(absl::string_view fault) {
  return absl::StrCat(fault.substr(0, fault.size() - 1), R"(,"after_work":true})");
}

// Statuses that a provider, or an edge in front of it, returns for a call that may have had its
// effect (each before and after the work), and for a call that has not.
std::vector<Fault> FaultsOfStatus() {
  std::vector<Fault> faults;
  const auto in_doubt = [&](const std::string& name, const std::string& json) {
    faults.push_back({name, json, Outcome::kUnknown});
    faults.push_back({name + "AfterWork", AfterWork(json), Outcome::kUnknown});
  };
  for (const int status : {302, 303}) {
    in_doubt(absl::StrCat("Redirect", status), Status(status));
  }
  for (const int status : {409, 423, 424, 444, 460}) {
    in_doubt(absl::StrCat("Status", status), Status(status));
  }
  const auto edge = [](int status, absl::string_view more = "") {
    return absl::StrCat(R"({"kind":"edge","status":)", status, more, "}");
  };
  for (const int status : {521, 523, 525, 526, 530}) {
    faults.push_back({absl::StrCat("Edge", status), edge(status), Outcome::kNotAccepted});
  }
  for (const int status : {403, 429}) {
    faults.push_back({absl::StrCat("EdgeBlocks", status), edge(status), Outcome::kNotAccepted});
  }
  for (const int status : {403, 503}) {
    faults.push_back({absl::StrCat("EdgeChallenge", status), edge(status, R"(,"code":"challenge")"),
                      Outcome::kNotAccepted});
  }
  for (const int status : {502, 504, 520, 522, 524, 527}) {
    in_doubt(absl::StrCat("Edge", status), edge(status));
  }
  for (const int status : {502, 504}) {
    in_doubt(absl::StrCat("Proxy", status), edge(status, R"(,"server":"nginx")"));
  }
  return faults;
}

// Failures inside HTTP 200 with the code of a timeout or a server error: as uncertain as that HTTP
// status itself.
std::vector<Fault> FaultsInsideSuccess() {
  std::vector<Fault> faults;
  const auto in_doubt = [&](const std::string& name, absl::string_view body) {
    std::string json = R"({"kind":"status","status":200,"body":")";
    for (const char c : body) {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
    json += R"("})";
    faults.push_back({name, json, Outcome::kUnknown});
    faults.push_back({name + "AfterWork", AfterWork(json), Outcome::kUnknown});
  };
  for (const int code : {408, 425, 499, 500, 502, 503, 504}) {
    in_doubt(absl::StrCat("Code", code),
             absl::StrCat(R"({"code":)", code, R"(,"msg":"Read timed out","data":null})"));
  }
  in_doubt("ErrorCode504", R"({"error":{"code":504,"message":"upstream timeout"}})");
  in_doubt("DoRequestFailed",
           R"({"code":"do_request_failed","message":"do request failed","data":null})");
  in_doubt("BadResponse",
           R"({"error":{"message":"bad response","code":"bad_response_status_code"}})");
  return faults;
}

std::vector<Fault> AllFaults() {
  std::vector<Fault> all = Faults();
  for (const std::vector<Fault>& more : {FaultsOfStatus(), FaultsInsideSuccess()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

// The fault with the outcome that it has at the dialect's provider.
Fault AtDialect(Fault fault, const std::string& dialect) {
  const auto& own = ProfileOf(dialect).faults;
  if (const auto found = own.find(fault.name); found != own.end()) fault.outcome = found->second;
  return fault;
}

grpc::StatusCode CodeOf(v1::ErrorReason reason) {
  return reason == v1::PROVIDER_INVALID_ARGUMENT ? grpc::StatusCode::INVALID_ARGUMENT
                                                 : grpc::StatusCode::FAILED_PRECONDITION;
}

class SubmissionFaults : public ::testing::TestWithParam<std::tuple<std::string, Fault>> {
 protected:
  void SetUp() override { world_.Heal(); }
  void TearDown() override { world_.Heal(); }

  // Expects the error of `fault_`, with everything that a caller needs to act on it.
  void ExpectRefusal(const google::rpc::Status& error) const {
    const google::rpc::ErrorInfo info = base::InfoOf(error);
    EXPECT_EQ(info.domain(), "assetgate");
    EXPECT_EQ(info.metadata().at("provider"), account_.id);
    EXPECT_THAT(info.metadata().at("act"), ::testing::AnyOf("CALLER", "OPERATOR"));
    if (fault_.reason == v1::ERROR_REASON_UNSPECIFIED) return;
    EXPECT_EQ(info.reason(), v1::ErrorReason_Name(fault_.reason));
    EXPECT_EQ(error.code(), CodeOf(fault_.reason)) << error.ShortDebugString();
    // The caller must act on its own request, and the operator on everything else.
    EXPECT_EQ(info.metadata().at("act") == "CALLER", fault_.reason == v1::PROVIDER_INVALID_ARGUMENT)
        << error.ShortDebugString();
  }

  const std::string dialect_ = std::get<0>(GetParam());
  const Fault fault_ = AtDialect(std::get<1>(GetParam()), dialect_);
  World& world_ = World::Of(dialect_);
  const Account account_ = world_.NewAccount(fault_.needs_impatience ? World::Patience::kShort
                                                                     : World::Patience::kNormal);
};

TEST_P(SubmissionFaults, OfAVideoMakeAtMostOne) {
  const bool has_key = world_.HasIdempotencyKey();
  const auto made_before = world_.Made().videos_made;
  const auto calls_before = world_.Calls("video.create");
  v1::CreateVideoTaskRequest request;
  request.mutable_video_task()->set_model(world_.Model(account_));
  request.mutable_video_task()->set_prompt("a cat at sea");
  request.mutable_max_wait()->set_nanos(300'000'000);
  request.set_request_id(absl::StrCat("video-", fault_.name));

  world_.Fail("video.create", fault_.json, 1);
  Answer<v1::VideoTask> task = world_.CreateVideoTask(request);
  if (fault_.outcome == Outcome::kRefused) {
    ASSERT_FALSE(task.ok()) << task.value.ShortDebugString();
    ExpectRefusal(task.error);
    EXPECT_EQ(world_.Made().videos_made, made_before);
    // Nothing exists, and the caller can repeat the request.
    task = world_.CreateVideoTask(request);
  }
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();

  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  ASSERT_EQ(settled.attempts_size(), 1) << settled.ShortDebugString();
  const v1::Attempt& attempt = settled.attempts(0);
  EXPECT_EQ(attempt.provider(), account_.name());
  EXPECT_EQ(attempt.credential_id(), account_.id);
  if (fault_.outcome == Outcome::kUnknown && !has_key) {
    // Sent once; an operator must resolve the outcome.
    EXPECT_EQ(settled.state(), v1::VideoTask::UNCONFIRMED);
    EXPECT_EQ(settled.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
    EXPECT_EQ(base::ReasonOf(settled.error()), v1::SUBMISSION_UNKNOWN);
    EXPECT_EQ(attempt.state(), v1::Attempt::UNCONFIRMED);
    EXPECT_EQ(attempt.billing(), v1::Attempt::UNKNOWN);
    EXPECT_EQ(world_.Calls("video.create"), calls_before + 1);
    EXPECT_LE(world_.Made().videos_made, made_before + 1);
    return;
  }
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
  EXPECT_FALSE(settled.has_error());
  EXPECT_FALSE(settled.has_waiting());
  EXPECT_NE(settled.video().uri(), "");
  EXPECT_EQ(attempt.state(), v1::Attempt::SUCCEEDED);
  EXPECT_EQ(attempt.billing(), v1::Attempt::BILLED);
  EXPECT_NE(attempt.provider_task_id(), "");
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
  EXPECT_EQ(world_.Calls("video.create"),
            calls_before + (fault_.outcome == Outcome::kAccepted ? 1 : 2));
}

TEST_P(SubmissionFaults, OfAnAssetAreRetriedOrReported) {
  const auto calls_before = world_.Calls("asset.create");
  world_.Fail("asset.create", fault_.json, 1);
  Answer<v1::Asset> asset = world_.CreateAsset(account_, fault_.name);
  if (fault_.outcome == Outcome::kRefused) {
    ASSERT_FALSE(asset.ok()) << asset.value.ShortDebugString();
    ExpectRefusal(asset.error);
    asset = world_.CreateAsset(account_, fault_.name);
  }
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();

  const v1::Asset settled =
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::Asset::ACTIVE) << settled.ShortDebugString();
  ASSERT_EQ(settled.placements_size(), 1);
  EXPECT_NE(settled.placements(0).provider_asset_id(), "");
  EXPECT_FALSE(settled.placements(0).has_waiting());
  EXPECT_FALSE(settled.placements(0).has_error());
  EXPECT_EQ(world_.Calls("asset.create"),
            calls_before + (fault_.outcome == Outcome::kAccepted ? 1 : 2));
}

TEST_P(SubmissionFaults, OfAGroupAreRetriedOrReported) {
  if (!world_.HasGroups()) {
    // The gateway keeps groups: the provider is not called.
    EXPECT_EQ(world_.Calls("group.create"), 0);
    return;
  }
  world_.Fail("group.create", fault_.json, 1);
  Answer<v1::AssetGroup> group = world_.CreateAssetGroup(account_, fault_.name);
  if (fault_.outcome == Outcome::kRefused) {
    ASSERT_FALSE(group.ok()) << group.value.ShortDebugString();
    ExpectRefusal(group.error);
    group = world_.CreateAssetGroup(account_, fault_.name);
  }
  ASSERT_TRUE(group.ok()) << group.error.ShortDebugString();

  // An asset can be registered in the group.
  v1::CreateAssetRequest request;
  request.mutable_asset()->set_source_uri("https://cdn.example.org/face.png");
  request.mutable_asset()->set_media_type(v1::IMAGE);
  request.mutable_asset()->set_asset_group(group.value.name());
  request.add_providers(account_.name());
  request.mutable_max_wait()->set_nanos(100'000'000);
  const Answer<v1::Asset> asset = world_.CreateAsset(request);
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  EXPECT_EQ(
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); })
          .state(),
      v1::Asset::ACTIVE);
}

INSTANTIATE_TEST_SUITE_P(Every, SubmissionFaults,
                         ::testing::Combine(::testing::ValuesIn(World::Dialects()),
                                            ::testing::ValuesIn(AllFaults())),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + std::get<1>(test.param).name;
                         });

class Submission : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { world_.Heal(); }
  World& world_ = World::Of(GetParam());
};

TEST_P(Submission, OfAVideoWaitsOutARateLimit) {
  const Account account = world_.NewAccount();
  const auto made_before = world_.Made().videos_made;
  world_.Fail("video.create", R"({"kind":"status","status":429,"retry_after":1})", 1);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a cat");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask limited = world_.AwaitTask(task.value.name(), [](const v1::VideoTask& seen) {
    return seen.waiting().reason() == v1::Waiting::PROVIDER_RATE_LIMITED;
  });
  EXPECT_EQ(limited.state(), v1::VideoTask::PENDING);
  EXPECT_EQ(limited.waiting().subject(), account.name());
  EXPECT_TRUE(limited.waiting().has_next_try_time());
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
}

TEST_P(Submission, OfARedirectedVideoIsNotAcceptedAndNamesTheNewHost) {
  const auto made_before = world_.Made().videos_made;
  for (const int status : {301, 307, 308}) {
    const Account account = world_.NewAccount();
    world_.Fail("video.create", Status(status), 1);
    const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a cat");
    ASSERT_FALSE(task.ok()) << task.value.ShortDebugString();
    EXPECT_EQ(base::ReasonOf(task.error), v1::PROVIDER_PROTOCOL_ERROR);
    EXPECT_EQ(base::InfoOf(task.error).metadata().at("act"), "OPERATOR");
    EXPECT_THAT(task.error.message(), ::testing::HasSubstr("elsewhere.example.org"));
    EXPECT_THAT(task.error.message(), ::testing::HasSubstr("base_url"));
    EXPECT_THAT(task.error.ShortDebugString(),
                ::testing::Not(::testing::HasSubstr("token=of-the-redirect")));
    EXPECT_EQ(world_.Made().videos_made, made_before);
  }
}

TEST_P(Submission, OfAnAssetFailsAfterThreeUnknownOutcomes) {
  const Account account = world_.NewAccount();
  const auto calls_before = world_.Calls("asset.create");
  world_.Fail("asset.create", R"({"kind":"status","status":500,"after_work":true})", 0);
  v1::CreateAssetRequest request;
  request.set_asset_id("three-unknowns");
  request.mutable_asset()->set_source_uri("https://cdn.example.org/face.png");
  request.mutable_asset()->set_media_type(v1::IMAGE);
  request.add_providers(account.name());
  const Answer<v1::Asset> asset = world_.CreateAsset(request);
  // Up to three may exist at the provider: an error would say that nothing does.
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const v1::Asset settled =
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::Asset::FAILED);
  EXPECT_EQ(base::ReasonOf(settled.error()), v1::SUBMISSION_UNKNOWN);
  EXPECT_EQ(world_.Calls("asset.create"), calls_before + 3);
}

TEST_P(Submission, OfARejectedVideoIsRetriedAndCanBeCancelled) {
  // A pinned model has one target, so that the task waits while the provider rejects it.
  const Account account = world_.NewAccount();
  world_.Fail("video.create", R"({"kind":"status","status":429,"retry_after":0})", 0);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a cat");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  world_.AwaitTask(task.value.name(), [](const v1::VideoTask& seen) {
    return seen.attempts_size() > 0 && seen.attempts(0).tries() >= 3;
  });
  // It was not accepted: it can be cancelled, and nothing is billed.
  v1::CancelVideoTaskRequest cancel;
  cancel.set_name(task.value.name());
  grpc::ClientContext context;
  SetDeadline(context);
  v1::VideoTask cancelled;
  const auto made_before = world_.Made().videos_made;
  const grpc::Status status = world_.videos().CancelVideoTask(&context, cancel, &cancelled);
  if (!status.ok()) {
    // A submission was in flight at that moment.
    EXPECT_EQ(base::ReasonOf(ErrorOf(status)), v1::CANCEL_UNSUPPORTED) << status.error_message();
    return;
  }
  EXPECT_EQ(cancelled.state(), v1::VideoTask::CANCELLED);
  EXPECT_EQ(cancelled.attempts(0).billing(), v1::Attempt::NOT_BILLED);
  EXPECT_EQ(world_.Made().videos_made, made_before);
}

// The provider creates the video and cuts the connection each time. An operator finds the video
// there, and the gateway polls it by its id.
TEST_P(Submission, OfAVideoThatAnOperatorResolvesIsPolledToItsEnd) {
  const Account account = world_.NewAccount();
  const auto made_before = world_.Made().videos_made;
  world_.Fail("video.create", R"({"kind":"reset","after_work":true})", 0);
  v1::CreateVideoTaskRequest request;
  request.mutable_video_task()->set_model(world_.Model(account));
  request.mutable_video_task()->set_prompt("a cat at sea");
  request.mutable_max_wait()->set_seconds(0);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(request);
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  world_.AwaitTask(task.value.name(), [](const v1::VideoTask& seen) {
    return seen.state() == v1::VideoTask::UNCONFIRMED;
  });
  const std::vector<simulator::Video> list =
      world_.simulator().FindProvider(GetParam())->library.Videos(1);
  ASSERT_EQ(list.size(), 1u);

  const auto resolve = [&](const std::string& id, v1::VideoTask* resolved) {
    v1::ResolveVideoTaskRequest resolution;
    resolution.set_name(task.value.name());
    resolution.set_provider_task_id(id);
    const absl::Time give_up = absl::Now() + World::kDeadline;
    grpc::Status status;
    do {
      grpc::ClientContext context;
      SetDeadline(context);
      status = world_.videos().ResolveVideoTask(&context, resolution, resolved);
      // A repetition is in flight: its answer is cut off too.
    } while (base::ReasonOf(ErrorOf(status)) == v1::SUBMISSION_UNDER_WAY && absl::Now() < give_up);
    return status;
  };
  v1::VideoTask resolved;
  // No dialect has tasks with such ids.
  EXPECT_EQ(base::ReasonOf(ErrorOf(resolve("asset-7", &resolved))), v1::INVALID_FIELD);
  const grpc::Status status = resolve(list[0].id, &resolved);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(resolved.attempts(0).provider_task_id(), list[0].id);
  EXPECT_TRUE(resolved.attempts(0).has_resolve_time());

  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
  EXPECT_FALSE(settled.has_error());
  ASSERT_EQ(settled.attempts_size(), 1);
  EXPECT_EQ(settled.attempts(0).billing(), v1::Attempt::BILLED);
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
}

INSTANTIATE_TEST_SUITE_P(Every, Submission, ::testing::ValuesIn(World::Dialects()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace assetgate::conformance
