// For tests: a PostgreSQL server of their own.
#ifndef ASSETGATE_STORE_TESTING_POSTGRES_SERVER_H_
#define ASSETGATE_STORE_TESTING_POSTGRES_SERVER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace assetgate::store::postgres {

// A server on a port and a socket of its own, with its data in a directory of its own; both are
// gone when it is destroyed, and also when the process that made it dies in whatever way. Runs as
// the user "postgres" where the test is root (PostgreSQL refuses to be), else as the user of the
// test. Data need not survive the machine: fsync is off. Made before other threads are begun.
class TestServer {
 public:
  TestServer() : TestServer(nullptr) {}
  // A standby of `primary`, which it follows by streaming whenever it runs. Takes reads.
  explicit TestServer(const TestServer* primary);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // One for the whole program, begun when first asked for.
  static TestServer& Shared();

  // A new, empty database. Gives its name.
  std::string CreateDatabase();
  void DropDatabase(absl::string_view name);
  // Runs SQL as the superuser.
  void Execute(const std::string& sql, absl::string_view database = "postgres");

  // The superuser's, over the socket: no password is asked for.
  std::string Uri(absl::string_view database) const;
  // The superuser's name and password, as URIs have them.
  static constexpr char kSuperuser[] = "postgres:super-secret";
  // Over TCP, where a password is asked for; `port` is the server's where it is 0.
  std::string TcpUri(absl::string_view database, absl::string_view user_and_password,
                     int port = 0) const;
  int port() const { return port_; }

  // Stops it at once, without a checkpoint: as a crash would, what was not committed is lost.
  void Crash();
  // Begins it again on the same port.
  void Start();

 private:
  void Initialise();
  void CopyFrom(const TestServer& primary);
  // Runs a program that makes the data.
  void Prepare(const std::string& program, const std::vector<std::string>& arguments);
  // Begins a program as the server's user. Gives its pid.
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

// Waits on `condition`, which is asked again and again; false where it does not come true in time.
template <typename Condition>
bool Eventually(Condition condition, absl::Duration patience = absl::Seconds(60)) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));  // Between two questions.
  }
  return true;
}

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_TESTING_POSTGRES_SERVER_H_
