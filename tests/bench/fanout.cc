// One change delivered to many streams, compared with a naive typed fan-out.
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/crowd.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/reference.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {
namespace {

// A server with streams that receive the assets created there.
class Streams {
 public:
  // Opens the streams: at the gateway, while it has no assets.
  static absl::StatusOr<std::unique_ptr<Streams>> Open(const Settings& settings,
                                                       const FanOutOptions& options,
                                                       const std::string& address, pid_t server) {
    auto streams = std::unique_ptr<Streams>(new Streams(options, server));
    const Usage before = UsageOf(server);
    auto crowd = Crowd::Open(Connect(address, settings.connections), options.streams, {});
    if (!crowd.ok()) return crowd.status();
    streams->memory_per_stream_ =
        static_cast<double>((UsageOf(server) - before).memory_bytes) / options.streams;
    streams->crowd_ = *std::move(crowd);
    // Assets that are placed nowhere: one create is one change.
    streams->single_ = MakeAssets(Connect(address, 1), 1, "", /*ids=*/true);
    return streams;
  }

  absl::Status MeasureOne() {
    crowd_->Expect(options_.streams);
    const absl::Time from = absl::Now();
    const Calls calls = single_->RunUntil(++made_);
    if (absl::Status status = AllFine(calls); !status.ok()) return status;
    const auto read = crowd_->Await();
    if (!read.ok()) return read.status();
    first_.push_back(absl::ToDoubleMilliseconds(read->first - from));
    last_.push_back(absl::ToDoubleMilliseconds(read->last - from));
    return absl::OkStatus();
  }

  absl::Status MeasureBurst() {
    const std::int64_t deliveries = std::int64_t{options_.streams} * options_.burst;
    crowd_->Expect(deliveries);
    const Usage before = UsageOf(server_);
    made_ += options_.burst;
    const Calls calls = single_->RunUntil(made_);
    if (absl::Status status = AllFine(calls); !status.ok()) return status;
    const auto read = crowd_->Await();
    if (!read.ok()) return read.status();
    const Usage used = UsageOf(server_) - before;
    rates_.push_back(static_cast<double>(deliveries) /
                     absl::ToDoubleSeconds(read->last - read->first));
    cpu_.push_back(absl::ToDoubleMicroseconds(used.cpu) / static_cast<double>(deliveries));
    return absl::OkStatus();
  }

  double First() const { return Quantile(first_, 0.5); }
  double Last() const { return Quantile(last_, 0.5); }
  double Rate() const { return Quantile(rates_, 0.5); }
  double Cpu() const { return Quantile(cpu_, 0.5); }
  double MemoryPerStream() const { return memory_per_stream_; }

 private:
  Streams(const FanOutOptions& options, pid_t server) : options_(options), server_(server) {}

  const FanOutOptions options_;
  const pid_t server_;
  std::unique_ptr<Crowd> crowd_;
  std::unique_ptr<CreateLoop> single_;
  double memory_per_stream_ = 0;
  std::int64_t made_ = 0;
  std::vector<double> first_;
  std::vector<double> last_;
  std::vector<double> rates_;
  std::vector<double> cpu_;
};

}  // namespace

absl::Status MeasureFanOut(const Settings& settings, const FanOutOptions& options) {
  auto rig = Rig::Start(settings, {});
  if (!rig.ok()) return rig.status();
  auto reference = Reference::Start(settings);
  if (!reference.ok()) return reference.status();
  auto ours = Streams::Open(settings, options, (*rig)->address(), (*rig)->gateway_pid());
  if (!ours.ok()) return ours.status();
  auto naive = Streams::Open(settings, options, (*reference)->address(), (*reference)->pid());
  if (!naive.ok()) return naive.status();

  for (int round = 0; round < options.rounds; ++round) {
    for (Streams* streams : {naive->get(), ours->get()}) {
      if (absl::Status status = streams->MeasureOne(); !status.ok()) return status;
    }
  }
  const int bursts = settings.quick ? 1 : 5;
  for (int round = 0; round < bursts; ++round) {
    for (Streams* streams : {naive->get(), ours->get()}) {
      if (absl::Status status = streams->MeasureBurst(); !status.ok()) return status;
    }
  }
  const Streams& a = **ours;
  const Streams& b = **naive;
  absl::PrintF(
      "fanout: %d streams on %d connections, medians of %d rounds\n"
      "                                      gateway      naive    ratio\n"
      "  create called → read by the first  %6.2f ms  %6.2f ms   %.2fx  (ours includes a sync)\n"
      "  create called → read by the last   %6.2f ms  %6.2f ms   %.2fx\n"
      "  deliveries/s, %3d changes           %8.0f   %8.0f   %.2fx\n"
      "  CPU per delivery                   %6.1f µs  %6.1f µs   %.2fx\n"
      "  memory per idle stream             %5.1f KiB %5.1f KiB   %.2fx\n",
      options.streams, settings.connections, options.rounds, a.First(), b.First(),
      a.First() / b.First(), a.Last(), b.Last(), a.Last() / b.Last(), options.burst, a.Rate(),
      b.Rate(), a.Rate() / b.Rate(), a.Cpu(), b.Cpu(), a.Cpu() / b.Cpu(),
      a.MemoryPerStream() / 1024, b.MemoryPerStream() / 1024,
      a.MemoryPerStream() / b.MemoryPerStream());
  ours->reset();
  naive->reset();
  return (*rig)->Stop();
}

}  // namespace assetgate::bench
