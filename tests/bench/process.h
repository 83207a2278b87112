// A program that runs beside this one, and a folder that is gone afterwards.
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

// A new folder below `parent`, removed with all that is in it when this goes away, and when the
// program is ended by SIGINT or SIGTERM. Not thread-safe.
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

// Has to be called before any thread exists.
void RemoveScratchFoldersOnSignals();

// A child process with its output in a file. It dies with this program's main thread, which
// therefore has to be the one that starts it. Not thread-safe.
class Process {
 public:
  // `environment`: NAME=value, on top of ours.
  static absl::StatusOr<std::unique_ptr<Process>> Start(std::vector<std::string> arguments,
                                                        const std::vector<std::string>& environment,
                                                        const std::string& output_file);
  // Kills it, if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // The first line of its output with `text` in it, without its end. An error, with the end of the
  // output, when the process ends or `timeout` passes before.
  absl::StatusOr<std::string> AwaitLine(absl::string_view text, absl::Duration timeout);
  // SIGTERM, and waits for its end. An error unless its exit code is 0.
  absl::Status Terminate(absl::Duration timeout);
  // SIGKILL, and waits for its end.
  void Kill();

 private:
  Process(pid_t pid, std::string name, std::string output_file)
      : pid_(pid), name_(std::move(name)), output_file_(std::move(output_file)) {}
  // Whether it has ended; from then on `pid_` is -1.
  bool Ended();
  absl::Status Complain(absl::string_view what) const;

  pid_t pid_;
  int exit_status_ = 0;
  const std::string name_;
  const std::string output_file_;
};

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_PROCESS_H_
