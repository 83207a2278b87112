// The simulated kyyReactApiServer, against its documentation.
#include "absl/strings/str_cat.h"
#include "tests/simulator/simulator_fixture.h"

namespace assetgate::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr char kUpload[] = "/kyy/kyyVideo2/asset/upload";
constexpr char kVideos[] = "/kyy/v1/kyyvideo2/videos";

class KyyTest : public SimulatorTest {
 protected:
  Answer Upload(absl::string_view url = "https://cdn.acme.test/face.png",
                absl::string_view type = "Image") {
    return Post(kUpload, absl::StrCat(R"({"assetType":")", type, R"(","url":")", url,
                                      R"(","name":"hero face"})"));
  }
  std::string MakeActiveAsset(absl::string_view type = "Image") {
    std::string id = Upload("https://cdn.acme.test/x", type).Text("/data/assetId");
    Finish();
    return id;
  }
  static std::string AssetPath(absl::string_view id) {
    return absl::StrCat("/kyy/kyyVideo2/asset/", id);
  }
  Answer MakeTask(absl::string_view more = "", absl::string_view model = "seedance_2_0_pro") {
    return Post(kVideos, absl::StrCat(R"({"model":")", model, R"(","prompt":"She turns")",
                                      more.empty() ? "" : ",", more, "}"));
  }
  Answer GetTask(absl::string_view id) { return Get(absl::StrCat("/kyy/v1/result/", id)); }
};

TEST_F(KyyTest, AssetIsProcessingThenActive) {
  const Answer made = Upload();
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(made.At("/code"), "0");
  EXPECT_EQ(made.At("/msg"), "null");
  const std::string id = made.Text("/data/assetId");
  EXPECT_THAT(id, MatchesRegex("asset-20270115080000-[a-z0-9]{5}"));
  EXPECT_EQ(Get(AssetPath(id)).Text("/data/status"), "Processing");
  Finish();
  EXPECT_EQ(Get(AssetPath(id)).body,
            absl::StrCat(R"({"code":0,"msg":null,"data":{"name":"hero face","assetId":")", id,
                         R"(","status":"Active","assetType":"Image",)",
                         R"("url":"https://cdn.acme.test/face.png",)",
                         R"("createTime":"2027-01-15 08:00:00"}})"));
}

