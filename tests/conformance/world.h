// The world of one dialect, in this process: its simulated provider, and a gateway that serves real
// gRPC with hundreds of accounts at that provider.
//
//   World& world = World::Of("kyy");
//   const Account account = world.NewAccount();
//   world.Fail("video.create", R"({"kind":"status","status":503})", 1);
//   const Answer<v1::VideoTask> task = world.CreateVideoTask(account, "a cat");
//
// An account is a provider of the gateway's config. Each test takes its own, so that back-off,
// circuit breaker and budget of one test do not affect another. Nothing here sleeps: tests watch
// what they wait for.
#ifndef ASSETGATE_TESTS_CONFORMANCE_WORLD_H_
#define ASSETGATE_TESTS_CONFORMANCE_WORLD_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "assetgate/v1/provider_service.grpc.pb.h"
#include "assetgate/v1/video_service.grpc.pb.h"
#include "google/rpc/status.pb.h"
#include "provider/dialect.h"
#include "server/server.h"
#include "tests/simulator/simulator.h"

namespace assetgate::conformance {

// One provider of the gateway's config; all of them point to the same simulated provider.
struct Account {
  std::string id;
  // providers/{id}
  std::string name() const { return "providers/" + id; }
};

// The result of an RPC: the resource, or the error.
template <typename T>
struct Answer {
  T value;
  google::rpc::Status error;

  bool ok() const { return error.code() == 0; }
};

class World {
 public:
  // How long the gateway waits for the answers to an account's calls: 20 s, or 300 ms.
  enum class Patience { kNormal, kShort };
  // The deadline of every wait; reached only if something is broken.
  static constexpr absl::Duration kDeadline = absl::Seconds(30);

  // The names of all dialects.
  static const std::vector<std::string>& Dialects();
  // The dialect's world, created at its first use and destroyed by CloseAll.
  static World& Of(const std::string& dialect);
  static void CloseAll();

  explicit World(const std::string& dialect);
  ~World();

  // An account that no test has used.
  Account NewAccount(Patience patience = Patience::kNormal);

  // Injects the fault into the next `times` calls of that name; 0: into all, until Heal.
  void Fail(absl::string_view call, absl::string_view fault, int times);
  void Heal() { simulator_.faults().Clear(); }
  simulator::Simulator& simulator() { return simulator_; }
  // What the provider has created in total.
  simulator::Library::Counts Made() const;
  // How many calls of that name the provider has received in total.
  std::int64_t Calls(absl::string_view call) { return simulator_.log().Calls(dialect_, call); }

  // A model that can make videos from text alone, from frames, and from references.
  std::string Model(const Account& account) const;
  // Whether groups are created at the provider, and not kept by the gateway.
  bool HasGroups() const;
  // Whether video submissions carry an idempotency key.
  bool HasIdempotencyKey() const;
  const provider::Traits& traits() const { return spoken_->traits(); }
  // Adds a unique request_id, unless `request` has one.
  Answer<v1::VideoTask> CreateVideoTask(v1::CreateVideoTaskRequest request);
  Answer<v1::VideoTask> CreateVideoTask(const Account& account, absl::string_view prompt);
  Answer<v1::Asset> CreateAsset(v1::CreateAssetRequest request);
  Answer<v1::Asset> CreateAsset(const Account& account, absl::string_view word);
  Answer<v1::AssetGroup> CreateAssetGroup(const Account& account, absl::string_view word);

  // Watches one task (asset) until `done` returns true for it, and returns that version. Fails the
  // test if that does not happen, and returns the last version seen; also if `each` returns false
  // for any version.
  using TaskPredicate = std::function<bool(const v1::VideoTask&)>;
  v1::VideoTask AwaitTask(const std::string& name, const TaskPredicate& done,
                          const TaskPredicate& each = nullptr);
  using AssetPredicate = std::function<bool(const v1::Asset&)>;
  v1::Asset AwaitAsset(const std::string& name, const AssetPredicate& done,
                       const AssetPredicate& each = nullptr);

  v1::AssetService::Stub& assets() { return *assets_; }
  v1::VideoService::Stub& videos() { return *videos_; }
  v1::ProviderService::Stub& providers() { return *providers_; }

 private:
  std::string UniqueId();

  const std::string dialect_;
  // With the options that a config has by default.
  const std::unique_ptr<const provider::Dialect> spoken_;
  simulator::Simulator simulator_;
  std::unique_ptr<Server> gateway_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AssetService::Stub> assets_;
  std::unique_ptr<v1::VideoService::Stub> videos_;
  std::unique_ptr<v1::ProviderService::Stub> providers_;
  int accounts_taken_ = 0;
  int impatient_accounts_taken_ = 0;
  int ids_taken_ = 0;
};

// Sets the deadline of one call to World::kDeadline.
void SetDeadline(grpc::ClientContext& context);
// The google.rpc.Status in the details of a call's status.
google::rpc::Status ErrorOf(const grpc::Status& status);
// Whether the state is final, or UNCONFIRMED until an operator resolves it.
bool IsSettled(const v1::VideoTask& task);
bool IsSettled(const v1::Asset& asset);

}  // namespace assetgate::conformance

#endif  // ASSETGATE_TESTS_CONFORMANCE_WORLD_H_
