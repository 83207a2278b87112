#include "store/postgres/postgres_store.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "store/postgres/reader.h"
#include "store/postgres/schema.h"

namespace assetgate::store {
namespace {

using postgres::Connection;

// Expired data is removed this many rows at a time.
constexpr std::int64_t kExpireLimit = 500;
// The first version with pg_current_xact_id, by which the outcome of a lost COMMIT is found.
constexpr int kOldestServer = 130'000;
// Migrations may rewrite much data, and may wait for those of another gateway.
constexpr absl::Duration kMigrationTimeout = absl::Minutes(5);
constexpr char kAliveNames[] =
    "SELECT string_agg(name, ', ' ORDER BY name) FROM gateways WHERE expires_at > now()";

Connection::Options ConnectionOptions(const PostgresStore::Options& options) {
  Connection::Options connection;
  connection.uri = options.uri;
  connection.application_name = absl::StrCat(Connection::kApplication, " ", options.name);
  connection.connect_timeout = options.connect_timeout;
  connection.timeout = options.timeout;
  connection.lock_timeout = options.lock_timeout;
  return connection;
}

// The error of a read or of Health, for logs and /readyz; callers do not see it.
absl::Status Unavailable(const absl::Status& status) {
  return absl::UnavailableError(absl::StrCat("the store is unavailable: ", status.message()));
}

absl::Status ExplainConnect(const absl::Status& status) {
  absl::string_view remedy = ". Is the server running, and does it listen there?";
  if (absl::IsInvalidArgument(status)) remedy = "";
  if (absl::IsPermissionDenied(status)) {
    remedy = ". Check the user and the password in store.postgres, and the server's pg_hba.conf";
  }
  if (absl::IsNotFound(status)) {
    remedy = ". Create the database (CREATE DATABASE), or name another one in store.postgres";
  }
  return absl::FailedPreconditionError(absl::StrCat(status.message(), remedy));
}

absl::Status Annotate(const absl::Status& status, absl::string_view address) {
  return absl::FailedPreconditionError(absl::StrCat("store ", address, ": ", status.message()));
}

absl::Status CheckServer(Connection& connection) {
  const int version = connection.server_version();
  if (version < kOldestServer) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server is PostgreSQL ", version / 10'000, "; it must be 13 or newer"));
  }
  absl::StatusOr<postgres::Rows> rows = connection.Run(
      {"SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'", {}});
  if (!rows.ok()) return rows.status();
  if (rows->BoolAt(0, 0)) {
    return absl::FailedPreconditionError(
        "the server is a standby, which accepts no writes; name the primary (with several hosts: "
        "target_session_attrs=read-write)");
  }
  if (rows->BoolAt(0, 1)) {
    return absl::FailedPreconditionError(
        "the database is read-only (default_transaction_read_only); the gateway must be able to "
        "write");
  }
  return absl::OkStatus();
}

// Whether a notification sent on one connection reaches the other one.
absl::Status CheckNotifications(Connection& sender, Connection& listener, absl::Duration timeout) {
  absl::Status pooler = absl::FailedPreconditionError(
      "notifications (LISTEN, NOTIFY) do not arrive: a pooler in transaction mode is between the "
      "gateway and the server. Connect to the server itself, or to a pooler in session mode");
  if (absl::Status s = listener.Execute(postgres::Feed::kListen); !s.ok()) return s;
  const std::string word =
      absl::StrCat("hello ", listener.backend_pid(), " ", std::random_device()());
  absl::StatusOr<postgres::Rows> sent = sender.Run(
      {"SELECT pg_notify('assetgate', $1::text) IS NULL", postgres::Parameters().Text(word)});
  if (!sent.ok()) return sent.status();
  const postgres::Deadline deadline(timeout);
  while (!deadline.passed()) {
    absl::StatusOr<std::vector<std::string>> received =
        listener.AwaitNotifications(deadline.left(), -1);
    if (!received.ok()) return received.status();
    if (std::find(received->begin(), received->end(), word) != received->end())
      return absl::OkStatus();
  }
  return pooler;
}

}  // namespace

