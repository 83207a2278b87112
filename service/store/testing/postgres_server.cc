#include "store/testing/postgres_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "store/postgres/connection.h"

namespace assetgate::store::postgres {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(60);

// Without the server no test can run.
[[noreturn]] void Abort(const std::string& reason) {
  std::cerr << "the tests' PostgreSQL server: " << reason << std::endl;
  std::abort();
}

// The directory of the newest server's programs, which Debian keeps out of PATH.
std::string FindBinaries() {
  int newest = 0;
  std::string found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    int version = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &version) || version <= newest ||
        !std::filesystem::exists(entry.path() / "bin/postgres"))
      continue;
    newest = version;
    found = entry.path() / "bin";
  }
  if (found.empty()) Abort("not found in /usr/lib/postgresql/*/bin; run deploy/setup.sh");
  return found;
}

// A port that is free right now.
int FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Abort("no free port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

}  // namespace

TestServer& TestServer::Shared() {
  static TestServer server;
  return server;
}

TestServer::TestServer(const TestServer* primary)
    : binaries_(FindBinaries()),
      directory_(std::filesystem::temp_directory_path() / "assetgate-pg-XXXXXX") {
  if (::mkdtemp(directory_.data()) == nullptr) Abort(absl::StrCat("cannot make ", directory_));
  BeginGuard();
  if (primary == nullptr) {
    Initialise();
  } else {
    CopyFrom(*primary);
  }
  for (int tries = 0; tries < 5 && pid_ < 0; ++tries) {
    port_ = FreePort();
    Start();
  }
  if (pid_ < 0) Abort("does not start");
  if (primary == nullptr) Execute("ALTER ROLE postgres PASSWORD 'super-secret'");
}

TestServer::~TestServer() {
  Crash();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
  ::close(guard_fd_);
  ::waitpid(guard_, nullptr, 0);
}

// A process that outlives this one, to clean up after it.
void TestServer::BeginGuard() {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) Abort("no pipe");
  guard_ = ::fork();
  if (guard_ < 0) Abort("cannot fork");
  if (guard_ == 0) {
    ::setsid();  // ^C must reach only the tests; the guard detects their end.
    ::close(pipe[1]);
    char byte;
    while (::read(pipe[0], &byte, 1) < 0 && errno == EINTR) {
    }
    pid_t pid = 0;
    if (std::ifstream(directory_ + "/data/postmaster.pid") >> pid && pid > 1) {
      ::kill(pid, SIGQUIT);
      for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i) Pause();
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    ::_exit(0);
  }
  ::close(pipe[0]);
  guard_fd_ = pipe[1];
}

pid_t TestServer::Spawn(const std::string& program,
                        const std::vector<std::string>& arguments) const {
  const std::string path = absl::StrCat(binaries_, "/", program);
  const std::string log = absl::StrCat(directory_, "/", program, ".log");
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const passwd* user = ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr;
  if (::geteuid() == 0 && user == nullptr) Abort("there is no user postgres to run it as");
  const pid_t pid = ::fork();
  if (pid < 0) Abort("cannot fork");
  if (pid > 0) return pid;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (user != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 ||
                          ::setuid(user->pw_uid) != 0)) {
    ::_exit(126);
  }
  if (::chdir(directory_.c_str()) != 0) ::_exit(126);
  ::execv(path.c_str(), argv.data());
  ::_exit(127);
}

void TestServer::Initialise() {
  Prepare("initdb", {"-D", directory_ + "/data", "-U", "postgres", "-E", "UTF8", "--locale=C",
                     "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"});
}

void TestServer::CopyFrom(const TestServer& primary) {
  Prepare("pg_basebackup",
          {"-D", directory_ + "/data", "-h", primary.directory_, "-p", absl::StrCat(primary.port_),
           "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync"});
}

void TestServer::Prepare(const std::string& program, const std::vector<std::string>& arguments) {
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr || ::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) {
      Abort("cannot give it its directory");
    }
  }
  const pid_t pid = Spawn(program, arguments);
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0) {
    std::ifstream log(absl::StrCat(directory_, "/", program, ".log"));
    Abort(absl::StrCat(program, " failed: ", std::string(std::istreambuf_iterator<char>(log), {})));
  }
}

void TestServer::Start() {
  pid_ = Spawn("postgres", {"-D", directory_ + "/data", "-k", directory_, "-p", absl::StrCat(port_),
                            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c",
                            "max_connections=150", "-c", "log_line_prefix=%m %p "});
  const Deadline deadline(kTimeout);
  Connection::Options options;
  options.uri = Uri("postgres");
  while (!deadline.passed()) {
    if (Connection::Open(options).ok()) return;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;  // Another process may have taken the port.
      return;
    }
    Pause();
  }
  Abort("does not answer");
}

void TestServer::Crash() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGQUIT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string TestServer::Uri(absl::string_view database) const {
  return absl::StrCat("host=", directory_, " port=", port_, " user=postgres dbname=", database);
}

std::string TestServer::TcpUri(absl::string_view database, absl::string_view user_and_password,
                               int port) const {
  return absl::StrCat("postgresql://", user_and_password, "@127.0.0.1:", port == 0 ? port_ : port,
                      "/", database);
}

void TestServer::Execute(const std::string& sql, absl::string_view database) {
  Connection::Options options;
  options.uri = Uri(database);
  options.timeout = kTimeout;
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(options);
  if (!connection.ok()) Abort(connection.status().ToString());
  if (absl::Status s = (*connection)->Execute(sql); !s.ok()) {
    Abort(absl::StrCat(sql, ": ", s.ToString()));
  }
}

std::string TestServer::CreateDatabase() {
  std::string name = absl::StrCat("test", ++databases_);
  Execute(absl::StrCat("CREATE DATABASE ", name));
  return name;
}

void TestServer::DropDatabase(absl::string_view name) {
  Execute(absl::StrCat("DROP DATABASE ", name, " WITH (FORCE)"));
}

}  // namespace assetgate::store::postgres
