// A config file. It reads variables and files that are not there but for one of each, and nothing
// from this machine.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config/catalog_of.h"
#include "config/config.pb.h"
#include "config/load.h"
#include "config/reload.h"
#include "providers/dialects.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

constexpr absl::string_view kSecret = "secret-5d41402abc4b2a76b9719d911017c592";
constexpr absl::string_view kFile = "fuzz.yaml";

config::Environment Environment() {
  config::Environment environment;
  environment.dialects = providers::AllDialects();
  environment.getenv = [](const std::string& name) -> std::optional<std::string> {
    if (absl::EndsWith(name, "KEY")) return std::string(kSecret);
    return std::nullopt;
  };
  environment.read_file = [](const std::string& path, std::size_t) -> absl::StatusOr<std::string> {
    if (absl::EndsWith(path, "key")) return std::string(kSecret);
    return absl::NotFoundError("cannot be opened");
  };
  return environment;
}

void CheckFaults(absl::string_view text, absl::string_view input, Claims& claims) {
  claims.Hold(!text.empty(), "a rejected config has a fault");
  claims.Hold(!absl::StrContains(text, kSecret) || absl::StrContains(input, kSecret),
              "no fault shows a secret");
  int last_line = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    claims.Plain("a fault", line, 4096);
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    int number = 0;
    claims.Hold(parts.size() == 3 && parts[0] == kFile && absl::SimpleAtoi(parts[1], &number) &&
                    number >= 1,
                "a fault begins with FILE:LINE:", line);
    claims.Hold(number >= last_line, "faults are in the order of the file", text);
    last_line = number;
  }
}

void CheckConfig(config::Config& config, Claims& claims) {
  for (const base::HostPort& address : {config.listen, config.admin_listen}) {
    claims.Hold(!address.host.empty() && address.port >= 0 && address.port <= 65535,
                "an address is valid", address.ToString());
  }
  claims.Hold(!config.store.sqlite_path.empty() || config.store.shared(), "there is a store");
  claims.Hold(!config.providers.empty(), "there is a provider");
  for (const auto& shared : config.providers) {
    const model::ProviderEntry& provider = *shared;
    claims.Hold(provider.dialect != nullptr, "a provider has a dialect", provider.id);
    claims.Plain("an id", provider.id, 63);
    claims.Hold(!provider.id.empty(), "a provider has an id");
    claims.Hold(!absl::EndsWith(provider.base_url, "/"), "a base URL ends without a slash");
    claims.Sendable({.path = "/"});
    claims.Hold(provider.limits.requests_per_second > 0 &&
                    provider.limits.requests_per_second <= 10'000 &&
                    provider.limits.max_in_flight > 0,
                "limits are limits", provider.id);
    claims.Hold(
        provider.call_timeout >= absl::Seconds(1) && provider.call_timeout <= absl::Minutes(10),
        "a timeout is between 1 s and 10 min");
    for (const auto& polling :
         {provider.group_polling, provider.asset_polling, provider.video_polling}) {
      claims.Hold(polling.first >= absl::Milliseconds(10) &&
                      polling.floor >= absl::Milliseconds(10) && polling.ceiling >= polling.floor,
                  "polls leave time between them", provider.id);
    }
    for (const std::string& secret : provider.dialect->traits().secrets) {
      const auto& secrets = provider.credential.secrets;
      const auto found = secrets.find(secret);
      claims.Hold(found != secrets.end() && found->second.Reveal() == kSecret,
                  "a provider has its key", provider.id);
    }
  }
  const auto has = [&config](const auto& is_it) {
    return std::any_of(config.providers.begin(), config.providers.end(), is_it);
  };
  for (const std::string& id : config.asset_providers) {
    claims.Hold(has([&](const auto& each) { return each->id == id; }), "asset_providers exist");
  }
  for (const model::ModelEntry& route : config.routes) {
    claims.Hold(!route.targets.empty(), "a route leads somewhere", route.id);
    for (const model::Target& target : route.targets) {
      const bool exists = has([&](const auto& each) { return each.get() == target.provider; });
      claims.Hold(
          exists && target.capabilities != nullptr &&
              target.provider->dialect->FindModel(target.provider_model) == target.capabilities,
          "a target is a provider's model", target.provider_model);
      claims.Hold(target.weight > 0, "a target has a weight", target.provider_model);
    }
  }
  claims.Hold(config.max_message_bytes > 0 && config.max_response_bytes > 0, "sizes are positive");
  if (claims.broken().has_value()) return;
  claims.Hold(config::CatalogOf(config) != nullptr, "a config has a catalog");
  const auto again = config::PlanReload(config, config);
  claims.Hold(again.ok() && again->changed.empty() && again->at_restart.empty(),
              "a config that is read again changes nothing");
}

std::optional<std::string> Check(absl::string_view input) {
  static const config::Environment& environment = *new config::Environment(Environment());
  Claims claims;
  auto config = config::Parse(input, std::string(kFile), environment);
  if (config.ok()) {
    CheckConfig(*config, claims);
  } else {
    CheckFaults(config.status().message(), input, claims);
  }
  return claims.broken();
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  const auto deploy = std::filesystem::path(ASSETGATE_SOURCE_DIR) / "deploy";
  for (const char* const name :
       {"assetgate.example.yaml", "simulator.yaml", "simulator.replicas.yaml",
        "kustomize/overlays/embedded/assetgate.yaml",
        "kustomize/overlays/replicated/assetgate.yaml"}) {
    std::ifstream file(deploy / name);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    seeds.push_back(std::move(text));
  }
  return seeds;
}

void AddFields(const google::protobuf::Descriptor& message, std::set<std::string>& words) {
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *message.field(i);
    if (!words.insert(absl::StrCat(field.name(), ": ")).second) continue;
    if (field.message_type() != nullptr) AddFields(*field.message_type(), words);
    if (field.enum_type() == nullptr) continue;
    for (int value = 0; value < field.enum_type()->value_count(); ++value) {
      words.insert(field.enum_type()->value(value)->name());
    }
  }
}

std::set<std::string> Words() {
  std::set<std::string> words = {
      "A_KEY", "a.key",  "{env: A_KEY}", "{file: a.key}", "api_key: ",         "- ",
      "1m30s", "\n  ",   "127.0.0.1:0",  "[::]:1",        "https://host/path", "&a ",
      "*a",    "<<: *a", "!!str ",       "%YAML 1.2"};
  AddFields(*config::file::Config::descriptor(), words);
  for (const provider::DialectFactory* const factory : providers::AllDialects()) {
    words.insert(factory->name);
    const auto dialect = *factory->create(*factory->new_options());
    for (const std::string& model : dialect->models()) words.insert(model);
  }
  return words;
}

}  // namespace

Target ConfigTarget() { return {.name = "config", .check = Check, .seeds = Seeds, .words = Words}; }

}  // namespace assetgate::fuzz
