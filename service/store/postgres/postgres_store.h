// A store that several gateways share.
#ifndef ASSETGATE_STORE_POSTGRES_POSTGRES_STORE_H_
#define ASSETGATE_STORE_POSTGRES_POSTGRES_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "store/commit_queue.h"
#include "store/postgres/connection.h"
#include "store/postgres/connection_pool.h"
#include "store/postgres/feed.h"
#include "store/postgres/shard_leases.h"
#include "store/postgres/writer.h"
#include "store/store.h"

namespace assetgate::store {

// A Store in a PostgreSQL database (13 or newer), in the schema "assetgate", for any number of
// gateways. One thread writes, with group commit (postgres/writer.h); one receives other gateways'
// commits (postgres/feed.h); one keeps the leases (postgres/shard_leases.h); reads run on the
// calling threads, on a few connections (postgres/connection_pool.h).
//
// Errors: while the database is unreachable, transactions are answered kUnavailable, reads fail at
// once, Health returns the reason, and the store keeps trying to reconnect. Every call has a
// deadline. After a connection is lost in COMMIT, the outcome is looked up: the answer is kUnknown
// only if the database cannot be asked in time.
class PostgresStore final : public Store, private GroupWriter {
 public:
  struct Options {
    // A connection string or URI in libpq's format. No error and no log contains its password.
    std::string uri;
    // The gateway's name for operators: in the table of gateways and in pg_stat_activity.
    std::string name = "gateway";
    // The clock in which leases end. Rows are dated by the database, whose clock also decides when
    // they expire.
    // Lifetime: must outlive the store.
    const base::Clock* clock = nullptr;
    Retention retention;
    // The limit on transactions that are not answered yet; any more are answered kUnavailable.
    std::size_t max_queue = 10'000;
    // The limit on concurrent reads; any more wait.
    std::size_t max_readers = 4;
    // How many index look-ups one List may make before it ends early: about ten microseconds each.
    std::size_t max_look_ups = 5'000;
    // The longest time between probes after writing has failed.
    absl::Duration probe_interval = absl::Seconds(1);
    absl::Duration connect_timeout = absl::Seconds(3);
    // For one exchange with the database.
    absl::Duration timeout = absl::Seconds(5);
    // How long a writer waits for another one, and how long a stalled one can block others.
    absl::Duration lock_timeout = absl::Seconds(3);
    // How long the store tries to find the outcome of a COMMIT that was not answered.
    absl::Duration outcome_timeout = absl::Seconds(10);
    // How often the log is read if no notification arrives.
    absl::Duration feed_interval = absl::Seconds(1);
    // See ShardLeases::Options.
    absl::Duration lease_duration = absl::Seconds(15);
    absl::Duration lease_margin = absl::Seconds(1);
    absl::Duration lease_renewal = absl::Seconds(3);
    // If set, counts commits and measures groups. Must outlive the store.
    base::Metrics* metrics = nullptr;
  };

  // Errors: FAILED_PRECONDITION with a one-line remedy: the server is unreachable or rejects this
  // user, the database or a privilege is missing, the server is too old or a standby, the schema is
  // too new, or notifications do not arrive because of a transaction pooler.
  static absl::StatusOr<std::unique_ptr<PostgresStore>> Open(Options options);
  // Gives the store a new id and returns it: for a database that was restored from a backup, whose
  // revisions will be assigned again (see Store::store_id).
  // Errors: FAILED_PRECONDITION as in Open, and while a gateway is running on it.
  static absl::StatusOr<std::string> MarkRestored(const Options& options);
  // What is at a connection string, without opening it as a store.
  struct Inspection {
    // HOST:PORT/DATABASE.
    std::string address;
    // The server's major version.
    int server = 0;
    // The schema's version; 0 if there is none yet.
    std::int64_t version = 0;
    // The names of the gateways running on it, separated by commas; may be empty.
    std::string gateways;
  };
  // Whether Open would accept the database: server, user, privileges, schema, and whether
  // notifications arrive. Creates and changes nothing; listening gateways receive one notification.
  // Errors: as in Open.
  static absl::StatusOr<Inspection> Inspect(const Options& options);
  // Stops. No call may be in progress.
  ~PostgresStore() override;

  PostgresStore(const PostgresStore&) = delete;
  PostgresStore& operator=(const PostgresStore&) = delete;

  const std::string& store_id() const override { return store_id_; }
  void Commit(Transaction transaction, CommitDone done) override;
  absl::StatusOr<std::optional<Row>> Get(const Key& key) override;
  absl::StatusOr<ListPage> List(const ListQuery& query) override;
  absl::StatusOr<ChangesPage> ReadChanges(const ChangesQuery& query) override;
  absl::StatusOr<std::optional<RequestRow>> FindRequest(const RequestKey& key) override;
  absl::StatusOr<std::vector<Row>> ListUnfinished(const UnfinishedQuery& query) override;
  absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after) override;
  absl::StatusOr<Revision> Head() override;
  absl::Status Health() override;
  std::size_t queue_depth() const override { return queue_.queue_depth(); }
  Leases& leases() override { return leases_; }
  // By the database's clock.
  absl::Time trusted_time() const override { return trusted_time_; }
  absl::StatusOr<std::string> HolderOf(Shard shard) override;
  void SetListener(ChangeListener* listener) override { feed_.SetListener(listener); }
  // Also releases the leases. Afterwards no listener is notified any more.
  void Stop() override;

  // HOST:PORT/DATABASE, for logs.
  const std::string& address() const { return address_; }

 private:
  // What Prepare has found.
  struct Opened {
    std::unique_ptr<postgres::Connection> writer;
    std::unique_ptr<postgres::Connection> feed;
    std::string store_id;
    std::string address;
    Revision head = 0;
    absl::Time trusted_time;
    // This object's number in the log, and its owner name in the leases.
    std::int64_t writer_id = 0;
  };
  PostgresStore(const Options& options, Opened opened);
  static absl::StatusOr<Opened> Prepare(const Options& options);

  // GroupWriter.
  Group Write(absl::Span<const PendingCommit> group) override;
  void Notify(const std::vector<ChangePtr>& changes) override;
  absl::Status Probe() override { return writer_.Probe(); }
  absl::StatusOr<bool> Expire() override;

  template <typename Result, typename Read>
  absl::StatusOr<Result> ReadWith(Read read);

  const base::Clock& clock_;
  const Retention retention_;
  const std::size_t max_look_ups_;
  const std::string store_id_;
  const std::string address_;
  const absl::Time trusted_time_;
  postgres::ConnectionPool readers_;
  // Used by the queue's thread.
  postgres::Writer writer_;
  // When expired data was last removed, by the steady clock.
  std::optional<absl::Duration> expired_;
  postgres::Feed feed_;
  postgres::ShardLeases leases_;
  // Last, because its thread uses all of the above.
  CommitQueue queue_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_POSTGRES_POSTGRES_STORE_H_
