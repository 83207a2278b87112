// The least code that could give the same answers, for comparison with the gateway.
#ifndef ASSETGATE_TESTS_BENCH_REFERENCE_H_
#define ASSETGATE_TESTS_BENCH_REFERENCE_H_

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/process.h"
#include "tests/bench/rig.h"

namespace assetgate::bench {

// A bare gRPC callback server: GetAsset is one point read of a SQLite file, WatchAssets a naive
// typed fan-out (every change is copied into one queue per stream), CreateAsset writes the row and
// notifies the streams. No validation, limits, metrics, logs, filters or tokens, and no fsync.
class Reference {
 public:
  static absl::StatusOr<std::unique_ptr<Reference>> Start(const Settings& settings);
  // The server of thin_proxy.h instead, in front of the provider at `base_url`.
  static absl::StatusOr<std::unique_ptr<Reference>> StartThinProxy(const Settings& settings,
                                                                   const std::string& base_url);
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  // The address that it serves on, HOST:PORT.
  const std::string& address() const { return address_; }
  pid_t pid() const { return process_->pid(); }

 private:
  Reference() = default;

  // Starts this program with a hidden subcommand, the scratch folder, and `more`.
  static absl::StatusOr<std::unique_ptr<Reference>> StartProgram(
      const Settings& settings, const std::string& subcommand,
      const std::vector<std::string>& more);

  std::unique_ptr<ScratchFolder> folder_;
  std::unique_ptr<Process> process_;
  std::string address_;
};

// Runs the server until it is killed, for the hidden subcommand. `folder` holds its store.
absl::Status ServeReference(const std::string& folder);

// Serves `service` on a free port, which it prints as Reference expects, until it is killed.
absl::Status ServeUntilKilled(grpc::Service& service);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_REFERENCE_H_
