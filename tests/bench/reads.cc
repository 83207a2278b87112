// GetAsset compared with a bare server that does the same point read.
#include "absl/strings/str_format.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/reference.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {
namespace {

// One server and the callers that read from it.
class Reader {
 public:
  Reader(const Settings& settings, const ReadsOptions& options, const std::string& address,
         pid_t server)
      : server_(server),
        loop_(
            Connect(address, settings.connections), options.callers,
            [](v1::AssetService::Stub& stub, grpc::ClientContext* context,
               const v1::GetAssetRequest& request, grpc::CompletionQueue* queue) {
              return stub.AsyncGetAsset(context, request, queue);
            },
            [assets = options.assets](std::int64_t number, v1::GetAssetRequest& request) {
              // Assets created one after another are not neighbours in the file.
              request.set_name(absl::StrCat("assets/bench-", number * 7919 % assets));
            }) {}

  // Runs for `time`; records the figures if `keep` is set.
  absl::Status Run(absl::Duration time, bool keep) {
    const Usage before = UsageOf(server_);
    const Calls calls = loop_.Run(time);
    const Usage used = UsageOf(server_) - before;
    // No call may be in flight while the other server is measured.
    loop_.Finish();
    if (absl::Status status = AllFine(calls); !status.ok()) return status;
    if (!keep) return absl::OkStatus();
    rates_.push_back(calls.PerSecond());
    cpu_.push_back(absl::ToDoubleMicroseconds(used.cpu) / static_cast<double>(calls.ok));
    p50_.push_back(Quantile(calls.milliseconds, 0.5));
    return absl::OkStatus();
  }

  double Rate() const { return Quantile(rates_, 0.5); }
  double Cpu() const { return Quantile(cpu_, 0.5); }
  double P50() const { return Quantile(p50_, 0.5); }

 private:
  const pid_t server_;
  ClosedLoop<v1::AssetService::Stub, v1::GetAssetRequest, v1::Asset> loop_;
  std::vector<double> rates_;
  std::vector<double> cpu_;
  std::vector<double> p50_;
};

}  // namespace

absl::Status MeasureReads(const Settings& settings, const ReadsOptions& options) {
  auto rig = Rig::Start(settings, {});
  if (!rig.ok()) return rig.status();
  auto reference = Reference::Start(settings);
  if (!reference.ok()) return reference.status();
  for (const std::string& address : {(*rig)->address(), (*reference)->address()}) {
    auto loop = MakeAssets(Connect(address, 1), 16, "", /*ids=*/true);
    if (absl::Status status = AllFine(loop->RunUntil(options.assets)); !status.ok()) return status;
  }
  auto ours = std::make_unique<Reader>(settings, options, (*rig)->address(), (*rig)->gateway_pid());
  auto bare =
      std::make_unique<Reader>(settings, options, (*reference)->address(), (*reference)->pid());
  // Alternating, so that other load on the machine affects both.
  const int pairs = settings.quick ? 1 : 5;
  for (int pair = -1; pair < pairs; ++pair) {
    for (Reader* reader : {bare.get(), ours.get()}) {
      const absl::Duration time = pair < 0 ? settings.warm_up / 2 : settings.measure / pairs;
      if (absl::Status status = reader->Run(time, pair >= 0); !status.ok()) return status;
    }
  }
  absl::PrintF(
      "reads: GetAsset of %d assets, %d callers, %d connections, medians of %d pairs\n"
      "              gateway   bare server   ratio\n"
      "  calls/s    %8.0f      %8.0f    %.2fx  (must 0.7x, goal 0.95x)\n"
      "  CPU per    %5.0f µs      %5.0f µs    %.2fx\n"
      "  p50        %5.2f ms      %5.2f ms    %.2fx\n",
      options.assets, options.callers, settings.connections, pairs, ours->Rate(), bare->Rate(),
      ours->Rate() / bare->Rate(), ours->Cpu(), bare->Cpu(), ours->Cpu() / bare->Cpu(), ours->P50(),
      bare->P50(), ours->P50() / bare->P50());
  ours.reset();
  return (*rig)->Stop();
}

}  // namespace assetgate::bench
