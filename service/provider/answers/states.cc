#include "provider/answers/states.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "base/text.h"
#include "provider/answers/failure_words.h"
#include "provider/answers/links.h"
#include "provider/failure.h"

namespace assetgate::provider::answers {
namespace {

using Progress = Observation::Progress;
using rapidjson::Value;

constexpr std::size_t kMaxWordBytes = 64;

// The names of a unit's state word, the usual one first.
constexpr absl::string_view kStateNames[] = {"status",       "state",          "task_status",
                                             "task_state",   "job_status",     "asset_status",
                                             "audit_status", "material_status"};

struct SharedWord {
  absl::string_view word;
  Progress progress;
};

// One table for all dialects: words that providers have used, or may use.
constexpr SharedWord kShared[] = {
    {"queued", Progress::kQueued},
    {"queue", Progress::kQueued},
    {"queueing", Progress::kQueued},
    {"queuing", Progress::kQueued},
    {"in_queue", Progress::kQueued},
    {"pending", Progress::kQueued},
    {"waiting", Progress::kQueued},
    {"wait", Progress::kQueued},
    {"submitted", Progress::kQueued},
    {"created", Progress::kQueued},
    {"accepted", Progress::kQueued},
    {"received", Progress::kQueued},
    {"scheduled", Progress::kQueued},
    {"not_start", Progress::kQueued},
    {"not_started", Progress::kQueued},
    {"排队中", Progress::kQueued},
    {"等待中", Progress::kQueued},
    {"submitting", Progress::kQueued},
    {"throttled", Progress::kQueued},
    {"排队", Progress::kQueued},
    {"等待", Progress::kQueued},
    {"待处理", Progress::kQueued},

    {"running", Progress::kRunning},
    {"processing", Progress::kRunning},
    {"process", Progress::kRunning},
    {"in_process", Progress::kRunning},
    {"in_progress", Progress::kRunning},
    {"inprogress", Progress::kRunning},
    {"progress", Progress::kRunning},
    {"generating", Progress::kRunning},
    {"started", Progress::kRunning},
    {"starting", Progress::kRunning},
    {"working", Progress::kRunning},
    {"rendering", Progress::kRunning},
    {"preparing", Progress::kRunning},
    {"executing", Progress::kRunning},
    {"ongoing", Progress::kRunning},
    {"doing", Progress::kRunning},
    {"uploading", Progress::kRunning},
    {"downloading", Progress::kRunning},
    {"transcoding", Progress::kRunning},
    {"reviewing", Progress::kRunning},
    {"cancelling", Progress::kRunning},
    {"retrying", Progress::kRunning},
    {"处理中", Progress::kRunning},
    {"生成中", Progress::kRunning},
    {"进行中", Progress::kRunning},
    {"dreaming", Progress::kRunning},
    {"运行中", Progress::kRunning},
    {"执行中", Progress::kRunning},
    {"執行中", Progress::kRunning},
    {"审核中", Progress::kRunning},
    {"運行中", Progress::kRunning},
    {"处理", Progress::kRunning},
    {"post_processing", Progress::kRunning},

    {"succeeded", Progress::kSucceeded},
    {"success", Progress::kSucceeded},
    {"successful", Progress::kSucceeded},
    {"succeed", Progress::kSucceeded},
    {"completed", Progress::kSucceeded},
    {"complete", Progress::kSucceeded},
    {"done", Progress::kSucceeded},
    {"finished", Progress::kSucceeded},
    {"finish", Progress::kSucceeded},
    {"ok", Progress::kSucceeded},
    {"ready", Progress::kSucceeded},
    {"generated", Progress::kSucceeded},
    {"成功", Progress::kSucceeded},
    {"已完成", Progress::kSucceeded},
    {"完成", Progress::kSucceeded},
    {"successed", Progress::kSucceeded},
    {"生成成功", Progress::kSucceeded},
    {"已成功", Progress::kSucceeded},
    {"任务完成", Progress::kSucceeded},
    {"处理完成", Progress::kSucceeded},
    {"完了", Progress::kSucceeded},
    {"partial_success", Progress::kSucceeded},

    {"failed", Progress::kFailed},
    {"failure", Progress::kFailed},
    {"fail", Progress::kFailed},
    {"error", Progress::kFailed},
    {"errored", Progress::kFailed},
    {"rejected", Progress::kFailed},
    {"refused", Progress::kFailed},
    {"blocked", Progress::kFailed},
    {"aborted", Progress::kFailed},
    {"timeout", Progress::kFailed},
    {"timed_out", Progress::kFailed},
    {"失败", Progress::kFailed},
    {"生成失败", Progress::kFailed},
    {"任务失败", Progress::kFailed},
    {"已失败", Progress::kFailed},
    {"处理失败", Progress::kFailed},
    {"處理失敗", Progress::kFailed},
    {"审核失败", Progress::kFailed},
    {"审核不通过", Progress::kFailed},
    {"审核未通过", Progress::kFailed},
    {"违规", Progress::kFailed},
    {"已拒绝", Progress::kFailed},
    {"拒绝", Progress::kFailed},
    {"超时", Progress::kFailed},
    {"已超时", Progress::kFailed},
    {"任务超时", Progress::kFailed},
    {"已过期", Progress::kFailed},
    {"异常", Progress::kFailed},
    {"nsfw", Progress::kFailed},
    {"exception", Progress::kFailed},
    {"terminated", Progress::kFailed},
    {"killed", Progress::kFailed},
    {"stopped", Progress::kFailed},
    {"crashed", Progress::kFailed},
    {"interrupted", Progress::kFailed},
    {"generate_failed", Progress::kFailed},
    {"content_moderation_failed", Progress::kFailed},
    {"create_task_failed", Progress::kFailed},
    {"sensitive_word_error", Progress::kFailed},
    {"callback_exception", Progress::kFailed},
    {"dead", Progress::kFailed},
    {"異常", Progress::kFailed},
    {"エラー", Progress::kFailed},

    {"cancelled", Progress::kCancelled},
    {"canceled", Progress::kCancelled},
    {"cancel", Progress::kCancelled},
    {"revoked", Progress::kCancelled},
    {"已取消", Progress::kCancelled},
    {"取消", Progress::kCancelled},
    {"已撤销", Progress::kCancelled},
    {"user_cancelled", Progress::kCancelled},
    {"キャンセル", Progress::kCancelled},
};

// Groups and assets have a few more words, and some with another meaning.
constexpr SharedWord kRegistered[] = {
    {"active", Progress::kSucceeded},   {"available", Progress::kSucceeded},
    {"enabled", Progress::kSucceeded},  {"expired", Progress::kGone},
    {"deleted", Progress::kGone},       {"removed", Progress::kGone},
    {"gone", Progress::kGone},          {"cancelled", Progress::kFailed},
    {"canceled", Progress::kFailed},    {"passed", Progress::kSucceeded},
    {"approved", Progress::kSucceeded}, {"可用", Progress::kSucceeded},
    {"正常", Progress::kSucceeded},     {"审核通过", Progress::kSucceeded},
    {"已删除", Progress::kGone},        {"已过期", Progress::kGone},
    {"disabled", Progress::kFailed},    {"none", Progress::kRunning},
};

constexpr SharedWord kTasks[] = {{"expired", Progress::kFailed}, {"deleted", Progress::kCancelled}};

// The word in lower case, with '_' for blanks and hyphens, and without the prefix of an enum:
// "TASK_STATUS_SUCCEED" is "succeed".
std::string Normal(absl::string_view word) {
  std::string normal = absl::AsciiStrToLower(absl::StripAsciiWhitespace(word));
  std::replace_if(
      normal.begin(), normal.end(), [](char c) { return c == ' ' || c == '-'; }, '_');
  for (const absl::string_view prefix : {"task_status_", "task_state_", "job_"}) {
    if (absl::StartsWith(normal, prefix)) return normal.substr(prefix.size());
  }
  return normal;
}

template <std::size_t kSize>
std::optional<Progress> Find(const SharedWord (&table)[kSize], absl::string_view word) {
  const auto it = std::find_if(std::begin(table), std::end(table),
                               [&](const SharedWord& known) { return known.word == word; });
  return it == std::end(table) ? std::nullopt : std::optional(it->progress);
}

// The word of a call that succeeded, and of work that succeeded.
bool MayBeTheCalls(absl::string_view normal) {
  return normal == "success" || normal == "successful" || normal == "ok";
}

// The state word of an object; "" where it has none. A number is the status of a call, and so may a
// success be where another name has a state as well.
std::string WordIn(const Value& object) {
  std::string success;
  for (const absl::string_view name : kStateNames) {
    const Value* const value = Member(object, name);
    if (value == nullptr || !value->IsString()) continue;
    const std::string text = TextOf(value);
    // "404": the status of a call, as text.
    if (int number = 0; absl::SimpleAtoi(text, &number) && number >= 100 && number < 600) continue;
    if (text.empty() || (!success.empty() && !IsKnownStateWord(text))) continue;
    std::string word = base::CleanText(text, kMaxWordBytes);
    if (!MayBeTheCalls(Normal(word))) return word;
    if (success.empty()) success = std::move(word);
  }
  return success;
}

bool IsFinal(Progress progress) {
  return progress != Progress::kQueued && progress != Progress::kRunning;
}

}  // namespace

bool State::lags() const {
  return inner_object != nullptr && !IsFinal(progress) &&
         IsFinal(inner_progress.value_or(Progress::kRunning));
}

State State::inner() const {
  State state;
  state.object = inner_object;
  // Values that the inner object lacks may be in the outer one.
  state.inner_object = object;
  state.id = id;
  state.word = inner_word;
  state.progress = inner_progress.value_or(Progress::kRunning);
  return state;
}

std::optional<Progress> ProgressOf(absl::string_view word, UnitKind kind,
                                   std::span<const StateWord> documented, bool& unknown) {
  unknown = false;
  const std::string normal = Normal(word);
  for (const StateWord& known : documented) {
    if (known.word == normal) return known.progress;
  }
  const std::optional<Progress> own =
      kind == UnitKind::kVideo ? Find(kTasks, normal) : Find(kRegistered, normal);
  if (own.has_value()) return own;
  if (const std::optional<Progress> shared = Find(kShared, normal); shared.has_value()) {
    return shared;
  }
  unknown = true;
  return Progress::kRunning;
}

bool IsKnownStateWord(absl::string_view word) {
  const std::string normal = Normal(word);
  return Find(kShared, normal).has_value() || Find(kRegistered, normal).has_value();
}

bool SaysWorkFailed(const Answer& answer) {
  constexpr absl::string_view kWords[] = {"failed",   "failure", "fail",
                                          "rejected", "refused", "失败"};
  const std::span<const Value* const> layers = answer.layers();
  return std::any_of(layers.begin(), layers.end(), [&](const Value* object) {
    return std::find(std::begin(kWords), std::end(kWords), Normal(WordIn(*object))) !=
           std::end(kWords);
  });
}

namespace {

// Whether a final state in an object that names no unit may be that of the call: its words are
// about the key, a rate limit, or a lost answer.
bool FailedTheCall(const Answer& answer) {
  const Words words = WordsOf(answer);
  Meaning meaning = MeaningOfCode(words.code, {});
  if (meaning == Meaning::kNone) meaning = MeaningOfText(words.message);
  return meaning == Meaning::kDoubt || meaning == Meaning::kCredentials ||
         meaning == Meaning::kRateLimited || meaning == Meaning::kOutOfCredit;
}

// Whether a success is that of the call: it names no unit and has no result, and what the call
// gives stands under a key of its own, without a state, or its words tell of something else.
bool SucceededTheCall(const Answer& answer, const State& state, UnitKind kind) {
  const auto& members = state.object->GetObject();
  const bool wraps = std::any_of(members.begin(), members.end(), [](const auto& member) {
    return IsEnvelopeKey({member.name.GetString(), member.name.GetStringLength()});
  });
  const bool says_otherwise = MeaningOfText(WordsOf(answer).message) != Meaning::kNone;
  if (!wraps && !says_otherwise) return false;
  if (kind != UnitKind::kVideo) return true;
  const Link link = FindVideo(answer.layers(), {});
  return link.url.empty() && !link.is_inline;
}

}  // namespace

std::optional<State> FindState(const Answer& answer, const StateNames& names,
                               absl::string_view asked) {
  const std::span<const Value* const> layers = answer.layers();
  const auto names_unit = [&](std::size_t i) { return !IdOfObject(*layers[i], names.ids).empty(); };
  const auto has_word = [&](std::size_t i) { return !WordIn(*layers[i]).empty(); };
  const auto next = [&](std::size_t from, const auto& fits) {
    while (from < layers.size() && !fits(from)) ++from;
    return from;
  };
  const auto names_asked = [&](std::size_t i) {
    return !asked.empty() && absl::EqualsIgnoreCase(IdOfObject(*layers[i], names.ids), asked);
  };
  std::size_t at = next(0, [&](std::size_t i) { return has_word(i) && names_asked(i); });
  if (at == layers.size()) {
    at = next(0, [&](std::size_t i) { return has_word(i) && names_unit(i); });
  }
  if (at == layers.size()) {
    // No object names the unit. A success in the outermost one may be that of the call, where an
    // inner object has a state too.
    at = next(0, has_word);
    const std::size_t deeper = next(at + 1, has_word);
    bool unknown = false;
    if (deeper < layers.size() && at == 0 &&
        ProgressOf(WordIn(*layers[at]), names.kind, names.words, unknown) == Progress::kSucceeded) {
      at = deeper;
    }
  }
  if (at >= layers.size()) return std::nullopt;
  State state;
  state.object = layers[at];
  state.id = IdOfObject(*state.object, names.ids);
  state.word = WordIn(*state.object);
  const std::optional<Progress> progress =
      ProgressOf(state.word, names.kind, names.words, state.unknown);
  state.no_news = !progress.has_value();
  state.progress = progress.value_or(Progress::kRunning);
  const bool ended_badly = state.progress == Progress::kFailed ||
                           state.progress == Progress::kGone ||
                           state.progress == Progress::kCancelled;
  if (!answer.ok()) {
    // Where the call failed, only a state of the polled unit counts, and not a failure, which may
    // be the call's.
    if (!names_asked(at) || state.unknown || ended_badly) return std::nullopt;
  } else if (at == 0 && state.id.empty()) {
    if (ended_badly && FailedTheCall(answer)) return std::nullopt;
    if (MayBeTheCalls(Normal(state.word)) && state.progress == Progress::kSucceeded &&
        SucceededTheCall(answer, state, names.kind)) {
      return std::nullopt;
    }
  }
  for (std::size_t i = at + 1; i < layers.size() && state.inner_object == nullptr; ++i) {
    const std::string word = WordIn(*layers[i]);
    if (word.empty()) continue;
    bool unknown = false;
    state.inner_object = layers[i];
    state.inner_word = word;
    state.inner_progress = ProgressOf(word, names.kind, names.words, unknown);
  }
  return state;
}

}  // namespace assetgate::provider::answers
