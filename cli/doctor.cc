#include "cli/doctor.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "cli/failure.h"
#include "cli/json.h"
#include "cli/model.h"
#include "cli/reach.h"
#include "google/protobuf/struct.pb.h"

namespace assetgate::cli {
namespace {

using Verdict = Finding::Verdict;

Finding OfProvider(const v1::Provider& provider) {
  Finding finding;
  finding.what = absl::StrCat("provider ", IdOf(provider.name()));
  finding.detail = absl::StrCat(v1::Provider::State_Name(provider.state()), ", mode ",
                                v1::Provider::Mode_Name(provider.mode()));
  if (!provider.state_reason().empty()) {
    absl::StrAppend(&finding.detail, ": ", provider.state_reason());
  }
  switch (provider.state()) {
    case v1::Provider::AVAILABLE:
      break;
    case v1::Provider::DEGRADED:
      finding.verdict = Verdict::kWarning;
      break;
    default:
      // A provider that takes no new work affects no caller.
      finding.verdict =
          provider.mode() == v1::Provider::SERVE ? Verdict::kFailed : Verdict::kWarning;
  }
  if (finding.verdict == Verdict::kOk) {
    if (provider.mode() != v1::Provider::SERVE) {
      finding.verdict = Verdict::kWarning;
      finding.remedy = "set its mode to SERVE in the config when it is to take new work";
    }
    return finding;
  }
  if (provider.has_last_error()) {
    absl::StrAppend(&finding.detail, "; last error: ", ErrorSummary(provider.last_error()));
  }
  finding.remedy = "run where the gateway runs: assetgate --doctor --config FILE";
  return finding;
}

const char* NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kFailed:
      break;
  }
  return "FAILED";
}

}  // namespace

std::vector<Finding> Examine(Client& client, const Endpoint& endpoint, absl::Duration timeout,
                             const std::stop_token& stop) {
  std::vector<Finding> findings;
  const std::string gateway = absl::StrCat("gateway ", endpoint.server);
  v1::ListProvidersRequest request;
  auto listed = Client::Call(client.providers(), &v1::ProviderService::Stub::ListProviders, request,
                             timeout, stop);
  if (!listed.ok()) {
    const CallContext context = ContextOf(endpoint, listed.status(), timeout);
    std::string remedy = RemedyFor(listed.status(), context);
    // Any other error is an answer: the gateway is reachable.
    const bool unreachable = listed.status().code() == absl::StatusCode::kUnavailable ||
                             listed.status().code() == absl::StatusCode::kDeadlineExceeded;
    if (unreachable && context.connection_fault.empty()) {
      absl::StrAppend(&remedy,
                      "; where it runs, read its log, or run assetgate --doctor --config FILE");
    }
    findings.push_back(
        {Verdict::kFailed, gateway,
         absl::StrCat(unreachable ? "does not answer: " : "refuses: ", listed.status().message()),
         Sanitize(remedy)});
    return findings;
  }
  findings.push_back(
      {Verdict::kOk, gateway,
       absl::StrCat("answers; ", listed->gateway_version().empty()
                                     ? std::string("it does not report its version")
                                     : absl::StrCat("version ", listed->gateway_version())),
       ""});
  if (listed->has_config_rejected_time()) {
    findings.push_back(
        {Verdict::kFailed, "config",
         absl::StrCat(
             "the gateway rejected a changed config or secret at ",
             absl::FormatTime(absl::RFC3339_sec, base::FromProto(listed->config_rejected_time()),
                              absl::UTCTimeZone()),
             " and keeps the current one"),
         "its log says what is wrong (\"config rejected\"); to check the file, run where the "
         "gateway runs: assetgate --check-config FILE"});
  }
  const auto serving = client.Serving(timeout, stop);
  Finding health{Verdict::kOk, "health", "SERVING", ""};
  if (!serving.ok()) {
    health = {Verdict::kWarning, "health", absl::StrCat("unknown: ", serving.status().message()),
              "check that proxies between here and the gateway forward grpc.health.v1"};
  } else if (!*serving) {
    health = {Verdict::kFailed, "health", "NOT_SERVING",
              "it is shutting down, or not ready yet: its /readyz says why"};
  }
  findings.push_back(std::move(health));
  for (;;) {
    for (const v1::Provider& provider : listed->providers()) {
      findings.push_back(OfProvider(provider));
    }
    if (listed->next_page_token().empty()) return findings;
    request.set_page_token(listed->next_page_token());
    listed = Client::Call(client.providers(), &v1::ProviderService::Stub::ListProviders, request,
                          timeout, stop);
    if (listed.ok()) continue;
    findings.push_back(
        {Verdict::kFailed, "providers", std::string(listed.status().message()), "try again"});
    return findings;
  }
}

std::vector<std::string> ToLines(const Finding& finding, const Look& look) {
  const Tone tone = finding.verdict == Verdict::kOk        ? Tone::kGood
                    : finding.verdict == Verdict::kWarning ? Tone::kWaiting
                                                           : Tone::kBad;
  std::vector<std::string> lines;
  lines.push_back(absl::StrCat(Paint(absl::StrFormat("%-7s", NameOf(finding.verdict)), tone, look),
                               "  ", Sanitize(finding.what), ": ", Sanitize(finding.detail)));
  if (!finding.remedy.empty()) {
    lines.push_back(
        absl::StrCat("         ", Paint("what to do:", Tone::kQuiet, look), " ", finding.remedy));
  }
  return lines;
}

std::string ToJsonLine(const Finding& finding) {
  google::protobuf::Struct line;
  auto& fields = *line.mutable_fields();
  fields["verdict"].set_string_value(absl::AsciiStrToUpper(NameOf(finding.verdict)));
  fields["what"].set_string_value(finding.what);
  fields["detail"].set_string_value(finding.detail);
  if (!finding.remedy.empty()) fields["remedy"].set_string_value(finding.remedy);
  return ToJson(line);
}

}  // namespace assetgate::cli
