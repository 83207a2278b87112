// Checks that the keys of JWT issuers can be fetched.
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
      finding.remedy =
          absl::StrCat(issuer.jwks_url.empty()
                           ? "check that the issuer publishes a discovery document, or set jwks_url"
                           : "check jwks_url",
                       "; if its certificate is signed by a private CA, set ca_file; if it "
                       "requires a token, set "
                       "token_file. Until its keys are fetched, its tokens are refused");
    }
    report(finding);
  }
}

}  // namespace assetgate::doctor
