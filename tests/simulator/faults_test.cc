// Every fault as a client sees it: at every provider where it differs, else at one.
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/simulator/simulator_fixture.h"

namespace assetgate::simulator {
namespace {

using ::testing::HasSubstr;

struct Registration {
  std::string provider;
  std::string make_group;  // path, if there are groups
  std::string group_body;
  std::string group_id;  // JSON pointer into the answer
  std::string make_asset;
  std::string asset_body;  // GROUP stands for the group's id
  int status;
  std::string asset_id;  // JSON pointer into the answer
};

const Registration kRegistrations[] = {
    {"apiframe", "", "", "", "/apiframe/v2/assets/create",
     R"({"url":"https://a.b/c.png","type":"image"})", 201, "/assetId"},
    {"kyy", "", "", "", "/kyy/kyyVideo2/asset/upload",
     R"({"url":"https://a.b/c.png","assetType":"Image"})", 200, "/data/assetId"},
    {"octopusx", "/octopusx/v1/seedance/asset/CreateAssetGroup", R"({"Name":"g"})", "/data/Id",
     "/octopusx/v1/seedance/asset/CreateAsset",
     R"({"GroupId":"GROUP","URL":"https://a.b/c.png","AssetType":"Image","Name":"x"})", 200,
     "/data/Id"},
    {"zerozero", "/zerozero/v1/asset-groups", R"({"platform":"JIMENG","name":"g"})",
     "/data/group_id", "/zerozero/v1/assets",
     R"({"platform":"JIMENG","group_id":"GROUP","url":"https://a.b/c.png","asset_type":"Image"})",
     200, "/data/asset_id"},
};

class FaultTest : public SimulatorTest, public ::testing::WithParamInterface<Registration> {
 protected:
  void SetUp() override {
    if (!GetParam().make_group.empty()) {
      group_ = Post(GetParam().make_group, GetParam().group_body).Text(GetParam().group_id);
    }
  }
  Answer MakeAsset() {
    return Post(GetParam().make_asset,
                absl::StrReplaceAll(GetParam().asset_body, {{"GROUP", group_}}));
  }
  int64_t AssetsMade() {
    return simulator.FindProvider(GetParam().provider)->library.counts().assets_made;
  }
  void AddAssetFault(absl::string_view fault, int times = 1) {
    AddFault(GetParam().provider, "asset.create", fault, times);
  }
  void ExpectAllIsWell() {
    const Answer answer = MakeAsset();
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_NE(answer.Text(GetParam().asset_id), "") << answer.body;
  }

 private:
  std::string group_;
};

INSTANTIATE_TEST_SUITE_P(Providers, FaultTest, ::testing::ValuesIn(kRegistrations),
                         [](const auto& registration) { return registration.param.provider; });

TEST_P(FaultTest, StatusesComeWithTheProvidersOwnBody) {
  for (int status : {400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504}) {
    AddAssetFault(absl::StrCat(R"({"kind":"status","status":)", status, "}"));
    const Answer answer = MakeAsset();
    EXPECT_EQ(answer.status, status);
    EXPECT_NE(answer.At(""), "(none)") << answer.body;
    EXPECT_THAT(answer.body, ::testing::AnyOf(HasSubstr("error"), HasSubstr("detail"),
                                              HasSubstr("message"), HasSubstr("msg")));
    EXPECT_EQ(answer.Header("retry-after"), "");
  }
  EXPECT_EQ(AssetsMade(), 0);
  ExpectAllIsWell();
}

TEST_P(FaultTest, RetryAfterAndBodyCanBeGiven) {
  AddAssetFault(R"({"kind":"status","status":503,"retry_after":7,"body":"<h1>down</h1>",
                    "content_type":"text/html"})");
  const Answer answer = MakeAsset();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.Header("retry-after"), "7");
  EXPECT_EQ(answer.Header("content-type"), "text/html");
  EXPECT_EQ(answer.body, "<h1>down</h1>");
}

TEST_P(FaultTest, MessagesMayEchoTheRequest) {
  AddAssetFault(R"({"kind":"status","status":400,"message":"no","echo":true})");
  EXPECT_THAT(MakeAsset().body, HasSubstr("a.b/c.png"));
}

TEST_P(FaultTest, AStatusCanComeAfterTheWork) {
  AddAssetFault(R"({"kind":"status","status":504,"after_work":true})");
  EXPECT_EQ(MakeAsset().status, 504);
  EXPECT_EQ(AssetsMade(), 1);
}

TEST_P(FaultTest, ABusinessFailureComesInsideHttp200) {
  AddAssetFault(R"({"kind":"business_failure","code":"1234","message":"no luck"})");
  const Answer answer = MakeAsset();
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("no luck"));
  EXPECT_EQ(answer.Text(GetParam().asset_id), "");
  EXPECT_EQ(AssetsMade(), 0);
  ExpectAllIsWell();
}

TEST_P(FaultTest, ACreateCanLackTheId) {
  AddAssetFault(R"({"kind":"no_id"})");
  const Answer answer = MakeAsset();
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_NE(answer.At(""), "(none)");
  EXPECT_EQ(answer.At(GetParam().asset_id), "(none)");
  EXPECT_EQ(AssetsMade(), 1);
  ExpectAllIsWell();
}

TEST_P(FaultTest, AResetComesBeforeOrAfterTheWork) {
  AddAssetFault(R"({"kind":"reset"})");
  const Answer before = MakeAsset();
  EXPECT_EQ(before.code, CURLE_RECV_ERROR) << curl_easy_strerror(before.code);
  EXPECT_EQ(AssetsMade(), 0);
  AddAssetFault(R"({"kind":"reset","after_work":true})");
  EXPECT_EQ(MakeAsset().code, CURLE_RECV_ERROR);
  EXPECT_EQ(AssetsMade(), 1);
  ExpectAllIsWell();
}

TEST_P(FaultTest, ACloseComesBeforeOrAfterTheWork) {
  AddAssetFault(R"({"kind":"close"})");
  const Answer before = MakeAsset();
  EXPECT_EQ(before.code, CURLE_GOT_NOTHING) << curl_easy_strerror(before.code);
  EXPECT_EQ(AssetsMade(), 0);
  AddAssetFault(R"({"kind":"close","after_work":true})");
  EXPECT_EQ(MakeAsset().code, CURLE_GOT_NOTHING);
  EXPECT_EQ(AssetsMade(), 1);
  ExpectAllIsWell();
}

TEST_P(FaultTest, ABodyCanBeTruncated) {
  AddAssetFault(R"({"kind":"truncate"})");
  const Answer answer = MakeAsset();
  EXPECT_EQ(answer.code, CURLE_PARTIAL_FILE) << curl_easy_strerror(answer.code);
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_EQ(answer.At(""), "(none)");
  EXPECT_EQ(AssetsMade(), 1);
  ExpectAllIsWell();
}

TEST_P(FaultTest, AnAnswerCanBeGarbage) {
  AddAssetFault(R"({"kind":"garbage"})");
  const Answer answer = MakeAsset();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.At(""), "(none)");
  EXPECT_NE(answer.body, "");
  EXPECT_EQ(AssetsMade(), 0);
  ExpectAllIsWell();
}

