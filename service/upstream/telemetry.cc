#include "upstream/telemetry.h"

#include "absl/strings/str_cat.h"
#include "http/call_outcome.h"
#include "upstream/gate.h"

namespace assetgate::upstream {
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

// Log lines about odd answers, in the life of a process.
constexpr std::size_t kMostOddities = 1000;

absl::string_view SentenceOf(base::Oddity oddity) {
  switch (oddity) {
    case base::Oddity::kUnknownState:
      return "a state word that is in no table; it counts as in progress";
    case base::Oddity::kResultMissing:
      return "done, without a link to the result that can be read";
    case base::Oddity::kResultInline:
      return "done, with the result inside the answer";
    case base::Oddity::kUnreadable:
      return "an answer that cannot be read";
    case base::Oddity::kTooLong:
      return "an id or a link that is too long, or malformed, to be kept; it is left out";
    case base::Oddity::kLateResult:
      return "the end of an attempt that had been given up; it is recorded in the attempt";
  }
  return "odd";
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
  // What is counted begins at zero, so that the first event is a rise.
  for (const base::MetricKind kind : {base::MetricKind::kAsset, base::MetricKind::kVideoTask}) {
    for (const base::Oddity oddity :
         {base::Oddity::kUnknownState, base::Oddity::kResultMissing, base::Oddity::kResultInline,
          base::Oddity::kUnreadable, base::Oddity::kTooLong, base::Oddity::kLateResult}) {
      metrics_.OddAnswers(provider, kind, oddity);
    }
  }
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

void LoggedTelemetry::OnVideoEnd(const model::VideoEnd& end) {
  metrics_.VideosFinished(end.provider, end.model, end.outcome).Increment();
  if (end.took.has_value()) {
    metrics_.VideoSeconds(end.provider, end.model).Observe(absl::ToDoubleSeconds(*end.took));
  }
}

void LoggedTelemetry::OnVideoUsage(const model::VideoUsage& usage) {
  if (usage.tokens > 0) metrics_.VideoTokens(usage.provider, usage.model).Increment(usage.tokens);
  if (usage.credits > 0) {
    metrics_.VideoCredits(usage.provider, usage.model).Increment(usage.credits);
  }
}

void LoggedTelemetry::OnVideoModels(absl::string_view provider,
                                    const std::set<std::string>& models) {
  // What is counted begins at zero, so that the first event is a rise.
  for (const std::string& model : models) {
    for (int i = 0; i < base::kVideoOutcomes; ++i) {
      metrics_.VideosFinished(provider, model, static_cast<base::VideoOutcome>(i));
    }
    metrics_.VideoTokens(provider, model);
    metrics_.VideoCredits(provider, model);
  }
}

void LoggedTelemetry::OnOddAnswer(absl::string_view provider, base::MetricKind kind,
                                  base::Oddity oddity, absl::string_view resource,
                                  absl::string_view word) {
  metrics_.OddAnswers(provider, kind, oddity).Increment();
  if (told_oddities_.size() > kMostOddities) return;
  const bool last = told_oddities_.size() == kMostOddities;
  if (!told_oddities_
           .insert(absl::StrCat(provider, "\n", static_cast<int>(kind), "\n",
                                static_cast<int>(oddity), "\n", word))
           .second) {
    return;
  }
  log_.Warning("odd answer", {{"provider", provider},
                              {"name", resource},
                              {"oddity", SentenceOf(oddity)},
                              {"word", word},
                              {"detail", last ? "further ones are counted and not logged" : ""}});
}

void LoggedTelemetry::OnUnreadable(base::MetricKind kind, absl::string_view resource) {
  metrics_.Unreadable(kind).Increment();
  if (told_unreadable_.size() >= kMostOddities ||
      !told_unreadable_.insert(std::string(resource)).second) {
    return;
  }
  log_.Error("a stored resource cannot be read, and is left out of lists", {{"name", resource}});
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

}  // namespace assetgate::upstream
