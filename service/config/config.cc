#include "config/config.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "auth/jwks_endpoint.h"
#include "base/file.h"
#include "base/loopback.h"
#include "base/proto_time.h"
#include "base/spelling.h"
#include "config/config.pb.h"
#include "config/egress.h"
#include "config/fields.h"
#include "config/files.h"
#include "config/yaml.h"
#include "model/resource.h"
#include "provider/failure.h"
#include "store/postgres/connection.h"

namespace assetgate::config {
namespace {

constexpr std::size_t kMaxIdLength = 63;
// A `proxy` that is not a URL.
constexpr absl::string_view kProxyOfEnvironment = "environment";

bool IsId(absl::string_view text, absl::string_view also = "") {
  return !text.empty() && text.size() <= kMaxIdLength &&
         std::all_of(text.begin(), text.end(), [also](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' ||
                  also.find(c) != absl::string_view::npos;
         });
}

// HOST:PORT, [IPV6]:PORT. Absent when it is not that.
std::optional<HostPort> ParseHostPort(absl::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  HostPort result;
  absl::string_view host = text.substr(0, colon);
  const absl::string_view port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5 ||
      !std::all_of(port.begin(), port.end(),
                   [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }) ||
      !absl::SimpleAtoi(port, &result.port) || result.port > 65535) {
    return std::nullopt;
  }
  const bool bracketed = absl::ConsumePrefix(&host, "[");
  if (bracketed != absl::ConsumeSuffix(&host, "]") || host.empty()) return std::nullopt;
  for (const char c : host) {
    const bool fits = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
                      (bracketed ? c == ':' || c == '%' : c == '-' || c == '_');
    if (!fits) return std::nullopt;
  }
  result.host = std::string(host);
  return result;
}

// What is wrong with a base URL, in words; empty when nothing is. `url` loses the slash at its end.
std::string CheckBaseUrl(std::string& url, bool allow_insecure) {
  // A user name and password would be a secret in the config.
  if (absl::StrContains(url, "@")) {
    return "holds an @ (not shown, in case of a password); keys belong into credential";
  }
  const std::string shown = Quoted(url);
  const bool https = absl::StartsWithIgnoreCase(url, "https://");
  const bool http = absl::StartsWithIgnoreCase(url, "http://");
  if (!https && !http) {
    // Not shown: it may be a key.
    return "does not begin with https://; write https://HOST/PATH";
  }
  if (url.find_first_of("?#") != std::string::npos) {
    return absl::StrCat(shown, " has a query or a fragment; end it with the path");
  }
  if (std::any_of(url.begin(), url.end(),
                  [](char c) { return !absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return absl::StrCat(shown, " holds white space or characters outside of ASCII");
  }
  while (absl::EndsWith(url, "/")) url.pop_back();
  absl::string_view authority(url);
  authority.remove_prefix(std::min(authority.size(), authority.find("//") + 2));
  authority = authority.substr(0, authority.find('/'));
  std::string host_port(authority);
  const bool has_port =
      absl::EndsWith(authority, "]") ? false : authority.rfind(':') != absl::string_view::npos;
  if (!has_port) absl::StrAppend(&host_port, ":443");
  const std::optional<HostPort> parsed = ParseHostPort(host_port);
  if (!parsed.has_value() || parsed->port == 0) {
    return absl::StrCat(shown,
                        " has no valid host and port; write https://HOST/PATH, or "
                        "https://HOST:PORT/PATH");
  }
  if (http && !allow_insecure && !base::IsLoopback(parsed->host)) {
    return absl::StrCat(shown,
                        " would send the key in clear; use https://, or set "
                        "allow_insecure_http: true for a network that you trust");
  }
  return "";
}

// Turns the file's messages into the config, one section per function, and adds faults on the way.
class Checker {
 public:
  Checker(YamlFile& yaml, const Environment& environment)
      : yaml_(yaml), environment_(environment) {}

  Config Check(const file::Config& in) {
    Config out;
    out.listen = Address("listen", in.has_listen() ? in.listen() : "127.0.0.1:8080");
    out.admin_listen =
        Address("admin.listen", in.admin().has_listen() ? in.admin().listen() : "127.0.0.1:8081");
    if (out.listen.port != 0 && out.listen.port == out.admin_listen.port &&
        out.listen.host == out.admin_listen.host) {
      yaml_.AddFault(
          yaml_.Has("admin.listen") ? "admin.listen" : "listen",
          absl::StrCat(Quoted(out.listen.ToString()),
                       " is the address of both listen and admin.listen; each needs its own"));
    }
    CheckStore(in.store(), out);
    tracking_ = in.tracking();
    CheckTracking(out);
    CheckProviders(in, out);
    CheckAssetProviders(in, out);
    CheckRoutes(in, out);
    CheckListen(in, out);
    CheckConnections(in.connections(), out.connections);
    CheckCallers(in, out);
    out.core.submit_timeout =
        Length("submit_timeout", in.has_submit_timeout(), in.submit_timeout(),
               out.core.submit_timeout, absl::Seconds(1), absl::Hours(24 * 7));
    CheckLog(in.log(), out);
    out.max_message_bytes = Number("limits.max_message_bytes", in.limits().has_max_message_bytes(),
                                   in.limits().max_message_bytes(), 4 << 20, 64 << 10, 64 << 20);
    out.max_response_bytes =
        Number("limits.max_response_bytes", in.limits().has_max_response_bytes(),
               in.limits().max_response_bytes(), 8 << 20, 64 << 10, 256 << 20);
    out.max_concurrent_calls =
        Number("limits.max_concurrent_calls", in.limits().has_max_concurrent_calls(),
               in.limits().max_concurrent_calls(), 10'000, 1, 1'000'000);
    out.max_concurrent_calls_per_caller = Number("limits.max_concurrent_calls_per_caller",
                                                 in.limits().has_max_concurrent_calls_per_caller(),
                                                 in.limits().max_concurrent_calls_per_caller(),
                                                 (out.max_concurrent_calls + 1) / 2, 1, 1'000'000);
    out.memory = Number<std::int64_t>("limits.memory", in.limits().has_memory(),
                                      in.limits().memory(), std::int64_t{1} << 30,
                                      std::int64_t{128} << 20, std::int64_t{64} << 30);
    out.bookmark_interval = Length("watch.bookmark_interval", in.watch().has_bookmark_interval(),
                                   in.watch().bookmark_interval(), absl::Seconds(25),
                                   absl::Seconds(1), absl::Seconds(30));
    out.shutdown_timeout =
        Length("shutdown_timeout", in.has_shutdown_timeout(), in.shutdown_timeout(),
               absl::Seconds(20), absl::ZeroDuration(), absl::Minutes(10));
    out.drain_delay = Length("drain_delay", in.has_drain_delay(), in.drain_delay(),
                             out.postgres_uri.empty() ? absl::ZeroDuration() : absl::Seconds(5),
                             absl::ZeroDuration(), absl::Minutes(10));
    out.debug_reflection = in.debug().reflection();
    out.debug_channelz = in.debug().channelz();
    return out;
  }

 private:
  HostPort Address(const std::string& path, const std::string& text) {
    const std::optional<HostPort> parsed = ParseHostPort(text);
    if (!parsed.has_value()) {
      yaml_.AddFault(path, absl::StrCat(Quoted(text),
                                        " is not an address; write HOST:PORT, such as "
                                        "127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"));
      return {};
    }
    return *parsed;
  }

  template <typename T>
  T Number(const std::string& path, bool set, T value, T fallback, T min, T max) {
    if (!set) return fallback;
    if (value < min || value > max) {
      yaml_.AddFault(path, absl::StrCat(value, " is not between ", min, " and ", max));
    }
    return value;
  }

  absl::Duration Length(const std::string& path, bool set, const google::protobuf::Duration& value,
                        absl::Duration fallback, absl::Duration min, absl::Duration max) {
    if (!set) return fallback;
    const absl::Duration duration = base::FromProto(value);
    if (duration < min || duration > max) {
      yaml_.AddFault(path,
                     absl::StrCat(absl::FormatDuration(duration), " is not between ",
                                  absl::FormatDuration(min), " and ", absl::FormatDuration(max)));
    }
    return duration;
  }

  // A required text.
  std::string Text(const std::string& path, bool set, const std::string& value,
                   absl::string_view remedy) {
    if (!set || value.empty()) {
      yaml_.AddFault(path, absl::StrCat(set ? "is empty; " : "is missing; ", remedy));
    }
    return value;
  }

  void CheckPostgres(const file::Store& in, Config& out) {
    const std::string path = "store.postgres.uri";
    const file::ConnectionString& uri = in.postgres().uri();
    if (in.has_sqlite()) {
      yaml_.AddFault("store", "names both sqlite and postgres; keep one");
      return;
    }
    if (yaml_.HasFault(path)) return;
    if (uri.has_env() || uri.has_file()) {
      file::Secret source;
      if (uri.has_env()) source.set_env(uri.env());
      if (uri.has_file()) source.set_file(uri.file());
      if (uri.has_text()) {
        yaml_.AddFault(path, "names both a text and where one is; keep one");
        return;
      }
      out.postgres_uri = ReadSecret(path, source);
      if (yaml_.HasFault(path)) return;
    } else {
      if (uri.text().empty()) {
        yaml_.AddFault(path,
                       "is missing; write postgresql://USER@HOST:PORT/DATABASE, or, where it "
                       "holds a password, {env: NAME} or {file: PATH}");
        return;
      }
      out.postgres_uri = base::Secret(uri.text());
    }
    // No fault shows it: it may hold a password all the same.
    const absl::StatusOr<bool> password = store::postgres::HoldsPassword(out.postgres_uri.Reveal());
    if (!password.ok()) {
      yaml_.AddFault(path,
                     "is no connection string; write postgresql://USER@HOST:PORT/DATABASE, "
                     "with % and two digits for special characters");
    } else if (*password && uri.has_text()) {
      yaml_.AddFault(path,
                     "holds a password, which a config must not; put the whole string into a "
                     "variable or a file and write {env: NAME} or {file: PATH}, or leave the "
                     "password to PGPASSFILE");
    }
  }

  void CheckStore(const file::Store& in, Config& out) {
    CheckRetention(in, out);
    if (in.has_postgres()) {
      CheckPostgres(in, out);
      out.lease_duration = Length(
          "store.postgres.lease_duration", in.postgres().has_lease_duration(),
          in.postgres().lease_duration(), absl::Seconds(15), absl::Seconds(5), absl::Minutes(5));
      return;
    }
    out.sqlite_path = in.sqlite().has_path() ? in.sqlite().path() : "assetgate.db";
    if (out.sqlite_path.empty()) {
      yaml_.AddFault("store.sqlite.path", "is empty; name the database file");
    } else if (absl::StartsWith(out.sqlite_path, ":") ||
               absl::StartsWithIgnoreCase(out.sqlite_path, "file:")) {
      yaml_.AddFault("store.sqlite.path",
                     absl::StrCat(Quoted(out.sqlite_path),
                                  " has a meaning of its own to SQLite; name a plain file"));
    }
  }

  void CheckListen(const file::Config& in, Config& out) {
    if (!in.has_tls()) {
      if (!base::IsLoopback(out.listen.host) && !in.allow_insecure_listen() &&
          !yaml_.HasFault("listen")) {
        yaml_.AddFault(
            "listen", absl::StrCat(Quoted(out.listen.ToString()),
                                   " is reached by others, in plain text; configure tls, or, where "
                                   "something else encrypts, write allow_insecure_listen: true"));
      }
      return;
    }
    out.tls = ReadTls(in.tls(), environment_, yaml_);
  }

  void CheckConnections(const file::Connections& in, Connections& out) {
    out.max_age = Length("connections.max_age", in.has_max_age(), in.max_age(), out.max_age,
                         absl::Minutes(1), absl::Hours(720));
    out.max_age_grace =
        Length("connections.max_age_grace", in.has_max_age_grace(), in.max_age_grace(),
               out.max_age_grace, absl::Seconds(1), absl::Hours(24));
    out.keepalive_time =
        Length("connections.keepalive_time", in.has_keepalive_time(), in.keepalive_time(),
               out.keepalive_time, absl::Seconds(10), absl::Hours(24));
    out.keepalive_timeout =
        Length("connections.keepalive_timeout", in.has_keepalive_timeout(), in.keepalive_timeout(),
               out.keepalive_timeout, absl::Seconds(1), absl::Minutes(10));
    out.max_concurrent_streams =
        Number<int>("connections.max_concurrent_streams", in.has_max_concurrent_streams(),
                    in.max_concurrent_streams(), out.max_concurrent_streams, 1, 1'000'000);
  }

  void CheckIssuers(const file::Config& in, Config& out) {
    std::set<std::string> seen;
    for (int i = 0; i < in.jwt_issuers_size(); ++i) {
      const std::string path = absl::StrCat("jwt_issuers[", i, "]");
      const file::JwtIssuer& issuer = in.jwt_issuers(i);
      auth::JwtIssuer& made = out.callers.issuers.emplace_back();
      made.issuer = Text(path + ".issuer", issuer.has_issuer(), issuer.issuer(),
                         "write the claim iss of its tokens");
      CheckKeysOf(issuer, path, made);
      made.audiences.assign(issuer.audiences().begin(), issuer.audiences().end());
      if (made.audiences.empty()) {
        yaml_.AddFault(path + ".audiences",
                       "is missing; name what tokens for this gateway say in aud, such as "
                       "[assetgate]");
      }
      if (!made.issuer.empty() && !seen.insert(made.issuer).second) {
        yaml_.AddFault(path + ".issuer", "is there twice; keep one");
      }
    }
    if (in.callers().empty() && !in.jwt_issuers().empty()) {
      yaml_.AddFault("jwt_issuers", "is of no use without callers; name who may call");
    }
  }

  // Where its keys are, and what they are fetched with.
  void CheckKeysOf(const file::JwtIssuer& from, const std::string& path, auth::JwtIssuer& issuer) {
    issuer.jwks_file = from.jwks_file();
    issuer.jwks_url = from.jwks_url();
    issuer.ca_file = from.ca_file();
    issuer.token_file = from.token_file();
    if (from.has_jwks_file() && from.has_jwks_url()) {
      yaml_.AddFault(path + ".jwks_url", "is of no use beside jwks_file; keep one of the two");
      return;
    }
    if (from.has_jwks_file()) {
      if (from.jwks_file().empty()) {
        yaml_.AddFault(path + ".jwks_file", "is empty; name the file of its keys");
        return;
      }
      if (from.has_ca_file() || from.has_token_file() || from.has_proxy()) {
        yaml_.AddFault(path + (from.has_ca_file()      ? ".ca_file"
                               : from.has_token_file() ? ".token_file"
                                                       : ".proxy"),
                       "is for keys that are fetched; leave it out beside jwks_file");
      }
      ReadFilesOf(path, environment_, yaml_, issuer);
      return;
    }
    if (from.has_jwks_url()) {
      if (const std::string fault = auth::FaultOfKeyUrl(issuer.jwks_url); !fault.empty()) {
        yaml_.AddFault(path + ".jwks_url", absl::StrCat(fault, "; write https://HOST/PATH"));
      }
    } else if (from.has_issuer() && (!auth::FaultOfKeyUrl(issuer.issuer).empty() ||
                                     absl::StrContains(issuer.issuer, '?'))) {
      // Not shown: it may be a token.
      yaml_.AddFault(path + ".issuer",
                     "is no URL at which a discovery document could be; name its keys with "
                     "jwks_url or jwks_file");
    }
    if (from.has_ca_file() && from.ca_file().empty()) {
      yaml_.AddFault(path + ".ca_file", "is empty; name a file, or leave it out");
    }
    if (from.has_token_file() && from.token_file().empty()) {
      yaml_.AddFault(path + ".token_file", "is empty; name a file, or leave it out");
    }
    CheckProxy(from, path, from.has_jwks_url() ? issuer.jwks_url : issuer.issuer, issuer.egress);
    ReadFilesOf(path, environment_, yaml_, issuer);
  }

  // What tells callers apart must not tell two.
  void CheckOnce(const std::string& path, const std::string& what) {
    const auto [first, inserted] = credentials_.emplace(what, path);
    if (!inserted)
      yaml_.AddFault(path,
                     absl::StrCat("is the same as ", first->second, "; one of the two callers"));
  }

  void CheckCallers(const file::Config& in, Config& out) {
    CheckIssuers(in, out);
    std::set<std::string> ids;
    for (int i = 0; i < in.callers_size(); ++i) {
      const std::string path = absl::StrCat("callers[", i, "]");
      const file::Caller& from = in.callers(i);
      auth::Caller& caller = out.callers.callers.emplace_back();
      caller.id = Text(path + ".id", from.has_id(), from.id(), "choose a name for the caller");
      if (!caller.id.empty()) CheckId(path + ".id", caller.id);
      if (!caller.id.empty() && !ids.insert(caller.id).second) {
        yaml_.AddFault(path + ".id", absl::StrCat(Quoted(caller.id), " is there twice"));
      }
      caller.tenant = from.has_tenant() ? from.tenant() : std::string(model::kDefaultTenant);
      CheckId(path + ".tenant", caller.tenant);
      CheckCredentialsOf(from, path, in, out, caller);
      CheckRights(from, path, out, caller);
    }
  }

  void CheckId(const std::string& path, const std::string& id) {
    if (IsId(id)) return;
    // Not shown: a key that stands in the place of its id is not one.
    yaml_.AddFault(path,
                   absl::StrCat("is not an id; use at most ", kMaxIdLength, " of a-z, 0-9 and -"));
  }

  void CheckCredentialsOf(const file::Caller& from, const std::string& path, const file::Config& in,
                          const Config& out, auth::Caller& caller) {
    for (int i = 0; i < from.certificates_size(); ++i) {
      const std::string at = absl::StrCat(path, ".certificates[", i, "]");
      if (from.certificates(i).empty()) yaml_.AddFault(at, "is empty");
      if (in.tls().client_ca().empty()) {
        yaml_.AddFault(at, "needs tls.client_ca: nobody is asked for a certificate otherwise");
      }
      CheckOnce(at, absl::StrCat("certificate ", from.certificates(i)));
      caller.certificates.push_back(from.certificates(i));
    }
    for (int i = 0; i < from.token_sha256_size(); ++i) {
      const std::string at = absl::StrCat(path, ".token_sha256[", i, "]");
      const std::string& hex = from.token_sha256(i);
      if (hex.size() != 64 ||
          hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
        // Not shown: it may be the token itself.
        yaml_.AddFault(
            at, "is no SHA-256, which is 64 hexadecimal digits; never write the token itself");
        continue;
      }
      caller.token_digests.push_back(absl::HexStringToBytes(hex));
      CheckOnce(at, absl::StrCat("token ", caller.token_digests.back()));
    }
    for (int i = 0; i < from.jwts_size(); ++i) {
      const std::string at = absl::StrCat(path, ".jwts[", i, "]");
      auth::Subject subject;
      subject.issuer = Text(at + ".issuer", from.jwts(i).has_issuer(), from.jwts(i).issuer(),
                            "name one of jwt_issuers");
      subject.subject = Text(at + ".subject", from.jwts(i).has_subject(), from.jwts(i).subject(),
                             "write the claim sub of its tokens");
      if (!subject.issuer.empty() &&
          std::none_of(
              out.callers.issuers.begin(), out.callers.issuers.end(),
              [&](const auth::JwtIssuer& each) { return each.issuer == subject.issuer; })) {
        yaml_.AddFault(at + ".issuer", "is not one of jwt_issuers");
      }
      CheckOnce(at, absl::StrCat("jwt ", subject.issuer, "\n", subject.subject));
      caller.subjects.push_back(std::move(subject));
    }
    if (from.certificates().empty() && from.token_sha256().empty() && from.jwts().empty()) {
      yaml_.AddFault(path,
                     "has nothing to be known by; give it certificates, token_sha256 or jwts");
    }
  }

  void CheckRights(const file::Caller& from, const std::string& path, const Config& out,
                   auth::Caller& caller) {
    for (int i = 0; i < from.roles_size(); ++i) {
      switch (from.roles(i)) {
        case file::Caller::READER:
          caller.roles.insert(auth::Role::kReader);
          break;
        case file::Caller::WRITER:
          caller.roles.insert(auth::Role::kWriter);
          break;
        case file::Caller::OPERATOR:
          caller.roles.insert(auth::Role::kOperator);
          break;
        default:
          yaml_.AddFault(absl::StrCat(path, ".roles[", i, "]"),
                         "is no role; use READER, WRITER or OPERATOR");
      }
    }
    if (from.roles().empty()) {
      yaml_.AddFault(path + ".roles", "is missing; name at least one: READER, WRITER, OPERATOR");
    }
    for (int i = 0; i < from.providers_size(); ++i) {
      const std::string& id = from.providers(i);
      if (std::none_of(out.providers.begin(), out.providers.end(),
                       [&](const Provider& each) { return each.id == id; })) {
        yaml_.AddFault(absl::StrCat(path, ".providers[", i, "]"),
                       absl::StrCat(Quoted(id), " is not the id of a provider"));
      }
      if (!caller.providers.has_value()) caller.providers.emplace();
      caller.providers->insert(id);
    }
    caller.limits.requests_per_second = Number<double>(
        path + ".limits.requests_per_second", from.limits().has_requests_per_second(),
        from.limits().requests_per_second(), 0, 0.01, 100'000);
    caller.limits.open_streams =
        Number<int>(path + ".limits.open_streams", from.limits().has_open_streams(),
                    from.limits().open_streams(), 1'000, 1, 1'000'000);
    caller.limits.unfinished_videos =
        Number<int>(path + ".limits.unfinished_videos", from.limits().has_unfinished_videos(),
                    from.limits().unfinished_videos(), 0, 1, 500'000);
  }

  void CheckRetention(const file::Store& in, Config& out) {
    out.retention.changes =
        Length("store.change_retention", in.has_change_retention(), in.change_retention(),
               out.retention.changes, absl::Minutes(1), absl::Hours(24 * 90));
    out.retention.max_changes =
        Number<std::int64_t>("store.max_changes", in.has_max_changes(), in.max_changes(),
                             out.retention.max_changes, 1'000, 100'000'000);
    // Not sooner: a repeated request gets what the first one made.
    out.purge_video_tasks_after =
        Length("store.purge_video_tasks_after", in.has_purge_video_tasks_after(),
               in.purge_video_tasks_after(), out.purge_video_tasks_after, out.retention.requests,
               absl::Hours(24 * 3650));
  }

  void CheckTracking(Config& out) {
    constexpr absl::Duration kLongestPeriod = absl::Hours(720);
    model::Settings& core = out.core;
    core.asset_tracking_period =
        Length("tracking.asset_period", tracking_.has_asset_period(), tracking_.asset_period(),
               core.asset_tracking_period, absl::Minutes(1), kLongestPeriod);
    core.video_tracking_period =
        Length("tracking.video_period", tracking_.has_video_period(), tracking_.video_period(),
               core.video_tracking_period, absl::Minutes(1), kLongestPeriod);
    const absl::Duration longest = std::max(core.asset_tracking_period, core.video_tracking_period);
    core.tracking_horizon =
        Length("tracking.horizon", tracking_.has_horizon(), tracking_.horizon(),
               std::max(core.tracking_horizon, longest), absl::Minutes(1), absl::Hours(2160));
    if (core.tracking_horizon < longest) {
      yaml_.AddFault("tracking.horizon",
                     absl::StrCat(absl::FormatDuration(core.tracking_horizon),
                                  " is less than asset_period or video_period (",
                                  absl::FormatDuration(longest), ")"));
    }
    core.missing_result_period = Length("tracking.missing_result", tracking_.has_missing_result(),
                                        tracking_.missing_result(), core.missing_result_period,
                                        absl::Minutes(1), absl::Hours(24));
    core.late_result_period =
        Length("tracking.late_results", tracking_.has_late_results(), tracking_.late_results(),
               core.late_result_period, absl::Minutes(1), kLongestPeriod);
    CheckPolling("tracking", tracking_);
  }

  // Of file::Tracking and file::Polling.
  template <typename T>
  void CheckPolling(const std::string& path, const T& in) {
    constexpr absl::Duration kMin = absl::Milliseconds(10);
    constexpr absl::Duration kMax = absl::Hours(24);
    Length(path + ".first_poll", in.has_first_poll(), in.first_poll(), kMin, kMin, kMax);
    const absl::Duration min =
        Length(path + ".min_poll", in.has_min_poll(), in.min_poll(), kMin, kMin, kMax);
    const absl::Duration max =
        Length(path + ".max_poll", in.has_max_poll(), in.max_poll(), kMax, kMin, kMax);
    if (max < min) {
      yaml_.AddFault(path + ".max_poll",
                     absl::StrCat(absl::FormatDuration(max), " is less than min_poll (",
                                  absl::FormatDuration(min), ")"));
    }
  }

  // The dialect's intervals, replaced by the top-level tracking's, replaced by the provider's.
  provider::Polling Merge(provider::Polling polling, const file::Polling& own) const {
    const auto replace = [](const auto& in, provider::Polling& out) {
      if (in.has_first_poll()) out.first = base::FromProto(in.first_poll());
      if (in.has_min_poll()) out.floor = base::FromProto(in.min_poll());
      if (in.has_max_poll()) out.ceiling = base::FromProto(in.max_poll());
    };
    replace(tracking_, polling);
    replace(own, polling);
    polling.ceiling = std::max(polling.ceiling, polling.floor);
    return polling;
  }

  const provider::DialectFactory* FindDialect(absl::string_view name) const {
    for (const provider::DialectFactory* factory : environment_.dialects) {
      if (factory->name == name) return factory;
    }
    return nullptr;
  }

  void CheckProviders(const file::Config& in, Config& out) {
    if (in.providers().empty()) {
      yaml_.AddFault("providers", "names no provider; name at least one, with id and credential");
    }
    for (int i = 0; i < in.providers_size(); ++i) {
      const std::string path = absl::StrCat("providers[", i, "]");
      Provider provider = CheckProvider(in.providers(i), path);
      const auto [first, inserted] = provider_index_.emplace(provider.id, out.providers.size());
      if (!inserted && !provider.id.empty()) {
        yaml_.AddFault(path + ".id",
                       absl::StrCat(Quoted(provider.id), " is also the id of providers[",
                                    first->second, "]; give each account its own"));
      }
      out.providers.push_back(std::move(provider));
    }
  }

  Provider CheckProvider(const file::Provider& in, const std::string& path) {
    Provider out;
    out.id = Text(path + ".id", in.has_id(), in.id(),
                  "choose a name for the account, such as its dialect's name");
    if (!out.id.empty()) CheckId(path + ".id", out.id);
    out.mode = in.mode() == v1::Provider::MODE_UNSPECIFIED ? v1::Provider::SERVE : in.mode();
    out.timeout = Length(path + ".timeout", in.has_timeout(), in.timeout(), absl::Minutes(1),
                         absl::Seconds(1), absl::Minutes(10));
    CheckPolling(path + ".tracking", in.tracking());

    out.dialect = MakeDialect(in, path);
    const provider::Traits unknown;
    const provider::Traits& traits = out.dialect == nullptr ? unknown : out.dialect->traits();
    out.group_polling = Merge(traits.group_polling, in.tracking());
    out.asset_polling = Merge(traits.asset_polling, in.tracking());
    out.video_polling = Merge(traits.video_polling, in.tracking());
    out.requests_per_second =
        Number<double>(path + ".limits.requests_per_second", in.limits().has_requests_per_second(),
                       in.limits().requests_per_second(), traits.requests_per_second, 0.01, 10'000);
    out.max_in_flight = Number<int>(path + ".limits.max_in_flight", in.limits().has_max_in_flight(),
                                    in.limits().max_in_flight(), traits.max_in_flight, 1, 10'000);
    out.base_url = in.has_base_url() ? in.base_url() : traits.default_base_url;
    if (in.has_base_url() || out.dialect != nullptr) {
      const std::string wrong = CheckBaseUrl(out.base_url, in.allow_insecure_http());
      if (!wrong.empty()) yaml_.AddFault(path + ".base_url", wrong);
    }
    CheckPlanes(in, path, traits, out);
    CheckCredentials(in, path, traits, out);
    CheckTimeouts(in, path, traits, out);
    CheckHeaders(in, path, traits, out);
    CheckProxy(in, path, out.base_url, out.egress);
    CheckSlots(in.slots(), path + ".slots", out);
    return out;
  }

  void CheckPlanes(const file::Provider& in, const std::string& path,
                   const provider::Traits& traits, Provider& out) {
    out.planes = traits.planes;
    std::vector<std::string> known;
    for (const auto& plane : traits.planes) known.push_back(plane.first);
    // A protobuf map has no order; faults have.
    for (const auto& [plane, url] : std::map(in.planes().begin(), in.planes().end())) {
      if (out.dialect != nullptr && !traits.planes.contains(plane)) {
        yaml_.AddFault(absl::StrCat(path, ".planes.", plane),
                       known.empty()
                           ? absl::StrCat("is not a plane: the dialect ", traits.name, " has none")
                           : absl::StrCat("is not a plane of the dialect ", traits.name,
                                          "; it has ", absl::StrJoin(known, ", ")));
      }
      out.planes[plane] = url;
    }
    for (auto& [plane, url] : out.planes) {
      const std::string wrong = CheckBaseUrl(url, in.allow_insecure_http());
      if (!wrong.empty()) yaml_.AddFault(absl::StrCat(path, ".planes.", plane), wrong);
    }
  }

  void CheckTimeouts(const file::Provider& in, const std::string& path,
                     const provider::Traits& traits, Provider& out) {
    // What the file says of all calls holds for those of which the dialect knows better, too.
    if (!in.has_timeout()) out.timeouts = traits.timeouts;
    const auto read = [&](const char* name, bool set, const google::protobuf::Duration& value,
                          absl::Duration& timeout) {
      timeout = Length(absl::StrCat(path, ".timeouts.", name), set, value, timeout,
                       absl::Seconds(1), absl::Minutes(10));
    };
    const file::Timeouts& of = in.timeouts();
    read("submit_group", of.has_submit_group(), of.submit_group(), out.timeouts.submit_group);
    read("submit_asset", of.has_submit_asset(), of.submit_asset(), out.timeouts.submit_asset);
    read("submit_video", of.has_submit_video(), of.submit_video(), out.timeouts.submit_video);
    read("poll", of.has_poll(), of.poll(), out.timeouts.poll);
    read("delete", of.has_delete_(), of.delete_(), out.timeouts.remove);
  }

  void CheckHeaders(const file::Provider& in, const std::string& path,
                    const provider::Traits& traits, Provider& out) {
    if (in.headers().size() > static_cast<int>(kMaxHeaders)) {
      yaml_.AddFault(path + ".headers", absl::StrCat("names ", in.headers().size(),
                                                     " headers; name at most ", kMaxHeaders));
    }
    // A protobuf map has no order; faults have.
    const std::map<std::string, std::string> ordered(in.headers().begin(), in.headers().end());
    std::set<std::string> seen;
    for (const auto& [name, value] : ordered) {
      const std::string at = absl::StrCat(path, ".headers.", name);
      std::string fault = FaultOfHeaderName(name, traits.own_headers);
      if (fault.empty()) fault = FaultOfHeaderValue(value);
      if (fault.empty() && !seen.insert(absl::AsciiStrToLower(name)).second) {
        fault = "is listed twice, in another case; remove one";
      }
      if (!fault.empty()) yaml_.AddFault(at, fault);
      out.egress.headers.push_back({name, value});
    }
  }

  // Of a provider, or of what keys are fetched with: `url` is what is reached through it.
  template <typename Entry>
  void CheckProxy(const Entry& in, const std::string& path, absl::string_view url,
                  http::Egress& out) {
    const bool of_environment = in.has_proxy() && in.proxy() == kProxyOfEnvironment;
    if (in.has_proxy_credential() && (!in.has_proxy() || of_environment)) {
      yaml_.AddFault(path + ".proxy_credential",
                     in.has_proxy() ? "is of no use beside proxy: environment, where the variable "
                                      "holds user and password; remove it"
                                    : "is of no use without proxy; name the proxy, or remove it");
      return;
    }
    if (!in.has_proxy()) return;
    if (of_environment) {
      absl::StatusOr<EnvironmentProxy> proxy = ProxyOfEnvironment(url, environment_.getenv);
      if (!proxy.ok()) {
        yaml_.AddFault(path + ".proxy", proxy.status().message());
        return;
      }
      out.proxy = std::move(proxy->url);
      out.proxy_credential = base::Secret(std::move(proxy->credential));
      out.no_proxy = std::move(proxy->no_proxy);
      return;
    }
    out.proxy = in.proxy();
    if (const std::string fault = FaultOfProxy(in.proxy()); !fault.empty()) {
      yaml_.AddFault(path + ".proxy", fault);
    } else if (http::IsOfThisMachine(url)) {
      yaml_.AddFault(path + ".proxy",
                     "is of no use for an address of this machine, which the proxy would look for "
                     "on its own; remove it");
    }
    if (!in.has_proxy_credential() || yaml_.HasFault(path + ".proxy_credential")) return;
    const std::string at = path + ".proxy_credential";
    out.proxy_credential = ReadSecret(at, in.proxy_credential());
    if (!yaml_.HasFault(at) && out.proxy_credential.Reveal().find(':') == std::string::npos) {
      yaml_.AddFault(at, "has no colon (the value is not shown); it should be USER:PASSWORD");
    }
  }

  void CheckSlots(const file::Slots& in, const std::string& path, Provider& out) {
    constexpr int kMost = 100'000;
    if (in.has_default_()) {
      out.slots.each = Number<int>(path + ".default", true, in.default_(), 0, 1, kMost);
    }
    const std::map<std::string, int> ordered(in.models().begin(), in.models().end());
    for (const auto& [model, slots] : ordered) {
      const std::string at = absl::StrCat(path, ".models.", model);
      out.slots.by_model[model] = Number<int>(at, true, slots, 0, 1, kMost);
      if (out.dialect == nullptr || out.dialect->FindModel(model) != nullptr) continue;
      yaml_.AddFault(
          at, absl::StrCat("is not a model of dialect ", out.dialect->traits().name, "; known: ",
                           absl::StrJoin(base::NearestFirst(model, out.dialect->models()), ", ")));
    }
  }

  std::unique_ptr<const provider::Dialect> MakeDialect(const file::Provider& in,
                                                       const std::string& path) {
    const std::string& name = in.has_dialect() ? in.dialect() : in.id();
    if (name.empty()) return nullptr;
    const provider::DialectFactory* factory = FindDialect(name);
    if (factory == nullptr) {
      std::vector<std::string> known;
      known.reserve(environment_.dialects.size());
      for (const provider::DialectFactory* each : environment_.dialects) {
        known.push_back(each->name);
      }
      yaml_.AddFault(path + ".dialect",
                     absl::StrCat(in.has_dialect() ? "" : "is missing, and the id ", Quoted(name),
                                  " is no dialect; known: ",
                                  absl::StrJoin(base::NearestFirst(name, known), ", ")));
      return nullptr;
    }
    const std::unique_ptr<google::protobuf::Message> options = factory->new_options();
    yaml_.ReadAt(path + ".options", *options);
    absl::StatusOr<std::unique_ptr<const provider::Dialect>> made = factory->create(*options);
    if (made.ok()) return *std::move(made);
    yaml_.AddFault(path + ".options", made.status().message());
    // The rest of the entry can still be checked against the dialect.
    made = factory->create(*factory->new_options());
    return made.ok() ? *std::move(made) : nullptr;
  }

  void CheckCredentials(const file::Provider& in, const std::string& path,
                        const provider::Traits& traits, Provider& out) {
    out.credential.credential.id =
        CredentialId(path + ".credential_id", in.has_credential_id(), in.credential_id(), out.id);
    CheckSecrets(path + ".credential", in.credential(), traits, out.credential);
    if (in.previous_credential().empty()) {
      if (in.has_previous_credential_id()) {
        yaml_.AddFault(path + ".previous_credential_id",
                       "names a previous_credential, but there is none; add it, or remove this");
      }
      return;
    }
    Credential& previous = out.previous_credential.emplace();
    previous.credential.id =
        CredentialId(path + ".previous_credential_id", in.has_previous_credential_id(),
                     in.previous_credential_id(), out.id);
    CheckSecrets(path + ".previous_credential", in.previous_credential(), traits, previous);
    // Work begun with one key must be told from work begun with the other.
    if (previous.credential.id == out.credential.credential.id) {
      yaml_.AddFault(
          path + ".credential_id",
          absl::StrCat(Quoted(previous.credential.id),
                       " is the id of both credential and previous_credential; give the new "
                       "one a credential_id, such as ",
                       Quoted(absl::StrCat(out.id, "-2")),
                       ", and keep the old one's name for previous_credential_id"));
    }
  }

  std::string CredentialId(const std::string& path, bool set, const std::string& id,
                           const std::string& fallback) {
    if (!set) return fallback;
    CheckId(path, id);
    return id;
  }

  void CheckSecrets(const std::string& path,
                    const google::protobuf::Map<std::string, file::Secret>& in,
                    const provider::Traits& traits, Credential& out) {
    // Without a dialect nobody knows which secrets there are.
    if (!traits.name.empty()) {
      for (const std::string& name : traits.secrets) {
        if (in.contains(name)) continue;
        yaml_.AddFault(absl::StrCat(path, ".", name),
                       absl::StrCat("is missing; dialect ", traits.name,
                                    " needs it: {env: NAME} or {file: PATH}"));
      }
    }
    // A protobuf map has no order; faults have.
    const std::map<std::string, file::Secret> ordered(in.begin(), in.end());
    for (const auto& [name, source] : ordered) {
      const std::string secret_path = absl::StrCat(path, ".", name);
      if (!traits.name.empty() &&
          std::find(traits.secrets.begin(), traits.secrets.end(), name) == traits.secrets.end()) {
        yaml_.AddFault(secret_path,
                       absl::StrCat("dialect ", traits.name, " has no such secret; it has: ",
                                    absl::StrJoin(traits.secrets, ", ")));
        continue;
      }
      if (yaml_.HasFault(secret_path)) continue;
      out.sources[name] = {source.env(), source.file()};
      base::Secret secret = ReadSecret(secret_path, source);
      out.credential.secrets.emplace(name, std::move(secret));
    }
  }

  base::Secret ReadSecret(const std::string& path, const file::Secret& source) {
    if (source.has_env() == source.has_file()) {
      yaml_.AddFault(path, source.has_env() ? "names both env and file; keep one"
                                            : "must be {env: NAME} or {file: PATH}");
      return {};
    }
    std::string where;
    std::string text;
    if (source.has_env()) {
      // Somebody may have put the secret where its name belongs: only what is written like the name
      // of a variable is shown.
      where =
          IsPlainVariable(source.env())
              ? absl::StrCat("environment variable ", source.env())
              : "the environment variable (not shown, as it is not written in capitals and may be "
                "the secret itself)";
      const std::optional<std::string> value =
          source.env().empty() ? std::nullopt : environment_.getenv(source.env());
      if (!value.has_value()) {
        yaml_.AddFault(path, absl::StrCat(where,
                                          " is not set; export it where assetgate starts, or use "
                                          "{file: PATH}"));
        return {};
      }
      text = *value;
    } else {
      where = "the file (not shown, as its path may be the secret itself)";
      absl::StatusOr<std::string> content =
          environment_.read_file(source.file(), base::kMaxSecretBytes);
      if (!content.ok()) {
        yaml_.AddFault(path, absl::StrCat(where, " ", content.status().message()));
        return {};
      }
      text = *std::move(content);
    }
    text = std::string(absl::StripAsciiWhitespace(text));
    if (text.empty()) {
      yaml_.AddFault(path, absl::StrCat(where, " is empty"));
      return {};
    }
    // Secrets travel in headers; a line break there would begin another one.
    if (!std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
      yaml_.AddFault(path, absl::StrCat(where,
                                        " holds spaces, line breaks or characters outside of "
                                        "ASCII inside; it should be the key alone"));
      return {};
    }
    return base::Secret(std::move(text));
  }

  static bool IsPlainVariable(absl::string_view name) {
    return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isupper(static_cast<unsigned char>(c)) ||
             absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_';
    });
  }

  // The index of a provider that something refers to; absent, with a fault, when it is not there.
  std::optional<std::size_t> FindProvider(const std::string& path, const std::string& id) {
    const auto found = provider_index_.find(id);
    if (found != provider_index_.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [name, index] : provider_index_) {
      if (!name.empty()) known.push_back(name);
    }
    yaml_.AddFault(
        path,
        absl::StrCat(Quoted(id), " is not the id of a provider; known: ",
                     known.empty() ? "none" : absl::StrJoin(base::NearestFirst(id, known), ", ")));
    return std::nullopt;
  }

  void CheckAssetProviders(const file::Config& in, Config& out) {
    for (int i = 0; i < in.asset_providers_size(); ++i) {
      const std::string path = absl::StrCat("asset_providers[", i, "]");
      const std::optional<std::size_t> index = FindProvider(path, in.asset_providers(i));
      if (!index.has_value()) continue;
      if (std::find(out.asset_providers.begin(), out.asset_providers.end(), *index) !=
          out.asset_providers.end()) {
        yaml_.AddFault(path, absl::StrCat(Quoted(in.asset_providers(i)), " is there twice"));
        continue;
      }
      out.asset_providers.push_back(*index);
    }
  }

  void CheckRoutes(const file::Config& in, Config& out) {
    std::map<std::string, int> seen;
    for (int i = 0; i < in.routes_size(); ++i) {
      const file::Route& route = in.routes(i);
      const std::string path = absl::StrCat("routes[", i, "]");
      Route made;
      made.model = Text(path + ".model", route.has_model(), route.model(),
                        "choose the name that callers put into VideoTask.model");
      if (!made.model.empty() && !IsId(made.model, ".")) {
        yaml_.AddFault(path + ".model",
                       absl::StrCat(Quoted(made.model), " is not a model's name; use at most ",
                                    kMaxIdLength, " of a-z, 0-9, - and ."));
      }
      const auto [first, inserted] = seen.emplace(made.model, i);
      if (!inserted && !made.model.empty()) {
        yaml_.AddFault(path + ".model",
                       absl::StrCat(Quoted(made.model), " is also the model of routes[",
                                    first->second, "]; join their targets into one route"));
      }
      if (route.targets().empty()) {
        yaml_.AddFault(path + ".targets",
                       "names no target; name at least one {provider: ID, model: NAME}");
      }
      std::set<std::pair<std::size_t, std::string>> targets;
      for (int t = 0; t < route.targets_size(); ++t) {
        const std::string target_path = absl::StrCat(path, ".targets[", t, "]");
        std::optional<Target> target = CheckTarget(route.targets(t), target_path, out);
        if (!target.has_value()) continue;
        if (!targets.emplace(target->provider, target->model).second) {
          yaml_.AddFault(target_path, "is there twice; keep one of them, with the weight of both");
          continue;
        }
        made.targets.push_back(*std::move(target));
      }
      std::stable_sort(made.targets.begin(), made.targets.end(),
                       [](const Target& a, const Target& b) { return a.priority < b.priority; });
      made.defaults = CheckDefaults(route.defaults(), path + ".defaults");
      CheckDefaultsFit(made, path + ".defaults", out);
      out.routes.push_back(std::move(made));
    }
  }

  std::optional<Target> CheckTarget(const file::Route::Target& in, const std::string& path,
                                    const Config& config) {
    Target out;
    const std::string provider = Text(path + ".provider", in.has_provider(), in.provider(),
                                      "name one of providers[] by its id");
    out.model = Text(path + ".model", in.has_model(), in.model(),
                     "name the model as the provider calls it");
    out.priority = Number<int>(path + ".priority", in.has_priority(), in.priority(), 0, 0, 1'000);
    out.weight = Number<int>(path + ".weight", in.has_weight(), in.weight(), 1, 1, 1'000);
    if (provider.empty()) return std::nullopt;
    const std::optional<std::size_t> index = FindProvider(path + ".provider", provider);
    if (!index.has_value() || out.model.empty()) return std::nullopt;
    out.provider = *index;
    const provider::Dialect* dialect = config.providers[*index].dialect.get();
    if (dialect == nullptr) return std::nullopt;
    if (dialect->FindModel(out.model) == nullptr) {
      yaml_.AddFault(
          path + ".model",
          absl::StrCat(
              Quoted(out.model), " is not a model of dialect ", dialect->traits().name,
              "; known: ", absl::StrJoin(base::NearestFirst(out.model, dialect->models()), ", ")));
      return std::nullopt;
    }
    return out;
  }

  v1::VideoTask CheckDefaults(const file::Route::Defaults& in, const std::string& path) {
    v1::VideoTask out;
    if (in.has_duration()) {
      if (in.duration().nanos() != 0 || in.duration().seconds() < 1 ||
          in.duration().seconds() > 3600) {
        yaml_.AddFault(path + ".duration",
                       absl::StrCat(absl::FormatDuration(base::FromProto(in.duration())),
                                    " is not a whole number of seconds from 1s to 1h"));
      }
      *out.mutable_duration() = in.duration();
    }
    const auto text = [&](const char* field, const std::string& value) {
      if (value.empty() || value.size() > kMaxIdLength) {
        yaml_.AddFault(absl::StrCat(path, ".", field),
                       absl::StrCat(Quoted(value),
                                    " is empty or too long; remove it to leave the field "
                                    "to the provider"));
      }
      return value;
    };
    if (in.has_resolution()) out.set_resolution(text("resolution", in.resolution()));
    if (in.has_aspect_ratio()) out.set_aspect_ratio(text("aspect_ratio", in.aspect_ratio()));
    if (in.has_generate_audio()) out.set_generate_audio(in.generate_audio());
    if (in.has_watermark()) out.set_watermark(in.watermark());
    if (in.has_seed()) out.set_seed(in.seed());
    if (in.has_camera_fixed()) out.set_camera_fixed(in.camera_fixed());
    if (in.has_return_last_frame()) out.set_return_last_frame(in.return_last_frame());
    return out;
  }

  // A default that a target cannot express would keep every task from that target, in silence.
  void CheckDefaultsFit(const Route& route, const std::string& path, const Config& config) {
    for (const Target& target : route.targets) {
      const Provider& provider = config.providers[target.provider];
      const v1::Capabilities& can = *provider.dialect->FindModel(target.model);
      const v1::VideoTask& task = route.defaults;
      const auto check = [&](const char* field, bool set, bool fits, const std::string& value) {
        if (!set || fits) return;
        yaml_.AddFault(absl::StrCat(path, ".", field),
                       absl::StrCat(Quoted(value), " cannot be expressed by target providers/",
                                    provider.id, "/models/", target.model,
                                    ", which would never be used; change the default, or give that "
                                    "target a route of its own"));
      };
      check("duration", task.has_duration(), Fits(can.duration(), task.duration().seconds()),
            absl::StrCat(task.duration().seconds(), "s"));
      check("resolution", task.has_resolution(), Fits(can.resolution(), task.resolution()),
            task.resolution());
      check("aspect_ratio", task.has_aspect_ratio(), Fits(can.aspect_ratio(), task.aspect_ratio()),
            task.aspect_ratio());
      check("seed", task.has_seed(), Fits(can.seed(), task.seed()), absl::StrCat(task.seed()));
      const auto check_bool = [&](const char* field, bool set,
                                  const v1::Capabilities::BoolField& capability, bool value) {
        check(field, set, Fits(capability, value), value ? "true" : "false");
      };
      check_bool("generate_audio", task.has_generate_audio(), can.generate_audio(),
                 task.generate_audio());
      check_bool("watermark", task.has_watermark(), can.watermark(), task.watermark());
      check_bool("camera_fixed", task.has_camera_fixed(), can.camera_fixed(), task.camera_fixed());
      check_bool("return_last_frame", task.has_return_last_frame(), can.return_last_frame(),
                 task.return_last_frame());
    }
  }

  template <typename Values, typename T>
  static bool Contains(const Values& values, const T& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
  }
  static bool Fits(const v1::Capabilities::BoolField& can, bool value) {
    return can.expressible() || Contains(can.implied(), value);
  }
  static bool Fits(const v1::Capabilities::StringField& can, const std::string& value) {
    return Contains(can.implied(), value) ||
           (can.expressible() && (can.allowed().empty() || Contains(can.allowed(), value)));
  }
  static bool Fits(const v1::Capabilities::IntegerField& can, std::int64_t value) {
    return Contains(can.implied(), value) ||
           (can.expressible() && (!can.has_min() || value >= can.min()) &&
            (!can.has_max() || value <= can.max()) &&
            (can.allowed().empty() || Contains(can.allowed(), value)));
  }

  static void CheckLog(const file::Log& in, Config& out) {
    out.log_format =
        in.format() == file::Log::TEXT ? base::LogFormat::kText : base::LogFormat::kJson;
    switch (in.level()) {
      case file::Log::DEBUG:
        out.log_level = base::LogLevel::kDebug;
        break;
      case file::Log::WARNING:
        out.log_level = base::LogLevel::kWarning;
        break;
      case file::Log::ERROR:
        out.log_level = base::LogLevel::kError;
        break;
      default:
        out.log_level = base::LogLevel::kInfo;
    }
  }

  YamlFile& yaml_;
  const Environment& environment_;
  file::Tracking tracking_;
  std::map<std::string, std::size_t> provider_index_;
  // What callers are known by, and where it stands.
  std::map<std::string, std::string> credentials_;
};

}  // namespace

std::string HostPort::ToString() const {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

std::optional<std::string> Environment::ProcessVariable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

absl::Status CheckTimes(const Config& config) {
  if (!config.tls.has_value() || config.tls->time_fault.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(config.tls->time_fault);
}

model::CatalogPtr MakeCatalog(const Config& config) {
  std::vector<std::unique_ptr<const model::ProviderEntry>> providers;
  for (const Provider& from : config.providers) {
    auto to = std::make_unique<model::ProviderEntry>();
    to->id = from.id;
    to->dialect = from.dialect;
    to->base_url = from.base_url;
    to->planes = from.planes;
    to->credential = from.credential.credential;
    if (from.previous_credential.has_value()) {
      to->previous_credential = from.previous_credential->credential;
    }
    to->mode = from.mode;
    to->limits = {from.requests_per_second, from.max_in_flight};
    to->call_timeout = from.timeout;
    to->timeouts = from.timeouts;
    to->egress = from.egress;
    to->slots = from.slots;
    to->group_polling = from.group_polling;
    to->asset_polling = from.asset_polling;
    to->video_polling = from.video_polling;
    providers.push_back(std::move(to));
  }
  std::vector<model::ModelEntry> routes;
  for (const Route& from : config.routes) {
    model::ModelEntry to;
    to.id = from.model;
    to.defaults = from.defaults;
    for (const Target& target : from.targets) {
      const model::ProviderEntry& provider = *providers[target.provider];
      const v1::Capabilities* capabilities = provider.dialect->FindModel(target.model);
      to.targets.push_back({&provider, target.model, target.priority, target.weight, capabilities});
    }
    routes.push_back(std::move(to));
  }
  std::vector<std::string> asset_providers;
  asset_providers.reserve(config.asset_providers.size());
  for (const std::size_t index : config.asset_providers) {
    asset_providers.push_back(providers[index]->id);
  }
  return std::make_shared<const model::Catalog>(std::move(providers), std::move(routes),
                                                std::move(asset_providers), config.core);
}

absl::StatusOr<Config> Parse(absl::string_view text, const std::string& name,
                             const Environment& environment) {
  if (text.size() > base::kMaxConfigBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":1: the file is larger than ", base::kMaxConfigBytes, " bytes"));
  }
  YamlFile yaml(name);
  yaml.SetSecretType(file::Secret::descriptor());
  yaml.SetConnectionStringType(file::ConnectionString::descriptor());
  file::Config parsed;
  yaml.Read(text, parsed);
  // What is not YAML at all has no meaning to check.
  if (yaml.HasFault("")) return yaml.Result();
  Config config = Checker(yaml, environment).Check(parsed);
  if (absl::Status faults = yaml.Result(); !faults.ok()) return faults;
  config.fields = FieldsOf(parsed, config);
  return config;
}

absl::StatusOr<Config> Load(const std::string& path, const Environment& environment) {
  absl::StatusOr<std::string> text = environment.read_file(path, base::kMaxConfigBytes);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":1: the file ", text.status().message()));
  }
  return Parse(*text, path, environment);
}

}  // namespace assetgate::config
