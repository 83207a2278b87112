// The simulated octopusx, against its documentation.
#include "absl/strings/str_cat.h"
#include "tests/simulator/simulator_fixture.h"

namespace assetgate::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr char kCreateGroup[] = "/octopusx/v1/seedance/asset/CreateAssetGroup";
constexpr char kCreateAsset[] = "/octopusx/v1/seedance/asset/CreateAsset";
constexpr char kGetAsset[] = "/octopusx/v1/seedance/asset/GetAsset";
constexpr char kGenerations[] = "/octopusx/v1/video/generations";

class OctopusxTest : public SimulatorTest {
 protected:
  std::string MakeGroup() { return Post(kCreateGroup, R"({"Name":"cast-a"})").Text("/data/Id"); }
  Answer MakeAsset(absl::string_view url = "https://cdn.acme.test/face.webp",
                   absl::string_view type = "Image") {
    return Post(kCreateAsset, absl::StrCat(R"({"GroupId":")", MakeGroup(), R"(","URL":")", url,
                                           R"(","AssetType":")", type, R"(","Name":"hero"})"));
  }
  Answer GetAsset(absl::string_view task_id) {
    return Post(kGetAsset, absl::StrCat(R"({"task_id":")", task_id, R"("})"));
  }
  Answer MakeTask(absl::string_view content, absl::string_view metadata = "{}") {
    return Post(kGenerations, absl::StrCat(R"({"model":"doubao-seedance-2-0-260128","content":[)",
                                           content, R"(],"metadata":)", metadata, "}"));
  }
  static std::string Image(absl::string_view url, absl::string_view role) {
    return absl::StrCat(R"({"type":"image_url","image_url":{"url":")", url, R"("},"role":")", role,
                        R"("})");
  }
  Answer GetTask(absl::string_view id) { return Get(absl::StrCat(kGenerations, "/", id)); }

  static constexpr char kPrompt[] = R"({"type":"text","text":"The woman of image 1 waves"})";
};

TEST_F(OctopusxTest, GroupIsMade) {
  const Answer made = Post(kCreateGroup, R"({"Name":"cast-a","Description":"lead actors"})");
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(made.At("/state"), "1");
  EXPECT_EQ(made.At("/error"), "null");
  EXPECT_THAT(made.Text("/data/Id"), MatchesRegex("group-20270115080000-[a-z0-9]{5}"));
}

TEST_F(OctopusxTest, AssetIsAskedForByItsTaskId) {
  const Answer made = MakeAsset();
  EXPECT_EQ(made.At("/state"), "1");
  const std::string id = made.Text("/data/Id");
  const std::string task = made.Text("/data/task_id");
  EXPECT_THAT(task, StartsWith("task_"));
  const Answer early = GetAsset(task);
  EXPECT_EQ(early.Text("/data/Status"), "Processing");
  EXPECT_EQ(early.At("/data/URL"), "\"\"");
  Finish();
  const Answer active = GetAsset(task);
  EXPECT_EQ(active.Text("/data/Id"), id);
  EXPECT_EQ(active.Text("/data/Status"), "Active");
  EXPECT_EQ(active.Text("/data/CreateTime"), "2027-01-15T08:00:00Z");
  EXPECT_EQ(active.Text("/data/UpdateTime"), "2027-01-15T08:00:02Z");
  EXPECT_EQ(active.At("/data/Error"), "null");
  // Its Id leads nowhere.
  EXPECT_EQ(GetAsset(id).status, 400);
  const Answer by_id = Post(kGetAsset, absl::StrCat(R"({"Id":")", id, R"("})"));
  EXPECT_EQ(by_id.status, 400);
  EXPECT_EQ(by_id.At("/state"), "0");
  EXPECT_THAT(by_id.Text("/error/message"), HasSubstr("task_id"));
}

