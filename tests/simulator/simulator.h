// Simulates all providers on one loopback port, as strictly as their documentation.
//
//   Simulator simulator(Simulator::Options{});
//   if (absl::Status status = simulator.Start(); !status.ok()) …
//   config.base_url = simulator.BaseUrl("kyy");           // http://127.0.0.1:41234/kyy
//   simulator.faults().Add({.provider = "kyy", .call = "asset.create", .fault = {…}, .times = 1});
//
// Everything that /_control/ offers over HTTP is also available here. Thread-safe.
#ifndef ASSETGATE_TESTS_SIMULATOR_SIMULATOR_H_
#define ASSETGATE_TESTS_SIMULATOR_SIMULATOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "tests/simulator/dialect.h"
#include "tests/simulator/faults.h"
#include "tests/simulator/library.h"
#include "tests/simulator/request_log.h"
#include "tests/simulator/server.h"

namespace assetgate::simulator {

class Simulator {
 public:
  struct Options {
    Server::Options server;
    // Keys that every provider accepts. Each is a separate account: an object created with one key
    // is unknown with another.
    std::vector<std::string> api_keys = {"sim-key"};
    Timing timing;
    // The beginning of links to media; empty: the address on which the simulator listens.
    std::string public_url;
    // False: requests are only counted.
    bool keep_requests = true;
    // The clock for the age of assets and videos; must outlive the simulator. Null: the machine's
    // clock. Latency, drips and hangs always take real time.
    const base::Clock* clock = nullptr;
  };

  // One simulated provider.
  struct Provider {
    explicit Provider(std::unique_ptr<Dialect> its_dialect)
        : dialect(std::move(its_dialect)), switches(dialect->switches()) {}

    const std::unique_ptr<Dialect> dialect;
    Switches switches;
    Library library;
    Purse purse;
  };

  explicit Simulator(Options options);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  absl::Status Start();
  // Ends hangs, cuts connections, waits for the threads. Idempotent.
  void Stop();

  int port() const { return server_.port(); }
  std::string url() const;
  // The base URL of a provider, for a client's `base_url`.
  std::string BaseUrl(absl::string_view provider) const;

  // Null for an unknown name.
  Provider* FindProvider(absl::string_view name);
  const std::vector<std::unique_ptr<Provider>>& providers() const { return providers_; }
  FaultTable& faults() { return faults_; }
  RequestLog& log() { return log_; }

  Timing timing() const;
  // Holds for objects created from now on.
  void SetTiming(const Timing& timing);
  absl::Time Now() const { return clock_.Now(); }

  // Serves one request; called by the server.
  Reply Serve(const Request& request);

 private:
  Reply ServeProvider(Provider& provider, const Request& request);

  const Options options_;
  const base::SystemClock system_clock_;
  const base::Clock& clock_;
  std::vector<std::unique_ptr<Provider>> providers_;
  FaultTable faults_;
  RequestLog log_;
  Server server_;

  mutable absl::Mutex mu_;
  Timing timing_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_SIMULATOR_H_
