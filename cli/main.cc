// assetctl. Its commands are in *_commands.cc, its options in options.cc.
#include <langinfo.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/terminal.h"

int main(int argc, char** argv) {
  using assetgate::cli::Environment;
  std::setlocale(LC_CTYPE, "");
  std::ios::sync_with_stdio(false);
  // gRPC's log is for its developers; this program reports the errors of calls itself.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);

  const char* const term = std::getenv("TERM");
  const bool capable = term != nullptr && std::strcmp(term, "dumb") != 0;
  const char* const no_color = std::getenv("NO_COLOR");
  std::optional<assetgate::cli::FileTerminal> terminal;
  if (capable && isatty(STDOUT_FILENO) != 0) terminal.emplace(STDOUT_FILENO);
  // Must precede the first thread.
  const assetgate::cli::Signals signals(terminal.has_value() ? &*terminal : nullptr);
  const assetgate::base::SystemClock clock;

  const Environment environment{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .terminal = terminal.has_value() ? &*terminal : nullptr,
      .color = terminal.has_value() && isatty(STDERR_FILENO) != 0 &&
               (no_color == nullptr || *no_color == '\0'),
      .utf8 = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
      .clock = clock,
      .interrupted = signals.interrupted(),
      .follow = {},
  };
  return static_cast<int>(
      assetgate::cli::Run(std::vector<std::string>(argv + 1, argv + argc), environment));
}
