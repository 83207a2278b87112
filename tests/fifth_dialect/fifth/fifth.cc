#include "providers/fifth/fifth.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "provider/answers/links.h"
#include "provider/answers/states.h"
#include "provider/answers/verdict.h"
#include "provider/rest.h"
#include "providers/fifth/options.pb.h"

namespace assetgate::providers::fifth {
namespace {

namespace answers = provider::answers;

using Progress = provider::Observation::Progress;
using provider::UnitKind;

constexpr char kControl[] = "control";
constexpr absl::string_view kIds[] = {"id", "task_id"};
constexpr answers::IdNames kNames = {.names = kIds};
constexpr answers::StateWord kWords[] = {{"processing", Progress::kRunning},
                                         {"active", Progress::kSucceeded},
                                         {"failed", Progress::kFailed}};

const provider::Traits& FifthTraits() {
  static const auto* const traits = [] {
    auto* const made = new provider::Traits;
    made->name = "fifth";
    made->default_base_url = "https://data.fifth.example";
    made->planes = {{kControl, "https://control.fifth.example"}};
    made->secrets = {"access_key", "secret_key", "api_key"};
    made->asset_capabilities.add_media_types(v1::IMAGE);
    made->asset_capabilities.set_groups(v1::AssetCapabilities::KEPT_BY_GATEWAY);
    made->asset_polling = {absl::Seconds(5), absl::Seconds(5), absl::Seconds(15)};
    made->group_polling = made->asset_polling;
    made->video_polling = made->asset_polling;
    return made;
  }();
  return *traits;
}

const v1::Capabilities& Capabilities() {
  static const auto* const capabilities = [] {
    auto* const can = new v1::Capabilities;
    for (const auto mode : {v1::Capabilities::TEXT, v1::Capabilities::FIRST_AND_LAST_FRAME,
                            v1::Capabilities::REFERENCES}) {
      can->add_modes(mode);
    }
    can->mutable_duration()->set_expressible(true);
    can->mutable_aspect_ratio()->set_expressible(true);
    can->mutable_generate_audio()->set_expressible(true);
    can->set_max_reference_images(9);
    return can;
  }();
  return *capabilities;
}

http::Request OnControlPlane(http::Request request) {
  request.plane = kControl;
  return request;
}

// FNV-1a, in the place of a real signature.
std::string Signature(absl::string_view secret, const http::Request& request,
                      const provider::Destination& destination) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : absl::StrCat(secret, "\n", request.method, "\n", destination.host, "\n",
                                   destination.path, "\n", destination.query, "\n", request.body)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return absl::StrCat(absl::Hex(hash));
}

provider::Observation ReadTask(const answers::Answer& answer, const answers::State& state) {
  provider::Observation seen = answers::ObservationOf(answer, state, {});
  if (seen.progress != Progress::kSucceeded) return seen;
  const rapidjson::Value* const objects[] = {state.object};
  answers::SetResult(answer, answers::FindVideo(answer, kNames, objects, {"url"}), {}, seen);
  return seen;
}

class FifthDialect : public provider::Dialect {
 public:
  const provider::Traits& traits() const override { return FifthTraits(); }
  std::vector<std::string> models() const override { return {"film"}; }
  const v1::Capabilities* FindModel(absl::string_view model) const override {
    return model == "film" ? &Capabilities() : nullptr;
  }
  std::vector<provider::OptionFault> CheckOptions(
      UnitKind, const google::protobuf::Struct& options) const override {
    return provider::OwnedKeyFaults(options, {});
  }

  // POST {control}/assets {"url": "https://…"}
  absl::StatusOr<http::Request> EncodeSubmitAsset(
      const provider::AssetSubmission& asset) const override {
    rapidjson::Document body(rapidjson::kObjectType);
    base::SetJson(body, body, "url", provider::UriOf(asset.source_uri));
    return OnControlPlane(provider::JsonRequest("POST", "/assets", body));
  }

