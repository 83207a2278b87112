#include "base/trace_context.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace assetgate::base {
namespace {

// The size of version 00; later versions may be longer.
constexpr std::size_t kTraceParentSize = 55;
// The length that the specification asks every program to propagate at least.
constexpr std::size_t kMaxStateBytes = 512;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
  });
}

bool IsZero(absl::string_view text) {
  return text.find_first_not_of('0') == absl::string_view::npos;
}

}  // namespace

TraceContext ParseTraceContext(absl::string_view traceparent, absl::string_view tracestate) {
  // version "-" trace-id "-" parent-id "-" flags
  if (traceparent.size() < kTraceParentSize || traceparent[2] != '-' || traceparent[35] != '-' ||
      traceparent[52] != '-') {
    return {};
  }
  const absl::string_view version = traceparent.substr(0, 2);
  const absl::string_view trace_id = traceparent.substr(3, 32);
  const absl::string_view parent_id = traceparent.substr(36, 16);
  const absl::string_view flags = traceparent.substr(53, 2);
  if (!IsHex(version) || version == "ff" || !IsHex(trace_id) || IsZero(trace_id) ||
      !IsHex(parent_id) || IsZero(parent_id) || !IsHex(flags)) {
    return {};
  }
  if (traceparent.size() > kTraceParentSize &&
      (version == "00" || traceparent[kTraceParentSize] != '-')) {
    return {};
  }
  TraceContext trace{std::string(trace_id), std::string(flags), ""};
  const bool printable = std::all_of(tracestate.begin(), tracestate.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  if (printable && tracestate.size() <= kMaxStateBytes) trace.state = std::string(tracestate);
  return trace;
}

std::string SpanId(std::uint64_t random) {
  return absl::StrCat(absl::Hex(random == 0 ? 1 : random, absl::kZeroPad16));
}

std::string TraceParent(const TraceContext& trace, absl::string_view span_id) {
  return absl::StrCat("00-", trace.trace_id, "-", span_id, "-", trace.flags);
}

}  // namespace assetgate::base
