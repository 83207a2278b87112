// The benchmarks: each starts the processes that it measures, prints its results, and cleans up.
#ifndef ASSETGATE_TESTS_BENCH_BENCHMARKS_H_
#define ASSETGATE_TESTS_BENCH_BENCHMARKS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/bench/rig.h"

namespace assetgate::bench {

struct CreatesOptions {
  int callers = 64;
  // How often each asset is polled at the provider, as in production; zero for never, so that only
  // creates are measured.
  absl::Duration poll_interval;
  // Whether the store is a database of a PostgreSQL server that is started for this, and the time
  // of a round trip to it.
  bool postgres = false;
  absl::Duration round_trip;
};
absl::Status MeasureCreates(const Settings& settings, const CreatesOptions& options);

struct ThroughOptions {
  int callers = 64;
};
// With zerozero, whichever provider the settings name.
absl::Status MeasureThrough(const Settings& settings, const ThroughOptions& options);

struct ReadsOptions {
  int callers = 64;
  int assets = 1'000;
};
absl::Status MeasureReads(const Settings& settings, const ReadsOptions& options);

struct FanOutOptions {
  int streams = 1'000;
  int rounds = 20;
  // Changes made in a row, for deliveries per second.
  int burst = 50;
};
absl::Status MeasureFanOut(const Settings& settings, const FanOutOptions& options);

struct WatchersOptions {
  int watchers = 1'000;
  absl::Duration interval = absl::Milliseconds(500);
  int intervals = 20;
};
absl::Status CountPolls(const Settings& settings, const WatchersOptions& options);

struct IdleOptions {
  int placements = 10'000;
  absl::Duration time = absl::Seconds(30);
};
absl::Status MeasureIdle(const Settings& settings, const IdleOptions& options);

struct RestartOptions {
  // Limited by the size of the simulator's log.
  int units = 100'000;
  // Between two polls of one unit, after the restart.
  absl::Duration interval = absl::Minutes(1);
};
absl::Status MeasureRestart(const Settings& settings, const RestartOptions& options);

struct MillionOptions {
  // Finished assets in two stores.
  int few = 10'000;
  int many = 1'000'000;
  // Whether the stores are databases of a PostgreSQL server that is started for this.
  bool postgres = false;
};
absl::Status MeasureMillion(const Settings& settings, const MillionOptions& options);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_BENCHMARKS_H_
