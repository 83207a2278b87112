// A gateway and a simulator as real processes, and access to both.
#ifndef ASSETGATE_TESTS_BENCH_RIG_H_
#define ASSETGATE_TESTS_BENCH_RIG_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/bench/process.h"

namespace assetgate::bench {

// The settings of all benchmarks, from flags.
struct Settings {
  std::string gateway;    // path of the program
  std::string simulator;  // the same
  std::string self;       // the same: it contains the reference servers
  std::string dir = ".";  // parent of the scratch folder, which holds the store
  // Of those that take as many submissions of assets at a time as come (kyy takes three).
  std::string dialect = "zerozero";
  absl::Duration latency = absl::Milliseconds(20);  // for each answer of the provider
  absl::Duration warm_up = absl::Seconds(2);
  absl::Duration measure = absl::Seconds(10);
  int connections = 4;  // to the gateway
  // Runs as fast as it can; the figures are meaningless.
  bool quick = false;
};

// Channels with a connection each, with the same arguments for all compared servers.
std::vector<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, int connections);

// One provider, one gateway, one store.
// Threading: for the main thread.
class Rig {
 public:
  struct Options {
    // The gateway's poll interval: used for all three settings.
    absl::Duration poll_interval = absl::Hours(24);
    // From creation at the provider until the asset is Active.
    absl::Duration asset_delay = absl::Hours(24);
    // Whether the simulator records the times of its requests.
    bool keep_requests = false;
    // The URI of the PostgreSQL database with the store; empty for SQLite, in a file.
    std::string postgres_uri;
  };
  static absl::StatusOr<std::unique_ptr<Rig>> Start(const Settings& settings, Options options);

  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // The address of the gRPC server, HOST:PORT.
  const std::string& address() const { return address_; }
  // The provider's resource name, `providers/{id}`.
  const std::string& provider() const { return provider_; }
  // Where the simulator plays the provider.
  const std::string& base_url() const { return base_url_; }
  pid_t gateway_pid() const { return gateway_->pid(); }
  pid_t simulator_pid() const { return simulator_->pid(); }

  // The SQLite store's file, whether or not the gateway runs.
  const std::string& store_path() const { return store_path_; }

  // Whether /readyz reports that the gateway is ready.
  bool Ready() const;
  // The value of a series from /metrics: its name, with its labels as written there.
  absl::StatusOr<double> Metric(absl::string_view name) const;
  // When the provider was polled for its assets, in order; at most the newest 100,000. Needs
  // Options::keep_requests.
  absl::StatusOr<std::vector<absl::Time>> AssetPolls() const;

  // Stops the gateway as an operator would. No channel to it may exist that nothing reads from,
  // because its connection could not be closed cleanly.
  // Errors: if the gateway does not exit cleanly.
  absl::Status Stop();
  // Kills the gateway, as a crash would.
  void Kill() { gateway_->Kill(); }
  // Starts the gateway on its existing store, after Stop or Kill; `poll_interval` is as in Options.
  // Returns once it reports that it serves, on a new address.
  absl::Status StartGateway(absl::Duration poll_interval);

 private:
  Rig() = default;

  std::unique_ptr<ScratchFolder> folder_;
  std::unique_ptr<Process> simulator_;
  std::unique_ptr<Process> gateway_;
  std::string gateway_program_;
  std::string dialect_;
  std::string simulator_url_;
  std::string base_url_;
  std::string store_path_;
  std::string postgres_uri_;
  std::string address_;
  std::string admin_address_;
  std::string provider_;
};

// The gateway's counters for creates.
struct Counted {
  // Groups of changes that share a sync, the changes in them, and their total duration.
  double groups = 0;
  double changes = 0;
  double group_seconds = 0;
  // Submissions of assets, and the provider's total latency as seen by the gateway.
  double submissions = 0;
  double submission_seconds = 0;
};
// Series that do not exist yet are zero.
absl::StatusOr<Counted> ReadCounted(const Rig& rig);
Counted operator-(const Counted& later, const Counted& earlier);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_RIG_H_
