// W3C Trace Context (https://www.w3.org/TR/trace-context/): connects the spans of several programs
// to one trace.
//
//   traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
#ifndef ASSETGATE_BASE_TRACE_CONTEXT_H_
#define ASSETGATE_BASE_TRACE_CONTEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace assetgate::base {

// The trace that a caller takes part in. Without a trace id there is no trace.
struct TraceContext {
  // 32 lower-case hexadecimal digits.
  std::string trace_id;
  // Two digits, unchanged: whether the caller records the trace.
  std::string flags;
  // Vendor-specific data for tracing systems, unchanged; may be empty.
  std::string state;

  bool empty() const { return trace_id.empty(); }
};

// Reads the two headers of a request. Empty if `traceparent` is invalid; an invalid `tracestate` is
// left out.
TraceContext ParseTraceContext(absl::string_view traceparent, absl::string_view tracestate);

// Random bits as a span id: 16 digits, never all zero.
std::string SpanId(std::uint64_t random);

// The traceparent of a call made in this trace, with that span id.
std::string TraceParent(const TraceContext& trace, absl::string_view span_id);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_TRACE_CONTEXT_H_
