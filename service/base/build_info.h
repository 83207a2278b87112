// Which build this program is.
#ifndef ASSETGATE_BASE_BUILD_INFO_H_
#define ASSETGATE_BASE_BUILD_INFO_H_

#include <string>

#include "absl/strings/string_view.h"

namespace assetgate::base {

struct BuildInfo {
  // The project's version: "0.1.0".
  std::string version;
  // The commit as git names it, with "-dirty" appended if the work tree differed; "unknown" if it
  // was not built from a git tree.
  std::string commit;
  // Build type, compiler and compiler flags.
  std::string flags;
};

// Describes this program. It is in a library of its own, so that a new commit recompiles one file.
const BuildInfo& ThisBuild();

// The output of --version: "assetgate 0.1.0 (commit 1e441ba…; RelWithDebInfo, GNU 12.2.0, …)".
std::string VersionText(absl::string_view program);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_BUILD_INFO_H_
