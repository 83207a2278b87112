// Who has a TCP port of this host.
#ifndef ASSETGATE_DOCTOR_PORT_H_
#define ASSETGATE_DOCTOR_PORT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/host_port.h"

namespace assetgate::doctor {

// Whether a server could listen there now: bound for a moment, never listened on. OK: it could.
// ALREADY_EXISTS: somebody does. FAILED_PRECONDITION: it is no address of this host, or not for
// this user.
absl::Status TryPort(const base::HostPort& address);

struct Process {
  int id = 0;
  // As the system lists it: "assetgate".
  std::string name;
};
// The process that listens on a port; absent where that cannot be seen, as of another user's.
std::optional<Process> ListenerOn(int port);
// The name of a process; empty where there is none.
std::string NameOf(int process);

}  // namespace assetgate::doctor

#endif  // ASSETGATE_DOCTOR_PORT_H_
