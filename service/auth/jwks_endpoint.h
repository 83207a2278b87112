// Keys of issuers of JWTs that publish them over HTTP.
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

// What keys are fetched with. Both outlive whatever fetches. The loop is where keys are checked:
// one that may take its time.
struct Fetching {
  http::Client& http;
  base::EventLoop& loop;
};

// What is wrong with a URL from which keys are to come, in words; empty where nothing is. Keys in
// clear are anybody's: https only, but for this machine.
std::string FaultOfKeyUrl(absl::string_view url);

// Fetches the keys of `issuer`, whose `jwks_file` is empty: from `jwks_url`, or from where its
// discovery document (ISSUER/.well-known/openid-configuration) says. Redirects are not followed.
// The token goes only to the host that the config names. Ends within half a minute, in one call of
// `done`, on the loop. The error names the URL, without its query.
void FetchJwks(const JwtIssuer& issuer, const Fetching& fetching,
               absl::AnyInvocable<void(absl::StatusOr<std::vector<JwkKey>>) &&> done);

// The newest keys of one issuer that could be fetched.
//
// They are fetched every few minutes, and sooner when a token names one that is not among them,
// which is how a new key becomes known; but never more often than every few seconds, so that tokens
// with made-up keys make no storm. While they cannot be had, those that there are stay in use.
// Thread-safe, and nothing blocks.
class JwksEndpoint final : public std::enable_shared_from_this<JwksEndpoint> {
 public:
  // Between two fetches that succeed.
  static constexpr absl::Duration kRefresh = absl::Minutes(5);
  // Between the beginnings of two fetches that unknown keys ask for.
  static constexpr absl::Duration kMissInterval = absl::Seconds(10);
  // After the first failure in a row, doubled with each, and at most.
  static constexpr absl::Duration kFirstRetry = absl::Seconds(2);
  static constexpr absl::Duration kLongestRetry = absl::Minutes(1);

  JwksEndpoint(JwtIssuer issuer, const Fetching& fetching)
      : issuer_(std::move(issuer)),
        fetching_(fetching),
        ca_(issuer_.ca),
        token_(issuer_.token),
        egress_(issuer_.egress) {}

  // As it was made with: whose keys, and from where.
  const JwtIssuer& issuer() const { return issuer_; }
  // Takes what keys are fetched with (`ca`, `token`, `egress`) from `issuer`, which is fetched like
  // this one. Where that is another than before, keys are fetched again at the next Refresh.
  void FetchWith(const JwtIssuer& issuer) ABSL_LOCKS_EXCLUDED(mu_);

  // Null until they were fetched once.
  JwkKeysPtr keys() const ABSL_LOCKS_EXCLUDED(mu_);
  // When these were fetched; InfinitePast where there are none.
  absl::Time fetch_time() const ABSL_LOCKS_EXCLUDED(mu_);
  // What became of the newest fetch that has ended.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);

  // Fetches what is due. To be called every few seconds.
  void Refresh() ABSL_LOCKS_EXCLUDED(mu_);
  // A token names a key that is not among these. True where a fetch is under way that may bring it;
  // otherwise it was asked for too recently.
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
  bool under_way_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time began_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time due_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Duration retry_ ABSL_GUARDED_BY(mu_) = kFirstRetry;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_JWKS_ENDPOINT_H_
