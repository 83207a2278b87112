#include "calls/validate.h"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  const google::rpc::Status proto = base::ToRpcStatus(status);
  for (const auto& detail : proto.details()) {
    google::rpc::BadRequest bad;
    if (!detail.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) fields.push_back(violation.field());
  }
  return fields;
}

class ValidateTest : public testing::Test {
 protected:
  template <typename Request>
  std::vector<std::string> Check(const Request& request) {
    base::Faults faults;
    if constexpr (std::is_same_v<Request, v1::CreateAssetRequest>) {
      unknown_ = Validate(request, *harness_.catalog(), "", faults);
    } else {
      unknown_ = Validate(request, *harness_.catalog(), faults);
    }
    const absl::Status status = faults.ToStatus();
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(base::ReasonOf(status), v1::INVALID_FIELD);
    }
    return FieldsOf(status);
  }

  reconcile::Harness harness_;
  absl::Status unknown_;
};

TEST_F(ValidateTest, ValidRequestsHaveNoFaults) {
  EXPECT_THAT(Check(reconcile::Harness::Asset("hero", {"alpha", "beta"})), IsEmpty());
  EXPECT_THAT(Check(reconcile::Harness::Video("fox")), IsEmpty());
  v1::CreateAssetGroupRequest group;
  group.mutable_asset_group();
  EXPECT_THAT(Check(group), IsEmpty());
}

TEST_F(ValidateTest, AllFaultsOfAnAssetAreReportedAtOnce) {
  v1::CreateAssetRequest request;
  request.mutable_asset()->set_source_uri("http://127.0.0.1/a.png");
  request.mutable_asset()->set_display_name(std::string(257, 'x'));
  request.mutable_asset()->set_asset_group("groups/cast");
  (*request.mutable_asset()->mutable_labels())["Bad Key"] = "v";
  request.set_asset_id("Hero!");
  request.set_request_id(std::string(129, 'r'));
  request.mutable_max_wait()->set_seconds(61);
  (*request.mutable_asset()->mutable_provider_options())["gamma"];
  request.add_providers("what is this");
  EXPECT_THAT(Check(request),
              UnorderedElementsAre("asset.source_uri", "asset.media_type", "asset.display_name",
                                   "asset.asset_group", "asset.labels", "asset_id", "request_id",
                                   "max_wait", "asset.provider_options[gamma]", "providers[0]"));
}

