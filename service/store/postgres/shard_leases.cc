#include "store/postgres/shard_leases.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "store/postgres/writer.h"

namespace assetgate::store::postgres {
namespace {

// All times are by the database's clock. One round is one transaction, so now() is the same
// throughout, and not before the round was started here.
constexpr char kBegin[] = "BEGIN";
constexpr char kCommit[] = "COMMIT";
constexpr char kAlive[] = R"sql(
INSERT INTO gateways (owner, name, expires_at)
VALUES ($1::text, $2::text, now() + $3::bigint * interval '1 millisecond')
ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at
)sql";
constexpr char kDead[] = R"sql(
DELETE FROM gateways WHERE owner IN (
  SELECT owner FROM gateways WHERE expires_at < now() - interval '1 hour' FOR UPDATE SKIP LOCKED)
)sql";
constexpr char kCount[] = "SELECT count(*) FROM gateways WHERE expires_at > now()";
// In ascending order, like all statements here that lock several rows.
constexpr char kRenew[] = R"sql(
UPDATE shards s SET expires_at = now() + $3::bigint * interval '1 millisecond'
FROM (SELECT shard FROM shards WHERE owner = $1::text AND shard <> ALL($2::bigint[])
      ORDER BY shard FOR UPDATE) mine
WHERE s.shard = mine.shard RETURNING s.shard
)sql";
constexpr char kTake[] = R"sql(
UPDATE shards s
SET owner = $1::text, epoch = epoch + 1,
    expires_at = now() + $3::bigint * interval '1 millisecond'
FROM (SELECT shard FROM shards WHERE expires_at < now() AND owner <> $1::text
      ORDER BY shard LIMIT $2::bigint FOR UPDATE SKIP LOCKED) free
WHERE s.shard = free.shard RETURNING s.shard
)sql";
constexpr char kGiveBack[] = R"sql(
UPDATE shards s SET owner = '', expires_at = '-infinity'
FROM (SELECT shard FROM shards WHERE owner = $1::text AND shard = ANY($2::bigint[])
      ORDER BY shard FOR UPDATE) mine
WHERE s.shard = mine.shard
)sql";
constexpr char kGiveAllBack[] = R"sql(
UPDATE shards s SET owner = '', expires_at = '-infinity'
FROM (SELECT shard FROM shards WHERE owner = $1::text ORDER BY shard FOR UPDATE) mine
WHERE s.shard = mine.shard
)sql";
constexpr char kLeave[] = "DELETE FROM gateways WHERE owner = $1::text";

}  // namespace

ShardLeases::Instant ShardLeases::Now() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

ShardLeases::ShardLeases(Options options) : options_(std::move(options)) {
  const absl::Status status = Round();
  {
    absl::MutexLock lock(&mu_);
    health_ = status;
  }
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "leases");
}

ShardLeases::~ShardLeases() { Release(); }

std::optional<absl::Time> ShardLeases::HeldUntil(Shard shard) {
  if (shard < 0 || shard >= kShards) return std::nullopt;
  absl::MutexLock lock(&mu_);
  Held& held = held_[static_cast<std::size_t>(shard)];
  const absl::Duration left = held.until - Now();
  if (held.leaving || left <= absl::ZeroDuration()) return std::nullopt;
  held.promised = held.until;
  return options_.clock->Now() + left;
}

std::optional<Shard> ShardLeases::Pick() {
  absl::MutexLock lock(&mu_);
  const Instant now = Now();
  for (std::size_t i = 0; i < held_.size(); ++i) {
    const std::size_t shard = (next_pick_ + i) % held_.size();
    if (held_[shard].leaving || held_[shard].until <= now) continue;
    next_pick_ = shard + 1;
    return static_cast<Shard>(shard);
  }
  return std::nullopt;
}

int ShardLeases::gateways() {
  absl::MutexLock lock(&mu_);
  return gateways_;
}

int ShardLeases::held_count() {
  absl::MutexLock lock(&mu_);
  const Instant now = Now();
  return static_cast<int>(std::count_if(held_.begin(), held_.end(), [now](const Held& held) {
    return !held.leaving && held.until > now;
  }));
}

absl::Status ShardLeases::health() {
  absl::MutexLock lock(&mu_);
  return health_;
}

void ShardLeases::SetListener(LeaseListener* listener) {
  absl::MutexLock in_order(&notify_mu_);
  listener_ = listener;
  if (listener == nullptr) return;
  std::vector<Shard> taken;
  {
    absl::MutexLock lock(&mu_);
    const Instant now = Now();
    for (std::size_t i = 0; i < held_.size(); ++i) {
      held_[i].reported = !held_[i].leaving && held_[i].until > now;
      if (held_[i].reported) taken.push_back(static_cast<Shard>(i));
    }
  }
  if (!taken.empty()) listener->OnTaken(taken);
}

void ShardLeases::Notify() {
  absl::MutexLock in_order(&notify_mu_);
  std::vector<Shard> taken;
  std::vector<Shard> lost;
  {
    absl::MutexLock lock(&mu_);
    const Instant now = Now();
    for (std::size_t i = 0; i < held_.size(); ++i) {
      const bool holds = !held_[i].leaving && held_[i].until > now;
      if (holds == held_[i].reported) continue;
      held_[i].reported = holds;
      (holds ? taken : lost).push_back(static_cast<Shard>(i));
    }
  }
  if (listener_ == nullptr) return;
  if (!lost.empty()) listener_->OnLost(lost);
  if (!taken.empty()) listener_->OnTaken(taken);
}

