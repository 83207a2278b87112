// The simulated 0-0, against its documentation.
#include "absl/strings/str_cat.h"
#include "tests/simulator/simulator_fixture.h"

namespace assetgate::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGroups[] = "/zerozero/v1/asset-groups";
constexpr char kAssets[] = "/zerozero/v1/assets";
constexpr char kTasks[] = "/zerozero/v1/video/tasks";

class ZerozeroTest : public SimulatorTest {
 protected:
  std::string MakeGroup() {
    return Post(kGroups, R"({"platform":"JIMENG","name":"Heroes"})").Text("/data/group_id");
  }
  Answer MakeAsset(absl::string_view url = "https://cdn.example.org/a.png",
                   absl::string_view type = "Image") {
    return Post(kAssets, absl::StrCat(R"({"platform":"JIMENG","group_id":")", MakeGroup(),
                                      R"(","url":")", url, R"(","asset_type":")", type, R"("})"));
  }
  std::string MakeActiveAsset() {
    std::string id = MakeAsset().Text("/data/asset_id");
    Finish();
    return id;
  }
  Answer GetAsset(absl::string_view id) {
    return Get(absl::StrCat(kAssets, "/", id, "?platform=JIMENG"));
  }
  Answer GetTask(absl::string_view id) {
    return Get(absl::StrCat(kTasks, "/", id, "?model=seedance-2-0"));
  }
  Answer MakeTask(absl::string_view more = "") {
    return Post(kTasks, absl::StrCat(R"({"model":"seedance-2-0","prompt":"slow push-in")",
                                     more.empty() ? "" : ",", more, "}"));
  }
  // The options that reached the model, of the newest video.
  std::string Effective() {
    return simulator.FindProvider("zerozero")->library.Videos(1).front().effective;
  }
};

TEST_F(ZerozeroTest, GroupIsActiveAtOnceAndCanBeRead) {
  const Answer made = Post(
      kGroups,
      R"({"platform":"JIMENG","name":"Heroes","description":"lead cast","project_name":"p1"})");
  ASSERT_EQ(made.status, 200);
  EXPECT_EQ(made.At("/code"), "200");
  EXPECT_EQ(made.At("/msg"), "\"OK\"");
  EXPECT_THAT(made.Text("/data/group_id"), StartsWith("group-"));
  EXPECT_EQ(made.Text("/data/status"), "Active");
  EXPECT_EQ(made.Text("/data/project_name"), "p1");
  EXPECT_EQ(made.At("/data/created_at"), absl::StrCat(absl::ToUnixSeconds(clock.Now())));

  const Answer read =
      Get(absl::StrCat(kGroups, "/", made.Text("/data/group_id"), "?platform=JIMENG"));
  EXPECT_EQ(read.body, made.body);
}

TEST_F(ZerozeroTest, AssetIsProcessingThenActive) {
  const Answer made = MakeAsset();
  const std::string id = made.Text("/data/asset_id");
  EXPECT_THAT(id, StartsWith("Asset-"));
  EXPECT_EQ(made.Text("/data/status"), "Processing");
  EXPECT_EQ(GetAsset(id).Text("/data/status"), "Processing");
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(GetAsset(id).Text("/data/status"), "Active");
}

TEST_F(ZerozeroTest, AssetOfDeadOrModeratedMediaFails) {
  for (const char* url : {"https://a.example/dead-link.png", "https://a.example/moderated/x.png"}) {
    const std::string id = MakeAsset(url).Text("/data/asset_id");
    Finish();
    EXPECT_EQ(GetAsset(id).Text("/data/status"), "Failed") << url;
  }
}

