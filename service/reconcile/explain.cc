// Why something stands where it stands: what the steps of item.cc, placement_item.cc and
// video_item.cc go by, told to a person. Reads what is committed and what is in memory; changes
// nothing.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "calls/expressible.h"
#include "model/apply.h"
#include "provider/failure.h"
#include "reconcile/item.h"
#include "reconcile/reconciler.h"

namespace assetgate::reconcile {
namespace {

using v1::Explanation;

// Of text from elsewhere, and of the summary.
constexpr std::size_t kMostWords = 512;
constexpr std::size_t kMostSummary = 2048;

constexpr char kNotUnderstood[] =
    "a later release of the gateway wrote into it something that this release does not know, such "
    "as "
    "a new state; it is left as it is, and a gateway of that release goes on with it";

std::string Words(absl::string_view text) { return base::CleanText(text, kMostWords); }

// "kyy" of "providers/kyy".
std::string IdOf(const std::string& provider_name) {
  return model::ParseProvider(provider_name).value_or(provider_name);
}

Explanation::Next Step(Explanation::Reason reason, std::string message) {
  Explanation::Next next;
  next.set_reason(reason);
  next.set_message(std::move(message));
  return next;
}

void SetDue(absl::Time due, Explanation::Next& next) {
  if (due != absl::InfiniteFuture()) *next.mutable_due_time() = base::ToProto(due);
}

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

bool NeedsPerson(Explanation::Reason reason) {
  return reason == Explanation::NEEDS_PERSON || reason == Explanation::PROVIDER_MODE ||
         reason == Explanation::CREDENTIALS_REJECTED || reason == Explanation::OUT_OF_CREDIT;
}

bool NeedsPerson(v1::Waiting::Reason reason) {
  return reason == v1::Waiting::NEEDS_OPERATOR ||
         reason == v1::Waiting::PROVIDER_CREDENTIALS_REJECTED ||
         reason == v1::Waiting::PROVIDER_OUT_OF_CREDIT;
}

// What a unit waits for, as committed.
std::string WaitsFor(const v1::Waiting& waiting, const std::string& provider,
                     const std::string& provider_state) {
  const std::string word = provider_state.empty() ? "" : absl::StrCat(" (", provider_state, ")");
  // Beside the plain words there are those that say what is odd.
  const bool plain = waiting.message() == "the provider has it in its queue" ||
                     waiting.message() == "the provider is working on it" ||
                     waiting.message() == "the provider is preparing it";
  switch (waiting.reason()) {
    case v1::Waiting::REASON_UNSPECIFIED:
      return "";
    case v1::Waiting::PROVIDER_QUEUE:
      if (!plain) return waiting.message();
      return absl::StrCat(provider, " has it in its queue", word);
    case v1::Waiting::PROVIDER_WORKING:
      if (!plain) return waiting.message();
      return absl::StrCat(provider, " is working on it", word);
    case v1::Waiting::ASSET_PROCESSING:
      return absl::StrCat("it waits for ", waiting.subject(), ": ", waiting.message());
    default:
      return waiting.message();
  }
}

// What is waited for, then what is next; without saying the same twice.
std::string Sentence(std::string waits, const Explanation::Next& next) {
  if (next.message().empty() || next.reason() == Explanation::NEEDS_PERSON ||
      next.reason() == Explanation::DEPENDENCY) {
    return waits.empty() ? next.message() : waits;
  }
  if (!waits.empty()) waits += "; ";
  absl::StrAppend(&waits, next.message());
  if (!next.has_due_time()) return waits;
  const std::string due = base::FormatTime(base::FromProto(next.due_time()));
  if (!absl::StrContains(next.message(), due)) absl::StrAppend(&waits, "; again at ", due);
  return waits;
}

std::string IdThere(const v1::Placement& placement) { return placement.provider_asset_id(); }
std::string IdThere(const v1::GroupPlacement& placement) { return placement.provider_group_id(); }

void ExplainSubmission(const model::Unit& record, Explanation::Submission::Outcome otherwise,
                       Explanation::Unit& out) {
  using Submission = Explanation::Submission;
  Submission& submission = *out.mutable_submission();
  submission.set_sends(record.submission().sends());
  if (record.submission().has_first_send_time()) {
    *submission.mutable_first_send_time() = record.submission().first_send_time();
  }
  if (record.submission().open()) {
    submission.set_outcome(Submission::UNDER_WAY);
  } else if (!record.handle().empty()) {
    submission.set_outcome(Submission::ACCEPTED);
  } else if (record.submission().sends() > 0) {
    submission.set_outcome(otherwise);
  }
}

}  // namespace

void Item::ExplainCalls(std::size_t unit, bool settled, Explanation::Unit& out) const {
  const UnitRun* run = FindRun(unit);
  const bool heard = run != nullptr && (run->polls > 0 || run->answered.has_value());
  if (!heard && (settled || !owner_.Follows(*this))) return;
  Explanation::Calls& calls = *out.mutable_calls();
  *calls.mutable_counted_since() = base::ToProto(known_since_);
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

std::optional<Explanation::Next> Item::NoStepHere(const Explanation& explanation) const {
  if (!owner_.Follows(*this)) {
    return Step(
        Explanation::OTHER_GATEWAY,
        absl::StrCat(explanation.gateway().empty() ? "another gateway" : "gateway ",
                     explanation.gateway(),
                     " follows it and takes the next step; how often it has asked, and when "
                     "it asks next, only that one knows"));
  }
  if (owner_.draining()) {
    return Step(Explanation::GATEWAY_DRAINING,
                "this gateway is going away and begins nothing new; another one goes on, or the "
                "next start");
  }
  return std::nullopt;
}

Explanation::Next Item::Queued(const std::string& provider_id, upstream::CallClass call_class,
                               absl::string_view step) const {
  const upstream::Gate& gate = owner_.gate(provider_id);
  if (const auto unwell = gate.Unwell(call_class)) {
    Explanation::Next next = Step(unwell->reason == v1::Waiting::PROVIDER_RATE_LIMITED
                                      ? Explanation::PROVIDER_RATE_LIMITED
                                      : Explanation::PROVIDER_UNAVAILABLE,
                                  absl::StrCat(step, " waits until calls to ", provider_id,
                                               " may go again: ", gate.state_reason()));
    SetDue(unwell->until, next);
    return next;
  }
  return Step(Explanation::PROVIDER_BUDGET,
              absl::StrCat(step, " waits for its turn in the budget of ", provider_id, ": ",
                           "in flight ", gate.in_flight(), ", waiting ", gate.waiting()));
}

Explanation::Next Item::NextCall(std::size_t unit, const model::Unit& record,
                                 absl::string_view step, absl::string_view waits_for) const {
  const UnitRun none;
  const UnitRun* known = FindRun(unit);
  const UnitRun& run = known != nullptr ? *known : none;
  const std::string& id = record.provider();
  if (run.in_flight) {
    return Step(Explanation::CALL_UNDER_WAY, absl::StrCat("a call to ", id, " is under way"));
  }
  if (record.submission().open()) {
    Explanation::Next next = Step(
        Explanation::CALL_UNDER_WAY,
        "a submission that was begun before this gateway followed it may still be under way; then "
        "its outcome counts as unknown");
    if (!owner_.leases().exclusive()) SetDue(UnderWayUntil(unit, record), next);
    return next;
  }
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(id);
  if (provider == nullptr) {
    return Step(Explanation::PROVIDER_MODE,
                absl::StrCat(id, " is not in the gateway's config any more"));
  }
  if (provider->mode == v1::Provider::OFF) {
    return Step(Explanation::PROVIDER_MODE,
                absl::StrCat(id, " is switched off (mode OFF): it is not called at all"));
  }
  if (run.due > Now()) {
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
  if (run.place == UnitRun::Place::kQueued) return Queued(provider->id, run.place_class, step);
  if (!waits_for.empty()) {
    Explanation::Next next =
        Step(Explanation::DEPENDENCY,
             absl::StrCat(step, " waits until ", waits_for, " is ready at ", id));
    next.set_subject(std::string(waits_for));
    return next;
  }
  return Step(Explanation::DUE, absl::StrCat(step, " is due now"));
}

template <typename EntityT>
void PlacementItem<EntityT>::Explain(Explanation& out) const {
  const auto& resource = this->current_.resource;
  const auto& record = this->current_.record;
  out.set_name(this->name());
  if constexpr (!kIsGroup) out.set_state(v1::Asset::State_Name(resource.state()));
  if (this->ReadOnly()) return out.set_summary(kNotUnderstood);
  std::vector<std::string> open;
  std::vector<std::string> over;
  for (int i = 0; i < std::min(resource.placements_size(), record.units_size()); ++i) {
    const auto& placement = resource.placements(i);
    const model::Unit& unit = record.units(i);
    const auto index = static_cast<std::size_t>(i);
    const bool submitting = placement.state() == v1::Placement::SUBMITTING;
    Explanation::Unit& told = *out.add_units();
    told.set_provider(placement.provider());
    told.set_state(v1::Placement::State_Name(placement.state()));
    told.set_provider_state(placement.provider_state());
    told.set_settled(model::IsFinal(placement.state()));
    told.set_error(Words(placement.error().message()));
    ExplainSubmission(unit,
                      unit.unknown_outcomes() > 0 ? Explanation::Submission::UNKNOWN
                                                  : Explanation::Submission::NOT_ACCEPTED,
                      told);
    this->ExplainCalls(index, told.settled(), told);
    if (told.settled()) {
      const std::string said = told.error().empty() ? IdThere(placement) : told.error();
      over.push_back(absl::StrCat(told.state(), " at ", unit.provider(),
                                  said.empty() ? "" : absl::StrCat(" (", said, ")")));
      continue;
    }
    const auto elsewhere = this->NoStepHere(out);
    const model::ProviderEntry* provider = this->owner_.catalog().FindProvider(unit.provider());
    if (elsewhere.has_value()) {
      *told.mutable_next() = *elsewhere;
    } else if (submitting && provider != nullptr && provider->mode == v1::Provider::DRAIN) {
      *told.mutable_next() = Step(Explanation::PROVIDER_MODE,
                                  absl::StrCat(unit.provider(), " takes no new work (mode DRAIN)"));
    } else {
      const bool waits =
          submitting && placement.waiting().reason() == v1::Waiting::ASSET_PROCESSING;
      *told.mutable_next() =
          this->NextCall(index, unit, submitting ? "its submission" : "the next poll of it",
                         waits ? placement.waiting().subject() : std::string());
    }
    out.set_needs_person(out.needs_person() || NeedsPerson(told.next().reason()) ||
                         NeedsPerson(placement.waiting().reason()));
    const std::string sentence = Sentence(
        WaitsFor(placement.waiting(), unit.provider(), placement.provider_state()), told.next());
    open.push_back(absl::StartsWith(sentence, unit.provider())
                       ? sentence
                       : absl::StrCat(unit.provider(), ": ", sentence));
  }
  out.set_settled(open.empty());
  if (!open.empty()) {
    out.set_summary(absl::StrJoin(open, ". "));
  } else if (!over.empty()) {
    out.set_summary(absl::StrCat("nothing is left to do: it is ", absl::StrJoin(over, ", ")));
  } else {
    out.set_summary(kIsGroup ? "no provider has it; it is made where an asset of it is placed"
                             : "no provider has it; it is placed where a video first needs it");
  }
}

Explanation::Next VideoItem::NextOfAttempt(int attempt, const Explanation& explanation) const {
  const model::Unit& record = current_.record.units(attempt);
  const auto unit = static_cast<std::size_t>(attempt);
  const bool unconfirmed = current_.resource.attempts(attempt).state() == v1::Attempt::UNCONFIRMED;
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
  if (unconfirmed && (provider == nullptr || !WhyNotRepeated(record, *provider).empty())) {
    // Whoever follows it.
    return Step(
        Explanation::NEEDS_PERSON,
        absl::StrCat("only a person's word settles it: ",
                     provider == nullptr ? "the provider is not in the gateway's config any more"
                                         : WhyNotRepeated(record, *provider)));
  }
  if (const auto elsewhere = NoStepHere(explanation)) return *elsewhere;
  return NextCall(unit, record,
                  unconfirmed ? "sending it again with its idempotency key" : "the next poll of it",
                  "");
}

Explanation::Next VideoItem::NextAttempt(const Explanation& explanation) const {
  if (const auto elsewhere = NoStepHere(explanation)) return *elsewhere;
  constexpr absl::string_view kStep = "its submission";
  std::optional<Obstacle> first;
  std::string subject;
  absl::Time until = absl::InfiniteFuture();
  bool free = false;
  for (int i = 0; i < current_.record.targets_size(); ++i) {
    if (current_.record.targets(i).ineligible()) continue;
    std::optional<Obstacle> obstacle = ObstacleOf(current_.record, i);
    if (!obstacle.has_value()) {
      free = true;
      continue;
    }
    until = std::min(until, obstacle->until);
    if (first.has_value()) continue;
    first = std::move(obstacle);
    subject = model::MakeName(model::kProviders, current_.record.targets(i).provider());
  }
  if (!free && first.has_value()) {
    Explanation::Reason reason = first->because;
    if (first->reason == v1::Waiting::PROVIDER_CREDENTIALS_REJECTED) {
      reason = Explanation::CREDENTIALS_REJECTED;
    } else if (first->reason == v1::Waiting::PROVIDER_OUT_OF_CREDIT) {
      reason = Explanation::OUT_OF_CREDIT;
    }
    Explanation::Next next = Step(
        reason, absl::StrCat(kStep, " waits for ", IdOf(subject), ": ", Words(first->message)));
    SetDue(until, next);
    next.set_subject(subject);
    return next;
  }
  if (place_ == UnitRun::Place::kQueued) {
    return Queued(place_provider_, upstream::CallClass::kSubmission, kStep);
  }
  const v1::Waiting& waiting = current_.resource.waiting();
  if (waiting.reason() == v1::Waiting::ASSET_PROCESSING) {
    Explanation::Next next = Step(
        Explanation::DEPENDENCY,
        absl::StrCat(kStep, " waits until ", waiting.subject(), " is ready: ", waiting.message()));
    next.set_subject(waiting.subject());
    return next;
  }
  return Step(Explanation::DUE, absl::StrCat(kStep, " is due now"));
}

void VideoItem::ExplainTargets(Explanation& out) const {
  const v1::VideoTask& task = current_.resource;
  const model::VideoTaskRecord& record = current_.record;
  const int last = task.attempts_size() - 1;
  // Of the attempt that counts.
  const bool taken = last >= 0 && task.attempts(last).state() != v1::Attempt::NOT_ACCEPTED;
  const auto pass = [&](const std::string& provider, const std::string& model,
                        absl::string_view message) -> Explanation::PassedTarget& {
    Explanation::PassedTarget& passed = *out.add_passed_targets();
    passed.set_provider(model::MakeName(model::kProviders, provider));
    passed.set_provider_model(model);
    passed.set_message(Words(message));
    return passed;
  };
  for (int i = 0; i < record.targets_size(); ++i) {
    const auto& target = record.targets(i);
    const std::string& model = target.provider_model();
    // What became of an attempt there is said with the attempt; a target that may be tried again
    // says when.
    const bool attempted = std::any_of(
        task.attempts().begin(), task.attempts().end(), [&](const v1::Attempt& attempt) {
          return model::ParseProvider(attempt.provider()) == target.provider() &&
                 attempt.provider_model() == model;
        });
    if (attempted && (taken || model::IsFinal(task.state()))) continue;
    google::rpc::Status error;
    if (!error.ParseFromString(target.error())) error.Clear();
    if (target.ineligible() || ((taken || model::IsFinal(task.state())) && error.code() != 0)) {
      pass(target.provider(), model,
           error.code() != 0 ? error.message() : "it cannot make this video");
    } else if (taken || model::IsFinal(task.state())) {
      pass(target.provider(), model, "it was not needed");
    } else if (const auto obstacle = ObstacleOf(record, i);
               obstacle.has_value() && owner_.Follows(*this)) {
      Explanation::PassedTarget& passed = pass(target.provider(), model, obstacle->message);
      if (obstacle->until != absl::InfiniteFuture()) {
        *passed.mutable_next_try_time() = base::ToProto(obstacle->until);
      }
    } else if (error.code() != 0 && !owner_.Follows(*this)) {
      pass(target.provider(), model, error.message());
    }
  }
  const auto route = owner_.catalog().FindModel(task.model());
  if (!route.ok()) return;
  std::vector<v1::MediaType> media;
  for (const v1::Reference& reference : task.references()) media.push_back(reference.media_type());
  for (const model::Target& target : route->targets) {
    const auto& targets = record.targets();
    const bool listed = std::any_of(targets.begin(), targets.end(), [&](const auto& other) {
      return other.provider() == target.provider->id &&
             other.provider_model() == target.provider_model;
    });
    if (listed) continue;
    std::vector<std::string> faults;
    for (const auto& [field, description] : calls::Inexpressible(task, media, target)) {
      faults.push_back(absl::StrCat(field, " ", description));
    }
    pass(target.provider->id, target.provider_model,
         faults.empty() ? std::string("the call named other providers, or the route had it not yet")
                        : absl::StrJoin(faults, "; "));
  }
}

void VideoItem::Explain(Explanation& out) const {
  const v1::VideoTask& task = current_.resource;
  out.set_name(name());
  out.set_state(v1::VideoTask::State_Name(task.state()));
  out.set_settled(model::IsFinal(task.state()));
  if (ReadOnly()) return out.set_summary(kNotUnderstood);
  const Explanation::Unit* open = nullptr;
  int open_index = 0;
  for (int i = 0; i < std::min(task.attempts_size(), current_.record.units_size()); ++i) {
    const v1::Attempt& attempt = task.attempts(i);
    Explanation::Unit& told = *out.add_units();
    told.set_provider(attempt.provider());
    told.set_provider_model(attempt.provider_model());
    told.set_state(v1::Attempt::State_Name(attempt.state()));
    told.set_provider_state(attempt.provider_state());
    told.set_settled(model::IsFinal(attempt.state()));
    told.set_error(Words(attempt.error().message()));
    ExplainSubmission(current_.record.units(i),
                      attempt.state() == v1::Attempt::UNCONFIRMED
                          ? Explanation::Submission::UNKNOWN
                          : Explanation::Submission::NOT_ACCEPTED,
                      told);
    ExplainCalls(static_cast<std::size_t>(i), told.settled(), told);
    if (told.settled()) continue;
    *told.mutable_next() = NextOfAttempt(i, out);
    open = &told;
    open_index = i;
  }
  ExplainTargets(out);
  if (out.settled()) {
    out.set_summary(absl::StrCat(
        "it is ", out.state(), " since ", base::FormatTime(base::FromProto(task.end_time())),
        task.error().message().empty() ? "" : ": ", task.error().message()));
    for (const model::Unit& unit : current_.record.units()) {
      if (!unit.has_late_until()) continue;
      out.set_summary(absl::StrCat(out.summary(), "; ", unit.provider(),
                                   " is asked for a late result, now and then, until ",
                                   base::FormatTime(base::FromProto(unit.late_until()))));
    }
    return;
  }
  if (open == nullptr) *out.mutable_next() = NextAttempt(out);
  const Explanation::Next& next = open != nullptr ? open->next() : out.next();
  out.set_needs_person(NeedsPerson(next.reason()) || NeedsPerson(task.waiting().reason()));
  if (task.state() == v1::VideoTask::UNCONFIRMED && next.reason() == Explanation::NEEDS_PERSON) {
    out.set_command(absl::StrCat("assetctl videos resolve ", name(), " --attempt ", open_index));
  }
  const std::string provider = open != nullptr ? IdOf(open->provider()) : "";
  // What a pending task waits for is said better, and newer, by the next step.
  const bool stale = open == nullptr && next.reason() != Explanation::OTHER_GATEWAY;
  out.set_summary(Sentence(stale
                               ? std::string()
                               : WaitsFor(task.waiting(), provider,
                                          open != nullptr ? open->provider_state() : std::string()),
                           next));
}

void Reconciler::Explain(store::Row row, std::string gateway, Reply<Explanation> reply) {
  parts_.loop.Post([this, row = std::move(row), gateway = std::move(gateway),
                    reply = std::move(reply)]() mutable {
    std::unique_ptr<Item> loaded;
    const Item* item = Find(row.key);
    if (item == nullptr || item->create_revision_ != row.create_revision) {
      // Looked at, and not taken up.
      loaded = NewItem(row.key);
      loaded->Load(row);
      item = loaded.get();
    }
    Explanation explanation;
    *explanation.mutable_time() = base::ToProto(Now());
    explanation.set_followed_here(!item->Unfinished() || Follows(*item));
    if (item->Unfinished()) explanation.set_gateway(base::CleanText(gateway, 256));
    item->Explain(explanation);
    explanation.set_summary(base::CleanText(explanation.summary(), kMostSummary));
    std::move(reply)(std::move(explanation));
  });
}

template void PlacementItem<model::GroupEntity>::Explain(Explanation&) const;
template void PlacementItem<model::AssetEntity>::Explain(Explanation&) const;

}  // namespace assetgate::reconcile
