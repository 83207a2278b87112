#include "cli/model.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "cli/failure.h"

namespace assetgate::cli {
namespace {

bool IsFinal(v1::Placement::State state) {
  return state == v1::Placement::ACTIVE || state == v1::Placement::FAILED ||
         state == v1::Placement::LOST;
}

bool IsFinal(v1::VideoTask::State state) {
  return state == v1::VideoTask::SUCCEEDED || state == v1::VideoTask::FAILED ||
         state == v1::VideoTask::CANCELLED;
}

bool NeedsOperator(const v1::Waiting& waiting) {
  return waiting.reason() == v1::Waiting::NEEDS_OPERATOR ||
         waiting.reason() == v1::Waiting::PROVIDER_CREDENTIALS_REJECTED ||
         waiting.reason() == v1::Waiting::PROVIDER_OUT_OF_CREDIT;
}

// Whether the gateway's message says more than the reason: the provider's answers are unusual.
bool SaysMore(const v1::Waiting& waiting) { return absl::StrContains(waiting.message(), "; it "); }

// Whether the work proceeds, as opposed to being held up.
bool Proceeds(const v1::Waiting& waiting) {
  return (waiting.reason() == v1::Waiting::PROVIDER_WORKING ||
          waiting.reason() == v1::Waiting::PROVIDER_QUEUE) &&
         !SaysMore(waiting);
}

void DescribeWaiting(const v1::Waiting& waiting, absl::string_view provider_state, absl::Time now,
                     Row& row) {
  row.detail = WhyWaiting(waiting, now);
  if (Proceeds(waiting) && !provider_state.empty()) {
    absl::StrAppend(&row.detail, " (", provider_state, ")");
  }
  row.detail_tone = NeedsOperator(waiting) ? Tone::kBad
                    : Proceeds(waiting)    ? Tone::kQuiet
                                           : Tone::kWaiting;
}

Row RowOf(const v1::Placement& placement, absl::Time now) {
  Row row;
  row.state = v1::Placement::State_Name(placement.state());
  row.tone = ToneOf(placement.state());
  row.provider = std::string(IdOf(placement.provider()));
  if (IsFinal(placement.state())) {
    if (placement.has_end_time()) {
      row.since = base::FromProto(placement.end_time());
      row.took = *row.since - base::FromProto(placement.create_time());
    }
  } else if (placement.has_submit_time()) {
    row.since = base::FromProto(placement.submit_time());
  } else if (placement.has_create_time()) {
    row.since = base::FromProto(placement.create_time());
  }
  if (placement.has_error()) {
    row.detail = ErrorSummary(placement.error());
    row.detail_tone = Tone::kBad;
  } else if (placement.has_waiting()) {
    DescribeWaiting(placement.waiting(), placement.provider_state(), now, row);
  } else if (!placement.provider_asset_id().empty() && placement.state() == v1::Placement::ACTIVE) {
    row.detail = placement.provider_asset_id();
  } else {
    row.detail = placement.provider_state();
  }
  return row;
}

std::string Outcome(const v1::Video& video) {
  std::vector<std::string> parts;
  if (video.has_duration()) {
    parts.push_back(ShortDuration(base::FromProto(video.duration())));
  }
  if (!video.resolution().empty()) parts.push_back(video.resolution());
  if (!video.aspect_ratio().empty()) parts.push_back(video.aspect_ratio());
  parts.push_back(video.uri());
  return absl::StrJoin(parts, " ");
}

}  // namespace

Entry EntryOf(const v1::Asset& asset, absl::Time now) {
  Entry entry;
  entry.name = asset.name();
  entry.created = base::FromProto(asset.create_time());
  entry.settled = true;
  for (const v1::Placement& placement : asset.placements()) {
    entry.rows.push_back(RowOf(placement, now));
    entry.settled = entry.settled && IsFinal(placement.state());
  }
  entry.good = entry.settled && std::all_of(asset.placements().begin(), asset.placements().end(),
                                            [](const v1::Placement& placement) {
                                              return placement.state() == v1::Placement::ACTIVE;
                                            });
  if (entry.rows.empty()) {
    Row row;
    row.state = v1::Asset::State_Name(asset.state());
    row.tone = ToneOf(asset.state());
    row.since = entry.created;
    row.detail = asset.has_error() ? ErrorSummary(asset.error()) : "placed at first use";
    entry.rows.push_back(row);
  }
  return entry;
}

Entry EntryOf(const v1::VideoTask& task, absl::Time now) {
  Entry entry;
  entry.name = task.name();
  entry.created = base::FromProto(task.create_time());
  const bool stuck = task.state() == v1::VideoTask::UNCONFIRMED &&
                     task.waiting().reason() == v1::Waiting::NEEDS_OPERATOR;
  entry.settled = IsFinal(task.state()) || stuck;
  entry.good = task.state() == v1::VideoTask::SUCCEEDED;

  Row row;
  row.state = v1::VideoTask::State_Name(task.state());
  row.tone = ToneOf(task.state());
  row.provider = std::string(ProviderOf(task));
  if (IsFinal(task.state()) && task.has_end_time()) {
    row.since = base::FromProto(task.end_time());
    row.took = *row.since - entry.created;
  } else if (task.state() == v1::VideoTask::RUNNING && task.has_start_time()) {
    row.since = base::FromProto(task.start_time());
  } else if (task.state() != v1::VideoTask::PENDING && task.has_submit_time()) {
    row.since = base::FromProto(task.submit_time());
  } else if (task.has_create_time()) {
    row.since = entry.created;
  }
  if (task.has_progress_percent()) row.percent = task.progress_percent();
  if (task.state() == v1::VideoTask::SUCCEEDED) row.percent = 100;
  if (task.has_error()) {
    row.detail = ErrorSummary(task.error());
    row.detail_tone = task.state() == v1::VideoTask::CANCELLED ? Tone::kQuiet : Tone::kBad;
  } else if (task.has_waiting()) {
    const absl::string_view word =
        task.attempts().empty() ? ""
                                : absl::string_view(task.attempts().rbegin()->provider_state());
    DescribeWaiting(task.waiting(), word, now, row);
  } else if (task.has_video()) {
    row.detail = Outcome(task.video());
    row.detail_tone = Tone::kPlain;
  }
  entry.rows.push_back(row);
  return entry;
}

Entry EntryOf(const v1::Provider& provider, absl::Time) {
  Entry entry;
  entry.name = provider.name();
  entry.good = entry.settled =
      provider.state() == v1::Provider::AVAILABLE && provider.mode() == v1::Provider::SERVE;

  Row row;
  row.state = v1::Provider::State_Name(provider.state());
  row.tone = ToneOf(provider.state());
  std::vector<std::string> details;
  if (provider.mode() != v1::Provider::SERVE) {
    details.push_back(absl::StrCat("mode ", v1::Provider::Mode_Name(provider.mode())));
  }
  if (!provider.state_reason().empty()) details.push_back(provider.state_reason());
  if (provider.unfinished_placements() > 0 || provider.unfinished_attempts() > 0) {
    details.push_back(absl::StrCat("unfinished: ", provider.unfinished_placements(), " assets, ",
                                   provider.unfinished_attempts(), " videos"));
  }
  row.detail = absl::StrJoin(details, "; ");
  entry.rows.push_back(row);
  return entry;
}

bool EndedUnsuccessfully(const v1::Asset& asset) { return asset.state() == v1::Asset::FAILED; }

bool EndedUnsuccessfully(const v1::VideoTask& task) {
  return task.state() == v1::VideoTask::FAILED || task.state() == v1::VideoTask::CANCELLED ||
         task.state() == v1::VideoTask::UNCONFIRMED;
}

std::string WhyWaiting(const v1::Waiting& waiting, absl::Time now) {
  const std::string subject(waiting.subject().empty() ? "the provider" : IdOf(waiting.subject()));
  std::string why;
  switch (waiting.reason()) {
    case v1::Waiting::ASSET_PROCESSING:
      why = absl::StrCat("waits for ", waiting.subject().empty() ? "an asset" : waiting.subject());
      break;
    case v1::Waiting::PROVIDER_BUSY:
      why = absl::StrCat("waits for its turn at ", subject);
      break;
    case v1::Waiting::PROVIDER_RATE_LIMITED:
      why = absl::StrCat(subject, " limits the rate");
      break;
    case v1::Waiting::PROVIDER_UNAVAILABLE:
      why = absl::StrCat(subject, " is unavailable");
      break;
    case v1::Waiting::PROVIDER_CREDENTIALS_REJECTED:
      why = absl::StrCat(subject, " rejects the gateway's key");
      break;
    case v1::Waiting::PROVIDER_OUT_OF_CREDIT:
      why = absl::StrCat("no credit left at ", subject);
      break;
    case v1::Waiting::PROVIDER_QUEUE:
      return absl::StrCat("in the queue of ", subject);
    case v1::Waiting::PROVIDER_WORKING:
      why = absl::StrCat(subject, " is working on it");
      if (!SaysMore(waiting)) return why;
      break;
    case v1::Waiting::NEEDS_OPERATOR:
      why = "a person has to look";
      break;
    case v1::Waiting::PROVIDER_SLOTS:
      why = absl::StrCat("waits for a slot at ", subject);
      break;
    case v1::Waiting::PROVIDER_NOT_FOUND:
      why = absl::StrCat(subject, " says that it does not know it");
      break;
    default:
      break;
  }
  // The gateway's own sentence says more than the reason.
  if (!waiting.message().empty()) why = waiting.message();
  if (waiting.has_next_try_time()) {
    const absl::Duration left = base::FromProto(waiting.next_try_time()) - now;
    if (left > absl::ZeroDuration()) {
      absl::StrAppend(&why, why.empty() ? "" : ", ", "next try in ",
                      ShortDuration(absl::Ceil(left, absl::Seconds(1))));
    }
  }
  return why;
}

Tone ToneOf(v1::Asset::State state) {
  switch (state) {
    case v1::Asset::ACTIVE:
      return Tone::kGood;
    case v1::Asset::FAILED:
      return Tone::kBad;
    case v1::Asset::PROCESSING:
      return Tone::kWorking;
    default:
      return Tone::kQuiet;
  }
}

Tone ToneOf(v1::Placement::State state) {
  switch (state) {
    case v1::Placement::ACTIVE:
      return Tone::kGood;
    case v1::Placement::FAILED:
    case v1::Placement::LOST:
      return Tone::kBad;
    case v1::Placement::PROCESSING:
      return Tone::kWorking;
    default:
      return Tone::kWaiting;
  }
}

Tone ToneOf(v1::Provider::State state) {
  switch (state) {
    case v1::Provider::AVAILABLE:
      return Tone::kGood;
    case v1::Provider::DEGRADED:
      return Tone::kWaiting;
    case v1::Provider::UNAVAILABLE:
      return Tone::kBad;
    default:
      return Tone::kQuiet;
  }
}

Tone ToneOf(v1::VideoTask::State state) {
  switch (state) {
    case v1::VideoTask::SUCCEEDED:
      return Tone::kGood;
    case v1::VideoTask::FAILED:
    case v1::VideoTask::UNCONFIRMED:
      return Tone::kBad;
    case v1::VideoTask::RUNNING:
      return Tone::kWorking;
    case v1::VideoTask::CANCELLED:
      return Tone::kQuiet;
    default:
      return Tone::kWaiting;
  }
}

std::string MarkOf(Tone tone, const Look& look) {
  switch (tone) {
    case Tone::kGood:
      return look.utf8 ? "●" : "*";
    case Tone::kBad:
      return look.utf8 ? "✗" : "x";
    case Tone::kWorking:
      return look.utf8 ? "◐" : ">";
    case Tone::kWaiting:
      return look.utf8 ? "○" : "o";
    default:
      return look.utf8 ? "·" : "-";
  }
}

absl::string_view IdOf(absl::string_view name) {
  const std::size_t slash = name.find('/');
  return slash == absl::string_view::npos ? name : name.substr(slash + 1);
}

absl::string_view ProviderOf(const v1::VideoTask& task) {
  for (auto attempt = task.attempts().rbegin(); attempt != task.attempts().rend(); ++attempt) {
    if (attempt->state() != v1::Attempt::NOT_ACCEPTED) return IdOf(attempt->provider());
  }
  return "";
}

}  // namespace assetgate::cli
