// The process that uses a TCP port of this host.
#ifndef ASSETGATE_DOCTOR_PORT_H_
#define ASSETGATE_DOCTOR_PORT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/host_port.h"

namespace assetgate::doctor {

// Checks whether a server could listen there now, by binding the address for a moment.
//
// Errors: ALREADY_EXISTS where another process listens there; FAILED_PRECONDITION where it is not
// an address of this host, or this user may not use it.
absl::Status TryPort(const base::HostPort& address);

struct Process {
  int id = 0;
  // The name in the process list: "assetgate".
  std::string name;
};
// The process that listens on a port; absent where it is not visible, for instance another user's.
std::optional<Process> ListenerOn(int port);
// The name of a process; empty where it does not exist.
std::string NameOf(int process);

}  // namespace assetgate::doctor

#endif  // ASSETGATE_DOCTOR_PORT_H_
