// The HTTP beside gRPC: metrics and probes.
#ifndef ASSETGATE_ADMIN_ADMIN_SERVER_H_
#define ASSETGATE_ADMIN_ADMIN_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "admin/page_server.h"
#include "base/metrics.h"
#include "http/message.h"

namespace assetgate::admin {

// Whether calls are to be sent to this process.
struct Readiness {
  // Not OK: why not (starting, draining, the store failed).
  absl::Status status;
  // What does not work although the process serves, one line each: "provider kyy is unavailable:
  // …".
  std::vector<std::string> degraded;
};

struct AdminServerOptions {
  // As PageServerOptions::listen.
  std::string listen;
  // Of the program.
  std::string version;
  // Asked at each request for /readyz, by several threads at once; must not block.
  std::function<Readiness()> readiness;
};

// Serves, to whoever can reach the port:
//   /         what there is
//   /healthz  200 while the process answers at all: for liveness probes
//   /readyz   200, or 503 with the reason, then what is degraded: for readiness probes
//   /metrics  Prometheus' text format
class AdminServer {
 public:
  // Listens from now on. `metrics` must outlive the server. Errors as PageServer::Start.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(AdminServerOptions options,
                                                            const base::Metrics& metrics);

  int port() const { return pages_->port(); }

 private:
  AdminServer(AdminServerOptions options, const base::Metrics& metrics);
  http::Response Page(absl::string_view path) const;

  const AdminServerOptions options_;
  const base::Metrics& metrics_;
  // Last, since its threads use the others.
  std::unique_ptr<PageServer> pages_;
};

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_ADMIN_SERVER_H_