// These do not depend on the provider.
class OneFaultTest : public SimulatorTest {
 protected:
  static constexpr char kUpload[] = "/kyy/kyyVideo2/asset/upload";
  static constexpr char kBody[] = R"({"url":"https://a.b/c.png","assetType":"Image"})";

  int64_t AssetsMade() { return simulator.FindProvider("kyy")->library.counts().assets_made; }
};

TEST_F(OneFaultTest, HangBeforeTheWorkEndsWhenReleased) {
  AddFault("kyy", "asset.create", R"({"kind":"hang","duration":"10m"})");
  Answer answer;
  std::thread client([&] { answer = Post(kUpload, kBody); });
  ASSERT_TRUE(simulator.faults().AwaitHangs(1, absl::Seconds(20)));
  EXPECT_EQ(simulator.log().Calls("kyy", "asset.create"), 1);
  EXPECT_EQ(Call("POST", "/_control/release").status, 200);
  client.join();
  EXPECT_EQ(answer.code, CURLE_GOT_NOTHING);
  EXPECT_EQ(AssetsMade(), 0);
}

TEST_F(OneFaultTest, HangIsBoundedByItsDuration) {
  AddFault("kyy", "asset.create", R"({"kind":"hang","duration":"1ms"})");
  EXPECT_EQ(Post(kUpload, kBody).code, CURLE_GOT_NOTHING);
  EXPECT_EQ(AssetsMade(), 0);
}

