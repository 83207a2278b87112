// Measures what processes use, and summarises figures.
#ifndef ASSETGATE_TESTS_BENCH_USAGE_H_
#define ASSETGATE_TESTS_BENCH_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace assetgate::bench {

// The resources that a process has used so far, over all its threads.
struct Usage {
  absl::Duration cpu;
  // Voluntary and involuntary, of the present threads.
  std::int64_t context_switches = 0;
  // Resident memory right now.
  std::int64_t memory_bytes = 0;
};
Usage UsageOf(pid_t pid);
Usage operator-(const Usage& later, const Usage& earlier);

// "12.3 µs" for each of `count`.
std::string PerOne(absl::Duration total, std::int64_t count);

// Of unsorted values, `rank` from 0 to 1; zero if there are none.
double Quantile(std::vector<double> values, double rank);

// How long the disk below `folder` takes to make `bytes` durable that overwrite existing ones, as
// in a log that is reused: the least that a commit can take. Zero if it cannot be measured.
absl::Duration TimeOfSync(const std::string& folder, std::int64_t bytes);

// Cores, load, and whether this build may be measured at all: the head of every report.
std::string DescribeMachine(const std::string& folder);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_USAGE_H_
