// The way to a provider: its name, its address, its certificate, its key, its clock. One call shows
// all of it.
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

// Of the one call: somebody waits for it.
constexpr absl::Duration kPatience = absl::Seconds(15);
// A certificate that ends sooner should have been renewed by now.
constexpr absl::Duration kCertificateDays = absl::Hours(14 * 24);
// Signatures, and dates in answers, allow for about so much.
constexpr absl::Duration kMostSkew = absl::Seconds(5);

struct Step {
  const char* name;
  const char* remedy;
};

// Where a call that was not answered got stuck.
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
      return {
          "no trusted channel (TLS)",
          "the certificate has to be good for the host in base_url, not ended, and signed by an "
          "authority that this host trusts (package ca-certificates); something in between may "
          "have put its own there"};
    case Kind::kTimeout:
      return {"no answer in time", "try again; look at the provider's status page"};
    default:
      return {"no usable answer", "does base_url name the provider's API?"};
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

Finding OfKey(const config::Provider& provider, const http::Response& response) {
  Finding finding{Verdict::kOk, absl::StrCat("provider ", provider.id, ": key"), "", ""};
  const auto failure = provider.dialect->DecodeCheckCredential(response);
  const std::string& id = provider.credential.credential.id;
  if (!failure.has_value()) {
    finding.detail = absl::StrCat("\"", id, "\" is taken");
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
      return {Verdict::kFailed, finding.what, absl::StrCat("\"", id, "\" is refused", said),
              "put a valid key of this account into the secret that the config names"};
    case v1::PROVIDER_OUT_OF_CREDIT:
      return {Verdict::kFailed, finding.what,
              absl::StrCat("\"", id, "\" is known, and its account has no credit", said),
              "top up the account"};
    default:
      return {Verdict::kWarning, finding.what,
              absl::StrCat("whether \"", id, "\" is taken cannot be told", said), "try again"};
  }
}

// A time limit that the config sets for all calls, and that cuts off one that is known to need
// longer.
void ExamineTimeouts(const config::Provider& provider, const Report& report) {
  const provider::CallTimeouts& needs = provider.dialect->traits().timeouts;
  const auto check = [&](const char* name, absl::Duration need, absl::Duration has) {
    if (has == absl::ZeroDuration()) has = provider.timeout;
    if (has >= need) return;
    report({Verdict::kWarning, absl::StrCat("provider ", provider.id, ": timeouts.", name),
            absl::StrCat("is ", absl::FormatDuration(has),
                         ", and such calls are known to take up to ", absl::FormatDuration(need),
                         ": what is cut off may be done all the same, and done again"),
            absl::StrCat("set timeouts.", name, " to ", absl::FormatDuration(need), " or more")});
  };
  check("submit_group", needs.submit_group, provider.timeouts.submit_group);
  check("submit_asset", needs.submit_asset, provider.timeouts.submit_asset);
  check("submit_video", needs.submit_video, provider.timeouts.submit_video);
  check("poll", needs.poll, provider.timeouts.poll);
  check("delete", needs.remove, provider.timeouts.remove);
}

}  // namespace

void ExamineProvider(const config::Provider& provider, const Tools& tools, const Report& report) {
  const std::string what = absl::StrCat("provider ", provider.id);
  const std::string where = base::RedactUri(provider.base_url);
  if (provider.mode == v1::Provider::OFF) {
    report({Verdict::kOk, what, "mode OFF: it is not called, so it was not looked at", ""});
    return;
  }
  ExamineTimeouts(provider, report);
  std::optional<http::Request> check = provider.dialect->EncodeCheckCredential();
  const bool checks_key = check.has_value();
  http::Request request = checks_key ? *std::move(check) : http::Request();
  if (checks_key) {
    provider.dialect->Authorize(request, provider.credential.credential, tools.clock.Now());
  }
  http::SendOptions options;
  options.base_url = provider.base_url;
  options.timeout = kPatience;
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
  provider::MaskSecrets(provider.credential.credential, response);

  Finding host{Verdict::kOk, absl::StrCat(what, ": host"),
               absl::StrCat(where, " answers (HTTP ", response.status,
                            provider.egress.proxy.empty()
                                ? ")"
                                : absl::StrCat("), through the proxy ", provider.egress.proxy)),
               ""};
  if (response.certificate_end.has_value()) {
    absl::StrAppend(&host.detail, ", its certificate is good until ",
                    base::FormatTime(*response.certificate_end));
    if (*response.certificate_end < answered + kCertificateDays) {
      host.verdict = Verdict::kWarning;
      host.remedy = "tell the provider: from then on the gateway cannot call it any more";
    }
  }
  report(host);

  if (checks_key) {
    report(OfKey(provider, response));
  } else {
    report({Verdict::kOk, absl::StrCat(what, ": key"),
            "not checked: the provider documents no call that shows it without making something",
            ""});
  }

  const auto date = provider::ParseHttpDate(response.HeaderValue("Date"));
  if (!date.has_value()) return;
  // In whole seconds; and it was written at some time between.
  const absl::Duration ahead = std::max(absl::ZeroDuration(), sent - (*date + absl::Seconds(1)));
  const absl::Duration behind = std::max(absl::ZeroDuration(), *date - answered);
  Finding clock{Verdict::kOk, absl::StrCat(what, ": clock"), "this host's agrees with its", ""};
  if (std::max(ahead, behind) > kMostSkew) {
    clock.verdict = Verdict::kWarning;
    clock.detail =
        absl::StrCat("this host's is ",
                     absl::FormatDuration(absl::Trunc(std::max(ahead, behind), absl::Seconds(1))),
                     ahead > behind ? " ahead of its" : " behind its");
    clock.remedy =
        "set this host's clock (NTP); where others agree with it, the provider's is wrong";
  }
  report(clock);
}

}  // namespace assetgate::doctor
