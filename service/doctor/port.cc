#include "doctor/port.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assetgate::doctor {
namespace {

namespace fs = std::filesystem;

// The sockets that listen on a port, by their names in /proc/PID/fd.
std::set<std::string> SocketsOn(int port) {
  constexpr absl::string_view kListening = "0A";
  std::set<std::string> names;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream sockets(table);
    for (std::string line; std::getline(sockets, line);) {
      // "0: 0100007F:1F90 00000000:0000 0A … … … uid timeout inode"
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (words.size() < 10 || words[3] != kListening) continue;
      const std::size_t colon = words[1].rfind(':');
      int its_port = 0;
      if (colon == std::string::npos ||
          !absl::SimpleHexAtoi(absl::string_view(words[1]).substr(colon + 1), &its_port)) {
        continue;
      }
      if (its_port == port) names.insert(absl::StrCat("socket:[", words[9], "]"));
    }
  }
  return names;
}

}  // namespace

absl::Status TryPort(const base::HostPort& address) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code =
      getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (code != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("\"", address.host, "\" is not an address: ", gai_strerror(code)));
  }
  const absl::Cleanup free_found = [found] { freeaddrinfo(found); };
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
    // The gateway does not listen on a family that this host does not support either.
    if (fd < 0) continue;
    const absl::Cleanup close_fd = [fd] { ::close(fd); };
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(fd, one->ai_addr, one->ai_addrlen) == 0) continue;
    if (errno == EADDRINUSE) return absl::AlreadyExistsError("in use");
    return absl::FailedPreconditionError(std::strerror(errno));
  }
  return absl::OkStatus();
}

std::string NameOf(int process) {
  std::ifstream comm(absl::StrCat("/proc/", process, "/comm"));
  std::string name;
  std::getline(comm, name);
  return name;
}

std::optional<Process> ListenerOn(int port) {
  const std::set<std::string> names = SocketsOn(port);
  if (names.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    int process = 0;
    if (!absl::SimpleAtoi(it->path().filename().string(), &process)) continue;
    // Skips processes that may not be read or have ended meanwhile.
    std::error_code ignored;
    for (fs::directory_iterator fd(it->path() / "fd", ignored); !ignored && fd != end;
         fd.increment(ignored)) {
      if (names.count(fs::read_symlink(fd->path(), ignored).string()) > 0) {
        return Process{process, NameOf(process)};
      }
      ignored.clear();
    }
  }
  return std::nullopt;
}

}  // namespace assetgate::doctor
