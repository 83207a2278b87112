// Checks whether a gateway that runs here has accepted its newest config.
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "doctor/doctor.h"
#include "doctor/port.h"

namespace assetgate::doctor {
namespace {

using Verdict = Finding::Verdict;

// Short, because the gateway is on this host.
constexpr absl::Duration kTimeout = absl::Seconds(3);
constexpr absl::string_view kReloadSuccessful = "assetgate_config_last_reload_successful ";
constexpr absl::string_view kReloadTime = "assetgate_config_last_reload_success_timestamp_seconds ";

// The value of a metric without labels.
std::optional<double> ValueOf(absl::string_view metrics, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(metrics, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, name) && absl::SimpleAtod(line, &value)) return value;
  }
  return std::nullopt;
}

// The page at `path` of the admin port; absent where it cannot be read.
std::optional<std::string> Page(const base::HostPort& admin, const std::string& path,
                                const Tools& tools) {
  base::HostPort address = admin;
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::" || address.host == "[::]") address.host = "[::1]";
  http::Request request;
  request.path = path;
  http::SendOptions options;
  options.base_url = absl::StrCat("http://", address.ToString());
  options.timeout = kTimeout;
  http::Result result;
  absl::Notification answered;
  tools.http.Send(std::move(request), std::move(options), [&](http::Result answer) {
    result = std::move(answer);
    answered.Notify();
  });
  answered.WaitForNotification();
  auto* const response = std::get_if<http::Response>(&result);
  if (response == nullptr || response->status != 200) return std::nullopt;
  return std::move(response->body);
}

}  // namespace

void ExamineReload(const config::Config& config, const Tools& tools, const Report& report) {
  if (config.admin_listen.port == 0 || !absl::IsAlreadyExists(TryPort(config.admin_listen))) return;
  const std::optional<std::string> metrics = Page(config.admin_listen, "/metrics", tools);
  if (!metrics.has_value()) return;
  const std::optional<double> successful = ValueOf(*metrics, kReloadSuccessful);
  if (!successful.has_value()) return;
  const double since = ValueOf(*metrics, kReloadTime).value_or(0);
  const std::string read = absl::FormatTime(
      absl::RFC3339_sec, absl::UnixEpoch() + absl::Seconds(since), absl::UTCTimeZone());
  if (*successful == 1) {
    report({Verdict::kOk, "current config",
            absl::StrCat("the gateway that runs here read it at ", read,
                         " and has rejected none since"),
            ""});
    return;
  }
  report({Verdict::kFailed, "current config",
          absl::StrCat(
              "the gateway that runs here rejected the newest config and keeps the one that it "
              "read at ",
              read),
          "its log says why (\"config rejected\"). Once the file is correct, send SIGHUP to "
          "reload it; "
          "a config without the former callers takes effect only after a restart"});
}

}  // namespace assetgate::doctor
