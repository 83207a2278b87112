#include "providers/kyy/simulator.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace assetgate::simulator {
namespace {

constexpr size_t kMaxImages = 9;
constexpr size_t kMaxVideos = 3;
constexpr size_t kMaxAudios = 3;

// {"code":0,"msg":null,"data":{…}}
Response Envelope(const Json& code, const Json& data) {
  return JsonResponse(200, Json::Object({{"code", code}, {"msg", nullptr}, {"data", data}}));
}

// Failures come inside HTTP 200.
Response Failure(const Json& code, absl::string_view text) {
  return JsonResponse(200, Json::Object({{"code", code}, {"msg", text}, {"data", nullptr}}));
}

constexpr int kBadRequest = 400;
constexpr int kNotFound = -1;
constexpr int kUnreachable = 1001;

// A field that may hold a reference, and the type of asset that fits it.
struct Reference {
  std::string field;
  std::string value;
  absl::string_view type;
};

class Kyy final : public Dialect {
 public:
  absl::string_view name() const override { return "kyy"; }
  absl::string_view prefix() const override { return "/kyy"; }
  const std::vector<Endpoint>& endpoints() const override { return endpoints_; }

  std::vector<Switches::Spec> switches() const override {
    return {{"unknown_fields",
             {"ignored", "refused"},
             false,
             "fields that are not documented: ignored (and logged as such), or code 400"},
            {"manxue_answer",
             {"object", "project"},
             false,
             "what creating an SD2 Manxue task answers: a task object, or "
             "{code,msg,data:{projectId}}"}};
  }

  Response Unauthorized(bool, Call call) const override { return Refusal(401, call, ""); }

  Response Refusal(int status, Call call, absl::string_view message) const override {
    const bool video = call == Call::kVideoCreate || call == Call::kVideoGet;
    Response response;
    if (status == 401) {
      response = Failure(401, TextOr(message, "invalid key"));
    } else if (status == 404 && video) {
      response = JsonResponse(404, Json::Object({{"error", TextOr(message, "task not found")}}));
    } else if (video) {
      response = JsonResponse(
          status,
          Json::Object({{"error", Json::Object({{"message", TextOr(message, Text(status))}})}}));
    } else {
      response = Failure(status, TextOr(message, Text(status)));
    }
    response.status = status;
    return response;
  }

  Response BusinessFailure(Call call, absl::string_view code,
                           absl::string_view message) const override {
    int64_t number = 0;
    if (!absl::SimpleAtoi(code, &number)) number = 500;
    const std::string text = TextOr(message, "service busy");
    if (call == Call::kAssetDelete) return Failure(absl::StrCat(number), text);
    return Failure(number, text);
  }

  std::vector<std::string> IdPointers(Call call) const override {
    if (call == Call::kAssetCreate) return {"/data/assetId"};
    if (call == Call::kVideoCreate) return {"/id", "/data/projectId"};
    return {};
  }

 private:
  static absl::string_view Text(int status) {
    switch (status) {
      case 402:
        return "insufficient balance";
      case 403:
        return "forbidden";
      case 404:
        return "not found";
      case 429:
        return "too many requests";
      default:
        return status >= 500 ? "service unavailable" : "bad request";
    }
  }

  static void SettleUnknown(Exchange& exchange, FieldReader& fields) {
    if (exchange.switches.Is("unknown_fields", "refused")) {
      fields.RefuseUnread();
      return;
    }
    for (std::string& field : fields.Unread()) exchange.ignored.push_back(std::move(field));
  }

  static std::string NewAssetId(absl::Time now) {
    return absl::StrCat("asset-", absl::FormatTime("%Y%m%d%H%M%S", now, absl::UTCTimeZone()), "-",
                        RandomAlphanumerics(5));
  }

  // POST /kyyVideo2/asset/upload {"assetType","url","name"?}
  static Response UploadAsset(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Failure(kBadRequest, "the body must be a JSON object");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Asset asset;
    asset.type =
        fields.OneOf("assetType", {"Image", "Video", "Audio", "Document"}, FieldReader::kRequired)
            .value_or("");
    asset.url = fields.String("url", FieldReader::kRequired).value_or("");
    asset.name = fields.String("name").value_or("");
    if (!asset.url.empty() && !IsHttpUrl(asset.url)) {
      fields.Refuse("url", "must be a public URL");
    }
    SettleUnknown(exchange, fields);
    if (!problems.empty()) return Failure(kBadRequest, Sentence(problems));
    asset.course = exchange.NewAssetCourse();
    ApplyFatefulWords(asset.url, &asset.course);
    // The URL has to be fetchable at request time.
    if (absl::StrContains(asset.course.failure, "fetched")) {
      return Failure(kUnreachable, "the url cannot be reached");
    }
    asset.id = NewAssetId(exchange.now);
    asset.account = exchange.account;
    exchange.object_id = asset.id;
    exchange.library.Add(asset);
    return Envelope(0, Json::Object({{"assetId", asset.id}}));
  }

