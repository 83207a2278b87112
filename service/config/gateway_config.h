// The part of a config that does not depend on dialects: every section but providers and routes.
#ifndef ASSETGATE_CONFIG_GATEWAY_CONFIG_H_
#define ASSETGATE_CONFIG_GATEWAY_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "auth/callers.h"
#include "auth/tls_material.h"
#include "base/host_port.h"
#include "base/log.h"
#include "model/settings.h"
#include "store/location.h"

namespace assetgate::config {

// How each connection is kept alive and ended; see config.proto.
struct Connections {
  absl::Duration max_age = absl::InfiniteDuration();
  absl::Duration max_age_grace = absl::Minutes(5);
  absl::Duration keepalive_time = absl::Minutes(2);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  int max_concurrent_streams = 1000;
};

struct Tls {
  // Paths of PEM files.
  std::string certificate;
  std::string key;
  // Empty: clients are not asked for certificates.
  std::string client_ca;
  bool client_certificate_required = false;
  // The content of the files: complete, and belonging together.
  auth::TlsMaterial material;
  // The fault that the certificate has expired or is not valid yet; empty while it is valid. See
  // CheckTimes in load.h.
  std::string time_fault;
};

// Where a secret came from. One of the two is set.
struct SecretSource {
  std::string env;
  std::string file;
};

// Field path ("providers[kyy].limits.max_in_flight") -> the text there, to be compared and not to
// be shown. Providers, routes, callers and issuers are identified by their names, so that their
// order in the file makes no difference. A secret is its source and a hash of its text.
using Fields = std::map<std::string, std::string>;

struct GatewayConfig {
  base::HostPort listen;
  std::optional<Tls> tls;
  auth::Callers callers;
  Connections connections;
  base::HostPort admin_listen;
  store::Location store;
  // Infinite: nothing is purged.
  absl::Duration purge_video_tasks_after = absl::InfiniteDuration();
  // The values of `tracking` and `submit_timeout`, with the built-in defaults for the rest.
  model::Settings settings;
  base::LogFormat log_format = base::LogFormat::kJson;
  base::LogLevel log_level = base::LogLevel::kInfo;
  int max_message_bytes = 0;
  int max_response_bytes = 0;
  int max_concurrent_calls = 0;
  int max_concurrent_calls_per_caller = 0;
  // Of the process, in bytes.
  std::int64_t memory = 0;
  absl::Duration bookmark_interval;
  absl::Duration shutdown_timeout;
  absl::Duration drain_delay;
  bool debug_reflection = false;
  bool debug_channelz = false;
  // The content of the file, to find the differences from another config; see fields.h.
  Fields fields;
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_GATEWAY_CONFIG_H_
