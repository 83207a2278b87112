// What a caller, the resource and the provider's bill show when the submission of a group, an asset
// or a video meets each fault there is.
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
#include "tests/conformance/world.h"

namespace assetgate::conformance {
namespace {

// What a submission that met the fault comes to.
enum class Verdict {
  // Nobody notices.
  kAccepted,
  // The provider surely has not taken it: it is sent again until it does.
  kTriedAgain,
  // The caller gets an error, and nothing exists.
  kRefused,
  // The provider may have taken it. Assets and groups are sent again; videos only where an
  // idempotency key makes sure that there is one.
  kUnknown,
};

struct Fault {
  std::string name;
  std::string json;
  Verdict verdict;
  // Of a refusal.
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  // The fault is one that only a timeout ends.
  bool needs_impatience = false;
};

// For the name of a failed test.
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

std::string Status(int status) {
  return absl::StrCat(R"({"kind":"status","retry_after":0,"status":)", status, "}");
}

const std::vector<Fault>& Faults() {
  static const auto* const faults = new std::vector<Fault>{
      {"Status400", Status(400), Verdict::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"Status401", Status(401), Verdict::kRefused, v1::PROVIDER_CREDENTIALS_REJECTED},
      {"Status402", Status(402), Verdict::kRefused, v1::PROVIDER_OUT_OF_CREDIT},
      {"Status403", Status(403), Verdict::kRefused, v1::PROVIDER_CREDENTIALS_REJECTED},
      {"Status404", Status(404), Verdict::kRefused, v1::PROVIDER_REJECTED},
      {"Status413", Status(413), Verdict::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"Status422", Status(422), Verdict::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"Status429", Status(429), Verdict::kTriedAgain},
      {"Status500", Status(500), Verdict::kUnknown},
      {"Status502", Status(502), Verdict::kUnknown},
      {"Status503", Status(503), Verdict::kUnknown},
      {"Status504", Status(504), Verdict::kUnknown},
      {"Status500AfterWork", R"({"kind":"status","status":500,"after_work":true})",
       Verdict::kUnknown},
      {"ServerErrorInside200", R"({"kind":"business_failure","message":"no muse"})",
       Verdict::kUnknown},
      {"RefusalInside200",
       R"({"kind":"business_failure","code":"400","message":"prompt is required"})",
       Verdict::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
      {"NoId", R"({"kind":"no_id"})", Verdict::kUnknown},
      {"UnknownStateWord", R"({"kind":"state","state":"Reticulating"})", Verdict::kAccepted},
      {"Garbage", R"({"kind":"garbage"})", Verdict::kUnknown},
      {"GarbageAfterWork", R"({"kind":"garbage","after_work":true})", Verdict::kUnknown},
      {"Truncated", R"({"kind":"truncate"})", Verdict::kUnknown},
      {"Reset", R"({"kind":"reset"})", Verdict::kUnknown},
      {"ResetAfterWork", R"({"kind":"reset","after_work":true})", Verdict::kUnknown},
      {"Close", R"({"kind":"close"})", Verdict::kUnknown},
      {"CloseAfterWork", R"({"kind":"close","after_work":true})", Verdict::kUnknown},
      {"Hang", R"({"kind":"hang","duration":"5s"})", Verdict::kUnknown, {}, true},
      {"HangAfterWork",
       R"({"kind":"hang","duration":"5s","after_work":true})",
       Verdict::kUnknown,
       {},
       true},
      {"Drip", R"({"kind":"drip","bytes":16,"duration":"1ms"})", Verdict::kAccepted},
      {"ContentType", R"({"kind":"content_type","content_type":"text/html"})", Verdict::kAccepted},
      {"Huge", R"({"kind":"huge","bytes":9000000})", Verdict::kUnknown},
      {"HugeAfterWork", R"({"kind":"huge","bytes":9000000,"after_work":true})", Verdict::kUnknown},
      {"ManyHeaders", R"({"kind":"headers","count":100,"bytes":100})", Verdict::kAccepted},
  };
  return *faults;
}

std::string AfterWork(absl::string_view fault) {
  return absl::StrCat(fault.substr(0, fault.size() - 1), R"(,"after_work":true})");
}

// Statuses that a provider, or what stands in front of it, gives a call that may have had its
// effect, and those that say that it has not. Each of the former comes before and after the work.
std::vector<Fault> FaultsOfStatus() {
  std::vector<Fault> faults;
  const auto in_doubt = [&](const std::string& name, const std::string& json) {
    faults.push_back({name, json, Verdict::kUnknown});
    faults.push_back({name + "AfterWork", AfterWork(json), Verdict::kUnknown});
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
    faults.push_back({absl::StrCat("Edge", status), edge(status), Verdict::kTriedAgain});
  }
  for (const int status : {403, 429}) {
    faults.push_back({absl::StrCat("EdgeBlocks", status), edge(status), Verdict::kTriedAgain});
  }
  for (const int status : {403, 503}) {
    faults.push_back({absl::StrCat("EdgeChallenge", status), edge(status, R"(,"code":"challenge")"),
                      Verdict::kTriedAgain});
  }
  for (const int status : {502, 504, 520, 522, 524, 527}) {
    in_doubt(absl::StrCat("Edge", status), edge(status));
  }
  for (const int status : {502, 504}) {
    in_doubt(absl::StrCat("Proxy", status), edge(status, R"(,"server":"nginx")"));
  }
  return faults;
}

// Failures inside HTTP 200 whose code is that of trouble on the way: as much in doubt as that HTTP
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
    faults.push_back({name, json, Verdict::kUnknown});
    faults.push_back({name + "AfterWork", AfterWork(json), Verdict::kUnknown});
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

// Where a dialect's page says that an answer means something else than at the others.
Fault AtDialect(Fault fault, const std::string& dialect) {
  // Its pages say of a 503 that no channel was found, and nobody asked.
  if (dialect == "octopusx" && fault.name == "Status503") fault.verdict = Verdict::kTriedAgain;
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

  // The error that stands for `fault_`, complete enough to act on.
  void ExpectRefusal(const google::rpc::Status& error) const {
    const google::rpc::ErrorInfo info = base::InfoOf(error);
    EXPECT_EQ(info.domain(), "assetgate");
    EXPECT_EQ(info.metadata().at("provider"), account_.id);
    EXPECT_THAT(info.metadata().at("act"), ::testing::AnyOf("CALLER", "OPERATOR"));
    if (fault_.reason == v1::ERROR_REASON_UNSPECIFIED) return;
    EXPECT_EQ(info.reason(), v1::ErrorReason_Name(fault_.reason));
    EXPECT_EQ(error.code(), CodeOf(fault_.reason)) << error.ShortDebugString();
    // It is the caller's to mend what the caller has written, and nothing else.
    EXPECT_EQ(info.metadata().at("act") == "CALLER", fault_.reason == v1::PROVIDER_INVALID_ARGUMENT)
        << error.ShortDebugString();
  }

  const std::string dialect_ = std::get<0>(GetParam());
  const Fault fault_ = AtDialect(std::get<1>(GetParam()), dialect_);
  World& world_ = World::Of(dialect_);
  const Account account_ = world_.NewAccount(fault_.needs_impatience ? World::Patience::kShort
                                                                     : World::Patience::kNormal);
};

TEST_P(SubmissionFaults, OfAVideoMakeOneAtMost) {
  const bool has_key = dialect_ == "apiframe";
  const auto made_before = world_.Made().videos_made;
  const auto calls_before = world_.Calls("video.create");
  v1::CreateVideoTaskRequest request;
  request.mutable_video_task()->set_model(world_.Model(account_));
  request.mutable_video_task()->set_prompt("a cat at sea");
  request.mutable_max_wait()->set_nanos(300'000'000);
  request.set_request_id(absl::StrCat("video-", fault_.name));

  world_.Fail("video.create", fault_.json, 1);
  Answer<v1::VideoTask> task = world_.CreateVideoTask(request);
  if (fault_.verdict == Verdict::kRefused) {
    ASSERT_FALSE(task.ok()) << task.value.ShortDebugString();
    ExpectRefusal(task.error);
    EXPECT_EQ(world_.Made().videos_made, made_before);
    // Nothing exists, and nothing keeps the caller from asking again.
    task = world_.CreateVideoTask(request);
  }
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();

  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  ASSERT_EQ(settled.attempts_size(), 1) << settled.ShortDebugString();
  const v1::Attempt& attempt = settled.attempts(0);
  EXPECT_EQ(attempt.provider(), account_.name());
  EXPECT_EQ(attempt.credential_id(), account_.id);
  if (fault_.verdict == Verdict::kUnknown && !has_key) {
    // Sent once, and a person's word is needed for what came of it.
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
            calls_before + (fault_.verdict == Verdict::kAccepted ? 1 : 2));
}

TEST_P(SubmissionFaults, OfAnAssetAreSurvivedOrTold) {
  const auto calls_before = world_.Calls("asset.create");
  world_.Fail("asset.create", fault_.json, 1);
  Answer<v1::Asset> asset = world_.CreateAsset(account_, fault_.name);
  if (fault_.verdict == Verdict::kRefused) {
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
            calls_before + (fault_.verdict == Verdict::kAccepted ? 1 : 2));
}

TEST_P(SubmissionFaults, OfAGroupAreSurvivedOrTold) {
  if (dialect_ != "zerozero" && dialect_ != "octopusx") {
    // Kept by the gateway: nobody is asked.
    EXPECT_EQ(world_.Calls("group.create"), 0);
    return;
  }
  world_.Fail("group.create", fault_.json, 1);
  Answer<v1::AssetGroup> group = world_.CreateAssetGroup(account_, fault_.name);
  if (fault_.verdict == Verdict::kRefused) {
    ASSERT_FALSE(group.ok()) << group.value.ShortDebugString();
    ExpectRefusal(group.error);
    group = world_.CreateAssetGroup(account_, fault_.name);
  }
  ASSERT_TRUE(group.ok()) << group.error.ShortDebugString();

  // That the group is there shows in an asset that gets into it.
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

TEST_P(Submission, OfAVideoThatIsRedirectedIsNotAcceptedAndNamesTheNewHost) {
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

TEST_P(Submission, OfAnAssetIsGivenUpAfterThreeUnknownOutcomes) {
  const Account account = world_.NewAccount();
  const auto calls_before = world_.Calls("asset.create");
  world_.Fail("asset.create", R"({"kind":"status","status":500,"after_work":true})", 0);
  v1::CreateAssetRequest request;
  request.set_asset_id("three-unknowns");
  request.mutable_asset()->set_source_uri("https://cdn.example.org/face.png");
  request.mutable_asset()->set_media_type(v1::IMAGE);
  request.add_providers(account.name());
  const Answer<v1::Asset> asset = world_.CreateAsset(request);
  // Three may exist at the provider: no error can say that nothing does.
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const v1::Asset settled =
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::Asset::FAILED);
  EXPECT_EQ(base::ReasonOf(settled.error()), v1::SUBMISSION_UNKNOWN);
  EXPECT_EQ(world_.Calls("asset.create"), calls_before + 3);
}

TEST_P(Submission, OfAVideoToARouteGoesOnOnlyAfterASureNo) {
  // A pinned model has one target; that an unknown outcome does not lead to a second submission is
  // what every row above shows. Here: nobody listens, which is a sure no, and the task waits.
  const Account account = world_.NewAccount();
  world_.Fail("video.create", R"({"kind":"status","status":429,"retry_after":0})", 0);
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a cat");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  world_.AwaitTask(task.value.name(), [](const v1::VideoTask& seen) {
    return seen.attempts_size() > 0 && seen.attempts(0).tries() >= 3;
  });
  // Not submitted: it can be cancelled, and nothing is billed.
  v1::CancelVideoTaskRequest cancel;
  cancel.set_name(task.value.name());
  grpc::ClientContext context;
  SetDeadline(context);
  v1::VideoTask cancelled;
  const auto made_before = world_.Made().videos_made;
  const grpc::Status status = world_.videos().CancelVideoTask(&context, cancel, &cancelled);
  if (!status.ok()) {
    // A try was under way just then.
    EXPECT_EQ(base::ReasonOf(ErrorOf(status)), v1::CANCEL_UNSUPPORTED) << status.error_message();
    return;
  }
  EXPECT_EQ(cancelled.state(), v1::VideoTask::CANCELLED);
  EXPECT_EQ(cancelled.attempts(0).billing(), v1::Attempt::NOT_BILLED);
  EXPECT_EQ(world_.Made().videos_made, made_before);
}

// The provider makes every video and cuts the connection each time: a person finds it there, and
// the gateway follows it by its id. Where there is an idempotency key, they are quicker than that.
TEST_P(Submission, OfAVideoThatAPersonFoundAtTheProviderIsFollowedToItsEnd) {
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
      // A repetition is just under way: its answer is cut off as well.
    } while (base::ReasonOf(ErrorOf(status)) == v1::SUBMISSION_UNDER_WAY && absl::Now() < give_up);
    return status;
  };
  v1::VideoTask resolved;
  // No dialect's tasks have such ids.
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

INSTANTIATE_TEST_SUITE_P(Every, Submission, ::testing::ValuesIn(World::Dialects()));

}  // namespace
}  // namespace assetgate::conformance
