// The program itself: its flags, what it prints, how it ends.
#include <curl/curl.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace assetgate::simulator {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// A provider-simulator with its output in a pipe. Killed at the end if it still runs.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    arguments.insert(arguments.begin(), ASSETGATE_BINARY_DIR "/bin/provider-simulator");
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
  }
  ~Program() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(output_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Up to and with the end of the line, or of the output.
  std::string ReadLine() {
    std::string line;
    char c = 0;
    while (read(output_, &c, 1) == 1) {
      line.push_back(c);
      if (c == '\n') break;
    }
    return line;
  }
  std::string ReadAll() {
    std::string all;
    for (std::string line = ReadLine(); !line.empty(); line = ReadLine()) all += line;
    return all;
  }
  void Signal(int signal) const { kill(pid_, signal); }
  // Its exit code, or -1 if it did not end by itself.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

TEST(ProgramTest, SaysWhereItListensAndEndsCleanlyOnSignals) {
  for (int signal : {SIGTERM, SIGINT}) {
    Program program({"--port", "0", "--threads", "4"});
    const std::string line = program.ReadLine();
    EXPECT_THAT(line, MatchesRegex("provider-simulator listening on http://127.0.0.1:[0-9]+\n"));
    const std::string url = line.substr(line.find("http"), line.find('\n') - line.find("http"));
    CURL* curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, (url + "/healthz").c_str());
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    EXPECT_EQ(curl_easy_perform(curl), CURLE_OK);
    program.Signal(signal);  // with a connection open
    EXPECT_EQ(program.Wait(), 0);
    curl_easy_cleanup(curl);
  }
}

TEST(ProgramTest, HelpShowsTheMounts) {
  Program program({"--help"});
  const std::string help = program.ReadAll();
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_THAT(help, HasSubstr("/zerozero/v1"));
  EXPECT_THAT(help, HasSubstr("--asset-delay"));
  EXPECT_THAT(help, HasSubstr("/_control/"));
}

TEST(ProgramTest, BadFlagsAreRefused) {
  Program program({"--video-delay", "tomorrow"});
  EXPECT_THAT(program.ReadAll(), HasSubstr("--video-delay"));
  EXPECT_NE(program.Wait(), 0);
}

}  // namespace
}  // namespace assetgate::simulator
