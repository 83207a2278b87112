#include "providers/zerozero/simulator.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace assetgate::simulator {
namespace {

// The models that the workspace has enabled.
constexpr absl::string_view kModels[] = {"seedance-2-0", "seedance-2-0-fast"};
constexpr char kLingjing[] = "lingjing";
constexpr char kArk[] = "ark";

bool IsModel(absl::string_view model) {
  return std::find(std::begin(kModels), std::end(kModels), model) != std::end(kModels);
}

// {"code":200,"msg":"OK","data":{…}}: asset routes.
Response Envelope(const Json& data) {
  return JsonResponse(200, Json::Object({{"code", 200}, {"msg", "OK"}, {"data", data}}));
}

// {"detail":"text"}: the edge.
Response Detail(int status, absl::string_view text) {
  return JsonResponse(status, Json::Object({{"detail", text}}));
}

// {"message":"text"}: the core.
Response Message(int status, absl::string_view text) {
  return JsonResponse(status, Json::Object({{"message", text}}));
}

// {"error":{"message":"text"}}: what the core relays of its upstream.
Response Upstream(int status, absl::string_view text) {
  return JsonResponse(status, Json::Object({{"error", Json::Object({{"message", text}})}}));
}

// {"detail":[{"type","loc","msg","input"}]}: validation in the core.
Response Validation(const std::vector<Problem>& problems) {
  std::vector<Json> items;
  for (const Problem& problem : problems) {
    const bool missing = problem.kind == Problem::Kind::kMissing;
    items.push_back(Json::Object({{"type", missing ? "missing" : "value_error"},
                                  {"loc", Json::Array({"body", problem.field})},
                                  {"msg", missing ? "Field required" : problem.text},
                                  {"input", Json::Object({})}}));
  }
  return JsonResponse(422, Json::Object({{"detail", Json::Array(items)}}));
}

// Tokens where the upstream reports none: round(duration × 24 × 907.5 × (height/720)²).
int64_t Tokens(const Video& video) {
  double height = 720;
  if (!absl::SimpleAtod(absl::StripSuffix(video.resolution, "p"), &height)) height = 720;
  return std::llround(video.duration * 24 * 907.5 * (height / 720) * (height / 720));
}

class Zerozero final : public Dialect {
 public:
  absl::string_view name() const override { return "zerozero"; }
  absl::string_view prefix() const override { return "/zerozero/v1"; }
  const std::vector<Endpoint>& endpoints() const override { return endpoints_; }

  std::vector<Switches::Spec> switches() const override {
    return {
        {"asset_errors",
         {"honest", "in_200"},
         false,
         "HTTP status of the material service's {code,msg,data:null}: the code, or 200"},
        {"route",
         {kLingjing, kArk},
         false,
         "who makes new videos: lingjing drops watermark and seed outside provider_options, never "
         "shows queued, and gives only video.url; ark shows everything"},
        {"routes",
         {"remembered", "forgotten"},
         false,
         "forgotten: tasks are 404 without ?model=, as if another deployment had made them"},
        UnknownFieldsSwitch()};
  }

  Response Unauthorized(bool presented, Call) const override {
    return Detail(401, presented ? "invalid api key" : "missing api key");
  }

  Response Refusal(int status, Call call, absl::string_view message) const override {
    switch (status) {
      case 400:
        return Detail(400, TextOr(message, "invalid json"));
      case 401:
        return Detail(401, TextOr(message, "invalid api key"));
      case 402:
        return Detail(402, TextOr(message, "insufficient balance"));
      case 403:
        return Detail(403, TextOr(message, "api_key_spend_limit_exceeded"));
      case 404:
        return Detail(404, TextOr(message, "not_found"));
      case 405:
        return Message(405, TextOr(message, "method not allowed"));
      case 422:
        return Validation(
            {{Problem::Kind::kMissing, call == Call::kVideoCreate ? "prompt" : "platform",
              TextOr(message, "is required")}});
      case 429:
        return Message(429, TextOr(message, "Too many requests"));
      case 502:
        return JsonResponse(502, Json::Object({{"error", TextOr(message, "upstream failed")}}));
      case 503:
        return Detail(503, TextOr(message, "no available channel"));
      case 504:
        return Upstream(504, TextOr(message, "upstream timeout"));
      default:
        return Message(status, TextOr(message, "internal error"));
    }
  }

  Response BusinessFailure(Call, absl::string_view code, absl::string_view message) const override {
    int64_t number = 0;
    if (!absl::SimpleAtoi(code, &number)) number = 500;
    return JsonResponse(200, Json::Object({{"code", number},
                                           {"msg", TextOr(message, "material service failed")},
                                           {"data", nullptr}}));
  }

