// The keys of JWT issuers that publish them over HTTP.
#ifndef ASSETGATE_AUTH_JWKS_ENDPOINT_H_
#define ASSETGATE_AUTH_JWKS_ENDPOINT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "auth/callers.h"
#include "auth/jwks.h"
#include "base/event_loop.h"
#include "base/secret.h"
#include "http/client.h"
#include "http/egress.h"

namespace assetgate::auth {

// The means to fetch keys. The loop also checks them, so it must be one that may be busy for a
// while. Lifetime: both must outlive everything that fetches.
struct Fetching {
  http::Client& http;
  base::EventLoop& loop;
};

// The fault of a URL to fetch keys from, in words; empty where it has none. It must be https,
// except on this machine: on a plain connection anybody could replace the keys.
std::string FaultOfKeyUrl(absl::string_view url);

// Fetches the keys of `issuer`, whose `jwks_file` is empty: from `jwks_url`, or from the URL in its
// discovery document (ISSUER/.well-known/openid-configuration). Does not follow redirects. Sends
// the token only to the host that the config names. Calls `done` once, on the loop, within half a
// minute. Errors: the message names the URL, without its query.
void FetchJwks(const JwtIssuer& issuer, const Fetching& fetching,
               absl::AnyInvocable<void(absl::StatusOr<std::vector<JwkKey>>) &&> done);

// The newest keys of one issuer.
//
// They are fetched every few minutes, and sooner when a token names an unknown key, which is how a
// new key becomes known. Unknown keys cause at most one fetch per kMissInterval, so that tokens
// with invented keys cause no storm. While a fetch fails, the current keys stay in use.
//
// Threading: any thread; nothing blocks.
class JwksEndpoint final : public std::enable_shared_from_this<JwksEndpoint> {
 public:
  // After a fetch that succeeded.
  static constexpr absl::Duration kRefresh = absl::Minutes(5);
  // Between the starts of two fetches that unknown keys cause.
  static constexpr absl::Duration kMissInterval = absl::Seconds(10);
  // After a failed fetch; doubled for each consecutive failure.
  static constexpr absl::Duration kInitialBackoff = absl::Seconds(2);
  static constexpr absl::Duration kMaxBackoff = absl::Minutes(1);

  JwksEndpoint(JwtIssuer issuer, const Fetching& fetching)
      : issuer_(std::move(issuer)),
        fetching_(fetching),
        ca_(issuer_.ca),
        token_(issuer_.token),
        egress_(issuer_.egress) {}

  // The issuer as given to the constructor.
  const JwtIssuer& issuer() const { return issuer_; }
  // Replaces the means to fetch (`ca`, `token`, `egress`) by those of `issuer`, which must be
  // `FetchedLike` this one. If they differ, the next Refresh fetches the keys again.
  void FetchWith(const JwtIssuer& issuer) ABSL_LOCKS_EXCLUDED(mu_);

  // Null before the first fetch that succeeds.
  JwkKeysPtr keys() const ABSL_LOCKS_EXCLUDED(mu_);
  // When these keys were fetched; InfinitePast where there are none.
  absl::Time fetch_time() const ABSL_LOCKS_EXCLUDED(mu_);
  // The result of the newest fetch that has ended.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);

  // Begins a fetch if one is due. Call it every few seconds.
  void Refresh() ABSL_LOCKS_EXCLUDED(mu_);
  // Reports that a token names an unknown key. True where a fetch is in flight that may bring it;
  // false where the last fetch is too recent.
  bool Miss() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(absl::StatusOr<std::vector<JwkKey>> fetched) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Time Now() const { return fetching_.loop.Now(); }

  const JwtIssuer issuer_;
  const Fetching fetching_;
  mutable absl::Mutex mu_;
  std::string ca_ ABSL_GUARDED_BY(mu_);
  base::Secret token_ ABSL_GUARDED_BY(mu_);
  http::Egress egress_ ABSL_GUARDED_BY(mu_);
  JwkKeysPtr keys_ ABSL_GUARDED_BY(mu_);
  absl::Time fetch_time_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  bool in_flight_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time began_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time due_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_) = kInitialBackoff;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_JWKS_ENDPOINT_H_
