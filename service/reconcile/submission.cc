#include "reconcile/submission.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "absl/random/random.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/apply.h"
#include "reconcile/tracking.h"

namespace assetgate::reconcile {
namespace {

// What a missing answer to a submission means.
provider::SubmitResult FromTransport(const http::TransportError& error) {
  provider::SubmitResult result;
  result.outcome = error.maybe_sent ? provider::Outcome::kUnknown : provider::Outcome::kNotAccepted;
  result.failure = provider::FailureOf(error);
  return result;
}

template <typename Record>
std::vector<std::pair<std::size_t, int>> OpenUnits(const std::string& internal) {
  std::vector<std::pair<std::size_t, int>> open;
  Record record;
  if (!record.ParseFromString(internal)) return open;
  for (int i = 0; i < record.units_size(); ++i) {
    const model::Submission& submission = record.units(i).submission();
    if (submission.open()) open.emplace_back(static_cast<std::size_t>(i), submission.sends());
  }
  return open;
}

// The units whose submission is open, and its number.
std::vector<std::pair<std::size_t, int>> OpenUnits(const store::Row& row) {
  switch (row.key.kind) {
    case store::Kind::kAssetGroup:
      return OpenUnits<model::GroupRecord>(row.content.internal);
    case store::Kind::kAsset:
      return OpenUnits<model::AssetRecord>(row.content.internal);
    case store::Kind::kVideoTask:
      return OpenUnits<model::VideoTaskRecord>(row.content.internal);
    case store::Kind::kUpstreamDeletion:
      break;
  }
  return {};
}

// Sets when a unit is due after a submission that was not accepted: what only an operator can mend
// is not tried every half minute.
void SetDueAfterSubmission(const Environment& environment, provider::Outcome outcome, bool replay,
                           UnitRun& run) {
  SetDueAfterFailure(environment, absl::ZeroDuration(), run);
  const model::Settings& settings = environment.settings();
  const provider::Failure& failure = *run.failure;
  const int status = failure.http_status;
  // A refused key or account is another matter: calls like this one find out whether it is mended.
  const bool operator_alone =
      outcome != provider::Outcome::kUnknown && !model::NeedsOperator(failure) &&
      !failure.from_edge &&
      (failure.act == base::Act::kOperator || failure.reason == v1::PROVIDER_PROTOCOL_ERROR);
  // The repetition is refused, and will be: what became of the first try shows later, if at all.
  const bool refused_again = replay && status >= 400 && status < 500 && status != 408 &&
                             status != 409 && status != 423 && status != 425 && status != 429;
  if (!operator_alone && !refused_again) return;
  const absl::Duration back_off =
      std::min(settings.max_operator_back_off, settings.initial_operator_back_off *
                                                   std::exp2(std::clamp(run.failures - 1, 0, 16))) *
      absl::Uniform(environment.random(), 0.9, 1.1);
  if (environment.now() + back_off <= run.due) return;
  run.due = environment.now() + back_off;
  run.due_because = v1::Explanation::BACK_OFF;
}

// A submission that is sent.
struct Submitted {
  Environment environment;
  store::Key key;
  std::uint64_t serial;
  std::size_t unit;
  CallFacts facts;
  int sends;
  bool replay;
  // As it was journalled: without credentials.
  http::Request request;
  upstream::UpstreamCall call;
};

void OnSubmissionEnd(Submitted submitted, http::Result answer, absl::Duration latency) {
  const Environment& environment = submitted.environment;
  const model::ProviderEntry& provider = *submitted.facts.provider;
  constexpr upstream::CallClass kClass = upstream::CallClass::kSubmission;
  const auto* error = std::get_if<http::TransportError>(&answer);
  if (error != nullptr && error->kind == http::TransportError::Kind::kStopped) {
    // The gateway shuts down: the journal says that the submission is open, which is true.
    environment.gate(provider).Abandon(kClass);
    return environment.quiescence().EndSubmission();
  }
  provider::SubmitResult result =
      error != nullptr
          ? FromTransport(*error)
          : provider.dialect->DecodeSubmit(submitted.facts.kind, submitted.request,
                                           std::get<http::Response>(answer), submitted.replay);
  const bool accepted = result.outcome == provider::Outcome::kAccepted;
  const provider::Failure* failure = accepted ? nullptr : &result.failure;
  if (error != nullptr && error->kind == http::TransportError::Kind::kExpired) {
    // The gateway was late; that says nothing of the provider.
    environment.gate(provider).Abandon(kClass);
  } else {
    environment.gates().Release(provider, kClass, failure, submitted.serial);
    if (failure != nullptr) environment.gates().NoteFailure(provider.id, *failure);
  }
  upstream::UpstreamCall& call = submitted.call;
  call.outcome = upstream::OutcomeOf(answer, !accepted);
  call.submission = result.outcome;
  call.latency = latency;
  if (!accepted) {
    call.http_status = result.failure.http_status;
    call.message = base::CleanText(result.failure.message);
  } else if (error == nullptr) {
    call.http_status = std::get<http::Response>(answer).status;
  }
  environment.telemetry().OnUpstreamCall(call);
  const provider::UnitKind kind = submitted.facts.kind;
  const std::string provider_id = provider.id;
  submitted.facts.http_status = call.http_status;
  submitted.facts.latency = latency;
  environment.Observe({submitted.key, submitted.serial, submitted.unit,
                       SubmitAnswer{submitted.sends, submitted.replay, std::move(result)},
                       std::move(submitted.facts)});
  if (kind == provider::UnitKind::kAsset) environment.uploads().WakeNext(provider_id);
  environment.quiescence().EndSubmission();
}

}  // namespace

void Journal(const Environment& environment, const http::Request& request, absl::Time send_before,
             model::Submission& submission) {
  if (!submission.has_first_send_time()) {
    *submission.mutable_first_send_time() = base::ToProto(environment.now() + environment.behind());
  }
  submission.set_method(request.method);
  submission.set_path(request.path);
  submission.set_plane(request.plane);
  submission.clear_headers();
  for (const http::Header& header : request.headers) {
    auto* out = submission.add_headers();
    out->set_name(header.name);
    out->set_value(header.value);
  }
  submission.set_body(request.body);
  *submission.mutable_send_before() = base::ToProto(send_before);
  submission.set_open(true);
  submission.set_sends(submission.sends() + 1);
}

http::Request FromJournal(const model::Submission& submission) {
  http::Request request;
  request.method = submission.method();
  request.path = submission.path();
  request.plane = submission.plane();
  for (const auto& header : submission.headers()) {
    request.headers.push_back({header.name(), header.value()});
  }
  request.body = submission.body();
  return request;
}

provider::SubmitResult LostOutcome() {
  provider::SubmitResult result;
  result.outcome = provider::Outcome::kUnknown;
  result.failure.reason = v1::PROVIDER_UNAVAILABLE;
  result.failure.message = "the gateway stopped before the provider's answer was recorded";
  return result;
}

void SubmitAfterCommit(Step& step, Item& item, const Sending& sending,
                       const model::Submission& submission) {
  CallFacts facts;
  facts.catalog = step.catalog_ptr();
  facts.provider = &sending.provider;
  facts.kind = sending.kind;
  Submitted submitted{Environment(step),
                      item.key(),
                      item.serial(),
                      sending.unit,
                      std::move(facts),
                      submission.sends(),
                      sending.replay,
                      FromJournal(submission),
                      {}};
  step.AfterCommit([&item, shard = step.shard(), operation = sending.operation,
                    &credential = sending.credential,
                    send_before = base::FromProto(submission.send_before()),
                    submitted = std::move(submitted)]() mutable {
    const Environment environment = submitted.environment;
    const model::ProviderEntry& provider = *submitted.facts.provider;
    UnitRun& run = item.run(submitted.unit);
    run.place.Use();
    run.in_flight = true;
    environment.quiescence().BeginSubmission();
    http::SendOptions options;
    options.submission = true;
    options.timeout = provider.TimeoutFor(operation);
    // A submission whose lease was lost while the intent was committed is not begun at all.
    options.send_before = environment.ownership().Holds(shard) ? send_before : absl::InfinitePast();
    http::Request request = submitted.request;
    submitted.call = environment.upstream().Begin(item.purpose(), provider, operation, request);
    upstream::Access to{submitted.facts.catalog, provider, credential};
    environment.upstream().Send(
        std::move(to), std::move(request), std::move(options),
        [submitted = std::move(submitted)](http::Result answer, absl::Duration latency) mutable {
          OnSubmissionEnd(std::move(submitted), std::move(answer), latency);
        });
  });
}

std::optional<Said> Track(const Environment& environment, Item& item, std::size_t unit,
                          SubmitAnswer answer, const CallFacts& call) {
  UnitRun& run = item.run(unit);
  const bool accepted = answer.result.outcome == provider::Outcome::kAccepted;
  run.in_flight = false;
  ReportOddities(environment, item, *call.provider, call.kind,
                 accepted ? &answer.result.observation : nullptr,
                 accepted ? nullptr : &answer.result.failure);
  run.failures = accepted ? 0 : run.failures + 1;
  run.failure = accepted ? std::nullopt : std::optional(answer.result.failure);
  run.answered = environment.now();
  run.answered_status = call.http_status;
  if (accepted) {
    run.unfinished_at = environment.now();
    run.due = environment.now() + call.provider->PollingFor(call.kind).first;
    run.due_because = v1::Explanation::POLL_INTERVAL;
  } else {
    SetDueAfterSubmission(environment, answer.result.outcome, answer.replay, run);
  }
  return Said(std::move(answer));
}

bool IsNews(const model::Unit& record, const SubmitAnswer& answer) {
  const model::Submission& submission = record.submission();
  const bool newest = submission.sends() == answer.sends;
  if (newest && submission.open()) return true;
  // What was accepted stays so.
  if (!record.handle().empty()) return false;
  switch (answer.result.outcome) {
    case provider::Outcome::kAccepted:
      return true;
    case provider::Outcome::kUnknown:
      return false;
    case provider::Outcome::kRefused:
    case provider::Outcome::kNotAccepted:
      // Nothing came of this very submission. That settles the unit when there was no other.
      return newest && !answer.replay;
  }
  return false;
}

absl::Time InFlightElsewhereUntil(const Environment& environment, const model::Unit& record,
                                  const UnitRun* run) {
  const model::ProviderEntry* provider = environment.catalog().FindProvider(record.provider());
  // What an older gateway journalled does not say.
  const absl::Duration timeout =
      record.has_send_timeout()
          ? base::FromProto(record.send_timeout())
          : (provider != nullptr ? *provider : model::ProviderEntry()).MaxSubmissionTimeout();
  const model::Settings& settings = environment.settings();
  absl::Time send_before = base::FromProto(record.submission().send_before());
  // It was journalled before it was seen, and is not begun longer after that than this.
  if (run != nullptr && run->open_elsewhere == record.submission().sends()) {
    send_before =
        std::min(send_before, run->open_elsewhere_since + settings.submission_start_timeout);
  }
  return send_before + timeout + settings.clock_skew;
}

bool InFlightElsewhere(Step& step, const model::Unit& record, UnitRun& run) {
  if (step.ownership().exclusive()) return false;
  if (run.open_elsewhere != record.submission().sends()) {
    run.open_elsewhere = record.submission().sends();
    run.open_elsewhere_since = step.now();
  }
  const absl::Time until = InFlightElsewhereUntil(step, record, &run);
  if (step.now() >= until) return false;
  step.WakeAt(until);
  return true;
}

std::vector<std::pair<std::size_t, SubmitAnswer>> NeverSent(const store::Row& row) {
  std::vector<std::pair<std::size_t, SubmitAnswer>> answers;
  for (const auto& [unit, sends] : OpenUnits(row)) {
    const http::TransportError error{http::TransportError::Kind::kExpired, /*maybe_sent=*/false,
                                     "the store could not tell in time whether its creation was "
                                     "committed"};
    answers.emplace_back(unit, SubmitAnswer{sends, /*replay=*/false, FromTransport(error)});
  }
  return answers;
}

}  // namespace assetgate::reconcile
