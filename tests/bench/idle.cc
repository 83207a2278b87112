// The cost of unfinished work while none of it is due.
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {

absl::Status MeasureIdle(const Settings& settings, const IdleOptions& options) {
  Settings fast = settings;
  fast.latency = absl::ZeroDuration();
  auto rig = Rig::Start(fast, {});
  if (!rig.ok()) return rig.status();
  const Usage empty = UsageOf((*rig)->gateway_pid());
  {
    auto loop = MakeAssets(Connect((*rig)->address(), settings.connections), 64, (*rig)->provider(),
                           /*ids=*/false);
    if (absl::Status status = AllFine(loop->RunUntil(options.placements)); !status.ok()) {
      return status;
    }
  }
  // Work left over from the creates (a checkpoint, closing connections) must not count.
  absl::SleepFor(settings.quick ? absl::ZeroDuration() : absl::Seconds(2));
  const auto unfinished = (*rig)->Metric(
      absl::StrFormat("assetgate_unfinished{kind=\"asset\",provider=\"%s\"}", settings.dialect));
  const Usage before = UsageOf((*rig)->gateway_pid());
  const absl::Time from = absl::Now();
  absl::SleepFor(options.time);
  const absl::Duration took = absl::Now() - from;
  const Usage used = UsageOf((*rig)->gateway_pid()) - before;
  absl::PrintF(
      "idle: %.0f unfinished placements, no poll due, for %s\n"
      "  CPU               %.2f %% of a core   (goal: under 2 %%)\n"
      "  context switches  %.1f /s\n"
      "  memory            %.1f MiB, %.1f KiB per placement\n",
      unfinished.ok() ? *unfinished : -1.0,
      absl::FormatDuration(absl::Trunc(took, absl::Milliseconds(100))),
      100 * absl::FDivDuration(used.cpu, took),
      static_cast<double>(used.context_switches) / absl::ToDoubleSeconds(took),
      static_cast<double>(before.memory_bytes) / (1 << 20),
      static_cast<double>(before.memory_bytes - empty.memory_bytes) / 1024 / options.placements);
  return (*rig)->Stop();
}

}  // namespace assetgate::bench