TEST_F(OneFaultTest, HangAfterTheWorkLeavesTheAssetBehind) {
  AddFault("kyy", "asset.create", R"({"kind":"hang","duration":"10m","after_work":true})");
  timeout = absl::Milliseconds(200);
  EXPECT_EQ(Post(kUpload, kBody).code, CURLE_OPERATION_TIMEDOUT);
  EXPECT_EQ(AssetsMade(), 1);
}

TEST_F(OneFaultTest, HangMayEndWithTheAnswer) {
  AddFault("kyy", "asset.create", R"({"kind":"hang","duration":"1ms","then":"answer"})");
  EXPECT_EQ(Post(kUpload, kBody).At("/code"), "0");
  AddFault("kyy", "asset.create",
           R"({"kind":"hang","duration":"1ms","then":"answer","after_work":true})");
  EXPECT_EQ(Post(kUpload, kBody).At("/code"), "0");
  EXPECT_EQ(AssetsMade(), 2);
}

TEST_F(OneFaultTest, StopEndsHangs) {
  AddFault("kyy", "asset.create", R"({"kind":"hang","duration":"10m"})");
  Answer answer;
  std::thread client([&] { answer = Post(kUpload, kBody); });
  ASSERT_TRUE(simulator.faults().AwaitHangs(1, absl::Seconds(20)));
  simulator.Stop();
  client.join();
  EXPECT_NE(answer.code, CURLE_OK);
}

TEST_F(OneFaultTest, DrippedAnswerIsWhole) {
  AddFault("kyy", "asset.create", R"({"kind":"drip","bytes":40,"duration":"1ms"})");
  EXPECT_EQ(Post(kUpload, kBody).At("/code"), "0");
}

TEST_F(OneFaultTest, AStateWordCanBeUnknown) {
  const std::string id = Post(kUpload, kBody).Text("/data/assetId");
  AddFault("kyy", "asset.get", R"({"kind":"state","state":"Marinating"})");
  const std::string path = absl::StrCat("/kyy/kyyVideo2/asset/", id);
  EXPECT_EQ(Get(path).Text("/data/status"), "Marinating");
  EXPECT_EQ(Get(path).Text("/data/status"), "Processing");
}

TEST_F(OneFaultTest, AContentTypeCanBeWrong) {
  AddFault("kyy", "asset.create", R"({"kind":"content_type","content_type":"text/plain"})");
  const Answer answer = Post(kUpload, kBody);
  EXPECT_EQ(answer.Header("content-type"), "text/plain");
  EXPECT_EQ(answer.At("/code"), "0");
}

TEST_F(OneFaultTest, ABodyCanBeHuge) {
  AddFault("kyy", "asset.create", R"({"kind":"huge","bytes":3000000})");
  const Answer answer = Post(kUpload, kBody);
  EXPECT_EQ(answer.code, CURLE_OK);
  EXPECT_EQ(answer.body.size(), 3000000u);
  EXPECT_NE(answer.At("/padding"), "(none)");
}

