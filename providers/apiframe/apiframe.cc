#include "providers/apiframe/apiframe.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/json.h"
#include "provider/rest.h"
#include "providers/apiframe/capabilities.h"
#include "providers/apiframe/decode.h"
#include "providers/apiframe/encode.h"
#include "providers/apiframe/options.pb.h"

namespace assetgate::providers::apiframe {
namespace {

using provider::UnitKind;

class ApiframeDialect : public provider::Dialect {
 public:
  const provider::Traits& traits() const override { return ApiframeTraits(); }
  std::vector<std::string> models() const override { return ModelNames(); }
  const v1::Capabilities* FindModel(absl::string_view model) const override {
    return CapabilitiesOf(model);
  }
  std::vector<provider::OptionFault> CheckOptions(
      UnitKind kind, const google::protobuf::Struct& options) const override {
    return OptionFaults(kind, options);
  }

  absl::StatusOr<http::Request> EncodeSubmitAsset(
      const provider::AssetSubmission& asset) const override {
    return EncodeCreateAsset(asset);
  }
  absl::StatusOr<http::Request> EncodeSubmitVideo(
      const provider::VideoSubmission& video) const override {
    return EncodeGenerateVideo(video);
  }
  provider::SubmitResult DecodeSubmit(UnitKind kind, const http::Request& /*request*/,
                                      const http::Response& response, bool replay) const override {
    return kind == UnitKind::kVideo ? DecodeGenerateVideo(response, replay)
                                    : DecodeCreateAsset(response);
  }

  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view id,
                                              absl::string_view /*model*/) const override {
    if (!IsJobId(id)) {
      return provider::NotAnId(id, "a UUID, 5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5");
    }
    return provider::HandleOf(CanonicalVideoId(id));
  }
  // A UUID ignores case.
  std::string CanonicalVideoId(absl::string_view id) const override {
    return absl::AsciiStrToLower(id);
  }

  std::vector<provider::PollCall> EncodePoll(
      UnitKind kind, std::span<const provider::Handle> handles) const override {
    std::vector<provider::PollCall> calls;
    calls.reserve(handles.size());
    for (std::size_t i = 0; i < handles.size(); ++i) {
      calls.push_back(
          {kind == UnitKind::kVideo ? EncodeGetJob(handles[i]) : EncodeGetAsset(handles[i]), {i}});
    }
    return calls;
  }
  provider::PollResult DecodePoll(UnitKind kind, const http::Response& response,
                                  std::span<const provider::Handle> handles) const override {
    const provider::Handle handle = handles.empty() ? provider::Handle() : handles.front();
    return kind == UnitKind::kVideo ? DecodeGetJob(response, handle)
                                    : DecodeGetAsset(response, handle);
  }

  // GET /v2/me: whose key it is, and the credits left
  std::optional<http::Request> EncodeCheckCredential() const override {
    return provider::JsonRequest("GET", "/me");
  }
  // {"team": {"credits": 60, …}, …}; `team` may be null
  std::optional<provider::Credit> DecodeCredit(const http::Response& response) const override {
    const std::optional<rapidjson::Document> answer = base::ParseJson(response.body);
    if (response.status / 100 != 2 || !answer.has_value()) return std::nullopt;
    const std::optional<double> credits = base::JsonNumber(*answer, "team.credits");
    if (!credits.has_value()) return std::nullopt;
    return provider::Credit{*credits, "credits"};
  }

  void Authorize(http::Request& request, const provider::Destination& /*destination*/,
                 const provider::Credential& credential, absl::Time /*now*/) const override {
    AuthorizeRequest(request, credential);
  }
};

std::unique_ptr<google::protobuf::Message> NewOptions() { return std::make_unique<Options>(); }

absl::StatusOr<std::unique_ptr<const provider::Dialect>> Create(const google::protobuf::Message&) {
  return std::make_unique<const ApiframeDialect>();
}

}  // namespace

const provider::DialectFactory& Factory() {
  static const provider::DialectFactory factory = {"apiframe", &NewOptions, &Create};
  return factory;
}

}  // namespace assetgate::providers::apiframe