absl::StatusOr<PostgresStore::Opened> PostgresStore::Prepare(const Options& options) {
  Opened opened;
  {
    Connection::Options patient = ConnectionOptions(options);
    patient.timeout = kMigrationTimeout;
    patient.lock_timeout = kMigrationTimeout;
    absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(patient);
    if (!connection.ok()) return ExplainConnect(connection.status());
    opened.address = absl::StrCat((*connection)->address(), "/", (*connection)->database());
    absl::Status status = CheckServer(**connection);
    if (status.ok()) status = postgres::Migrate(**connection, postgres::Migrations());
    if (!status.ok()) return Annotate(status, opened.address);
    absl::StatusOr<postgres::Rows> rows = (*connection)
                                              ->Run({"SELECT (SELECT value FROM meta WHERE name = "
                                                     "'store_id'), (SELECT revision FROM head), "
                                                     "(extract(epoch FROM now()) * "
                                                     "1000000)::bigint",
                                                     {}});
    if (!rows.ok()) return Annotate(rows.status(), opened.address);
    if (rows->IsNull(0, 0) || rows->IsNull(0, 1)) {
      return Annotate(absl::DataLossError("its tables are incomplete"), opened.address);
    }
    opened.store_id = rows->StringAt(0, 0);
    opened.head = rows->IntAt(0, 1);
    opened.trusted_time = absl::FromUnixMicros(rows->IntAt(0, 2));
  }
  for (std::unique_ptr<Connection>* made : {&opened.writer, &opened.feed}) {
    absl::StatusOr<std::unique_ptr<Connection>> connection =
        postgres::OpenStoreConnection(ConnectionOptions(options), opened.store_id);
    if (!connection.ok()) return Annotate(connection.status(), opened.address);
    *made = *std::move(connection);
  }
  if (absl::Status s = CheckNotifications(*opened.writer, *opened.feed, options.connect_timeout);
      !s.ok()) {
    return Annotate(s, opened.address);
  }
  std::random_device random;
  opened.writer_id = static_cast<std::int64_t>((std::uint64_t{random()} << 32 | random()) &
                                               std::numeric_limits<std::int64_t>::max());
  return opened;
}

absl::StatusOr<PostgresStore::Inspection> PostgresStore::Inspect(const Options& options) {
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      Connection::Open(ConnectionOptions(options));
  if (!connection.ok()) return ExplainConnect(connection.status());
  Inspection found;
  found.address = absl::StrCat((*connection)->address(), "/", (*connection)->database());
  found.server = (*connection)->server_version() / 10'000;
  if (absl::Status s = CheckServer(**connection); !s.ok()) return Annotate(s, found.address);
  const absl::StatusOr<std::int64_t> version = postgres::CheckSchema(**connection);
  if (!version.ok()) return Annotate(version.status(), found.address);
  found.version = *version;
  absl::StatusOr<std::unique_ptr<Connection>> listener =
      Connection::Open(ConnectionOptions(options));
  if (!listener.ok()) return Annotate(listener.status(), found.address);
  if (absl::Status s = CheckNotifications(**connection, **listener, options.connect_timeout);
      !s.ok()) {
    return Annotate(s, found.address);
  }
  if (found.version == 0) return found;
  absl::StatusOr<postgres::Rows> alive = (*connection)->Run({kAliveNames, {}});
  if (!alive.ok()) return Annotate(alive.status(), found.address);
  if (!alive->IsNull(0, 0)) found.gateways = alive->StringAt(0, 0);
  return found;
}

absl::StatusOr<std::string> PostgresStore::MarkRestored(const Options& options) {
  Connection::Options patient = ConnectionOptions(options);
  patient.timeout = kMigrationTimeout;
  patient.lock_timeout = kMigrationTimeout;
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(patient);
  if (!connection.ok()) return ExplainConnect(connection.status());
  const std::string address =
      absl::StrCat((*connection)->address(), "/", (*connection)->database());
  absl::Status status = CheckServer(**connection);
  if (status.ok()) status = postgres::Migrate(**connection, postgres::Migrations());
  if (!status.ok()) return Annotate(status, address);
  absl::StatusOr<postgres::Rows> alive = (*connection)->Run({kAliveNames, {}});
  if (!alive.ok()) return Annotate(alive.status(), address);
  if (!alive->IsNull(0, 0)) {
    return Annotate(
        absl::FailedPreconditionError(absl::StrCat(
            "gateways are running on it (", alive->StringAt(0, 0),
            "); stop them first. A gateway that was running when the backup was made counts for "
            "some seconds; then try again")),
        address);
  }
  absl::StatusOr<postgres::Rows> renewed =
      (*connection)
          ->Run({"UPDATE meta SET value = replace(gen_random_uuid()::text, '-', '') "
                 "WHERE name = 'store_id' RETURNING value",
                 {}});
  if (!renewed.ok()) return Annotate(renewed.status(), address);
  if (renewed->size() != 1) {
    return Annotate(absl::DataLossError("its tables are incomplete"), address);
  }
  return renewed->StringAt(0, 0);
}

absl::StatusOr<std::unique_ptr<PostgresStore>> PostgresStore::Open(Options options) {
  absl::StatusOr<Opened> opened = Prepare(options);
  if (!opened.ok()) return opened.status();
  return std::unique_ptr<PostgresStore>(new PostgresStore(options, *std::move(opened)));
}

