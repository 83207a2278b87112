#include "tests/conformance/profile.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "rapidjson/document.h"

namespace assetgate::conformance {
namespace {

// Reads one conformance.json. Every member must be known.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  Profile Read() {
    std::ifstream file(path_);
    if (!file) Fail("cannot be read");
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    const std::optional<rapidjson::Document> document = base::ParseJson(text);
    if (!document.has_value() || !document->IsObject()) Fail("is not a JSON object");
    Profile profile;
    for (const auto& [name, value] : document->GetObject()) {
      Member(name.GetString(), value, profile);
    }
    if (profile.model.empty()) Fail("names no \"model\"");
    return profile;
  }

 private:
  [[noreturn]] void Fail(absl::string_view what) const {
    std::fprintf(stderr, "%s %s\n", path_.c_str(), std::string(what).c_str());
    std::abort();
  }

  void Member(absl::string_view name, const rapidjson::Value& value, Profile& profile) const {
    if (name == "model") {
      profile.model = value.GetString();
    } else if (name == "mount") {
      profile.mount = value.GetString();
    } else if (name == "secrets") {
      profile.secrets = Texts(value);
    } else if (name == "idempotency_key") {
      profile.idempotency_key = value.GetBool();
    } else if (name == "planes") {
      for (const auto& [plane, mount] : value.GetObject()) {
        profile.planes[plane.GetString()] = mount.GetString();
      }
    } else if (name == "asset_failures_have_reasons") {
      profile.asset_failures_have_reasons = value.GetBool();
    } else if (name == "inner_states") {
      profile.inner_states = value.GetBool();
    } else if (name == "state_words") {
      profile.succeeded_words = Texts(value["succeeded"]);
      profile.failed_words = Texts(value["failed"]);
    } else if (name == "faults") {
      for (const auto& [fault, outcome] : value.GetObject()) {
        profile.faults[fault.GetString()] = OutcomeOf(outcome.GetString());
      }
    } else if (name == "units") {
      for (const auto& unit : value.GetArray()) profile.units.push_back(UnitOf(unit));
    } else if (name == "link_faults") {
      for (const auto& fault : value.GetArray()) {
        profile.link_faults.push_back(base::WriteJson(fault));
      }
    } else if (name == "errors") {
      for (const auto& error : value.GetArray()) profile.errors.push_back(ErrorOf(error));
    } else {
      Fail(absl::StrCat("has an unknown member \"", name, "\"; see profile.h"));
    }
  }

  static std::vector<std::string> Texts(const rapidjson::Value& value) {
    std::vector<std::string> texts;
    for (const auto& text : value.GetArray()) texts.emplace_back(text.GetString());
    return texts;
  }

  provider::Outcome OutcomeOf(absl::string_view word) const {
    if (word == "REFUSED") return provider::Outcome::kRefused;
    if (word == "NOT_ACCEPTED") return provider::Outcome::kNotAccepted;
    if (word == "UNKNOWN") return provider::Outcome::kUnknown;
    Fail(absl::StrCat("has an unknown outcome \"", word, "\""));
  }

  Profile::Unit UnitOf(const rapidjson::Value& value) const {
    Profile::Unit unit;
    const std::string kind = base::JsonText(value, "kind");
    unit.kind = kind == "group"   ? provider::UnitKind::kAssetGroup
                : kind == "asset" ? provider::UnitKind::kAsset
                                  : provider::UnitKind::kVideo;
    unit.id_name = base::JsonText(value, "id_name");
    unit.id = base::JsonText(value, "id");
    unit.state_name = base::JsonString(value, "state_name").value_or("status");
    unit.polled = base::JsonBool(value, "polled").value_or(true);
    if (unit.id_name.empty() || unit.id.empty()) Fail("has a unit without \"id_name\" or \"id\"");
    return unit;
  }

  Profile::Error ErrorOf(const rapidjson::Value& value) const {
    Profile::Error error;
    error.name = base::JsonText(value, "name");
    error.call = base::JsonText(value, "call");
    error.status = static_cast<int>(base::JsonInteger(value, "status").value_or(0));
    if (const auto* const body = base::FindJson(value, "body")) error.body = base::WriteJson(*body);
    error.outcome = OutcomeOf(base::JsonText(value, "outcome"));
    const std::string reason = base::JsonText(value, "reason");
    if (!reason.empty() && !v1::ErrorReason_Parse(reason, &error.reason)) {
      Fail(absl::StrCat("has an unknown reason \"", reason, "\""));
    }
    error.message = base::JsonText(value, "message");
    return error;
  }

  const std::string path_;
};

}  // namespace

const Profile& ProfileOf(const std::string& dialect) {
  static auto* const profiles = new std::map<std::string, Profile>();
  auto found = profiles->find(dialect);
  if (found == profiles->end()) {
    const std::string path =
        absl::StrCat(ASSETGATE_SOURCE_DIR, "/providers/", dialect, "/conformance.json");
    found = profiles->emplace(dialect, Reader(path).Read()).first;
  }
  return found->second;
}

}  // namespace assetgate::conformance