void ShardLeases::Release() {
  {
    absl::MutexLock lock(&mu_);
    released_ = true;
    for (Held& held : held_) held.until = {};
    wake_.SignalAll();
  }
  absl::MutexLock lock(&joining_);  // The reconciler and the store may both release.
  if (thread_.joinable()) thread_.join();
}

void ShardLeases::Run() {
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      if (!released_) wake_.WaitWithTimeout(&mu_, options_.renew_interval);
      if (released_) break;
    }
    const absl::Status status = Round();
    {
      absl::MutexLock lock(&mu_);
      health_ = status;
    }
    Notify();
  }
  // Leases that cannot be released now expire by themselves.
  if (absl::StatusOr<Connection*> connection = Connected(); connection.ok()) {
    (*connection)
        ->RunAll({{kBegin, {}},
                  {kGiveAllBack, Parameters().Text(options_.owner)},
                  {kLeave, Parameters().Text(options_.owner)},
                  {kCommit, {}}})
        .IgnoreError();
  }
  connection_.reset();
  Notify();
}

absl::StatusOr<Connection*> ShardLeases::Connected() {
  if (connection_ == nullptr || connection_->broken()) {
    connection_.reset();
    absl::StatusOr<std::unique_ptr<Connection>> opened =
        OpenStoreConnection(options_.connection, options_.store_id);
    if (!opened.ok()) return opened.status();
    connection_ = *std::move(opened);
  }
  return connection_.get();
}

std::size_t ShardLeases::Count() {
  absl::MutexLock lock(&mu_);
  const Instant now = Now();
  return static_cast<std::size_t>(
      std::count_if(held_.begin(), held_.end(),
                    [now](const Held& held) { return !held.leaving && held.until > now; }));
}

std::vector<std::int64_t> ShardLeases::TakeSurplus(std::size_t count) {
  std::vector<std::int64_t> spared;
  absl::MutexLock lock(&mu_);
  const Instant now = Now();
  std::vector<std::size_t> ours;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (!held_[i].leaving && held_[i].until > now) ours.push_back(i);
  }
  // First those on which no submission counts.
  std::stable_sort(ours.begin(), ours.end(),
                   [this](std::size_t a, std::size_t b) ABSL_NO_THREAD_SAFETY_ANALYSIS {
                     return held_[a].promised < held_[b].promised;
                   });
  ours.resize(std::min(ours.size(), count));
  for (const std::size_t i : ours) {
    held_[i].leaving = true;
    if (held_[i].promised <= now) spared.push_back(static_cast<std::int64_t>(i));
  }
  return spared;
}

void ShardLeases::Hold(const Rows& shards, Instant until) {
  absl::MutexLock lock(&mu_);
  if (released_) return;
  for (int i = 0; i < shards.size(); ++i) {
    held_[static_cast<std::size_t>(shards.IntAt(i, 0))].until = until;
  }
}

absl::Status ShardLeases::Round() {
  absl::StatusOr<Connection*> connected = Connected();
  if (!connected.ok()) return connected.status();
  Connection& connection = **connected;
  const std::int64_t milliseconds = absl::ToInt64Milliseconds(options_.duration);

  // A leaving shard is released once every promised end has passed.
  std::vector<std::int64_t> leaving;
  std::vector<std::int64_t> back;
  {
    absl::MutexLock lock(&mu_);
    const Instant now = Now();
    for (std::size_t i = 0; i < held_.size(); ++i) {
      if (!held_[i].leaving) continue;
      leaving.push_back(static_cast<std::int64_t>(i));
      if (held_[i].promised <= now) back.push_back(static_cast<std::int64_t>(i));
    }
  }
  const Instant began = Now();
  absl::StatusOr<std::vector<Rows>> answers = connection.RunAll(
      {{kBegin, {}},
       {kAlive, Parameters().Text(options_.owner).Text(options_.name).Int(milliseconds)},
       {kRenew, Parameters().Text(options_.owner).Ints(leaving).Int(milliseconds)},
       {kGiveBack, Parameters().Text(options_.owner).Ints(back)},
       {kDead, {}},
       {kCount, {}},
       {kCommit, {}}});
  if (!answers.ok()) return answers.status();
  const Instant until = began + options_.duration - options_.margin;
  Hold((*answers)[2], until);
  const auto gateways =
      static_cast<std::size_t>(std::max<std::int64_t>(1, (*answers)[5].IntAt(0, 0)));
  {
    absl::MutexLock lock(&mu_);
    gateways_ = static_cast<int>(gateways);
    for (const std::int64_t shard : back) held_[static_cast<std::size_t>(shard)] = {};
  }
  const std::size_t share = (static_cast<std::size_t>(kShards) + gateways - 1) / gateways;
  const std::size_t ours = Count();
  if (ours > share) {
    const std::vector<std::int64_t> spared = TakeSurplus(ours - share);
    Notify();  // Before another gateway can take them.
    if (spared.empty()) return absl::OkStatus();
    absl::Status status =
        connection.Run({kGiveBack, Parameters().Text(options_.owner).Ints(spared)}).status();
    if (!status.ok()) return status;
    absl::MutexLock lock(&mu_);
    for (const std::int64_t shard : spared) held_[static_cast<std::size_t>(shard)] = {};
    return absl::OkStatus();
  }
  if (ours == share) return absl::OkStatus();
  const Instant asked = Now();
  absl::StatusOr<Rows> taken =
      connection.Run({kTake, Parameters()
                                 .Text(options_.owner)
                                 .Int(static_cast<std::int64_t>(share - ours))
                                 .Int(milliseconds)});
  if (!taken.ok()) return taken.status();
  Hold(*taken, asked + options_.duration - options_.margin);
  return absl::OkStatus();
}

}  // namespace assetgate::store::postgres
