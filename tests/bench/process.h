// Runs programs beside this one, and makes temporary folders.
#ifndef ASSETGATE_TESTS_BENCH_PROCESS_H_
#define ASSETGATE_TESTS_BENCH_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::bench {

// A new folder below `parent`, removed with its content on destruction, and if the program is ended
// by SIGINT or SIGTERM.
// Threading: not thread-safe.
class ScratchFolder {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFolder>> Make(const std::string& parent);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// Must be called before any thread exists.
void RemoveScratchFoldersOnSignals();

// A child process with its output in a file. It dies with this program's main thread, which must be
// the one that starts it.
// Threading: not thread-safe.
class Process {
 public:
  // `environment`: NAME=value, in addition to this process's environment.
  static absl::StatusOr<std::unique_ptr<Process>> Start(std::vector<std::string> arguments,
                                                        const std::vector<std::string>& environment,
                                                        const std::string& output_file);
  // Kills the process if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Returns the first line of its output that contains `text`, without its newline.
  // Errors: if the process ends or `timeout` passes before; with the end of the output.
  absl::StatusOr<std::string> AwaitLine(absl::string_view text, absl::Duration timeout);
  // Sends SIGTERM and waits for the end. Returns an error unless the exit code is 0.
  absl::Status Terminate(absl::Duration timeout);
  // Sends SIGKILL and waits for the end.
  void Kill();

 private:
  Process(pid_t pid, std::string name, std::string output_file)
      : pid_(pid), name_(std::move(name)), output_file_(std::move(output_file)) {}
  // Whether it has ended; from then on `pid_` is -1.
  bool Ended();
  absl::Status ErrorWithOutput(absl::string_view what) const;

  pid_t pid_;
  int exit_status_ = 0;
  const std::string name_;
  const std::string output_file_;
};

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_PROCESS_H_
