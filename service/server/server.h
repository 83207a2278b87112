// The whole gateway in one object: what main starts and stops.
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

// What stands between the gateway and its parts, when something is to: each is given the part that
// the config asks for, which outlives what it makes, and makes what is used in its place.
struct Decorators {
  // In place of the machine's clock; outlives the server.
  const base::Clock* clock = nullptr;
  std::function<std::unique_ptr<store::Store>(store::Store&)> store;
  std::function<std::unique_ptr<http::Client>(http::Client&)> http;
};

// For after a backup of the config's store was put in its place, while no gateway has it open:
// older resume tokens start over from now on. Returns what to tell the operator.
absl::StatusOr<std::string> MarkRestored(const config::Config& config);

// A gateway that serves. The one place that knows how the parts are wired.
class Server {
 public:
  // Opens the store, then the ports, takes up unfinished work, and serves. An error says which file
  // or address is to blame; nothing is left open then.
  static absl::StatusOr<std::unique_ptr<Server>> Start(config::Config config, base::Log log,
                                                       const Decorators& decorators = {});
  // Shuts down, if Shutdown was not called.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where gRPC and the admin pages are served: HOST:PORT with the port that was chosen.
  std::string address() const;
  std::string admin_address() const;

  // Takes over from another config what can change while it serves (see config_reload.h); it is in
  // force when this returns. One that has faults, or files that cannot be read, changes nothing.
  // The log and a metric say what has become of it. Not from several threads.
  void Reload(absl::StatusOr<config::Config> config);
  // Has keys of issuers fetched that are due, and says in the log what is wrong with them, with the
  // store's files, and with the certificate in force. Reads no file but the store. To be called
  // every few seconds, from the thread of Reload.
  void Reread();

  // Of the config in force: how long to wait between Leave and Shutdown.
  absl::Duration drain_delay() const;
  absl::Duration shutdown_timeout() const;
  // Says that it is about to go away: not ready, and not serving to those who ask gRPC's health
  // service. Everything goes on as before, for those who have not heard.
  void Leave();
  // Goes away in order: what Leave does; streams get a last BOOKMARK; waiting calls are answered
  // with what is there; no more calls; submissions under way are recorded. What is open after the
  // config's shutdown_timeout is cut. Idempotent; not from a call's thread.
  void Shutdown();

 private:
  struct Wiring;
  explicit Server(std::unique_ptr<Wiring> wiring);

  std::unique_ptr<Wiring> wiring_;
};

}  // namespace assetgate

#endif  // ASSETGATE_SERVER_SERVER_H_