TEST_F(OneFaultTest, HeadersCanBeMany) {
  AddFault("kyy", "asset.create", R"({"kind":"headers","count":50,"bytes":200})");
  const Answer answer = Post(kUpload, kBody);
  EXPECT_EQ(answer.Header("x-flood-49").size(), 200u);
  EXPECT_EQ(answer.At("/code"), "0");
}

TEST_F(OneFaultTest, HeadersOfAFaultCannotEndTheirLine) {
  AddFault("kyy", "asset.create",
           R"({"kind":"status","status":500,"retry_after":"1\r\nX-Injected: yes"})");
  EXPECT_EQ(Post(kUpload, kBody).Header("x-injected"), "");
}

// --- Rewritten answers, at every provider

struct VideoCalls {
  std::string provider;
  std::string make;  // path
  std::string body;
  std::string id;      // JSON pointer into the answer to a create
  std::string get;     // path in front of the id
  std::string status;  // JSON pointers into the answer to a query
  std::string link;
  std::string done;  // the word for success
};

const VideoCalls kVideoCalls[] = {
    {"apiframe", "/apiframe/v2/videos/generate", R"({"model":"seedance-2","prompt":"a cat"})",
     "/jobId", "/apiframe/v2/jobs/", "/status", "/result/videoUrl", "COMPLETED"},
    {"kyy", "/kyy/v1/kyyvideo2/videos", R"({"model":"seedance_2_0_pro","prompt":"a cat"})", "/id",
     "/kyy/v1/result/", "/status", "/video_url", "completed"},
    {"octopusx", "/octopusx/v1/video/generations",
     R"({"model":"doubao-seedance-2-0-260128","content":[{"type":"text","text":"a cat"}]})",
     "/task_id", "/octopusx/v1/video/generations/", "/data/status", "/data/data/content/video_url",
     "SUCCESS"},
    {"zerozero", "/zerozero/v1/video/tasks", R"({"model":"seedance-2-0","prompt":"a cat"})", "/id",
     "/zerozero/v1/video/tasks/", "/status", "/video/url", "succeeded"},
};

class VideoFaultTest : public SimulatorTest, public ::testing::WithParamInterface<VideoCalls> {
 protected:
  Answer Make() { return Post(GetParam().make, GetParam().body); }
  std::string MakeId() { return Make().Text(GetParam().id); }
  Answer Ask(const std::string& id) { return Get(GetParam().get + id); }
  void Add(absl::string_view call, absl::string_view fault, int times = 1) {
    AddFault(GetParam().provider, call, fault, times);
  }
  int64_t VideosMade() {
    return simulator.FindProvider(GetParam().provider)->library.counts().videos_made;
  }
};

INSTANTIATE_TEST_SUITE_P(Providers, VideoFaultTest, ::testing::ValuesIn(kVideoCalls),
                         [](const auto& calls) { return calls.param.provider; });

TEST_P(VideoFaultTest, RedirectsComeBeforeOrAfterTheWork) {
  for (int status : {301, 302, 303, 307, 308}) {
    Add("video.create", absl::StrCat(R"({"kind":"status","status":)", status, "}"));
    const Answer answer = Make();
    EXPECT_EQ(answer.status, status);
    EXPECT_THAT(answer.Header("location"), HasSubstr("https://elsewhere.example.org/"));
    EXPECT_THAT(answer.body, HasSubstr("<html>"));
  }
  EXPECT_EQ(VideosMade(), 0);
  Add("video.create",
      R"({"kind":"status","status":303,"after_work":true,"location":"/another/path"})");
  EXPECT_EQ(Make().Header("location"), "/another/path");
  EXPECT_EQ(VideosMade(), 1);
}