TEST_F(ValidateTest, AllFaultsOfATaskAreReportedAtOnce) {
  v1::CreateVideoTaskRequest request;
  v1::VideoTask& task = *request.mutable_video_task();
  task.set_prompt(std::string(10'001, 'x'));
  task.mutable_duration()->set_seconds(0);
  task.set_resolution("");
  auto* no_source = task.add_references();
  no_source->set_role(v1::Reference::REFERENCE);
  auto* no_role = task.add_references();
  no_role->set_uri("assets/hero");
  no_role->set_media_type(v1::IMAGE);
  auto* lonely_end = task.add_references();
  lonely_end->set_role(v1::Reference::LAST_FRAME);
  lonely_end->set_uri("https://example.com/a.mp4");
  lonely_end->set_media_type(v1::VIDEO);
  auto* wrong_name = task.add_references();
  wrong_name->set_role(v1::Reference::REFERENCE);
  wrong_name->set_asset("hero");
  auto& options = (*task.mutable_provider_options())["alpha"];
  (*options.mutable_fields())["model"].set_string_value("mine");
  EXPECT_THAT(
      Check(request),
      UnorderedElementsAre("video_task.model", "video_task.prompt", "video_task.duration",
                           "video_task.resolution", "video_task.references[0]",
                           "video_task.references[1].role", "video_task.references[1].uri",
                           "video_task.references[2].media_type", "video_task.references[3].asset",
                           "video_task.references", "video_task.provider_options[alpha].model"));
}

TEST_F(ValidateTest, EmptyRequestIsRefusedWithTheMissingField) {
  EXPECT_THAT(Check(v1::CreateAssetRequest()), ElementsAre("asset"));
  EXPECT_THAT(Check(v1::CreateVideoTaskRequest()), ElementsAre("video_task"));
  EXPECT_THAT(Check(v1::CreateAssetGroupRequest()), ElementsAre("asset_group"));
  EXPECT_THAT(Check(v1::BatchCreateAssetsRequest()), ElementsAre("requests"));
}

TEST_F(ValidateTest, UnknownProviderIsNotFoundAndTheKnownOnesAreSuggested) {
  EXPECT_THAT(Check(reconcile::Harness::Asset("hero", {"alhpa"})), IsEmpty());
  EXPECT_EQ(unknown_.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown_.message()), HasSubstr("nearest first: providers/alpha"));
}

TEST_F(ValidateTest, FaultsOfABatchNameTheItemByItsIndex) {
  v1::BatchCreateAssetsRequest batch;
  *batch.add_requests() = reconcile::Harness::Asset("a", {});
  *batch.add_requests() = reconcile::Harness::Asset("a", {});
  batch.mutable_requests(1)->mutable_asset()->set_source_uri("/tmp/a.png");
  batch.mutable_requests(1)->set_request_id("r");
  EXPECT_THAT(Check(batch),
              UnorderedElementsAre("requests[1].asset_id", "requests[1].asset.source_uri",
                                   "requests[1].request_id"));
  batch.clear_requests();
  for (int i = 0; i < 101; ++i)
    *batch.add_requests() = reconcile::Harness::Asset(absl::StrCat("a-", i), {});
  EXPECT_THAT(Check(batch), ElementsAre("requests"));
}

TEST_F(ValidateTest, MediaTypeThatANamedProviderDoesNotRegisterIsRefused) {
  v1::CreateAssetRequest request = reconcile::Harness::Asset("song", {"alpha"});
  request.mutable_asset()->set_media_type(v1::AUDIO);
  EXPECT_THAT(Check(request), ElementsAre("asset.media_type"));
  request.clear_providers();
  EXPECT_THAT(Check(request), IsEmpty());
  request.mutable_asset()->set_media_type(static_cast<v1::MediaType>(17));
  EXPECT_THAT(Check(request), ElementsAre("asset.media_type"));
}

TEST_F(ValidateTest, IdsOfTheGatewaysOwnGroupsAreReserved) {
  v1::CreateAssetGroupRequest request;
  request.mutable_asset_group();
  request.set_asset_group_id("default-alpha");
  EXPECT_THAT(Check(request), ElementsAre("asset_group_id"));
}

TEST_F(ValidateTest, ProviderOptionsAreCheckedAtAnyDepth) {
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video();
  google::protobuf::Struct& options =
      (*request.mutable_video_task()->mutable_provider_options())["alpha"];
  google::protobuf::Value& list =
      (*(*options.mutable_fields())["a"].mutable_struct_value()->mutable_fields())["b"];
  list.mutable_list_value()->add_values()->set_number_value(1);
  list.mutable_list_value()->add_values()->set_number_value(
      std::numeric_limits<double>::quiet_NaN());
  (*list.mutable_list_value()->add_values()->mutable_struct_value()->mutable_fields())["poster"]
      .set_string_value("http://169.254.169.254/latest/meta-data");
  (*options.mutable_fields())["scale"].set_number_value(std::numeric_limits<double>::infinity());
  (*options.mutable_fields())["style"].set_string_value("https://cdn.example.org/style.png");
  (*options.mutable_fields())["hero"].set_string_value("asset://asset-1");
  (*options.mutable_fields())["words"].set_string_value("10.0.0.1 is a number");
  (*options.mutable_fields())["blank"].set_string_value(" http://10.0.0.1/x.png");
  (*options.mutable_fields())["bare"].set_string_value("//10.0.0.1/x.png");
  EXPECT_THAT(Check(request), ElementsAre("video_task.provider_options[alpha].a.b[1]",
                                          "video_task.provider_options[alpha].a.b[2].poster",
                                          "video_task.provider_options[alpha].bare",
                                          "video_task.provider_options[alpha].blank",
                                          "video_task.provider_options[alpha].scale"));
}

}  // namespace
}  // namespace assetgate::calls
