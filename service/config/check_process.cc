#include "config/check_process.h"

#include <cstdint>

namespace assetgate::config {
namespace {

base::LogLevel LevelOf(file::Log::Level level) {
  switch (level) {
    case file::Log::DEBUG:
      return base::LogLevel::kDebug;
    case file::Log::WARNING:
      return base::LogLevel::kWarning;
    case file::Log::ERROR:
      return base::LogLevel::kError;
    default:
      return base::LogLevel::kInfo;
  }
}

void CheckLimits(Reading& reading, GatewayConfig& out) {
  const file::Limits& in = reading.message().limits();
  out.max_message_bytes = reading.Number("limits.max_message_bytes", in.has_max_message_bytes(),
                                         in.max_message_bytes(), 4 << 20, 64 << 10, 64 << 20);
  out.max_response_bytes = reading.Number("limits.max_response_bytes", in.has_max_response_bytes(),
                                          in.max_response_bytes(), 8 << 20, 64 << 10, 256 << 20);
  out.max_concurrent_calls =
      reading.Number("limits.max_concurrent_calls", in.has_max_concurrent_calls(),
                     in.max_concurrent_calls(), 10'000, 1, 1'000'000);
  out.max_concurrent_calls_per_caller = reading.Number(
      "limits.max_concurrent_calls_per_caller", in.has_max_concurrent_calls_per_caller(),
      in.max_concurrent_calls_per_caller(), (out.max_concurrent_calls + 1) / 2, 1, 1'000'000);
  out.memory = reading.Number<std::int64_t>("limits.memory", in.has_memory(), in.memory(),
                                            std::int64_t{1} << 30, std::int64_t{128} << 20,
                                            std::int64_t{64} << 30);
}

}  // namespace

void CheckProcess(Reading& reading, GatewayConfig& out) {
  const file::Config& in = reading.message();
  out.log_format =
      in.log().format() == file::Log::TEXT ? base::LogFormat::kText : base::LogFormat::kJson;
  out.log_level = LevelOf(in.log().level());
  CheckLimits(reading, out);
  out.bookmark_interval = reading.Length(
      "watch.bookmark_interval", in.watch().has_bookmark_interval(), in.watch().bookmark_interval(),
      absl::Seconds(25), absl::Seconds(1), absl::Seconds(30));
  out.shutdown_timeout =
      reading.Length("shutdown_timeout", in.has_shutdown_timeout(), in.shutdown_timeout(),
                     absl::Seconds(20), absl::ZeroDuration(), absl::Minutes(10));
  out.drain_delay = reading.Length("drain_delay", in.has_drain_delay(), in.drain_delay(),
                                   out.store.shared() ? absl::Seconds(5) : absl::ZeroDuration(),
                                   absl::ZeroDuration(), absl::Minutes(10));
  out.debug_reflection = in.debug().reflection();
  out.debug_channelz = in.debug().channelz();
}

}  // namespace assetgate::config
