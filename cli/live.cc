#include "cli/live.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/proto_time.h"

namespace assetgate::cli {
namespace {

// "◐ " and the longest state.
constexpr int kStateWidth = 13;

// How many resources are in one state.
struct Count {
  std::string state;
  Tone tone;
  int number = 0;
};

// One of the two tables.
struct Section {
  std::string heading;  // "Assets"
  std::string title;    // "ASSET"
  bool progress = false;
  int total = 0;
  bool complete = true;
  std::vector<Count> counts;  // In the order of the states' numbers.
  std::vector<Entry> entries;
  int hidden = 0;
};

template <typename Watch, typename State>
Section SectionOf(const Holdings<Watch>& holdings, absl::string_view heading,
                  absl::string_view title, std::initializer_list<State> states, absl::Time now) {
  using Resource = typename Watch::Resource;
  Section section;
  section.heading = std::string(heading);
  section.title = std::string(title);
  section.complete = holdings.complete();
  for (const State state : states) {
    section.counts.push_back(
        {absl::AsciiStrToLower(Resource::State_Name(state)), ToneOf(state), 0});
  }
  for (const auto& [name, resource] : holdings.shown()) {
    ++section.total;
    const std::size_t i = static_cast<std::size_t>(
        std::find(states.begin(), states.end(), resource.state()) - states.begin());
    if (i < section.counts.size()) ++section.counts[i].number;
    section.entries.push_back(EntryOf(resource, now));
  }
  std::stable_sort(section.entries.begin(), section.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.created < b.created; });
  return section;
}

int LinesOf(const Section& section) {
  int lines = 1;  // The heading.
  if (!section.entries.empty()) ++lines;
  for (const Entry& entry : section.entries) lines += static_cast<int>(entry.rows.size());
  if (section.hidden > 0) ++lines;
  return lines;
}

int LinesOf(const std::vector<Section>& sections) {
  int lines = static_cast<int>(sections.size()) - 1;  // Empty lines between.
  for (const Section& section : sections) lines += LinesOf(section);
  return lines;
}

// Takes out the oldest (or newest) entry that `may_go`. False when there is none.
template <typename Predicate>
bool HideOne(std::vector<Section>& sections, bool oldest, Predicate may_go) {
  Section* from = nullptr;
  std::size_t which = 0;
  for (Section& section : sections) {
    for (std::size_t i = 0; i < section.entries.size(); ++i) {
      const Entry& entry = section.entries[i];
      if (!may_go(entry)) continue;
      if (from == nullptr || (oldest ? entry.created < from->entries[which].created
                                     : entry.created >= from->entries[which].created)) {
        from = &section;
        which = i;
      }
    }
  }
  if (from == nullptr) return false;
  from->entries.erase(from->entries.begin() + static_cast<std::ptrdiff_t>(which));
  ++from->hidden;
  return true;
}

void HideWhatDoesNotFit(std::vector<Section>& sections, int height) {
  while (LinesOf(sections) > height) {
    if (!HideOne(sections, true, [](const Entry& entry) { return entry.good; }) &&
        !HideOne(sections, true, [](const Entry& entry) { return entry.settled; }) &&
        !HideOne(sections, false, [](const Entry&) { return true; })) {
      return;
    }
  }
}

std::string HeadingOf(const Section& section, int width, const Look& look) {
  // Pieces that do not fit are left out whole: painted text cannot be cut.
  std::string line = Paint(section.heading, Tone::kStrong, look);
  int used = DisplayWidth(section.heading);
  const auto add = [&](const std::string& plain, Tone tone) {
    const int needed = 3 + DisplayWidth(plain);
    if (used + needed > width) return;
    absl::StrAppend(&line, "   ", Paint(plain, tone, look));
    used += needed;
  };
  const std::string total = absl::StrCat(" ", section.total);
  absl::StrAppend(&line, Paint(total, Tone::kStrong, look));
  used += DisplayWidth(total);
  if (section.total == 0) add(section.complete ? "none" : "...", Tone::kQuiet);
  for (const Count& count : section.counts) {
    if (count.number == 0) continue;
    add(absl::StrCat(MarkOf(count.tone, look), " ", count.number, " ", count.state), count.tone);
  }
  return line;
}

Cell StateCell(const Row& row, const Look& look) {
  const std::string text =
      absl::StrCat(MarkOf(row.tone, look), " ", row.state.empty() ? "?" : Sanitize(row.state));
  return {Paint(text, row.tone, look), row.tone, DisplayWidth(text)};
}

Cell ProgressCell(const Row& row, int bar, const Look& look) {
  if (!row.percent.has_value() || row.tone == Tone::kBad) return {};
  if (bar == 0) return {absl::StrCat(*row.percent, "%"), row.tone, std::nullopt};
  return {absl::StrCat(ProgressBar(*row.percent, bar, row.tone, look),
                       absl::StrFormat(" %3d%%", *row.percent)),
          row.tone, bar + 5};
}

Cell TimeCell(const Row& row, absl::Time now) {
  if (row.took.has_value()) return {ShortDuration(*row.took), Tone::kQuiet, std::nullopt};
  if (row.since.has_value()) return {ShortDuration(now - *row.since), Tone::kPlain, std::nullopt};
  return {};
}

void RenderSection(const Section& section, const LiveFrame& frame, int name_width,
                   int provider_width, const Look& look, std::vector<std::string>& lines) {
  lines.push_back(HeadingOf(section, frame.width, look));
  const int bar = frame.width >= 100 ? 16 : frame.width >= 76 ? 8 : 0;
  std::vector<Column> columns = {{section.title, name_width, false, 12},
                                 {"STATE", kStateWidth, false, 0},
                                 {"PROVIDER", provider_width, false, 0},
                                 {"TIME", 6, true, 0}};
  if (section.progress) columns.push_back({bar == 0 ? "" : "PROGRESS", bar + (bar == 0 ? 4 : 5)});
  columns.push_back({"DETAIL", 0, false, 10});

  std::vector<std::vector<Cell>> rows;
  for (const Entry& entry : section.entries) {
    for (const Row& row : entry.rows) {
      std::vector<Cell> cells;
      const bool first = &row == &entry.rows.front();
      cells.push_back({first ? std::string(IdOf(entry.name)) : "", Tone::kPlain, std::nullopt});
      cells.push_back(StateCell(row, look));
      cells.push_back({row.provider, Tone::kPlain, std::nullopt});
      cells.push_back(TimeCell(row, frame.now));
      if (section.progress) cells.push_back(ProgressCell(row, bar, look));
      cells.push_back({row.detail, row.detail_tone, std::nullopt});
      rows.push_back(std::move(cells));
    }
  }
  if (!rows.empty()) {
    auto table = LayOut(columns, rows, look, frame.width);
    lines.insert(lines.end(), std::make_move_iterator(table.begin()),
                 std::make_move_iterator(table.end()));
  }
  if (section.hidden > 0) {
    lines.push_back(
        Paint(Fit(absl::StrCat(look.utf8 ? "… " : "... ", section.hidden, " more, not shown here"),
                  frame.width, look),
              Tone::kQuiet, look));
  }
}

std::string Stamp(bool has_time, const google::protobuf::Timestamp& time, absl::Time now) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", has_time ? base::FromProto(time) : now,
                          absl::UTCTimeZone());
}

