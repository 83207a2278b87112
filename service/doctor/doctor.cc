#include "doctor/doctor.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config/load.h"
#include "store/open.h"

namespace assetgate::doctor {
namespace {

using Verdict = Finding::Verdict;

// Keys of the supported providers have at least 20 characters.
constexpr std::size_t kMinKeyLength = 12;

// Why a secret looks wrong, without showing it; empty where it does not. The config check has
// already rejected a secret that contains white space.
std::string SuspicionAbout(const std::string& secret) {
  const char first = secret.front();
  if ((first == '"' || first == '\'') && secret.back() == first) return "is in quotes";
  for (const absl::string_view word : {"changeme", "change-me", "placeholder", "replace", "example",
                                       "your-", "your_", "<", "xxxx"}) {
    if (absl::StrContains(absl::AsciiStrToLower(secret), word)) return "looks like a placeholder";
  }
  if (secret.size() < kMinKeyLength) {
    return absl::StrCat("is only ", secret.size(), " characters long");
  }
  return "";
}

std::string SourceOf(const config::SecretSource& source) {
  return source.env.empty() ? absl::StrCat("file ", source.file)
                            : absl::StrCat("environment variable ", source.env);
}

}  // namespace

void ExamineSecrets(const config::Config& config, const Report& report) {
  // Secret to provider id: two providers with one account would share its budget.
  std::map<std::string, std::string> seen;
  for (const auto& provider : config.providers) {
    for (const auto& [name, secret] : provider->credential.secrets) {
      Finding finding{Verdict::kOk, absl::StrCat("provider ", provider->id, ": secret ", name), "",
                      ""};
      const auto source = config.secret_sources.find(
          absl::StrCat("providers[", provider->id, "].credential.", name));
      const std::string from =
          source == config.secret_sources.end() ? "" : SourceOf(source->second);
      finding.detail = absl::StrCat("from ", from, ", ", secret.Reveal().size(), " characters");
      const std::string suspicion = SuspicionAbout(secret.Reveal());
      const auto [other, fresh] = seen.emplace(secret.Reveal(), provider->id);
      if (!suspicion.empty()) {
        finding.verdict = Verdict::kWarning;
        finding.detail = absl::StrCat("from ", from, ": it ", suspicion);
        finding.remedy = "put exactly the key there, as the provider shows it";
      } else if (!fresh) {
        finding.verdict = Verdict::kWarning;
        absl::StrAppend(&finding.detail, "; the same as that of provider ", other->second);
        finding.remedy =
            "give each provider its own account, or divide the account's limits between them";
      }
      report(finding);
    }
  }
}

std::optional<int> ExamineStore(const config::Config& config, const Report& report) {
  const auto found = store::Inspect(config.store);
  if (found.ok()) {
    report({Verdict::kOk, "store", found->description, ""});
    return found->holder;
  }
  const std::string fault(found.status().message());
  if (config.store.shared()) {
    // The message holds the remedy.
    report({Verdict::kFailed, "store", fault, ""});
  } else {
    report({Verdict::kFailed, "store", fault,
            absl::IsDataLoss(found.status())
                ? "restore a backup (docs/operations.md), or set another file in "
                  "store.sqlite.path"
                : "check the file and its directory, or set another file in store.sqlite.path"});
  }
  return std::nullopt;
}

bool Examine(const std::string& config_path, const Tools& tools, const Report& report) {
  bool failed = false;
  const Report counted = [&](const Finding& finding) {
    failed |= finding.verdict == Verdict::kFailed;
    report(finding);
  };
  const auto config = config::Load(config_path, tools.environment);
  if (!config.ok()) {
    for (const absl::string_view fault : absl::StrSplit(config.status().message(), '\n')) {
      counted({Verdict::kFailed, "config", std::string(fault), ""});
    }
    return false;
  }
  if (const absl::Status times = config::CheckTimes(*config); !times.ok()) {
    counted({Verdict::kFailed, "config", std::string(times.message()), ""});
  }
  counted({Verdict::kOk, "config",
           absl::StrCat(config_path, ": ", config->providers.size(), " providers, ",
                        config->routes.size(), " routes"),
           ""});
  ExamineSecrets(*config, counted);
  const std::optional<int> gateway = ExamineStore(*config, counted);
  ExaminePorts(*config, gateway, counted);
  ExamineReload(*config, tools, counted);
  ExamineIssuers(*config, tools, counted);
  for (const auto& provider : config->providers) ExamineProvider(*provider, tools, counted);
  return !failed;
}

}  // namespace assetgate::doctor
