// The simulated apiframe, against its documentation.
#include "absl/strings/str_cat.h"
#include "tests/simulator/simulator_fixture.h"

namespace assetgate::simulator {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr char kAssets[] = "/apiframe/v2/assets";
constexpr char kCreateAsset[] = "/apiframe/v2/assets/create";
constexpr char kGenerate[] = "/apiframe/v2/videos/generate";
constexpr char kJobs[] = "/apiframe/v2/jobs";

class ApiframeTest : public SimulatorTest {
 protected:
  std::string MakeAsset(absl::string_view url = "https://cdn.example.org/a.png",
                        absl::string_view type = "image") {
    return Post(kCreateAsset, absl::StrCat(R"({"url":")", url, R"(","type":")", type, R"("})"))
        .Text("/assetId");
  }
  Answer GetAsset(absl::string_view id) { return Get(absl::StrCat(kAssets, "/", id)); }
  static std::string Body(absl::string_view params, absl::string_view model = "seedance-2") {
    return absl::StrCat(R"({"model":")", model, R"(","prompt":"she turns","seedanceParams":{)",
                        params, "}}");
  }
  Answer MakeJob(absl::string_view params = "", absl::string_view model = "seedance-2") {
    return Post(kGenerate, Body(params, model));
  }
  Answer GetJob(absl::string_view id) { return Get(absl::StrCat(kJobs, "/", id)); }
  Answer MakeJobWithKey(absl::string_view idempotency_key, absl::string_view body) {
    return Call(
        "POST", kGenerate, body,
        {absl::StrCat("X-API-Key: ", key), absl::StrCat("Idempotency-Key: ", idempotency_key)});
  }
};

TEST_F(ApiframeTest, AssetIsProcessingThenActive) {
  const Answer made = Post(kCreateAsset, R"({"url":"https://a.b/c.mp4","type":"video"})");
  ASSERT_EQ(made.status, 201);
  const std::string id = made.Text("/assetId");
  EXPECT_EQ(made.body, absl::StrCat(R"({"assetId":")", id, R"("})"));
  const Answer early = GetAsset(id);
  EXPECT_EQ(early.body, R"({"status":"Processing","url":null,"errorMsg":null})");
  clock.Advance(absl::Seconds(2));
  const Answer active = GetAsset(id);
  EXPECT_EQ(active.Text("/status"), "Active");
  EXPECT_THAT(active.Text("/url"), HasSubstr(".mp4"));
  EXPECT_EQ(active.At("/errorMsg"), "null");
}

TEST_F(ApiframeTest, FailedAssetSaysWhy) {
  const std::string id = MakeAsset("https://a.b/dead-link/c.png");
  Finish();
  const Answer failed = GetAsset(id);
  EXPECT_EQ(failed.Text("/status"), "Failed");
  EXPECT_THAT(failed.Text("/errorMsg"), HasSubstr("could not be fetched"));
}

TEST_F(ApiframeTest, AssetSchemaIsStrict) {
  EXPECT_THAT(Post(kCreateAsset, R"({"type":"image"})").At("/details/url"),
              HasSubstr("is required"));
  EXPECT_EQ(Post(kCreateAsset, R"({"url":"https://a.b/c","type":"Image"})").status, 400);
  EXPECT_EQ(Post(kCreateAsset, R"({"url":"a.b/c","type":"image"})").status, 400);
  EXPECT_EQ(Post(kCreateAsset, R"({"url":7,"type":"image"})").status, 400);
  const Answer unknown = Post(kCreateAsset, R"({"url":"https://a.b/c","type":"image","name":"x"})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.At("/details/name"), HasSubstr("not a known field"));
  EXPECT_EQ(Post(kCreateAsset, "[]").status, 400);
  EXPECT_EQ(Call("POST", kCreateAsset, R"({"url":"https://a.b/c","type":"image"})",
                 {"X-API-Key: sim-key", "Content-Type: text/plain"})
                .status,
            400);
}

TEST_F(ApiframeTest, AssetsOfOthersDoNotExist) {
  const std::string id = MakeAsset();
  EXPECT_EQ(GetAsset("nothing").status, 404);
  key = kOtherKey;
  EXPECT_EQ(GetAsset(id).status, 404);
}

TEST_F(ApiframeTest, JobRunsToALinkThatWorks) {
  const std::string asset = MakeAsset();
  Finish();
  const Answer made = MakeJob(absl::StrCat(
      R"("duration":5,"resolution":"720p","aspect_ratio":"9:16","reference_image_urls":["asset://)",
      asset, R"(","https://cdn.example.org/b.jpg"])"));
  ASSERT_EQ(made.status, 202) << made.body;
  EXPECT_EQ(made.Text("/status"), "QUEUED");
  const std::string id = made.Text("/jobId");
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"));

  const Answer queued = GetJob(id);
  EXPECT_EQ(queued.Text("/status"), "QUEUED");
  EXPECT_EQ(queued.At("/progress"), "0");
  EXPECT_EQ(queued.At("/result"), "null");
  EXPECT_EQ(queued.At("/completedAt"), "null");
  clock.Advance(absl::Seconds(4));
  const Answer running = GetJob(id);
  EXPECT_EQ(running.Text("/status"), "PROCESSING");
  EXPECT_EQ(running.At("/progress"), "50");
  Finish();
  const Answer done = GetJob(id);
  EXPECT_EQ(done.Text("/status"), "COMPLETED");
  EXPECT_EQ(done.At("/progress"), "100");
  EXPECT_EQ(done.At("/creditCost"), "40");
  EXPECT_EQ(done.At("/error"), "null");
  EXPECT_EQ(done.At("/input/seedanceParams/duration"), "5");
  EXPECT_EQ(done.Text("/completedAt"), "2027-01-15T08:01:07.000Z");
  const std::string url = done.Text("/result/videoUrl");
  EXPECT_EQ(Call("GET", url.substr(simulator.url().size())).Header("content-type"), "video/mp4");
}

TEST_F(ApiframeTest, ResultMayBeABareString) {
  Set("apiframe", "result", "string");
  const std::string id = MakeJob().Text("/jobId");
  Finish();
  EXPECT_THAT(GetJob(id).Text("/result"), HasSubstr(".mp4"));
}

TEST_F(ApiframeTest, FailedJobHasTextAndCostsNothing) {
  Set("apiframe", "credits", "100");
  const std::string id =
      MakeJob(R"("duration":5,"start_image":"https://a.b/moderated.png")").Text("/jobId");
  EXPECT_EQ(Get("/apiframe/v2/me").At("/team/credits"), "60");
  Finish();
  const Answer failed = GetJob(id);
  EXPECT_EQ(failed.Text("/status"), "FAILED");
  EXPECT_THAT(failed.Text("/error"), HasSubstr("Provider returned an error: "));
  EXPECT_EQ(failed.At("/creditCost"), "0");
  EXPECT_EQ(Get("/apiframe/v2/me").At("/team/credits"), "100");
}

TEST_F(ApiframeTest, CreditsRunOut) {
  Set("apiframe", "credits", "47");
  EXPECT_EQ(MakeJob(R"("duration":5)").status, 202);
  const Answer broke = MakeJob(R"("duration":5)");
  EXPECT_EQ(broke.status, 402);
  EXPECT_EQ(broke.body,
            R"({"error":"Insufficient credits","creditsRequired":40,"creditsAvailable":7})");
}

TEST_F(ApiframeTest, JobSchemaIsStrict) {
  const auto details = [&](absl::string_view body) { return Post(kGenerate, body).At("/details"); };
  EXPECT_THAT(details(R"({"prompt":"x"})"), HasSubstr(R"("model":["is required"])"));
  EXPECT_THAT(details(R"({"model":"seedance-2"})"), HasSubstr(R"("prompt":["is required"])"));
  EXPECT_THAT(details(R"({"model":"dall-e","prompt":"x"})"), HasSubstr("Unknown model"));
  EXPECT_THAT(details(R"({"model":"seedance-2","prompt":"x","duration":5})"),
              HasSubstr(R"("duration":["is not a known field"])"));
  EXPECT_THAT(
      details(absl::StrCat(R"({"model":"seedance-2","prompt":")", std::string(4001, 'x'), R"("})")),
      HasSubstr("4000"));
  EXPECT_THAT(details(R"({"model":"seedance-2","prompt":"x","webhookEvents":["done"]})"),
              HasSubstr("Unknown event"));
  EXPECT_THAT(MakeJob(R"("watermark":false)").At("/details"),
              HasSubstr(R"("seedanceParams.watermark":["is not a known field"])"));
}

TEST_F(ApiframeTest, ParamsHaveLimits) {
  const auto refused = [&](absl::string_view params, absl::string_view model = "seedance-2") {
    return MakeJob(params, model).At("/details");
  };
  EXPECT_THAT(refused(R"("duration":3)"), HasSubstr("seedanceParams.duration"));
  EXPECT_THAT(refused(R"("duration":16)"), HasSubstr("seedanceParams.duration"));
  EXPECT_THAT(refused(R"("duration":"5")"), HasSubstr("must be an integer"));
  EXPECT_THAT(refused(R"("resolution":"1080p")", "seedance-2-fast"), HasSubstr("resolution"));
  EXPECT_EQ(MakeJob(R"("resolution":"4k")").status, 202);
  EXPECT_THAT(refused(R"("aspect_ratio":"9:21")"), HasSubstr("aspect_ratio"));
  EXPECT_THAT(refused(R"("seed":1.5)"), HasSubstr("seed"));
  EXPECT_THAT(refused(R"("camera_fixed":null)"), HasSubstr("must be a boolean"));
  EXPECT_THAT(refused(R"("start_image":"ftp://a.b/c")"), HasSubstr("Invalid url"));
  EXPECT_THAT(refused(R"("reference_video_urls":["https://a.b/1","https://a.b/2","https://a.b/3",
                        "https://a.b/4"])"),
              HasSubstr("at most 3"));
  EXPECT_THAT(refused(R"("duration":7)", "seedance-1-pro"), HasSubstr("duration"));
  EXPECT_THAT(refused(R"("duration":5,"web_search":true)", "seedance-1-pro"),
              HasSubstr("not a known field"));
}

TEST_F(ApiframeTest, FramesExcludeReferencesOnlyWith25) {
  const std::string mixed =
      R"("start_image":"https://a.b/1.png","reference_image_urls":["https://a.b/2.png"])";
  EXPECT_EQ(MakeJob(mixed).status, 202);
  EXPECT_THAT(MakeJob(mixed, "seedance-2.5").At("/details"), HasSubstr("exclude each other"));
}

TEST_F(ApiframeTest, ReferencesMustBeActiveAssetsOfTheirType) {
  const std::string asset = MakeAsset();
  const std::string image = absl::StrCat(R"("reference_image_urls":["asset://)", asset, "\"]");
  EXPECT_THAT(MakeJob(image).At("/details"), HasSubstr("is not Active"));
  Set("apiframe", "inactive_reference", "fail");
  const std::string job = MakeJob(image).Text("/jobId");
  Finish();
  EXPECT_THAT(GetJob(job).Text("/error"), HasSubstr("is not Active"));
  EXPECT_EQ(MakeJob(image).status, 202);
  EXPECT_THAT(
      MakeJob(absl::StrCat(R"("reference_video_urls":["asset://)", asset, "\"]")).At("/details"),
      HasSubstr("not of type video"));
  EXPECT_THAT(MakeJob(R"("reference_image_urls":["asset://nothing"])").At("/details"),
              HasSubstr("not found"));
  key = kOtherKey;
  EXPECT_THAT(MakeJob(image).At("/details"), HasSubstr("not found"));
}

TEST_F(ApiframeTest, IdempotencyKeyReplaysTheJobForADay) {
  const std::string body = Body(R"("duration":5)");
  const Answer first = MakeJobWithKey("k1", body);
  ASSERT_EQ(first.status, 202);
  Finish();
  const Answer replay = MakeJobWithKey("k1", body);
  EXPECT_EQ(replay.status, 202);
  EXPECT_EQ(replay.Text("/jobId"), first.Text("/jobId"));
  EXPECT_EQ(replay.Text("/status"), "COMPLETED");
  EXPECT_EQ(MakeJobWithKey("k1", Body(R"("duration":6)")).status, 409);
  EXPECT_NE(MakeJobWithKey("k2", body).Text("/jobId"), first.Text("/jobId"));
  key = kOtherKey;  // another account's keys are its own
  EXPECT_NE(MakeJobWithKey("k1", body).Text("/jobId"), first.Text("/jobId"));
  key = kKey;
  clock.Advance(absl::Hours(24));
  EXPECT_NE(MakeJobWithKey("k1", body).Text("/jobId"), first.Text("/jobId"));
  EXPECT_EQ(MakeJobWithKey(std::string(256, 'k'), body).status, 400);
}

TEST_F(ApiframeTest, RefusedSubmissionDoesNotUseUpItsKey) {
  EXPECT_EQ(MakeJobWithKey("k1", "{}").status, 400);
  EXPECT_EQ(MakeJobWithKey("k1", Body("")).status, 202);
}

TEST_F(ApiframeTest, JobsOfOthersAreUnknown) {
  const std::string id = MakeJob().Text("/jobId");
  EXPECT_EQ(GetJob("not-a-uuid").status, 400);
  EXPECT_EQ(GetJob("5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5").status, 404);
  key = kOtherKey;
  EXPECT_EQ(GetJob(id).status, 404);
}

TEST_F(ApiframeTest, JobsAreListedNewestFirstByPage) {
  const std::string first = MakeJob().Text("/jobId");
  const std::string second = MakeJob().Text("/jobId");
  const Answer page = Get(absl::StrCat(kJobs, "?limit=1"));
  EXPECT_EQ(page.Text("/jobs/0/id"), second);
  EXPECT_EQ(page.At("/hasMore"), "true");
  const Answer rest = Get(absl::StrCat(kJobs, "?limit=1&cursor=", page.Text("/nextCursor")));
  EXPECT_EQ(rest.Text("/jobs/0/id"), first);
  EXPECT_EQ(rest.At("/hasMore"), "false");
  EXPECT_EQ(Get(absl::StrCat(kJobs, "?limit=0")).status, 400);
}

TEST_F(ApiframeTest, KeyComesInItsOwnHeader) {
  EXPECT_EQ(Call("GET", "/apiframe/v2/me").body, R"({"error":"API key is required"})");
  EXPECT_EQ(Call("GET", "/apiframe/v2/me", "", {"Authorization: Bearer sim-key"}).status, 401);
  key = "wrong";
  EXPECT_EQ(Get("/apiframe/v2/me").body, R"({"error":"Invalid API key"})");
  EXPECT_EQ(Call("GET", "/apiframe/v2/models").Text("/models/0/id"), "seedance-2");
}

}  // namespace
}  // namespace assetgate::simulator
