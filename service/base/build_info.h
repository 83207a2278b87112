// Which build this is.
#ifndef ASSETGATE_BASE_BUILD_INFO_H_
#define ASSETGATE_BASE_BUILD_INFO_H_

#include <string>

#include "absl/strings/string_view.h"

namespace assetgate::base {

struct BuildInfo {
  // Of the project: "0.1.0".
  std::string version;
  // What was built, as git names it, with "-dirty" behind it where files differed; "unknown" where
  // it was not built from a git tree.
  std::string commit;
  // Build type, compiler and its flags.
  std::string flags;
};

// Of this program. Has a library of its own, so that a commit builds one file anew.
const BuildInfo& ThisBuild();

// What --version says: "assetgate 0.1.0 (commit 1e441ba…; RelWithDebInfo, GNU 12.2.0, …)".
std::string VersionText(absl::string_view program);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_BUILD_INFO_H_
