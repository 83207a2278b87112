// Decodes the smaller values in an answer: times, percentages, lengths, usage.
#ifndef ASSETGATE_PROVIDER_ANSWERS_FACTS_H_
#define ASSETGATE_PROVIDER_ANSWERS_FACTS_H_

#include <initializer_list>
#include <optional>
#include <span>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/common.pb.h"
#include "google/protobuf/duration.pb.h"
#include "rapidjson/document.h"

namespace assetgate::provider::answers {

using Objects = std::span<const rapidjson::Value* const>;

// A time: RFC 3339 with a zone, or Unix seconds, milliseconds or microseconds, as a number or as
// text. Absent for anything else, for 0, and for times outside of this service's era.
std::optional<absl::Time> TimeIn(const rapidjson::Value* value);
// The first time at these paths of the first object that has one.
std::optional<absl::Time> FindTime(Objects objects, std::initializer_list<absl::string_view> paths);
// When a finished task ended, under any of the names that providers use.
std::optional<absl::Time> FindEndTime(Objects objects);

// The progress of a task, 0 to 100: 45, "45", "45%", or a fraction between 0 and 1. A value outside
// of the range becomes its nearer end. Absent for "1.0", which could be 1 % or 100 %.
std::optional<int> PercentIn(const rapidjson::Value* value);

// A length in seconds, above 0 and below a day, to the millisecond; also from text ("4.000000").
std::optional<google::protobuf::Duration> FindSeconds(
    Objects objects, std::initializer_list<absl::string_view> paths);

// {"usage": {"total_tokens": 108900, "completion_tokens": 108900}}, or {"totalTokens": "131040"}.
// Absent where there is none.
std::optional<v1::Usage> FindUsage(Objects objects);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_FACTS_H_
