#include "reconcile/purge.h"

#include <utility>

#include "base/proto_time.h"
#include "model/resource.h"

namespace assetgate::reconcile {
namespace {

using Outcome = store::CommitResult::Outcome;

// Before a store that could not be read or written is tried again.
constexpr absl::Duration kRetryDelay = absl::Minutes(1);

// The latest time that the store has surely seen; absent where it knows of none.
std::optional<absl::Time> TrustedTimeOf(const store::Store& store) {
  const absl::Time time = store.trusted_time();
  if (time == absl::InfinitePast()) return std::nullopt;
  return time;
}

}  // namespace

Purge::Purge(base::EventLoop& loop, store::Store& store, upstream::Telemetry& telemetry,
             Options options)
    : loop_(loop),
      store_(store),
      telemetry_(telemetry),
      options_(options),
      trusted_(TrustedTimeOf(store)),
      last_advance_(loop.clock().Steady()) {}

void Purge::Start() {
  if (options_.video_tasks_after == absl::InfiniteDuration()) return;
  loop_.PostAt(loop_.Now() + options_.interval, [this] { BeginSweep(); });
}

void Purge::BeginSweep() {
  tenant_.clear();
  purged_ = 0;
  const absl::Duration steady = loop_.clock().Steady();
  trusted_.Advance(loop_.Now(), steady - std::exchange(last_advance_, steady));
  const std::optional<absl::Time> held = store_.leases().HeldUntil(0);
  if (!held.has_value() || *held <= loop_.Now()) return EndSweep();
  BeginTenant();
}

void Purge::BeginTenant() {
  absl::StatusOr<std::optional<std::string>> next = store_.NextTenant(tenant_);
  if (!next.ok()) {
    return loop_.PostAt(loop_.Now() + kRetryDelay, [this] { BeginTenant(); });
  }
  if (!next->has_value()) return EndSweep();
  tenant_ = **std::move(next);
  after_.reset();
  ReadPage();
}

void Purge::EndSweep() {
  if (purged_ > 0) telemetry_.OnPurgeEnd(purged_);
  loop_.PostAt(loop_.Now() + options_.interval, [this] { BeginSweep(); });
}

void Purge::ReadPageAfter(absl::Duration pause) {
  loop_.PostAt(loop_.Now() + pause, [this] { ReadPage(); });
}

void Purge::ReadPage() {
  store::ListQuery query;
  query.tenant = tenant_;
  query.kind = store::Kind::kVideoTask;
  query.order = store::ListQuery::Order::kOldestFirst;
  query.after_create_revision = after_;
  query.limit = options_.page;
  const absl::StatusOr<store::ListPage> listed = store_.List(query);
  if (!listed.ok()) return ReadPageAfter(kRetryDelay);
  Page page = LookAt(*listed);
  const int count = static_cast<int>(page.writes.size());
  if (count == 0) return OnGone(page.end, 0, page.last);
  store_.Commit({.writes = std::move(page.writes)},
                [this, end = page.end, count, last = page.last](const store::CommitResult& result) {
                  loop_.Post([this, end, count, last, outcome = result.outcome] {
                    switch (outcome) {
                      case Outcome::kCommitted:
                        return OnGone(end, count, last);
                      case Outcome::kUnavailable:
                      case Outcome::kUnknown:
                        return ReadPageAfter(kRetryDelay);
                      default:
                        // A task on the page has changed: the page is read again.
                        return ReadPageAfter(options_.pause);
                    }
                  });
                });
}

Purge::Page Purge::LookAt(const store::ListPage& listed) const {
  const absl::Time ended_before = trusted_.Horizon(loop_.Now()) - options_.video_tasks_after;
  Page page;
  if (listed.more) page.end = listed.end;
  bool any_old = false;  // Of the whole page: one task with a wrong date hides none behind it.
  for (const store::Row& row : listed.rows) {
    model::VideoEntity entity;
    model::FromRow(row, entity);
    const v1::VideoTask& task = entity.resource;
    if (base::FromProto(task.create_time()) < ended_before) any_old = true;
    if (entity.understood && model::IsFinal(task.state()) && !row.content.unfinished &&
        task.has_end_time() && base::FromProto(task.end_time()) < ended_before) {
      page.writes.push_back({row.key, row.revision, std::nullopt, store::DeleteCause::kPurged});
    }
  }
  page.last = !listed.more || (!listed.rows.empty() && !any_old);
  return page;
}

void Purge::OnGone(std::optional<store::Revision> end, int count, bool last) {
  after_ = end;
  purged_ += count;
  if (count > 0) telemetry_.OnPurged(count);
  if (!last) return ReadPageAfter(options_.pause);
  loop_.PostAt(loop_.Now() + options_.pause, [this] { BeginTenant(); });
}

}  // namespace assetgate::reconcile
