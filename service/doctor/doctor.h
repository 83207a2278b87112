// What is wrong with a config, its secrets, its store, its ports and the way to its providers, seen
// from where this runs: `assetgate --doctor`.
#ifndef ASSETGATE_DOCTOR_DOCTOR_H_
#define ASSETGATE_DOCTOR_DOCTOR_H_

#include <optional>
#include <string>

#include "base/clock.h"
#include "config/config.h"
#include "doctor/finding.h"
#include "http/client.h"

namespace assetgate::doctor {

// What the doctor looks with. All of it outlives the call.
struct Tools {
  const config::Environment& environment;
  http::Client& http;
  const base::Clock& clock;
};

// Looks at everything that the config names, in this order: the config itself, secrets, store,
// ports, a gateway that runs here, the keys of issuers of JWTs that are fetched, then each
// provider's host, key and clock. Beside a running gateway as well: nothing is made, changed or
// locked, and no provider is asked for anything that costs. Where the config cannot be used, its
// faults are all there is to tell. True when nothing has failed.
bool Examine(const std::string& config_path, const Tools& tools, const Report& report);

// The parts; each adds what it finds.
void ExamineSecrets(const config::Config& config, const Report& report);
// The process that has the store, where it is one of this host's.
std::optional<int> ExamineStore(const config::Config& config, const Report& report);
// `gateway`: what ExamineStore has found.
void ExaminePorts(const config::Config& config, std::optional<int> gateway, const Report& report);
// Whether the gateway that has the admin port took its newest config; nothing where none runs.
void ExamineReload(const config::Config& config, const Tools& tools, const Report& report);
// These two wait for the answers.
void ExamineIssuers(const config::Config& config, const Tools& tools, const Report& report);
void ExamineProvider(const model::ProviderEntry& provider, const Tools& tools,
                     const Report& report);

}  // namespace assetgate::doctor

#endif  // ASSETGATE_DOCTOR_DOCTOR_H_
