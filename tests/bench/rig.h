// A gateway and a simulator as real processes, and the way to both.
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

// What every benchmark is told by flags.
struct Settings {
  std::string gateway;    // path of the program
  std::string simulator;  // likewise
  std::string self;       // likewise: the reference servers are in it
  std::string dir = ".";  // where the scratch folder, and the store in it, goes
  std::string dialect = "kyy";
  absl::Duration latency = absl::Milliseconds(20);  // of each of the provider's answers
  absl::Duration warm_up = absl::Seconds(2);
  absl::Duration measure = absl::Seconds(10);
  int connections = 4;  // to the gateway
  // Runs to its end as fast as it can; the figures mean nothing.
  bool quick = false;
};

// Channels of their own connections each: the same arguments for whatever is compared.
std::vector<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, int connections);

// One provider, one gateway, one store. Belongs to the main thread.
class Rig {
 public:
  struct Options {
    // When the gateway polls: all three intervals.
    absl::Duration poll_interval = absl::Hours(24);
    // From creation at the provider until the asset is Active.
    absl::Duration asset_delay = absl::Hours(24);
    // Let the simulator remember when it was asked.
    bool keep_requests = false;
    // Of the PostgreSQL database that the store is in; empty for SQLite, in a file.
    std::string postgres_uri;
  };
  static absl::StatusOr<std::unique_ptr<Rig>> Start(const Settings& settings, Options options);

  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // Where gRPC is served, HOST:PORT.
  const std::string& address() const { return address_; }
  // The provider's resource name, `providers/{id}`.
  const std::string& provider() const { return provider_; }
  pid_t gateway_pid() const { return gateway_->pid(); }
  pid_t simulator_pid() const { return simulator_->pid(); }

  // Of the SQLite store, whether or not the gateway runs.
  const std::string& store_path() const { return store_path_; }

  // Whether /readyz says that it is.
  bool Ready() const;
  // The value of a series, from /metrics: its name, with its labels as they stand there.
  absl::StatusOr<double> Metric(absl::string_view name) const;
  // When the provider was asked how its assets are, in order; at most the newest 100,000. Needs
  // Options::keep_requests.
  absl::StatusOr<std::vector<absl::Time>> AssetPolls() const;

  // Ends the gateway as an operator would. An error if it does not end well. Not while a channel to
  // it exists that nobody reads from: its connection could not be ended politely.
  absl::Status Stop();
  // Ends it as a crash would: from one moment to the next.
  void Kill() { gateway_->Kill(); }
  // Starts the gateway, after Stop or Kill, on the store that it had; `poll_interval` is as in
  // Options. Returns when it says that it serves, at another address than before.
  absl::Status StartGateway(absl::Duration poll_interval);

 private:
  Rig() = default;

  std::unique_ptr<ScratchFolder> folder_;
  std::unique_ptr<Process> simulator_;
  std::unique_ptr<Process> gateway_;
  std::string gateway_program_;
  std::string dialect_;
  std::string simulator_url_;
  std::string store_path_;
  std::string postgres_uri_;
  std::string address_;
  std::string admin_address_;
  std::string provider_;
};

// What the gateway has counted of the way of a create.
struct Counted {
  // Groups of changes that share a sync, the changes in them, and how long they took.
  double groups = 0;
  double changes = 0;
  double group_seconds = 0;
  // Submissions of assets, and how long the provider took as the gateway sees it.
  double submissions = 0;
  double submission_seconds = 0;
};
// What has not happened yet is zero.
absl::StatusOr<Counted> ReadCounted(const Rig& rig);
Counted operator-(const Counted& later, const Counted& earlier);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_RIG_H_
