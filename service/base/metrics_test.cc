#include "base/metrics.h"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::string_view kMethod = "assetgate.v1.AssetService/CreateAsset";

// The value of the series with exactly that name and labels; "" if there is none. Labels are sorted
// by name.
std::string ValueOf(const Metrics& metrics, absl::string_view series) {
  for (const absl::string_view line : absl::StrSplit(metrics.Scrape(), '\n')) {
    const std::size_t blank = line.rfind(' ');
    if (blank != absl::string_view::npos && line.substr(0, blank) == series) {
      return std::string(line.substr(blank + 1));
    }
  }
  return "";
}

TEST(MetricsTest, BuildInfoIsExportedFromTheStart) {
  Metrics metrics({.version = "1.2.3", .commit = "abc", .flags = "-O2"});
  EXPECT_EQ(ValueOf(metrics, R"(assetgate_build_info{commit="abc",flags="-O2",version="1.2.3"})"),
            "1");
  EXPECT_EQ(ValueOf(metrics, "assetgate_config_last_reload_successful"), "1");
  const std::string read =
      ValueOf(metrics, "assetgate_config_last_reload_success_timestamp_seconds");
  EXPECT_GT(std::stod(read), 1.7e9);
  // A rejected config does not change the time at which the config in use was read.
  metrics.SetConfigReload(false);
  EXPECT_EQ(ValueOf(metrics, "assetgate_config_last_reload_success_timestamp_seconds"), read);
  EXPECT_EQ(ValueOf(metrics, R"(assetgate_store_commits_total{outcome="failed"})"), "0");
  EXPECT_EQ(ValueOf(metrics, R"(assetgate_stream_events_total{kind="asset",type="put"})"), "0");
}

TEST(MetricsTest, RpcsAreCountedByCode) {
  Metrics metrics({.version = "1"});
  RpcMetrics& rpc = metrics.Rpc(kMethod);
  rpc.Ended(absl::StatusCode::kOk, absl::Milliseconds(3));
  rpc.Ended(absl::StatusCode::kOk, absl::Milliseconds(300));
  rpc.Ended(absl::StatusCode::kNotFound, absl::Milliseconds(1));
  rpc.StreamEnded(absl::StatusCode::kUnavailable);
  const std::string labels = absl::StrCat("method=\"", kMethod, "\"}");
  EXPECT_EQ(ValueOf(metrics, absl::StrCat("assetgate_rpcs_total{code=\"OK\",", labels)), "2");
  EXPECT_EQ(ValueOf(metrics, absl::StrCat("assetgate_rpcs_total{code=\"NOT_FOUND\",", labels)),
            "1");
  EXPECT_EQ(ValueOf(metrics, absl::StrCat("assetgate_rpcs_total{code=\"UNAVAILABLE\",", labels)),
            "1");
  EXPECT_EQ(ValueOf(metrics, absl::StrCat("assetgate_rpc_seconds_count{", labels)), "3");
}

TEST(MetricsTest, UnknownStatusCodeCountsAsUnknown) {
  Metrics metrics({.version = "1"});
  metrics.Rpc("m").Ended(static_cast<absl::StatusCode>(99), absl::ZeroDuration());
  metrics.Rpc("m").Ended(static_cast<absl::StatusCode>(-1), absl::ZeroDuration());
  EXPECT_EQ(ValueOf(metrics, R"(assetgate_rpcs_total{code="UNKNOWN",method="m"})"), "2");
}

TEST(MetricsTest, UpstreamCallsAreCountedByOutcome) {
  Metrics metrics({.version = "1"});
  UpstreamMetrics& calls = metrics.Upstream("kyy", UpstreamOperation::kPollAsset);
  calls.Ended(CallOutcome::k2xx, absl::Milliseconds(20));
  calls.Ended(CallOutcome::kTimeout, absl::Seconds(30));
  EXPECT_EQ(
      ValueOf(
          metrics,
          R"(assetgate_upstream_calls_total{operation="poll_asset",outcome="timeout",provider="kyy"})"),
      "1");
  EXPECT_EQ(ValueOf(metrics,
                    R"(assetgate_upstream_seconds_count{operation="poll_asset",provider="kyy"})"),
            "2");
  EXPECT_EQ(
      ValueOf(
          metrics,
          R"(assetgate_upstream_seconds_bucket{operation="poll_asset",provider="kyy",le="0.025"})"),
      "1");
}

TEST(MetricsTest, HttpStatusesMapToTheirClass) {
  EXPECT_EQ(OutcomeOfStatus(200), CallOutcome::k2xx);
  EXPECT_EQ(OutcomeOfStatus(302), CallOutcome::k3xx);
  EXPECT_EQ(OutcomeOfStatus(404), CallOutcome::k4xx);
  EXPECT_EQ(OutcomeOfStatus(429), CallOutcome::k429);
  EXPECT_EQ(OutcomeOfStatus(503), CallOutcome::k5xx);
  EXPECT_EQ(OutcomeOfStatus(0), CallOutcome::kOtherStatus);
  EXPECT_EQ(OutcomeOfStatus(999), CallOutcome::kOtherStatus);
}