  static absl::string_view AssetStatus(const Asset& asset, absl::Time now) {
    switch (asset.course.At(now)) {
      case Phase::kSucceeded:
        return "Active";
      case Phase::kFailed:
        return "Failed";
      default:
        return "Processing";
    }
  }

  // GET /kyyVideo2/asset/{assetId}
  static Response GetAsset(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Asset> asset = exchange.library.PollAsset(exchange.path_ids[0]);
    if (!asset || asset->account != exchange.account) {
      return Failure(kNotFound, "asset does not exist");
    }
    return Envelope(
        0, Json::Object({{"name", asset->name.empty() ? Json(nullptr) : Json(asset->name)},
                         {"assetId", asset->id},
                         {"status", exchange.Word(AssetStatus(*asset, exchange.now))},
                         {"assetType", asset->type},
                         {"url", asset->url},
                         {"createTime", absl::FormatTime("%Y-%m-%d %H:%M:%S", asset->course.created,
                                                         absl::UTCTimeZone())}}));
  }

  // DELETE /kyyVideo2/asset/{assetId}; `code` is a string here.
  static Response DeleteAsset(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Asset> asset = exchange.library.FindAsset(exchange.path_ids[0]);
    if (!asset || asset->account != exchange.account) {
      return Failure(absl::StrCat(kNotFound), "asset does not exist");
    }
    exchange.library.EraseAsset(asset->id);
    return Envelope("0", nullptr);
  }

  // Checks the form of a reference (problems), and whether it can be used (the task will fail).
  static void CheckReference(Exchange& exchange, const Reference& reference, FieldReader& fields,
                             Course* course) {
    const std::optional<std::string> id = AssetReference(reference.value);
    if (!id) {
      if (!IsHttpUrl(reference.value)) {
        fields.Refuse(reference.field, "must be a public URL or asset://<assetId>");
        return;
      }
      ApplyFatefulWords(reference.value, course);
      return;
    }
    const auto fail = [&](std::string text) {
      course->ending = Course::Ending::kFailure;
      course->failure = std::move(text);
      course->work = absl::ZeroDuration();
    };
    const std::optional<Asset> asset = exchange.library.FindAsset(*id);
    if (!asset || asset->account != exchange.account) {
      fail(absl::StrCat("asset ", *id, " does not exist"));
    } else if (asset->type != reference.type) {
      fields.Refuse(reference.field, absl::StrCat("takes assets of type ", reference.type, ", ",
                                                  *id, " is of type ", asset->type));
    } else if (asset->course.At(exchange.now) != Phase::kSucceeded) {
      fail(absl::StrCat("asset ", *id, " is not Active"));
    }
  }

  // The reference arrays, and the number of references of each type.
  struct References {
    std::vector<Reference> all;
    size_t images = 0;
    size_t videos = 0;
    size_t audios = 0;
  };

  static References ReadReferences(FieldReader& fields) {
    References references;
    const auto read = [&](const char* field, size_t at_most, absl::string_view type) {
      const std::vector<std::string> values = fields.Strings(field, at_most);
      for (const std::string& value : values) references.all.push_back({field, value, type});
      return values.size();
    };
    references.images = read("referenceImages", kMaxImages, "Image");
    references.videos = read("referenceVideos", kMaxVideos, "Video");
    references.audios = read("referenceAudios", kMaxAudios, "Audio");
    return references;
  }

  static Json TaskJson(const Exchange& exchange, const Video& video, absl::string_view status) {
    return Json::Object({{"id", video.id},
                         {"object", "video"},
                         {"created", absl::ToUnixSeconds(video.course.created)},
                         {"model", video.model},
                         {"status", exchange.Word(status)},
                         {"error", nullptr}});
  }

