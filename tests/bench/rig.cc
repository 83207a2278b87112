#include "tests/bench/rig.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "rapidjson/document.h"
#include "tests/bench/transfer.h"

namespace assetgate::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr absl::Duration kStopTimeout = absl::Seconds(30);

absl::StatusOr<std::string> HttpGet(const std::string& url) {
  std::string body;
  const Curl curl = MakeTransfer();
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  ReceiveInto(curl.get(), body);
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat("GET ", url, ": ", curl_easy_strerror(code)));
  }
  return body;
}

// Where the simulator plays a dialect.
absl::StatusOr<std::string> BaseUrl(const std::string& simulator_url, const std::string& dialect) {
  const auto text = HttpGet(simulator_url + "/_control/providers");
  if (!text.ok()) return text.status();
  rapidjson::Document providers;
  providers.Parse(text->c_str());
  if (!providers.IsObject() || !providers.HasMember(dialect)) {
    return absl::NotFoundError(
        absl::StrCat("--provider: the simulator plays no ", dialect, "; it plays ", *text));
  }
  return providers[dialect]["base_url"].GetString();
}

}  // namespace

std::vector<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, int connections) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  channels.reserve(connections);
  for (int i = 0; i < connections; ++i) {
    grpc::ChannelArguments arguments;
    // Otherwise channels with the same arguments would share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    channels.push_back(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }
  return channels;
}

absl::StatusOr<std::unique_ptr<Rig>> Rig::Start(const Settings& settings, Options options) {
  auto rig = std::unique_ptr<Rig>(new Rig);
  rig->gateway_program_ = settings.gateway;
  rig->dialect_ = settings.dialect;
  rig->provider_ = absl::StrCat("providers/", settings.dialect);
  auto folder = ScratchFolder::Make(settings.dir);
  if (!folder.ok()) return folder.status();
  rig->folder_ = *std::move(folder);
  const std::string& path = rig->folder_->path();

  std::vector<std::string> arguments = {settings.simulator, "--port", "0",
                                        // Each connection occupies one of its threads.
                                        "--threads", settings.quick ? "64" : "512", "--latency",
                                        absl::FormatDuration(settings.latency), "--asset-delay",
                                        absl::FormatDuration(options.asset_delay)};
  if (!options.keep_requests) arguments.push_back("--no-request-log");
  auto simulator = Process::Start(std::move(arguments), {}, path + "/simulator.log");
  if (!simulator.ok()) return simulator.status();
  rig->simulator_ = *std::move(simulator);
  const auto listening = rig->simulator_->AwaitLine("listening on ", kStartTimeout);
  if (!listening.ok()) return listening.status();
  rig->simulator_url_ = listening->substr(listening->find("http://"));
  auto base_url = BaseUrl(rig->simulator_url_, rig->dialect_);
  if (!base_url.ok()) return base_url.status();
  rig->base_url_ = *std::move(base_url);

  rig->store_path_ = path + "/assetgate.db";
  rig->postgres_uri_ = options.postgres_uri;
  if (absl::Status status = rig->StartGateway(options.poll_interval); !status.ok()) return status;
  return rig;
}

