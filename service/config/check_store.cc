#include "config/check_store.h"

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config/connection_string.h"
#include "config/secrets.h"

namespace assetgate::config {
namespace {

constexpr char kUri[] = "store.postgres.uri";

// The connection string, from the text or from where the secret is; empty where a fault was added.
base::Secret ReadUri(const file::ConnectionString& uri, Reading& reading) {
  if (uri.has_env() || uri.has_file()) {
    if (uri.has_text()) {
      reading.AddFault(kUri, "has both a text and env or file; keep one");
      return {};
    }
    file::Secret source;
    if (uri.has_env()) source.set_env(uri.env());
    if (uri.has_file()) source.set_file(uri.file());
    return ReadSecret(kUri, source, reading);
  }
  if (uri.text().empty()) {
    reading.AddFault(kUri,
                     "is missing; write postgresql://USER@HOST:PORT/DATABASE, or, where it holds a "
                     "password, {env: NAME} or {file: PATH}");
  }
  return base::Secret(uri.text());
}

void CheckPostgres(const file::Store& in, Reading& reading, GatewayConfig& out) {
  if (in.has_sqlite()) {
    reading.AddFault("store", "names both sqlite and postgres; keep one");
    return;
  }
  if (reading.HasFault(kUri)) return;
  const file::ConnectionString& uri = in.postgres().uri();
  out.store.postgres_uri = ReadUri(uri, reading);
  if (reading.HasFault(kUri)) return;
  // No fault shows the string: it may hold a password although it should not.
  const absl::StatusOr<bool> password = HoldsPassword(out.store.postgres_uri.Reveal());
  if (!password.ok()) {
    reading.AddFault(kUri,
                     "is not a connection string; write postgresql://USER@HOST:PORT/DATABASE, with "
                     "% and two digits for special characters");
  } else if (*password && uri.has_text()) {
    reading.AddFault(kUri,
                     "holds a password, which a config must not; put the whole string into a "
                     "variable or a file and write {env: NAME} or {file: PATH}, or leave the "
                     "password to PGPASSFILE");
  }
}

void CheckSqlite(const file::Store& in, Reading& reading, GatewayConfig& out) {
  std::string& path = out.store.sqlite_path;
  path = in.sqlite().has_path() ? in.sqlite().path() : "assetgate.db";
  if (path.empty()) {
    reading.AddFault("store.sqlite.path", "is empty; name the database file");
  } else if (absl::StartsWith(path, ":") || absl::StartsWithIgnoreCase(path, "file:")) {
    reading.AddFault(
        "store.sqlite.path",
        absl::StrCat(base::Quoted(path), " has a meaning of its own to SQLite; name a plain file"));
  }
}

}  // namespace

void CheckStore(Reading& reading, GatewayConfig& out) {
  const file::Store& in = reading.message().store();
  store::Retention& retention = out.store.retention;
  retention.changes =
      reading.Length("store.change_retention", in.has_change_retention(), in.change_retention(),
                     retention.changes, absl::Minutes(1), absl::Hours(24 * 90));
  retention.max_changes =
      reading.Number<std::int64_t>("store.max_changes", in.has_max_changes(), in.max_changes(),
                                   retention.max_changes, 1'000, 100'000'000);
  // Not sooner than request ids are forgotten: a repeated request returns what the first one made.
  out.purge_video_tasks_after =
      reading.Length("store.purge_video_tasks_after", in.has_purge_video_tasks_after(),
                     in.purge_video_tasks_after(), out.purge_video_tasks_after, retention.requests,
                     absl::Hours(24 * 3650));
  if (!in.has_postgres()) return CheckSqlite(in, reading, out);
  CheckPostgres(in, reading, out);
  out.store.lease_duration = reading.Length(
      "store.postgres.lease_duration", in.postgres().has_lease_duration(),
      in.postgres().lease_duration(), absl::Seconds(15), absl::Seconds(5), absl::Minutes(5));
}

}  // namespace assetgate::config