  // POST /v1/kyyvideo2/videos
  static Response CreateVideo(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Failure(kBadRequest, "the body must be a JSON object");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Video video;
    video.course = exchange.NewVideoCourse();
    video.model = fields
                      .OneOf("model",
                             {"seedance_2_0", "seedance_2_0_fast", "seedance_2_0_pro",
                              "seedance_2_0_fast_pro"},
                             FieldReader::kRequired)
                      .value_or("");
    const std::string prompt = fields.String("prompt", FieldReader::kRequired).value_or("");
    ApplyFatefulWordsOfPrompt(prompt, &video.course);
    video.duration = fields.IntBetween("duration", 4, 15).value_or(5);
    const std::optional<std::string> ratio =
        fields.OneOf("aspect_ratio", {"16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "adaptive"});
    const std::optional<bool> audio = fields.Bool("generateAudio");
    const std::optional<std::string> first = fields.String("first_image");
    const std::optional<std::string> last = fields.String("last_image");
    References references = ReadReferences(fields);
    if ((first || last) && !references.all.empty()) {
      fields.Refuse("first_image", "excludes all reference fields");
    }
    if (last && !first) fields.Refuse("last_image", "needs first_image");
    const bool needs_video = video.model == "seedance_2_0" || video.model == "seedance_2_0_fast";
    if (needs_video && references.videos == 0) {
      fields.Refuse("referenceVideos", absl::StrCat("is required by ", video.model),
                    Problem::Kind::kMissing);
    }
    if (first) references.all.push_back({"first_image", *first, "Image"});
    if (last) references.all.push_back({"last_image", *last, "Image"});
    for (const Reference& reference : references.all) {
      CheckReference(exchange, reference, fields, &video.course);
    }
    SettleUnknown(exchange, fields);
    if (!problems.empty()) return Failure(kBadRequest, Sentence(problems));

    video.id = absl::StrCat("video_", RandomUuid());
    video.account = exchange.account;
    video.effective = Json::Object({{"duration", video.duration},
                                    {"aspect_ratio", ratio},
                                    {"generateAudio", audio},
                                    {"references", references.all.size()}})
                          .text();
    exchange.object_id = video.id;
    const Json answer = TaskJson(exchange, video, "queued");
    exchange.library.Add(std::move(video));
    return JsonResponse(200, answer);
  }

  static absl::string_view TaskStatus(const Video& video, absl::Time now) {
    switch (video.course.At(now)) {
      case Phase::kQueued:
        return "queued";
      case Phase::kRunning:
        return "processing";
      case Phase::kSucceeded:
        return "completed";
      case Phase::kFailed:
        return "failed";
      case Phase::kCancelled:
        return "cancelled";
    }
    return "";
  }

  // GET /v1/result/{id}
  static Response GetVideo(Exchange& exchange) {
    const std::string& id = exchange.path_ids[0];
    exchange.object_id = id;
    const std::optional<Video> video = exchange.library.PollVideo(id);
    if (!video || video->account != exchange.account) {
      return JsonResponse(404, Json::Object({{"error", "task not found"}}));
    }
    const Phase phase = video->course.At(exchange.now);
    const bool done = phase == Phase::kSucceeded;
    Json::Members task = {{"id", id},
                          {"object", "video"},
                          {"created", absl::ToUnixSeconds(video->course.created)},
                          {"model", video->model},
                          {"status", exchange.Word(TaskStatus(*video, exchange.now))},
                          {"video_url", done ? Json(exchange.VideoUrl(id)) : Json(nullptr)}};
    if (done) {
      task.emplace_back("actualDuration", static_cast<double>(video->duration) + 0.04);
      task.emplace_back("totalTokens", video->duration * 21840);
    }
    task.emplace_back("error",
                      phase == Phase::kFailed ? Json(video->course.failure) : Json(nullptr));
    return JsonResponse(200, Json::Object(task));
  }

  const std::vector<Endpoint> endpoints_ = {
      {"POST", "/kyyVideo2/asset/upload", Call::kAssetCreate, &UploadAsset},
      {"GET", "/kyyVideo2/asset/{}", Call::kAssetGet, &GetAsset},
      {"DELETE", "/kyyVideo2/asset/{}", Call::kAssetDelete, &DeleteAsset},
      {"POST", "/v1/kyyvideo2/videos", Call::kVideoCreate, &CreateVideo},
      {"GET", "/v1/result/{}", Call::kVideoGet, &GetVideo},
  };
};

}  // namespace

std::unique_ptr<Dialect> MakeKyy() { return std::make_unique<Kyy>(); }

}  // namespace assetgate::simulator