// What RESET and DELETE have in common; nullopt for a PUT.
template <typename Event>
std::optional<std::string> RenderOther(const Event& event, absl::string_view collection,
                                       absl::string_view name, absl::Time now, const Look& look) {
  const std::string stamp = Stamp(false, {}, now);
  switch (event.type()) {
    case v1::PUT:
      return std::nullopt;
    case v1::RESET:
      if (event.reset_reason() == v1::FRESH) return "";
      return absl::StrCat(stamp, "  ", collection, "  ",
                          Paint(absl::StrCat("RESET (", v1::ResetReason_Name(event.reset_reason()),
                                             "): the watch starts over"),
                                Tone::kWaiting, look));
    case v1::DELETE:
      return absl::StrCat(stamp, "  ", Sanitize(name), "  ",
                          Paint(v1::DeleteCause_Name(event.delete_cause()), Tone::kQuiet, look));
    default:
      return "";
  }
}

}  // namespace

std::vector<std::string> RenderLive(const WatchModel& model, const LiveFrame& frame,
                                    const Look& look) {
  using A = v1::Asset;
  using V = v1::VideoTask;
  std::vector<Section> sections;
  if (frame.assets) {
    sections.push_back(SectionOf(model.assets, "Assets", "ASSET",
                                 {A::ACTIVE, A::PROCESSING, A::REGISTERED, A::FAILED}, frame.now));
  }
  if (frame.videos) {
    sections.push_back(SectionOf(
        model.videos, "Videos", "VIDEO",
        {V::SUCCEEDED, V::RUNNING, V::QUEUED, V::PENDING, V::UNCONFIRMED, V::CANCELLED, V::FAILED},
        frame.now));
    sections.back().progress = true;
  }
  // Both tables use the same widths, measured before anything is hidden: what comes and goes does
  // not move the columns.
  int name_width = 12;
  int provider_width = 8;
  for (const Section& section : sections) {
    for (const Entry& entry : section.entries) {
      name_width = std::max(name_width, DisplayWidth(Sanitize(IdOf(entry.name))));
      for (const Row& row : entry.rows) {
        provider_width = std::max(provider_width, DisplayWidth(Sanitize(row.provider)));
      }
    }
  }
  if (frame.height > 0) {
    HideWhatDoesNotFit(sections, frame.height - (frame.trouble.empty() ? 0 : 2));
  }

  std::vector<std::string> lines;
  for (const Section& section : sections) {
    if (&section != &sections.front()) lines.emplace_back();
    RenderSection(section, frame, name_width, provider_width, look, lines);
  }
  if (!frame.trouble.empty()) {
    lines.emplace_back();
    lines.push_back(Paint(Fit(Sanitize(frame.trouble), frame.width, look), Tone::kWaiting, look));
  }
  if (frame.height > 0 && static_cast<int>(lines.size()) > frame.height) {
    lines.resize(static_cast<std::size_t>(frame.height));
  }
  return lines;
}