TEST_F(ZerozeroTest, PlatformIsDemandedInBodyAndQuery) {
  const Answer group = Post(kGroups, R"({"name":"Heroes"})");
  EXPECT_EQ(group.status, 400);
  EXPECT_EQ(group.At("/code"), "400");
  EXPECT_EQ(group.At("/data"), "null");
  EXPECT_THAT(group.Text("/msg"), HasSubstr("platform"));

  const std::string id = MakeAsset().Text("/data/asset_id");
  const Answer read = Get(absl::StrCat(kAssets, "/", id));
  EXPECT_EQ(read.status, 400);
  EXPECT_THAT(read.Text("/msg"), HasSubstr("platform"));
  EXPECT_EQ(Get(absl::StrCat(kAssets, "/", id, "?platform=BYTEPLUS")).status, 404);
}

TEST_F(ZerozeroTest, MaterialErrorsMayComeInHttp200) {
  Set("zerozero", "asset_errors", "in_200");
  const Answer read = GetAsset("Asset-0000000000000000");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.At("/code"), "404");
  EXPECT_EQ(read.At("/data"), "null");
}

TEST_F(ZerozeroTest, AssetNeedsItsFields) {
  const std::string group = MakeGroup();
  const auto refused = [&](absl::string_view body) { return Post(kAssets, body).Text("/msg"); };
  EXPECT_THAT(refused(R"({"platform":"JIMENG","url":"https://a.b/c","asset_type":"Image"})"),
              HasSubstr("group_id"));
  const std::string head = absl::StrCat(R"({"platform":"JIMENG","group_id":")", group, "\",");
  EXPECT_THAT(refused(head + R"("asset_type":"Image"})"), HasSubstr("url"));
  EXPECT_THAT(refused(head + R"("url":"ftp://a.b/c","asset_type":"Image"})"), HasSubstr("url"));
  EXPECT_THAT(refused(head + R"("url":"https://a.b/c","asset_type":"image"})"),
              HasSubstr("asset_type"));
  EXPECT_THAT(refused(head + R"("url":"https://a.b/c","asset_type":"Audio"})"),
              HasSubstr("asset_type"));
  EXPECT_THAT(
      refused(
          R"({"platform":"JIMENG","group_id":"group-x","url":"https://a.b/c","asset_type":"Image"})"),
      HasSubstr("group not found"));
}

TEST_F(ZerozeroTest, TaskRunsAndGivesALinkThatWorks) {
  const Answer made = MakeTask(R"("duration":5,"resolution":"720p","ratio":"16:9")");
  ASSERT_EQ(made.status, 200);
  EXPECT_THAT(made.Text("/id"), StartsWith("vt-"));
  EXPECT_EQ(made.Text("/status"), "queued");
  EXPECT_EQ(made.Text("/provider"), "lingjing");
  // lingjing shows waiting tasks as running.
  const Answer early = GetTask(made.Text("/id"));
  EXPECT_EQ(early.Text("/status"), "running");
  EXPECT_EQ(early.At("/video"), "{}");
  Finish();
  const Answer done = GetTask(made.Text("/id"));
  EXPECT_EQ(done.Text("/status"), "succeeded");
  EXPECT_EQ(done.At("/usage/total_tokens"), "108900");
  EXPECT_EQ(done.At("/video/duration"), "(none)");
  const std::string url = done.Text("/video/url");
  ASSERT_THAT(url, StartsWith(simulator.url()));
  const Answer media = Call("GET", url.substr(simulator.url().size()));
  EXPECT_EQ(media.Header("content-type"), "video/mp4");
  EXPECT_EQ(media.body.substr(4, 4), "ftyp");
}

TEST_F(ZerozeroTest, ArkRouteShowsEverything) {
  Set("zerozero", "route", "ark");
  const std::string id = MakeTask(R"("duration":4,"seed":7)").Text("/id");
  EXPECT_EQ(GetTask(id).Text("/status"), "queued");
  Finish();
  const Answer done = GetTask(id);
  EXPECT_EQ(done.At("/video/duration"), "4");
  EXPECT_EQ(done.At("/video/ratio"), "\"16:9\"");
  EXPECT_EQ(done.At("/seed"), "7");
  EXPECT_EQ(done.At("/fps"), "24");
}

TEST_F(ZerozeroTest, FailedTaskSaysWhyWithoutCode) {
  const std::string id =
      MakeTask(
          R"("resources":[{"type":"image","role":"reference","url":"https://a.b/moderated.png"}])")
          .Text("/id");
  Finish();
  const Answer failed = GetTask(id);
  EXPECT_EQ(failed.Text("/status"), "failed");
  EXPECT_THAT(failed.Text("/error/message"), HasSubstr("moderation"));
  EXPECT_EQ(failed.At("/video"), "{}");
}

TEST_F(ZerozeroTest, LingjingDropsWatermarkAndSeedOutsideProviderOptions) {
  MakeTask(R"("watermark":true,"seed":7)");
  EXPECT_THAT(Last().ignored, ElementsAre("watermark", "seed"));
  EXPECT_THAT(Effective(), HasSubstr(R"("watermark":null,"seed":null)"));
  MakeTask(R"("watermark":true,"seed":7,"provider_options":{"watermark":true,"seed":7})");
  EXPECT_THAT(Effective(), HasSubstr(R"("watermark":true,"seed":7)"));
  MakeTask(R"("provider_options":{"lingjing":{"seed":9,"style":"x"}})");
  EXPECT_THAT(Effective(), HasSubstr(R"("seed":9,"style":"x")"));
}

TEST_F(ZerozeroTest, ReferenceCountsAsAssetOnlyWithItsPrefix) {
  const std::string id = MakeActiveAsset();
  const auto use = [&](absl::string_view value) {
    return MakeTask(absl::StrCat(R"("resources":[{"type":"image","role":"reference","asset_id":")",
                                 value, R"("}])"));
  };
  EXPECT_EQ(use(id).status, 200);
  EXPECT_EQ(use(absl::StrCat("asset://", id)).status, 200);
  // Without the prefix it is taken for a URL, which it is not.
  const Answer bare = use(id.substr(6));
  EXPECT_EQ(bare.status, 400);
  EXPECT_THAT(bare.Text("/error/message"), HasSubstr("invalid url"));
  EXPECT_EQ(use("asset-" + id.substr(6)).status, 400);
  EXPECT_THAT(use("Asset-unknown").Text("/error/message"), HasSubstr("not found"));
}

TEST_F(ZerozeroTest, ReferenceMustBeActiveOfTheRightTypeAndOurs) {
  const std::string id = MakeAsset().Text("/data/asset_id");
  const auto use = [&](absl::string_view type) {
    return MakeTask(absl::StrCat(R"("resources":[{"type":")", type,
                                 R"(","role":"reference","asset_id":")", id, R"("}])"))
        .Text("/error/message");
  };
  EXPECT_THAT(use("image"), HasSubstr("not Active"));
  Finish();
  EXPECT_THAT(use("video"), HasSubstr("not of type video"));
  EXPECT_EQ(use("image"), "");
  key = kOtherKey;
  EXPECT_THAT(use("image"), HasSubstr("not found"));
}

TEST_F(ZerozeroTest, FramesAndReferencesExcludeEachOther) {
  const Answer mixed = MakeTask(
      R"("resources":[{"role":"first_frame","url":"https://a.b/1.png"},
                      {"role":"reference","url":"https://a.b/2.png"}])");
  EXPECT_EQ(mixed.status, 400);
  EXPECT_THAT(mixed.Text("/error/message"), HasSubstr("cannot be mixed"));
}

TEST_F(ZerozeroTest, UnknownResourceTypesAndFieldsHaveNoEffect) {
  EXPECT_EQ(MakeTask(R"("fancy":1,"resources":[{"type":"text","url":"x"}])").status, 200);
  EXPECT_THAT(Last().ignored, ElementsAre("resources.0", "fancy"));
  Set("zerozero", "unknown_fields", "refused");
  const Answer refused = MakeTask(R"("fancy":1)");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.At("/detail/0/loc"), R"(["body","fancy"])");
}

