// One config file while it is being read: its message, and the faults found in it so far.
#ifndef ASSETGATE_CONFIG_READING_H_
#define ASSETGATE_CONFIG_READING_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/host_port.h"
#include "config/config.pb.h"
#include "config/environment.h"
#include "config/yaml.h"
#include "google/protobuf/duration.pb.h"

namespace assetgate::config {

inline constexpr std::size_t kMaxIdLength = 63;

// Whether `text` is 1 to kMaxIdLength of a-z, 0-9, - and the characters of `also`.
bool IsId(absl::string_view text, absl::string_view also = "");

// The checks are free functions over a Reading: each turns one section of the message into its part
// of the config, and adds the faults that it finds. A value with a fault is of no use, but
// harmless: the config is dropped when a fault was added.
//
// Lifetime: the environment outlives it. Threading: one thread.
class Reading {
 public:
  // `name` is the file's name in faults.
  Reading(const std::string& name, const Environment& environment);

  // Fills the message from `text`. False where `text` is not YAML at all, so that nothing can be
  // checked.
  bool Parse(absl::string_view text);

  const file::Config& message() const { return message_; }
  const Environment& environment() const { return environment_; }

  // Like those of YamlFile.
  bool Has(const std::string& path) const { return yaml_.Has(path); }
  bool HasFault(const std::string& path) const { return yaml_.HasFault(path); }
  void AddFault(const std::string& path, absl::string_view what) { yaml_.AddFault(path, what); }
  std::string Describe(const std::string& path, absl::string_view what) const {
    return yaml_.Describe(path, what);
  }
  void ReadAt(const std::string& path, google::protobuf::Message& message) {
    yaml_.ReadAt(path, message);
  }
  absl::Status Result() const { return yaml_.Result(); }

  // The value at `path`, with a fault where it is out of range; `fallback` where it is not `set`.
  template <typename T>
  T Number(const std::string& path, bool set, T value, T fallback, T min, T max) {
    if (!set) return fallback;
    if (value < min || value > max) {
      AddFault(path, absl::StrCat(value, " is not between ", min, " and ", max));
    }
    return value;
  }
  absl::Duration Length(const std::string& path, bool set, const google::protobuf::Duration& value,
                        absl::Duration fallback, absl::Duration min, absl::Duration max);

  // A required text, with a fault that ends in `remedy` where it is missing or empty.
  std::string Text(const std::string& path, bool set, const std::string& value,
                   absl::string_view remedy);
  // Adds a fault where `id` is not an id, without showing it: it may be a key in the wrong place.
  void CheckId(const std::string& path, const std::string& id);
  base::HostPort Address(const std::string& path, const std::string& text);

 private:
  YamlFile yaml_;
  const Environment& environment_;
  file::Config message_;
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_READING_H_
