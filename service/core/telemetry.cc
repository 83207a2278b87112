#include "core/telemetry.h"

#include "core/gate.h"
#include "http/call_outcome.h"

namespace assetgate::core {
namespace {

absl::string_view NameOf(base::UpstreamOperation operation) {
  switch (operation) {
    case base::UpstreamOperation::kSubmitAssetGroup:
      return "submit_asset_group";
    case base::UpstreamOperation::kSubmitAsset:
      return "submit_asset";
    case base::UpstreamOperation::kSubmitVideo:
      return "submit_video";
    case base::UpstreamOperation::kPollAssetGroup:
      return "poll_asset_group";
    case base::UpstreamOperation::kPollAsset:
      return "poll_asset";
    case base::UpstreamOperation::kPollVideo:
      return "poll_video";
    case base::UpstreamOperation::kDeleteAsset:
      return "delete_asset";
  }
  return "other";
}

base::SubmissionOutcome OutcomeOf(provider::Outcome outcome) {
  switch (outcome) {
    case provider::Outcome::kAccepted:
      return base::SubmissionOutcome::kAccepted;
    case provider::Outcome::kRefused:
      return base::SubmissionOutcome::kRefused;
    case provider::Outcome::kNotAccepted:
      return base::SubmissionOutcome::kNotAccepted;
    case provider::Outcome::kUnknown:
      return base::SubmissionOutcome::kUnknown;
  }
  return base::SubmissionOutcome::kUnknown;
}

absl::string_view NameOf(provider::Outcome outcome) {
  switch (outcome) {
    case provider::Outcome::kAccepted:
      return "accepted";
    case provider::Outcome::kRefused:
      return "refused";
    case provider::Outcome::kNotAccepted:
      return "not_accepted";
    case provider::Outcome::kUnknown:
      return "unknown";
  }
  return "unknown";
}

base::MetricKind KindOf(base::UpstreamOperation operation) {
  switch (operation) {
    case base::UpstreamOperation::kSubmitAssetGroup:
    case base::UpstreamOperation::kPollAssetGroup:
      return base::MetricKind::kAssetGroup;
    case base::UpstreamOperation::kSubmitVideo:
    case base::UpstreamOperation::kPollVideo:
      return base::MetricKind::kVideoTask;
    default:
      return base::MetricKind::kAsset;
  }
}

}  // namespace

base::CallOutcome OutcomeOf(const http::Result& result, bool failed) {
  const base::CallOutcome outcome = http::OutcomeOf(result);
  return failed && outcome == base::CallOutcome::k2xx ? base::CallOutcome::k2xxFailure : outcome;
}

void LoggedTelemetry::OnUpstreamCall(const UpstreamCall& call) {
  metrics_.Upstream(call.provider, call.operation).Ended(call.outcome, call.latency);
  const bool submitted = call.submission.has_value();
  if (submitted) {
    metrics_.Submissions(call.provider, KindOf(call.operation), OutcomeOf(*call.submission))
        .Increment();
  }
  const bool good = call.message.empty();
  const base::LogLevel level = !good       ? base::LogLevel::kWarning
                               : submitted ? base::LogLevel::kInfo
                                           : base::LogLevel::kDebug;
  if (!log_.Enabled(level)) return;
  log_.With(call.context)
      .Write(level, "provider call",
             {{"provider", call.provider},
              {"operation", NameOf(call.operation)},
              {"name", call.resource},
              {"http_status", call.http_status},
              {"outcome", submitted ? NameOf(*call.submission)
                          : good    ? "ok"
                                    : "trouble"},
              {"took", call.latency},
              {"detail", call.message}});
}

void LoggedTelemetry::OnStateChange(absl::string_view resource, const base::LogContext& context,
                                    absl::string_view from, absl::string_view to,
                                    absl::string_view detail) {
  log_.With(context).Info("state changed",
                          {{"name", resource}, {"from", from}, {"to", to}, {"detail", detail}});
}

void LoggedTelemetry::OnProviderState(absl::string_view provider, base::ProviderCondition condition,
                                      absl::string_view reason) {
  metrics_.SetProviderState(provider, condition);
  const v1::Provider::State state = StateOf(condition);
  log_.Write(
      state == v1::Provider::AVAILABLE ? base::LogLevel::kInfo : base::LogLevel::kWarning,
      "provider state",
      {{"provider", provider}, {"state", v1::Provider::State_Name(state)}, {"detail", reason}});
}

void LoggedTelemetry::OnBudgetWait(absl::string_view provider, absl::Duration waited) {
  metrics_.BudgetWaitSeconds(provider).Observe(absl::ToDoubleSeconds(waited));
}

void LoggedTelemetry::OnDetected(absl::string_view provider, base::MetricKind kind,
                                 base::DetectionBasis basis, absl::Duration lag) {
  metrics_.DetectionSeconds(provider, kind, basis).Observe(absl::ToDoubleSeconds(lag));
}

void LoggedTelemetry::OnPurged(int video_tasks) {
  metrics_.Purged(base::MetricKind::kVideoTask).Increment(video_tasks);
}

void LoggedTelemetry::OnPurgeEnd(int video_tasks) {
  log_.Info("purged", {{"video_tasks", video_tasks}});
}

void LoggedTelemetry::OnWarning(absl::string_view resource, absl::string_view message) {
  log_.Warning("attention", {{"name", resource}, {"detail", message}});
}

}  // namespace assetgate::core
