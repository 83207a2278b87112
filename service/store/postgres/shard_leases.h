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

// Renews what this gateway holds every few seconds, takes what has expired until it has its share
// (all shards by the gateways that are alive, rounded up), and gives away what is above it, so that
// a gateway that comes gets work. One thread, one connection.
//
// The database's clock says when a lease may be taken by another. This side counts from before the
// renewal was sent, by a clock that no step moves and that goes on while the process or the machine
// is stopped, and ends early by a margin: whoever is woken after its time knows so at once. So two
// gateways hold one shard only if the database's clock jumps forward by more than the margin.
class ShardLeases final : public Leases {
 public:
  struct Options {
    Connection::Options connection;
    std::string store_id;
    // Whose leases these are: of one object, never used again.
    std::string owner;
    // For people who look at the table.
    std::string name;
    // In whose time HeldUntil tells the end.
    const base::Clock* clock = nullptr;
    absl::Duration duration = absl::Seconds(15);
    // By how much earlier than the database this side takes a lease for ended. Below `duration`.
    absl::Duration margin = absl::Seconds(1);
    absl::Duration renew_interval = absl::Seconds(3);
  };

  // Takes its share at once, if the database lets it.
  explicit ShardLeases(Options options);
  // Releases.
  ~ShardLeases() override;
  ShardLeases(const ShardLeases&) = delete;
  ShardLeases& operator=(const ShardLeases&) = delete;

  std::optional<absl::Time> HeldUntil(Shard shard) override;
  std::optional<Shard> Pick() override;
  int held_count() override;
  int gateways() override;
  void SetListener(LeaseListener* listener) override;
  void Release() override;

  // How the last round went.
  absl::Status health();

 private:
  // Since the machine was started, stopped times included.
  using Instant = absl::Duration;
  static Instant Now();

  struct Held {
    // This side's end of it; past when it is not held.
    Instant until;
    // The latest end that anybody was told.
    Instant promised;
    // Whether the listener takes it for held.
    bool told = false;
    // To be given away once nobody counts on it: not renewed any more.
    bool leaving = false;
  };

  void Run();
  absl::Status Round();
  absl::StatusOr<Connection*> Connected();
  // Chooses as many as are too much and takes them out of use. Gives those that nobody was told an
  // end of that is still to come: others may have them at once.
  std::vector<std::int64_t> Spare(std::size_t count) ABSL_LOCKS_EXCLUDED(mu_);
  std::size_t Count() ABSL_LOCKS_EXCLUDED(mu_);
  void Hold(const Rows& shards, Instant until) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells the listener what has changed since it was last told.
  void Tell() ABSL_LOCKS_EXCLUDED(mu_, telling_);

  const Options options_;
  // Of whoever runs a round: the thread, but for the first and the last.
  std::unique_ptr<Connection> connection_;

  // Held while the listener is told, so that it hears in order.
  absl::Mutex telling_ ABSL_ACQUIRED_BEFORE(mu_);
  absl::Mutex mu_;
  absl::CondVar wake_;
  std::array<Held, kShards> held_ ABSL_GUARDED_BY(mu_);
  LeaseListener* listener_ ABSL_GUARDED_BY(telling_) = nullptr;
  int gateways_ ABSL_GUARDED_BY(mu_) = 1;
  std::size_t next_pick_ ABSL_GUARDED_BY(mu_) = 0;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  absl::Mutex joining_;
  std::thread thread_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_SHARD_LEASES_H_