std::vector<std::string> RenderResults(const WatchModel& model, const Look& look) {
  std::vector<std::string> lines;
  for (const auto& [name, task] : model.videos.newest()) {
    if (!task.has_video()) continue;
    lines.push_back(absl::StrCat(Paint(Sanitize(name), Tone::kStrong, look), "  ",
                                 Sanitize(task.video().uri())));
  }
  return lines;
}

std::string RenderEvent(const v1::AssetEvent& event, absl::Time now, const Look& look) {
  const v1::Asset& asset = event.asset();
  if (auto other = RenderOther(event, "assets", asset.name(), now, look)) return *other;
  std::string line = absl::StrCat(
      Stamp(asset.has_update_time(), asset.update_time(), now), "  ", Sanitize(asset.name()), "  ",
      Paint(v1::Asset::State_Name(asset.state()), ToneOf(asset.state()), look));
  for (const v1::Placement& placement : asset.placements()) {
    absl::StrAppend(
        &line, "  ", Sanitize(IdOf(placement.provider())), "=",
        Paint(v1::Placement::State_Name(placement.state()), ToneOf(placement.state()), look));
  }
  for (const Row& row : EntryOf(asset, now).rows) {
    if (row.detail.empty() || row.tone == Tone::kGood || row.provider.empty()) continue;
    absl::StrAppend(&line, "  ", Paint(Sanitize(row.detail), row.detail_tone, look));
  }
  return line;
}

std::string RenderEvent(const v1::VideoTaskEvent& event, absl::Time now, const Look& look) {
  const v1::VideoTask& task = event.video_task();
  if (auto other = RenderOther(event, "videoTasks", task.name(), now, look)) return *other;
  std::string line = absl::StrCat(
      Stamp(task.has_update_time(), task.update_time(), now), "  ", Sanitize(task.name()), "  ",
      Paint(v1::VideoTask::State_Name(task.state()), ToneOf(task.state()), look));
  if (task.has_progress_percent()) absl::StrAppend(&line, "  ", task.progress_percent(), "%");
  if (const absl::string_view provider = ProviderOf(task); !provider.empty()) {
    absl::StrAppend(&line, "  ", Sanitize(provider));
  }
  for (const Row& row : EntryOf(task, now).rows) {
    if (row.detail.empty()) continue;
    absl::StrAppend(&line, "  ", Paint(Sanitize(row.detail), row.detail_tone, look));
  }
  return line;
}

}  // namespace assetgate::cli
