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
constexpr size_t kMaxManxueUrls =
    100;  // of one kind in one batch; the simulator's own limit, since none is documented

// {"code":0,"msg":null,"data":{…}}
Response Envelope(const Json& code, const Json& data) {
  return JsonResponse(200, Json::Object({{"code", code}, {"msg", nullptr}, {"data", data}}));
}

// Failures come inside HTTP 200.
Response Failure(const Json& code, absl::string_view text) {
  return JsonResponse(200, Json::Object({{"code", code}, {"msg", text}, {"data", nullptr}}));
}

// An account has two libraries that do not see each other.
constexpr absl::string_view kMainLibrary = "";
constexpr absl::string_view kManxueLibrary = "manxue";

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
    return {UnknownFieldsSwitch(),
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
    exchange.SettleUnknownFields(fields);
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
    const std::optional<Asset> asset = exchange.PollAsset(exchange.path_ids[0]);
    if (!asset || asset->account != exchange.account || asset->platform != kMainLibrary) {
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
    if (!asset || asset->account != exchange.account || asset->platform != kMainLibrary) {
      return Failure(absl::StrCat(kNotFound), "asset does not exist");
    }
    exchange.library.EraseAsset(asset->id);
    return Envelope("0", nullptr);
  }

  // Checks the form of a reference (problems), and whether it can be used (the task will fail).
  // `library` is the one of the two libraries from which the task takes assets.
  static void CheckReference(Exchange& exchange, const Reference& reference,
                             absl::string_view library, FieldReader& fields, Course* course) {
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
    if (!asset || asset->account != exchange.account || asset->platform != library) {
      fail(absl::StrCat("asset ", *id, " does not exist"));
    } else if (asset->type != reference.type) {
      fields.Refuse(reference.field, absl::StrCat("takes assets of type ", reference.type, ", ",
                                                  *id, " is of type ", asset->type));
    } else if (asset->course.At(exchange.now) != Phase::kSucceeded) {
      fail(absl::StrCat("asset ", *id, " is not Active"));
    }
  }

  // Reads the fields of both families of video models: prompt, duration, frames, references.
  // Returns the number of reference videos.
  static size_t ReadTask(Exchange& exchange, absl::string_view library,
                         const std::optional<std::string>& first,
                         const std::optional<std::string>& last, FieldReader& fields,
                         Video* video) {
    const std::string prompt = fields.String("prompt", FieldReader::kRequired).value_or("");
    ApplyFatefulWordsOfPrompt(prompt, &video->course);
    video->duration = fields.IntBetween("duration", 4, 15).value_or(5);
    std::vector<Reference> references;
    const auto read = [&](const char* field, size_t at_most, absl::string_view type) {
      const std::vector<std::string> values = fields.Strings(field, at_most);
      for (const std::string& value : values) references.push_back({field, value, type});
      return values.size();
    };
    read("referenceImages", kMaxImages, "Image");
    const size_t videos = read("referenceVideos", kMaxVideos, "Video");
    read("referenceAudios", kMaxAudios, "Audio");
    if ((first || last) && !references.empty()) {
      fields.Refuse("first_image", "excludes all reference fields");
    }
    if (last && !first) fields.Refuse("last_image", "needs first_image");
    if (first) references.push_back({"first_image", *first, "Image"});
    if (last) references.push_back({"last_image", *last, "Image"});
    for (const Reference& reference : references) {
      CheckReference(exchange, reference, library, fields, &video->course);
    }
    return videos;
  }

  static Response OutOfCredit() {
    return JsonResponse(402, Json::Object({{"error", Json::Object({{"message", Text(402)}})}}));
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
    const std::optional<std::string> ratio =
        fields.OneOf("aspect_ratio", {"16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "adaptive"});
    const std::optional<bool> audio = fields.Bool("generateAudio");
    const std::optional<std::string> first = fields.String("first_image");
    const std::optional<std::string> last = fields.String("last_image");
    const size_t videos = ReadTask(exchange, kMainLibrary, first, last, fields, &video);
    const bool needs_video = video.model == "seedance_2_0" || video.model == "seedance_2_0_fast";
    if (needs_video && videos == 0) {
      fields.Refuse("referenceVideos", absl::StrCat("is required by ", video.model),
                    Problem::Kind::kMissing);
    }
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return Failure(kBadRequest, Sentence(problems));

    if (!exchange.Pay()) return OutOfCredit();
    video.id = absl::StrCat("video_", RandomUuid());
    video.account = exchange.account;
    video.effective =
        Json::Object(
            {{"duration", video.duration}, {"aspect_ratio", ratio}, {"generateAudio", audio}})
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
    const std::optional<Video> video = exchange.PollVideo(id);
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

  // POST /asset/sd2Manxue/assetUpload {"imageUrls","videoUrls","audioUrls"}; partial success is
  // normal
  static Response UploadManxueAssets(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Failure("400", "the body must be a JSON object");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    struct Upload {
      std::string url;
      absl::string_view type;
      absl::string_view infix;
    };
    std::vector<Upload> uploads;
    const auto read = [&](const char* field, absl::string_view type, absl::string_view infix) {
      for (const std::string& url : fields.Strings(field, kMaxManxueUrls)) {
        uploads.push_back({url, type, infix});
      }
    };
    read("imageUrls", "Image", "img");
    read("videoUrls", "Video", "video");
    read("audioUrls", "Audio", "audio");
    exchange.SettleUnknownFields(fields);
    if (uploads.empty() && problems.empty()) {
      fields.Refuse("imageUrls", "or videoUrls or audioUrls must not be empty");
    }
    if (!problems.empty()) return Failure("400", Sentence(problems));
    std::vector<Json> items;
    std::vector<Json> failed;
    for (const Upload& upload : uploads) {
      Asset asset;
      asset.url = upload.url;
      asset.type = std::string(upload.type);
      asset.course = exchange.NewAssetCourse();
      ApplyFatefulWords(asset.url, &asset.course);
      if (!IsHttpUrl(asset.url) || absl::StrContains(asset.course.failure, "fetched")) {
        failed.push_back(Json::Object({{"assetType", asset.type},
                                       {"originalUrl", asset.url},
                                       {"errorMessage", "the url cannot be reached"}}));
        continue;
      }
      asset.id = absl::StrCat("asset_", upload.infix, "_", RandomAlphanumerics(10));
      asset.account = exchange.account;
      asset.platform = std::string(kManxueLibrary);
      items.push_back(Json::Object({{"assetType", asset.type},
                                    {"originalUrl", asset.url},
                                    {"assetId", asset.id},
                                    {"status", exchange.Word("submitted")}}));
      exchange.library.Add(std::move(asset));
    }
    return Envelope(
        "0", Json::Object({{"items", Json::Array(items)}, {"failedItems", Json::Array(failed)}}));
  }

  // POST /asset/sd2Manxue/assetStatus {"assetIds"}; failedItems are lookups that failed
  static Response GetManxueAssets(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Failure("400", "the body must be a JSON object");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    const std::vector<std::string> ids =
        fields.Strings("assetIds", kMaxManxueUrls, FieldReader::kRequired);
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return Failure("400", Sentence(problems));
    std::vector<Json> items;
    std::vector<Json> failed;
    for (const std::string& id : ids) {
      const std::optional<Asset> asset = exchange.PollAsset(id);
      if (!asset || asset->account != exchange.account || asset->platform != kManxueLibrary) {
        failed.push_back(Json::Object({{"assetId", id}, {"errorMessage", "asset does not exist"}}));
        continue;
      }
      items.push_back(Json::Object(
          {{"assetId", id}, {"status", exchange.Word(AssetStatus(*asset, exchange.now))}}));
    }
    return Envelope(
        "0", Json::Object({{"items", Json::Array(items)}, {"failedItems", Json::Array(failed)}}));
  }

  // A field under its new name, or its legacy one; both with different values are a problem.
  static std::optional<std::string> NewOrLegacy(FieldReader& fields, const char* name,
                                                const char* legacy) {
    const std::optional<std::string> value = fields.String(name);
    const std::optional<std::string> old = fields.String(legacy);
    if (value && old && *value != *old) {
      fields.Refuse(name, absl::StrCat("contradicts ", legacy));
    }
    return value ? value : old;
  }

  // POST /v1/sd2_manxue/videos
  static Response CreateManxueVideo(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Failure(kBadRequest, "the body must be a JSON object");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Video video;
    video.course = exchange.NewVideoCourse();
    video.model =
        fields
            .OneOf("model",
                   {"sd2_manxue_720p", "sd2_manxue_1080p", "sd2_manxue_2k", "sd2_manxue_4k",
                    "sd2_manxue_fast_720p", "sd2_manxue_fast_1080p", "sd2_manxue_video_720p",
                    "sd2_manxue_video_1080p", "sd2_manxue_video_2k", "sd2_manxue_video_4k",
                    "sd2_manxue_video_fast_720p", "sd2_manxue_video_fast_1080p"},
                   FieldReader::kRequired)
            .value_or("");
    const std::optional<std::string> ratio =
        fields.OneOf("ratio", {"16:9", "21:9", "4:3", "1:1", "3:4", "9:16"});
    const std::optional<std::string> first = NewOrLegacy(fields, "first_image", "image");
    const std::optional<std::string> last = NewOrLegacy(fields, "last_image", "lastFrameImage");
    ReadTask(exchange, kManxueLibrary, first, last, fields, &video);
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return Failure(kBadRequest, Sentence(problems));
    // Content that the policy refuses fails at once.
    if (video.course.ending == Course::Ending::kFailure) video.course.ended_early = exchange.now;

    if (!exchange.Pay()) return OutOfCredit();
    const bool project = exchange.switches.Is("manxue_answer", "project");
    video.id = project ? absl::StrCat("proj_", RandomAlphanumerics(16))
                       : absl::StrCat("video_", RandomUuid());
    video.account = exchange.account;
    video.effective =
        Json::Object({{"duration", video.duration}, {"ratio", ratio ? *ratio : "16:9"}}).text();
    exchange.object_id = video.id;
    Response response = project ? Envelope("0", Json::Object({{"projectId", video.id}}))
                                : JsonResponse(200, TaskJson(exchange, video, "queued"));
    exchange.library.Add(std::move(video));
    return response;
  }

  const std::vector<Endpoint> endpoints_ = {
      {"POST", "/kyyVideo2/asset/upload", Call::kAssetCreate, &UploadAsset},
      {"GET", "/kyyVideo2/asset/{}", Call::kAssetGet, &GetAsset},
      {"DELETE", "/kyyVideo2/asset/{}", Call::kAssetDelete, &DeleteAsset},
      {"POST", "/v1/kyyvideo2/videos", Call::kVideoCreate, &CreateVideo},
      {"GET", "/v1/result/{}", Call::kVideoGet, &GetVideo},
      {"POST", "/asset/sd2Manxue/assetUpload", Call::kAssetCreate, &UploadManxueAssets},
      {"POST", "/asset/sd2Manxue/assetStatus", Call::kAssetGet, &GetManxueAssets},
      {"POST", "/v1/sd2_manxue/videos", Call::kVideoCreate, &CreateManxueVideo},
  };
};

}  // namespace
}  // namespace assetgate::simulator

namespace assetgate::providers::kyy {

std::unique_ptr<simulator::Dialect> MakeSimulator() { return std::make_unique<simulator::Kyy>(); }

}  // namespace assetgate::providers::kyy
