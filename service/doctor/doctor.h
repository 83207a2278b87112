// `assetgate --doctor`: checks a config, its secrets, its store, its ports and the network path to
// its providers, from the machine it runs on.
#ifndef ASSETGATE_DOCTOR_DOCTOR_H_
#define ASSETGATE_DOCTOR_DOCTOR_H_

#include <optional>
#include <string>

#include "base/clock.h"
#include "config/config.h"
#include "config/environment.h"
#include "doctor/finding.h"
#include "http/client.h"

namespace assetgate::doctor {

// The means of the checks. Lifetime: all of them must outlive the call.
struct Tools {
  const config::Environment& environment;
  http::Client& http;
  const base::Clock& clock;
};

// Checks everything that the config names, in this order: the config itself, secrets, store, ports,
// a gateway that runs here, the keys of JWT issuers that are fetched, then each provider's host,
// key and clock. Safe beside a running gateway: it creates, changes and locks nothing, and makes no
// call to a provider that costs money. Where the config is invalid, it reports only the config's
// faults. Returns true when no check has failed.
bool Examine(const std::string& config_path, const Tools& tools, const Report& report);

// The parts of Examine.
void ExamineSecrets(const config::Config& config, const Report& report);
// Returns the process that holds the store, where it runs on this host.
std::optional<int> ExamineStore(const config::Config& config, const Report& report);
// `gateway`: the result of ExamineStore.
void ExaminePorts(const config::Config& config, std::optional<int> gateway, const Report& report);
// Checks whether the gateway on the admin port has accepted its newest config; reports nothing
// where no gateway runs.
void ExamineReload(const config::Config& config, const Tools& tools, const Report& report);
// Threading: these two block until the answers have arrived.
void ExamineIssuers(const config::Config& config, const Tools& tools, const Report& report);
void ExamineProvider(const model::ProviderEntry& provider, const Tools& tools,
                     const Report& report);

}  // namespace assetgate::doctor

#endif  // ASSETGATE_DOCTOR_DOCTOR_H_
