// The resources that this process uses, as the operating system counts them.
#ifndef ASSETGATE_BASE_PROCESS_USAGE_H_
#define ASSETGATE_BASE_PROCESS_USAGE_H_

namespace assetgate::base {

struct ProcessUsage {
  // User and system time of all threads so far.
  double cpu_seconds = 0;
  double resident_bytes = 0;
  int threads = 0;
};

// A value that cannot be read is zero.
// Threading: thread-safe.
ProcessUsage ReadProcessUsage();
// `resident_bytes` alone, for frequent callers.
double ReadResidentBytes();

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_PROCESS_USAGE_H_