TEST_P(VideoFaultTest, EdgesAnswerWithTheirOwnPages) {
  for (int status : {502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530}) {
    Add("video.create", absl::StrCat(R"({"kind":"edge","status":)", status, "}"));
    const Answer answer = Make();
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.At(""), "(none)") << answer.body;
    EXPECT_EQ(answer.Header("server"), "cloudflare");
    EXPECT_THAT(answer.body, HasSubstr(absl::StrCat("Error code ", status)));
  }
  Add("video.create", R"({"kind":"edge","status":403})");
  const Answer blocked = Make();
  EXPECT_EQ(blocked.status, 403);
  EXPECT_EQ(blocked.body, "error code: 1010");
  EXPECT_THAT(blocked.Header("content-type"), HasSubstr("text/plain"));
  Add("video.create", R"({"kind":"edge","status":503,"code":"challenge"})");
  EXPECT_EQ(Make().Header("cf-mitigated"), "challenge");
  Add("video.create", R"({"kind":"edge","server":"nginx","retry_after":9})");
  const Answer proxy = Make();
  EXPECT_THAT(proxy.body, HasSubstr("<h1>502 Bad gateway</h1>"));
  EXPECT_EQ(proxy.Header("retry-after"), "9");
  EXPECT_EQ(VideosMade(), 0);
  Add("video.create", R"({"kind":"edge","status":524,"after_work":true})");
  EXPECT_EQ(Make().status, 524);
  EXPECT_EQ(VideosMade(), 1);
}

TEST_P(VideoFaultTest, TrueAnswersCanHaveAnotherEnvelope) {
  Add("video.create", R"({"kind":"dress"})");
  const Answer usual = Make();
  EXPECT_EQ(usual.At("/code"), "0");
  EXPECT_NE(usual.Text("/data" + GetParam().id), "") << usual.body;

  Add("video.create", R"({"kind":"dress","template":{"code":200,"data":["$payload"]}})");
  const Answer list = Make();
  EXPECT_NE(list.Text("/data/0" + GetParam().id), "") << list.body;

  Add("video.create", R"({"kind":"dress","template":{"code":"success","data":"$id"}})");
  const Answer bare = Make();
  EXPECT_EQ(bare.Text("/data"), Last().object_id);

  Add("video.create",
      R"({"kind":"dress","template":{"...":"$answer","error":{"code":0,"message":""}}})");
  const Answer beside = Make();
  EXPECT_EQ(beside.Text(GetParam().id), Last().object_id);
  EXPECT_EQ(beside.At("/error/code"), "0");
  EXPECT_EQ(VideosMade(), 4);

  const std::string id = beside.Text(GetParam().id);
  Add("video.get", R"({"kind":"dress","template":{"code":0,"data":{"...":"$payload"}}})");
  const Answer asked = Ask(id);
  EXPECT_EQ(asked.At("/code"), "0");
  const bool wrapped = GetParam().provider == "octopusx";
  EXPECT_NE(asked.Text((wrapped ? "" : "/data") + GetParam().status), "") << asked.body;
}

TEST_P(VideoFaultTest, StatesCanHaveOtherWords) {
  const std::string id = MakeId();
  Finish();
  Add("video.get", R"({"kind":"words","letters":"upper","around":" "})");
  EXPECT_EQ(Ask(id).Text(GetParam().status),
            absl::StrCat(" ", absl::AsciiStrToUpper(GetParam().done), " "));
  Add("video.get",
      absl::StrCat(R"({"kind":"words","words":{")", GetParam().done, R"(":"finished"}})"));
  EXPECT_EQ(Ask(id).Text(GetParam().status), "finished");
  EXPECT_EQ(Ask(id).Text(GetParam().status), GetParam().done);
}

TEST_P(VideoFaultTest, ReplacedWordsAlsoHoldForLaterStates) {
  const std::string id = MakeId();
  Add("video.get",
      absl::StrCat(R"({"kind":"words","words":{")", GetParam().done, R"(":"finished"}})"));
  EXPECT_NE(Ask(id).Text(GetParam().status), "finished");
  EXPECT_EQ(Last().fault, "");
  Finish();
  EXPECT_EQ(Ask(id).Text(GetParam().status), "finished");
  EXPECT_EQ(Last().fault, "words");
}

