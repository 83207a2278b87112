#include "api/rpc.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/ascii.h"
#include "core/resource.h"

namespace assetgate::api {
namespace {

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

std::string TraceIdOf(absl::string_view traceparent) {
  // version "-" trace-id "-" parent-id "-" flags; later versions may go on.
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-' ||
      traceparent[52] != '-') {
    return "";
  }
  const absl::string_view trace_id = traceparent.substr(3, 32);
  if (!IsHex(traceparent.substr(0, 2)) || !IsHex(trace_id) || !IsHex(traceparent.substr(36, 16)) ||
      trace_id.find_first_not_of('0') == absl::string_view::npos) {
    return "";
  }
  return std::string(trace_id);
}

std::string TraceIdOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find("traceparent");
  if (it == metadata.end()) return "";
  return TraceIdOf(absl::string_view(it->second.data(), it->second.size()));
}

base::LogLevel LevelOf(absl::StatusCode code, bool notable) {
  if (code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown) {
    return base::LogLevel::kError;
  }
  return code != absl::StatusCode::kOk || notable ? base::LogLevel::kInfo : base::LogLevel::kDebug;
}

core::Caller Method::CallerOf(const grpc::CallbackServerContext& context,
                              const std::string& request_id) const {
  core::Caller caller;
  const auto deadline = context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    // As far from now as gRPC says, by the clock that the rest of the gateway goes by.
    caller.deadline = clock_.Now() + (absl::FromChrono(deadline) - absl::Now());
  }
  caller.context.request_id = request_id.empty() && kind_ == Kind::kWrite
                                  ? core::NewResourceId(clock_.Now())
                                  : request_id.substr(0, 128);
  caller.context.trace_id = TraceIdOf(context);
  return caller;
}

void Method::Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status, absl::Time began,
                    const base::LogContext& log_context) {
  const absl::Duration took = std::max(absl::ZeroDuration(), clock_.Now() - began);
  metrics_.Ended(status.code(), took);
  const base::LogLevel level = LevelOf(status.code(), kind_ == Kind::kWrite);
  if (log_.Enabled(level)) {
    log_.With(log_context)
        .Write(level, "call",
               {{"method", name_},
                {"code", absl::StatusCodeToString(status.code())},
                {"took", took},
                {"detail", status.message()}});
  }
  reactor->Finish(ToGrpcStatus(status));
}

}  // namespace assetgate::api
