#include "providers/zerozero/zerozero.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/text.h"
#include "provider/rest.h"
#include "providers/zerozero/capabilities.h"
#include "providers/zerozero/decode.h"
#include "providers/zerozero/encode.h"
#include "providers/zerozero/handle.h"
#include "providers/zerozero/options.pb.h"
#include "providers/zerozero/settings.h"

namespace assetgate::providers::zerozero {
namespace {

using provider::UnitKind;

class ZerozeroDialect : public provider::Dialect {
 public:
  explicit ZerozeroDialect(Settings settings) : settings_(std::move(settings)) {}

  const provider::Traits& traits() const override { return ZerozeroTraits(); }
  std::vector<std::string> models() const override { return ModelNames(); }
  const v1::Capabilities* FindModel(absl::string_view model) const override {
    return CapabilitiesOf(model);
  }
  std::vector<provider::OptionFault> CheckOptions(
      UnitKind kind, const google::protobuf::Struct& options) const override {
    return OptionFaults(settings_, kind, options);
  }

  absl::StatusOr<http::Request> EncodeSubmitGroup(
      const provider::GroupSubmission& group) const override {
    return EncodeCreateGroup(settings_, group);
  }
  absl::StatusOr<http::Request> EncodeSubmitAsset(
      const provider::AssetSubmission& asset) const override {
    return EncodeCreateAsset(settings_, asset);
  }
  absl::StatusOr<http::Request> EncodeSubmitVideo(
      const provider::VideoSubmission& video) const override {
    return EncodeCreateVideo(settings_, video);
  }
  provider::SubmitResult DecodeSubmit(UnitKind kind, const http::Request& request,
                                      const http::Response& response,
                                      bool /*replay*/) const override {
    switch (kind) {
      case UnitKind::kAssetGroup:
        return DecodeCreateGroup(request, response);
      case UnitKind::kAsset:
        return DecodeCreateAsset(request, response);
      case UnitKind::kVideo:
        break;
    }
    return DecodeCreateVideo(request, response);
  }

  // vt-…, case-sensitive
  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view id,
                                              absl::string_view model) const override {
    if (!provider::IsId(id) || !absl::StartsWith(id, "vt-") || id.size() == 3) {
      return provider::NotAnId(id, "vt-…");
    }
    return MakeVideoHandle(id, model);
  }

  std::vector<provider::PollCall> EncodePoll(
      UnitKind kind, std::span<const provider::Handle> handles) const override {
    std::vector<provider::PollCall> calls;
    calls.reserve(handles.size());
    for (std::size_t i = 0; i < handles.size(); ++i) {
      calls.push_back({EncodeGet(kind, handles[i]), {i}});
    }
    return calls;
  }
  provider::PollResult DecodePoll(UnitKind kind, const http::Response& response,
                                  std::span<const provider::Handle> handles) const override {
    const provider::Handle handle = handles.empty() ? provider::Handle() : handles.front();
    switch (kind) {
      case UnitKind::kAssetGroup:
        return DecodeGetGroup(response, handle);
      case UnitKind::kAsset:
        return DecodeGetAsset(response, handle);
      case UnitKind::kVideo:
        break;
    }
    return DecodeGetVideo(response, handle);
  }

  // GET /v1/usage: whether the key is good, and what its account has left
  std::optional<http::Request> EncodeCheckCredential() const override {
    return provider::JsonRequest("GET", "/usage");
  }
  // {"balance": 99, "remaining": 14.16, "isValid": true, "unit": "USD"}
  std::optional<provider::Failure> DecodeCheckCredential(
      const http::Response& response) const override {
    if (std::optional<provider::Failure> failure = Dialect::DecodeCheckCredential(response)) {
      return failure;
    }
    const std::optional<rapidjson::Document> answer = base::ParseJson(response.body);
    if (!answer.has_value()) {
      provider::Failure failure = provider::FailureOf(response, "", "the answer is not JSON");
      failure.reason = v1::PROVIDER_PROTOCOL_ERROR;
      return failure;
    }
    if (base::JsonBool(*answer, "isValid") == false) {
      provider::Failure failure = provider::FailureOf(response, "", "the key is invalid");
      failure.reason = v1::PROVIDER_CREDENTIALS_REJECTED;
      return failure;
    }
    const std::optional<provider::Credit> credit = DecodeCredit(response);
    if (credit.has_value() && credit->amount <= 0) {
      provider::Failure failure = provider::FailureOf(response, "", "nothing remains");
      failure.reason = v1::PROVIDER_OUT_OF_CREDIT;
      return failure;
    }
    return std::nullopt;
  }
  std::optional<provider::Credit> DecodeCredit(const http::Response& response) const override {
    const std::optional<rapidjson::Document> answer = base::ParseJson(response.body);
    if (response.status / 100 != 2 || !answer.has_value()) return std::nullopt;
    const std::optional<double> remaining = base::JsonNumber(*answer, "remaining");
    if (!remaining.has_value()) return std::nullopt;
    const std::string unit = base::CleanText(base::JsonText(*answer, "unit"), 16);
    return provider::Credit{*remaining, unit.empty() ? "credits" : unit};
  }

  // Authorization: Bearer {api_key}
  void Authorize(http::Request& request, const provider::Destination& /*destination*/,
                 const provider::Credential& credential, absl::Time /*now*/) const override {
    provider::AuthorizeBearer(request, credential);
  }

 private:
  http::Request EncodeGet(UnitKind kind, const provider::Handle& handle) const {
    switch (kind) {
      case UnitKind::kAssetGroup:
        return EncodeGetGroup(settings_, handle);
      case UnitKind::kAsset:
        return EncodeGetAsset(settings_, handle);
      case UnitKind::kVideo:
        break;
    }
    return EncodeGetVideo(handle);
  }

  const Settings settings_;
};

std::unique_ptr<google::protobuf::Message> NewOptions() { return std::make_unique<Options>(); }

absl::Status CheckWord(absl::string_view option, absl::string_view value) {
  const bool graphic = std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (graphic && value.size() <= 64) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": must be one word of at most 64 printable ASCII characters"));
}

absl::StatusOr<std::unique_ptr<const provider::Dialect>> Create(
    const google::protobuf::Message& message) {
  const auto& options = static_cast<const Options&>(message);
  Settings settings;
  if (options.has_platform()) settings.platform = options.platform();
  if (options.has_project_name()) settings.project_name = options.project_name();
  settings.route = options.route();
  if (settings.platform.empty()) {
    return absl::InvalidArgumentError(
        "platform: must not be empty; leave it out for JIMENG, the default");
  }
  for (const auto& [option, value] :
       {std::pair<const char*, const std::string&>{"platform", settings.platform},
        {"project_name", settings.project_name},
        {"route", settings.route}}) {
    if (absl::Status status = CheckWord(option, value); !status.ok()) return status;
  }
  return std::make_unique<const ZerozeroDialect>(std::move(settings));
}

}  // namespace

const provider::DialectFactory& Factory() {
  static const provider::DialectFactory factory = {"zerozero", &NewOptions, &Create};
  return factory;
}

}  // namespace assetgate::providers::zerozero
