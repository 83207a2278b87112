#include "config/check_tracking.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace assetgate::config {
namespace {

// `T`: file::Tracking or file::Polling.
template <typename T>
void CheckIntervals(const std::string& path, const T& in, Reading& reading) {
  constexpr absl::Duration kMin = absl::Milliseconds(10);
  constexpr absl::Duration kMax = absl::Hours(24);
  reading.Length(path + ".first_poll", in.has_first_poll(), in.first_poll(), kMin, kMin, kMax);
  const absl::Duration min =
      reading.Length(path + ".min_poll", in.has_min_poll(), in.min_poll(), kMin, kMin, kMax);
  const absl::Duration max =
      reading.Length(path + ".max_poll", in.has_max_poll(), in.max_poll(), kMax, kMin, kMax);
  if (max < min) {
    reading.AddFault(path + ".max_poll",
                     absl::StrCat(absl::FormatDuration(max), " is less than min_poll (",
                                  absl::FormatDuration(min), ")"));
  }
}

}  // namespace

void CheckPolling(const std::string& path, const file::Polling& in, Reading& reading) {
  CheckIntervals(path, in, reading);
}

void CheckTracking(Reading& reading, GatewayConfig& out) {
  constexpr absl::Duration kMaxPeriod = absl::Hours(720);
  const file::Config& config = reading.message();
  const file::Tracking& in = config.tracking();
  model::Settings& settings = out.settings;
  settings.asset_tracking_period =
      reading.Length("tracking.asset_period", in.has_asset_period(), in.asset_period(),
                     settings.asset_tracking_period, absl::Minutes(1), kMaxPeriod);
  settings.video_tracking_period =
      reading.Length("tracking.video_period", in.has_video_period(), in.video_period(),
                     settings.video_tracking_period, absl::Minutes(1), kMaxPeriod);
  const absl::Duration period =
      std::max(settings.asset_tracking_period, settings.video_tracking_period);
  settings.tracking_horizon = reading.Length("tracking.horizon", in.has_horizon(), in.horizon(),
                                             std::max(settings.tracking_horizon, period),
                                             absl::Minutes(1), absl::Hours(2160));
  if (settings.tracking_horizon < period) {
    reading.AddFault("tracking.horizon",
                     absl::StrCat(absl::FormatDuration(settings.tracking_horizon),
                                  " is less than asset_period or video_period (",
                                  absl::FormatDuration(period), ")"));
  }
  settings.missing_result_period =
      reading.Length("tracking.missing_result", in.has_missing_result(), in.missing_result(),
                     settings.missing_result_period, absl::Minutes(1), absl::Hours(24));
  settings.late_result_period =
      reading.Length("tracking.late_results", in.has_late_results(), in.late_results(),
                     settings.late_result_period, absl::Minutes(1), kMaxPeriod);
  CheckIntervals("tracking", in, reading);
  settings.submit_timeout =
      reading.Length("submit_timeout", config.has_submit_timeout(), config.submit_timeout(),
                     settings.submit_timeout, absl::Seconds(1), absl::Hours(24 * 7));
}

}  // namespace assetgate::config
