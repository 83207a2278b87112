#include "providers/apiframe/simulator.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assetgate::simulator {
namespace {

constexpr size_t kMaxImages = 9;
constexpr size_t kMaxVideos = 3;
constexpr size_t kMaxAudios = 3;
constexpr size_t kMaxKeyLength = 255;
constexpr size_t kMaxPrompt = 4000;  // characters
constexpr int64_t kCreditsPerSecond = 8;
constexpr absl::Duration kIdempotencyWindow = absl::Hours(24);

// The limits of a Seedance model.
struct Model {
  absl::string_view id;
  absl::string_view label;
  std::vector<int64_t> durations;
  std::vector<absl::string_view> resolutions;
  bool multimodal;  // references, web_search, return_last_frame, adaptive
  bool frames_exclude_references;
};

std::vector<int64_t> FourToFifteen() {
  std::vector<int64_t> seconds;
  for (int64_t second = 4; second <= 15; ++second) seconds.push_back(second);
  return seconds;
}

const std::vector<Model>& Models() {
  static const auto* const models = new std::vector<Model>{
      {"seedance-2", "Seedance 2.0", FourToFifteen(), {"480p", "720p", "1080p", "4k"}, true, false},
      {"seedance-2-fast", "Seedance 2.0 Fast", FourToFifteen(), {"480p", "720p"}, true, false},
      {"seedance-2-mini", "Seedance 2.0 Mini", FourToFifteen(), {"480p", "720p"}, true, false},
      {"seedance-2.5",
       "Seedance 2.5",
       FourToFifteen(),
       {"480p", "720p", "1080p", "4k"},
       true,
       true},
      {"seedance-1-lite", "Seedance 1.0 Lite", {5, 10}, {"480p", "720p", "1080p"}, false, false},
      {"seedance-1-pro", "Seedance 1.0 Pro", {5, 10}, {"480p", "720p", "1080p"}, false, false},
      {"seedance-1-pro-fast",
       "Seedance 1.0 Pro Fast",
       {5, 10},
       {"480p", "720p", "1080p"},
       false,
       false},
      {"seedance-1.5-pro",
       "Seedance 1.5 Pro",
       {4, 8, 12},
       {"480p", "720p", "1080p"},
       false,
       false}};
  return *models;
}

const Model* FindModel(absl::string_view id) {
  for (const Model& model : Models()) {
    if (model.id == id) return &model;
  }
  return nullptr;
}

Response Error(int status, absl::string_view text) {
  return JsonResponse(status, Json::Object({{"error", text}}));
}

// 400 {"error":"…","details":{"seedanceParams.duration":["…"]}}
Response Invalid(const std::vector<Problem>& problems) {
  std::map<std::string, std::vector<Json>> by_field;
  for (const Problem& problem : problems) by_field[problem.field].push_back(problem.text);
  Json::Members details;
  for (const auto& [field, texts] : by_field) details.emplace_back(field, Json::Array(texts));
  return JsonResponse(
      400, Json::Object({{"error", "Invalid request body"}, {"details", Json::Object(details)}}));
}

bool IsUuid(absl::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(text[i])) return false;
  }
  return true;
}

