#include "provider/answers/links.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/message.h"
#include "provider/answers/answer.h"

namespace assetgate::provider::answers {
namespace {

constexpr char kUrl[] = "https://out.acme.test/v.mp4?sig=a%2Fb&x=1";
// Its name does not say what it is.
constexpr char kSigned[] = "https://out.acme.test/f/8a0c?sig=a%2Fb";

Link Of(const std::string& body) {
  const auto doc = base::ParseAnswer(body);
  EXPECT_TRUE(doc.has_value()) << body;
  if (!doc.has_value()) return {};
  const rapidjson::Value* const objects[] = {&*doc, nullptr};
  return FindVideo(objects, {"documented.place"});
}

std::string With(const std::string& shape, const std::string& url) {
  return absl::StrReplaceAll(shape, {{"@", url}});
}

TEST(FindVideoTest, ALinkIsFoundInEveryPlace) {
  for (const char* const shape :
       {R"({"video":{"url":"@"}})", R"({"video_url":"@"})", R"({"content":{"video_url":"@"}})",
        R"({"result":"@"})", R"({"result":{"videoUrl":"@"}})", R"({"result":{"video_url":"@"}})",
        R"({"result":{"url":"@"}})", R"({"result":{"video":"@"}})",
        R"({"result":{"video":{"url":"@"}}})", R"({"result":{"videos":["@"]}})",
        R"({"result":{"videos":[{"url":"@"}]}})", R"({"result":{"output":["@"]}})",
        R"({"result":["@"]})", R"({"result_url":"@"})", R"({"resultUrl":"@"})", R"({"output":"@"})",
        R"({"outputs":[{"url":"@"}]})", R"({"videos":["@"]})", R"({"url":"@"})",
        R"({"urls":["@"]})", R"({"video":"@"})", R"({"deep":{"er":[{"video_url":{"url":"@"}}]}})",
        // Those behind relays: Kling, Vidu, MiniMax, Veo, kie.ai.
        R"({"task_result":{"videos":[{"id":"1","url":"@"}]}})",
        R"({"creations":[{"id":"1","url":"@"}]})", R"({"file":{"download_url":"@"}})",
        R"({"response":{"generatedVideos":[{"video":{"uri":"@"}}]}})",
        R"({"response":{"resultUrls":["@"]}})", R"({"output":{"results":[{"url":"@"}]}})",
        R"({"output":{"videos":["@"]}})", R"({"output":{"urls":["@"]}})",
        R"({"output":{"output":["@"]}})", R"({"output":{"result":"@"}})",
        R"({"content":{"videos":["@"]}})",
        R"({"content":[{"type":"video_url","video_url":{"url":"@"}}]})",
        R"({"result":{"data":[{"url":"@"}]}})", R"({"result":{"files":["@"]}})",
        R"({"result":{"urls":["@"]}})", R"({"assets":{"video":"@"}})",
        R"({"generations":[{"url":"@"}]})", R"({"generated_videos":["@"]})",
        R"({"media":[{"type":"video","url":"@"}]})", R"({"files":["@"]})",
        R"({"data":{"outputs":["@"]}})", R"({"data":{"media_urls":["@"]}})",
        R"({"videoURLs":["@"]})", R"({"output_video_url":"@"})", R"({"videoUri":"@"})",
        R"({"video":{"download_uri":"@"}})", R"({"play_url":"@"})", R"({"hd_url":"@"})",
        R"({"src":"@"})", R"({"link":"@"})", R"({"resource":"@"})", R"({"data":"@"})",
        R"({"data":["@"]})", R"({"data":[{"url":"@"}]})",
        // new-api.
        R"({"metadata":{"url":"@"}})", R"({"fail_reason":"@","data":null})"}) {
    EXPECT_EQ(Of(With(shape, kUrl)).url, kUrl) << shape;
    EXPECT_EQ(Of(With(shape, kSigned)).url, kSigned) << shape;
  }
}

TEST(FindVideoTest, AVideoFileIsFoundUnderAnyName) {
  for (const char* const shape :
       {R"({"works":[{"resource":{"resource":"@"}}]})", R"({"result":{"video":{"main":"@"}}})",
        R"({"message":"@"})", R"({"choices":[{"message":{"content":"@"}}]})"}) {
    EXPECT_EQ(Of(With(shape, kUrl)).url, kUrl) << shape;
    EXPECT_EQ(Of(With(shape, kSigned)).url, "") << shape;
  }
}

TEST(FindVideoTest, JsonInsideATextIsParsed) {
  for (const char* const shape :
       {R"({"result":"{\"video_url\":\"@\"}"})", R"({"output":" {\"videos\":[{\"url\":\"@\"}]}"})",
        R"({"data":"{\"video_url\":\"@\"}"})", R"({"resultJson":"{\"resultUrls\":[\"@\"]}"})",
        R"({"video_url":"[\"@\"]"})"}) {
    EXPECT_EQ(Of(With(shape, kSigned)).url, kSigned) << shape;
  }
  EXPECT_EQ(Of(R"({"result":"{\"video_url\":"})").url, "") << "cut off";
}

TEST(FindVideoTest, TheBetterPlaceTakesPrecedence) {
  constexpr struct {
    const char* shape;
    const char* why;
  } kCases[] = {
      {R"({"video_url":"https://a.test/x.mp4","documented":{"place":"@"}})", "it is documented"},
      {R"({"url":"https://api.acme.test/v1/tasks/1","result":{"files":["@"]}})",
       "a url at the top is often that of the task"},
      {R"({"url":"https://api.acme.test/v1/tasks/1","deep":[{"video_url":"@"}]})", "likewise"},
      {R"({"urls":{"get":"https://api.acme.test/v1/tasks/1"},"output":"@"})", "likewise"},
      {R"({"message":"https://a.test/x.mp4","video_url":"@"})", "its name is better"},
      {R"({"content":[{"video_url":{"url":"https://in.acme.test/a.mp4"}}],"url":"@"})",
       "an element of content may be an echo"},
      {R"({"result":{"url":"https://a.test/page","videos":["@"]}})", "its name is better"},
      {R"({"video_url":"data:x","url":"@"})", "it is a link"},
  };
  for (const auto& row : kCases) {
    EXPECT_EQ(Of(With(row.shape, kSigned)).url, kSigned) << row.shape << ": " << row.why;
  }
  EXPECT_EQ(Of(With(R"({"output":["https://a.test/cover","@"]})", kUrl)).url, kUrl)
      << "of two at one place, the video by its name";
}

TEST(FindVideoTest, ADocumentedPlaceMayHaveTheNameOfAnEcho) {
  const auto doc =
      base::ParseAnswer(R"({"originalUrl":"https://a.test/v","reference":"https://a.test"})");
  const rapidjson::Value* const objects[] = {&*doc};
  EXPECT_EQ(FindVideo(objects, {"original_url"}).url, "https://a.test/v");
  EXPECT_EQ(FindVideo(objects, {}).url, "");
}

TEST(FindVideoTest, EchoedPartsOfTheRequestAreNotResults) {
  for (const char* const body :
       {R"({"input":{"video_url":"https://in.acme.test/a.mp4"}})",
        R"({"request":{"content":[{"video_url":{"url":"https://in.acme.test/a.mp4"}}]}})",
        R"({"content":[{"type":"video_url","role":"reference_video",
                        "video_url":{"url":"https://in.acme.test/a.mp4"}}]})",
        R"({"resources":[{"type":"video","role":"reference","url":"https://in.acme.test/a.mp4"}]})",
        R"({"original_request":{"video_url":"https://in.acme.test/a.mp4"}})",
        R"({"req":{"content":{"video_url":"https://in.acme.test/a.mp4"}}})",
        R"({"extra":{"reference":{"video_url":"https://in.acme.test/a.mp4"}}})",
        R"({"referenceVideos":["https://in.acme.test/a.mp4"]})",
        R"({"seedanceParams":{"video_url":"https://in.acme.test/a.mp4"}})",
        R"({"source_video":"https://in.acme.test/a.mp4"})",
        R"({"body":"{\"video_url\":\"https://in.acme.test/a.mp4\"}"})",
        R"({"metadata":{"video_url":"https://in.acme.test/a.mp4"}})",
        R"({"webhook":"https://gw.acme.test/hook"})",
        R"({"callback_url":"https://gw.acme.test/hook"})",
        R"({"fail_reason":"https://acme.test/help tells why"})"}) {
    EXPECT_EQ(Of(body).url, "") << body;
  }
}

TEST(FindVideoTest, ImagesAndSoundsAreNotVideos) {
  for (const char* const body :
       {R"({"cover":{"url":"https://out.acme.test/c"}})",
        R"({"result":{"cover_url":"https://out.acme.test/c"}})",
        R"({"result":{"url":"https://out.acme.test/c.PNG?sig=1"}})",
        R"({"url":"https://out.acme.test/c.jpeg"})",
        R"({"video_url":"https://out.acme.test/c.gif"})",
        R"({"output":["https://out.acme.test/s.mp3"]})",
        R"({"results":[{"type":"image","url":"https://a.test/c"}]})",
        R"({"files":[{"mime_type":"image/png","url":"https://a.test/c"}]})",
        R"({"content":{"last_frame_url":"https://a.test/c"}})"}) {
    EXPECT_EQ(Of(body).url, "") << body;
  }
  for (const char* const shape :
       {R"({"results":[{"type":"image","url":"https://a.test/c"},{"type":"video","url":"@"}]})",
        R"({"output":["https://a.test/c.png","@"]})",
        R"({"result":{"url":"https://a.test/c.jpg","videos":[{"url":"@"}]}})"}) {
    EXPECT_EQ(Of(With(shape, kSigned)).url, kSigned) << shape;
  }
}

TEST(FindVideoTest, AnInlineResultIsDistinguishedFromAMissingOne) {
  for (const char* const body :
       {R"({"video_url":"data:video/mp4;base64,AAAA"})", R"({"result":{"b64_json":"AAAA"}})",
        R"({"b64_json":"AAAA"})", R"({"data":[{"b64_json":"AAAA"}]})",
        R"({"response":{"videos":[{"bytesBase64Encoded":"AAAA","mimeType":"video/mp4"}]}})"}) {
    EXPECT_TRUE(Of(body).is_inline) << body;
  }
  for (const char* const body :
       {R"({"video":{}})", R"({"video_url":"data:video/mp4;base64,AAAA","url":"https://a.test/v"})",
        R"({"cover":"data:image/png;base64,AAAA"})", R"({"poster_frame":{"b64_json":"AAAA"}})",
        R"({"input":{"video":"data:video/mp4;base64,AAAA"}})", R"({"message":"data: none"})"}) {
    EXPECT_FALSE(Of(body).is_inline) << body;
  }
}

TEST(FindVideoTest, AnIncompleteLinkIsIgnored) {
  const std::string longest = absl::StrCat("https://a.test/", std::string(32 * 1024 - 15, 'x'));
  EXPECT_EQ(Of(absl::StrCat(R"({"url":")", longest, R"("})")).url, longest);
  EXPECT_EQ(Of(absl::StrCat(R"({"url":")", longest, R"(x"})")).url, "");
  EXPECT_EQ(Of("{\"url\":\"https://a.test/\xB0\"}").url, "") << "a byte of it was not readable";
  for (const char* const url : {"ftp://a.test/x", "//a.test/x", "https://a.test/\\u0000",
                                "https://a.test/a\\nb", "javascript:alert(1)"}) {
    EXPECT_EQ(Of(absl::StrCat(R"({"video_url":")", url, R"("})")).url, "") << url;
  }
  EXPECT_EQ(Of(R"({"url":" HTTPS://a.test/x\n"})").url, "HTTPS://a.test/x");
}

TEST(FindVideoTest, ABlankInALinkIsEncoded) {
  EXPECT_EQ(Of(R"({"video_url":"https://a.test/my video.mp4"})").url,
            "https://a.test/my%20video.mp4");
  EXPECT_EQ(Of(R"({"message":"https://a.test/ is where my.mp4"})").url, "") << "a sentence";
}

TEST(FindVideoTest, TheDepthOfTheSearchIsLimited) {
  const auto nested = [](int depth) {
    std::string body = R"({"video_url":"https://a.test/v"})";
    for (int i = 0; i < depth; ++i) body = absl::StrCat(R"({"a":)", body, "}");
    return body;
  };
  EXPECT_EQ(Of(nested(9)).url, "https://a.test/v");
  EXPECT_EQ(Of(nested(10)).url, "");
}

// The link in an answer about the task "t-1", whose object is at `task`. Of what is behind the
// provider, `inner` tells.
std::string InAnswer(const std::string& body, absl::string_view task,
                     absl::string_view inner = "nowhere") {
  static constexpr absl::string_view kNames[] = {"task_id", "id"};
  const http::Response response{.status = 200, .headers = {}, .body = body};
  const Answer answer(response);
  if (!answer.is_json()) return "no JSON";
  const rapidjson::Value& root = *answer.layers().front();
  const rapidjson::Value* const objects[] = {At(root, task), At(root, inner)};
  return FindVideo(answer, {.names = kNames}, objects, {"video_url"}).url;
}

TEST(FindVideoTest, ALinkBesideTheTaskIsFound) {
  constexpr struct {
    const char* shape;
    const char* task;
  } kCases[] = {
      {R"({"task":{"id":"t-1","status":"succeeded"},"result":{"video_url":"@"}})", "task"},
      {R"({"data":{"id":"t-1","status":"succeeded"},"video_url":"@"})", "data"},
      {R"({"code":0,"data":{"task":{"id":"t-1"},"videos":[{"id":"7","url":"@"}]}})", "data.task"},
      {R"({"id":"request-9","task":{"id":"t-1"},"output":{"url":"@"}})", "task"},
      {R"({"task_id":"t-1","data":{"status":"succeeded"},"video_url":"@"})", "data"},
  };
  for (const auto& row : kCases) {
    EXPECT_EQ(InAnswer(With(row.shape, kSigned), row.task), kSigned) << row.shape;
  }
  EXPECT_EQ(
      InAnswer(With(R"({"result":{"id":"t-1","url":"https://a.test/t","files":["@"]}})", kUrl),
               "result"),
      kUrl)
      << "the task is not searched as a part of what is around it";
}

TEST(FindVideoTest, TheLinkOfAnotherTaskIsIgnored) {
  constexpr struct {
    const char* body;
    const char* task;
    const char* inner = "nowhere";
  } kCases[] = {
      {R"({"data":[{"id":"t-1","status":"succeeded"},
                   {"id":"t-0","status":"succeeded","video_url":"https://a.test/0.mp4"}]})",
       "data.0"},
      {R"({"task":{"id":"t-1"},"history":[{"task_id":"t-0","video_url":"https://a.test/0.mp4"}]})",
       "task"},
      {R"({"data":[{"status":"succeeded"},
                   {"task_id":"t-0","video_url":"https://a.test/0.mp4"}]})",
       "data.0"},
      {R"({"data":{"id":"t-1","status":"succeeded"},
           "result":{"id":"t-0","status":"succeeded","video_url":"https://a.test/0.mp4"}})",
       "data", "result"},
  };
  for (const auto& row : kCases) EXPECT_EQ(InAnswer(row.body, row.task, row.inner), "") << row.body;

  EXPECT_EQ(InAnswer(R"({"data":{"task_id":"t-1","status":"SUCCESS","data":{"id":"cgt-8",
                         "status":"succeeded","video_url":"https://a.test/v"}}})",
                     "data", "data.data"),
            "https://a.test/v")
      << "the same task, under the id that the upstream gave it";
}

}  // namespace
}  // namespace assetgate::provider::answers
