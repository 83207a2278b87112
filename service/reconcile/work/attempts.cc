#include "reconcile/work/attempts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/apply.h"
#include "model/fingerprint.h"

namespace assetgate::reconcile {

int OpenAttempt(const v1::VideoTask& task) {
  for (int i = task.attempts_size() - 1; i >= 0; --i) {
    if (!model::IsFinal(task.attempts(i).state())) return i;
  }
  return -1;
}

bool WasEverInDoubt(const model::VideoTaskRecord& record) {
  return std::any_of(record.units().begin(), record.units().end(),
                     [](const model::Unit& unit) { return unit.unknown_outcomes() > 0; });
}

Bill BillOf(const v1::VideoTask& task) {
  Bill bill = Bill::kNone;
  for (const v1::Attempt& attempt : task.attempts()) {
    if (attempt.billing() != v1::Attempt::NOT_BILLED) return Bill::kInDoubt;
    if (attempt.has_resolve_time()) bill = Bill::kNoneByAPersonsWord;
  }
  return bill;
}

absl::string_view WordsOf(Bill bill) {
  switch (bill) {
    case Bill::kNone:
      return "nothing was billed";
    case Bill::kNoneByAPersonsWord:
      return "by the word of the person who resolved an attempt, nothing was billed";
    case Bill::kInDoubt:
      break;
  }
  return "an earlier submission may have been accepted, and be billed (see attempts)";
}

absl::Time PendingSince(const v1::VideoTask& task) {
  const std::optional<int> resolved = model::ResolvedAttempt(task);
  return base::FromProto(resolved.has_value() ? task.attempts(*resolved).resolve_time()
                                              : task.create_time());
}

bool IsUnverified(const v1::Attempt& attempt) {
  return (attempt.has_resolve_time() || attempt.has_import_time()) &&
         attempt.provider_state().empty();
}

absl::string_view GivenAs(const v1::Attempt& attempt) {
  return attempt.has_import_time() ? "which was imported" : "which the submission was resolved to";
}

std::string WhichSubmission(const model::Unit& record) {
  return absl::StrCat("to ", record.provider(), ", first sent at ",
                      base::FormatTime(base::FromProto(record.submission().first_send_time())));
}

std::string InDoubt(absl::string_view task, int index, const v1::Attempt& attempt,
                    const model::Unit& record, absl::string_view why) {
  const google::rpc::ErrorInfo error = base::InfoOf(attempt.error());
  const auto words = error.metadata().find("provider_message");
  return absl::StrCat("the outcome of the submission ", WhichSubmission(record), ", is not known",
                      words == error.metadata().end() ? "" : absl::StrCat(" (", words->second, ")"),
                      ": there may be a video, and a bill. It is not sent again: ", why,
                      ". Look into the provider's own list of tasks, then settle it with "
                      "ResolveVideoTask (assetctl videos resolve ",
                      task, " --attempt ", index, ")");
}

bool CallerMustMend(const provider::Failure& failure) {
  // No other provider is shown refused content.
  if (failure.reason == v1::CONTENT_REJECTED) return true;
  if (failure.act.has_value()) return *failure.act == base::Act::kCaller;
  return failure.reason == v1::PROVIDER_INVALID_ARGUMENT || failure.reason == v1::PROVIDER_REJECTED;
}

google::rpc::Status ForgottenError(const std::string& provider_id, const v1::Attempt& attempt,
                                   const provider::Failure& failure) {
  return base::Error(
             absl::StatusCode::kNotFound, v1::PROVIDER_FORGOT,
             IsUnverified(attempt)
                 ? absl::StrCat("the provider does not know a task \"", attempt.provider_task_id(),
                                "\", ", GivenAs(attempt),
                                "; what became of the submission, and whether it is billed, "
                                "is not known")
                 : "the provider accepted the task and no longer knows it; whether it is "
                   "billed is not known")
      .Metadata("provider", provider_id)
      .Metadata("provider_message", base::CleanText(failure.message))
      .ToProto();
}

Pace PaceOf(const model::VideoEntity& entity, int attempt) {
  const v1::Attempt& asked = entity.resource.attempts(attempt);
  if (entity.record.units(attempt).has_late_until()) {
    return {base::FromProto(asked.end_time()), /*late=*/true};
  }
  return {base::FromProto(asked.submit_time())};
}

model::UnitContext ContextOf(const Environment& environment, const std::string& provider_id) {
  model::UnitContext context;
  context.provider_id = provider_id;
  context.now = environment.now();
  if (const model::ProviderEntry* provider = environment.catalog().FindProvider(provider_id)) {
    context.video_lifetime = provider->dialect->traits().video_lifetime;
  }
  context.missing_result_period = environment.settings().missing_result_period;
  context.late_result_period = environment.settings().late_result_period;
  return context;
}

absl::Time RepeatableUntil(const Environment& environment, const model::Unit& record,
                           const model::ProviderEntry& provider) {
  const absl::Duration margin = environment.settings().idempotency_margin;
  const absl::Time sent =
      base::FromProto(record.submission().first_send_time()) - environment.behind();
  // A date that is still to come says that this clock is behind, and not by how much.
  if (sent > environment.now() + margin) return absl::InfinitePast();
  return sent + provider.dialect->traits().idempotency_window - margin;
}

std::string WhyNotRepeated(const Environment& environment, const model::Unit& record,
                           const model::ProviderEntry& provider) {
  if (provider.dialect->traits().idempotency_window <= absl::ZeroDuration()) {
    return "the provider has no idempotency key, so that could make and bill a second video";
  }
  if (environment.now() >= RepeatableUntil(environment, record, provider)) {
    return "its idempotency key may be forgotten by now, and a second video made and billed";
  }
  // Under another account the key means nothing: there it would buy a second video.
  if (record.account().digest().empty()) {
    return "an older release sent it, which did not record under which key, and to another account "
           "its idempotency key means nothing";
  }
  if (model::CredentialBehind(record, provider) == nullptr) {
    return absl::StrCat("the key that it was sent with (credential \"", record.credential_id(),
                        "\"), or the provider's address, is not the configured one any more, and "
                        "to another account its idempotency key means nothing");
  }
  if (record.submission().method().empty()) return "what was sent is not on record";
  return "";
}

bool BelongsToAnotherAccount(const Environment& environment, const model::Unit& record) {
  const model::ProviderEntry* provider = environment.catalog().FindProvider(record.provider());
  return provider != nullptr && model::IsOfAnotherAccount(record, *provider);
}

}  // namespace assetgate::reconcile
