#include "provider/answers/facts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "base/proto_time.h"
#include "provider/answers/answer.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

constexpr double kSecondsPerDay = 24 * 60 * 60;
// Before the first of these services, and after the last of them.
constexpr std::int64_t kFirstSecond = 946'684'800;     // the year 2000
constexpr std::int64_t kLastSecond = 253'402'300'799;  // the year 9999

bool IsPlausible(absl::Time time) {
  return time >= absl::FromUnixSeconds(kFirstSecond) && time <= absl::FromUnixSeconds(kLastSecond);
}

// A whole number that is not negative, at the first path that has one.
std::optional<std::int64_t> Count(Objects objects, std::initializer_list<absl::string_view> paths) {
  for (const Value* const object : objects) {
    if (object == nullptr) continue;
    for (const absl::string_view path : paths) {
      const std::optional<std::int64_t> count = IntegerAt(*object, path);
      if (count.value_or(-1) >= 0) return count;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<absl::Time> TimeIn(const Value* value) {
  const std::string text = TextOf(value);
  if (text.empty()) return std::nullopt;
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return IsPlausible(time) ? std::optional(time) : std::nullopt;
  }
  double number = 0;
  if (text.find_first_not_of("0123456789.") != std::string::npos ||
      !absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
    return std::nullopt;
  }
  for (const double per_second : {1.0, 1e3, 1e6}) {
    const double seconds = number / per_second;
    // Unambiguous: such a number of seconds is after the year 2286.
    if (seconds >= static_cast<double>(kFirstSecond) && seconds < 1e10) {
      return absl::UnixEpoch() + absl::Milliseconds(std::llround(seconds * 1000));
    }
  }
  return std::nullopt;
}

std::optional<absl::Time> FindTime(Objects objects,
                                   std::initializer_list<absl::string_view> paths) {
  for (const Value* const object : objects) {
    if (object == nullptr) continue;
    for (const absl::string_view path : paths) {
      if (const auto time = TimeIn(At(*object, path)); time.has_value()) return time;
    }
  }
  return std::nullopt;
}

std::optional<absl::Time> FindEndTime(Objects objects) {
  return FindTime(objects, {"finish_time", "completed_at", "finished_at", "end_time", "ended_at",
                            "complete_time", "completion_time", "completed_time"});
}

std::optional<int> PercentIn(const Value* value) {
  const std::string text = TextOf(value);
  const bool marked = absl::EndsWith(text, "%");
  const absl::string_view digits =
      absl::StripAsciiWhitespace(absl::StripSuffix(absl::string_view(text), "%"));
  double percent = 0;
  if (digits.empty() || digits.find_first_not_of("0123456789.+-eE") != absl::string_view::npos ||
      !absl::SimpleAtod(digits, &percent) || !std::isfinite(percent)) {
    return std::nullopt;
  }
  if (!marked && percent > 0 && percent < 1) percent *= 100;
  // "1.0" may be all of the work, or one percent.
  if (!marked && percent == 1 && absl::StrContains(digits, '.')) return std::nullopt;
  return static_cast<int>(std::clamp(percent, 0.0, 100.0));
}

std::optional<google::protobuf::Duration> FindSeconds(
    Objects objects, std::initializer_list<absl::string_view> paths) {
  for (const Value* const object : objects) {
    if (object == nullptr) continue;
    for (const absl::string_view path : paths) {
      const std::optional<double> seconds = NumberAt(*object, path);
      if (seconds.has_value() && *seconds > 0 && *seconds < kSecondsPerDay) {
        return base::ToProto(absl::Milliseconds(std::llround(*seconds * 1000)));
      }
    }
  }
  return std::nullopt;
}

std::optional<v1::Usage> FindUsage(Objects objects) {
  v1::Usage usage;
  if (const auto total = Count(objects, {"usage.total_tokens", "total_tokens"})) {
    usage.set_total_tokens(*total);
  }
  if (const auto completion = Count(objects, {"usage.completion_tokens", "usage.video_tokens"})) {
    usage.set_completion_tokens(*completion);
  }
  if (!usage.has_total_tokens() && !usage.has_completion_tokens()) return std::nullopt;
  return usage;
}

}  // namespace assetgate::provider::answers
