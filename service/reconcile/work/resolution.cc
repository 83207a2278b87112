#include "reconcile/work/resolution.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "reconcile/work/attempts.h"

namespace assetgate::reconcile {
namespace {

// Whether a person's word on the attempt was just that.
bool WasResolvedSo(const Environment& environment, const model::VideoEntity& draft, int index,
                   const model::Resolution& said) {
  const v1::VideoTask& task = draft.resource;
  const v1::Attempt& attempt = task.attempts(index);
  // A late answer of the provider may have given what a person called "not accepted" an id.
  const bool accepted = attempt.state() != v1::Attempt::NOT_ACCEPTED;
  if (accepted != !said.provider_task_id.empty()) return false;
  if (said.provider_task_id.empty()) {
    const bool ended = task.state() == v1::VideoTask::FAILED &&
                       index == model::ResolvedAttempt(task) &&
                       base::ReasonOf(task.error()) == v1::NOT_ACCEPTED_BY_RESOLUTION;
    return said.resubmit == !ended;
  }
  if (attempt.provider_task_id() == said.provider_task_id) return true;
  // The provider may spell it otherwise than the person did.
  const model::Unit& record = draft.record.units(index);
  const model::ProviderEntry* provider = environment.catalog().FindProvider(record.provider());
  if (provider == nullptr) return false;
  const auto adopted =
      provider->dialect->AdoptVideo(said.provider_task_id, attempt.provider_model());
  return adopted.ok() && *adopted == record.handle();
}

absl::Status NothingToResolve(const Item& item, const v1::VideoTask& task) {
  std::string known;
  if (const std::optional<int> resolved = model::ResolvedAttempt(task)) {
    const v1::Attempt& attempt = task.attempts(*resolved);
    known = absl::StrCat("; at ", base::FormatTime(base::FromProto(attempt.resolve_time())),
                         " a person resolved it: ",
                         attempt.state() == v1::Attempt::NOT_ACCEPTED
                             ? absl::StrCat("not accepted by ", attempt.provider())
                             : absl::StrCat("accepted by ", attempt.provider(), " as \"",
                                            attempt.provider_task_id(), "\""));
  } else if (task.attempts_size() > 0 && !task.attempts().rbegin()->provider_task_id().empty()) {
    const v1::Attempt& attempt = *task.attempts().rbegin();
    known =
        absl::StrCat("; ", attempt.provider(), " itself has confirmed that it accepted it as \"",
                     attempt.provider_task_id(), "\"");
  }
  const bool ended = model::IsFinal(task.state());
  const bool pending = task.state() == v1::VideoTask::PENDING;
  return base::Error(
      absl::StatusCode::kFailedPrecondition, ended ? v1::ALREADY_FINISHED : v1::NOT_UNCONFIRMED,
      absl::StrCat("\"", item.name(), "\" is ", v1::VideoTask::State_Name(task.state()),
                   ", not UNCONFIRMED: there is nothing to resolve", known,
                   ended     ? ""
                   : pending ? "; wait for it, or cancel it"
                             : "; wait for its end"));
}

// Finds the attempt that `said` refers to. An error is the answer, and so is OK without an attempt:
// it was settled in the same way before.
absl::StatusOr<std::optional<int>> AttemptToResolve(const Environment& environment,
                                                    const Item& item,
                                                    const model::VideoEntity& draft,
                                                    const model::Resolution& said) {
  const v1::VideoTask& task = draft.resource;
  const int open = OpenAttempt(task);
  const v1::Attempt::State state =
      open < 0 ? v1::Attempt::STATE_UNSPECIFIED : task.attempts(open).state();
  const auto fault = [](const auto&... words) {
    base::Faults faults;
    faults.Add("attempt", absl::StrCat(words...));
    return faults.ToStatus();
  };
  if (said.attempt.has_value() && *said.attempt >= task.attempts_size()) {
    return fault("is ", *said.attempt, ", and the task has ", task.attempts_size(),
                 " attempts, counted from 0");
  }
  const std::optional<int> resolved = model::ResolvedAttempt(task);
  const std::optional<int> meant = said.attempt.has_value() ? said.attempt : resolved;
  if (meant.has_value() && task.attempts(*meant).has_resolve_time()) {
    // Without an index, a repetition cannot be told from a word on the second doubt.
    const auto required = [&] {
      return fault("is required, since attempt ", *meant,
                   " was resolved before: say which one this is about; attempt ", open, " is ",
                   v1::Attempt::State_Name(state));
    };
    if (!said.attempt.has_value() && state == v1::Attempt::UNCONFIRMED) return required();
    if (WasResolvedSo(environment, draft, *meant, said)) return std::nullopt;
    if (!said.attempt.has_value() && state == v1::Attempt::SUBMITTING) return required();
    if (state == v1::Attempt::UNCONFIRMED) {
      return fault("is ", *meant, ", which was resolved otherwise; in doubt is attempt ", open);
    }
    return NothingToResolve(item, draft.resource);
  }
  if (state != v1::Attempt::UNCONFIRMED && state != v1::Attempt::SUBMITTING) {
    return NothingToResolve(item, draft.resource);
  }
  // What a person means whose word comes late is the attempt that was in doubt when it was said.
  if (!said.attempt.has_value()) {
    for (int i = 0; i < task.attempts_size(); ++i) {
      if (i == open || draft.record.units(i).unknown_outcomes() == 0) continue;
      return fault("is required, since attempt ", i,
                   " was in doubt before: say which one this is about; attempt ", open, " is ",
                   v1::Attempt::State_Name(state));
    }
  }
  if (said.attempt.has_value() && *said.attempt != open) {
    return fault("is ", *said.attempt, ", which is ",
                 v1::Attempt::State_Name(task.attempts(*said.attempt).state()),
                 "; in doubt is attempt ", open);
  }
  return open;
}

}  // namespace

absl::Status Cancel(Step& step, const Item& item, model::VideoEntity& draft) {
  v1::VideoTask& task = draft.resource;
  if (task.state() == v1::VideoTask::CANCELLED) return absl::OkStatus();
  if (model::IsFinal(task.state())) {
    return base::Error(
        absl::StatusCode::kFailedPrecondition, v1::ALREADY_FINISHED,
        absl::StrCat("\"", item.name(), "\" is ", v1::VideoTask::State_Name(task.state()),
                     " already; there is nothing to cancel"));
  }
  if (const int open = OpenAttempt(task); open >= 0) {
    const std::string& provider = draft.record.units(open).provider();
    if (task.state() == v1::VideoTask::UNCONFIRMED) {
      return base::Error(
                 absl::StatusCode::kFailedPrecondition, v1::CANCEL_UNSUPPORTED,
                 absl::StrCat("\"", item.name(), "\" may have been accepted by ", provider,
                              ", which cannot cancel; look into the provider's own list of tasks, "
                              "and settle it with ResolveVideoTask (assetctl videos resolve)"))
          .Metadata("provider", provider);
    }
    return base::Error(absl::StatusCode::kFailedPrecondition, v1::CANCEL_UNSUPPORTED,
                       absl::StrCat("\"", item.name(), "\" has been submitted to ", provider,
                                    ", which cannot cancel; it goes on and will be billed"))
        .Metadata("provider", provider);
  }
  step.MarkChanged(model::FinishTask(
      task, v1::VideoTask::CANCELLED,
      base::Error(absl::StatusCode::kCancelled, v1::TASK_CANCELLED,
                  absl::StrCat("cancelled before it was ",
                               task.attempts_size() > 0 ? "accepted" : "submitted", "; ",
                               WordsOf(BillOf(task))))
          .ToProto(),
      step.now()));
  return absl::OkStatus();
}

absl::Status Resolve(Step& step, Item& item, const model::Resolution& said,
                     model::VideoEntity& draft) {
  v1::VideoTask& task = draft.resource;
  const absl::StatusOr<std::optional<int>> meant = AttemptToResolve(step, item, draft, said);
  if (!meant.ok()) return meant.status();
  if (!meant->has_value()) return absl::OkStatus();
  const int open = **meant;
  const v1::Attempt& attempt = task.attempts(open);
  const auto unit = static_cast<std::size_t>(open);
  model::Unit& record = *draft.record.mutable_units(open);
  if (record.submission().open() || item.run(unit).in_flight) {
    return base::Error(
               absl::StatusCode::kFailedPrecondition, v1::SUBMISSION_UNDER_WAY,
               absl::StrCat("\"", item.name(), "\" is just being sent to ", record.provider(),
                            ", whose answer may settle it; look again in a moment"))
        .Metadata("provider", record.provider())
        .RetryAfter(absl::Seconds(1));
  }
  provider::Handle handle;
  model::Resolution spelled = said;
  if (!said.provider_task_id.empty()) {
    const model::ProviderEntry* provider = step.catalog().FindProvider(record.provider());
    if (provider == nullptr) {
      return base::Error(
                 absl::StatusCode::kFailedPrecondition, v1::PROVIDER_NOT_CONFIGURED,
                 absl::StrCat("\"", record.provider(),
                              "\" is not in the gateway's config any more, so that its task \"",
                              said.provider_task_id,
                              "\" cannot be followed; configure it again, with mode DRAIN if it is "
                              "to take no new work"))
          .Metadata("provider", record.provider());
    }
    absl::StatusOr<provider::Handle> adopted =
        provider->dialect->AdoptVideo(said.provider_task_id, attempt.provider_model());
    if (!adopted.ok()) {
      base::Faults faults;
      faults.Add("provider_task_id", std::string(adopted.status().message()));
      return faults.ToStatus();
    }
    handle = *std::move(adopted);
    spelled.provider_task_id = provider->dialect->CanonicalVideoId(said.provider_task_id);
  }
  item.run(unit).place.Release();
  // Asked for at once, like anything that was just accepted.
  item.run(unit) = UnitRun();
  step.MarkChanged(model::ApplyResolution(task, open, record, spelled, handle,
                                          ContextOf(step, record.provider())));
  return absl::OkStatus();
}

}  // namespace assetgate::reconcile