TEST_P(VideoFaultTest, TheLinkCanBeLateOrElsewhere) {
  const std::string id = MakeId();
  Add("video.get", R"({"kind":"link"})", 2);
  Ask(id);  // There is no link yet that could be late.
  Finish();
  for (int i = 0; i < 2; ++i) {
    const Answer late = Ask(id);
    EXPECT_EQ(late.Text(GetParam().status), GetParam().done);
    EXPECT_EQ(late.Text(GetParam().link), "") << late.body;
  }
  const std::string link = Ask(id).Text(GetParam().link);
  EXPECT_THAT(link, HasSubstr("/media/"));

  Add("video.get", R"({"kind":"link","to":"/output/0"})");
  const Answer moved = Ask(id);
  EXPECT_EQ(moved.Text(GetParam().link), "");
  EXPECT_THAT(moved.Text("/output/0"), HasSubstr("/media/"));

  Add("video.get", R"({"kind":"link","value":"data:video/mp4;base64,AAAA"})");
  EXPECT_EQ(Ask(id).Text(GetParam().link), "data:video/mp4;base64,AAAA");

  Add("video.get", R"({"kind":"dress","template":{"id":"$id","result":["$link"]}})");
  EXPECT_THAT(Ask(id).Text("/result/0"), HasSubstr("/media/"));
}

TEST_P(VideoFaultTest, AMemberCanBeInvalidUtf8) {
  Add("video.create", R"({"kind":"not_utf8"})");
  const Answer answer = Make();
  EXPECT_THAT(answer.body, HasSubstr("\xc4\xe3"));
  EXPECT_EQ(answer.At(""), "(none)");
  EXPECT_EQ(VideosMade(), 1);
}

TEST_P(VideoFaultTest, NewWorkCanBeUnknownForSomeTime) {
  ASSERT_EQ(Call("POST", "/_control/timing", R"({"unknown_delay":"3s"})").status, 200);
  const std::string id = MakeId();
  EXPECT_EQ(Ask(id).Text(GetParam().status), "");
  clock.Advance(absl::Seconds(3));
  EXPECT_NE(Ask(id).Text(GetParam().status), "");
}

TEST_P(VideoFaultTest, CreditRunsOutPerAccount) {
  const std::string credit =
      absl::StrCat(R"({"provider":")", GetParam().provider, R"(","videos":1})");
  ASSERT_EQ(Call("POST", "/_control/credit", credit).status, 200);
  EXPECT_NE(MakeId(), "");
  const Answer refused = Make();
  EXPECT_THAT(refused.status, ::testing::AnyOf(402, 403)) << refused.body;
  EXPECT_EQ(VideosMade(), 1);
  key = kOtherKey;
  EXPECT_NE(MakeId(), "");
  key = kKey;
  const std::string plenty =
      absl::StrCat(R"({"provider":")", GetParam().provider, R"(","videos":null})");
  ASSERT_EQ(Call("POST", "/_control/credit", plenty).status, 200);
  EXPECT_NE(MakeId(), "");
}

TEST_P(VideoFaultTest, AnotherKeyIsAnotherAccount) {
  const std::string id = MakeId();
  key = kOtherKey;
  EXPECT_EQ(Ask(id).Text(GetParam().status), "");
}

TEST_F(OneFaultTest, TheInnerStateCanBeAheadOfTheOuterOne) {
  const std::string path = "/octopusx/v1/video/generations";
  const std::string id =
      Post(path,
           R"({"model":"doubao-seedance-2-0-260128","content":[{"type":"text","text":"a cat"}]})")
          .Text("/task_id");
  Finish();
  AddFault("octopusx", "video.get", R"({"kind":"words","words":{"SUCCESS":"IN_PROGRESS"}})");
  const Answer lagging = Get(absl::StrCat(path, "/", id));
  EXPECT_EQ(lagging.Text("/data/status"), "IN_PROGRESS");
  EXPECT_EQ(lagging.Text("/data/data/status"), "succeeded");
}

