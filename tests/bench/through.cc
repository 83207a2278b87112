// CreateAsset through to a provider, compared with the thinnest proxy that is as durable.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/reference.h"
#include "tests/bench/transfer.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {
namespace {

// Calls of one server.
class Creates {
 public:
  Creates(const Settings& settings, const ThroughOptions& options, const std::string& address,
          const std::string& provider, pid_t server)
      : server_(server),
        many_(MakeAssets(Connect(address, settings.connections), options.callers, provider,
                         /*ids=*/false)),
        one_(MakeAssets(Connect(address, 1), 1, provider, /*ids=*/false)) {}

  // Runs for `time` with all callers, then with one; records the figures if `keep` is set.
  absl::Status Run(absl::Duration time, bool keep) {
    const Usage before = UsageOf(server_);
    const Calls many = many_->Run(time);
    const Usage used = UsageOf(server_) - before;
    // No call may be in flight while something else is measured.
    many_->Finish();
    if (absl::Status status = AllFine(many); !status.ok()) return status;
    const Calls one = one_->Run(time / 2);
    one_->Finish();
    if (absl::Status status = AllFine(one); !status.ok()) return status;
    if (!keep) return absl::OkStatus();
    const auto calls = static_cast<double>(many.ok);
    rates_.push_back(many.PerSecond());
    cpu_.push_back(absl::ToDoubleMicroseconds(used.cpu) / calls);
    switches_.push_back(static_cast<double>(used.context_switches) / calls);
    p99_.push_back(Quantile(many.milliseconds, 0.99));
    alone_.push_back(Quantile(one.milliseconds, 0.5));
    return absl::OkStatus();
  }

  double Rate() const { return Quantile(rates_, 0.5); }
  double Cpu() const { return Quantile(cpu_, 0.5); }
  double Switches() const { return Quantile(switches_, 0.5); }
  double P99() const { return Quantile(p99_, 0.5); }
  double Alone() const { return Quantile(alone_, 0.5); }

 private:
  const pid_t server_;
  const std::unique_ptr<CreateLoop> many_;
  const std::unique_ptr<CreateLoop> one_;
  std::vector<double> rates_;
  std::vector<double> cpu_;
  std::vector<double> switches_;
  std::vector<double> p99_;
  std::vector<double> alone_;
};

// The provider itself, asked by one caller on a connection that is kept.
class Direct {
 public:
  explicit Direct(const std::string& base_url) : curl_(MakePost()) {
    curl_easy_setopt(curl_.get(), CURLOPT_URL, (base_url + "/asset-groups").c_str());
    curl_easy_setopt(curl_.get(), CURLOPT_POSTFIELDS, R"({"platform":"JIMENG","name":"direct"})");
    ReceiveInto(curl_.get(), answer_);
  }

  absl::Status Run(absl::Duration time, bool keep) {
    std::vector<double> milliseconds;
    for (const absl::Time until = absl::Now() + time; absl::Now() < until;) {
      answer_.clear();
      const absl::Time from = absl::Now();
      if (const CURLcode code = curl_easy_perform(curl_.get()); code != CURLE_OK) {
        return absl::UnavailableError(absl::StrCat("the provider: ", curl_easy_strerror(code)));
      }
      milliseconds.push_back(absl::ToDoubleMilliseconds(absl::Now() - from));
    }
    if (keep) alone_.push_back(Quantile(milliseconds, 0.5));
    return absl::OkStatus();
  }

  double Alone() const { return Quantile(alone_, 0.5); }

 private:
  const Curl curl_;
  std::string answer_;
  std::vector<double> alone_;
};

}  // namespace

absl::Status MeasureThrough(const Settings& given, const ThroughOptions& options) {
  Settings settings = given;
  // The only one that the thin proxy knows.
  settings.dialect = "zerozero";
  auto rig = Rig::Start(settings, {});
  if (!rig.ok()) return rig.status();
  auto reference = Reference::StartThinProxy(settings, (*rig)->base_url());
  if (!reference.ok()) return reference.status();
  auto ours = std::make_unique<Creates>(settings, options, (*rig)->address(), (*rig)->provider(),
                                        (*rig)->gateway_pid());
  auto thin = std::make_unique<Creates>(settings, options, (*reference)->address(),
                                        (*rig)->provider(), (*reference)->pid());
  Direct direct((*rig)->base_url());
  // Alternating, so that other load on the machine affects both.
  const int pairs = settings.quick ? 1 : 5;
  for (int pair = -1; pair < pairs; ++pair) {
    const absl::Duration time = pair < 0 ? settings.warm_up / 2 : settings.measure / pairs;
    if (absl::Status status = direct.Run(time / 4, pair >= 0); !status.ok()) return status;
    for (Creates* creates : {thin.get(), ours.get()}) {
      if (absl::Status status = creates->Run(time, pair >= 0); !status.ok()) return status;
    }
  }
  const double added = ours->Alone() - direct.Alone();
  const double thin_added = thin->Alone() - direct.Alone();
  absl::PrintF(
      "through: CreateAsset, %d callers, %d connections, %s answers after %s, medians of %d pairs\n"
      "                      gateway   thin proxy   ratio\n"
      "  creates/s          %8.0f     %8.0f    %.2fx  (must 0.75x, goal 0.95x)\n"
      "  CPU per create     %5.0f µs     %5.0f µs    %.2fx  (must 1.3x, goal 1.05x)\n"
      "  context switches      %5.1f        %5.1f    %.2fx\n"
      "  p99                %5.1f ms     %5.1f ms    %.2fx\n"
      "  added p50, alone   %5.2f ms     %5.2f ms    %.2fx  (must 1.3x, goal 1.05x; the provider "
      "%.2f ms)\n",
      options.callers, settings.connections, settings.dialect,
      absl::FormatDuration(settings.latency), pairs, ours->Rate(), thin->Rate(),
      ours->Rate() / thin->Rate(), ours->Cpu(), thin->Cpu(), ours->Cpu() / thin->Cpu(),
      ours->Switches(), thin->Switches(), ours->Switches() / thin->Switches(), ours->P99(),
      thin->P99(), ours->P99() / thin->P99(), added, thin_added, added / thin_added,
      direct.Alone());
  ours.reset();
  return (*rig)->Stop();
}

}  // namespace assetgate::bench