TEST_F(ZerozeroTest, TaskFieldsAreValidated) {
  EXPECT_EQ(Post(kTasks, "{").Text("/detail"), "invalid json");
  EXPECT_EQ(Post(kTasks, R"({"prompt":"x"})").Text("/detail"), "missing model");
  const Answer no_prompt = Post(kTasks, R"({"model":"seedance-2-0"})");
  EXPECT_EQ(no_prompt.status, 422);
  EXPECT_EQ(no_prompt.At("/detail/0/type"), "\"missing\"");
  EXPECT_EQ(no_prompt.At("/detail/0/loc"), R"(["body","prompt"])");
  EXPECT_EQ(Post(kTasks, R"({"model":"seedance-9","prompt":"x"})").status, 404);
  EXPECT_EQ(MakeTask(R"("duration":"5")").status, 422);
  EXPECT_EQ(MakeTask(R"("duration":5.5)").status, 422);
  EXPECT_EQ(MakeTask(R"("audio":"yes")").status, 422);
  EXPECT_EQ(MakeTask(R"("resources":[{"role":"hero","url":"https://a.b/c"}])").status, 422);
  EXPECT_EQ(MakeTask(R"("resources":[{"role":"reference"}])").status, 422);
  EXPECT_EQ(MakeTask(R"("provider":"nobody")").status, 404);
}

TEST_F(ZerozeroTest, ForgottenRoutesNeedTheModel) {
  const std::string id = MakeTask().Text("/id");
  const std::string bare = absl::StrCat(kTasks, "/", id);
  EXPECT_EQ(Get(bare).status, 200);
  Set("zerozero", "routes", "forgotten");
  EXPECT_EQ(Get(bare).status, 404);
  EXPECT_EQ(GetTask(id).status, 200);
  EXPECT_EQ(Get(bare + "?model=seedance-2-0-fast").status, 404);
}

TEST_F(ZerozeroTest, TasksOfOthersAreUnknown) {
  const std::string id = MakeTask().Text("/id");
  EXPECT_EQ(GetTask("vt-0000").status, 404);
  EXPECT_EQ(GetTask("cgt-1").Text("/detail"), "invalid task id");
  key = kOtherKey;
  EXPECT_EQ(GetTask(id).status, 403);
}

TEST_F(ZerozeroTest, NothingCanBeDeletedOrListed) {
  EXPECT_EQ(Delete(absl::StrCat(kTasks, "/vt-1")).status, 405);
  EXPECT_EQ(Delete(absl::StrCat(kAssets, "/Asset-1")).status, 405);
  EXPECT_EQ(Get(kAssets).status, 405);
  EXPECT_EQ(Get("/zerozero/v1/nowhere").Text("/detail"), "not_found");
}

TEST_F(ZerozeroTest, KeyComesAsBearer) {
  EXPECT_EQ(Call("GET", "/zerozero/v1/models").Text("/detail"), "missing api key");
  EXPECT_EQ(Call("GET", "/zerozero/v1/models", "", {"X-API-Key: sim-key"}).status, 401);
  key = "wrong";
  EXPECT_EQ(Get("/zerozero/v1/models").Text("/detail"), "invalid api key");
}

TEST_F(ZerozeroTest, ModelsAreListed) {
  const Answer models = Get("/zerozero/v1/models");
  EXPECT_EQ(models.Text("/data/0/id"), "seedance-2-0");
  EXPECT_EQ(models.At("/data/0/created"), "1714500000000");
  EXPECT_EQ(Get("/zerozero/v1/models/seedance-2-0-fast").status, 200);
  EXPECT_EQ(Get("/zerozero/v1/models/none").Text("/detail"), "not_found");
}

}  // namespace
}  // namespace assetgate::simulator