  std::vector<std::string> IdPointers(Call call) const override {
    switch (call) {
      case Call::kGroupCreate:
        return {"/data/group_id"};
      case Call::kAssetCreate:
        return {"/data/asset_id"};
      case Call::kVideoCreate:
        return {"/id"};
      default:
        return {};
    }
  }

 private:
  // A refusal of the material service, which has a `code` with any HTTP status.
  static Response Material(const Exchange& exchange, int code, absl::string_view text) {
    return JsonResponse(exchange.switches.Is("asset_errors", "in_200") ? 200 : code,
                        Json::Object({{"code", code}, {"msg", text}, {"data", nullptr}}));
  }

  static std::optional<Response> CheckPlatformOfQuery(const Exchange& exchange) {
    const std::optional<std::string> platform = exchange.request.Query("platform");
    if (!platform || platform->empty()) return Material(exchange, 400, "platform is required");
    if (*platform != "JIMENG" && *platform != "BYTEPLUS") {
      return Material(exchange, 400, absl::StrCat("platform ", *platform, " is not supported"));
    }
    return std::nullopt;
  }

  static Json GroupJson(const Exchange& exchange, const Group& group) {
    return Json::Object({{"group_id", group.id},
                         {"name", group.name},
                         {"description", group.description},
                         {"project_name", group.project},
                         {"status", exchange.Word("Active")},
                         {"created_at", absl::ToUnixSeconds(group.created)}});
  }

  // POST /v1/asset-groups {"platform","name","description"?,"project_name"?}
  static Response CreateGroup(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Detail(400, "invalid json");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Group group;
    group.platform =
        fields.OneOf("platform", {"JIMENG", "BYTEPLUS"}, FieldReader::kRequired).value_or("");
    group.name = fields.String("name", FieldReader::kRequired).value_or("");
    group.description = fields.String("description").value_or("");
    group.project = fields.String("project_name").value_or("default");
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return Material(exchange, 400, Sentence(problems));
    group.id = absl::StrCat("group-", RandomHex(16));
    group.account = exchange.account;
    group.created = exchange.now;
    exchange.object_id = group.id;
    exchange.library.Add(group);
    return Envelope(GroupJson(exchange, group));
  }

  // GET /v1/asset-groups/{group_id}?platform=JIMENG
  static Response GetGroup(Exchange& exchange) {
    if (std::optional<Response> refusal = CheckPlatformOfQuery(exchange)) return *refusal;
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Group> group = exchange.library.FindGroup(exchange.path_ids[0]);
    if (!group || group->account != exchange.account ||
        group->platform != exchange.request.Query("platform")) {
      return Material(exchange, 404, "asset group not found");
    }
    return Envelope(GroupJson(exchange, *group));
  }

  static Json AssetJson(const Exchange& exchange, const Asset& asset) {
    absl::string_view status = "Processing";
    if (asset.course.At(exchange.now) == Phase::kSucceeded) status = "Active";
    if (asset.course.At(exchange.now) == Phase::kFailed) status = "Failed";
    return Json::Object({{"asset_id", asset.id},
                         {"name", asset.name},
                         {"group_id", asset.group_id},
                         {"asset_type", asset.type},
                         {"status", exchange.Word(status)},
                         {"url", asset.url},
                         {"created_at", absl::ToUnixSeconds(asset.course.created)}});
  }

  // POST /v1/assets {"platform","group_id","url","asset_type","name"?}
  static Response CreateAsset(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Detail(400, "invalid json");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Asset asset;
    asset.platform =
        fields.OneOf("platform", {"JIMENG", "BYTEPLUS"}, FieldReader::kRequired).value_or("");
    asset.group_id = fields.String("group_id", FieldReader::kRequired).value_or("");
    asset.url = fields.String("url", FieldReader::kRequired).value_or("");
    // "Audio" is in no document.
    asset.type =
        fields.OneOf("asset_type", {"Image", "Video"}, FieldReader::kRequired).value_or("");
    asset.name = fields.String("name").value_or("");
    if (!asset.url.empty() && !IsHttpUrl(asset.url)) {
      fields.Refuse("url", "must be a public http or https URL");
    }
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return Material(exchange, 400, Sentence(problems));
    const std::optional<Group> group = exchange.library.FindGroup(asset.group_id);
    if (!group || group->account != exchange.account || group->platform != asset.platform) {
      return Material(exchange, 404, "asset group not found");
    }
    asset.id = absl::StrCat("Asset-", RandomHex(16));
    asset.account = exchange.account;
    asset.course = exchange.NewAssetCourse();
    ApplyFatefulWords(asset.url, &asset.course);
    exchange.object_id = asset.id;
    exchange.library.Add(asset);
    return Envelope(AssetJson(exchange, asset));
  }

