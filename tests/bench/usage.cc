#include "tests/bench/usage.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace assetgate::bench {
namespace {

constexpr long kTmpfsMagic = 0x01021994;

std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number in the line that starts with `key`.
std::int64_t NumberAfter(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, key)) continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t:"), absl::SkipEmpty());
    std::int64_t number = 0;
    if (words.size() > 1 && absl::SimpleAtoi(words[1], &number)) return number;
  }
  return 0;
}

}  // namespace

Usage UsageOf(pid_t pid) {
  Usage usage;
  const std::string folder = absl::StrCat("/proc/", pid);
  const std::string stat = Slurp(folder + "/stat");
  // The name, in parentheses, may hold any characters; utime and stime are the 12th and 13th fields
  // after it.
  const std::size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
    std::int64_t user = 0;
    std::int64_t system = 0;
    if (fields.size() > 12 && absl::SimpleAtoi(fields[11], &user) &&
        absl::SimpleAtoi(fields[12], &system)) {
      usage.cpu = absl::Seconds(user + system) / sysconf(_SC_CLK_TCK);
    }
  }
  usage.memory_bytes = NumberAfter(Slurp(folder + "/status"), "VmRSS") * 1024;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(folder + "/task", error)) {
    const std::string status = Slurp(task.path().string() + "/status");
    usage.context_switches += NumberAfter(status, "voluntary_ctxt_switches") +
                              NumberAfter(status, "nonvoluntary_ctxt_switches");
  }
  return usage;
}

Usage operator-(const Usage& later, const Usage& earlier) {
  Usage difference = later;
  difference.cpu -= earlier.cpu;
  difference.context_switches -= earlier.context_switches;
  difference.memory_bytes -= earlier.memory_bytes;
  return difference;
}

std::string PerOne(absl::Duration total, std::int64_t count) {
  if (count == 0) return "-";
  return absl::StrFormat("%.0f µs", absl::ToDoubleMicroseconds(total) / static_cast<double>(count));
}

double Quantile(std::vector<double> values, double rank) {
  if (values.empty()) return 0;
  const auto at = values.begin() +
                  static_cast<std::ptrdiff_t>(rank * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

absl::Duration TimeOfSync(const std::string& folder, std::int64_t bytes) {
  constexpr int kRounds = 40;
  const std::string path = folder + "/sync-probe";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return absl::ZeroDuration();
  const std::string block(static_cast<std::size_t>(bytes), 'x');
  std::vector<double> seconds;
  // Every round writes to its own place; the first pass only allocates the places.
  for (int pass = 0; pass < 2; ++pass) {
    for (int round = 0; round < kRounds; ++round) {
      const absl::Time from = absl::Now();
      if (pwrite(file, block.data(), block.size(), round * bytes) < 0) break;
      if (pass == 0) continue;
      if (fdatasync(file) == 0) seconds.push_back(absl::ToDoubleSeconds(absl::Now() - from));
    }
    if (pass == 0 && fsync(file) != 0) break;
  }
  close(file);
  unlink(path.c_str());
  return absl::Seconds(Quantile(std::move(seconds), 0.5));
}

std::string DescribeMachine(const std::string& folder) {
  double load[3] = {};
  (void)getloadavg(load, 3);
  std::string text =
      absl::StrFormat("%d cores, load average %.1f", std::thread::hardware_concurrency(), load[0]);
  if (load[0] > 0.5) text += " before the start: other programs share the cores";
  struct statfs file_system {};
  if (statfs(folder.c_str(), &file_system) == 0 && file_system.f_type == kTmpfsMagic) {
    text += "; the store is in memory (tmpfs), where a commit costs nothing: use --dir";
  }
#ifndef __OPTIMIZE__
  text += "; THIS BUILD IS NOT OPTIMISED: its figures mean nothing";
#endif
  return text;
}

}  // namespace assetgate::bench
