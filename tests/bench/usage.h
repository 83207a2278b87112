// What processes use, and how a row of figures is summed up.
#ifndef ASSETGATE_TESTS_BENCH_USAGE_H_
#define ASSETGATE_TESTS_BENCH_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace assetgate::bench {

// What a process has used so far, all its threads together.
struct Usage {
  absl::Duration cpu;
  // Voluntary and involuntary, of the threads that live.
  std::int64_t context_switches = 0;
  // Resident, now.
  std::int64_t memory_bytes = 0;
};
Usage UsageOf(pid_t pid);
Usage operator-(const Usage& later, const Usage& earlier);

// "12.3 µs" per one of `count`.
std::string PerOne(absl::Duration total, std::int64_t count);

// Of unsorted values, `rank` from 0 to 1; zero of none.
double Quantile(std::vector<double> values, double rank);

// How long the disk below `folder` takes to make so many bytes durable that overwrite others in
// place, as a log does that was written before: the least that a commit can take. Zero if it cannot
// be told.
absl::Duration TimeOfSync(const std::string& folder, std::int64_t bytes);

// Cores, load, and whether this build may be measured at all: the head of every report.
std::string DescribeMachine(const std::string& folder);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_USAGE_H_
