// Checks the ports that the gateway will listen on.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "doctor/doctor.h"
#include "doctor/port.h"

namespace assetgate::doctor {
namespace {

using Verdict = Finding::Verdict;

Finding ExaminePort(const char* key, const base::HostPort& address, std::optional<int> gateway) {
  Finding finding{Verdict::kOk, absl::StrCat("port ", key), "", ""};
  const std::string text = address.ToString();
  const absl::Status status = TryPort(address);
  if (status.ok()) {
    finding.detail = address.port == 0 ? absl::StrCat(text, ": the system chooses a free one")
                                       : absl::StrCat(text, " is free");
    return finding;
  }
  if (!absl::IsAlreadyExists(status)) {
    return {Verdict::kFailed, finding.what, absl::StrCat(text, ": ", status.message()),
            absl::StrCat("set an address of this host, and a port above 1023, in ", key)};
  }
  const std::optional<Process> holder = ListenerOn(address.port);
  if (holder.has_value() && (holder->id == gateway || holder->name == NameOf(::getpid()))) {
    finding.detail = absl::StrCat(text, " is in use by process ", holder->id, " (", holder->name,
                                  "): a gateway runs here");
    return finding;
  }
  if (!holder.has_value() && gateway.has_value()) {
    finding.detail = absl::StrCat(
        text, " is in use, apparently by the gateway that holds the store, ", "process ", *gateway);
    return finding;
  }
  return {Verdict::kFailed, finding.what,
          absl::StrCat(text, " is in use by ",
                       holder.has_value()
                           ? absl::StrCat("process ", holder->id, " (", holder->name, ")")
                           : std::string("a process that is not visible to this user (as root: "
                                         "ss -ltnp)")),
          absl::StrCat("end that process, or set another port in ", key)};
}

}  // namespace

void ExaminePorts(const config::Config& config, std::optional<int> gateway, const Report& report) {
  report(ExaminePort("listen", config.listen, gateway));
  report(ExaminePort("admin.listen", config.admin_listen, gateway));
}

}  // namespace assetgate::doctor