  // GET /v1/assets/{asset_id}?platform=JIMENG
  static Response GetAsset(Exchange& exchange) {
    if (std::optional<Response> refusal = CheckPlatformOfQuery(exchange)) return *refusal;
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Asset> asset = exchange.PollAsset(exchange.path_ids[0]);
    if (!asset || asset->account != exchange.account ||
        asset->platform != exchange.request.Query("platform")) {
      return Material(exchange, 404, "asset not found");
    }
    return Envelope(AssetJson(exchange, *asset));
  }

  // The id if the value is treated as an asset: it begins with `asset://` or exactly `Asset-`.
  static std::optional<std::string> AssetIdOf(const std::string& value) {
    if (std::optional<std::string> id = AssetReference(value)) return id;
    return absl::StartsWith(value, "Asset-") ? std::optional<std::string>(value) : std::nullopt;
  }

  // One resource, an element of `resources`. Returns why the upstream rejects it, or "".
  static std::string CheckResource(Exchange& exchange, const std::string& type,
                                   const std::string& value, Course* course) {
    const std::optional<std::string> id = AssetIdOf(value);
    if (!id) {
      // A value that does not look like an asset id is forwarded as a URL, also from `asset_id`.
      if (!IsHttpUrl(value)) return absl::StrCat("invalid url: ", value);
      ApplyFatefulWords(value, course);
      return "";
    }
    const std::optional<Asset> asset = exchange.library.FindAsset(*id);
    if (!asset || asset->account != exchange.account) {
      return absl::StrCat("asset ", *id, " not found");
    }
    if (asset->course.At(exchange.now) != Phase::kSucceeded) {
      return absl::StrCat("asset ", *id, " is not Active");
    }
    if (absl::AsciiStrToLower(asset->type) != type) {
      return absl::StrCat("asset ", *id, " is not of type ", type);
    }
    return "";
  }

  // `resources[]`: {"type"?, "role"?, "asset_id" | "url"}. Faults of the form go to `problems`;
  // returns the refusal of the upstream.
  static std::string ReadResources(Exchange& exchange, const rapidjson::Value& resources,
                                   std::vector<Problem>* problems, Course* course) {
    std::string refused;
    int frames = 0;
    int references = 0;
    bool image_seen = false;
    for (rapidjson::SizeType i = 0; i < resources.Size(); ++i) {
      const std::string path = absl::StrCat("resources.", i);
      if (!resources[i].IsObject()) {
        problems->push_back({Problem::Kind::kType, path, "must be an object"});
        continue;
      }
      FieldReader fields(resources[i], absl::StrCat(path, "."), problems);
      const std::string type = fields.String("type").value_or("image");
      if (type != "image" && type != "video" && type != "audio") {
        exchange.ignored.push_back(path);
        continue;
      }
      const bool first_image = type == "image" && !image_seen;
      image_seen = image_seen || type == "image";
      const std::string role =
          fields
              .OneOf("role", {"first_frame", "last_frame", "reference", "keyframe", "source",
                              "reference_image", "reference_video", "reference_audio"})
              .value_or(first_image ? "first_frame" : "reference");
      const std::optional<std::string> url = fields.String("url");
      const std::optional<std::string> asset_id = fields.String("asset_id");
      exchange.SettleUnknownFields(fields);
      if (!url && !asset_id) {
        fields.Refuse("asset_id", "is required", Problem::Kind::kMissing);
        continue;
      }
      if (url && asset_id) exchange.ignored.push_back(absl::StrCat(path, ".asset_id"));
      const bool frame = role == "first_frame" || role == "last_frame";
      if (frame && type != "image") fields.Refuse("role", "a frame must be an image");
      ++(frame ? frames : references);
      const std::string reason = CheckResource(exchange, type, url ? *url : *asset_id, course);
      if (refused.empty()) refused = reason;
    }
    if (refused.empty() && frames > 0 && references > 0) {
      refused = "first/last frame content cannot be mixed with reference media content";
    }
    return refused;
  }