TEST(MetricsTest, EveryLabelValueHasItsOwnName) {
  Metrics metrics({.version = "1"});
  for (int operation = 0; operation < kUpstreamOperations; ++operation) {
    UpstreamMetrics& calls = metrics.Upstream("p", static_cast<UpstreamOperation>(operation));
    for (int outcome = 0; outcome < kCallOutcomes; ++outcome) {
      calls.Ended(static_cast<CallOutcome>(outcome), absl::ZeroDuration());
    }
  }
  int series = 0;
  for (const absl::string_view line : absl::StrSplit(metrics.Scrape(), '\n')) {
    if (!absl::StartsWith(line, "assetgate_upstream_calls_total{")) continue;
    ++series;
    EXPECT_TRUE(absl::EndsWith(line, " 1")) << line;
    EXPECT_THAT(std::string(line), Not(HasSubstr("\"unknown\"")));
  }
  EXPECT_EQ(series, kUpstreamOperations * kCallOutcomes);
}

TEST(MetricsTest, TasksThatAreNeverSubmittedAreCountedFromZero) {
  const Metrics metrics({.version = "1"});
  for (const char* outcome : {"not_accepted", "cancelled"}) {
    EXPECT_EQ(
        ValueOf(metrics, absl::StrCat("assetgate_videos_finished_total{model=\"none\",outcome=\"",
                                      outcome, "\",provider=\"none\"}")),
        "0");
  }
}

TEST(MetricsTest, EveryVideoOutcomeHasItsOwnName) {
  Metrics metrics({.version = "1"});
  for (int outcome = 0; outcome < kVideoOutcomes; ++outcome) {
    metrics.VideosFinished("p", "m", static_cast<VideoOutcome>(outcome)).Increment();
  }
  int series = 0;
  for (const absl::string_view line : absl::StrSplit(metrics.Scrape(), '\n')) {
    if (!absl::StartsWith(line, "assetgate_videos_finished_total{model=\"m\"")) continue;
    ++series;
    EXPECT_TRUE(absl::EndsWith(line, " 1")) << line;
    EXPECT_THAT(std::string(line), Not(HasSubstr("\"unknown\"")));
  }
  EXPECT_EQ(series, kVideoOutcomes);
}

TEST(MetricsTest, EveryOtherInstrumentHasItsDocumentedNameAndLabels) {
  Metrics metrics({.version = "1"});
  metrics.VideosFinished("kyy", "seedance", VideoOutcome::kResultMissing).Increment();
  metrics.VideoSeconds("kyy", "seedance").Observe(125);
  metrics.VideoTokens("kyy", "seedance").Increment(700);
  metrics.VideoCredits("kyy", "other").Increment(1.5);
  metrics.Submissions("kyy", MetricKind::kVideoTask, SubmissionOutcome::kNotAccepted).Increment();
  metrics.SetProviderState("kyy", ProviderCondition::kDown);
  metrics.SetProviderState("kyy", ProviderCondition::kOutOfCredit);
  metrics.BudgetWaitSeconds("kyy").Observe(2);
  metrics.DetectionSeconds("kyy", MetricKind::kVideoTask, DetectionBasis::kLastPoll).Observe(3);
  metrics.Unconfirmed("kyy").Set(4);
  metrics.WatchLagSeconds().Observe(0.25);
  metrics.StoreHealthy().Set(1);
  metrics.LeasesHeld().Set(128);
  metrics.Gateways().Set(2);
  metrics.SetCertificateExpiry(absl::FromUnixSeconds(1900000000));
  metrics.SetIssuerKeyTimes({{"gone", absl::FromUnixSeconds(1)}});
  metrics.SetIssuerKeyTimes(
      {{"https://i.example", absl::FromUnixSeconds(1800000000)}, {"late", absl::InfinitePast()}});
  metrics.SetConfigReload(false);
  metrics.Unfinished(MetricKind::kAssetGroup, "kyy").Increment(3);
  metrics.Waiting(MetricKind::kAsset, v1::Waiting::PROVIDER_BUSY).Increment();
  metrics.OpenStreams(MetricKind::kAsset).Increment(2);
  metrics.OpenStreams(MetricKind::kAsset).Decrement();
  metrics.StreamEvents(MetricKind::kVideoTask, v1::BOOKMARK).Increment();
  metrics.QueueDepth("store_writer").Set(7);
  metrics.Purged(MetricKind::kVideoTask).Increment(6);
  metrics.StoreCommits(CommitOutcome::kCommitted).Increment(5);
  metrics.StoreCommitSeconds().Observe(0.002);
  metrics.StoreCommitChanges().Observe(5);

  const std::vector<std::pair<std::string, std::string>> expected = {
      {R"(assetgate_submissions_total{kind="video_task",outcome="not_accepted",provider="kyy"})",
       "1"},
      {R"(assetgate_videos_finished_total{model="seedance",outcome="result_missing",provider="kyy"})",
       "1"},
      {R"(assetgate_video_seconds_sum{model="seedance",provider="kyy"})", "125"},
      {R"(assetgate_video_tokens_total{model="seedance",provider="kyy"})", "700"},
      {R"(assetgate_video_credits_total{model="other",provider="kyy"})", "1.5"},
      {R"(assetgate_provider_state{provider="kyy",state="out_of_credit"})", "1"},
      {R"(assetgate_provider_state{provider="kyy",state="down"})", "0"},
      {R"(assetgate_provider_state{provider="kyy",state="available"})", "0"},
      {R"(assetgate_budget_wait_seconds_sum{provider="kyy"})", "2"},
      {R"(assetgate_detection_seconds_sum{basis="last_poll",kind="video_task",provider="kyy"})",
       "3"},
      {R"(assetgate_unconfirmed{provider="kyy"})", "4"},
      {"assetgate_watch_lag_seconds_sum", "0.25"},
      {"assetgate_store_healthy", "1"},
      {"assetgate_leases_held", "128"},
      {"assetgate_gateways", "2"},
      {"assetgate_certificate_expiry_timestamp_seconds", "1900000000"},
      {R"(assetgate_issuer_keys_fetch_timestamp_seconds{issuer="https://i.example"})",
       "1800000000"},
      {R"(assetgate_issuer_keys_fetch_timestamp_seconds{issuer="late"})", "0"},
      {"assetgate_config_last_reload_successful", "0"},
      {R"(assetgate_unfinished{kind="asset_group",provider="kyy"})", "3"},
      {R"(assetgate_waiting{kind="asset",reason="provider_busy"})", "1"},
      {R"(assetgate_open_streams{kind="asset"})", "1"},
      {R"(assetgate_stream_events_total{kind="video_task",type="bookmark"})", "1"},
      {R"(assetgate_queue_depth{queue="store_writer"})", "7"},
      {R"(assetgate_purged_total{kind="video_task"})", "6"},
      {R"(assetgate_store_commits_total{outcome="committed"})", "5"},
      {"assetgate_store_commit_seconds_count", "1"},
      {"assetgate_store_commit_changes_sum", "5"},
  };
  for (const auto& [series, value] : expected) EXPECT_EQ(ValueOf(metrics, series), value) << series;
}

