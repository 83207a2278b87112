// Checks the network path to a provider: its name, its address, its certificate, its key and its
// clock. One call shows all of them.
#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/text.h"
#include "base/uri.h"
#include "doctor/doctor.h"
#include "provider/failure.h"
#include "provider/mask.h"

namespace assetgate::doctor {
namespace {

using Verdict = Finding::Verdict;

// For the one call, because a person waits for it.
constexpr absl::Duration kTimeout = absl::Seconds(15);
// A certificate should be renewed before this much of its validity is left.
constexpr absl::Duration kMinCertificateLifetime = absl::Hours(14 * 24);
// The difference between clocks that signatures and dates in answers tolerate.
constexpr absl::Duration kMaxSkew = absl::Seconds(5);

struct Step {
  const char* name;
  const char* remedy;
};

// The step at which an unanswered call failed.
Step StepOf(http::TransportError::Kind kind) {
  using Kind = http::TransportError::Kind;
  switch (kind) {
    case Kind::kResolve:
      return {"its name has no address (DNS)",
              "check the host in base_url, and this host's name servers"};
    case Kind::kConnect:
      return {
          "no connection (TCP)",
          "check the port in base_url, the proxy if one is configured, and whether a firewall lets "
          "this host out; proxies from the environment are not used unless the provider has "
          "proxy: environment"};
    case Kind::kTls:
      return {"no trusted channel (TLS)",
              "the certificate must be valid for the host in base_url and signed by a CA that this "
              "host "
              "trusts (package ca-certificates); a proxy on the path may have replaced it"};
    case Kind::kTimeout:
      return {"no answer in time", "try again, or check the provider's status page"};
    default:
      return {"no usable answer", "check that base_url is the provider's API"};
  }
}

http::Result Call(http::Client& http, http::Request request, http::SendOptions options) {
  absl::Notification answered;
  http::Result result;
  http.Send(std::move(request), std::move(options), [&](http::Result answer) {
    result = std::move(answer);
    answered.Notify();
  });
  answered.WaitForNotification();
  return result;
}

Finding FindingOfKey(const model::ProviderEntry& provider, const http::Response& response) {
  Finding finding{Verdict::kOk, absl::StrCat("provider ", provider.id, ": key"), "", ""};
  const auto failure = provider.dialect->DecodeCheckCredential(response);
  const std::string& id = provider.credential.id;
  if (!failure.has_value()) {
    finding.detail = absl::StrCat("\"", id, "\" is accepted");
    if (const auto credit = provider.dialect->DecodeCredit(response)) {
      absl::StrAppend(&finding.detail, "; its account has ", credit->amount, " ",
                      base::CleanText(credit->unit, 16), " left");
      if (credit->amount <= 0) {
        finding.verdict = Verdict::kWarning;
        finding.remedy = "top up the account";
      }
    }
    return finding;
  }
  const std::string words = base::CleanText(failure->message, 256);
  const std::string said =
      absl::StrCat(" (HTTP ", response.status, words.empty() ? "" : ": ", words, ")");
  switch (failure->reason) {
    case v1::PROVIDER_CREDENTIALS_REJECTED:
      return {Verdict::kFailed, finding.what, absl::StrCat("\"", id, "\" is rejected", said),
              "put a valid key of the account into the secret that the config names"};
    case v1::PROVIDER_OUT_OF_CREDIT:
      return {Verdict::kFailed, finding.what,
              absl::StrCat("\"", id, "\" is accepted, but its account has no credit", said),
              "top up the account"};
    default:
      return {Verdict::kWarning, finding.what,
              absl::StrCat("it is unknown whether \"", id, "\" is accepted", said), "try again"};
  }
}

// Warns about timeouts in the config that are shorter than calls of the dialect are known to take.
void ExamineTimeouts(const model::ProviderEntry& provider, const Report& report) {
  const provider::CallTimeouts& needs = provider.dialect->traits().timeouts;
  const auto check = [&](const char* name, absl::Duration need, absl::Duration has) {
    if (has == absl::ZeroDuration()) has = provider.call_timeout;
    if (has >= need) return;
    report({Verdict::kWarning, absl::StrCat("provider ", provider.id, ": timeouts.", name),
            absl::StrCat(
                "is ", absl::FormatDuration(has), ", and such calls are known to take up to ",
                absl::FormatDuration(need),
                ": the provider may complete a call that timed out, and again its repetition"),
            absl::StrCat("set timeouts.", name, " to ", absl::FormatDuration(need), " or more")});
  };
  check("submit_group", needs.submit_group, provider.timeouts.submit_group);
  check("submit_asset", needs.submit_asset, provider.timeouts.submit_asset);
  check("submit_video", needs.submit_video, provider.timeouts.submit_video);
  check("poll", needs.poll, provider.timeouts.poll);
  check("delete", needs.remove, provider.timeouts.remove);
}

}  // namespace

void ExamineProvider(const model::ProviderEntry& provider, const Tools& tools,
                     const Report& report) {
  const std::string what = absl::StrCat("provider ", provider.id);
  if (provider.mode == v1::Provider::OFF) {
    report(
        {Verdict::kOk, what, "mode OFF: the gateway does not call it, so it was not checked", ""});
    return;
  }
  ExamineTimeouts(provider, report);
  std::optional<http::Request> check = provider.dialect->EncodeCheckCredential();
  const bool checks_key = check.has_value();
  http::Request request = checks_key ? *std::move(check) : http::Request();
  http::SendOptions options;
  options.base_url = provider::BaseUrlFor(request, provider.base_url, provider.planes);
  if (checks_key) {
    provider.dialect->Authorize(request, provider::DestinationOf(request, options.base_url),
                                provider.credential, tools.clock.Now());
  }
  const std::string where = base::RedactUri(options.base_url);
  options.timeout = kTimeout;
  options.report_certificate = true;
  provider.egress.ApplyTo(request, options);
  const absl::Time sent = tools.clock.Now();
  http::Result result = Call(tools.http, std::move(request), std::move(options));
  const absl::Time answered = tools.clock.Now();
  if (const auto* error = std::get_if<http::TransportError>(&result)) {
    const Step step = StepOf(error->kind);
    report({Verdict::kFailed, absl::StrCat(what, ": host"),
            absl::StrCat(step.name, ": ", base::CleanText(error->message, 512)), step.remedy});
    return;
  }
  auto& response = std::get<http::Response>(result);
  provider::MaskSecrets(provider.credential, response);

  Finding host{Verdict::kOk, absl::StrCat(what, ": host"),
               absl::StrCat(where, " answers (HTTP ", response.status,
                            provider.egress.proxy.empty()
                                ? ")"
                                : absl::StrCat("), through the proxy ", provider.egress.proxy)),
               ""};
  if (response.certificate_end.has_value()) {
    absl::StrAppend(&host.detail, ", its certificate is valid until ",
                    base::FormatTime(*response.certificate_end));
    if (*response.certificate_end < answered + kMinCertificateLifetime) {
      host.verdict = Verdict::kWarning;
      host.remedy = "notify the provider: after that the gateway can no longer call it";
    }
  }
  report(host);

  if (checks_key) {
    report(FindingOfKey(provider, response));
  } else {
    report(
        {Verdict::kOk, absl::StrCat(what, ": key"),
         "not checked: the provider documents no call that tests a key without creating something",
         ""});
  }

  const auto date = provider::ParseHttpDate(response.HeaderValue("Date"));
  if (!date.has_value()) return;
  // The date is in whole seconds, and the provider wrote it between `sent` and `answered`.
  const absl::Duration ahead = std::max(absl::ZeroDuration(), sent - (*date + absl::Seconds(1)));
  const absl::Duration behind = std::max(absl::ZeroDuration(), *date - answered);
  Finding clock{Verdict::kOk, absl::StrCat(what, ": clock"),
                "this host's clock agrees with the provider's", ""};
  if (std::max(ahead, behind) > kMaxSkew) {
    clock.verdict = Verdict::kWarning;
    clock.detail =
        absl::StrCat("this host's clock is ",
                     absl::FormatDuration(absl::Trunc(std::max(ahead, behind), absl::Seconds(1))),
                     ahead > behind ? " ahead of the provider's" : " behind the provider's");
    clock.remedy =
        "set this host's clock (NTP); if other providers agree with it, this provider's is wrong";
  }
  report(clock);
}

}  // namespace assetgate::doctor
