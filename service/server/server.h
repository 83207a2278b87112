// The whole gateway in one object, which main starts and stops.
#ifndef ASSETGATE_SERVER_SERVER_H_
#define ASSETGATE_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "http/client.h"
#include "store/store.h"

namespace assetgate {

// Test and fault-injection hooks: each gets the part that the config asks for and returns the part
// to use in its place. Lifetime: the part that it gets outlives the one that it returns.
struct Decorators {
  // Replaces the machine's clock; outlives the server.
  const base::Clock* clock = nullptr;
  std::function<std::unique_ptr<store::Store>(store::Store&)> store;
  std::function<std::unique_ptr<http::Client>(http::Client&)> http;
};

// A gateway that serves. The one place that knows how the parts are wired.
class Server {
 public:
  // Opens the store, then the ports, resumes unfinished work, and serves.
  // Errors: name the file or address at fault; nothing is left open.
  static absl::StatusOr<std::unique_ptr<Server>> Start(config::Config config, base::Log log,
                                                       const Decorators& decorators = {});
  // Shuts down, if Shutdown was not called.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The addresses of gRPC and of the admin pages: HOST:PORT, with the port that the system chose.
  std::string address() const;
  std::string admin_address() const;

  // Puts into force what another config can change while the gateway serves (see config/reload.h);
  // it is in force on return. A config with faults, or with files that cannot be read, changes
  // nothing. A log line and a metric report the result. Threading: one thread, that of Reread.
  void Reload(absl::StatusOr<config::Config> config);
  // Starts fetches of issuers' keys that are due, and logs faults of the keys, of the store's files
  // and of the certificate in force. Reads no file but the store. To be called every few seconds.
  void Reread();

  // Of the config in force: how long to wait between Leave and Shutdown.
  absl::Duration drain_delay() const;
  absl::Duration shutdown_timeout() const;
  // Announces the shutdown: /readyz reports not ready, and gRPC's health service NOT_SERVING.
  // Everything else goes on, for callers that have not noticed yet.
  void Leave();
  // Shuts down in order: leaves; ends streams with a last BOOKMARK; answers waiting calls with the
  // current state; accepts no more calls; records submissions under way. Calls that are open after
  // the config's shutdown_timeout are cancelled. Idempotent. Not from a call's thread.
  void Shutdown();

 private:
  struct Wiring;
  explicit Server(std::unique_ptr<Wiring> wiring);

  std::unique_ptr<Wiring> wiring_;
};

}  // namespace assetgate

#endif  // ASSETGATE_SERVER_SERVER_H_
