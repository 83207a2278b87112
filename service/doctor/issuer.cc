// The way to the keys of issuers of JWTs.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "auth/jwks_endpoint.h"
#include "base/event_loop.h"
#include "base/uri.h"
#include "doctor/doctor.h"
#include "http/message.h"

namespace assetgate::doctor {

void ExamineIssuers(const config::Config& config, const Tools& tools, const Report& report) {
  for (const auth::JwtIssuer& issuer : config.callers.issuers) {
    if (!issuer.fetched()) continue;
    absl::StatusOr<std::vector<auth::JwkKey>> keys;
    {
      base::ThreadEventLoop loop("doctor", &tools.clock);
      absl::Notification fetched;
      auth::FetchJwks(issuer, {tools.http, loop}, [&](auto answer) {
        keys = std::move(answer);
        fetched.Notify();
      });
      fetched.WaitForNotification();
    }
    Finding finding{Finding::Verdict::kOk,
                    absl::StrCat("issuer ", base::RedactUri(issuer.issuer), ": keys"), "", ""};
    if (keys.ok()) {
      finding.detail = absl::StrCat("can be fetched: ", keys->size(), " for signatures");
    } else {
      finding.verdict = Finding::Verdict::kFailed;
      finding.detail = std::string(keys.status().message());
      finding.remedy = absl::StrCat(
          issuer.jwks_url.empty()
              ? "does the issuer publish a discovery document for this host? Otherwise say jwks_url"
              : "check jwks_url",
          "; where its certificate is signed by an authority of its own, name ca_file; where it "
          "asks who fetches, name token_file. Until its keys are there, its tokens are refused");
    }
    report(finding);
  }
}

}  // namespace assetgate::doctor
