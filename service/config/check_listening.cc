#include "config/check_listening.h"

#include "absl/strings/str_cat.h"
#include "base/loopback.h"
#include "base/text.h"
#include "config/files.h"

namespace assetgate::config {
namespace {

void CheckAddresses(Reading& reading, GatewayConfig& out) {
  const file::Config& in = reading.message();
  out.listen = reading.Address("listen", in.has_listen() ? in.listen() : "127.0.0.1:8080");
  out.admin_listen = reading.Address(
      "admin.listen", in.admin().has_listen() ? in.admin().listen() : "127.0.0.1:8081");
  if (out.listen.port != 0 && out.listen.port == out.admin_listen.port &&
      out.listen.host == out.admin_listen.host) {
    reading.AddFault(
        reading.Has("admin.listen") ? "admin.listen" : "listen",
        absl::StrCat(base::Quoted(out.listen.ToString()),
                     " is the address of both listen and admin.listen; each needs its own"));
  }
}

void CheckTls(Reading& reading, GatewayConfig& out) {
  const file::Config& in = reading.message();
  if (in.has_tls()) {
    out.tls = ReadTls(in.tls(), reading);
    return;
  }
  if (base::IsLoopback(out.listen.host) || in.allow_insecure_listen() ||
      reading.HasFault("listen")) {
    return;
  }
  reading.AddFault(
      "listen", absl::StrCat(base::Quoted(out.listen.ToString()),
                             " is reachable from other machines in plain text; configure tls, or "
                             "write allow_insecure_listen: true where something else encrypts"));
}

void CheckConnections(Reading& reading, Connections& out) {
  const file::Connections& in = reading.message().connections();
  out.max_age = reading.Length("connections.max_age", in.has_max_age(), in.max_age(), out.max_age,
                               absl::Minutes(1), absl::Hours(720));
  out.max_age_grace =
      reading.Length("connections.max_age_grace", in.has_max_age_grace(), in.max_age_grace(),
                     out.max_age_grace, absl::Seconds(1), absl::Hours(24));
  out.keepalive_time =
      reading.Length("connections.keepalive_time", in.has_keepalive_time(), in.keepalive_time(),
                     out.keepalive_time, absl::Seconds(10), absl::Hours(24));
  out.keepalive_timeout = reading.Length(
      "connections.keepalive_timeout", in.has_keepalive_timeout(), in.keepalive_timeout(),
      out.keepalive_timeout, absl::Seconds(1), absl::Minutes(10));
  out.max_concurrent_streams =
      reading.Number<int>("connections.max_concurrent_streams", in.has_max_concurrent_streams(),
                          in.max_concurrent_streams(), out.max_concurrent_streams, 1, 1'000'000);
}

}  // namespace

void CheckListening(Reading& reading, GatewayConfig& out) {
  CheckAddresses(reading, out);
  CheckTls(reading, out);
  CheckConnections(reading, out.connections);
}

}  // namespace assetgate::config
