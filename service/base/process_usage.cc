#include "base/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace assetgate::base {
namespace {

// The words of a file in /proc; if `after` is given, only those behind its last occurrence.
std::vector<std::string> WordsOf(const char* path, char after) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (after != '\0') text.erase(0, text.rfind(after) + 1);
  return absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
}

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

// See proc(5). Both files can be read even if the process may not be dumped.
double ReadResidentBytes() {
  const auto memory = WordsOf("/proc/self/statm", '\0');
  double pages = 0;
  if (memory.size() < 2 || !absl::SimpleAtod(memory[1], &pages)) return 0;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage used;
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    usage.cpu_seconds = SecondsOf(used.ru_utime) + SecondsOf(used.ru_stime);
  }
  usage.resident_bytes = ReadResidentBytes();
  // The program's name is in parentheses and may hold any characters.
  const auto state = WordsOf("/proc/self/stat", ')');
  if (state.size() <= 17 || !absl::SimpleAtoi(state[17], &usage.threads)) usage.threads = 0;
  return usage;
}

}  // namespace assetgate::base
