#include "providers/fifth/simulator.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assetgate::simulator {
namespace {

class Fifth final : public Dialect {
 public:
  absl::string_view name() const override { return "fifth"; }
  absl::string_view prefix() const override { return "/fifth"; }
  const std::vector<Endpoint>& endpoints() const override { return endpoints_; }

  // On the control plane a secret key is the same text as its access key.
  std::optional<std::string> PresentedKey(const Request& request) const override {
    if (!absl::StartsWith(request.path, "/fifth/control/")) return Dialect::PresentedKey(request);
    absl::string_view header = request.Header("Authorization").value_or("");
    if (!absl::ConsumePrefix(&header, "Fifth ")) return std::nullopt;
    const std::pair<std::string, std::string> parts = absl::StrSplit(header, ':');
    uint64_t hash = 0xcbf29ce484222325;
    for (const char c :
         absl::StrCat(parts.first, "\n", request.method, "\n", request.Header("Host").value_or(""),
                      "\n", request.path, "\n", request.query, "\n", request.body)) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return parts.second == absl::StrCat(absl::Hex(hash)) ? parts.first : "wrong signature";
  }
  Response Unauthorized(bool, Call call) const override { return Refusal(401, call, ""); }
  Response Refusal(int status, Call, absl::string_view message) const override {
    return JsonResponse(status, Json::Object({{"error", TextOr(message, "no muse")}}));
  }
  Response BusinessFailure(Call, absl::string_view code, absl::string_view message) const override {
    int64_t number = 0;
    if (!absl::SimpleAtoi(code, &number)) number = 500;
    return JsonResponse(
        200, Json::Object({{"code", number}, {"message", TextOr(message, "service busy")}}));
  }
  std::vector<std::string> IdPointers(Call) const override { return {"/id"}; }

 private:
  static Response Show(const Exchange& exchange, absl::string_view id, const Course& course,
                       const Json& url) {
    const Phase phase = course.At(exchange.now);
    const absl::string_view status = phase == Phase::kSucceeded ? "active"
                                     : phase == Phase::kFailed  ? "failed"
                                                                : "processing";
    return JsonResponse(
        200,
        Json::Object({{"id", id},
                      {"status", exchange.Word(status)},
                      {"url", phase == Phase::kSucceeded ? url : Json(nullptr)},
                      {"error", phase == Phase::kFailed ? Json(course.failure) : Json(nullptr)}}));
  }

  static Response BadRequest(const std::vector<Problem>& problems) {
    return JsonResponse(400, Json::Object({{"error", Sentence(problems)}}));
  }
  static Response NotFound() { return JsonResponse(404, Json::Object({{"error", "not found"}})); }

  // POST /control/assets
  static Response CreateAsset(Exchange& exchange) {
    std::vector<Problem> problems;
    FieldReader fields(*exchange.Body(), "", &problems);
    Asset asset;
    asset.url = fields.String("url", FieldReader::kRequired).value_or("");
    fields.RefuseUnread();
    if (!problems.empty()) return BadRequest(problems);
    asset.course = exchange.NewAssetCourse();
    ApplyFatefulWords(asset.url, &asset.course);
    asset.id = asset.tracking_id = absl::StrCat("asset-", RandomUuid());
    asset.account = exchange.account;
    exchange.object_id = asset.id;
    exchange.library.Add(asset);
    return Show(exchange, asset.id, asset.course, nullptr);
  }

  // GET /control/assets/{id}
  static Response GetAsset(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Asset> asset = exchange.PollAsset(exchange.object_id);
    if (!asset || asset->account != exchange.account) return NotFound();
    return Show(exchange, asset->id, asset->course, nullptr);
  }

  // POST /videos
  static Response CreateVideo(Exchange& exchange) {
    std::vector<Problem> problems;
    FieldReader fields(*exchange.Body(), "", &problems);
    Video video;
    video.course = exchange.NewVideoCourse();
    ApplyFatefulWordsOfPrompt(fields.String("prompt").value_or(""), &video.course);
    fields.IntBetween("duration", 1, 60);
    fields.String("ratio");
    fields.Bool("audio");
    fields.Strings("media", 9);
    fields.RefuseUnread();
    if (!problems.empty()) return BadRequest(problems);
    video.id = absl::StrCat("video-", RandomUuid());
    video.account = exchange.account;
    exchange.object_id = video.id;
    exchange.library.Add(video);
    return Show(exchange, video.id, video.course, nullptr);
  }

  // GET /videos/{id}
  static Response GetVideo(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Video> video = exchange.PollVideo(exchange.object_id);
    if (!video || video->account != exchange.account) return NotFound();
    return Show(exchange, video->id, video->course, exchange.VideoUrl(video->id));
  }

  const std::vector<Endpoint> endpoints_ = {
      {"POST", "/control/assets", Call::kAssetCreate, &CreateAsset},
      {"GET", "/control/assets/{}", Call::kAssetGet, &GetAsset},
      {"POST", "/videos", Call::kVideoCreate, &CreateVideo},
      {"GET", "/videos/{}", Call::kVideoGet, &GetVideo},
  };
};

}  // namespace
}  // namespace assetgate::simulator

namespace assetgate::providers::fifth {

std::unique_ptr<simulator::Dialect> MakeSimulator() { return std::make_unique<simulator::Fifth>(); }

}  // namespace assetgate::providers::fifth