PostgresStore::PostgresStore(const Options& options, Opened opened)
    : clock_(*options.clock),
      retention_(options.retention),
      max_look_ups_(options.max_look_ups),
      store_id_(std::move(opened.store_id)),
      address_(std::move(opened.address)),
      trusted_time_(opened.trusted_time),
      readers_(ConnectionOptions(options), store_id_, options.max_readers),
      writer_({.connection = ConnectionOptions(options),
               .id = opened.writer_id,
               .store_id = store_id_,
               .outcome_timeout = options.outcome_timeout,
               .retry_interval = options.probe_interval},
              std::move(opened.writer)),
      feed_({.connection = ConnectionOptions(options),
             .store_id = store_id_,
             .writer = opened.writer_id,
             .interval = options.feed_interval,
             .max_wait = options.outcome_timeout},
            std::move(opened.feed), opened.head, readers_),
      leases_({.connection = ConnectionOptions(options),
               .store_id = store_id_,
               .owner = absl::StrCat(absl::Hex(opened.writer_id, absl::kZeroPad16)),
               .name = options.name,
               .clock = options.clock,
               .duration = options.lease_duration,
               .margin = options.lease_margin,
               .renew_interval = options.lease_renewal}),
      queue_({.clock = options.clock,
              .max_queue = options.max_queue,
              .probe_interval = options.probe_interval,
              .metrics = options.metrics},
             *this) {}

PostgresStore::~PostgresStore() { Stop(); }

void PostgresStore::Stop() {
  queue_.Stop();
  leases_.Release();
  leases_.SetListener(nullptr);
  feed_.SetListener(nullptr);
}

void PostgresStore::Commit(Transaction transaction, CommitDone done) {
  queue_.Commit(std::move(transaction), std::move(done));
}

absl::Status PostgresStore::Health() {
  absl::Status health = queue_.health();
  health.Update(readers_.health());
  health.Update(leases_.health());
  return health.ok() ? health : Unavailable(health);
}

GroupWriter::Group PostgresStore::Write(absl::Span<const PendingCommit> group) {
  return writer_.Write(group);
}

void PostgresStore::Notify(const std::vector<ChangePtr>& changes) {
  absl::StatusOr<Connection*> connection = writer_.Connected();
  feed_.Notify(changes, connection.ok() ? *connection : nullptr);
}

absl::StatusOr<bool> PostgresStore::Expire() {
  const absl::Duration steady = clock_.Steady();
  const absl::Duration elapsed = steady - expired_.value_or(steady);
  expired_ = steady;
  return writer_.Expire(retention_, elapsed, kExpireLimit);
}

template <typename Result, typename Read>
absl::StatusOr<Result> PostgresStore::ReadWith(Read read) {
  absl::StatusOr<Result> result = readers_.With<Result>(std::move(read));
  if (!result.ok()) return Unavailable(result.status());
  return result;
}

absl::StatusOr<std::optional<Row>> PostgresStore::Get(const Key& key) {
  return ReadWith<std::optional<Row>>(
      [&](Connection& connection) { return postgres::Get(connection, key); });
}

absl::StatusOr<ListPage> PostgresStore::List(const ListQuery& query) {
  return ReadWith<ListPage>(
      [&](Connection& connection) { return postgres::List(connection, query, max_look_ups_); });
}

absl::StatusOr<ChangesPage> PostgresStore::ReadChanges(const ChangesQuery& query) {
  return ReadWith<ChangesPage>(
      [&](Connection& connection) { return postgres::ReadChanges(connection, query); });
}

absl::StatusOr<std::optional<RequestRow>> PostgresStore::FindRequest(const RequestKey& key) {
  return ReadWith<std::optional<RequestRow>>(
      [&](Connection& connection) { return postgres::FindRequest(connection, key); });
}

absl::StatusOr<std::vector<Row>> PostgresStore::ListUnfinished(const UnfinishedQuery& query) {
  return ReadWith<std::vector<Row>>(
      [&](Connection& connection) { return postgres::ListUnfinished(connection, query); });
}

absl::StatusOr<std::optional<std::string>> PostgresStore::NextTenant(const std::string& after) {
  return ReadWith<std::optional<std::string>>(
      [&](Connection& connection) { return postgres::NextTenant(connection, after); });
}

absl::StatusOr<Revision> PostgresStore::Head() {
  return ReadWith<Revision>([](Connection& connection) { return postgres::Head(connection); });
}

absl::StatusOr<std::string> PostgresStore::HolderOf(Shard shard) {
  return ReadWith<std::string>(
      [shard](Connection& connection) { return postgres::HolderOf(connection, shard); });
}

}  // namespace assetgate::store
