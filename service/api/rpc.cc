#include "api/rpc.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "api/status_conversion.h"
#include "base/error.h"
#include "model/resource.h"

namespace assetgate::api {
namespace {

// The provider that an error names.
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

std::shared_ptr<Method::Call> Method::Begin(grpc::CallbackServerContext& context,
                                            grpc::ByteBuffer& answer) {
  auto call = std::make_shared<Call>(*this, context, answer);
  call->Hold(call);
  return call;
}

absl::StatusOr<calls::Caller> Method::Call::Admit() {
  absl::StatusOr<Gatekeeper::Admitted> admitted =
      method_.gatekeeper_.Admit(context_, method_.access_, method_.name_);
  if (!admitted.ok()) {
    refused_ = true;
    return admitted.status();
  }
  identity_ = admitted->caller.identity;
  absl::StatusOr<CallLimit::Place> place = method_.call_limit_.Take(
      identity_,
      method_.access_ == Access::kRead ? CallLimit::Sort::kRead : CallLimit::Sort::kOther);
  if (!place.ok()) return place.status();
  place_ = *std::move(place);
  return std::move(admitted->caller);
}

void Method::Call::Complete(const std::string& request_id, std::string name,
                            calls::Caller& caller) {
  const auto deadline = context_.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    // The same distance from now, by the gateway's own clock.
    caller.deadline = method_.clock_.Now() + (absl::FromChrono(deadline) - absl::Now());
  }
  const Access access = method_.access_;
  caller.context.request_id = request_id.empty() && access != Access::kRead
                                  ? model::NewResourceId(method_.clock_.Now())
                                  : request_id.substr(0, 128);
  base::TraceContext trace = TraceOf(context_);
  caller.context.trace_id = trace.trace_id;
  if (access == Access::kWrite || access == Access::kOperate) {
    caller.waited = std::make_shared<upstream::WaitedCall>();
    caller.waited->trace = std::move(trace);
  }
  name_ = std::move(name);
  log_context_ = caller.context;
  waited_ = caller.waited;
}

grpc::ServerUnaryReactor* Method::Call::Fail(const absl::Status& status) {
  if (!ended_.exchange(true)) End(status, [this] { return Subject{.names = name_}; });
  return this;
}

void Method::Call::OnCancel() {
  if (ended_.exchange(true)) return;
  // The reconciler may be using it, so it is not read here.
  waited_.reset();
  End(base::Error(absl::StatusCode::kCancelled, v1::CALLER_GONE, "the caller hung up"),
      [this] { return Subject{.names = name_}; });
}

void Method::Call::OnDone() {
  place_ = CallLimit::Place();
  // Destroys this call, unless its reply still holds it.
  const std::shared_ptr<Call> self = std::move(self_);
}

absl::Status Method::Call::Write(absl::StatusOr<grpc::ByteBuffer> answer) {
  if (!answer.ok()) return answer.status();
  place_.Hold(answer->Length());
  answer_.Swap(&*answer);
  return absl::OkStatus();
}

void Method::Call::End(const absl::Status& status, absl::FunctionRef<Subject()> subject) {
  AddPushback(status, context_);
  const absl::Duration took = std::max(absl::ZeroDuration(), method_.clock_.Now() - began_);
  method_.metrics_.Ended(status.code(), took);
  const base::LogLevel level =
      refused_ ? base::LogLevel::kDebug : LevelOf(status.code(), method_.access_ != Access::kRead);
  if (method_.log_.Enabled(level)) {
    Subject about = subject();
    if (waited_ != nullptr && !waited_->providers.empty()) {
      about.providers = absl::StrJoin(waited_->providers, ",");
    } else if (about.providers.empty() && !status.ok()) {
      about.providers = ProviderIn(status);
    }
    method_.log_.With(log_context_)
        .Write(level, "call",
               {{"method", method_.name_},
                {"caller", identity_},
                {"name", about.names},
                {"providers", about.providers},
                {"code", absl::StatusCodeToString(status.code())},
                {"reason", ReasonOf(status)},
                {"took", took},
                {"upstream_calls", waited_ == nullptr ? 0 : waited_->upstream_calls},
                {"detail", status.message()}});
  }
  waited_.reset();
  Finish(ToGrpcStatus(status));
}

}  // namespace assetgate::api
