#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "cli/capabilities.h"
#include "cli/failure.h"
#include "cli/json.h"
#include "cli/model.h"
#include "cli/sheet.h"
#include "cli/tables.h"

namespace assetgate::cli {
namespace {

// The targets that a task of --validate-only can go to, and those that it cannot.
void AddValidation(const v1::Validation& validation, Sheet& sheet) {
  const auto of = [](const auto& target) {
    return absl::StrCat(IdOf(target.provider()), " (", target.provider_model(), ")");
  };
  std::vector<std::string> targets;
  for (const auto& target : validation.targets()) targets.push_back(of(target));
  sheet.Field("can go to", absl::StrJoin(targets, ", "), Tone::kGood);
  for (const auto& passed : validation.passed_targets()) {
    std::vector<std::string> reasons;
    for (const auto& reason : passed.reasons()) {
      reasons.push_back(absl::StrCat(reason.field(), ": ", reason.message()));
    }
    sheet.Field("passed over", absl::StrCat(of(passed), ": ", absl::StrJoin(reasons, "; ")),
                Tone::kWaiting);
  }
}

// The last cell in the row of a placement or an attempt: its error, or another remark.
template <typename Unit>
Cell Remark(const Unit& unit, const Page& page) {
  if (unit.has_error()) return Text(ErrorSummary(unit.error()), Tone::kBad);
  if constexpr (requires { unit.has_waiting(); }) {
    if (unit.has_waiting()) return Text(WhyWaiting(unit.waiting(), page.now), Tone::kWaiting);
  }
  if constexpr (requires { unit.has_import_time(); }) {
    if (unit.has_import_time()) return Text("imported");
  }
  if constexpr (requires { unit.has_resolve_time(); }) {
    if (unit.has_resolve_time()) {
      return Text(
          absl::StrCat("resolved by ", unit.resolver().empty() ? "a person" : unit.resolver()));
    }
  }
  return Text("");
}

std::string UsageOf(const v1::Usage& usage) {
  std::vector<std::string> parts;
  if (usage.has_total_tokens()) parts.push_back(absl::StrCat(usage.total_tokens(), " tokens"));
  if (usage.has_completion_tokens()) {
    parts.push_back(absl::StrCat(usage.completion_tokens(), " of the output"));
  }
  if (usage.has_credits()) parts.push_back(absl::StrCat(usage.credits(), " credits"));
  return absl::StrJoin(parts, ", ");
}

}  // namespace

std::vector<std::string> Details(const v1::AssetGroup& group, const Page& page) {
  Sheet sheet(page);
  sheet.Title(group.name());
  sheet.Field("display name", group.display_name());
  sheet.Field("description", group.description());
  sheet.Labels(group.labels());
  sheet.Options(group.provider_options());
  sheet.Time("created", group.has_create_time(), group.create_time());
  Rows rows;
  for (const auto& placement : group.placements()) {
    rows.push_back({Text(IdOf(placement.provider())),
                    Text(v1::Placement::State_Name(placement.state()), ToneOf(placement.state())),
                    Text(placement.provider_group_id()), Remark(placement, page)});
  }
  sheet.AddTable({{"PROVIDER"}, {"STATE"}, {"ITS ID THERE"}, {""}}, rows);
  return sheet.Take();
}

std::vector<std::string> Details(const v1::Asset& asset, const Page& page) {
  Sheet sheet(page);
  sheet.Title(asset.name());
  sheet.Field("state", v1::Asset::State_Name(asset.state()), ToneOf(asset.state()));
  sheet.Error(asset.has_error() && asset.placements().empty(), asset.error());
  sheet.Field("type", ForPeople(v1::MediaType_Name(asset.media_type())));
  sheet.Field("source", asset.source_uri());
  sheet.Field("display name", asset.display_name());
  sheet.Field("group", asset.asset_group());
  sheet.Labels(asset.labels());
  sheet.Options(asset.provider_options());
  sheet.Time("created", asset.has_create_time(), asset.create_time());
  sheet.Time("changed", asset.has_update_time(), asset.update_time());
  Rows rows;
  for (const auto& placement : asset.placements()) {
    const Row row = EntryOf(
                        [&] {
                          v1::Asset one;
                          *one.add_placements() = placement;
                          return one;
                        }(),
                        page.now)
                        .rows.front();
    rows.push_back({Text(IdOf(placement.provider())),
                    Text(v1::Placement::State_Name(placement.state()), ToneOf(placement.state())),
                    Text(row.took.has_value()    ? ShortDuration(*row.took)
                         : row.since.has_value() ? ShortDuration(page.now - *row.since)
                                                 : ""),
                    Text(placement.provider_asset_id()), Text(placement.provider_state()),
                    Remark(placement, page)});
  }
  sheet.AddTable(
      {{"PROVIDER"}, {"STATE"}, {"TIME", 0, true}, {"ITS ID THERE"}, {"ITS STATE THERE"}, {""}},
      rows);
  return sheet.Take();
}

std::vector<std::string> Details(const v1::VideoTask& task, const Page& page) {
  Sheet sheet(page);
  sheet.Title(task.name().empty() ? "(not created: this is how it would begin)"
                                  : absl::string_view(task.name()));
  sheet.Field("state", v1::VideoTask::State_Name(task.state()), ToneOf(task.state()));
  sheet.Error(task.has_error(), task.error());
  sheet.Waits(task.has_waiting(), task.waiting());
  if (task.has_progress_percent()) sheet.Field("done", absl::StrCat(task.progress_percent(), "%"));
  if (task.has_video()) {
    const v1::Video& video = task.video();
    sheet.Field("video", video.uri(), Tone::kStrong);
    sheet.Time("link ends", video.has_expire_time(), video.expire_time());
    sheet.Field("last frame", video.last_frame_uri());
    std::vector<std::string> shape;
    if (video.has_duration()) {
      shape.push_back(absl::FormatDuration(base::FromProto(video.duration())));
    }
    if (!video.resolution().empty()) shape.push_back(video.resolution());
    if (!video.aspect_ratio().empty()) shape.push_back(video.aspect_ratio());
    if (video.has_fps()) shape.push_back(absl::StrCat(video.fps(), " frames/s"));
    if (video.has_seed()) shape.push_back(absl::StrCat("seed ", video.seed()));
    sheet.Field("delivered", absl::StrJoin(shape, ", "));
  }
  sheet.Field("usage", UsageOf(task.usage()));
  sheet.Field("model", task.model());
  sheet.Field("prompt", task.prompt());
  for (const auto& reference : task.references()) {
    const std::string type =
        reference.media_type() == v1::MEDIA_TYPE_UNSPECIFIED
            ? ""
            : absl::StrCat(ForPeople(v1::MediaType_Name(reference.media_type())), " ");
    sheet.Field(ForPeople(v1::Reference::Role_Name(reference.role())),
                absl::StrCat(type, reference.has_asset() ? reference.asset() : reference.uri()));
  }
  if (task.has_duration()) {
    sheet.Field("duration", absl::FormatDuration(base::FromProto(task.duration())));
  }
  sheet.Field("resolution", task.resolution());
  sheet.Field("aspect ratio", task.aspect_ratio());
  if (task.has_generate_audio()) sheet.Field("audio", YesNo(task.generate_audio()));
  if (task.has_watermark()) sheet.Field("watermark", YesNo(task.watermark()));
  if (task.has_seed()) sheet.Field("seed", absl::StrCat(task.seed()));
  if (task.has_camera_fixed()) sheet.Field("camera fixed", YesNo(task.camera_fixed()));
  if (task.has_return_last_frame()) {
    sheet.Field("want last frame", YesNo(task.return_last_frame()));
  }
  sheet.Labels(task.labels());
  sheet.Options(task.provider_options());
  sheet.Time("created", task.has_create_time(), task.create_time());
  sheet.Time("submitted", task.has_submit_time(), task.submit_time());
  sheet.Time("started", task.has_start_time(), task.start_time());
  sheet.Time("ended", task.has_end_time(), task.end_time());
  Rows rows;
  for (int i = 0; i < task.attempts_size(); ++i) {
    const v1::Attempt& attempt = task.attempts(i);
    rows.push_back({Text(absl::StrCat(i)), Text(IdOf(attempt.provider())),
                    Text(attempt.provider_model()), Text(v1::Attempt::State_Name(attempt.state())),
                    Text(attempt.provider_task_id()), Text(attempt.provider_state()),
                    Text(v1::Attempt::Billing_Name(attempt.billing())),
                    Text(absl::StrCat(attempt.tries())), Remark(attempt, page)});
  }
  sheet.AddTable({{"#", 0, true},
                  {"PROVIDER"},
                  {"MODEL"},
                  {"ATTEMPT"},
                  {"ITS ID THERE"},
                  {"ITS STATE THERE"},
                  {"BILLING"},
                  {"TRIES", 0, true},
                  {""}},
                 rows);
  AddValidation(task.validation(), sheet);
  return sheet.Take();
}

std::vector<std::string> Details(const v1::Provider& provider, const Page& page) {
  Sheet sheet(page);
  sheet.Title(provider.name());
  sheet.Field("dialect", provider.dialect());
  sheet.Field("mode", v1::Provider::Mode_Name(provider.mode()));
  sheet.Field("state", v1::Provider::State_Name(provider.state()),
              provider.state() == v1::Provider::AVAILABLE ? Tone::kGood : Tone::kWaiting);
  sheet.Field("reason", provider.state_reason());
  sheet.Field("last error", provider.has_last_error() ? ErrorSummary(provider.last_error()) : "",
              Tone::kBad);
  sheet.Time("at", provider.has_last_error_time(), provider.last_error_time());
  sheet.Field("unfinished", absl::StrCat(provider.unfinished_placements(), " assets, ",
                                         provider.unfinished_attempts(), " videos"));
  const auto& assets = provider.asset_capabilities();
  std::vector<std::string> types;
  for (const int type : assets.media_types()) {
    types.push_back(ForPeople(v1::MediaType_Name(static_cast<v1::MediaType>(type))));
  }
  sheet.Field("assets", types.empty() ? "none" : absl::StrJoin(types, ", "));
  sheet.Field("groups",
              assets.groups() == v1::AssetCapabilities::NATIVE ? "its own" : "kept by the gateway");
  sheet.Field("media addresses", assets.https_only() ? "https only" : "http and https");
  sheet.Field("deletes assets", YesNo(assets.can_delete()));
  return sheet.Take();
}

std::vector<std::string> Details(const v1::Model& model, const Page& page) {
  Sheet sheet(page);
  sheet.Title(model.name());
  if (model.has_defaults()) sheet.Field("defaults", ToJson(model.defaults()));
  // Shows the targets side by side, so that their differences are seen at once.
  std::vector<Column> columns = {{""}};
  Rows rows;
  const auto add = [&](absl::string_view name, auto value_of) {
    std::vector<Cell> row = {Text(name, Tone::kQuiet)};
    for (const auto& target : model.targets()) row.push_back(Text(value_of(target)));
    rows.push_back(std::move(row));
  };
  using T = v1::Model::Target;
  const auto limit = [](int number) { return number == 0 ? "-" : absl::StrCat("up to ", number); };
  for (const auto& target : model.targets()) {
    columns.push_back({std::string(IdOf(target.provider()))});
  }
  add("model there", [](const T& t) { return t.provider_model(); });
  add("priority", [](const T& t) { return absl::StrCat(t.priority()); });
  add("weight", [](const T& t) { return absl::StrCat(t.weight()); });
  for (int mode = v1::Capabilities::TEXT; mode <= v1::Capabilities::FRAMES_AND_REFERENCES; ++mode) {
    const std::string name =
        ForPeople(v1::Capabilities::Mode_Name(static_cast<v1::Capabilities::Mode>(mode)));
    add(absl::StrCat("from ", name), [mode](const T& t) -> std::string {
      for (const int offered : t.capabilities().modes()) {
        if (offered == mode) return "yes";
      }
      return "-";
    });
  }
  add("prompt", [](const T& t) {
    const auto& c = t.capabilities();
    return absl::StrCat(c.prompt_required() ? "required" : "optional",
                        c.max_prompt_length() > 0
                            ? absl::StrCat(", up to ", c.max_prompt_length(), " characters")
                            : "");
  });
  add("duration (s)", [](const T& t) { return Describe(t.capabilities().duration()); });
  add("resolution", [](const T& t) { return Describe(t.capabilities().resolution()); });
  add("aspect ratio", [](const T& t) { return Describe(t.capabilities().aspect_ratio()); });
  add("audio", [](const T& t) { return Describe(t.capabilities().generate_audio()); });
  add("watermark", [](const T& t) { return Describe(t.capabilities().watermark()); });
  add("seed", [](const T& t) { return Describe(t.capabilities().seed()); });
  add("camera fixed", [](const T& t) { return Describe(t.capabilities().camera_fixed()); });
  add("last frame", [](const T& t) { return Describe(t.capabilities().return_last_frame()); });
  add("reference images",
      [&](const T& t) { return limit(t.capabilities().max_reference_images()); });
  add("reference videos", [&](const T& t) {
    const auto& c = t.capabilities();
    return c.min_reference_videos() > 0
               ? absl::StrCat(c.min_reference_videos(), " to ", c.max_reference_videos())
               : limit(c.max_reference_videos());
  });
  add("reference audios", [&](const T& t) {
    return absl::StrCat(limit(t.capabilities().max_reference_audios()),
                        t.capabilities().audio_needs_visual_reference() &&
                                t.capabilities().max_reference_audios() > 0
                            ? ", beside others"
                            : "");
  });
  add("media addresses", [](const T& t) -> std::string {
    return t.capabilities().https_only() ? "https only" : "http and https";
  });
  add("safe to repeat", [](const T& t) { return YesNo(t.capabilities().idempotent_submission()); });
  add("can cancel", [](const T& t) { return YesNo(t.capabilities().can_cancel()); });
  if (!model.targets().empty()) sheet.AddComparison(columns, rows);
  return sheet.Take();
}

std::vector<std::string> Details(const v1::Explanation& explanation, const Page& page) {
  using Explanation = v1::Explanation;
  // All times are the gateway's, whose clock may differ from the reader's.
  Page at = page;
  if (explanation.has_time()) at.now = base::FromProto(explanation.time());
  Sheet sheet(at);
  sheet.Title(explanation.name());
  sheet.Field("state", explanation.state());
  const Tone tone = explanation.needs_person() ? Tone::kBad
                    : explanation.settled()    ? Tone::kPlain
                                               : Tone::kWaiting;
  sheet.Field("why", explanation.summary(), tone);
  if (explanation.needs_person()) sheet.Field("needs", "a person has to act", Tone::kBad);
  sheet.Field("what to do", explanation.command(), Tone::kStrong);
  if (!explanation.followed_here()) {
    sheet.Field("followed by", explanation.gateway().empty()
                                   ? "another gateway"
                                   : absl::StrCat("gateway ", explanation.gateway()));
  }
  Rows rows;
  const auto in = [&](bool has, const google::protobuf::Timestamp& time) -> std::string {
    if (!has) return "";
    const absl::Duration left = base::FromProto(time) - at.now;
    return left <= absl::ZeroDuration() ? "now" : absl::StrCat("in ", ShortDuration(left));
  };
  const auto ago = [&](bool has, const google::protobuf::Timestamp& time) -> std::string {
    return has ? absl::StrCat(ShortDuration(at.now - base::FromProto(time)), " ago") : "";
  };
  const auto why = [&](const Explanation::Next& next) {
    return Text(next.message(), next.reason() == Explanation::NEEDS_PERSON ||
                                        next.reason() == Explanation::PROVIDER_MODE ||
                                        next.reason() == Explanation::CREDENTIALS_REJECTED ||
                                        next.reason() == Explanation::OUT_OF_CREDIT
                                    ? Tone::kBad
                                    : Tone::kPlain);
  };
  for (const auto& unit : explanation.units()) {
    const auto& calls = unit.calls();
    std::string answer;
    if (calls.has_last_answer()) {
      const auto& last = calls.last_answer();
      answer = last.http_status() > 0 ? absl::StrCat("HTTP ", last.http_status()) : "none";
      if (!last.message().empty()) absl::StrAppend(&answer, ": ", last.message());
    }
    const auto& submission = unit.submission();
    std::string sent;
    if (submission.sends() > 0) {
      sent = absl::StrCat(submission.sends(), ", ",
                          ForPeople(Explanation::Submission::Outcome_Name(submission.outcome())));
    }
    rows.push_back({Text(IdOf(unit.provider())), Text(unit.provider_model()),
                    Text(unit.provider_state().empty()
                             ? unit.state()
                             : absl::StrCat(unit.state(), " (", unit.provider_state(), ")")),
                    Text(sent), Text(unit.has_calls() ? absl::StrCat(calls.polls()) : ""),
                    Text(ago(calls.has_last_poll_time(), calls.last_poll_time())), Text(answer),
                    Text(in(unit.next().has_due_time(), unit.next().due_time())),
                    unit.has_next() ? why(unit.next()) : Text(unit.error(), Tone::kBad)});
  }
  sheet.AddTable({{"PROVIDER"},
                  {"MODEL"},
                  {"STATE"},
                  {"SENT"},
                  {"POLLS", 0, true},
                  {"LAST"},
                  {"ANSWER"},
                  {"NEXT"},
                  {"WHY"}},
                 rows);
  rows.clear();
  for (const auto& target : explanation.passed_targets()) {
    rows.push_back({Text(IdOf(target.provider())), Text(target.provider_model()),
                    Text(in(target.has_next_try_time(), target.next_try_time())),
                    Text(target.message())});
  }
  sheet.AddTable({{"PASSED OVER"}, {"MODEL"}, {"NEXT"}, {"WHY"}}, rows);
  return sheet.Take();
}

}  // namespace assetgate::cli