TEST_F(OneFaultTest, ZerozeroShowsTheBalance) {
  EXPECT_EQ(Get("/zerozero/v1/usage").At("/remaining"), "99.0");
  Call("POST", "/_control/credit", R"({"provider":"zerozero","videos":3})");
  EXPECT_EQ(Get("/zerozero/v1/usage").At("/remaining"), "3.0");
  EXPECT_EQ(Call("GET", "/zerozero/v1/health").status, 200);
}

TEST_F(OneFaultTest, RulesCountSkipMatchAndCanBeRemoved) {
  const auto add = [&](absl::string_view rule) {
    return Call("POST", "/_control/faults", rule).At("/number");
  };
  add(R"({"provider":"kyy","call":"asset.create","skip":1,"times":2,
          "fault":{"kind":"status","status":500}})");
  std::vector<int> statuses;
  statuses.reserve(4);
  for (int i = 0; i < 4; ++i) statuses.push_back(Post(kUpload, kBody).status);
  EXPECT_THAT(statuses, ::testing::ElementsAre(200, 500, 500, 200));

  add(R"({"id":"special.png","fault":{"kind":"status","status":502}})");
  EXPECT_EQ(Post(kUpload, kBody).status, 200);
  EXPECT_EQ(Post(kUpload, R"({"url":"https://a.b/special.png","assetType":"Image"})").status, 502);

  const std::string number = add(R"({"call":"*","fault":{"kind":"status","status":503}})");
  EXPECT_EQ(Get("/zerozero/v1/models").status, 503);
  EXPECT_EQ(Call("GET", "/_control/faults").At("/2/hits"), "1");
  EXPECT_EQ(Delete(absl::StrCat("/_control/faults/", number)).status, 200);
  EXPECT_EQ(Get("/zerozero/v1/models").status, 200);
  EXPECT_EQ(Delete("/_control/faults").status, 200);
  EXPECT_EQ(Call("GET", "/_control/faults").body, "[]");
}

TEST_F(OneFaultTest, BadRulesAreRefusedWithAReason) {
  const auto refused = [&](absl::string_view rule) {
    const Answer answer = Call("POST", "/_control/faults", rule);
    EXPECT_GE(answer.status, 400);
    return answer.Text("/error");
  };
  EXPECT_THAT(refused("nonsense"), HasSubstr("JSON object"));
  EXPECT_THAT(refused("{}"), HasSubstr("fault is required"));
  EXPECT_THAT(refused(R"({"fault":{"kind":"explode"}})"), HasSubstr("fault.kind must be one of"));
  EXPECT_THAT(refused(R"({"call":"asset.eat","fault":{"kind":"reset"}})"),
              HasSubstr("asset.create"));
  EXPECT_THAT(refused(R"({"provider":"ark","fault":{"kind":"reset"}})"), HasSubstr("kyy"));
  EXPECT_THAT(refused(R"({"fault":{"kind":"hang","duration":"soon"}})"), HasSubstr("duration"));
  EXPECT_THAT(refused(R"({"fault":{"kind":"reset","speed":1}})"), HasSubstr("fault.speed"));
  EXPECT_THAT(refused(R"({"fault":{"kind":"link","to":"result"}})"), HasSubstr("JSON pointer"));
  EXPECT_THAT(refused(R"({"fault":{"kind":"words","words":{"done":1}}})"), HasSubstr("texts"));
  EXPECT_THAT(refused(R"({"fault":{"kind":"edge","server":"apache"}})"), HasSubstr("nginx"));
  EXPECT_THAT(refused(R"({"times":0,"fault":{"kind":"reset"}})"), HasSubstr("times"));
}

}  // namespace
}  // namespace assetgate::simulator
