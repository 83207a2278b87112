// The HTTP port beside gRPC: metrics and probes.
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

// Whether this process accepts calls.
struct Readiness {
  // Not OK: the reason (starting, draining, the store failed).
  absl::Status status;
  // What does not work although the process serves, one line each: "provider kyy is unavailable:
  // …".
  std::vector<std::string> degraded;
};

struct AdminServerOptions {
  // As PageServerOptions::listen.
  std::string listen;
  // The version of the program.
  std::string version;
  // Called for each request for /readyz. Threading: on several threads at once; must not block.
  std::function<Readiness()> readiness;
};

// Serves these pages to every client that can reach the port:
//   /         an index
//   /healthz  200 while the process answers at all: for liveness probes
//   /readyz   200, or 503 with the reason, then what is degraded: for readiness probes
//   /metrics  Prometheus' text format
class AdminServer {
 public:
  // Begins to listen. Errors: as PageServer::Start. Lifetime: `metrics` must outlive the server.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(AdminServerOptions options,
                                                            const base::Metrics& metrics);

  int port() const { return pages_->port(); }

 private:
  AdminServer(AdminServerOptions options, const base::Metrics& metrics);
  http::Response Page(absl::string_view path) const;

  const AdminServerOptions options_;
  const base::Metrics& metrics_;
  // Last, because its threads use the other members.
  std::unique_ptr<PageServer> pages_;
};

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_ADMIN_SERVER_H_
