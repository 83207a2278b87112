// However many clients watch an asset, its provider is polled once per interval.
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/crowd.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {
namespace {

// Prints the polls of the next intervals. The gateway lengthens each interval by a random 0 to 15
// %, so two polls may be that much further apart, but never closer.
absl::Status Count(const Rig& rig, const WatchersOptions& options, int watchers) {
  const absl::Time from = absl::Now();
  const absl::Time until = from + options.interval * options.intervals;
  absl::SleepFor(until - from);
  const auto polls = rig.AssetPolls();
  if (!polls.ok()) return polls.status();
  std::vector<double> gaps;
  std::int64_t count = 0;
  const absl::Time* previous = nullptr;
  for (const absl::Time& poll : *polls) {
    if (poll < from || poll >= until) continue;
    ++count;
    if (previous != nullptr) gaps.push_back(absl::ToDoubleMilliseconds(poll - *previous));
    previous = &poll;
  }
  const double shortest = Quantile(gaps, 0);
  // Each gap belongs to one interval: 1.00 means one poll in each, and no extra polls.
  double spanned = 0;
  for (const double gap : gaps) spanned += gap / absl::ToDoubleMilliseconds(options.interval);
  absl::PrintF(
      "  %5d watchers: %3d polls in %.1f s, %.0f to %.0f ms apart (median %.0f): %s\n", watchers,
      count, absl::ToDoubleSeconds(until - from), shortest, Quantile(gaps, 1), Quantile(gaps, 0.5),
      gaps.empty() ? "too few to tell"
      : shortest >= absl::ToDoubleMilliseconds(options.interval) * 0.99
          ? absl::StrFormat("one per interval, which lasted %.2f of the configured one on average",
                            spanned / static_cast<double>(gaps.size()))
          : "SOME CAME TOO EARLY");
  return absl::OkStatus();
}

}  // namespace

absl::Status CountPolls(const Settings& settings, const WatchersOptions& options) {
  Rig::Options rig_options;
  rig_options.poll_interval = options.interval;
  rig_options.keep_requests = true;
  auto rig = Rig::Start(settings, rig_options);
  if (!rig.ok()) return rig.status();
  {
    auto loop = MakeAssets(Connect((*rig)->address(), 1), 1, (*rig)->provider(), /*ids=*/true);
    if (absl::Status status = AllFine(loop->RunUntil(1)); !status.ok()) return status;
  }

  absl::PrintF("watchers: one asset that stays PROCESSING, polled every %s\n",
               absl::FormatDuration(options.interval));
  if (absl::Status status = Count(**rig, options, 0); !status.ok()) return status;
  {
    v1::WatchAssetsRequest request;
    request.add_names("assets/bench-0");
    auto crowd =
        Crowd::Open(Connect((*rig)->address(), settings.connections), options.watchers, request);
    if (!crowd.ok()) return crowd.status();
    if (absl::Status status = Count(**rig, options, options.watchers); !status.ok()) return status;
  }
  return (*rig)->Stop();
}

}  // namespace assetgate::bench
