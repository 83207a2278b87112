// Runs the commands of assetctl.
#ifndef ASSETGATE_CLI_COMMANDS_H_
#define ASSETGATE_CLI_COMMANDS_H_

#include <istream>
#include <ostream>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/failure.h"
#include "cli/follow.h"
#include "cli/terminal.h"

namespace assetgate::cli {

// Everything outside of the program that a run uses.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  // The terminal behind `out`, where it can move its cursor; otherwise null.
  Terminal* terminal = nullptr;
  // Whether `out` and `err` are terminals that show colours.
  bool color = false;
  // Whether the locale is UTF-8.
  bool utf8 = true;
  const base::Clock& clock;
  std::stop_token interrupted;
  FollowOptions follow;
};

// Runs the program with the words after its name.
ExitCode Run(const std::vector<std::string>& words, const Environment& environment);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_COMMANDS_H_
