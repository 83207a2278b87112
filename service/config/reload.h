// A config that is read again while a gateway serves.
#ifndef ASSETGATE_CONFIG_RELOAD_H_
#define ASSETGATE_CONFIG_RELOAD_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"

namespace assetgate::config {

// What another config comes to for a gateway that serves.
struct Reload {
  // What is in force from now on: the other config, but for what only a restart can change, which
  // is as it was.
  Config config;
  // What that changes, by field path; of keys, with the credential's id. Without values.
  std::vector<std::string> changed;
  // What waits for a restart, likewise.
  std::vector<std::string> at_restart;
};

// Parts wait for a restart together with what they depend on. Refuses a config without callers
// where there are some, and one with another certificate that is not valid now: then nothing of it
// is taken.
absl::StatusOr<Reload> PlanReload(const Config& in_force, Config next);

// Reads a config, and knows when to read it again. For one thread.
class Reader {
 public:
  Reader(std::string path, Environment environment)
      : path_(std::move(path)), environment_(std::move(environment)) {}

  // As Load.
  absl::StatusOr<Config> Read();
  // Whether a file, the config or one that it names, is another than the last Read has found:
  // another content, or gone, or there.
  bool Changed() const;

 private:
  struct Seen {
    std::size_t max_bytes = 0;
    // Of the content, or of why it could not be read.
    std::size_t hash = 0;
  };
  static Seen Look(std::size_t max_bytes, const absl::StatusOr<std::string>& found);

  const std::string path_;
  const Environment environment_;
  // By path.
  std::map<std::string, Seen> seen_;
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_RELOAD_H_
