#include "config/load.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "config/check_callers.h"
#include "config/check_listening.h"
#include "config/check_process.h"
#include "config/check_providers.h"
#include "config/check_routes.h"
#include "config/check_store.h"
#include "config/check_tracking.h"
#include "config/fields.h"
#include "config/reading.h"

namespace assetgate::config {
namespace {

void AddCredential(const std::string& path, const provider::Credential& credential,
                   const Config& config, Fields& fields) {
  for (const auto& [name, secret] : credential.secrets) {
    const std::string at = absl::StrCat(path, ".", name);
    const auto source = config.secret_sources.find(at);
    AddSecret(at, source == config.secret_sources.end() ? nullptr : &source->second, secret,
              fields);
  }
}

Fields AllFieldsOf(const file::Config& in, const Config& config) {
  Fields fields = FieldsOf(in, config);
  for (const auto& provider : config.providers) {
    const std::string path = absl::StrCat("providers[", provider->id, "].");
    AddCredential(path + "credential", provider->credential, config, fields);
    if (provider->previous_credential.has_value()) {
      AddCredential(path + "previous_credential", *provider->previous_credential, config, fields);
    }
    if (!provider->egress.proxy_credential.empty()) {
      AddSecret(path + "proxy_credential", nullptr, provider->egress.proxy_credential, fields);
    }
  }
  return fields;
}

}  // namespace

absl::StatusOr<Config> Parse(absl::string_view text, const std::string& name,
                             const Environment& environment) {
  if (text.size() > base::kMaxConfigBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":1: the file is larger than ", base::kMaxConfigBytes, " bytes"));
  }
  Reading reading(name, environment);
  if (!reading.Parse(text)) return reading.Result();
  Config config;
  CheckStore(reading, config);
  CheckTracking(reading, config);
  CheckProviders(reading, config);
  CheckRoutes(reading, config);
  CheckListening(reading, config);
  CheckCallers(reading, config);
  CheckProcess(reading, config);
  if (absl::Status faults = reading.Result(); !faults.ok()) return faults;
  config.fields = AllFieldsOf(reading.message(), config);
  return config;
}

absl::StatusOr<Config> Load(const std::string& path, const Environment& environment) {
  absl::StatusOr<std::string> text = environment.read_file(path, base::kMaxConfigBytes);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":1: the file ", text.status().message()));
  }
  return Parse(*text, path, environment);
}

absl::Status CheckTimes(const Config& config) {
  if (!config.tls.has_value() || config.tls->time_fault.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(config.tls->time_fault);
}

}  // namespace assetgate::config