TEST(MetricsTest, ComputedGaugeIsReadAtEachScrapeUntilReleased) {
  Metrics metrics({.version = "1"});
  int depth = 1;
  {
    const auto computation = metrics.Compute(metrics.QueueDepth("q"), [&depth] { return depth++; });
    EXPECT_EQ(ValueOf(metrics, R"(assetgate_queue_depth{queue="q"})"), "1");
    EXPECT_EQ(ValueOf(metrics, R"(assetgate_queue_depth{queue="q"})"), "2");
  }
  EXPECT_EQ(ValueOf(metrics, R"(assetgate_queue_depth{queue="q"})"), "2");
  EXPECT_EQ(depth, 3);
}

TEST(MetricsTest, ProcessIsMeasuredAtEachScrape) {
  Metrics metrics({.version = "1"});
  const auto number = [&](absl::string_view series) {
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(ValueOf(metrics, series), &value)) << series;
    return value;
  };
  EXPECT_GT(number("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(number("process_threads"), 1);
  EXPECT_GT(number("process_start_time_seconds"), 1e9);
  const double before = number("process_cpu_seconds_total");
  // The counter's resolution takes some time to show.
  while (number("process_cpu_seconds_total") <= before) continue;
}

TEST(MetricsTest, ManyThreadsCountTogether) {
  Metrics metrics({.version = "1"});
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&metrics, t] {
      RpcMetrics& rpc = metrics.Rpc("m");
      for (int i = 0; i < kEach; ++i) {
        rpc.Ended(absl::StatusCode::kOk, absl::Milliseconds(1));
        metrics.Upstream("p", UpstreamOperation::kPollVideo)
            .Ended(CallOutcome::k2xx, absl::Milliseconds(1));
        if (i % 500 == 0) {
          const auto computation =
              metrics.Compute(metrics.QueueDepth(absl::StrCat("q", t)), [] { return 1; });
          metrics.Scrape();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ValueOf(metrics, R"(assetgate_rpcs_total{code="OK",method="m"})"),
            absl::StrCat(kThreads * kEach));
  EXPECT_EQ(
      ValueOf(
          metrics,
          R"(assetgate_upstream_calls_total{operation="poll_video",outcome="2xx",provider="p"})"),
      absl::StrCat(kThreads * kEach));
}

TEST(MetricsTest, TwoInstancesAreIndependent) {
  Metrics one({.version = "1"});
  Metrics two({.version = "1"});
  one.QueueDepth("q").Set(1);
  EXPECT_EQ(ValueOf(two, R"(assetgate_queue_depth{queue="q"})"), "");
}

}  // namespace
}  // namespace assetgate::base
