#include "api/rpc.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error.h"
#include "core/resource.h"

namespace assetgate::api {
namespace {

// Who was to blame, where no answer says who was asked.
std::string ProviderIn(const absl::Status& error) {
  const google::rpc::ErrorInfo info = base::InfoOf(base::ToRpcStatus(error));
  const auto it = info.metadata().find("provider");
  return it == info.metadata().end() ? "" : it->second;
}

}  // namespace

std::string ReasonOf(const absl::Status& status) {
  return status.ok() ? "" : v1::ErrorReason_Name(base::ReasonOf(status));
}

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
  base::TraceContext trace = TraceOf(context);
  caller.context.trace_id = trace.trace_id;
  if (access_ == Access::kWrite || access_ == Access::kOperate) {
    caller.waited = std::make_shared<core::WaitedCall>();
    caller.waited->trace = std::move(trace);
  }
}

void Method::Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status, absl::Time began,
                    const Calling& calling, absl::FunctionRef<Subject()> subject) {
  const absl::Duration took = std::max(absl::ZeroDuration(), clock_.Now() - began);
  metrics_.Ended(status.code(), took);
  const base::LogLevel level =
      calling.refused ? base::LogLevel::kDebug : LevelOf(status.code(), access_ != Access::kRead);
  if (log_.Enabled(level)) {
    Subject about = subject();
    const core::WaitedCall* const waited = calling.waited.get();
    if (waited != nullptr && !waited->providers.empty()) {
      about.providers = absl::StrJoin(waited->providers, ",");
    } else if (about.providers.empty() && !status.ok()) {
      about.providers = ProviderIn(status);
    }
    log_.With(calling.log_context)
        .Write(level, "call",
               {{"method", name_},
                {"caller", calling.identity},
                {"name", about.names},
                {"providers", about.providers},
                {"code", absl::StatusCodeToString(status.code())},
                {"reason", ReasonOf(status)},
                {"took", took},
                {"upstream_calls", waited == nullptr ? 0 : waited->upstream_calls},
                {"detail", status.message()}});
  }
  reactor->Finish(ToGrpcStatus(status));
}

}  // namespace assetgate::api
