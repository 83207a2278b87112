// Leases of shards, kept in PostgreSQL.
#ifndef ASSETGATE_STORE_POSTGRES_SHARD_LEASES_H_
#define ASSETGATE_STORE_POSTGRES_SHARD_LEASES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "store/leases.h"
#include "store/postgres/connection.h"

namespace assetgate::store::postgres {

// Renews this gateway's leases every few seconds, takes expired ones until it has its share (all
// shards divided by the running gateways, rounded up), and releases its surplus, so that a new
// gateway gets work. One thread, one connection.
//
// The database's clock decides when another gateway may take a lease. This side counts from before
// the renewal was sent, by a clock that never steps and that runs while the process or the machine
// is suspended, and ends the lease early by a margin: a process that resumes too late knows at
// once. So two gateways hold one shard only if the database's clock jumps forward by more than the
// margin.
class ShardLeases final : public Leases {
 public:
  struct Options {
    Connection::Options connection;
    std::string store_id;
    // The owner of the leases: unique to this object, never reused.
    std::string owner;
    // For operators who look at the table.
    std::string name;
    // The clock in which HeldUntil returns the end.
    const base::Clock* clock = nullptr;
    absl::Duration duration = absl::Seconds(15);
    // How much earlier than the database this side considers a lease ended. Below `duration`.
    absl::Duration margin = absl::Seconds(1);
    absl::Duration renew_interval = absl::Seconds(3);
  };

  // Takes its share at once, if the database allows it.
  explicit ShardLeases(Options options);
  // Calls Release.
  ~ShardLeases() override;
  ShardLeases(const ShardLeases&) = delete;
  ShardLeases& operator=(const ShardLeases&) = delete;

  std::optional<absl::Time> HeldUntil(Shard shard) override;
  std::optional<Shard> Pick() override;
  int held_count() override;
  int gateways() override;
  void SetListener(LeaseListener* listener) override;
  void Release() override;

  // The status of the last round.
  absl::Status health();

 private:
  // Since the machine was started, including time suspended.
  using Instant = absl::Duration;
  static Instant Now();

  struct Held {
    // This side's end of the lease; in the past if it is not held.
    Instant until;
    // The latest end that HeldUntil has returned.
    Instant promised;
    // Whether the listener was notified that it is held.
    bool reported = false;
    // Is released once `promised` has passed, and no longer renewed.
    bool leaving = false;
  };

  void Run();
  absl::Status Round();
  absl::StatusOr<Connection*> Connected();
  // Selects `count` surplus shards and stops using them. Returns those whose promised end has
  // passed: they can be released at once.
  std::vector<std::int64_t> TakeSurplus(std::size_t count) ABSL_LOCKS_EXCLUDED(mu_);
  std::size_t Count() ABSL_LOCKS_EXCLUDED(mu_);
  void Hold(const Rows& shards, Instant until) ABSL_LOCKS_EXCLUDED(mu_);
  // Notifies the listener of what has changed since the last call.
  void Notify() ABSL_LOCKS_EXCLUDED(mu_, notify_mu_);

  const Options options_;
  // Used by the running round: on the thread, except for the first and the last.
  std::unique_ptr<Connection> connection_;

  // Held while the listener is notified, to keep the order.
  absl::Mutex notify_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  absl::Mutex mu_;
  absl::CondVar wake_;
  std::array<Held, kShards> held_ ABSL_GUARDED_BY(mu_);
  LeaseListener* listener_ ABSL_GUARDED_BY(notify_mu_) = nullptr;
  int gateways_ ABSL_GUARDED_BY(mu_) = 1;
  std::size_t next_pick_ ABSL_GUARDED_BY(mu_) = 0;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  absl::Mutex joining_;
  std::thread thread_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_SHARD_LEASES_H_
