// The config as the program sees it: read, checked, defaults filled in. What the file may say, and
// every default, is in config.proto.
#ifndef ASSETGATE_CONFIG_CONFIG_H_
#define ASSETGATE_CONFIG_CONFIG_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "auth/callers.h"
#include "auth/tls_material.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "http/egress.h"
#include "model/catalog.h"
#include "model/settings.h"
#include "provider/dialect.h"
#include "store/store.h"

namespace assetgate::config {

// An address to listen on.
struct HostPort {
  // Without brackets.
  std::string host;
  // 0: the system chooses.
  int port = 0;

  // With brackets where the host is an IPv6 address.
  std::string ToString() const;
};

// Where a secret came from. One of the two is set.
struct SecretSource {
  std::string env;
  std::string file;
};

// A credential, and where each of its secrets came from, by the secret's name.
struct Credential {
  provider::Credential credential;
  std::map<std::string, SecretSource> sources;
};

struct Provider {
  std::string id;
  std::shared_ptr<const provider::Dialect> dialect;
  // Without a slash at its end.
  std::string base_url;
  // Likewise, of each of the dialect's planes.
  std::map<std::string, std::string> planes;
  Credential credential;
  std::optional<Credential> previous_credential;
  v1::Provider::Mode mode = v1::Provider::SERVE;
  double requests_per_second = 0;
  int max_in_flight = 0;
  // Of one call, where `timeouts` has zero.
  absl::Duration timeout;
  // What the file says, or else the dialect where the file sets no `timeout`.
  provider::CallTimeouts timeouts;
  http::Egress egress;
  model::SlotLimits slots;
  // The dialect's intervals, with what the file says in their place.
  provider::Polling group_polling;
  provider::Polling asset_polling;
  provider::Polling video_polling;
};

struct Target {
  // Index in Config::providers.
  std::size_t provider = 0;
  // One of the dialect's models.
  std::string model;
  int priority = 0;
  int weight = 1;
};

struct Route {
  std::string model;
  // By priority, then in the order of the file. Never empty.
  std::vector<Target> targets;
  // Only the generation fields that the file names are set.
  v1::VideoTask defaults;
};

// Of each connection; see config.proto.
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
  // What the files held: whole, and belonging together.
  auth::TlsMaterial material;
  // The line that says that the certificate has expired, or is not valid yet; empty where neither
  // is so. See CheckTimes.
  std::string time_fault;
};

struct Config {
  HostPort listen;
  std::optional<Tls> tls;
  auth::Callers callers;
  Connections connections;
  HostPort admin_listen;
  // Of the store: one of the two. The connection string may hold a password.
  std::string sqlite_path;
  base::Secret postgres_uri;
  // Of the store in PostgreSQL.
  absl::Duration lease_duration;
  store::Retention retention;
  // Infinite: nothing is purged.
  absl::Duration purge_video_tasks_after = absl::InfiniteDuration();
  // In the order of the file. Never empty.
  std::vector<Provider> providers;
  // Indexes in `providers`.
  std::vector<std::size_t> asset_providers;
  std::vector<Route> routes;
  // What the file says of tracking and submissions; core's own defaults for the rest.
  model::Settings core;
  base::LogFormat log_format = base::LogFormat::kJson;
  base::LogLevel log_level = base::LogLevel::kInfo;
  int max_message_bytes = 0;
  int max_response_bytes = 0;
  int max_concurrent_calls = 0;
  int max_concurrent_calls_per_caller = 0;
  std::int64_t memory = 0;
  absl::Duration bookmark_interval;
  absl::Duration shutdown_timeout;
  absl::Duration drain_delay;
  bool debug_reflection = false;
  bool debug_channelz = false;
  // What the file says, to tell in what another config differs; see config_fields.h.
  std::map<std::string, std::string> fields;
};

// What reading a config needs from outside.
struct Environment {
  // The dialects that a provider can name.
  std::vector<const provider::DialectFactory*> dialects;
  // The value of an environment variable; absent when it is not set. The process's own by default.
  std::function<std::optional<std::string>(const std::string& name)> getenv = ProcessVariable;
  // As base::ReadFile, which it is by default.
  std::function<absl::StatusOr<std::string>(const std::string& path, std::size_t max_bytes)>
      read_file = base::ReadFile;
  // By which certificates are valid.
  std::function<absl::Time()> now = absl::Now;

  static std::optional<std::string> ProcessVariable(const std::string& name);
};

// Providers, routes and core's numbers in the form in which core takes them.
model::CatalogPtr MakeCatalog(const Config& config);

// Whether all certificates were valid when the config was read: a gateway does not start otherwise.
// It is apart from Load, since one that serves must take other changes although its certificate has
// expired.
absl::Status CheckTimes(const Config& config);

// Reads and checks the file at `path`, and the files it points to: secrets, certificates, keys.
// Reads files, opens nothing else.
//
// The error's message has one line per fault, in the order of the file:
//   assetgate.yaml:12: providers[1].base_url: does not begin with https://; write https://HOST/PATH
// It never holds a secret, nor anything that was written in the place of one.
absl::StatusOr<Config> Load(const std::string& path, const Environment& environment);

// Likewise, from the text of a file that is called `name`.
absl::StatusOr<Config> Parse(absl::string_view text, const std::string& name,
                             const Environment& environment);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CONFIG_H_
