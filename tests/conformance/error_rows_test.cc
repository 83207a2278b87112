// Every row of every dialect page's error tables, as the provider would send it: in answer to the
// submission of a video or an asset, and on a poll.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "tests/conformance/world.h"
#include "tests/simulator/json.h"

namespace assetgate::conformance {
namespace {

enum class Verdict {
  // An error with this reason, and nothing exists.
  kRefused,
  // Not accepted, but the next try may be.
  kTriedAgain,
  // Perhaps accepted.
  kUnknown,
};

struct Row {
  std::string dialect;
  std::string name;
  // "video.create" or "asset.create".
  std::string call;
  int http_status;
  std::string body;
  Verdict verdict;
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  // What the caller gets to read of it; empty where the page promises no words.
  std::string words;
};

const std::vector<Row>& Rows() {
  using enum Verdict;
  static const auto* const rows = new std::vector<Row>{
      // zerozero: four shapes of errors, and honest statuses but for the material service.
      {"zerozero", "InvalidJson", "video.create", 400, R"({"detail":"invalid json"})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "invalid json"},
      {"zerozero", "MissingModel", "video.create", 400, R"({"error":"missing model"})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "missing model"},
      {"zerozero", "InvalidApiKey", "video.create", 401, R"({"detail":"invalid api key"})",
       kRefused, v1::PROVIDER_CREDENTIALS_REJECTED, "invalid api key"},
      {"zerozero", "InsufficientBalance", "video.create", 402,
       R"({"detail":"insufficient balance"})", kRefused, v1::PROVIDER_OUT_OF_CREDIT,
       "insufficient balance"},
      {"zerozero", "Banned", "video.create", 403, R"({"detail":"banned"})", kRefused,
       v1::PROVIDER_CREDENTIALS_REJECTED, "banned"},
      {"zerozero", "SpendLimit", "video.create", 403,
       R"({"detail":"api_key_spend_limit_exceeded"})", kRefused},
      {"zerozero", "ModelDisabled", "video.create", 403, R"({"detail":"model disabled"})",
       kRefused},
      {"zerozero", "NoProvider", "video.create", 404, R"({"message":"no provider for model"})",
       kRefused, v1::PROVIDER_REJECTED, "no provider for model"},
      {"zerozero", "MethodNotAllowed", "video.create", 405, R"({"detail":"Method Not Allowed"})",
       kUnknown},
      {"zerozero", "PromptMissing", "video.create", 422,
       R"({"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required","input":{}}]})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "Field required"},
      {"zerozero", "NestedError", "video.create", 422,
       R"({"error":{"message":"prompt or model missing"}})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "prompt or model missing"},
      {"zerozero", "TooManyRequests", "video.create", 429, R"({"message":"Too many requests"})",
       kTriedAgain},
      {"zerozero", "ClientWentAway", "video.create", 499, R"({"detail":"client closed"})",
       kUnknown},
      {"zerozero", "UpstreamFailed", "video.create", 502, R"({"detail":"upstream failed"})",
       kUnknown},
      {"zerozero", "UpstreamTimeout", "video.create", 504, R"({"detail":"timeout"})", kUnknown},
      {"zerozero", "NoIdInAnEnvelope", "video.create", 200,
       R"({"model":"seedance-2-0","status":"queued"})", kUnknown},
      {"zerozero", "MaterialRefusalIn200", "asset.create", 200,
       R"({"code":400,"msg":"url cannot be fetched","data":null})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "url cannot be fetched"},
      {"zerozero", "MaterialErrorIn200", "asset.create", 200,
       R"({"code":500,"msg":"try later","data":null})", kUnknown},
      {"zerozero", "MaterialSuccessWithoutData", "asset.create", 200,
       R"({"code":200,"msg":"OK","data":null})", kUnknown},

      // apiframe: one shape, honest statuses.
      {"apiframe", "Details", "video.create", 400,
       R"({"error":"Validation failed","details":{"seedanceParams.duration":["too long"]}})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "too long"},
      {"apiframe", "KeyRequired", "video.create", 401, R"({"error":"API key is required"})",
       kRefused, v1::PROVIDER_CREDENTIALS_REJECTED, "API key is required"},
      {"apiframe", "InsufficientCredits", "video.create", 402,
       R"({"error":"Insufficient credits","creditsRequired":40,"creditsAvailable":7})", kRefused,
       v1::PROVIDER_OUT_OF_CREDIT, "Insufficient credits"},
      {"apiframe", "KeyInactive", "video.create", 403, R"({"error":"API key is inactive"})",
       kRefused, v1::PROVIDER_CREDENTIALS_REJECTED, "API key is inactive"},
      {"apiframe", "NotFound", "video.create", 404, R"({"error":"Not found"})", kRefused,
       v1::PROVIDER_REJECTED, "Not found"},
      {"apiframe", "KeyReused", "video.create", 409, R"({"error":"Idempotency key reused"})",
       kUnknown},
      {"apiframe", "RateLimited", "video.create", 429, R"({"error":"Too many requests"})",
       kTriedAgain},
      {"apiframe", "QueueDown", "video.create", 503, R"({"error":"Service unavailable"})",
       kUnknown},
      {"apiframe", "AssetUrlInvalid", "asset.create", 400, R"({"error":"url must be a URL"})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "url must be a URL"},
      {"apiframe", "AssetUpstreamFailed", "asset.create", 502, R"({"error":"Upstream failed"})",
       kUnknown},

      // kyy: an envelope on assets, anything on videos, failures inside 200.
      {"kyy", "Unreachable", "asset.create", 200,
       R"({"code":1001,"msg":"url unreachable","data":null})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "url unreachable"},
      {"kyy", "UnknownCode", "asset.create", 200, R"({"code":7,"msg":"no","data":null})", kUnknown},
      {"kyy", "CodeAsText", "asset.create", 200, R"({"code":"1001","msg":"gone","data":null})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "gone"},
      {"kyy", "SuccessWithoutData", "asset.create", 200, R"({"code":0,"msg":null,"data":null})",
       kUnknown},
      {"kyy", "KeyIn200", "asset.create", 200, R"({"code":401,"msg":"invalid key","data":null})",
       kRefused, v1::PROVIDER_CREDENTIALS_REJECTED, "invalid key"},
      {"kyy", "VideoEnvelopeIn200", "video.create", 200,
       R"({"code":400,"msg":"prompt missing","data":null})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "prompt missing"},
      {"kyy", "VideoErrorText", "video.create", 400, R"({"error":"bad duration"})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "bad duration"},
      {"kyy", "VideoErrorObject", "video.create", 400, R"({"error":{"message":"bad ratio"}})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "bad ratio"},
      {"kyy", "VideoKey", "video.create", 401, R"({"code":401,"msg":"invalid key","data":null})",
       kRefused, v1::PROVIDER_CREDENTIALS_REJECTED, "invalid key"},
      {"kyy", "VideoCredit", "video.create", 402, R"({"error":"no balance"})", kRefused,
       v1::PROVIDER_OUT_OF_CREDIT, "no balance"},
      {"kyy", "VideoRate", "video.create", 429, R"({"error":"slow down"})", kTriedAgain},
      {"kyy", "VideoWithoutId", "video.create", 200, R"({"object":"video","status":"queued"})",
       kUnknown},

      // octopusx: three envelopes; an upstream's refusal is JSON inside a text.
      {"octopusx", "AssetStateZero", "asset.create", 400,
       R"({"state":0,"data":null,"error":{"code":"invalid_request","message":"URL required"}})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "URL required"},
      {"octopusx", "AssetErrorIn200", "asset.create", 200,
       R"({"state":0,"data":null,"error":{"code":"invalid_request","message":"no such type"}})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "no such type"},
      {"octopusx", "ForeignGroup", "asset.create", 403,
       R"({"error":{"message":"group not owned by this account","type":"new_api_error","code":"access_denied"}})",
       kRefused, v1::ERROR_REASON_UNSPECIFIED, "group not owned by this account"},
      {"octopusx", "AssetRelayBroken", "asset.create", 502,
       R"({"error":{"message":"bad status","type":"new_api_error","code":"bad_response_status_code"}})",
       kUnknown},
      {"octopusx", "InvalidRequest", "video.create", 400,
       R"({"code":"invalid_request","message":"content is required","data":null})", kRefused,
       v1::PROVIDER_INVALID_ARGUMENT, "content is required"},
      {"octopusx", "UpstreamRefusal", "video.create", 400,
       R"({"code":"fail_to_fetch_task","message":"{\"error\":{\"code\":\"InvalidParameter\",\"message\":\"ratio is wrong\"}}","data":null})",
       kRefused, v1::PROVIDER_INVALID_ARGUMENT, "ratio is wrong"},
      {"octopusx", "Key", "video.create", 401,
       R"({"error":{"message":"invalid token","type":"new_api_error","code":""}})", kRefused,
       v1::PROVIDER_CREDENTIALS_REJECTED, "invalid token"},
      {"octopusx", "Quota", "video.create", 403,
       R"({"error":{"message":"user quota is not enough","type":"new_api_error","code":"insufficient_user_quota"}})",
       kRefused, v1::PROVIDER_OUT_OF_CREDIT, "user quota is not enough"},
      {"octopusx", "RateLimited", "video.create", 429,
       R"({"error":{"message":"slow down","type":"new_api_error","code":"rate_limit"}})",
       kTriedAgain},
      {"octopusx", "NoChannel", "video.create", 503,
       R"({"error":{"message":"no available channel","type":"new_api_error","code":"model_not_found"}})",
       kTriedAgain},
      {"octopusx", "UpstreamDown", "video.create", 500,
       R"({"code":"fail_to_fetch_task","message":"upstream error","data":null})", kUnknown},
      {"octopusx", "NoTaskId", "video.create", 200, R"({"object":"video"})", kUnknown},
  };
  return *rows;
}

// For the name of a failed test.
void PrintTo(const Row& row, std::ostream* out) { *out << row.dialect << " " << row.name; }

class ErrorRows : public ::testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    world_.Heal();
    world_.Fail(
        GetParam().call,
        absl::StrCat(R"({"kind":"status","retry_after":0,"status":)", GetParam().http_status,
                     ",\"body\":", simulator::Json(GetParam().body).text(), "}"),
        1);
  }
  void TearDown() override { world_.Heal(); }

  void ExpectRefusal(const google::rpc::Status& error) const {
    const Row& row = GetParam();
    const google::rpc::ErrorInfo info = base::InfoOf(error);
    if (row.reason != v1::ERROR_REASON_UNSPECIFIED) {
      EXPECT_EQ(info.reason(), v1::ErrorReason_Name(row.reason)) << error.ShortDebugString();
    }
    if (!row.words.empty()) {
      EXPECT_THAT(info.metadata().at("provider_message"), ::testing::HasSubstr(row.words));
    }
    if (row.http_status >= 300) {
      EXPECT_EQ(info.metadata().at("http_status"), absl::StrCat(row.http_status));
    }
  }

  World& world_ = World::Of(GetParam().dialect);
  const Account account_ = world_.NewAccount();
};

TEST_P(ErrorRows, AreUnderstood) {
  const Row& row = GetParam();
  const auto calls_before = world_.Calls(row.call);
  if (row.call == "asset.create") {
    const Answer<v1::Asset> asset = world_.CreateAsset(account_, "face");
    if (row.verdict == Verdict::kRefused) {
      ASSERT_FALSE(asset.ok()) << asset.value.ShortDebugString();
      ExpectRefusal(asset.error);
      EXPECT_EQ(world_.Calls(row.call), calls_before + 1);
      return;
    }
    ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
    const v1::Asset settled = world_.AwaitAsset(
        asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
    EXPECT_EQ(settled.state(), v1::Asset::ACTIVE);
    EXPECT_EQ(world_.Calls(row.call), calls_before + 2);
    return;
  }
  const auto made_before = world_.Made().videos_made;
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account_, "a cat");
  if (row.verdict == Verdict::kRefused) {
    ASSERT_FALSE(task.ok()) << task.value.ShortDebugString();
    ExpectRefusal(task.error);
    EXPECT_EQ(world_.Made().videos_made, made_before);
    return;
  }
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  const bool confirmed = row.verdict == Verdict::kTriedAgain || row.dialect == "apiframe";
  EXPECT_EQ(settled.state(), confirmed ? v1::VideoTask::SUCCEEDED : v1::VideoTask::UNCONFIRMED)
      << settled.ShortDebugString();
  EXPECT_EQ(world_.Made().videos_made, made_before + (confirmed ? 1 : 0));
}

INSTANTIATE_TEST_SUITE_P(Of, ErrorRows, ::testing::ValuesIn(Rows()), [](const auto& test) {
  return test.param.dialect + "_" + test.param.name;
});

}  // namespace
}  // namespace assetgate::conformance
