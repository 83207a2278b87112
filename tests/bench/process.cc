#include "tests/bench/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace assetgate::bench {
namespace {

// How often a child is checked while it starts or ends.
constexpr absl::Duration kPollInterval = absl::Milliseconds(5);

struct Folders {
  absl::Mutex mu;
  std::set<std::string> paths ABSL_GUARDED_BY(mu);
};

Folders& OpenFolders() {
  static auto* const folders = new Folders;
  return *folders;
}

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScratchFolder>> ScratchFolder::Make(const std::string& parent) {
  std::string path = absl::StrCat(parent, "/assetgate-bench.XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot make a folder in ", parent, ": ", std::strerror(errno)));
  }
  absl::MutexLock lock(&OpenFolders().mu);
  OpenFolders().paths.insert(path);
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(std::move(path)));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  absl::MutexLock lock(&OpenFolders().mu);
  OpenFolders().paths.erase(path_);
}

void RemoveScratchFoldersOnSignals() {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    absl::MutexLock lock(&OpenFolders().mu);
    for (const std::string& path : OpenFolders().paths) {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    _exit(128 + signal);
  }).detach();
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(std::vector<std::string> arguments,
                                                        const std::vector<std::string>& environment,
                                                        const std::string& output_file) {
  const std::string name = std::filesystem::path(arguments[0]).filename();
  if (access(arguments[0].c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat("cannot run ", arguments[0], ": ", std::strerror(errno)));
  }
  const int output = open(output_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (output < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot write ", output_file, ": ", std::strerror(errno)));
  }
  // Everything that allocates happens before the fork, because other threads may hold locks.
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  std::vector<char*> envp;
  envp.reserve(variables.size() + 1);
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    // Ctrl-C is for this program, which then ends its children.
    setpgid(0, 0);
    const sigset_t signals = EndingSignals();
    sigprocmask(SIG_UNBLOCK, &signals, nullptr);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(output);
  if (pid < 0) return absl::UnavailableError(absl::StrCat("fork: ", std::strerror(errno)));
  return std::unique_ptr<Process>(new Process(pid, name, output_file));
}

Process::~Process() { Kill(); }

void Process::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool Process::Ended() {
  if (pid_ > 0 && waitpid(pid_, &exit_status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

absl::Status Process::ErrorWithOutput(absl::string_view what) const {
  const std::string output = ReadAll(output_file_);
  const std::size_t from = output.size() > 2000 ? output.size() - 2000 : 0;
  return absl::UnavailableError(
      absl::StrCat(name_, " ", what, "; its output ends with:\n", output.substr(from)));
}

absl::StatusOr<std::string> Process::AwaitLine(absl::string_view text, absl::Duration timeout) {
  const absl::Time give_up = absl::Now() + timeout;
  while (true) {
    const bool ended = Ended();
    std::ifstream file(output_file_);
    for (std::string line; std::getline(file, line);) {
      // A line without its end may be incomplete.
      if (!file.eof() && absl::StrContains(line, text)) return line;
    }
    if (ended) return ErrorWithOutput("has ended");
    if (absl::Now() > give_up) return ErrorWithOutput(absl::StrCat("did not print \"", text, "\""));
    absl::SleepFor(kPollInterval);
  }
}

absl::Status Process::Terminate(absl::Duration timeout) {
  if (Ended()) return ErrorWithOutput("had ended before");
  kill(pid_, SIGTERM);
  const absl::Time give_up = absl::Now() + timeout;
  while (!Ended()) {
    if (absl::Now() > give_up) return ErrorWithOutput("does not end");
    absl::SleepFor(kPollInterval);
  }
  if (WIFEXITED(exit_status_) && WEXITSTATUS(exit_status_) == 0) return absl::OkStatus();
  return ErrorWithOutput(absl::StrCat("ended with wait status ", exit_status_));
}

}  // namespace assetgate::bench