TEST_F(KyyTest, BusinessErrorsComeInHttp200) {
  const auto refused = [&](absl::string_view body) {
    const Answer answer = Post(kUpload, body);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.At("/code"), "400");
    EXPECT_EQ(answer.At("/data"), "null");
    return answer.Text("/msg");
  };
  EXPECT_THAT(refused(R"({"url":"https://a.b/c"})"), HasSubstr("assetType"));
  EXPECT_THAT(refused(R"({"url":"https://a.b/c","assetType":"image"})"), HasSubstr("assetType"));
  EXPECT_THAT(refused(R"({"assetType":"Image"})"), HasSubstr("url"));
  EXPECT_THAT(refused(R"({"assetType":"Image","url":"data:image/png;base64,xx"})"),
              HasSubstr("url"));
  EXPECT_THAT(refused(R"({"assetType":"Image","url":"https://a.b/c","name":7})"),
              HasSubstr("name"));
  refused("not json");
  EXPECT_EQ(Get(AssetPath("asset-20260402091500-k7x2m")).At("/code"), "-1");
}

TEST_F(KyyTest, UnreachableUrlIsRefusedAndModeratedOneFailsLater) {
  const Answer dead = Upload("https://a.b/dead-link.png");
  EXPECT_EQ(dead.At("/code"), "1001");
  const std::string id = Upload("https://a.b/moderated.png").Text("/data/assetId");
  Finish();
  EXPECT_EQ(Get(AssetPath(id)).Text("/data/status"), "Failed");
}

TEST_F(KyyTest, DeleteAnswersWithAStringCode) {
  const std::string id = Upload().Text("/data/assetId");
  EXPECT_EQ(Delete(AssetPath(id)).body, R"({"code":"0","msg":null,"data":null})");
  EXPECT_EQ(Get(AssetPath(id)).At("/code"), "-1");
  EXPECT_EQ(Delete(AssetPath(id)).At("/code"), "\"-1\"");
}

TEST_F(KyyTest, TaskRunsToALinkThatWorks) {
  const std::string asset = MakeActiveAsset();
  const Answer made = MakeTask(absl::StrCat(
      R"("duration":6,"aspect_ratio":"9:16","generateAudio":true,"referenceImages":["asset://)",
      asset, "\"]"));
  ASSERT_EQ(made.status, 200);
  const std::string id = made.Text("/id");
  EXPECT_THAT(id, StartsWith("video_"));
  EXPECT_EQ(made.Text("/status"), "queued");
  EXPECT_EQ(made.At("/code"), "(none)");
  EXPECT_EQ(made.At("/error"), "null");
  EXPECT_EQ(GetTask(id).At("/video_url"), "null");
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(GetTask(id).Text("/status"), "processing");
  Finish();
  const Answer done = GetTask(id);
  EXPECT_EQ(done.Text("/status"), "completed");
  EXPECT_EQ(done.At("/actualDuration"), "6.04");
  EXPECT_EQ(done.At("/totalTokens"), "131040");
  const std::string url = done.Text("/video_url");
  EXPECT_EQ(Call("GET", url.substr(simulator.url().size())).Header("content-type"), "video/mp4");
}

TEST_F(KyyTest, SomeModelsNeedAReferenceVideo) {
  for (const char* model : {"seedance_2_0", "seedance_2_0_fast"}) {
    EXPECT_THAT(MakeTask("", model).Text("/msg"), HasSubstr("referenceVideos is required"));
    EXPECT_EQ(MakeTask(R"("referenceVideos":["https://a.b/v.mp4"])", model).Text("/status"),
              "queued");
  }
  EXPECT_EQ(MakeTask("", "seedance_2_0_fast_pro").Text("/status"), "queued");
}

TEST_F(KyyTest, TaskFieldsAreChecked) {
  const auto refused = [&](absl::string_view more) { return MakeTask(more).Text("/msg"); };
  EXPECT_THAT(refused(R"("first_image":"https://a.b/1.png","referenceImages":["https://a.b/2"])"),
              HasSubstr("excludes"));
  EXPECT_THAT(refused(R"("last_image":"https://a.b/1.png")"), HasSubstr("needs first_image"));
  EXPECT_EQ(refused(R"("first_image":"https://a.b/1.png","last_image":"https://a.b/2.png")"), "");
  EXPECT_THAT(refused(R"("duration":3)"), HasSubstr("duration"));
  EXPECT_THAT(refused(R"("duration":16)"), HasSubstr("duration"));
  EXPECT_THAT(refused(R"("duration":"5")"), HasSubstr("duration"));
  EXPECT_THAT(refused(R"("aspect_ratio":"2:1")"), HasSubstr("aspect_ratio"));
  EXPECT_THAT(refused(R"("generateAudio":1)"), HasSubstr("generateAudio"));
  EXPECT_THAT(refused(R"("referenceImages":"https://a.b/1")"), HasSubstr("array"));
  EXPECT_THAT(refused(R"("referenceAudios":["https://a.b/1","https://a.b/2","https://a.b/3",
                        "https://a.b/4"])"),
              HasSubstr("at most 3"));
  EXPECT_THAT(refused(R"("first_image":"assetId://asset-1")"), HasSubstr("first_image"));
  EXPECT_THAT(Post(kVideos, R"({"model":"seedance_3","prompt":"x"})").Text("/msg"),
              HasSubstr("model"));
  EXPECT_THAT(Post(kVideos, R"({"model":"seedance_2_0_pro"})").Text("/msg"), HasSubstr("prompt"));
}

TEST_F(KyyTest, UndocumentedFieldsHaveNoEffect) {
  EXPECT_EQ(MakeTask(R"("resolution":"720p","seed":1)").Text("/status"), "queued");
  EXPECT_THAT(Last().ignored, ElementsAre("resolution", "seed"));
  Set("kyy", "unknown_fields", "refused");
  EXPECT_THAT(MakeTask(R"("seed":1)").Text("/msg"), HasSubstr("seed is not a known field"));
}

TEST_F(KyyTest, UnusableReferenceLetsTheTaskFail) {
  const std::string asset = Upload().Text("/data/assetId");
  const std::string use = absl::StrCat(R"("referenceImages":["asset://)", asset, "\"]");
  const std::string processing = MakeTask(use).Text("/id");
  const std::string unknown = MakeTask(R"("referenceImages":["asset://asset-x"])").Text("/id");
  Finish();
  EXPECT_EQ(GetTask(processing).Text("/status"), "failed");
  EXPECT_THAT(GetTask(processing).Text("/error"), HasSubstr("not Active"));
  EXPECT_THAT(GetTask(unknown).Text("/error"), HasSubstr("does not exist"));
  key = kOtherKey;
  const std::string foreign = MakeTask(use).Text("/id");
  Finish();
  EXPECT_THAT(GetTask(foreign).Text("/error"), HasSubstr("does not exist"));
}

TEST_F(KyyTest, ReferenceTypesMustMatchTheirField) {
  const std::string document = MakeActiveAsset("Document");
  const std::string video = MakeActiveAsset("Video");
  EXPECT_THAT(
      MakeTask(absl::StrCat(R"("referenceImages":["asset://)", document, "\"]")).Text("/msg"),
      HasSubstr("takes assets of type Image"));
  EXPECT_EQ(MakeTask(absl::StrCat(R"("referenceVideos":["asset://)", video, "\"]")).Text("/status"),
            "queued");
}

TEST_F(KyyTest, UnknownKeysAndTasksAreRefused) {
  const std::string id = MakeTask().Text("/id");
  EXPECT_EQ(GetTask("video_none").status, 404);
  key = kOtherKey;
  EXPECT_EQ(GetTask(id).status, 404);
  key = "wrong";
  const Answer refused = GetTask(id);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, R"({"code":401,"msg":"invalid key","data":null})");
  EXPECT_EQ(Call("POST", kUpload, "{}").status, 401);
}

TEST_F(KyyTest, ManxueUploadsInBatchesWithPartialSuccess) {
  const Answer made = Post("/kyy/asset/sd2Manxue/assetUpload",
                           R"({"imageUrls":["https://a.b/1.png","https://a.b/dead-link.png"],
                               "audioUrls":["https://a.b/2.mp3"]})");
  EXPECT_EQ(made.At("/code"), "\"0\"");
  EXPECT_EQ(made.Text("/data/items/0/status"), "submitted");
  EXPECT_EQ(made.Text("/data/items/0/originalUrl"), "https://a.b/1.png");
  EXPECT_EQ(made.Text("/data/items/1/assetType"), "Audio");
  EXPECT_EQ(made.Text("/data/failedItems/0/originalUrl"), "https://a.b/dead-link.png");
  const std::string id = made.Text("/data/items/0/assetId");
  const auto status = [&] {
    return Post("/kyy/asset/sd2Manxue/assetStatus",
                absl::StrCat(R"({"assetIds":[")", id, R"(","asset_img_none"]})"));
  };
  EXPECT_EQ(status().Text("/data/items/0/status"), "Processing");
  Finish();
  EXPECT_EQ(status().Text("/data/items/0/status"), "Active");
  EXPECT_EQ(status().Text("/data/failedItems/0/assetId"), "asset_img_none");
  // The two libraries do not see each other.
  EXPECT_EQ(Get(AssetPath(id)).At("/code"), "-1");
  EXPECT_EQ(Post("/kyy/asset/sd2Manxue/assetUpload", "{}").At("/code"), "\"400\"");
}

TEST_F(KyyTest, ManxueTasksRunToALink) {
  const auto make = [&](absl::string_view more) {
    return Post("/kyy/v1/sd2_manxue/videos",
                absl::StrCat(R"({"model":"sd2_manxue_720p","prompt":"x")", more, "}"));
  };
  const std::string id = make(R"(,"ratio":"9:16","image":"https://a.b/1.png")").Text("/id");
  Finish();
  EXPECT_EQ(GetTask(id).Text("/status"), "completed");
  EXPECT_THAT(make(R"(,"image":"https://a.b/1","first_image":"https://a.b/2")").Text("/msg"),
              HasSubstr("contradicts"));
  // What the policy refuses fails at once.
  EXPECT_EQ(GetTask(make(R"(,"first_image":"https://a.b/moderated")").Text("/id")).Text("/status"),
            "failed");
  Set("kyy", "manxue_answer", "project");
  EXPECT_THAT(make("").Text("/data/projectId"), StartsWith("proj_"));
}

}  // namespace
}  // namespace assetgate::simulator
