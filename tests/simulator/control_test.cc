// /_control/, the log, the media, and the clock.
#include "absl/strings/str_cat.h"
#include "tests/simulator/simulator_fixture.h"

namespace assetgate::simulator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ControlTest : public SimulatorTest {
 protected:
  Answer MakeAsset() {
    return Post("/kyy/kyyVideo2/asset/upload",
                R"({"url":"https://a.b/c.png","assetType":"Image"})");
  }
  std::string AssetStatus(absl::string_view id) {
    return Get(absl::StrCat("/kyy/kyyVideo2/asset/", id)).Text("/data/status");
  }
  std::string MakeVideo() {
    return Post("/kyy/v1/kyyvideo2/videos", R"({"model":"seedance_2_0_pro","prompt":"x"})")
        .Text("/id");
  }
  Answer GetVideo(absl::string_view id) { return Get(absl::StrCat("/kyy/v1/result/", id)); }
  int Force(absl::string_view kind, absl::string_view id, absl::string_view body) {
    return Call("POST", absl::StrCat("/_control/", kind, "/", id), body).status;
  }
};

TEST_F(ControlTest, AssetsCanBeForced) {
  const std::string id = MakeAsset().Text("/data/assetId");
  EXPECT_EQ(Force("assets", id, R"({"state":"hold"})"), 200);
  Finish();
  EXPECT_EQ(AssetStatus(id), "Processing");
  EXPECT_EQ(Force("assets", id, R"({"state":"release"})"), 200);
  EXPECT_EQ(AssetStatus(id), "Active");
  EXPECT_EQ(Force("assets", id, R"({"state":"fail"})"), 200);
  EXPECT_EQ(AssetStatus(id), "Failed");
  EXPECT_EQ(Force("assets", id, R"({"state":"forget"})"), 200);
  EXPECT_EQ(AssetStatus(id), "");
  EXPECT_EQ(Force("assets", id, R"({"state":"fail"})"), 404);
}

TEST_F(ControlTest, VideosCanBeForced) {
  const std::string failing = MakeVideo();
  EXPECT_EQ(Force("videos", failing, R"({"state":"fail","reason":"no muse"})"), 200);
  EXPECT_EQ(GetVideo(failing).Text("/error"), "no muse");
  const std::string early = MakeVideo();
  EXPECT_EQ(Force("videos", early, R"({"state":"succeed"})"), 200);
  EXPECT_EQ(GetVideo(early).Text("/status"), "completed");
  EXPECT_EQ(Force("videos", early, R"({"state":"explode"})"), 400);
  EXPECT_EQ(Force("videos", early, R"({"state":"forget"})"), 200);
  EXPECT_EQ(GetVideo(early).status, 404);
}

TEST_F(ControlTest, TimingHoldsForLaterCreations) {
  const std::string old = MakeAsset().Text("/data/assetId");
  const Answer set = Call("POST", "/_control/timing", R"({"asset_delay":"1h"})");
  EXPECT_EQ(set.Text("/asset_delay"), "1h");
  EXPECT_EQ(set.Text("/video_delay"), "6s");
  const std::string slow = MakeAsset().Text("/data/assetId");
  Finish();
  EXPECT_EQ(AssetStatus(old), "Active");
  EXPECT_EQ(AssetStatus(slow), "Processing");
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(AssetStatus(slow), "Active");
  EXPECT_EQ(Call("POST", "/_control/timing", R"({"asset_delay":"-1s"})").status, 400);
  EXPECT_EQ(Call("POST", "/_control/timing", R"({"pace":"1s"})").status, 400);
}

TEST_F(ControlTest, SwitchesShowTheirValues) {
  EXPECT_EQ(Call("GET", "/_control/switches").At("/0/provider"), "\"apiframe\"");
  const Answer bad = Call("POST", "/_control/switches",
                          R"({"provider":"zerozero","switch":"route","value":"kling"})");
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(bad.Text("/error"), HasSubstr("lingjing or ark"));
  EXPECT_EQ(Call("POST", "/_control/switches",
                 R"({"provider":"zerozero","switch":"colour","value":"red"})")
                .status,
            404);
}

TEST_F(ControlTest, EveryRequestIsLoggedWithoutItsKey) {
  const std::string id = MakeAsset().Text("/data/assetId");
  AssetStatus(id);
  key = "wrong";
  AssetStatus(id);
  const Answer log = Call("GET", "/_control/requests?provider=kyy&call=asset.get");
  EXPECT_EQ(log.Text("/0/method"), "GET");
  EXPECT_EQ(log.Text("/0/object_id"), id);
  EXPECT_EQ(log.At("/0/status"), "200");
  EXPECT_EQ(log.At("/0/key_valid"), "true");
  EXPECT_EQ(log.Text("/0/headers/Authorization"), "(redacted)");
  EXPECT_EQ(log.At("/1/status"), "401");
  EXPECT_EQ(log.At("/1/key_valid"), "false");
  EXPECT_THAT(log.body, Not(HasSubstr(kKey)));
  EXPECT_EQ(Call("GET", "/_control/requests?limit=1").Text("/0/call"), "asset.get");
  EXPECT_THAT(Call("GET", "/_control/requests?call=asset.create").Text("/0/body"),
              HasSubstr("https://a.b/c.png"));

  EXPECT_EQ(Delete("/_control/requests").status, 200);
  EXPECT_EQ(Call("GET", "/_control/requests").body, "[]");
  EXPECT_EQ(Call("GET", "/_control/stats").At("/calls/kyy/asset.get/requests"), "2");
}

TEST_F(ControlTest, InvalidUtf8CanBeLogged) {
  Call("POST", "/kyy/kyyVideo2/asset/upload", "\xff\xfe not utf-8", {"X-Odd: \xc3\x28"});
  const Answer log = Call("GET", "/_control/requests");
  EXPECT_EQ(log.Text("/0/body"), "?? not utf-8");
}

TEST_F(ControlTest, StatsCountCallsCreationsAndPolls) {
  const std::string asset = MakeAsset().Text("/data/assetId");
  AssetStatus(asset);
  AssetStatus(asset);
  const std::string video = MakeVideo();
  AddFault("kyy", "video.get", R"({"kind":"reset"})");
  GetVideo(video);
  const Answer stats = Call("GET", "/_control/stats");
  EXPECT_EQ(stats.At("/calls/kyy/asset.get/answers/200"), "2");
  EXPECT_EQ(stats.At("/calls/kyy/video.get/answers/none"), "1");
  EXPECT_EQ(stats.At("/calls/kyy/video.get/faults"), "1");
  EXPECT_EQ(stats.At("/made/kyy/assets"), "1");
  EXPECT_EQ(stats.At("/made/kyy/videos"), "1");
  EXPECT_EQ(stats.At("/polls/kyy/" + asset), "2");
  // The reset poll did not arrive.
  EXPECT_EQ(stats.At("/polls/kyy/" + video), "0");
}

TEST_F(ControlTest, StateShowsTheLibrary) {
  const std::string video = MakeVideo();
  clock.Advance(absl::Seconds(4));
  const Answer state = Call("GET", "/_control/state");
  EXPECT_EQ(state.Text("/kyy/videos/0/id"), video);
  EXPECT_EQ(state.Text("/kyy/videos/0/course/state"), "running");
  EXPECT_EQ(state.At("/kyy/videos/0/course/percent"), "50");
  EXPECT_EQ(state.At("/kyy/videos/0/effective/duration"), "5");
  EXPECT_EQ(state.At("/zerozero/assets"), "[]");
  EXPECT_EQ(Call("GET", "/_control/videos/" + video).body, state.At("/kyy/videos/0"));
  EXPECT_EQ(Call("GET", "/_control/assets/" + video).status, 404);
}

TEST_F(ControlTest, StuckWorkNeverEnds) {
  const std::string id =
      Post("/kyy/v1/kyyvideo2/videos", R"({"model":"seedance_2_0_pro","prompt":"a [stuck] cat"})")
          .Text("/id");
  clock.Advance(absl::Hours(100));
  EXPECT_EQ(GetVideo(id).Text("/status"), "processing");
}

TEST_F(ControlTest, MediaIsServedInRanges) {
  const Answer whole = Call("GET", "/media/any.mp4");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.Header("accept-ranges"), "bytes");
  const Answer part = Call("GET", "/media/any.mp4", "", {"Range: bytes=4-7"});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "ftyp");
  EXPECT_EQ(part.Header("content-range"), absl::StrCat("bytes 4-7/", whole.body.size()));
  EXPECT_EQ(Call("GET", "/media/any.mp4", "", {"Range: bytes=-10"}).body,
            whole.body.substr(whole.body.size() - 10));
  EXPECT_EQ(Call("GET", "/media/any.mp4", "", {"Range: bytes=99999999-"}).status, 416);
  EXPECT_EQ(Call("GET", "/media/any.mp4", "", {"Range: lines=1-2"}).status, 200);
  EXPECT_EQ(Call("GET", "/media/any.jpg").body.substr(0, 2), "\xff\xd8");
  EXPECT_EQ(Call("GET", "/media/any.wav").body.substr(0, 4), "RIFF");
  EXPECT_EQ(Call("GET", "/media/any.exe").status, 404);
  EXPECT_EQ(Call("POST", "/media/any.mp4").status, 405);
  const Answer head = Call("HEAD", "/media/any.mp4");
  EXPECT_EQ(head.Header("content-length"), absl::StrCat(whole.body.size()));
  EXPECT_EQ(head.body, "");
}