std::string Milliseconds(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

class Apiframe final : public Dialect {
 public:
  absl::string_view name() const override { return "apiframe"; }
  absl::string_view prefix() const override { return "/apiframe/v2"; }
  const std::vector<Endpoint>& endpoints() const override { return endpoints_; }

  std::vector<Switches::Spec> switches() const override {
    return {{"credits", {"1000000"}, true, "credits of every account, before what it has spent"},
            {"inactive_reference",
             {"refuse", "fail"},
             false,
             "a reference that is not Active: 400 at submit, or a job that fails"},
            {"result",
             {"object", "string"},
             false,
             "a job's result: {\"videoUrl\"} or the bare URL of the older text"}};
  }

  absl::string_view key_header() const override { return "X-API-Key: "; }

  Response Unauthorized(bool presented, Call) const override {
    return Error(401, presented ? "Invalid API key" : "API key is required");
  }

  Response Refusal(int status, Call, absl::string_view message) const override {
    switch (status) {
      case 400:
      case 422:
        return Error(status, TextOr(message, "Invalid request body"));
      case 401:
        return Error(401, TextOr(message, "Invalid API key"));
      case 402:
        return JsonResponse(402, Json::Object({{"error", TextOr(message, "Insufficient credits")},
                                               {"creditsRequired", 40},
                                               {"creditsAvailable", 7}}));
      case 403:
        return Error(403, TextOr(message, "API key is inactive"));
      case 404:
        return Error(404, TextOr(message, "Not found"));
      case 405:
        return Error(405, TextOr(message, "Method not allowed"));
      case 409:
        return Error(409, TextOr(message, "Idempotency-Key was used with a different request"));
      case 429:
        return Error(429, TextOr(message, "Too many requests"));
      case 502:
        return Error(502, TextOr(message, "Upstream provider error"));
      case 503:
        return Error(503, TextOr(message, "Service temporarily unavailable"));
      default:
        return Error(status, TextOr(message, "Internal server error"));
    }
  }

  // There is no envelope; the closest form is an error object with HTTP 200.
  Response BusinessFailure(Call, absl::string_view, absl::string_view message) const override {
    return Error(200, TextOr(message, "Provider returned an error"));
  }

  std::vector<std::string> IdPointers(Call call) const override {
    if (call == Call::kAssetCreate) return {"/assetId"};
    if (call == Call::kVideoCreate) return {"/jobId"};
    return {};
  }

 private:
  // An accepted submission with an Idempotency-Key.
  struct Submission {
    std::string body;
    std::string job_id;
    absl::Time time;
  };
  static constexpr size_t kMaxSubmissions = 200'000;

  // POST /v2/assets/create {"url","type"} → 201 {"assetId"}
  static Response CreateAsset(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Error(400, "Request body must be a JSON object");
    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Asset asset;
    asset.url = fields.String("url", FieldReader::kRequired).value_or("");
    asset.type =
        fields.OneOf("type", {"image", "video", "audio"}, FieldReader::kRequired).value_or("");
    if (!asset.url.empty() && !IsHttpUrl(asset.url)) fields.Refuse("url", "Invalid url");
    fields.RefuseUnread();
    if (!problems.empty()) return Invalid(problems);
    asset.id = RandomAlphanumerics(10);
    asset.account = exchange.account;
    asset.course = exchange.NewAssetCourse();
    ApplyFatefulWords(asset.url, &asset.course);
    exchange.object_id = asset.id;
    exchange.library.Add(asset);
    return JsonResponse(201, Json::Object({{"assetId", asset.id}}));
  }

  // GET /v2/assets/{assetId} → {"status","url","errorMsg"}
  static Response GetAsset(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    const std::optional<Asset> asset = exchange.PollAsset(exchange.path_ids[0]);
    if (!asset || asset->account != exchange.account) return Error(404, "Asset not found");
    const Phase phase = asset->course.At(exchange.now);
    const bool active = phase == Phase::kSucceeded;
    const bool failed = phase == Phase::kFailed;
    return JsonResponse(
        200, Json::Object(
                 {{"status", exchange.Word(active   ? "Active"
                                           : failed ? "Failed"
                                                    : "Processing")},
                  {"url", active ? Json(exchange.CopyUrl(asset->id, asset->type)) : Json(nullptr)},
                  {"errorMsg", failed ? Json(asset->course.failure) : Json(nullptr)}}));
  }

  // One media URI of seedanceParams.
  static void CheckMedia(Exchange& exchange, const std::string& value, absl::string_view type,
                         absl::string_view field, FieldReader& fields, Course* course) {
    const std::optional<std::string> id = AssetReference(value);
    if (!id) {
      if (!IsHttpUrl(value)) fields.Refuse(field, "Invalid url");
      ApplyFatefulWords(value, course);
      return;
    }
    const std::optional<Asset> asset = exchange.library.FindAsset(*id);
    if (!asset || asset->account != exchange.account) {
      fields.Refuse(field, absl::StrCat("Asset ", *id, " not found"));
    } else if (asset->type != type) {
      fields.Refuse(field, absl::StrCat("Asset ", *id, " is not of type ", type));
    } else if (asset->course.At(exchange.now) != Phase::kSucceeded) {
      if (exchange.switches.Is("inactive_reference", "refuse")) {
        fields.Refuse(field, absl::StrCat("Asset ", *id, " is not Active"));
      } else {
        course->ending = Course::Ending::kFailure;
        course->failure = absl::StrCat("Provider returned an error: asset ", *id, " is not Active");
      }
    }
  }

  static void ReadParams(Exchange& exchange, const rapidjson::Value& object, const Model& model,
                         std::vector<Problem>* problems, Video* video) {
    FieldReader fields(object, "seedanceParams.", problems);
    if (const std::optional<int64_t> duration = fields.Int("duration")) {
      if (std::find(model.durations.begin(), model.durations.end(), *duration) ==
          model.durations.end()) {
        fields.Refuse("duration", absl::StrCat("Not a duration of ", model.id));
      }
      video->duration = *duration;
    }
    video->resolution = fields.OneOf("resolution", model.resolutions).value_or(video->resolution);
    std::vector<absl::string_view> ratios = {"21:9", "16:9", "4:3", "1:1", "3:4", "9:16"};
    ratios.push_back(model.multimodal ? "adaptive" : "9:21");
    video->ratio = fields.OneOf("aspect_ratio", ratios).value_or(video->ratio);
    const auto media = [&](const char* field, const std::string& value, absl::string_view type) {
      CheckMedia(exchange, value, type, field, fields, &video->course);
    };
    const std::optional<std::string> start = fields.String("start_image");
    const std::optional<std::string> end = fields.String("end_image");
    if (start) media("start_image", *start, "image");
    if (end) media("end_image", *end, "image");
    fields.Bool("generate_audio");
    video->seed = fields.Int("seed");
    fields.Bool("camera_fixed");
    if (model.multimodal) {
      size_t references = 0;
      const auto read = [&](const char* field, size_t at_most, absl::string_view type) {
        for (const std::string& value : fields.Strings(field, at_most)) {
          media(field, value, type);
          ++references;
        }
      };
      read("reference_image_urls", kMaxImages, "image");
      read("reference_video_urls", kMaxVideos, "video");
      read("reference_audio_urls", kMaxAudios, "audio");
      video->return_last_frame = fields.Bool("return_last_frame").value_or(false);
      fields.Bool("web_search");
      if (model.frames_exclude_references && (start || end) && references > 0) {
        fields.Refuse(start ? "start_image" : "end_image",
                      "Frames and references exclude each other");
      }
    }
    fields.RefuseUnread();
  }

  static void ReadWebhook(FieldReader& fields) {
    const std::optional<std::string> url = fields.String("webhookUrl");
    if (url && !IsHttpUrl(*url)) fields.Refuse("webhookUrl", "Invalid url");
    if (!fields.Has("webhookEvents")) return;
    const std::vector<std::string> events = fields.Strings("webhookEvents", 3);
    if (events.empty()) fields.Refuse("webhookEvents", "Must hold at least one event");
    for (const std::string& event : events) {
      if (event != "progress" && event != "completed" && event != "failed") {
        fields.Refuse("webhookEvents", absl::StrCat("Unknown event ", event));
      }
    }
  }

  static Response Accepted(const Exchange& exchange, const Video& video) {
    return JsonResponse(
        202, Json::Object({{"jobId", video.id}, {"status", JobStatus(exchange, video)}}));
  }

  // POST /v2/videos/generate → 202 {"jobId","status"}
  Response CreateVideo(Exchange& exchange) {
    const rapidjson::Value* body = exchange.Body();
    if (body == nullptr) return Error(400, "Request body must be a JSON object");
    std::string key;
    if (const std::optional<absl::string_view> header =
            exchange.request.Header("idempotency-key")) {
      if (header->empty() || header->size() > kMaxKeyLength) {
        return Error(400, "Idempotency-Key must have 1 to 255 characters");
      }
      key = absl::StrCat(exchange.account, " ", *header);
    }

    // Held during the whole submission: of two concurrent ones with one key, one creates the job.
    absl::MutexLock lock(&mu_);
    const auto known = key.empty() ? submissions_.end() : submissions_.find(key);
    if (known != submissions_.end() && exchange.now - known->second.time < kIdempotencyWindow) {
      if (known->second.body != exchange.request.body) return Refusal(409, Call::kVideoCreate, "");
      exchange.object_id = known->second.job_id;
      const std::optional<Video> job = exchange.library.FindVideo(known->second.job_id);
      if (!job) return Error(404, "Job not found");
      return Accepted(exchange, *job);
    }

    std::vector<Problem> problems;
    FieldReader fields(*body, "", &problems);
    Video video;
    video.duration = 8;
    video.course = exchange.NewVideoCourse();
    video.model = fields.String("model", FieldReader::kRequired).value_or("");
    const Model* model = FindModel(video.model);
    if (model == nullptr && !video.model.empty()) {
      fields.Refuse("model", absl::StrCat("Unknown model ", video.model));
    }
    const std::string prompt = fields.String("prompt", FieldReader::kRequired).value_or("");
    if (Characters(prompt) > kMaxPrompt) fields.Refuse("prompt", "Must have 1 to 4000 characters");
    ApplyFatefulWordsOfPrompt(prompt, &video.course);
    const rapidjson::Value* params = fields.Object("seedanceParams");
    if (model != nullptr) {
      if (params != nullptr) {
        ReadParams(exchange, *params, *model, &problems, &video);
      } else {
        video.duration = model->multimodal ? 8 : model->durations.front();
      }
    }
    ReadWebhook(fields);
    fields.RefuseUnread();
    if (!problems.empty()) return Invalid(problems);

    video.cost = video.duration * kCreditsPerSecond;
    int64_t& spent = spent_[exchange.account];
    const int64_t available = exchange.switches.Number("credits") - spent;
    if (video.cost > available) {
      return JsonResponse(402, Json::Object({{"error", "Insufficient credits"},
                                             {"creditsRequired", video.cost},
                                             {"creditsAvailable", available}}));
    }
    if (!exchange.Pay()) return Refusal(402, Call::kVideoCreate, "");
    spent += video.cost;
    video.id = RandomUuid();
    video.account = exchange.account;
    video.request = Json::Of(*body).text();
    video.effective = params == nullptr ? "{}" : Json::Of(*params).text();
    exchange.object_id = video.id;
    if (!key.empty()) Remember(key, {exchange.request.body, video.id, exchange.now});
    Response response = Accepted(exchange, video);
    exchange.library.Add(std::move(video));
    return response;
  }

  void Remember(const std::string& key, Submission submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (keys_.size() >= kMaxSubmissions) {
      submissions_.erase(keys_.front());
      keys_.pop_front();
    }
    keys_.push_back(key);
    submissions_.insert_or_assign(key, std::move(submission));
  }

  static std::string JobStatus(const Exchange& exchange, const Video& video) {
    switch (video.course.At(exchange.now)) {
      case Phase::kQueued:
        return exchange.Word("QUEUED");
      case Phase::kRunning:
        return exchange.Word("PROCESSING");
      case Phase::kSucceeded:
        return exchange.Word("COMPLETED");
      case Phase::kFailed:
        return exchange.Word("FAILED");
      case Phase::kCancelled:
        return exchange.Word("CANCELLED");
    }
    return "";
  }

  // The job object. A failed job's credits are refunded when it is first polled.
  Json JobJson(Exchange& exchange, const Video& video) {
    const Phase phase = video.course.At(exchange.now);
    const bool done = phase == Phase::kSucceeded;
    const bool failed = phase == Phase::kFailed;
    const bool ended = done || failed || phase == Phase::kCancelled;
    int64_t cost = video.cost;
    if (failed && cost > 0) {
      absl::MutexLock lock(&mu_);
      spent_[video.account] -= exchange.library.ReplaceCost(video.id, 0);
      cost = 0;
    }
    Json result = nullptr;
    if (done && exchange.switches.Is("result", "string")) {
      result = exchange.VideoUrl(video.id);
    } else if (done) {
      Json::Members members = {{"videoUrl", exchange.VideoUrl(video.id)}};
      if (video.return_last_frame) {
        members.emplace_back("lastFrameUrl", exchange.LastFrameUrl(video.id));
      }
      result = Json::Object(members);
    }
    return Json::Object(
        {{"id", video.id},
         {"status", JobStatus(exchange, video)},
         {"model", video.model},
         {"progress", video.course.PercentAt(exchange.now)},
         {"result", result},
         {"error", failed ? Json(absl::StrCat("Provider returned an error: ", video.course.failure))
                          : Json(nullptr)},
         {"creditCost", cost},
         {"webhookStatus", nullptr},
         {"createdAt", Milliseconds(video.course.created)},
         {"completedAt", ended ? Json(Milliseconds(video.course.EndTime())) : Json(nullptr)},
         {"input", Json::Raw(video.request)},
         {"expired", false}});
  }

  // GET /v2/jobs/{id}
  Response GetVideo(Exchange& exchange) {
    exchange.object_id = exchange.path_ids[0];
    if (!IsUuid(exchange.path_ids[0])) return Error(400, "Invalid job id");
    const std::optional<Video> video = exchange.PollVideo(exchange.path_ids[0]);
    if (!video || video->account != exchange.account) return Error(404, "Job not found");
    return JsonResponse(200, JobJson(exchange, *video));
  }

  // GET /v2/jobs?status=&model=&limit=&cursor=&scope=&search= → newest first
  Response ListVideos(Exchange& exchange) {
    int64_t limit = 20;
    const std::optional<std::string> wanted = exchange.request.Query("limit");
    if (wanted && (!absl::SimpleAtoi(*wanted, &limit) || limit < 1 || limit > 100)) {
      return Error(400, "limit must be between 1 and 100");
    }
    if (exchange.request.Query("scope") == "team") return Error(403, "Admins only");
    const std::optional<std::string> status = exchange.request.Query("status");
    const std::optional<std::string> model = exchange.request.Query("model");
    const std::optional<std::string> search = exchange.request.Query("search");
    const std::optional<std::string> cursor = exchange.request.Query("cursor");
    std::vector<Json> jobs;
    bool started = !cursor;
    std::string last;
    bool more = false;
    for (const Video& video : exchange.library.Videos(Library::kCapacity)) {
      if (!started) {
        started = video.id == *cursor;
        continue;
      }
      if (video.account != exchange.account || (model && video.model != *model) ||
          (search && video.id != *search) || (status && JobStatus(exchange, video) != *status)) {
        continue;
      }
      if (jobs.size() == static_cast<size_t>(limit)) {
        more = true;
        break;
      }
      last = video.id;
      jobs.push_back(JobJson(exchange, video));
    }
    return JsonResponse(200, Json::Object({{"jobs", Json::Array(jobs)},
                                           {"nextCursor", more ? Json(last) : Json(nullptr)},
                                           {"hasMore", more}}));
  }

  // GET /v2/models?modality=image|video|music, also without a key
  static Response ListModels(Exchange& exchange) {
    std::vector<Json> models;
    if (exchange.request.Query("modality").value_or("video") == "video") {
      for (const Model& model : Models()) {
        models.push_back(Json::Object({{"id", model.id},
                                       {"label", model.label},
                                       {"modality", "video"},
                                       {"pricingMode", "per-second"}}));
      }
    }
    return JsonResponse(200, Json::Object({{"models", Json::Array(models)}}));
  }

  // GET /v2/me
  Response GetAccount(Exchange& exchange) {
    absl::MutexLock lock(&mu_);
    return JsonResponse(
        200, Json::Object(
                 {{"user",
                   Json::Object({{"id", "u_1"}, {"email", "sim@example.org"}, {"role", "OWNER"}})},
                  {"team", Json::Object({{"id", exchange.account},
                                         {"name", "Simulated"},
                                         {"plan", "scale"},
                                         {"credits", exchange.switches.Number("credits") -
                                                         spent_[exchange.account]},
                                         {"maxConcurrentJobs", 100}})},
                  {"apiKey", Json::Object({{"id", exchange.account}, {"name", "simulator"}})}}));
  }

  absl::Mutex mu_;
  std::unordered_map<std::string, Submission> submissions_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> keys_ ABSL_GUARDED_BY(mu_);          // of submissions_, the oldest first
  std::map<std::string, int64_t> spent_ ABSL_GUARDED_BY(mu_);  // credits by account

  const std::vector<Endpoint> endpoints_ = {
      {"POST", "/assets/create", Call::kAssetCreate, &CreateAsset},
      {"GET", "/assets/{}", Call::kAssetGet, &GetAsset},
      {"POST", "/videos/generate", Call::kVideoCreate,
       [this](Exchange& exchange) { return CreateVideo(exchange); }},
      {"GET", "/jobs/{}", Call::kVideoGet,
       [this](Exchange& exchange) { return GetVideo(exchange); }},
      {"GET", "/jobs", Call::kVideoList,
       [this](Exchange& exchange) { return ListVideos(exchange); }},
      {"GET", "/models", Call::kModelsList, &ListModels, /*open=*/true},
      {"GET", "/me", Call::kOther, [this](Exchange& exchange) { return GetAccount(exchange); }},
  };
};

}  // namespace
}  // namespace assetgate::simulator

namespace assetgate::providers::apiframe {

std::unique_ptr<simulator::Dialect> MakeSimulator() {
  return std::make_unique<simulator::Apiframe>();
}

}  // namespace assetgate::providers::apiframe
