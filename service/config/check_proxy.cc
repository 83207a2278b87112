#include "config/check_proxy.h"

#include <utility>

#include "absl/status/statusor.h"
#include "config/egress.h"
#include "config/secrets.h"

namespace assetgate::config {
namespace {

// A `proxy` that is not a URL.
constexpr absl::string_view kEnvironment = "environment";

void TakeFromEnvironment(const std::string& path, absl::string_view url, Reading& reading,
                         http::Egress& out) {
  absl::StatusOr<EnvironmentProxy> proxy = ProxyOfEnvironment(url, reading.environment().getenv);
  if (!proxy.ok()) {
    reading.AddFault(path + ".proxy", proxy.status().message());
    return;
  }
  out.proxy = std::move(proxy->url);
  out.proxy_credential = base::Secret(std::move(proxy->credential));
  out.no_proxy = std::move(proxy->no_proxy);
}

void ReadCredential(const std::string& at, const file::Secret& source, Reading& reading,
                    http::Egress& out) {
  if (reading.HasFault(at)) return;
  out.proxy_credential = ReadSecret(at, source, reading);
  if (!reading.HasFault(at) && out.proxy_credential.Reveal().find(':') == std::string::npos) {
    reading.AddFault(at, "has no colon (the value is not shown); it should be USER:PASSWORD");
  }
}

template <typename Entry>
void Check(const Entry& in, const std::string& path, absl::string_view url, Reading& reading,
           http::Egress& out) {
  const bool of_environment = in.has_proxy() && in.proxy() == kEnvironment;
  if (in.has_proxy_credential() && (!in.has_proxy() || of_environment)) {
    reading.AddFault(path + ".proxy_credential",
                     in.has_proxy() ? "has no effect beside proxy: environment, where the variable "
                                      "holds user and password; remove it"
                                    : "has no effect without proxy; name the proxy, or remove it");
    return;
  }
  if (!in.has_proxy()) return;
  if (of_environment) return TakeFromEnvironment(path, url, reading, out);
  out.proxy = in.proxy();
  if (const std::string fault = FaultOfProxy(in.proxy()); !fault.empty()) {
    reading.AddFault(path + ".proxy", fault);
  } else if (http::IsOfThisMachine(url)) {
    reading.AddFault(path + ".proxy",
                     "has no effect for an address of this machine, which the proxy would look for "
                     "on its own machine; remove it");
  }
  if (in.has_proxy_credential()) {
    ReadCredential(path + ".proxy_credential", in.proxy_credential(), reading, out);
  }
}

}  // namespace

void CheckProxy(const file::Provider& in, const std::string& path, absl::string_view url,
                Reading& reading, http::Egress& out) {
  Check(in, path, url, reading, out);
}

void CheckProxy(const file::JwtIssuer& in, const std::string& path, absl::string_view url,
                Reading& reading, http::Egress& out) {
  Check(in, path, url, reading, out);
}

}  // namespace assetgate::config
