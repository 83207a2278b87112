#include "providers/octopusx/octopusx.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "provider/rest.h"
#include "providers/octopusx/capabilities.h"
#include "providers/octopusx/decode.h"
#include "providers/octopusx/encode.h"
#include "providers/octopusx/handle.h"
#include "providers/octopusx/options.pb.h"

namespace assetgate::providers::octopusx {
namespace {

using provider::UnitKind;

class OctopusxDialect : public provider::Dialect {
 public:
  const provider::Traits& traits() const override { return OctopusxTraits(); }
  std::vector<std::string> models() const override { return ModelNames(); }
  const v1::Capabilities* FindModel(absl::string_view model) const override {
    return CapabilitiesOf(model);
  }
  std::vector<provider::OptionFault> CheckOptions(
      UnitKind kind, const google::protobuf::Struct& options) const override {
    return OptionFaults(kind, options);
  }

  absl::StatusOr<http::Request> EncodeSubmitGroup(
      const provider::GroupSubmission& group) const override {
    return EncodeCreateGroup(group);
  }
  absl::StatusOr<http::Request> EncodeSubmitAsset(
      const provider::AssetSubmission& asset) const override {
    return EncodeCreateAsset(asset);
  }
  absl::StatusOr<http::Request> EncodeSubmitVideo(
      const provider::VideoSubmission& video) const override {
    return EncodeCreateVideo(video);
  }
  provider::SubmitResult DecodeSubmit(UnitKind kind, const http::Request&,
                                      const http::Response& response,
                                      bool /*replay*/) const override {
    switch (kind) {
      case UnitKind::kAssetGroup:
        return DecodeCreateGroup(response);
      case UnitKind::kAsset:
        return DecodeCreateAsset(response);
      case UnitKind::kVideo:
        break;
    }
    return DecodeCreateVideo(response);
  }

  // cgt-… or task_…, and otherwise opaque: only ids of other kinds are rejected.
  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view id,
                                              absl::string_view /*model*/) const override {
    if (!provider::IsId(id) || absl::StartsWith(id, "asset-") || absl::StartsWith(id, "asset:") ||
        absl::StartsWith(id, "group-")) {
      return provider::NotAnId(id, "cgt-… or task_…");
    }
    return MakeHandle({.id = "", .task_id = std::string(id)});
  }

  // A group exists with the answer to its creation and is never polled: no call reads one.
  std::vector<provider::PollCall> EncodePoll(
      UnitKind kind, std::span<const provider::Handle> handles) const override {
    std::vector<provider::PollCall> calls;
    if (kind == UnitKind::kAssetGroup) return calls;
    calls.reserve(handles.size());
    for (std::size_t i = 0; i < handles.size(); ++i) {
      calls.push_back(
          {kind == UnitKind::kVideo ? EncodeQueryVideo(handles[i]) : EncodeGetAsset(handles[i]),
           {i}});
    }
    return calls;
  }
  provider::PollResult DecodePoll(UnitKind kind, const http::Response& response,
                                  std::span<const provider::Handle> handles) const override {
    const provider::Handle handle = handles.empty() ? provider::Handle() : handles.front();
    return kind == UnitKind::kVideo ? DecodeQueryVideo(response, handle)
                                    : DecodeGetAsset(response, handle);
  }

  // Authorization: Bearer {api_key}
  void Authorize(http::Request& request, const provider::Destination& /*destination*/,
                 const provider::Credential& credential, absl::Time /*now*/) const override {
    provider::AuthorizeBearer(request, credential);
  }
};

std::unique_ptr<google::protobuf::Message> NewOptions() { return std::make_unique<Options>(); }

absl::StatusOr<std::unique_ptr<const provider::Dialect>> Create(const google::protobuf::Message&) {
  return std::make_unique<const OctopusxDialect>();
}

}  // namespace

const provider::DialectFactory& Factory() {
  static const provider::DialectFactory factory = {"octopusx", &NewOptions, &Create};
  return factory;
}

}  // namespace assetgate::providers::octopusx
