// What this process uses, as the system counts it.
#ifndef ASSETGATE_BASE_PROCESS_USAGE_H_
#define ASSETGATE_BASE_PROCESS_USAGE_H_

namespace assetgate::base {

struct ProcessUsage {
  // User and system time of all threads so far.
  double cpu_seconds = 0;
  double resident_bytes = 0;
  int threads = 0;
};

// Zero is what could not be read. Thread-safe.
ProcessUsage ReadProcessUsage();
// `resident_bytes` alone, for those who ask often.
double ReadResidentBytes();

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_PROCESS_USAGE_H_
