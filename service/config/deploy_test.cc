// The config files of deploy/, read by the program that shall read them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/file.h"
#include "config/catalog_of.h"
#include "config/load.h"
#include "providers/dialects.h"

namespace assetgate::config {
namespace {

using ::testing::Contains;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// What every variable holds: a connection string, and as good a key as any.
constexpr char kSecret[] = "postgresql://user:password@host/database";

struct Loaded {
  Config config;
  // The environment variables that it asked for.
  std::set<std::string> variables;
  // The files below /etc that it asked for.
  std::set<std::string> files;
};

// The config at a path below deploy/, with every environment variable set, and every file that a
// cluster mounts below /etc.
Loaded LoadDeployed(const std::string& path) {
  Loaded loaded;
  Environment environment;
  environment.dialects = providers::AllDialects();
  environment.getenv = [&loaded](const std::string& name) {
    loaded.variables.insert(name);
    return std::optional<std::string>(kSecret);
  };
  environment.read_file = [&loaded](const std::string& file,
                                    std::size_t max_bytes) -> absl::StatusOr<std::string> {
    if (!absl::StartsWith(file, "/etc/")) return base::ReadFile(file, max_bytes);
    loaded.files.insert(file);
    return kSecret;
  };
  absl::StatusOr<Config> config =
      Load(std::string(ASSETGATE_SOURCE_DIR) + "/deploy/" + path, environment);
  EXPECT_TRUE(config.ok()) << config.status().message();
  if (config.ok()) loaded.config = *std::move(config);
  return loaded;
}

TEST(DeployedConfigTest, ExampleHasFourProvidersAndTwoRoutes) {
  Loaded example = LoadDeployed("assetgate.example.yaml");
  EXPECT_THAT(example.variables, UnorderedElementsAre("ZEROZERO_API_KEY", "APIFRAME_API_KEY",
                                                      "KYY_API_KEY", "OCTOPUSX_API_KEY"));
  ASSERT_THAT(example.config.providers, SizeIs(4));
  for (const auto& provider : example.config.providers) {
    EXPECT_EQ(provider->base_url, provider->dialect->traits().default_base_url);
    EXPECT_EQ(provider->base_url.rfind("https://", 0), 0u);
  }
  const model::CatalogPtr catalog = CatalogOf(example.config);
  EXPECT_TRUE(catalog->FindModel("seedance-2").ok());
  EXPECT_TRUE(catalog->FindModel("seedance-2-fast").ok());
}

TEST(DeployedConfigTest, SimulatorConfigHasAllFourProviders) {
  const Loaded simulator = LoadDeployed("simulator.yaml");
  EXPECT_THAT(simulator.variables, UnorderedElementsAre("SIMULATOR_API_KEY"));
  std::set<std::string> dialects;
  for (const auto& provider : simulator.config.providers) {
    dialects.insert(provider->dialect->traits().name);
    EXPECT_EQ(provider->base_url.rfind("http://simulator:8090/" + provider->id, 0), 0u)
        << provider->base_url;
  }
  EXPECT_THAT(dialects, SizeIs(4));
}

TEST(DeployedConfigTest, KubernetesConfigListensOnAllAddresses) {
  const Loaded cluster = LoadDeployed("kustomize/overlays/embedded/assetgate.yaml");
  EXPECT_EQ(cluster.config.listen.host, "0.0.0.0");
  EXPECT_EQ(cluster.config.admin_listen.host, "0.0.0.0");
  EXPECT_THAT(cluster.config.providers, SizeIs(4));
}

TEST(DeployedConfigTest, ReplicatedConfigsShareADatabase) {
  const Loaded cluster = LoadDeployed("kustomize/overlays/replicated/assetgate.yaml");
  EXPECT_THAT(cluster.files, Contains("/etc/assetgate-database/uri"));
  const Loaded simulator = LoadDeployed("simulator.replicas.yaml");
  EXPECT_THAT(simulator.variables, Contains("ASSETGATE_POSTGRES_URI"));
  for (const Loaded* shared : {&cluster, &simulator}) {
    const std::string path = shared == &cluster ? "replicated" : "simulator.replicas.yaml";
    EXPECT_EQ(shared->config.store.postgres_uri.Reveal(), kSecret) << path;
    EXPECT_EQ(shared->config.listen.host, "0.0.0.0") << path;
    EXPECT_THAT(shared->config.providers, SizeIs(4)) << path;
  }
}

}  // namespace
}  // namespace assetgate::config
