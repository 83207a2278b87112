// A stand-in for all providers on one loopback port, as strict as their documentation.
//
//   Simulator simulator(Simulator::Options{});
//   if (absl::Status status = simulator.Start(); !status.ok()) …
//   config.base_url = simulator.BaseUrl("kyy");           // http://127.0.0.1:41234/kyy
//   simulator.faults().Add({.provider = "kyy", .call = "asset.create", .fault = {…}, .times = 1});
//
// Everything that /_control/ offers over HTTP can be had here as well. Thread-safe.
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
    // Keys that are accepted by every provider. Each is an account of its own: what was made with
    // one cannot be seen with another.
    std::vector<std::string> api_keys = {"sim-key"};
    Timing timing;
    // Links to media begin with this, if set; else with the address listened on.
    std::string public_url;
    // Without it requests are counted and not kept.
    bool keep_requests = true;
    // Tells assets and videos their age; has to outlive the simulator. Null: the machine's clock.
    // Latency, drips and hangs take real time always.
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
  // Where a provider is mounted; what goes into a client's `base_url`.
  std::string BaseUrl(absl::string_view provider) const;

  // Null if there is none of that name.
  Provider* FindProvider(absl::string_view name);
  const std::vector<std::unique_ptr<Provider>>& providers() const { return providers_; }
  FaultTable& faults() { return faults_; }
  RequestLog& log() { return log_; }

  Timing timing() const;
  // Counts for what is made from now on.
  void SetTiming(const Timing& timing);
  absl::Time Now() const { return clock_.Now(); }

  // What the server calls for every request.
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