TEST_F(ControlTest, TopPageNamesTheProviders) {
  EXPECT_THAT(Call("GET", "/").body, HasSubstr(simulator.BaseUrl("octopusx")));
  EXPECT_EQ(Call("GET", "/healthz").status, 200);
  EXPECT_EQ(Call("GET", "/elsewhere").status, 404);
  EXPECT_EQ(Call("GET", "/_control/nothing").status, 404);
}

TEST_F(ControlTest, ConnectionsAreKeptBetweenRequests) {
  reuse_connections = true;
  EXPECT_TRUE(MakeAsset().new_connection);
  EXPECT_FALSE(MakeAsset().new_connection);
  EXPECT_FALSE(Get("/media/any.mp4").new_connection);
  EXPECT_FALSE(Get("/zerozero/v1/nowhere").new_connection);
}

TEST_F(ControlTest, DeepJsonIsRefused) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(Post("/kyy/v1/kyyvideo2/videos", deep).At("/code"), "400");
}

TEST_F(ControlTest, StopIsIdempotentAndASecondPortIsRefused) {
  Simulator::Options options;
  options.server.port = simulator.port();
  options.server.threads = 1;
  Simulator second(options);
  EXPECT_FALSE(second.Start().ok());
  simulator.Stop();
  simulator.Stop();
  EXPECT_EQ(Call("GET", "/healthz").code, CURLE_COULDNT_CONNECT);
}

}  // namespace
}  // namespace assetgate::simulator