  // Options that the route understands: flat, or under its own name.
  static const rapidjson::Value& OptionsFor(absl::string_view route,
                                            const rapidjson::Value& options) {
    const auto keyed =
        options.FindMember(rapidjson::Value(rapidjson::StringRef(route.data(), route.size())));
    return keyed != options.MemberEnd() && keyed->value.IsObject() ? keyed->value : options;
  }

  // The bool under the first of the names that is present; marks all of them as read.
  static std::optional<bool> BoolOf(FieldReader& fields,
                                    std::initializer_list<absl::string_view> names) {
    std::optional<bool> value;
    for (absl::string_view name : names) {
      const std::optional<bool> one = fields.Bool(name);
      if (!value) value = one;
    }
    return value;
  }

  // POST /v1/video/tasks
  static Response CreateVideo(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Detail(400, "invalid json");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Video video;
    video.model = fields.String("model").value_or("");
    if (video.model.empty()) return Detail(400, "missing model");
    if (!IsModel(video.model)) return Detail(404, "not_found");

    video.course = exchange.NewVideoCourse();
    const bool other_prompt = fields.Has("content") || fields.Has("taskParams");
    const std::string prompt =
        fields.String("prompt", other_prompt ? FieldReader::kOptional : FieldReader::kRequired)
            .value_or("");
    fields.Array("content");
    fields.Object("taskParams");
    ApplyFatefulWordsOfPrompt(prompt, &video.course);
    video.ratio = fields.String("ratio").value_or(video.ratio);
    if (const std::optional<int64_t> duration = fields.IntBetween("duration", 1, 3600)) {
      video.duration = *duration;
    }
    const std::optional<std::string> quality = fields.String("quality");
    if (quality) video.resolution = absl::StrCat(*quality, "p");
    video.resolution = fields.String("resolution").value_or(video.resolution);
    const std::optional<bool> audio = BoolOf(fields, {"audio", "generate_audio", "need_audio"});
    std::optional<bool> watermark = fields.Bool("watermark");
    std::optional<int64_t> seed = fields.Int("seed");
    video.upstream = fields.String("provider").value_or(exchange.switches.Get("route"));
    if (video.upstream != kLingjing && video.upstream != kArk) {
      return Message(404, absl::StrCat("no provider ", video.upstream));
    }
    if (video.upstream == kLingjing) {
      if (watermark) exchange.ignored.push_back("watermark");
      if (seed) exchange.ignored.push_back("seed");
      watermark.reset();
      seed.reset();
    }
    Json::Members extras;
    if (const rapidjson::Value* options = fields.Object("provider_options")) {
      for (const auto& member : OptionsFor(video.upstream, *options).GetObject()) {
        const absl::string_view key(member.name.GetString(), member.name.GetStringLength());
        if (key == "watermark" && member.value.IsBool()) {
          watermark = member.value.GetBool();
        } else if (key == "seed" && member.value.IsInt64()) {
          seed = member.value.GetInt64();
        } else {
          extras.emplace_back(key, Json::Of(member.value));
        }
      }
    }
    std::string refused;
    if (const rapidjson::Value* resources = fields.Array("resources")) {
      refused = ReadResources(exchange, *resources, &problems, &video.course);
    }
    exchange.SettleUnknownFields(fields);
    if (!problems.empty()) return Validation(problems);
    if (!refused.empty()) return Upstream(400, refused);

    video.seed = seed;
    Json::Members effective = {{"duration", video.duration}, {"resolution", video.resolution},
                               {"ratio", video.ratio},       {"audio", audio},
                               {"watermark", watermark},     {"seed", seed}};
    effective.insert(effective.end(), extras.begin(), extras.end());
    video.effective = Json::Object(effective).text();
    if (!exchange.Pay()) return Detail(402, "insufficient balance");
    video.id = absl::StrCat("vt-", RandomHex(16));
    video.account = exchange.account;
    exchange.object_id = video.id;
    const Json answer = Json::Object({{"id", video.id},
                                      {"model", video.model},
                                      {"provider", video.upstream},
                                      {"status", exchange.Word("queued")},
                                      {"created_at", absl::ToUnixSeconds(exchange.now)}});
    exchange.library.Add(std::move(video));
    return JsonResponse(200, answer);
  }

  static absl::string_view Status(const Video& video, absl::Time now) {
    switch (video.course.At(now)) {
      case Phase::kQueued:
        // lingjing's WAITING, QUEUED, SUBMITTED and RUNNING all show as running.
        return video.upstream == kLingjing ? "running" : "queued";
      case Phase::kRunning:
        return "running";
      case Phase::kSucceeded:
        return "succeeded";
      case Phase::kFailed:
        return "failed";
      case Phase::kCancelled:
        return "cancelled";
    }
    return "";
  }

