// For tests: a private PostgreSQL server.
#ifndef ASSETGATE_STORE_TESTING_POSTGRES_SERVER_H_
#define ASSETGATE_STORE_TESTING_POSTGRES_SERVER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace assetgate::store::postgres {

// A server with its own port, socket and data directory, all of which are removed when it is
// destroyed, and also when the process that created it dies in any way. Runs as the user "postgres"
// if the test is root (PostgreSQL refuses to run as root), else as the test's user. fsync is off,
// because the data need not survive the machine. Must be created before other threads are started.
class TestServer {
 public:
  TestServer() : TestServer(nullptr) {}
  // A standby of `primary` that follows it by streaming while it runs. Serves reads.
  explicit TestServer(const TestServer* primary);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // One server for the whole program, started on first use.
  static TestServer& Shared();

  // Creates a new, empty database and returns its name.
  std::string CreateDatabase();
  void DropDatabase(absl::string_view name);
  // Runs SQL as the superuser.
  void Execute(const std::string& sql, absl::string_view database = "postgres");

  // The superuser's URI over the socket, without a password.
  std::string Uri(absl::string_view database) const;
  // The superuser's name and password, in URI form.
  static constexpr char kSuperuser[] = "postgres:super-secret";
  // Over TCP, with a password; `port` 0 means the server's port.
  std::string TcpUri(absl::string_view database, absl::string_view user_and_password,
                     int port = 0) const;
  int port() const { return port_; }

  // Stops the server at once, without a checkpoint: like a crash, it loses what was not committed.
  void Crash();
  // Starts it again on the same port.
  void Start();

 private:
  void Initialise();
  void CopyFrom(const TestServer& primary);
  // Runs a program that creates the data.
  void Prepare(const std::string& program, const std::vector<std::string>& arguments);
  // Starts a program as the server's user and returns its pid.
  pid_t Spawn(const std::string& program, const std::vector<std::string>& arguments) const;
  void BeginGuard();

  std::string binaries_;
  std::string directory_;
  int port_ = 0;
  pid_t pid_ = -1;
  pid_t guard_ = -1;
  int guard_fd_ = -1;
  int databases_ = 0;
};

// Polls `condition`; returns false if it does not become true in time.
template <typename Condition>
bool Eventually(Condition condition, absl::Duration timeout = absl::Seconds(60)) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));  // Polling interval.
  }
  return true;
}

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_TESTING_POSTGRES_SERVER_H_
