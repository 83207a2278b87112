// A gateway that runs here: whether it took the config when it was last changed.
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

// It is on this host.
constexpr absl::Duration kPatience = absl::Seconds(3);
constexpr absl::string_view kTaken = "assetgate_config_last_reload_successful ";
constexpr absl::string_view kTakenAt = "assetgate_config_last_reload_success_timestamp_seconds ";

// The value of a metric without labels.
std::optional<double> ValueOf(absl::string_view metrics, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(metrics, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, name) && absl::SimpleAtod(line, &value)) return value;
  }
  return std::nullopt;
}

// The page of that path of the admin port; nothing where there is none.
std::optional<std::string> Page(const base::HostPort& admin, const std::string& path,
                                const Tools& tools) {
  base::HostPort address = admin;
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::" || address.host == "[::]") address.host = "[::1]";
  http::Request request;
  request.path = path;
  http::SendOptions options;
  options.base_url = absl::StrCat("http://", address.ToString());
  options.timeout = kPatience;
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
  const std::optional<double> taken = ValueOf(*metrics, kTaken);
  if (!taken.has_value()) return;
  const double since = ValueOf(*metrics, kTakenAt).value_or(0);
  const std::string read = absl::FormatTime(
      absl::RFC3339_sec, absl::UnixEpoch() + absl::Seconds(since), absl::UTCTimeZone());
  if (*taken == 1) {
    report({Verdict::kOk, "config in force",
            absl::StrCat("the gateway that runs here read it at ", read,
                         " and has refused none since"),
            ""});
    return;
  }
  report(
      {Verdict::kFailed, "config in force",
       absl::StrCat("the gateway that runs here refused the newest config, and serves on with the "
                    "one that it read at ",
                    read),
       "its log says why (\"config rejected\"). Where nothing is wrong with the file now, it "
       "reads "
       "it again on SIGHUP; a config that has lost its callers is taken only by a restart"});
}

}  // namespace assetgate::doctor