  // POST /videos {"prompt": "…", "duration": 6, "ratio": "16:9", "audio": true, "media": ["…"]}
  absl::StatusOr<http::Request> EncodeSubmitVideo(
      const provider::VideoSubmission& video) const override {
    rapidjson::Document body(rapidjson::kObjectType);
    base::SetJson(body, body, "prompt", video.task.prompt());
    if (video.task.has_duration()) {
      base::SetJson(body, body, "duration", rapidjson::Value(video.task.duration().seconds()));
    }
    if (video.task.has_aspect_ratio()) {
      base::SetJson(body, body, "ratio", video.task.aspect_ratio());
    }
    if (video.task.has_generate_audio()) {
      base::SetJson(body, body, "audio", rapidjson::Value(video.task.generate_audio()));
    }
    rapidjson::Value media(rapidjson::kArrayType);
    for (const provider::ResolvedReference& reference : video.references) {
      media.PushBack(rapidjson::Value(provider::MediaText(reference), body.GetAllocator()),
                     body.GetAllocator());
    }
    base::SetJson(body, body, "media", std::move(media));
    return provider::JsonRequest("POST", "/videos", body);
  }

  // {"id": "video-…", "status": "processing"}
  provider::SubmitResult DecodeSubmit(UnitKind kind, const http::Request&,
                                      const http::Response& response, bool replay) const override {
    const answers::Answer answer(response);
    const std::string id = answers::FindId(answer, kNames);
    if (id.empty()) return answers::WithoutId(answer, {}, "there is no id", replay);
    provider::Observation seen;
    seen.progress = Progress::kRunning;
    if (kind == UnitKind::kVideo) {
      seen = answers::FirstObservation(answer, {kind, kNames, kWords}, id, &ReadTask);
    }
    seen.provider_id = id;
    return answers::Accepted(provider::HandleOf(id), std::move(seen));
  }

  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view id,
                                              absl::string_view) const override {
    if (provider::IsId(id) && absl::StartsWith(id, "video-")) return provider::HandleOf(id);
    return provider::NotAnId(id, "video-…");
  }

  // GET {control}/assets/{id}
  // GET /videos/{id}
  std::vector<provider::PollCall> EncodePoll(
      UnitKind kind, std::span<const provider::Handle> handles) const override {
    std::vector<provider::PollCall> calls;
    for (std::size_t i = 0; i < handles.size(); ++i) {
      const std::string id = provider::IdOf(handles[i]);
      calls.push_back(
          {kind == UnitKind::kVideo
               ? provider::JsonRequest("GET", absl::StrCat("/videos/", id))
               : OnControlPlane(provider::JsonRequest("GET", absl::StrCat("/assets/", id))),
           {i}});
    }
    return calls;
  }

  // {"id": "video-…", "status": "active", "url": "https://…", "error": null}
  provider::PollResult DecodePoll(UnitKind kind, const http::Response& response,
                                  std::span<const provider::Handle> handles) const override {
    const std::string asked = provider::IdOf(handles.front());
    const answers::Answer answer(response, asked);
    const auto state = answers::FindState(answer, {kind, kNames, kWords}, asked);
    if (!state.has_value()) return answers::WithoutState(answer, {}, "there is no status");
    if (!state->id.empty() && state->id != asked) return answers::AboutAnother(answer, "unit");
    if (kind == UnitKind::kVideo) return answers::TaskNews(answer, *state, &ReadTask);
    return answers::Observed(answers::ObservationOf(answer, *state, {}));
  }

  // Control plane: Authorization: Fifth {access_key}:{signature}
  // Data plane:    Authorization: Bearer {api_key}
  void Authorize(http::Request& request, const provider::Destination& destination,
                 const provider::Credential& credential, absl::Time) const override {
    if (request.plane.empty()) return provider::AuthorizeBearer(request, credential);
    request.headers.push_back(
        {"Authorization", absl::StrCat("Fifth ", credential.secrets.at("access_key").Reveal(), ":",
                                       Signature(credential.secrets.at("secret_key").Reveal(),
                                                 request, destination))});
  }
};

}  // namespace

const provider::DialectFactory& Factory() {
  static const provider::DialectFactory factory = {
      "fifth",
      []() -> std::unique_ptr<google::protobuf::Message> { return std::make_unique<Options>(); },
      [](const google::protobuf::Message&)
          -> absl::StatusOr<std::unique_ptr<const provider::Dialect>> {
        return std::make_unique<const FifthDialect>();
      }};
  return factory;
}

}  // namespace assetgate::providers::fifth
