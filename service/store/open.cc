#include "store/open.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace assetgate::store {
namespace {

// A lease is renewed this many times while it lasts.
constexpr int kRenewalsPerLease = 5;

PostgresStore::Options PostgresOptions(const Location& location, const OpenOptions& from) {
  PostgresStore::Options options;
  options.uri = location.postgres_uri.Reveal();
  options.name = from.name;
  options.clock = from.clock;
  options.retention = location.retention;
  options.lease_duration = location.lease_duration;
  options.lease_renewal = location.lease_duration / kRenewalsPerLease;
  options.metrics = from.metrics;
  if (from.timeout > absl::ZeroDuration()) options.timeout = options.lock_timeout = from.timeout;
  return options;
}

SqliteStore::Options SqliteOptions(const Location& location, const OpenOptions& from) {
  SqliteStore::Options options;
  options.path = location.sqlite_path;
  options.clock = from.clock;
  options.retention = location.retention;
  options.metrics = from.metrics;
  return options;
}

absl::StatusOr<Inspection> InspectPostgres(const Location& location) {
  PostgresStore::Options options;
  options.uri = location.postgres_uri.Reveal();
  options.name = "doctor";
  const auto found = PostgresStore::Inspect(options);
  if (!found.ok()) return found.status();
  return Inspection{
      absl::StrCat("PostgreSQL ", found->server, " at ", found->address, ": ",
                   found->version == 0
                       ? std::string("no schema yet; the gateway creates it when it starts")
                       : absl::StrCat("schema version ", found->version),
                   "; privileges and notifications are in order; ",
                   found->gateways.empty() ? std::string("no gateway uses it")
                                           : absl::StrCat("used by: ", found->gateways)),
      std::nullopt};
}

absl::StatusOr<Inspection> InspectSqlite(const Location& location) {
  const auto found = SqliteStore::Inspect(location.sqlite_path);
  if (!found.ok()) return found.status();
  Inspection result{absl::StrCat("SQLite file ", location.sqlite_path, ": "), found->holder};
  if (found->holder.has_value()) {
    absl::StrAppend(&result.description, "a gateway uses it, process ", *found->holder,
                    "; a second one would not start");
  } else if (!found->exists) {
    absl::StrAppend(&result.description,
                    "does not exist yet; the gateway creates it when it starts");
  } else if (found->version == 0) {
    absl::StrAppend(&result.description, "empty; the gateway creates its schema when it starts");
  } else {
    absl::StrAppend(&result.description, "schema version ", found->version, ", not in use");
  }
  return result;
}

}  // namespace

absl::StatusOr<OpenedStore> Open(const Location& location, const OpenOptions& options) {
  if (location.shared()) {
    auto opened = PostgresStore::Open(PostgresOptions(location, options));
    if (!opened.ok()) return opened.status();
    std::string address = absl::StrCat("PostgreSQL ", (*opened)->address());
    return OpenedStore{*std::move(opened), std::move(address)};
  }
  auto opened = SqliteStore::Open(SqliteOptions(location, options));
  if (!opened.ok()) return opened.status();
  return OpenedStore{*std::move(opened), location.sqlite_path};
}

absl::StatusOr<std::string> MarkRestored(const Location& location) {
  constexpr absl::string_view kNow = " from now on; resume tokens from before start over";
  if (location.shared()) {
    PostgresStore::Options options;
    options.uri = location.postgres_uri.Reveal();
    const auto id = PostgresStore::MarkRestored(options);
    if (!id.ok()) return id.status();
    return absl::StrCat("the PostgreSQL store is store ", *id, kNow);
  }
  const auto id = SqliteStore::MarkRestored(location.sqlite_path);
  if (!id.ok()) return id.status();
  return absl::StrCat("store file ", location.sqlite_path, ": is store ", *id, kNow);
}

absl::StatusOr<Inspection> Inspect(const Location& location) {
  return location.shared() ? InspectPostgres(location) : InspectSqlite(location);
}

}  // namespace assetgate::store
