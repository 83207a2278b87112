// A gateway that is killed with much unfinished work, and its successor.
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "model/record.pb.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {
namespace {

// The interval for checking a starting gateway: short compared with the measured times, and long
// enough to cost the gateway nothing.
constexpr absl::Duration kTick = absl::Milliseconds(10);
// Its metrics are read every this many ticks, because that costs it a millisecond.
constexpr int kTicksPerScrape = 3;

double MiB(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }
double KiBEach(std::int64_t bytes, int count) {
  return static_cast<double>(bytes) / 1024 / std::max(count, 1);
}

// The minimum work of a start: reading and decoding the unfinished rows of the file, on one thread.
absl::StatusOr<absl::Duration> TimeOfScan(const std::string& path, int expected) {
  const absl::Time from = absl::Now();
  sqlite3* db = nullptr;
  sqlite3_stmt* rows = nullptr;
  const absl::Cleanup close = [&] {
    sqlite3_finalize(rows);
    sqlite3_close(db);
  };
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK ||
      sqlite3_prepare_v2(db, "SELECT resource, internal FROM resources WHERE unfinished = 1", -1,
                         &rows, nullptr) != SQLITE_OK) {
    return absl::UnavailableError(absl::StrCat("cannot read ", path, ": ", sqlite3_errmsg(db)));
  }
  int found = 0;
  v1::Asset asset;
  model::AssetRecord record;
  while (sqlite3_step(rows) == SQLITE_ROW) {
    if (asset.ParseFromArray(sqlite3_column_blob(rows, 0), sqlite3_column_bytes(rows, 0)) &&
        record.ParseFromArray(sqlite3_column_blob(rows, 1), sqlite3_column_bytes(rows, 1))) {
      ++found;
    }
  }
  if (found < expected) {
    return absl::InternalError(absl::StrCat(found, " of ", expected, " rows could be read"));
  }
  return absl::Now() - from;
}

// One caller's calls to a busy gateway.
struct Answered {
  std::vector<double> gets;
  std::vector<double> creates;

  std::string Gets() const { return Describe(gets); }
  std::string Creates() const { return Describe(creates); }

 private:
  static std::string Describe(const std::vector<double>& milliseconds) {
    return absl::StrFormat("p50 %.2f ms, p99 %.1f ms, at most %.1f ms (%d calls)",
                           Quantile(milliseconds, 0.5), Quantile(milliseconds, 0.99),
                           Quantile(milliseconds, 1), milliseconds.size());
  }
};

class Caller {
 public:
  Caller(const std::string& address, int assets)
      : stub_(v1::AssetService::NewStub(Connect(address, 1)[0])), assets_(assets) {}

  // Gets an asset, and now and then creates one that is placed nowhere: reads bypass the thread
  // that loads the unfinished work, creates go through it.
  absl::Status Call(Answered& answered) {
    const int number = calls_++;
    {
      v1::GetAssetRequest request;
      // Assets created one after another are not neighbours in the file.
      request.set_name(absl::StrCat("assets/bench-", number * 7919LL % assets_));
      v1::Asset reply;
      absl::Status status = Timed(answered.gets, [&](grpc::ClientContext* context) {
        return stub_->GetAsset(context, request, &reply);
      });
      if (!status.ok()) return status;
    }
    if (number % 10 != 0) return absl::OkStatus();
    v1::CreateAssetRequest request;
    request.mutable_asset()->set_source_uri("https://media.example.org/after.png");
    request.mutable_asset()->set_media_type(v1::IMAGE);
    v1::Asset reply;
    return Timed(answered.creates, [&](grpc::ClientContext* context) {
      return stub_->CreateAsset(context, request, &reply);
    });
  }

 private:
  template <typename Rpc>
  static absl::Status Timed(std::vector<double>& milliseconds, Rpc rpc) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const absl::Time from = absl::Now();
    const grpc::Status status = rpc(&context);
    milliseconds.push_back(absl::ToDoubleMilliseconds(absl::Now() - from));
    if (status.ok()) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat("code ", status.error_code(), ": ", status.error_message()));
  }

  const std::unique_ptr<v1::AssetService::Stub> stub_;
  const int assets_;
  int calls_ = 0;
};

// How many of `times` are in each of `count` equal parts of [from, until).
std::vector<int> Spread(const std::vector<absl::Time>& times, absl::Time from, absl::Time until,
                        int count) {
  std::vector<int> pieces(count);
  for (const absl::Time time : times) {
    if (time < from || time >= until) continue;
    ++pieces[static_cast<int>(absl::FDivDuration(time - from, until - from) * count)];
  }
  return pieces;
}

}  // namespace

