#include "providers/kyy/kyy.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "provider/rest.h"
#include "providers/kyy/capabilities.h"
#include "providers/kyy/decode.h"
#include "providers/kyy/encode.h"
#include "providers/kyy/options.pb.h"

namespace assetgate::providers::kyy {
namespace {

class KyyDialect : public provider::Dialect {
 public:
  const provider::Traits& traits() const override { return KyyTraits(); }
  std::vector<std::string> models() const override { return ModelNames(); }
  const v1::Capabilities* FindModel(absl::string_view model) const override {
    return CapabilitiesOf(model);
  }
  std::vector<provider::OptionFault> CheckOptions(
      provider::UnitKind kind, const google::protobuf::Struct& options) const override {
    return OptionFaults(kind, options);
  }

  absl::StatusOr<http::Request> EncodeSubmitAsset(
      const provider::AssetSubmission& asset) const override {
    return EncodeUpload(asset);
  }
  absl::StatusOr<http::Request> EncodeSubmitVideo(
      const provider::VideoSubmission& video) const override {
    return EncodeCreateVideo(video);
  }
  provider::SubmitResult DecodeSubmit(provider::UnitKind kind, const http::Request&,
                                      const http::Response& response,
                                      bool /*replay*/) const override {
    return kind == provider::UnitKind::kVideo ? DecodeCreateVideo(response)
                                              : DecodeUpload(response);
  }

  // video_…
  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view id,
                                              absl::string_view /*model*/) const override {
    constexpr absl::string_view kPrefix = "video_";
    if (!provider::IsId(id) || !absl::StartsWith(id, kPrefix) || id == kPrefix) {
      return provider::NotAnId(id, "video_…");
    }
    return provider::HandleOf(id);
  }

  std::vector<provider::PollCall> EncodePoll(
      provider::UnitKind kind, std::span<const provider::Handle> handles) const override {
    std::vector<provider::PollCall> calls;
    calls.reserve(handles.size());
    for (std::size_t i = 0; i < handles.size(); ++i) {
      calls.push_back({kind == provider::UnitKind::kVideo ? EncodeGetResult(handles[i])
                                                          : EncodeGetAsset(handles[i]),
                       {i}});
    }
    return calls;
  }
  provider::PollResult DecodePoll(provider::UnitKind kind, const http::Response& response,
                                  std::span<const provider::Handle> handles) const override {
    const provider::Handle handle = handles.empty() ? provider::Handle() : handles.front();
    return kind == provider::UnitKind::kVideo ? DecodeGetResult(response, handle)
                                              : DecodeGetAsset(response, handle);
  }

  std::optional<http::Request> EncodeDeleteAsset(const provider::Handle& handle) const override {
    return kyy::EncodeDeleteAsset(handle);
  }
  std::optional<provider::Failure> DecodeDeleteAsset(
      const http::Response& response) const override {
    return kyy::DecodeDeleteAsset(response);
  }

  // Authorization: Bearer {api_key}
  void Authorize(http::Request& request, const provider::Destination& /*destination*/,
                 const provider::Credential& credential, absl::Time /*now*/) const override {
    provider::AuthorizeBearer(request, credential);
  }
};

std::unique_ptr<google::protobuf::Message> NewOptions() { return std::make_unique<Options>(); }

absl::StatusOr<std::unique_ptr<const provider::Dialect>> Create(const google::protobuf::Message&) {
  return std::make_unique<const KyyDialect>();
}

}  // namespace

const provider::DialectFactory& Factory() {
  static const provider::DialectFactory factory = {"kyy", &NewOptions, &Create};
  return factory;
}

}  // namespace assetgate::providers::kyy
