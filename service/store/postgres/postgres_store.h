// The store that gateways share.
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
// gateways. One thread writes, with group commit (postgres/writer.h); one hears of what other
// gateways commit (postgres/feed.h); one keeps the leases (postgres/shard_leases.h); reads run on
// the calling threads, on a few connections (postgres/connection_pool.h).
//
// While the database is away, transactions are answered kUnavailable and reads fail at once, Health
// says why, and the store tries by itself whether it is back. Everything has a deadline. A
// connection lost in COMMIT is looked into: the answer is kUnknown only where the database cannot
// be asked in time what became of it.
class PostgresStore final : public Store, private GroupWriter {
 public:
  struct Options {
    // A connection string or URI, as libpq takes it. A password in it is in no error and no log.
    std::string uri;
    // What this gateway is called where people look: in the table of gateways and in
    // pg_stat_activity.
    std::string name = "gateway";
    // Dates changes and tells when they are past. Must outlive the store.
    const base::Clock* clock = nullptr;
    Retention retention;
    // Transactions handed in and not yet answered; further ones are answered kUnavailable.
    std::size_t max_queue = 10'000;
    // Reads at the same time; further ones wait.
    std::size_t max_readers = 4;
    // How often one List may look a term up in the index before it ends short: about ten
    // microseconds each.
    std::size_t max_look_ups = 5'000;
    // How often, at least, to try whether writing works again after it failed.
    absl::Duration probe_interval = absl::Seconds(1);
    absl::Duration connect_timeout = absl::Seconds(3);
    // Of one exchange with the database.
    absl::Duration timeout = absl::Seconds(5);
    // How long a writer waits for another one, and a stalled one holds others up.
    absl::Duration lock_timeout = absl::Seconds(3);
    // For how long the outcome of a COMMIT that was not answered is asked for.
    absl::Duration patience = absl::Seconds(10);
    // How often the log is looked at when no notification comes.
    absl::Duration feed_interval = absl::Seconds(1);
    // See ShardLeases::Options.
    absl::Duration lease_duration = absl::Seconds(15);
    absl::Duration lease_margin = absl::Seconds(1);
    absl::Duration lease_renewal = absl::Seconds(3);
    // Counts commits and times groups, if given. Must outlive the store.
    base::Metrics* metrics = nullptr;
  };

  // FAILED_PRECONDITION, in one line that says what to do: the server cannot be reached or does not
  // let this user in, the database or a right is missing, the server is too old or a standby, the
  // schema is too new, or notifications do not come through, because a transaction pooler is in the
  // way.
  static absl::StatusOr<std::unique_ptr<PostgresStore>> Open(Options options);
  // Gives the store a new id, which is returned: for a database that was restored from a backup,
  // whose revisions will be given out again (see Store::store_id). FAILED_PRECONDITION as Open, and
  // while a gateway is alive on it.
  static absl::StatusOr<std::string> MarkRestored(const Options& options);
  // What is at a connection string, without opening it as a store.
  struct Inspection {
    // HOST:PORT/DATABASE.
    std::string address;
    // The major version of the server.
    int server = 0;
    // Of the schema; 0 where there is none yet.
    std::int64_t version = 0;
    // The names of the gateways that are alive on it, with commas between; may be empty.
    std::string gateways;
  };
  // Whether Open would take it: server, user, rights, schema, and whether notifications come
  // through. Makes and changes nothing; gateways that listen hear one notification. Errors as those
  // of Open.
  static absl::StatusOr<Inspection> Inspect(const Options& options);
  // Stops. No call may be under way.
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
  absl::StatusOr<std::vector<std::string>> Tenants() override;
  absl::StatusOr<Revision> Head() override;
  absl::Status Health() override;
  std::size_t queue_depth() const override { return queue_.queue_depth(); }
  Leases& leases() override { return leases_; }
  absl::StatusOr<std::string> HolderOf(Shard shard) override;
  void SetListener(ChangeListener* listener) override { feed_.SetListener(listener); }
  // Gives the leases back as well. Afterwards nobody is told of anything any more.
  void Stop() override;

  // HOST:PORT/DATABASE, for logs.
  const std::string& address() const { return address_; }

 private:
  // What Open has found out.
  struct Opened {
    std::unique_ptr<postgres::Connection> writer;
    std::unique_ptr<postgres::Connection> feed;
    std::string store_id;
    std::string address;
    Revision head = 0;
    // This object's number in the log, and its name among the leases.
    std::int64_t writer_id = 0;
  };
  PostgresStore(const Options& options, Opened opened);
  static absl::StatusOr<Opened> Prepare(const Options& options);

  // GroupWriter.
  Group Write(absl::Span<const PendingCommit> group) override;
  void Tell(const std::vector<ChangePtr>& changes) override;
  absl::Status Probe() override { return writer_.Probe(); }
  absl::StatusOr<bool> Expire() override;

  template <typename Result, typename Read>
  absl::StatusOr<Result> ReadWith(Read read);

  const base::Clock& clock_;
  const Retention retention_;
  const std::size_t max_look_ups_;
  const std::string store_id_;
  const std::string address_;
  postgres::ConnectionPool readers_;
  // Of the queue's thread.
  postgres::Writer writer_;
  postgres::Feed feed_;
  postgres::ShardLeases leases_;
  // Last: its thread uses all of the above.
  CommitQueue queue_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_POSTGRES_POSTGRES_STORE_H_