absl::Status MeasureRestart(const Settings& settings, const RestartOptions& options) {
  Settings fast = settings;
  fast.latency = absl::ZeroDuration();
  Rig::Options rig_options;
  rig_options.keep_requests = true;
  auto started = Rig::Start(fast, rig_options);
  if (!started.ok()) return started.status();
  Rig& rig = **started;
  const std::string unfinished =
      absl::StrFormat("assetgate_unfinished{kind=\"asset\",provider=\"%s\"}", settings.dialect);
  const std::int64_t empty = UsageOf(rig.gateway_pid()).memory_bytes;
  const absl::Time filling = absl::Now();
  {
    auto loop = MakeAssets(Connect(rig.address(), settings.connections), settings.quick ? 8 : 128,
                           rig.provider(), /*ids=*/true);
    if (absl::Status status = AllFine(loop->RunUntil(options.units)); !status.ok()) return status;
  }
  absl::PrintF("restart: %d unfinished placements, made in %.1f s; then SIGKILL\n", options.units,
               absl::ToDoubleSeconds(absl::Now() - filling));
  const std::int64_t before = UsageOf(rig.gateway_pid()).memory_bytes;
  rig.Kill();

  const absl::Time from = absl::Now();
  const absl::Time until = from + options.interval;
  if (absl::Status status = rig.StartGateway(options.interval); !status.ok()) return status;
  auto caller = std::make_unique<Caller>(rig.address(), options.units);
  Answered first;
  if (absl::Status status = caller->Call(first); !status.ok()) return status;
  const absl::Duration serves = absl::Now() - from;
  if (!rig.Ready()) return absl::InternalError("it serves, and /readyz says that it is not ready");
  const absl::Duration ready = absl::Now() - from;

  Answered loading;
  Answered afterwards;
  absl::Duration all_held;
  std::int64_t held_memory = 0;
  for (int tick = 0; absl::Now() < until || held_memory == 0; ++tick) {
    const absl::Time next = absl::Now() + kTick;
    if (held_memory == 0 && tick % kTicksPerScrape == 0) {
      const auto held = rig.Metric(unfinished);
      if (!held.ok()) return held.status();
      if (*held >= options.units) {
        all_held = absl::Now() - from;
        held_memory = UsageOf(rig.gateway_pid()).memory_bytes;
      }
    }
    absl::Status status = caller->Call(held_memory == 0 ? loading : afterwards);
    if (!status.ok()) return status;
    absl::SleepFor(next - absl::Now());
  }
  const auto polls = rig.AssetPolls();
  if (!polls.ok()) return polls.status();
  const Usage after = UsageOf(rig.gateway_pid());
  caller.reset();
  if (absl::Status status = rig.Stop(); !status.ok()) return status;
  std::vector<double> scans;
  for (int i = 0; i < 3; ++i) {
    const auto scan = TimeOfScan(rig.store_path(), options.units);
    if (!scan.ok()) return scan.status();
    scans.push_back(absl::ToDoubleMilliseconds(*scan));
  }
  const double scan = Quantile(scans, 0.5);

  // The busiest second; for an interval of a few seconds, the busiest tenth.
  const int seconds =
      static_cast<int>(std::max<std::int64_t>(10, absl::ToInt64Seconds(options.interval)));
  const std::vector<int> tenths = Spread(*polls, from, until, 10);
  const std::vector<int> by_second = Spread(*polls, from, until, seconds);
  double all = 0;
  for (const int count : by_second) all += count;
  const double mean = all / seconds;
  const double busiest = *std::max_element(by_second.begin(), by_second.end());
  // Random variation alone makes some seconds busier, by a few standard deviations.
  const bool stampede = busiest > 1.5 * mean + 5 * std::sqrt(mean);
  const double per_second = seconds / absl::ToDoubleSeconds(options.interval);
  absl::PrintF(
      "  serves            %.0f ms after its start, and is ready after %.0f ms\n"
      "  holds all         %.0f ms after its start: %.2fx a bare scan that decodes the same rows "
      "(%.0f ms;\n"
      "                    must 5x, goal 1.5x)\n"
      "  memory            %.1f MiB before the end (%.2f KiB per unit), %.1f MiB holding all "
      "(%.2f), "
      "%.1f MiB\n"
      "                    after the interval (%.2f)\n"
      "  polls             %.0f in the first interval of %s, by tenths %s\n"
      "  busiest %-9s %.0f polls/s, %.2fx the mean: %s\n"
      "  CPU               %.2f cores of the gateway in that interval\n"
      "  GetAsset          while it loads %s\n"
      "                    then %s\n"
      "  CreateAsset       while it loads %s\n"
      "                    then %s\n",
      absl::ToDoubleMilliseconds(serves), absl::ToDoubleMilliseconds(ready),
      absl::ToDoubleMilliseconds(all_held), absl::ToDoubleMilliseconds(all_held) / scan, scan,
      MiB(before), KiBEach(before - empty, options.units), MiB(held_memory),
      KiBEach(held_memory - empty, options.units), MiB(after.memory_bytes),
      KiBEach(after.memory_bytes - empty, options.units), all,
      absl::FormatDuration(options.interval), absl::StrJoin(tenths, " "),
      seconds == 10 ? "tenth" : "second", busiest * per_second, mean == 0 ? 0 : busiest / mean,
      mean == 0  ? "NOTHING WAS POLLED"
      : stampede ? "A STAMPEDE"
                 : "spread",
      absl::FDivDuration(after.cpu, options.interval), loading.Gets(), afterwards.Gets(),
      loading.Creates(), afterwards.Creates());
  return absl::OkStatus();
}

}  // namespace assetgate::bench
