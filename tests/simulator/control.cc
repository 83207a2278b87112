#include "tests/simulator/control.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/simulator/simulator.h"

namespace assetgate::simulator {
namespace {

constexpr size_t kListLimit = 1'000;

Response Problem400(absl::string_view text) {
  return JsonResponse(400, Json::Object({{"error", text}}));
}

Response NotFound(absl::string_view text) {
  return JsonResponse(404, Json::Object({{"error", text}}));
}

Response Done() { return JsonResponse(200, Json::Object({{"ok", true}})); }

Response OfStatus(const absl::Status& status) {
  if (status.ok()) return Done();
  const std::string text(status.message());
  return absl::IsNotFound(status) ? NotFound(text) : Problem400(text);
}

std::string KnownProviders(const Simulator& simulator) {
  std::string known = "provider must be one of";
  for (const auto& provider : simulator.providers()) {
    absl::StrAppend(&known, " ", provider->dialect->name());
  }
  return known;
}

Response AddFault(Simulator& simulator, const rapidjson::Value& body) {
  absl::StatusOr<FaultRule> rule = ParseFaultRule(body);
  if (!rule.ok()) return Problem400(std::string(rule.status().message()));
  if (rule->provider != "*" && simulator.FindProvider(rule->provider) == nullptr) {
    return NotFound(KnownProviders(simulator));
  }
  return JsonResponse(
      200, Json::Object({{"ok", true}, {"number", simulator.faults().Add(*std::move(rule))}}));
}

Json ToJson(const Timing& timing) {
  return Json::Object({{"asset_delay", absl::FormatDuration(timing.asset_delay)},
                       {"queue_delay", absl::FormatDuration(timing.queue_delay)},
                       {"video_delay", absl::FormatDuration(timing.video_delay)},
                       {"latency", absl::FormatDuration(timing.latency)},
                       {"unknown_delay", absl::FormatDuration(timing.unknown_delay)}});
}

Response SetTiming(Simulator& simulator, const rapidjson::Value& body) {
  std::vector<Problem> problems;
  FieldReader fields(body, "", &problems);
  Timing timing = simulator.timing();
  const auto read = [&](absl::string_view name, absl::Duration* duration) {
    const std::optional<std::string> text = fields.String(name);
    if (text && (!absl::ParseDuration(*text, duration) || *duration < absl::ZeroDuration())) {
      fields.Refuse(name, "must be a duration such as 250ms or 1m30s");
    }
  };
  read("asset_delay", &timing.asset_delay);
  read("queue_delay", &timing.queue_delay);
  read("video_delay", &timing.video_delay);
  read("latency", &timing.latency);
  read("unknown_delay", &timing.unknown_delay);
  fields.RefuseUnread();
  if (!problems.empty()) return Problem400(Sentence(problems));
  simulator.SetTiming(timing);
  return JsonResponse(200, ToJson(timing));
}

Json SwitchesToJson(const Simulator& simulator) {
  std::vector<Json> all;
  for (const auto& provider : simulator.providers()) {
    for (const Switches::Spec& spec : provider->switches.specs()) {
      all.push_back(Json::Object({{"provider", provider->dialect->name()},
                                  {"switch", spec.name},
                                  {"value", provider->switches.Get(spec.name)},
                                  {"values", Json::Strings(spec.values)},
                                  {"meaning", spec.meaning}}));
    }
  }
  return Json::Array(all);
}

Response SetSwitch(Simulator& simulator, const rapidjson::Value& body) {
  std::vector<Problem> problems;
  FieldReader fields(body, "", &problems);
  const std::optional<std::string> provider = fields.String("provider", FieldReader::kRequired);
  const std::optional<std::string> name = fields.String("switch", FieldReader::kRequired);
  const std::optional<std::string> value = fields.String("value", FieldReader::kRequired);
  fields.RefuseUnread();
  if (!problems.empty()) return Problem400(Sentence(problems));
  Simulator::Provider* found = simulator.FindProvider(*provider);
  if (found == nullptr) return NotFound(KnownProviders(simulator));
  return OfStatus(found->switches.Set(*name, *value));
}

// {"provider","account"?,"videos"}: what an account can still pay for; null: whatever it likes.
Response SetCredit(Simulator& simulator, const rapidjson::Value& body) {
  std::vector<Problem> problems;
  FieldReader fields(body, "", &problems);
  const std::optional<std::string> name = fields.String("provider", FieldReader::kRequired);
  const std::string account = fields.String("account").value_or("account-1");
  std::optional<int64_t> videos;
  if (!fields.Has("videos")) {
    fields.Refuse("videos", "is required", Problem::Kind::kMissing);
  } else if (!body["videos"].IsNull()) {
    videos = fields.IntBetween("videos", 0, 1'000'000'000);
  } else {
    fields.Skip("videos");
  }
  fields.RefuseUnread();
  if (!problems.empty()) return Problem400(Sentence(problems));
  Simulator::Provider* provider = simulator.FindProvider(*name);
  if (provider == nullptr) return NotFound(KnownProviders(simulator));
  provider->purse.Set(account, videos);
  return Done();
}

Response Force(Simulator& simulator, Library::Kind kind, absl::string_view id,
               const rapidjson::Value& body) {
  std::vector<Problem> problems;
  FieldReader fields(body, "", &problems);
  const std::optional<std::string> state = fields.String("state", FieldReader::kRequired);
  const std::string reason = fields.String("reason").value_or("");
  fields.RefuseUnread();
  if (!problems.empty()) return Problem400(Sentence(problems));
  // An id belongs to the provider whose library has it.
  absl::Status status = absl::NotFoundError(absl::StrCat("nothing has the id ", id));
  for (const auto& provider : simulator.providers()) {
    status = provider->library.Force(kind, id, *state, reason, simulator.Now());
    if (!absl::IsNotFound(status)) break;
  }
  return OfStatus(status);
}

Json ToJson(const Course& course, absl::Time now) {
  const auto time = [](absl::Time t) { return absl::FormatTime(t, absl::UTCTimeZone()); };
  const bool never = course.ending == Course::Ending::kNever;
  return Json::Object({{"state", PhaseName(course.At(now))},
                       {"percent", course.PercentAt(now)},
                       {"held", course.held_since.has_value()},
                       {"create_time", time(course.created)},
                       {"end_time", never ? Json(nullptr) : Json(time(course.EndTime()))},
                       {"failure", course.failure}});
}

Json ToJson(const Asset& asset, absl::Time now) {
  return Json::Object({{"id", asset.id},
                       {"tracking_id", asset.tracking_id},
                       {"account", asset.account},
                       {"group_id", asset.group_id},
                       {"name", asset.name},
                       {"url", asset.url},
                       {"type", asset.type},
                       {"polls", asset.polls},
                       {"course", ToJson(asset.course, now)}});
}

Json ToJson(const Video& video, absl::Time now) {
  return Json::Object(
      {{"id", video.id},
       {"account", video.account},
       {"model", video.model},
       {"upstream", video.upstream},
       {"effective", video.effective.empty() ? Json(nullptr) : Json::Raw(video.effective)},
       {"cost", video.cost},
       {"polls", video.polls},
       {"course", ToJson(video.course, now)}});
}

Json StateToJson(const Simulator& simulator) {
  const absl::Time now = simulator.Now();
  Json::Members all;
  for (const auto& provider : simulator.providers()) {
    std::vector<Json> groups;
    for (const Group& group : provider->library.Groups(kListLimit)) {
      groups.push_back(
          Json::Object({{"id", group.id}, {"account", group.account}, {"name", group.name}}));
    }
    std::vector<Json> assets;
    for (const Asset& asset : provider->library.Assets(kListLimit)) {
      assets.push_back(ToJson(asset, now));
    }
    std::vector<Json> videos;
    for (const Video& video : provider->library.Videos(kListLimit)) {
      videos.push_back(ToJson(video, now));
    }
    all.emplace_back(provider->dialect->name(), Json::Object({{"groups", Json::Array(groups)},
                                                              {"assets", Json::Array(assets)},
                                                              {"videos", Json::Array(videos)}}));
  }
  return Json::Object(all);
}

Json ProvidersToJson(const Simulator& simulator) {
  Json::Members all;
  for (const auto& provider : simulator.providers()) {
    const absl::string_view name = provider->dialect->name();
    all.emplace_back(name, Json::Object({{"base_url", simulator.BaseUrl(name)},
                                         {"key_header", provider->dialect->key_header()}}));
  }
  return Json::Object(all);
}

// One asset or video of any provider.
Response Show(const Simulator& simulator, Library::Kind kind, absl::string_view id) {
  for (const auto& provider : simulator.providers()) {
    const Library& library = provider->library;
    if (kind == Library::Kind::kAsset) {
      const std::optional<Asset> asset = library.FindAsset(id);
      if (asset) return JsonResponse(200, ToJson(*asset, simulator.Now()));
    } else {
      const std::optional<Video> video = library.FindVideo(id);
      if (video) return JsonResponse(200, ToJson(*video, simulator.Now()));
    }
  }
  return NotFound(absl::StrCat("nothing has the id ", id));
}

// Polls per id are kept with the objects and removed with them; those of the newest objects are
// shown.
Json StatsToJson(Simulator& simulator) {
  Json::Members made;
  Json::Members polls;
  std::vector<std::vector<std::pair<std::string, int64_t>>> ids;  // what `polls` borrows from
  ids.reserve(simulator.providers().size());
  for (const auto& provider : simulator.providers()) {
    const Library::Counts counts = provider->library.counts();
    made.emplace_back(provider->dialect->name(), Json::Object({{"groups", counts.groups_made},
                                                               {"assets", counts.assets_made},
                                                               {"videos", counts.videos_made}}));
    std::vector<std::pair<std::string, int64_t>>& of_provider = ids.emplace_back();
    for (const Asset& asset : provider->library.Assets(kListLimit)) {
      of_provider.emplace_back(asset.id, asset.polls);
    }
    for (const Video& video : provider->library.Videos(kListLimit)) {
      of_provider.emplace_back(video.id, video.polls);
    }
    polls.emplace_back(provider->dialect->name(),
                       Json::Object(Json::Members(of_provider.begin(), of_provider.end())));
  }
  return Json::Object({{"calls", simulator.log().Counts()},
                       {"made", Json::Object(made)},
                       {"polls", Json::Object(polls)}});
}

Response Requests(Simulator& simulator, const Request& request) {
  int64_t limit = kListLimit;
  const std::optional<std::string> wanted = request.Query("limit");
  if (wanted && (!absl::SimpleAtoi(*wanted, &limit) || limit < 1)) {
    return Problem400("limit must be a positive number");
  }
  std::vector<Json> logged;
  for (const LoggedRequest& one :
       simulator.log().Requests(request.Query("provider").value_or(""),
                                request.Query("call").value_or(""), static_cast<size_t>(limit))) {
    logged.push_back(ToJson(one));
  }
  return JsonResponse(200, Json::Array(logged));
}

}  // namespace

Response ServeControl(Simulator& simulator, const Request& request) {
  absl::string_view rest = request.path;
  absl::ConsumePrefix(&rest, "/_control/");
  const std::vector<absl::string_view> path = absl::StrSplit(rest, '/', absl::SkipEmpty());
  const absl::string_view what = path.empty() ? "" : path[0];
  const bool is_get = request.method == "GET";
  const bool is_delete = request.method == "DELETE";
  const bool is_post = request.method == "POST";

  if (is_get && path.size() == 1) {
    if (what == "providers") return JsonResponse(200, ProvidersToJson(simulator));
    if (what == "faults") return JsonResponse(200, simulator.faults().Describe());
    if (what == "timing") return JsonResponse(200, ToJson(simulator.timing()));
    if (what == "switches") return JsonResponse(200, SwitchesToJson(simulator));
    if (what == "requests") return Requests(simulator, request);
    if (what == "stats") return JsonResponse(200, StatsToJson(simulator));
    if (what == "state") return JsonResponse(200, StateToJson(simulator));
  }
  if (is_get && path.size() == 2) {
    if (what == "assets") return Show(simulator, Library::Kind::kAsset, path[1]);
    if (what == "videos") return Show(simulator, Library::Kind::kVideo, path[1]);
  }
  if (is_delete && what == "faults" && path.size() == 1) {
    simulator.faults().Clear();
    return Done();
  }
  if (is_delete && what == "faults" && path.size() == 2) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(path[1], &number) || !simulator.faults().Remove(number)) {
      return NotFound("no fault has this number");
    }
    return Done();
  }
  if (is_delete && what == "requests" && path.size() == 1) {
    simulator.log().Clear();
    return Done();
  }
  if (is_post && what == "release" && path.size() == 1) {
    simulator.faults().ReleaseHangs();
    return Done();
  }
  if (is_post) {
    rapidjson::Document body;
    if (!ParseJson(request.body, &body) || !body.IsObject()) {
      return Problem400("the body must be a JSON object");
    }
    if (what == "faults" && path.size() == 1) return AddFault(simulator, body);
    if (what == "timing" && path.size() == 1) return SetTiming(simulator, body);
    if (what == "switches" && path.size() == 1) return SetSwitch(simulator, body);
    if (what == "credit" && path.size() == 1) return SetCredit(simulator, body);
    if (what == "assets" && path.size() == 2) {
      return Force(simulator, Library::Kind::kAsset, path[1], body);
    }
    if (what == "videos" && path.size() == 2) {
      return Force(simulator, Library::Kind::kVideo, path[1], body);
    }
  }
  return NotFound(
      "GET providers faults timing switches requests stats state assets/{id} videos/{id}; POST "
      "faults timing "
      "switches credit release "
      "assets/{id} videos/{id}; DELETE faults faults/{number} requests");
}

}  // namespace assetgate::simulator
