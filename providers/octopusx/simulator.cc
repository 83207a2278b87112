#include "providers/octopusx/simulator.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/simulator/media.h"

namespace assetgate::simulator {
namespace {

constexpr absl::string_view kModels[] = {"doubao-seedance-2-0-260128",
                                         "doubao-seedance-2-0-fast-260128"};
constexpr size_t kMaxName = 64;          // characters
constexpr size_t kMaxDescription = 300;  // characters
constexpr int kMaxImages = 9;
constexpr int kMaxVideos = 3;
constexpr int kMaxAudios = 3;

// {"state":1,"data":{…},"error":null}
Response Envelope(const Json& data) {
  return JsonResponse(200, Json::Object({{"state", 1}, {"data", data}, {"error", nullptr}}));
}

// {"state":0,"data":null,"error":{"code","message"}}
Response AssetError(int status, absl::string_view code, absl::string_view text) {
  return JsonResponse(status,
                      Json::Object({{"state", 0},
                                    {"data", nullptr},
                                    {"error", Json::Object({{"code", code}, {"message", text}})}}));
}

// {"code":"…","message":"…","data":null}
Response TaskError(int status, absl::string_view code, absl::string_view text) {
  return JsonResponse(status, Json::Object({{"code", code}, {"message", text}, {"data", nullptr}}));
}

// {"error":{"message","type":"new_api_error","code"}}: the relay itself, for keys, quota and models
Response RelayError(int status, absl::string_view code, absl::string_view text) {
  return JsonResponse(status, Json::Object({{"error", Json::Object({{"message", text},
                                                                    {"type", "new_api_error"},
                                                                    {"code", code}})}}));
}

// The upstream's refusal: its JSON is a string in `message`.
Response UpstreamRefusal(int status, absl::string_view code, absl::string_view text,
                         absl::string_view param) {
  const Json upstream = Json::Object(
      {{"error",
        Json::Object(
            {{"code", code}, {"message", text}, {"param", param}, {"type", "BadRequest"}})}});
  return TaskError(status, "fail_to_fetch_task", upstream.text());
}

std::string StampedId(absl::string_view kind, absl::Time now) {
  return absl::StrCat(kind, "-", absl::FormatTime("%Y%m%d%H%M%S", now, absl::UTCTimeZone()), "-",
                      RandomAlphanumerics(5));
}

std::string Iso(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// The contents of `content[]`.
struct Content {
  int first_frames = 0;
  int last_frames = 0;
  int bare_images = 0;  // without a role: a first frame
  int images = 0;       // references
  int videos = 0;
  int audios = 0;
  int texts = 0;
  int drafts = 0;

  int frames() const { return first_frames + last_frames + bare_images; }
  int references() const { return images + videos + audios; }
};

class Octopusx final : public Dialect {
 public:
  absl::string_view name() const override { return "octopusx"; }
  absl::string_view prefix() const override { return "/octopusx"; }
  const std::vector<Endpoint>& endpoints() const override { return endpoints_; }

  std::vector<Switches::Spec> switches() const override {
    return {
        {"create_answer",
         {"documented", "generic"},
         false,
         "creating a video answers {task_id}, or the generic page's object with id and task_id"},
        {"query_answer",
         {"nested", "generic"},
         false,
         "querying a video answers the nested upstream task, or the older flat shape"},
        {"asset_error_text",
         {"string", "object"},
         false,
         "data.Error of a failed asset: text, or the upstream's {Code,Message}"},
        UnknownFieldsSwitch()};
  }

  Response Unauthorized(bool presented, Call) const override {
    return RelayError(401, "invalid_api_key",
                      presented ? "Invalid token" : "No Authorization header was given");
  }

  Response Refusal(int status, Call call, absl::string_view message) const override {
    switch (status) {
      case 400:
        if (IsAssetCall(call)) {
          return AssetError(400, "invalid_request", TextOr(message, "invalid request"));
        }
        return TaskError(400, "invalid_request", TextOr(message, "invalid request"));
      case 401:
        return RelayError(401, "invalid_api_key", TextOr(message, "Invalid token"));
      case 402:
        return RelayError(402, "insufficient_user_quota", TextOr(message, "quota is exhausted"));
      case 403:
        return RelayError(403, "access_denied", TextOr(message, "group not owned by this account"));
      case 404:
        return RelayError(404, "not_found", TextOr(message, "not found"));
      case 429:
        return RelayError(429, "rate_limit_exceeded", TextOr(message, "too many requests"));
      case 503:
        return RelayError(503, "model_not_found", TextOr(message, "no available channel"));
      default:
        return RelayError(status,
                          status == 405 || status == 413 || status == 422
                              ? "invalid_request"
                              : "bad_response_status_code",
                          TextOr(message, "upstream error"));
    }
  }

  Response BusinessFailure(Call call, absl::string_view code,
                           absl::string_view message) const override {
    const std::string word =
        TextOr(code, IsAssetCall(call) ? "internal_error" : "fail_to_fetch_task");
    const std::string text = TextOr(message, "the upstream refused");
    return IsAssetCall(call) ? AssetError(200, word, text) : TaskError(200, word, text);
  }

  std::vector<std::string> IdPointers(Call call) const override {
    switch (call) {
      case Call::kGroupCreate:
        return {"/data/Id"};
      case Call::kAssetCreate:
        return {"/data/Id", "/data/task_id"};
      case Call::kVideoCreate:
        return {"/task_id", "/id"};
      default:
        return {};
    }
  }

 private:
  static bool IsAssetCall(Call call) {
    return call == Call::kGroupCreate || call == Call::kAssetCreate || call == Call::kAssetGet;
  }

  static void CheckLength(FieldReader& fields, const char* name, const std::string& value,
                          size_t at_most) {
    if (Characters(value) > at_most) {
      fields.Refuse(name, absl::StrCat("must have at most ", at_most, " characters"));
    }
  }

  // POST /v1/seedance/asset/CreateAssetGroup {"Name","Description"?}
  static Response CreateGroup(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return AssetError(400, "invalid_request", "the body must be JSON");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Group group;
    group.name = fields.String("Name", FieldReader::kRequired).value_or("");
    group.description = fields.String("Description").value_or("");
    CheckLength(fields, "Name", group.name, kMaxName);
    CheckLength(fields, "Description", group.description, kMaxDescription);
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return AssetError(400, "invalid_request", Sentence(problems));
    group.id = StampedId("group", exchange.now);
    group.account = exchange.account;
    group.created = exchange.now;
    exchange.object_id = group.id;
    exchange.library.Add(group);
    return Envelope(Json::Object({{"Id", group.id}}));
  }

  // POST /v1/seedance/asset/CreateAsset {"GroupId","URL","AssetType","Name"}
  static Response CreateAsset(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return AssetError(400, "invalid_request", "the body must be JSON");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Asset asset;
    asset.group_id = fields.String("GroupId", FieldReader::kRequired).value_or("");
    asset.url = fields.String("URL", FieldReader::kRequired).value_or("");
    asset.type =
        fields.OneOf("AssetType", {"Image", "Video", "Audio"}, FieldReader::kRequired).value_or("");
    asset.name = fields.String("Name", FieldReader::kRequired).value_or("");
    CheckLength(fields, "Name", asset.name, kMaxName);
    if (!asset.url.empty() && !IsHttpsUrl(asset.url)) {
      fields.Refuse("URL", "must be a public HTTPS URL");
    }
    if (!asset.group_id.empty() && !absl::StartsWith(asset.group_id, "group-")) {
      fields.Refuse("GroupId", "must be the Id of a group");
    }
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return AssetError(400, "invalid_request", Sentence(problems));
    const std::optional<Group> group = exchange.library.FindGroup(asset.group_id);
    if (!group || group->account != exchange.account) {
      return RelayError(403, "access_denied", "group not owned by this account");
    }
    asset.id = StampedId("asset", exchange.now);
    asset.tracking_id = absl::StrCat("task_", RandomAlphanumerics(12));
    asset.account = exchange.account;
    asset.course = exchange.NewAssetCourse();
    ApplyFatefulWords(asset.url, &asset.course);
    exchange.object_id = asset.id;
    exchange.library.Add(asset);
    return Envelope(Json::Object({{"Id", asset.id}, {"task_id", asset.tracking_id}}));
  }

  static Json AssetFailure(const Exchange& exchange, const Asset& asset) {
    if (exchange.switches.Is("asset_error_text", "string")) return asset.course.failure;
    return Json::Object({{"Code", "DownloadFailed"}, {"Message", asset.course.failure}});
  }

  // POST /v1/seedance/asset/GetAsset {"task_id"}
  static Response GetAsset(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return AssetError(400, "invalid_request", "the body must be JSON");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    const std::string task_id = fields.String("task_id", FieldReader::kRequired).value_or("");
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return AssetError(400, "invalid_request", Sentence(problems));
    // An asset is found by its task id only, not by its Id.
    const std::optional<Asset> asset = exchange.PollAsset(task_id);
    if (!asset || asset->account != exchange.account) {
      return AssetError(400, "task_not_exist", "task does not exist");
    }
    exchange.object_id = asset->id;
    const Phase phase = asset->course.At(exchange.now);
    const bool active = phase == Phase::kSucceeded;
    const bool failed = phase == Phase::kFailed;
    const absl::Time updated = active || failed ? asset->course.EndTime() : asset->course.created;
    return Envelope(
        Json::Object({{"Id", asset->id},
                      {"Name", asset->name},
                      {"URL", active ? exchange.CopyUrl(asset->id, asset->type) : ""},
                      {"AssetType", asset->type},
                      {"GroupId", asset->group_id},
                      {"Status", exchange.Word(active   ? "Active"
                                               : failed ? "Failed"
                                                        : "Processing")},
                      {"CreateTime", Iso(asset->course.created)},
                      {"UpdateTime", Iso(updated)},
                      {"Error", failed ? AssetFailure(exchange, *asset) : Json(nullptr)}}));
  }

  // One URL of `content[]`. Returns the upstream's refusal, if it refuses.
  static std::optional<Response> CheckUrl(Exchange& exchange, const std::string& url,
                                          absl::string_view type, const std::string& param,
                                          std::vector<Problem>* problems, Course* course) {
    const std::optional<std::string> id = AssetReference(url);
    if (!id) {
      if (!IsHttpsUrl(url)) {
        problems->push_back({Problem::Kind::kValue, param, "must be an HTTPS URL or asset://{Id}"});
      }
      ApplyFatefulWords(url, course);
      return std::nullopt;
    }
    const std::optional<Asset> asset = exchange.library.FindAsset(*id);
    if (!asset || asset->account != exchange.account) {
      return UpstreamRefusal(400, "InvalidParameter",
                             absl::StrCat("The asset ", *id, " does not exist."), param);
    }
    if (asset->course.At(exchange.now) != Phase::kSucceeded) {
      return UpstreamRefusal(400, "InvalidParameter",
                             absl::StrCat("The asset ", *id, " is not Active."), param);
    }
    if (asset->type != type) {
      return UpstreamRefusal(400, "InvalidParameter",
                             absl::StrCat("The asset ", *id, " is not of type ", type, "."), param);
    }
    return std::nullopt;
  }

  static void CountRole(FieldReader& fields, const std::string& type,
                        const std::optional<std::string>& role, Content* content) {
    if (type == "image_url") {
      if (!role) {
        ++content->bare_images;
      } else if (*role == "first_frame") {
        ++content->first_frames;
      } else if (*role == "last_frame") {
        ++content->last_frames;
      } else if (*role == "reference_image") {
        ++content->images;
      } else {
        fields.Refuse("role", "must be first_frame, last_frame or reference_image");
      }
      return;
    }
    const bool video = type == "video_url";
    const absl::string_view wanted = video ? "reference_video" : "reference_audio";
    if (role != wanted) fields.Refuse("role", absl::StrCat("must be ", wanted));
    ++(video ? content->videos : content->audios);
  }

  // content[i]. Returns the upstream's refusal, if it refuses.
  static std::optional<Response> ReadItem(Exchange& exchange, const rapidjson::Value& item,
                                          const std::string& path, std::vector<Problem>* problems,
                                          Content* content, Course* course) {
    FieldReader fields(item, absl::StrCat(path, "."), problems);
    const std::optional<std::string> type =
        fields.OneOf("type", {"text", "image_url", "video_url", "audio_url", "draft_task"},
                     FieldReader::kRequired);
    if (!type) return std::nullopt;
    std::optional<Response> refusal;
    if (*type == "text") {
      const std::string text = fields.String("text", FieldReader::kRequired).value_or("");
      ApplyFatefulWordsOfPrompt(text, course);
      ++content->texts;
    } else if (*type == "draft_task") {
      const rapidjson::Value* draft = fields.Object("draft_task", FieldReader::kRequired);
      if (draft != nullptr) {
        FieldReader inner(*draft, absl::StrCat(path, ".draft_task."), problems);
        inner.String("id", FieldReader::kRequired);
        exchange.SettleUnknownFields(inner);
      }
      ++content->drafts;
    } else {
      CountRole(fields, *type, fields.String("role"), content);
      const rapidjson::Value* media = fields.Object(*type, FieldReader::kRequired);
      if (media != nullptr) {
        FieldReader inner(*media, absl::StrCat(path, ".", *type, "."), problems);
        const std::string url = inner.String("url", FieldReader::kRequired).value_or("");
        exchange.SettleUnknownFields(inner);
        const absl::string_view kind = *type == "image_url"   ? "Image"
                                       : *type == "video_url" ? "Video"
                                                              : "Audio";
        if (!url.empty()) {
          refusal = CheckUrl(exchange, url, kind, absl::StrCat(path, ".", *type, ".url"), problems,
                             course);
        }
      }
    }
    exchange.SettleUnknownFields(fields);
    return refusal;
  }

  // Checks that need all items: the modes, which exclude each other, and the numbers.
  static std::string CheckModes(const Content& content) {
    if (content.frames() > 0 && content.references() > 0) {
      return "first/last frame content cannot be mixed with reference media content";
    }
    if (content.bare_images > 1 || content.first_frames + content.bare_images > 1 ||
        content.last_frames > 1) {
      return "at most one first frame and one last frame";
    }
    if (content.last_frames > 0 && content.first_frames + content.bare_images == 0) {
      return "a last frame needs a first frame";
    }
    if (content.images > kMaxImages || content.videos > kMaxVideos || content.audios > kMaxAudios) {
      return "at most 9 reference images, 3 videos and 3 audios";
    }
    if (content.audios > 0 && content.images + content.videos == 0) {
      return "reference audio needs a reference image or video";
    }
    if (content.texts + content.frames() + content.references() + content.drafts == 0) {
      return "content is empty";
    }
    return "";
  }

  // metadata{}: the options. Those that the upstream ignores for 2.0 are noted.
  static void ReadMetadata(Exchange& exchange, const rapidjson::Value& metadata,
                           std::vector<Problem>* problems, Video* video) {
    FieldReader fields(metadata, "metadata.", problems);
    if (const std::optional<int64_t> duration = fields.Int("duration")) {
      if (*duration != -1 && (*duration < 4 || *duration > 15)) {
        fields.Refuse("duration", "must be between 4 and 15, or -1");
      }
      if (*duration > 0) video->duration = *duration;
    }
    video->resolution =
        fields.OneOf("resolution", {"480p", "720p", "1080p"}).value_or(video->resolution);
    video->ratio = fields.OneOf("ratio", {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"})
                       .value_or(video->ratio);
    for (const char* ignored : {"frames", "seed"}) {
      if (fields.Int(ignored)) exchange.ignored.push_back(absl::StrCat("metadata.", ignored));
    }
    for (const char* ignored : {"camera_fixed", "draft"}) {
      if (fields.Bool(ignored)) exchange.ignored.push_back(absl::StrCat("metadata.", ignored));
    }
    fields.Bool("watermark");
    fields.Bool("generate_audio");
    video->return_last_frame = fields.Bool("return_last_frame").value_or(false);
    fields.OneOf("service_tier", {"default"});
    fields.IntBetween("execution_expires_after", 3600, 259200);
    const std::optional<std::string> callback = fields.String("callback_url");
    if (callback && !IsHttpUrl(*callback)) fields.Refuse("callback_url", "must be a URL");
    exchange.SettleUnknownFields(fields);
    video->effective = Json::Of(metadata).text();
  }

  // POST /v1/video/generations {"model","content":[…],"metadata":{…}}
  static Response CreateVideo(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return TaskError(400, "invalid_request", "the body must be JSON");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Video video;
    video.course = exchange.NewVideoCourse();
    video.effective = "{}";
    video.model = fields.String("model", FieldReader::kRequired).value_or("");
    if (!video.model.empty() &&
        std::find(std::begin(kModels), std::end(kModels), video.model) == std::end(kModels)) {
      return RelayError(503, "model_not_found",
                        absl::StrCat("no available channel for model ", video.model));
    }
    std::optional<Response> refusal;
    if (const rapidjson::Value* items = fields.Array("content", FieldReader::kRequired)) {
      Content content;
      for (rapidjson::SizeType i = 0; i < items->Size(); ++i) {
        const std::string path = absl::StrCat("content[", i, "]");
        if (!(*items)[i].IsObject()) {
          problems.push_back({Problem::Kind::kType, path, "must be an object"});
          continue;
        }
        std::optional<Response> of_item =
            ReadItem(exchange, (*items)[i], path, &problems, &content, &video.course);
        if (!refusal) refusal = std::move(of_item);
      }
      const std::string mode = CheckModes(content);
      if (!mode.empty()) fields.Refuse("content", mode);
    }
    if (const rapidjson::Value* metadata = fields.Object("metadata")) {
      ReadMetadata(exchange, *metadata, &problems, &video);
    }
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return TaskError(400, "invalid_request", Sentence(problems));
    if (refusal) return *refusal;

    if (!exchange.Pay()) {
      return RelayError(403, "insufficient_user_quota", "user quota is not enough");
    }
    video.id = StampedId("cgt", exchange.now);
    video.account = exchange.account;
    exchange.object_id = video.id;
    Json answer = Json::Object({{"task_id", video.id}});
    if (exchange.switches.Is("create_answer", "generic")) {
      answer = Json::Object({{"id", video.id},
                             {"task_id", video.id},
                             {"object", "video"},
                             {"model", video.model},
                             {"status", exchange.Word("queued")},
                             {"progress", 0},
                             {"created_at", absl::ToUnixSeconds(exchange.now)}});
    }
    exchange.library.Add(std::move(video));
    return JsonResponse(200, answer);
  }

  // {outer, inner, generic} words for a phase.
  struct Words {
    absl::string_view outer;
    absl::string_view inner;
    absl::string_view generic;
  };
  static Words WordsOf(Phase phase) {
    switch (phase) {
      case Phase::kQueued:
        return {"SUBMITTED", "queued", "queued"};
      case Phase::kRunning:
        return {"IN_PROGRESS", "processing", "processing"};
      case Phase::kSucceeded:
        return {"SUCCESS", "succeeded", "succeeded"};
      case Phase::kFailed:
        return {"FAILURE", "failed", "failed"};
      case Phase::kCancelled:
        return {"FAILURE", "cancelled", "failed"};
    }
    return {};
  }

  static std::optional<Video> Poll(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    std::optional<Video> video = exchange.PollVideo(exchange.path_ids[0]);
    if (video && video->account != exchange.account) video.reset();
    return video;
  }

  static int64_t Tokens(const Video& video) { return video.duration * 21780; }

  static std::string FailReason(const Video& video) {
    return video.course.failure.empty() ? "the task was cancelled" : video.course.failure;
  }

  // The upstream's task: content and usage are {} before the end.
  static Json InnerTask(const Exchange& exchange, const Video& video, Phase phase) {
    const bool done = phase == Phase::kSucceeded;
    Json::Members content;
    Json::Members usage;
    if (done) {
      content.emplace_back("video_url",
                           absl::StrCat(exchange.VideoUrl(video.id), "?sig=", RandomHex(16)));
      if (video.return_last_frame) {
        content.emplace_back("last_frame_url", exchange.LastFrameUrl(video.id));
      }
      usage.insert(usage.end(),
                   {{"completion_tokens", Tokens(video)}, {"total_tokens", Tokens(video)}});
    }
    Json::Members task = {{"status", exchange.InnerWord(WordsOf(phase).inner)},
                          {"duration", video.duration},
                          {"resolution", video.resolution},
                          {"ratio", video.ratio},
                          {"content", Json::Object(content)},
                          {"usage", Json::Object(usage)}};
    if (phase == Phase::kFailed) {
      task.emplace_back("error", Json::Object({{"code", "InternalServiceError"},
                                               {"message", FailReason(video)}}));
    }
    return Json::Object(task);
  }

  // GET /v1/video/generations/{task_id}
  static Response GetVideo(Exchange& exchange) {
    const std::optional<Video> video = Poll(exchange);
    if (!video) return TaskError(400, "task_not_exist", "task does not exist");
    const Phase phase = video->course.At(exchange.now);
    const bool failed = phase == Phase::kFailed || phase == Phase::kCancelled;
    const bool ended = failed || phase == Phase::kSucceeded;
    const Words words = WordsOf(phase);
    if (exchange.switches.Is("query_answer", "generic")) {
      return JsonResponse(
          200, Json::Object(
                   {{"code", "success"},
                    {"message", ""},
                    {"data",
                     Json::Object(
                         {{"task_id", video->id},
                          {"status", exchange.Word(words.generic)},
                          {"url", phase == Phase::kSucceeded ? exchange.VideoUrl(video->id) : ""},
                          {"format", "mp4"},
                          {"metadata", Json::Object({})},
                          {"error", failed ? Json(FailReason(*video)) : Json(nullptr)}})}}));
    }
    // "10%" to "90%" while it is in progress.
    const int percent = phase == Phase::kSucceeded || failed ? 100
                        : phase == Phase::kQueued
                            ? 0
                            : std::clamp(video->course.PercentAt(exchange.now) / 10 * 10, 10, 90);
    Json::Members data = {
        {"task_id", video->id},
        {"status", exchange.Word(words.outer)},
        {"progress", absl::StrCat(percent, "%")},
        {"submit_time", absl::ToUnixSeconds(video->course.created)},
        {"start_time",
         phase == Phase::kQueued ? 0 : absl::ToUnixSeconds(video->course.StartTime())},
        {"finish_time", ended ? absl::ToUnixSeconds(video->course.EndTime()) : 0}};
    if (failed) data.emplace_back("fail_reason", FailReason(*video));
    data.emplace_back("data", InnerTask(exchange, *video, phase));
    return JsonResponse(200, Json::Object({{"code", "success"}, {"data", Json::Object(data)}}));
  }

  // GET /v1/videos/{task_id}: the same as an OpenAI video object
  static Response GetOpenAiVideo(Exchange& exchange) {
    const std::optional<Video> video = Poll(exchange);
    if (!video) return TaskError(400, "task_not_exist", "task does not exist");
    const Phase phase = video->course.At(exchange.now);
    absl::string_view status = WordsOf(phase).generic;
    if (phase == Phase::kSucceeded) status = "completed";
    if (phase == Phase::kCancelled) status = "cancelled";
    Json::Members object = {{"id", video->id},
                            {"object", "video"},
                            {"model", video->model},
                            {"status", exchange.Word(status)},
                            {"progress", video->course.PercentAt(exchange.now)},
                            {"created_at", absl::ToUnixSeconds(video->course.created)}};
    if (phase == Phase::kSucceeded) object.emplace_back("video_url", exchange.VideoUrl(video->id));
    if (phase == Phase::kFailed) {
      object.emplace_back("error", Json::Object({{"code", "InternalServiceError"},
                                                 {"message", FailReason(*video)}}));
    }
    return JsonResponse(200, Json::Object(object));
  }

  // GET /v1/videos/{task_id}/content: the video itself
  static Response GetContent(Exchange& exchange) {
    const std::optional<Video> video = exchange.library.FindVideo(exchange.path_ids[0]);
    if (!video || video->account != exchange.account) {
      return TaskError(400, "task_not_exist", "task does not exist");
    }
    if (video->course.At(exchange.now) != Phase::kSucceeded) {
      return TaskError(400, "invalid_request", "the video is not ready");
    }
    Request media = exchange.request;
    media.path = absl::StrCat("/media/", video->id, ".mp4");
    return ServeMedia(media);
  }

  const std::vector<Endpoint> endpoints_ = {
      {"POST", "/v1/seedance/asset/CreateAssetGroup", Call::kGroupCreate, &CreateGroup},
      {"POST", "/v1/seedance/asset/CreateAsset", Call::kAssetCreate, &CreateAsset},
      {"POST", "/v1/seedance/asset/GetAsset", Call::kAssetGet, &GetAsset},
      {"POST", "/v1/video/generations", Call::kVideoCreate, &CreateVideo},
      {"GET", "/v1/video/generations/{}", Call::kVideoGet, &GetVideo},
      {"GET", "/v1/videos/{}", Call::kVideoGet, &GetOpenAiVideo},
      {"GET", "/v1/videos/{}/content", Call::kOther, &GetContent},
  };
};

}  // namespace
}  // namespace assetgate::simulator

namespace assetgate::providers::octopusx {

std::unique_ptr<simulator::Dialect> MakeSimulator() {
  return std::make_unique<simulator::Octopusx>();
}

}  // namespace assetgate::providers::octopusx
