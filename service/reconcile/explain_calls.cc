#include "reconcile/explain_calls.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/apply.h"
#include "provider/failure.h"
#include "reconcile/submission.h"

namespace assetgate::reconcile {
namespace {

using v1::Explanation;

constexpr std::size_t kMaxWords = 512;

// "3 calls in a row failed", with what the last one said.
std::string Trouble(const UnitRun& run) {
  std::string text = run.failures == 1 ? "the last call failed"
                                       : absl::StrCat(run.failures, " calls in a row failed");
  if (!run.failure.has_value()) return text;
  const std::string words = Words(run.failure->message);
  if (run.failure->http_status != 0)
    absl::StrAppend(&text, " (HTTP ", run.failure->http_status, ")");
  if (!words.empty()) absl::StrAppend(&text, ": ", words);
  return text;
}

// A call that is due later, and why then.
Explanation::Next NextDue(const UnitRun& run, absl::string_view step) {
  Explanation::Next next;
  SetDue(run.due, next);
  next.set_reason(run.due_because);
  std::string why = "it is asked in intervals that grow with the work's age";
  if (run.due_because == Explanation::RETRY_AFTER) {
    why = absl::StrCat("the provider said when to come back (Retry-After); ", Trouble(run));
  } else if (run.failures > 0) {
    why = absl::StrCat(Trouble(run), "; the gateway waits longer each time");
  } else if (run.not_found > 0) {
    why = absl::StrCat(run.not_found, " polls in a row were answered with \"not found\"");
  }
  if (run.failure.has_value() && model::NeedsOperator(*run.failure)) {
    next.set_reason(run.failure->reason == v1::PROVIDER_OUT_OF_CREDIT
                        ? Explanation::OUT_OF_CREDIT
                        : Explanation::CREDENTIALS_REJECTED);
    why = absl::StrCat(run.failure->reason == v1::PROVIDER_OUT_OF_CREDIT
                           ? "the account has no credit"
                           : "the key or the account is refused",
                       ", which an operator has to mend; ", Trouble(run));
  }
  next.set_message(absl::StrCat(step, " is due at ", base::FormatTime(run.due), ": ", why));
  return next;
}

}  // namespace

std::string Words(absl::string_view text) { return base::CleanText(text, kMaxWords); }

Explanation::Next NextStep(Explanation::Reason reason, std::string message) {
  Explanation::Next next;
  next.set_reason(reason);
  next.set_message(std::move(message));
  return next;
}

void SetDue(absl::Time due, Explanation::Next& next) {
  if (due != absl::InfiniteFuture()) *next.mutable_due_time() = base::ToProto(due);
}

void ExplainCalls(const ItemView& view, std::size_t unit, bool settled, Explanation::Unit& out) {
  const UnitRun* run = view.item.FindRun(unit);
  const bool heard = run != nullptr && (run->polls > 0 || run->answered.has_value());
  if (!heard && (settled || !view.owned)) return;
  Explanation::Calls& calls = *out.mutable_calls();
  *calls.mutable_counted_since() = base::ToProto(view.item.known_since());
  if (run == nullptr) return;
  calls.set_polls(run->polls);
  if (run->polls > 0) *calls.mutable_last_poll_time() = base::ToProto(run->last_poll);
  calls.set_failures(run->failures);
  calls.set_not_found(run->not_found);
  if (!run->answered.has_value()) return;
  Explanation::Answer& answer = *calls.mutable_last_answer();
  *answer.mutable_time() = base::ToProto(*run->answered);
  answer.set_http_status(run->answered_status);
  if (run->failure.has_value()) {
    answer.set_provider_code(base::CleanText(run->failure->code, 64));
    answer.set_message(Words(run->failure->message));
  } else if (run->not_found > 0) {
    answer.set_message("the provider does not know it");
  }
}

std::optional<Explanation::Next> NoStepHere(const ItemView& view, const Explanation& explanation) {
  if (!view.owned) {
    return NextStep(
        Explanation::OTHER_GATEWAY,
        absl::StrCat(explanation.gateway().empty() ? "another gateway" : "gateway ",
                     explanation.gateway(),
                     " follows it and takes the next step; how often it has asked, and when "
                     "it asks next, only that one knows"));
  }
  if (view.environment.draining()) {
    return NextStep(
        Explanation::GATEWAY_DRAINING,
        "this gateway is going away and begins nothing new; another one goes on, or the "
        "next start");
  }
  return std::nullopt;
}

Explanation::Next Queued(const ItemView& view, const std::string& provider_id,
                         upstream::CallClass call_class, absl::string_view step) {
  const upstream::Gate& gate = view.environment.gates().Of(provider_id);
  if (const auto unwell = gate.Unwell(call_class)) {
    Explanation::Next next = NextStep(unwell->reason == v1::Waiting::PROVIDER_RATE_LIMITED
                                          ? Explanation::PROVIDER_RATE_LIMITED
                                          : Explanation::PROVIDER_UNAVAILABLE,
                                      absl::StrCat(step, " waits until calls to ", provider_id,
                                                   " may go again: ", gate.state_reason()));
    SetDue(unwell->until, next);
    return next;
  }
  return NextStep(Explanation::PROVIDER_BUDGET,
                  absl::StrCat(step, " waits for its turn in the budget of ", provider_id, ": ",
                               "in flight ", gate.in_flight(), ", waiting ", gate.waiting()));
}

Explanation::Next NextCall(const ItemView& view, std::size_t unit, const model::Unit& record,
                           absl::string_view step, absl::string_view waits_for) {
  static const UnitRun* const none = new UnitRun();
  const UnitRun* known = view.item.FindRun(unit);
  const UnitRun& run = known != nullptr ? *known : *none;
  const std::string& id = record.provider();
  if (run.in_flight) {
    return NextStep(Explanation::CALL_UNDER_WAY, absl::StrCat("a call to ", id, " is under way"));
  }
  if (record.submission().open()) {
    Explanation::Next next = NextStep(
        Explanation::CALL_UNDER_WAY,
        "a submission that was begun before this gateway followed it may still be under way; then "
        "its outcome counts as unknown");
    if (!view.environment.ownership().exclusive())
      SetDue(InFlightElsewhereUntil(view.environment, record, known), next);
    return next;
  }
  const model::ProviderEntry* provider = view.environment.catalog().FindProvider(id);
  if (provider == nullptr) {
    return NextStep(Explanation::PROVIDER_MODE,
                    absl::StrCat(id, " is not in the gateway's config any more"));
  }
  if (provider->mode == v1::Provider::OFF) {
    return NextStep(Explanation::PROVIDER_MODE,
                    absl::StrCat(id, " is switched off (mode OFF): it is not called at all"));
  }
  if (run.due > view.environment.now()) return NextDue(run, step);
  if (run.place.queued()) return Queued(view, provider->id, run.place.call_class(), step);
  if (!waits_for.empty()) {
    Explanation::Next next =
        NextStep(Explanation::DEPENDENCY,
                 absl::StrCat(step, " waits until ", waits_for, " is ready at ", id));
    next.set_subject(std::string(waits_for));
    return next;
  }
  return NextStep(Explanation::DUE, absl::StrCat(step, " is due now"));
}

}  // namespace assetgate::reconcile
