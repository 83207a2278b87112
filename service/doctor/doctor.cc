#include "doctor/doctor.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

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
  for (const config::Provider& provider : config.providers) {
    for (const auto& [name, secret] : provider.credential.credential.secrets) {
      Finding finding{Verdict::kOk, absl::StrCat("provider ", provider.id, ": secret ", name), "",
                      ""};
      const auto source = provider.credential.sources.find(name);
      const std::string from =
          source == provider.credential.sources.end() ? "" : SourceOf(source->second);
      finding.detail = absl::StrCat("from ", from, ", ", secret.Reveal().size(), " characters");
      const std::string suspicion = SuspicionAbout(secret.Reveal());
      const auto [other, fresh] = seen.emplace(secret.Reveal(), provider.id);
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
  Finding finding{Verdict::kOk, "store", "", ""};
  if (!config.postgres_uri.empty()) {
    store::PostgresStore::Options options;
    options.uri = config.postgres_uri.Reveal();
    options.name = "doctor";
    const auto found = store::PostgresStore::Inspect(options);
    if (!found.ok()) {
      // The message contains the remedy.
      report({Verdict::kFailed, "store", std::string(found.status().message()), ""});
      return std::nullopt;
    }
    finding.detail = absl::StrCat(
        "PostgreSQL ", found->server, " at ", found->address, ": ",
        found->version == 0 ? std::string("no schema yet; the gateway creates it when it starts")
                            : absl::StrCat("schema version ", found->version),
        "; privileges and notifications are in order; ",
        found->gateways.empty() ? std::string("no gateway uses it")
                                : absl::StrCat("used by: ", found->gateways));
    report(finding);
    return std::nullopt;
  }
  const auto found = store::SqliteStore::Inspect(config.sqlite_path);
  if (!found.ok()) {
    report({Verdict::kFailed, "store", std::string(found.status().message()),
            absl::IsDataLoss(found.status())
                ? "restore a backup (docs/operations.md), or set another file in store.sqlite.path"
                : "check the file and its directory, or set another file in store.sqlite.path"});
    return std::nullopt;
  }
  finding.detail = absl::StrCat("SQLite file ", config.sqlite_path, ": ");
  if (found->holder.has_value()) {
    absl::StrAppend(&finding.detail, "a gateway uses it, process ", *found->holder,
                    "; a second one would not start");
  } else if (!found->exists) {
    absl::StrAppend(&finding.detail, "does not exist yet; the gateway creates it when it starts");
  } else if (found->version == 0) {
    absl::StrAppend(&finding.detail, "empty; the gateway creates its schema when it starts");
  } else {
    absl::StrAppend(&finding.detail, "schema version ", found->version, ", not in use");
  }
  report(finding);
  return found->holder;
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
  for (const config::Provider& provider : config->providers) {
    ExamineProvider(provider, tools, counted);
  }
  return !failed;
}

}  // namespace assetgate::doctor