  // GET /v1/video/tasks/{task_id}[?model=M]
  static Response GetVideo(Exchange& exchange) {
    const std::string& id = exchange.path_ids[0];
    exchange.object_id = id;
    if (!absl::StartsWith(id, "vt-")) return Detail(400, "invalid task id");
    const std::optional<Video> video = exchange.PollVideo(id);
    const std::optional<std::string> model = exchange.request.Query("model");
    if (!model && exchange.switches.Is("routes", "forgotten")) {
      return Message(404, "task not found: its route is not known, pass model");
    }
    if (!video || (model && *model != video->model)) return Message(404, "task not found");
    if (video->account != exchange.account) {
      return Message(403, "the task belongs to another key");
    }
    const bool done = video->course.At(exchange.now) == Phase::kSucceeded;
    Json::Members result;
    if (done) result.emplace_back("url", exchange.VideoUrl(id));
    if (done && video->upstream != kLingjing) {
      result.insert(result.end(), {{"duration", video->duration},
                                   {"resolution", video->resolution},
                                   {"ratio", video->ratio}});
    }
    Json::Members task = {{"id", id},
                          {"model", video->model},
                          {"provider", video->upstream},
                          {"status", exchange.Word(Status(*video, exchange.now))},
                          {"video", Json::Object(result)}};
    if (done) {
      const int64_t tokens = Tokens(*video);
      task.emplace_back("usage", Json::Object({{"video_tokens", tokens},
                                               {"completion_tokens", tokens},
                                               {"total_tokens", tokens}}));
    }
    if (video->course.At(exchange.now) == Phase::kFailed) {
      task.emplace_back("error", Json::Object({{"message", video->course.failure}}));
    }
    if (video->upstream != kLingjing) {
      task.insert(task.end(), {{"fps", 24},
                               {"created_at", absl::ToUnixSeconds(video->course.created)},
                               {"updated_at", absl::ToUnixSeconds(exchange.now)}});
      if (video->seed) task.emplace_back("seed", *video->seed);
    }
    return JsonResponse(200, Json::Object(task));
  }

  // GET /v1/usage: whether the key is good, and what its account has left.
  static Response GetUsage(Exchange& exchange) {
    const double left = static_cast<double>(exchange.purse.Left(exchange.account).value_or(99));
    return JsonResponse(
        200,
        Json::Object({{"balance", left}, {"remaining", left}, {"isValid", true}, {"unit", "USD"}}));
  }

  // GET /v1/health, also without a key
  static Response GetHealth(Exchange&) {
    return JsonResponse(200, Json::Object({{"status", "ok"}}));
  }

  static Json ModelJson(absl::string_view model) {
    return Json::Object({{"id", model},
                         {"object", "model"},
                         {"created", int64_t{1714500000000}},  // milliseconds here
                         {"owned_by", "0-0"}});
  }

  // GET /v1/models
  static Response ListModels(Exchange&) {
    std::vector<Json> models;
    for (absl::string_view model : kModels) models.push_back(ModelJson(model));
    return JsonResponse(200, Json::Object({{"object", "list"}, {"data", Json::Array(models)}}));
  }

  // GET /v1/models/{model}
  static Response GetModel(Exchange& exchange) {
    if (!IsModel(exchange.path_ids[0])) return Detail(404, "not_found");
    return JsonResponse(200, ModelJson(exchange.path_ids[0]));
  }

  const std::vector<Endpoint> endpoints_ = {
      {"POST", "/asset-groups", Call::kGroupCreate, &CreateGroup},
      {"GET", "/asset-groups/{}", Call::kGroupGet, &GetGroup},
      {"POST", "/assets", Call::kAssetCreate, &CreateAsset},
      {"GET", "/assets/{}", Call::kAssetGet, &GetAsset},
      {"POST", "/video/tasks", Call::kVideoCreate, &CreateVideo},
      {"GET", "/video/tasks/{}", Call::kVideoGet, &GetVideo},
      {"GET", "/usage", Call::kOther, &GetUsage},
      {"GET", "/models", Call::kModelsList, &ListModels},
      {"GET", "/models/{}", Call::kOther, &GetModel},
      {"GET", "/health", Call::kOther, &GetHealth, /*open=*/true},
  };
};

}  // namespace
}  // namespace assetgate::simulator

namespace assetgate::providers::zerozero {

std::unique_ptr<simulator::Dialect> MakeSimulator() {
  return std::make_unique<simulator::Zerozero>();
}

}  // namespace assetgate::providers::zerozero
