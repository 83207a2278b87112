// Reads a config again while a gateway serves, and plans what it changes.
#ifndef ASSETGATE_CONFIG_RELOAD_H_
#define ASSETGATE_CONFIG_RELOAD_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "config/environment.h"

namespace assetgate::config {

// The effect of another config on a gateway that serves.
struct Reload {
  // To be in force from now on: the other config, with the former values of all that only a restart
  // can change.
  Config config;
  // The field paths that change, without values; of credentials, with the credential's id.
  std::vector<std::string> changed;
  // The field paths that wait for a restart, in the same form.
  std::vector<std::string> at_restart;
};

// Parts wait for a restart together with those that they depend on.
// Errors: FAILED_PRECONDITION where `in_force` has callers and `next` has none; INVALID_ARGUMENT
// where `next` has a new certificate that is not valid now. Nothing of `next` is taken then.
absl::StatusOr<Reload> PlanReload(const Config& in_force, Config next);

// Reads a config, and knows when to read it again. Threading: one thread.
class Reader {
 public:
  Reader(std::string path, Environment environment)
      : path_(std::move(path)), environment_(std::move(environment)) {}

  // Like Load.
  absl::StatusOr<Config> Read();
  // Whether the config, or a file that it names, differs from what the last Read found: in its
  // content, or in whether and why it cannot be read.
  bool Changed() const;

 private:
  struct Seen {
    std::size_t max_bytes = 0;
    // Of the content, or of the error of reading it.
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
