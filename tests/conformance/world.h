// The whole world of one dialect, in this process: its provider (simulated), and a gateway that
// serves real gRPC with a hundred accounts there.
//
//   World& world = World::Of("kyy");
//   const Account account = world.NewAccount();
//   world.Fail("video.create", R"({"kind":"status","status":503})", 1);
//   const Answer<v1::VideoTask> task = world.CreateVideoTask(account, "a cat");
//
// An account is a provider to the gateway: what one test does to it (back-off, circuit breaker,
// budget) does not concern the next test's. Nothing here sleeps; what is waited for is watched.
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
#include "server/server.h"
#include "tests/simulator/simulator.h"

namespace assetgate::conformance {

// One provider of the gateway's config; all of them are the dialect's simulated provider.
struct Account {
  std::string id;
  // providers/{id}
  std::string name() const { return "providers/" + id; }
};

// What an RPC came to: the resource, or the error.
template <typename T>
struct Answer {
  T value;
  google::rpc::Status error;

  bool ok() const { return error.code() == 0; }
};

class World {
 public:
  // How patient the gateway is with an account's calls.
  enum class Patience { kNormal, kShort };
  // For everything that is waited for; reached only when something is broken.
  static constexpr absl::Duration kDeadline = absl::Seconds(30);

  // The names of all dialects.
  static const std::vector<std::string>& Dialects();
  // Made when it is first asked for; CloseAll ends them.
  static World& Of(const std::string& dialect);
  static void CloseAll();

  explicit World(const std::string& dialect);
  ~World();

  // One that no test has used.
  Account NewAccount(Patience patience = Patience::kNormal);

  // The next `times` calls of that name fail so; 0: all, until Heal.
  void Fail(absl::string_view call, absl::string_view fault, int times);
  void Heal() { simulator_.faults().Clear(); }
  simulator::Simulator& simulator() { return simulator_; }
  // What the provider has made ever.
  simulator::Library::Counts Made() const;
  // How often it was called so ever.
  std::int64_t Calls(absl::string_view call) { return simulator_.log().Calls(dialect_, call); }

  // A model that can make videos from text alone, from frames, and from references.
  std::string Model(const Account& account) const;
  // With a request_id that is unique, unless `request` has one.
  Answer<v1::VideoTask> CreateVideoTask(v1::CreateVideoTaskRequest request);
  Answer<v1::VideoTask> CreateVideoTask(const Account& account, absl::string_view prompt);
  Answer<v1::Asset> CreateAsset(v1::CreateAssetRequest request);
  Answer<v1::Asset> CreateAsset(const Account& account, absl::string_view word);
  Answer<v1::AssetGroup> CreateAssetGroup(const Account& account, absl::string_view word);

  // Watches one task (asset) until `done` says so of one of its states, and returns that one; the
  // last one seen, and a failed test, if it does not come to that. `each`: every state on the way.
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

// For the context of one call: gives up after World::kDeadline.
void SetDeadline(grpc::ClientContext& context);
// The google.rpc.Status that came with a call's status.
google::rpc::Status ErrorOf(const grpc::Status& status);
// A final state, or UNCONFIRMED with nobody but a person to resolve it.
bool IsSettled(const v1::VideoTask& task);
bool IsSettled(const v1::Asset& asset);

}  // namespace assetgate::conformance

#endif  // ASSETGATE_TESTS_CONFORMANCE_WORLD_H_
