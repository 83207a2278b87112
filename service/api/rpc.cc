#include "api/rpc.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "core/resource.h"

namespace assetgate::api {
base::LogLevel LevelOf(absl::StatusCode code, bool notable) {
  if (code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown) {
    return base::LogLevel::kError;
  }
  return code != absl::StatusCode::kOk || notable ? base::LogLevel::kInfo : base::LogLevel::kDebug;
}

void AddPushback(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (status.ok()) return;
  if (const auto delay = base::RetryDelayOf(base::ToRpcStatus(status))) {
    context.AddTrailingMetadata(
        "grpc-retry-pushback-ms",
        absl::StrCat(absl::ToInt64Milliseconds(absl::Ceil(*delay, absl::Milliseconds(1)))));
  }
}

void Method::Complete(const grpc::CallbackServerContext& context, const std::string& request_id,
                      core::Caller& caller) const {
  const auto deadline = context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    // As far from now as gRPC says, by the clock that the rest of the gateway goes by.
    caller.deadline = clock_.Now() + (absl::FromChrono(deadline) - absl::Now());
  }
  caller.context.request_id = request_id.empty() && access_ != Access::kRead
                                  ? core::NewResourceId(clock_.Now())
                                  : request_id.substr(0, 128);
  caller.context.trace_id = TraceIdOf(context);
}

void Method::Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status, absl::Time began,
                    const base::LogContext& log_context) {
  const absl::Duration took = std::max(absl::ZeroDuration(), clock_.Now() - began);
  metrics_.Ended(status.code(), took);
  const base::LogLevel level = LevelOf(status.code(), access_ != Access::kRead);
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