TEST_F(OctopusxTest, FailedAssetStillHasState1) {
  const std::string task = MakeAsset("https://a.b/dead-link.png").Text("/data/task_id");
  Finish();
  const Answer failed = GetAsset(task);
  EXPECT_EQ(failed.At("/state"), "1");
  EXPECT_EQ(failed.Text("/data/Status"), "Failed");
  EXPECT_THAT(failed.Text("/data/Error"), HasSubstr("could not be fetched"));
  EXPECT_EQ(failed.At("/error"), "null");
  Set("octopusx", "asset_error_text", "object");
  EXPECT_EQ(GetAsset(task).Text("/data/Error/Code"), "DownloadFailed");
}

TEST_F(OctopusxTest, AssetFieldsAreChecked) {
  const std::string group = MakeGroup();
  const auto refused = [&](absl::string_view rest) {
    const Answer answer =
        Post(kCreateAsset, absl::StrCat(R"({"GroupId":")", group, R"(")", rest, "}"));
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.At("/state"), "0");
    EXPECT_EQ(answer.At("/data"), "null");
    EXPECT_EQ(answer.Text("/error/code"), "invalid_request");
    return answer.Text("/error/message");
  };
  EXPECT_THAT(refused(R"(,"URL":"https://a.b/c","AssetType":"Image")"), HasSubstr("Name"));
  EXPECT_THAT(refused(R"(,"URL":"http://a.b/c","AssetType":"Image","Name":"x")"),
              HasSubstr("HTTPS"));
  EXPECT_THAT(refused(R"(,"URL":"https://a.b/c","AssetType":"Document","Name":"x")"),
              HasSubstr("AssetType"));
  EXPECT_THAT(refused(absl::StrCat(R"(,"URL":"https://a.b/c","AssetType":"Image","Name":")",
                                   std::string(65, 'x'), "\"")),
              HasSubstr("64"));
  EXPECT_THAT(Post(kCreateGroup, "{}").Text("/error/message"), HasSubstr("Name"));
  EXPECT_THAT(Post(kCreateGroup,
                   absl::StrCat(R"({"Name":"x","Description":")", std::string(301, 'x'), R"("})"))
                  .Text("/error/message"),
              HasSubstr("300"));
}

TEST_F(OctopusxTest, GroupsOfOthersAreDenied) {
  const std::string group = MakeGroup();
  key = kOtherKey;
  const Answer denied = Post(
      kCreateAsset, absl::StrCat(R"({"GroupId":")", group,
                                 R"(","URL":"https://a.b/c","AssetType":"Image","Name":"x"})"));
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(denied.At("/state"), "(none)");
  EXPECT_EQ(denied.Text("/error/code"), "access_denied");
}

TEST_F(OctopusxTest, GroupTypeAndProjectNameDoNotExist) {
  Post(kCreateGroup, R"({"Name":"x","GroupType":"AIGC","ProjectName":"default"})");
  EXPECT_THAT(Last().ignored, ElementsAre("GroupType", "ProjectName"));
  Set("octopusx", "unknown_fields", "refused");
  EXPECT_EQ(Post(kCreateGroup, R"({"Name":"x","GroupType":"AIGC"})").status, 400);
}

TEST_F(OctopusxTest, TaskRunsToALinkThatWorks) {
  const Answer asset = MakeAsset();
  Finish();
  const Answer made = MakeTask(
      absl::StrCat(kPrompt, ",",
                   Image(absl::StrCat("asset://", asset.Text("/data/Id")), "reference_image")),
      R"({"duration":5,"resolution":"720p","ratio":"16:9","generate_audio":true,"watermark":false,
          "return_last_frame":true})");
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string id = made.Text("/task_id");
  EXPECT_EQ(made.body, absl::StrCat(R"({"task_id":")", id, R"("})"));

  const Answer submitted = GetTask(id);
  EXPECT_EQ(submitted.Text("/code"), "success");
  EXPECT_EQ(submitted.Text("/data/status"), "SUBMITTED");
  EXPECT_EQ(submitted.Text("/data/progress"), "0%");
  EXPECT_EQ(submitted.At("/data/finish_time"), "0");
  EXPECT_EQ(submitted.At("/data/data/content"), "{}");
  clock.Advance(absl::Seconds(4));
  const Answer running = GetTask(id);
  EXPECT_EQ(running.Text("/data/status"), "IN_PROGRESS");
  EXPECT_EQ(running.Text("/data/progress"), "50%");
  EXPECT_EQ(running.Text("/data/data/status"), "processing");
  Finish();
  const Answer done = GetTask(id);
  EXPECT_EQ(done.Text("/data/status"), "SUCCESS");
  EXPECT_EQ(done.Text("/data/progress"), "100%");
  EXPECT_EQ(done.Text("/data/data/status"), "succeeded");
  EXPECT_EQ(done.At("/data/data/usage/total_tokens"), "108900");
  EXPECT_THAT(done.Text("/data/data/content/last_frame_url"), HasSubstr(".jpg"));
  const std::string url = done.Text("/data/data/content/video_url");
  EXPECT_EQ(Call("GET", url.substr(simulator.url().size())).Header("content-type"), "video/mp4");
  EXPECT_EQ(Get(absl::StrCat("/octopusx/v1/videos/", id, "/content")).body.substr(4, 4), "ftyp");
}

TEST_F(OctopusxTest, OneTaskHasSeveralShapes) {
  Set("octopusx", "create_answer", "generic");
  Set("octopusx", "query_answer", "generic");
  const Answer made = MakeTask(kPrompt);
  EXPECT_EQ(made.Text("/status"), "queued");
  EXPECT_EQ(made.Text("/id"), made.Text("/task_id"));
  Finish();
  const Answer done = GetTask(made.Text("/id"));
  EXPECT_EQ(done.Text("/data/status"), "succeeded");
  EXPECT_THAT(done.Text("/data/url"), HasSubstr(".mp4"));
  const Answer object = Get(absl::StrCat("/octopusx/v1/videos/", made.Text("/id")));
  EXPECT_EQ(object.Text("/status"), "completed");
  EXPECT_EQ(object.At("/progress"), "100");
}

TEST_F(OctopusxTest, FailedTaskIsStillASuccessfulQuery) {
  const std::string id =
      MakeTask(absl::StrCat(kPrompt, ",", Image("https://a.b/moderated.png", "first_frame")))
          .Text("/task_id");
  Finish();
  const Answer failed = GetTask(id);
  EXPECT_EQ(failed.Text("/code"), "success");
  EXPECT_EQ(failed.Text("/data/status"), "FAILURE");
  EXPECT_THAT(failed.Text("/data/fail_reason"), HasSubstr("moderation"));
  EXPECT_EQ(failed.Text("/data/data/status"), "failed");
}

TEST_F(OctopusxTest, CancelledTaskShowsOnlyInside) {
  const std::string id = MakeTask(kPrompt).Text("/task_id");
  Call("POST", absl::StrCat("/_control/videos/", id), R"({"state":"cancel"})");
  const Answer cancelled = GetTask(id);
  EXPECT_EQ(cancelled.Text("/data/status"), "FAILURE");
  EXPECT_EQ(cancelled.Text("/data/data/status"), "cancelled");
}

TEST_F(OctopusxTest, TaskFieldsAreChecked) {
  const auto refused = [&](absl::string_view content, absl::string_view metadata = "{}") {
    const Answer answer = MakeTask(content, metadata);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.Text("/code"), "invalid_request");
    EXPECT_EQ(answer.At("/data"), "null");
    return answer.Text("/message");
  };
  EXPECT_THAT(refused(""), HasSubstr("content"));
  EXPECT_THAT(refused(Image("http://a.b/c.png", "first_frame")), HasSubstr("HTTPS"));
  EXPECT_THAT(refused(Image("https://a.b/c.png", "hero")), HasSubstr("role"));
  EXPECT_THAT(refused(Image("https://a.b/c.png", "last_frame")), HasSubstr("first frame"));
  EXPECT_THAT(refused(absl::StrCat(Image("https://a.b/1.png", "first_frame"), ",",
                                   Image("https://a.b/2.png", "reference_image"))),
              HasSubstr("cannot be mixed"));
  EXPECT_THAT(refused(R"({"type":"video_url","video_url":{"url":"https://a.b/1.mp4"}})"),
              HasSubstr("reference_video"));
  EXPECT_THAT(
      refused(
          R"({"type":"audio_url","audio_url":{"url":"https://a.b/1.mp3"},"role":"reference_audio"})"),
      HasSubstr("audio needs"));
  EXPECT_THAT(refused(R"({"type":"image","image":"x"})"), HasSubstr("type"));
  EXPECT_THAT(refused(R"({"type":"image_url"})"), HasSubstr("image_url"));
  EXPECT_THAT(refused(kPrompt, R"({"duration":3})"), HasSubstr("duration"));
  EXPECT_EQ(MakeTask(kPrompt, R"({"duration":-1})").status, 200);
  EXPECT_THAT(refused(kPrompt, R"({"resolution":"4k"})"), HasSubstr("resolution"));
  EXPECT_THAT(refused(kPrompt, R"({"watermark":"no"})"), HasSubstr("watermark"));
  EXPECT_THAT(refused(kPrompt, R"({"service_tier":"flex"})"), HasSubstr("service_tier"));
  EXPECT_EQ(Post(kGenerations, R"({"model":"sora","content":[]})").status, 503);
}

TEST_F(OctopusxTest, OptionsOutsideMetadataAndOldOnesHaveNoEffect) {
  Post(kGenerations, absl::StrCat(R"({"model":"doubao-seedance-2-0-260128","content":[)", kPrompt,
                                  R"(],"duration":5,"metadata":{"seed":1}})"));
  EXPECT_THAT(Last().ignored, ElementsAre("metadata.seed", "duration"));
}

TEST_F(OctopusxTest, UnusableReferencesAreRefusedUpstream) {
  const std::string asset = MakeAsset().Text("/data/Id");
  const std::string image = Image(absl::StrCat("asset://", asset), "reference_image");
  const Answer refused = MakeTask(image);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.Text("/code"), "fail_to_fetch_task");
  // The upstream's JSON, as a string.
  Answer inner;
  inner.body = refused.Text("/message");
  EXPECT_EQ(inner.Text("/error/code"), "InvalidParameter");
  EXPECT_THAT(inner.Text("/error/message"), HasSubstr("not Active"));
  Finish();
  EXPECT_EQ(MakeTask(image).status, 200);
  EXPECT_THAT(MakeTask(Image("asset://asset-none", "reference_image")).Text("/message"),
              HasSubstr("does not exist"));
  EXPECT_THAT(MakeTask(absl::StrCat(R"({"type":"video_url","video_url":{"url":"asset://)", asset,
                                    R"("},"role":"reference_video"})"))
                  .Text("/message"),
              HasSubstr("not of type Video"));
  key = kOtherKey;
  EXPECT_THAT(MakeTask(image).Text("/message"), HasSubstr("does not exist"));
}

TEST_F(OctopusxTest, UnknownTasksAndKeysAreRefused) {
  const std::string id = MakeTask(kPrompt).Text("/task_id");
  EXPECT_EQ(GetTask("cgt-none").Text("/code"), "task_not_exist");
  EXPECT_EQ(GetTask("cgt-none").status, 400);
  key = kOtherKey;
  EXPECT_EQ(GetTask(id).Text("/code"), "task_not_exist");
  key = "wrong";
  const Answer refused = GetTask(id);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.Text("/error/type"), "new_api_error");
}

}  // namespace
}  // namespace assetgate::simulator
