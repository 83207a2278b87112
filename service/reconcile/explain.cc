#include "reconcile/explain.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/capability_fit.h"
#include "model/resource.h"
#include "reconcile/work/asset_item.h"
#include "reconcile/work/attempts.h"
#include "reconcile/work/group_item.h"
#include "reconcile/work/video_item.h"

namespace assetgate::reconcile {
namespace {

using v1::Explanation;

constexpr std::size_t kMaxSummary = 2048;

constexpr char kNotUnderstood[] =
    "a later release of the gateway wrote into it something that this release does not know, such "
    "as "
    "a new state; it is left as it is, and a gateway of that release goes on with it";

// "kyy" of "providers/kyy".
std::string IdOf(const std::string& provider_name) {
  return model::ParseProvider(provider_name).value_or(provider_name);
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

template <typename ItemT>
void ExplainPlacements(const ItemView& view, Explanation& out) {
  constexpr bool kIsGroup = std::is_same_v<ItemT, GroupItem>;
  const auto& item = static_cast<const ItemT&>(view.item);
  const auto& resource = item.current().resource;
  const auto& record = item.current().record;
  out.set_name(item.name());
  if constexpr (!kIsGroup) out.set_state(v1::Asset::State_Name(resource.state()));
  if (item.ReadOnly()) return out.set_summary(kNotUnderstood);
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
    ExplainCalls(view, index, told.settled(), told);
    if (told.settled()) {
      const std::string said = told.error().empty() ? IdThere(placement) : told.error();
      over.push_back(absl::StrCat(told.state(), " at ", unit.provider(),
                                  said.empty() ? "" : absl::StrCat(" (", said, ")")));
      continue;
    }
    const auto elsewhere = NoStepHere(view, out);
    const model::ProviderEntry* provider = view.environment.catalog().FindProvider(unit.provider());
    if (elsewhere.has_value()) {
      *told.mutable_next() = *elsewhere;
    } else if (submitting && provider != nullptr && provider->mode == v1::Provider::DRAIN) {
      *told.mutable_next() =
          NextStep(Explanation::PROVIDER_MODE,
                   absl::StrCat(unit.provider(), " takes no new work (mode DRAIN)"));
    } else {
      const bool waits =
          submitting && placement.waiting().reason() == v1::Waiting::ASSET_PROCESSING;
      *told.mutable_next() =
          NextCall(view, index, unit, submitting ? "its submission" : "the next poll of it",
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

Explanation::Next NextOfAttempt(const ItemView& view, int attempt, const Explanation& explanation) {
  const auto& item = static_cast<const VideoItem&>(view.item);
  const model::Unit& record = item.current().record.units(attempt);
  const auto unit = static_cast<std::size_t>(attempt);
  const bool unconfirmed =
      item.current().resource.attempts(attempt).state() == v1::Attempt::UNCONFIRMED;
  const model::ProviderEntry* provider = view.environment.catalog().FindProvider(record.provider());
  if (unconfirmed &&
      (provider == nullptr || !WhyNotRepeated(view.environment, record, *provider).empty())) {
    // Whoever follows it.
    return NextStep(
        Explanation::NEEDS_PERSON,
        absl::StrCat("only a person's word settles it: ",
                     provider == nullptr ? "the provider is not in the gateway's config any more"
                                         : WhyNotRepeated(view.environment, record, *provider)));
  }
  if (const auto elsewhere = NoStepHere(view, explanation)) return *elsewhere;
  return NextCall(view, unit, record,
                  unconfirmed ? "sending it again with its idempotency key" : "the next poll of it",
                  "");
}

Explanation::Next NextAttempt(const ItemView& view, const Explanation& explanation) {
  const auto& item = static_cast<const VideoItem&>(view.item);
  if (const auto elsewhere = NoStepHere(view, explanation)) return *elsewhere;
  constexpr absl::string_view kStep = "its submission";
  std::optional<Obstacle> first;
  std::string subject;
  absl::Time until = absl::InfiniteFuture();
  bool free = false;
  for (int i = 0; i < item.current().record.targets_size(); ++i) {
    if (item.current().record.targets(i).ineligible()) continue;
    std::optional<Obstacle> obstacle =
        item.choice().ObstacleOf(view.environment, item.key(), item.current().record, i);
    if (!obstacle.has_value()) {
      free = true;
      continue;
    }
    until = std::min(until, obstacle->until);
    if (first.has_value()) continue;
    first = std::move(obstacle);
    subject = model::MakeName(model::kProviders, item.current().record.targets(i).provider());
  }
  if (!free && first.has_value()) {
    Explanation::Reason reason = first->because;
    if (first->reason == v1::Waiting::PROVIDER_CREDENTIALS_REJECTED) {
      reason = Explanation::CREDENTIALS_REJECTED;
    } else if (first->reason == v1::Waiting::PROVIDER_OUT_OF_CREDIT) {
      reason = Explanation::OUT_OF_CREDIT;
    }
    Explanation::Next next = NextStep(
        reason, absl::StrCat(kStep, " waits for ", IdOf(subject), ": ", Words(first->message)));
    SetDue(until, next);
    next.set_subject(subject);
    return next;
  }
  if (item.choice().place().queued()) {
    return Queued(view, item.choice().place_provider(), upstream::CallClass::kSubmission, kStep);
  }
  const v1::Waiting& waiting = item.current().resource.waiting();
  if (waiting.reason() == v1::Waiting::ASSET_PROCESSING) {
    Explanation::Next next = NextStep(
        Explanation::DEPENDENCY,
        absl::StrCat(kStep, " waits until ", waiting.subject(), " is ready: ", waiting.message()));
    next.set_subject(waiting.subject());
    return next;
  }
  return NextStep(Explanation::DUE, absl::StrCat(kStep, " is due now"));
}

Explanation::PassedTarget& Pass(Explanation& out, const std::string& provider,
                                const std::string& model, absl::string_view message) {
  Explanation::PassedTarget& passed = *out.add_passed_targets();
  passed.set_provider(model::MakeName(model::kProviders, provider));
  passed.set_provider_model(model);
  passed.set_message(Words(message));
  return passed;
}

// Targets of the route that the task was not given.
void ExplainOtherTargets(const ItemView& view, Explanation& out) {
  const auto& item = static_cast<const VideoItem&>(view.item);
  const v1::VideoTask& task = item.current().resource;
  const model::VideoTaskRecord& record = item.current().record;
  const auto route = view.environment.catalog().FindModel(task.model());
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
    for (const auto& [field, description] : model::Inexpressible(task, media, target)) {
      faults.push_back(absl::StrCat(field, " ", description));
    }
    Pass(out, target.provider->id, target.provider_model,
         faults.empty() ? std::string("the call named other providers, or the route had it not yet")
                        : absl::StrJoin(faults, "; "));
  }
}

void ExplainTargets(const ItemView& view, Explanation& out) {
  const auto& item = static_cast<const VideoItem&>(view.item);
  const v1::VideoTask& task = item.current().resource;
  const model::VideoTaskRecord& record = item.current().record;
  const int last = task.attempts_size() - 1;
  // Of the attempt that counts.
  const bool taken = last >= 0 && task.attempts(last).state() != v1::Attempt::NOT_ACCEPTED;
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
      Pass(out, target.provider(), model,
           error.code() != 0 ? error.message() : "it cannot make this video");
    } else if (taken || model::IsFinal(task.state())) {
      Pass(out, target.provider(), model, "it was not needed");
    } else if (const auto obstacle =
                   item.choice().ObstacleOf(view.environment, item.key(), record, i);
               obstacle.has_value() && view.owned) {
      Explanation::PassedTarget& passed = Pass(out, target.provider(), model, obstacle->message);
      if (obstacle->until != absl::InfiniteFuture()) {
        *passed.mutable_next_try_time() = base::ToProto(obstacle->until);
      }
    } else if (error.code() != 0 && !view.owned) {
      Pass(out, target.provider(), model, error.message());
    }
  }
  ExplainOtherTargets(view, out);
}

void ExplainVideo(const ItemView& view, Explanation& out) {
  const auto& item = static_cast<const VideoItem&>(view.item);
  const v1::VideoTask& task = item.current().resource;
  out.set_name(item.name());
  out.set_state(v1::VideoTask::State_Name(task.state()));
  out.set_settled(model::IsFinal(task.state()));
  if (item.ReadOnly()) return out.set_summary(kNotUnderstood);
  const Explanation::Unit* open = nullptr;
  int open_index = 0;
  for (int i = 0; i < std::min(task.attempts_size(), item.current().record.units_size()); ++i) {
    const v1::Attempt& attempt = task.attempts(i);
    Explanation::Unit& told = *out.add_units();
    told.set_provider(attempt.provider());
    told.set_provider_model(attempt.provider_model());
    told.set_state(v1::Attempt::State_Name(attempt.state()));
    told.set_provider_state(attempt.provider_state());
    told.set_settled(model::IsFinal(attempt.state()));
    told.set_error(Words(attempt.error().message()));
    ExplainSubmission(item.current().record.units(i),
                      attempt.state() == v1::Attempt::UNCONFIRMED
                          ? Explanation::Submission::UNKNOWN
                          : Explanation::Submission::NOT_ACCEPTED,
                      told);
    ExplainCalls(view, static_cast<std::size_t>(i), told.settled(), told);
    if (told.settled()) continue;
    *told.mutable_next() = NextOfAttempt(view, i, out);
    open = &told;
    open_index = i;
  }
  ExplainTargets(view, out);
  if (out.settled()) {
    out.set_summary(absl::StrCat(
        "it is ", out.state(), " since ", base::FormatTime(base::FromProto(task.end_time())),
        task.error().message().empty() ? "" : ": ", task.error().message()));
    for (const model::Unit& unit : item.current().record.units()) {
      if (!unit.has_late_until()) continue;
      out.set_summary(absl::StrCat(out.summary(), "; ", unit.provider(),
                                   " is asked for a late result, now and then, until ",
                                   base::FormatTime(base::FromProto(unit.late_until()))));
    }
    return;
  }
  if (open == nullptr) *out.mutable_next() = NextAttempt(view, out);
  const Explanation::Next& next = open != nullptr ? open->next() : out.next();
  out.set_needs_person(NeedsPerson(next.reason()) || NeedsPerson(task.waiting().reason()));
  if (task.state() == v1::VideoTask::UNCONFIRMED && next.reason() == Explanation::NEEDS_PERSON) {
    out.set_command(
        absl::StrCat("assetctl videos resolve ", item.name(), " --attempt ", open_index));
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

}  // namespace

Explanation Explain(const ItemView& view, const std::string& gateway) {
  Explanation explanation;
  *explanation.mutable_time() = base::ToProto(view.environment.now());
  explanation.set_followed_here(!view.item.Unfinished() || view.owned);
  if (view.item.Unfinished()) explanation.set_gateway(base::CleanText(gateway, 256));
  switch (view.item.key().kind) {
    case store::Kind::kAssetGroup:
      ExplainPlacements<GroupItem>(view, explanation);
      break;
    case store::Kind::kAsset:
      ExplainPlacements<AssetItem>(view, explanation);
      break;
    case store::Kind::kVideoTask:
      ExplainVideo(view, explanation);
      break;
    case store::Kind::kUpstreamDeletion:
      break;
  }
  explanation.set_summary(base::CleanText(explanation.summary(), kMaxSummary));
  return explanation;
}

}  // namespace assetgate::reconcile