absl::Status Rig::StartGateway(absl::Duration poll_interval) {
  const std::string& path = folder_->path();
  const std::string config_path = path + "/assetgate.yaml";
  const std::string interval = absl::FormatDuration(poll_interval);
  std::ofstream(config_path)  //
      << "listen: 127.0.0.1:0\n"
      << "admin: {listen: 127.0.0.1:0}\n"
      << (postgres_uri_.empty() ? absl::StrCat("store: {sqlite: {path: ", store_path_, "}}\n")
                                : "store: {postgres: {uri: {env: ASSETGATE_BENCH_STORE}}}\n")
      << "providers:\n"
      << "  - id: " << dialect_ << "\n"
      << "    base_url: " << base_url_ << "\n"
      << "    credential: {api_key: {env: ASSETGATE_BENCH_KEY}}\n"
      << "    limits: {requests_per_second: 10000, max_in_flight: 1000}\n"
      << "tracking: {first_poll: " << interval << ", min_poll: " << interval
      << ", max_poll: " << interval << "}\n"
      << "log: {format: json, level: info}\n";
  auto gateway = Process::Start(
      {gateway_program_, "--config", config_path},
      {"ASSETGATE_BENCH_KEY=sim-key", absl::StrCat("ASSETGATE_BENCH_STORE=", postgres_uri_)},
      path + "/assetgate.log");
  if (!gateway.ok()) return gateway.status();
  gateway_ = *std::move(gateway);
  const auto serving = gateway_->AwaitLine("\"message\":\"serving\"", kStartTimeout);
  if (!serving.ok()) return serving.status();
  rapidjson::Document line;
  line.Parse(serving->c_str());
  if (!line.IsObject() || !line.HasMember("listen") || !line["listen"].IsString() ||
      !line.HasMember("admin") || !line["admin"].IsString()) {
    return absl::InternalError(absl::StrCat("cannot read where it serves from: ", *serving));
  }
  address_ = line["listen"].GetString();
  admin_address_ = line["admin"].GetString();
  return absl::OkStatus();
}

bool Rig::Ready() const { return HttpGet(absl::StrCat("http://", admin_address_, "/readyz")).ok(); }

absl::StatusOr<double> Rig::Metric(absl::string_view name) const {
  const auto text = HttpGet(absl::StrCat("http://", admin_address_, "/metrics"));
  if (!text.ok()) return text.status();
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, name) && absl::ConsumePrefix(&line, " ") &&
        absl::SimpleAtod(line, &value)) {
      return value;
    }
  }
  return absl::NotFoundError(absl::StrCat("no series ", name, " in /metrics"));
}

absl::StatusOr<std::vector<absl::Time>> Rig::AssetPolls() const {
  const auto text = HttpGet(absl::StrCat(simulator_url_, "/_control/requests?provider=", dialect_,
                                         "&call=asset.get&limit=100000"));
  if (!text.ok()) return text.status();
  rapidjson::Document requests;
  requests.Parse(text->c_str());
  if (!requests.IsArray()) return absl::InternalError("the simulator's log is no array");
  std::vector<absl::Time> times;
  for (const auto& request : requests.GetArray()) {
    absl::Time time;
    std::string error;
    if (!request.IsObject() || !request.HasMember("time") || !request["time"].IsString() ||
        !absl::ParseTime(absl::RFC3339_full, request["time"].GetString(), &time, &error)) {
      return absl::InternalError("a request in the simulator's log has no time");
    }
    times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  return times;
}

absl::Status Rig::Stop() { return gateway_->Terminate(kStopTimeout); }

absl::StatusOr<Counted> ReadCounted(const Rig& rig) {
  const std::string submissions =
      absl::StrCat("{operation=\"submit_asset\",provider=\"",
                   rig.provider().substr(rig.provider().find('/') + 1), "\"}");
  Counted counted;
  for (const auto& [name, value] : std::vector<std::pair<std::string, double*>>{
           {"assetgate_store_commit_changes_count", &counted.groups},
           {"assetgate_store_commit_changes_sum", &counted.changes},
           {"assetgate_store_commit_seconds_sum", &counted.group_seconds},
           {"assetgate_upstream_seconds_count" + submissions, &counted.submissions},
           {"assetgate_upstream_seconds_sum" + submissions, &counted.submission_seconds}}) {
    const auto read = rig.Metric(name);
    if (read.ok()) {
      *value = *read;
    } else if (!absl::IsNotFound(read.status())) {
      return read.status();
    }
  }
  return counted;
}

Counted operator-(const Counted& later, const Counted& earlier) {
  return {later.groups - earlier.groups, later.changes - earlier.changes,
          later.group_seconds - earlier.group_seconds, later.submissions - earlier.submissions,
          later.submission_seconds - earlier.submission_seconds};
}

}  // namespace assetgate::bench
