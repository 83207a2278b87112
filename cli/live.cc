#include "cli/live.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/proto_time.h"

namespace assetgate::cli {
namespace {

// The width of "◐ " and the longest state.
constexpr int kStateWidth = 13;
constexpr int kTimeWidth = 6;
// The width of the longest states, UNCONFIRMED and UNAVAILABLE.
constexpr int kEventStateWidth = 11;
// The minimum width of the details.
constexpr int kDetailWidth = 10;

// The order of the counts in a heading: successes first, failures last, where they are noticed.
int Rank(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return 0;
    case Tone::kWorking:
      return 1;
    case Tone::kWaiting:
      return 2;
    case Tone::kBad:
      return 4;
    default:
      return 3;
  }
}
Tone ToneAt(int rank) {
  static constexpr Tone kTones[] = {Tone::kGood, Tone::kWorking, Tone::kWaiting, Tone::kQuiet,
                                    Tone::kBad};
  return kTones[rank];
}

// The kind of resource in a table.
enum class Subject { kAssets, kVideos, kProviders };
const char* TitleOf(Subject subject) {
  switch (subject) {
    case Subject::kAssets:
      return "ASSET";
    case Subject::kVideos:
      return "VIDEO";
    case Subject::kProviders:
      return "PROVIDER";
  }
  return "";
}

// One table of a frame.
struct Section {
  Subject subject;
  bool complete = true;
  int total = 0;
  int rows = 0;
  // Rows by the rank of their tone and their state.
  std::map<std::pair<int, std::string>, int> counts;
  std::vector<Entry> entries;
  int hidden = 0;
};

template <typename Watch>
Section SectionOf(const Holdings<Watch>& holdings, Subject subject, absl::Time now) {
  Section section{subject};
  section.complete = holdings.complete();
  for (const auto& [name, resource] : holdings.shown()) {
    ++section.total;
    section.entries.push_back(EntryOf(resource, now));
    for (const Row& row : section.entries.back().rows) {
      ++section.rows;
      ++section.counts[{Rank(row.tone), row.state}];
    }
  }
  std::stable_sort(section.entries.begin(), section.entries.end(),
                   [](const Entry& a, const Entry& b) { return a.created < b.created; });
  return section;
}

// The lines that a section takes; updated while entries are hidden.
struct Extent {
  int entries = 0;
  int rows = 0;
  int hidden = 0;
  int lines() const { return 1 + (entries > 0 ? 1 + rows : 0) + (hidden > 0 ? 1 : 0); }
};

// Hides entries until all sections together take at most `height` lines: first the successful ones,
// then the other settled ones, oldest first; then the unfinished ones, newest first.
void HideWhatDoesNotFit(std::vector<Section>& sections, int height) {
  struct Candidate {
    int rank;
    absl::Duration order;  // Smaller goes first.
    std::size_t section;
    std::size_t entry;
  };
  std::vector<Candidate> candidates;
  std::vector<Extent> extents(sections.size());
  for (std::size_t s = 0; s < sections.size(); ++s) {
    for (std::size_t e = 0; e < sections[s].entries.size(); ++e) {
      const Entry& entry = sections[s].entries[e];
      const absl::Duration age = absl::UnixEpoch() - entry.created;
      const int rank = entry.good ? 0 : entry.settled ? 1 : 2;
      candidates.push_back({rank, rank == 2 ? age : -age, s, e});
      ++extents[s].entries;
      extents[s].rows += static_cast<int>(entry.rows.size());
    }
  }
  const auto lines = [&] {
    int sum = static_cast<int>(sections.size()) - 1;  // Empty lines between.
    for (const Extent& extent : extents) sum += extent.lines();
    return sum;
  };
  if (lines() <= height) return;
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return std::tie(a.rank, a.order) < std::tie(b.rank, b.order);
                   });
  for (const Candidate& candidate : candidates) {
    if (lines() <= height) break;
    Entry& entry = sections[candidate.section].entries[candidate.entry];
    Extent& extent = extents[candidate.section];
    --extent.entries;
    extent.rows -= static_cast<int>(entry.rows.size());
    ++extent.hidden;
    entry.rows.clear();
  }
  for (std::size_t s = 0; s < sections.size(); ++s) {
    std::erase_if(sections[s].entries, [](const Entry& entry) { return entry.rows.empty(); });
    sections[s].hidden = extents[s].hidden;
  }
}

std::string HeadingOf(const Section& section, int width, const Look& look) {
  std::string subject = absl::StrCat(section.subject == Subject::kAssets   ? "Assets "
                                     : section.subject == Subject::kVideos ? "Videos "
                                                                           : "Providers ",
                                     section.total);
  if (section.rows != section.total) absl::StrAppend(&subject, ", placements ", section.rows);
  std::string line = Paint(Fit(subject, width, look), Tone::kStrong, look);
  int used = DisplayWidth(subject);
  // Leaves out a piece that does not fit.
  const auto add = [&](const std::string& plain, Tone tone) {
    const int needed = 3 + DisplayWidth(plain);
    if (used + needed > width) return;
    absl::StrAppend(&line, "   ", Paint(plain, tone, look));
    used += needed;
  };
  if (section.total == 0) add(section.complete ? "none" : "...", Tone::kQuiet);
  for (const auto& [state, number] : section.counts) {
    const Tone tone = ToneAt(state.first);
    add(absl::StrCat(MarkOf(tone, look), " ", number, " ",
                     absl::AsciiStrToLower(Sanitize(state.second))),
        tone);
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
  const bool progress = section.subject == Subject::kVideos;
  // Assets and videos have a provider and a duration; providers do not.
  const bool work = section.subject != Subject::kProviders;
  // The longest bar that leaves space for whole names and the minimum of details.
  const int taken = name_width + kStateWidth + provider_width + kTimeWidth + kDetailWidth + 5 * 2;
  int bar = 0;
  for (const int length : {8, 16}) {
    if (frame.width >= 60 + 2 * length && frame.width >= taken + length + 5) bar = length;
  }
  std::vector<Column> columns = {{TitleOf(section.subject), name_width, false, 12},
                                 {"STATE", kStateWidth, false, 0}};
  if (work) {
    columns.push_back({"PROVIDER", provider_width, false, 0});
    columns.push_back({"TIME", kTimeWidth, true, 0});
  }
  if (progress) columns.push_back({bar == 0 ? "" : "PROGRESS", bar + (bar == 0 ? 4 : 5)});
  columns.push_back({"DETAIL", 6, false, kDetailWidth});

  std::vector<std::vector<Cell>> rows;
  for (const Entry& entry : section.entries) {
    for (const Row& row : entry.rows) {
      std::vector<Cell> cells;
      const bool first = &row == &entry.rows.front();
      cells.push_back({first ? std::string(IdOf(entry.name)) : "", Tone::kPlain, std::nullopt});
      cells.push_back(StateCell(row, look));
      if (work) {
        cells.push_back({row.provider, Tone::kPlain, std::nullopt});
        cells.push_back(TimeCell(row, frame.now));
      }
      if (progress) cells.push_back(ProgressCell(row, bar, look));
      cells.push_back({row.detail, row.detail_tone, std::nullopt});
      rows.push_back(std::move(cells));
    }
  }
  if (!rows.empty()) {
    auto table = LayOut(std::move(columns), std::move(rows), look, frame.width);
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

template <typename Event>
std::string CauseOf(const Event& event) {
  return v1::DeleteCause_Name(event.delete_cause());
}
std::string CauseOf(const v1::ProviderEvent&) { return "no longer configured"; }

// One line of a watch. It always has the same five columns, with "-" for an empty one, so that a
// script finds each by its position; the details follow.
struct EventLine {
  std::string stamp;
  std::string name;
  std::string state;
  Tone tone = Tone::kPlain;
  std::optional<int> percent;
  std::string providers;
  std::vector<std::string> details;  // Sanitized, painted.
};

std::string ToString(const EventLine& line, const Look& look) {
  const std::string state = line.state.empty() ? "-" : Sanitize(line.state);
  const std::string padding(
      static_cast<std::size_t>(std::max(0, kEventStateWidth - DisplayWidth(state))), ' ');
  const std::string percent =
      line.percent.has_value() ? absl::StrCat(*line.percent, "%") : std::string("-");
  std::string text = absl::StrCat(
      line.stamp, "  ", Sanitize(line.name), "  ", Paint(state, line.tone, look), padding, "  ",
      absl::StrFormat("%4s", percent), "  ", line.providers.empty() ? "-" : line.providers);
  for (const std::string& detail : line.details) absl::StrAppend(&text, "  ", detail);
  return text;
}

// The line for a RESET or a DELETE, empty for a bookmark; nullopt for a PUT.
template <typename Event>
std::optional<std::string> RenderOther(const Event& event, absl::string_view collection,
                                       absl::string_view name, absl::Time now, const Look& look) {
  EventLine line;
  line.stamp = Stamp(false, {}, now);
  switch (event.type()) {
    case v1::PUT:
      return std::nullopt;
    case v1::RESET:
      if (event.reset_reason() == v1::FRESH) return "";
      line.name = std::string(collection);
      line.state = "RESET";
      line.tone = Tone::kWaiting;
      line.details.push_back(
          Paint(absl::StrCat(v1::ResetReason_Name(event.reset_reason()), ": the watch starts over"),
                Tone::kWaiting, look));
      return ToString(line, look);
    case v1::DELETE:
      line.name = std::string(name);
      line.state = CauseOf(event);
      line.tone = Tone::kQuiet;
      return ToString(line, look);
    default:
      return "";
  }
}

}  // namespace

std::vector<std::string> RenderLive(const WatchModel& model, const LiveFrame& frame,
                                    const Look& look) {
  std::vector<Section> sections;
  if (frame.assets) sections.push_back(SectionOf(model.assets, Subject::kAssets, frame.now));
  if (frame.videos) sections.push_back(SectionOf(model.videos, Subject::kVideos, frame.now));
  if (frame.providers) {
    sections.push_back(SectionOf(model.providers, Subject::kProviders, frame.now));
  }
  // All tables share their column widths, measured before entries are hidden, so that hiding does
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
  int name_width = 0;
  for (const auto& [name, task] : model.videos.newest()) {
    if (task.has_video()) name_width = std::max(name_width, DisplayWidth(Sanitize(name)));
  }
  std::vector<std::string> lines;
  for (const auto& [raw_name, task] : model.videos.newest()) {
    if (!task.has_video()) continue;
    const std::string name = Sanitize(raw_name);
    lines.push_back(absl::StrCat(
        Paint(name, Tone::kStrong, look),
        std::string(static_cast<std::size_t>(name_width - DisplayWidth(name)) + 2, ' '),
        Sanitize(task.video().uri())));
  }
  return lines;
}

std::string RenderEvent(const v1::AssetEvent& event, absl::Time now, const Look& look) {
  const v1::Asset& asset = event.asset();
  if (auto other = RenderOther(event, "assets", asset.name(), now, look)) return *other;
  EventLine line{.stamp = Stamp(asset.has_update_time(), asset.update_time(), now),
                 .name = asset.name(),
                 .state = v1::Asset::State_Name(asset.state()),
                 .tone = ToneOf(asset.state())};
  for (const v1::Placement& placement : asset.placements()) {
    absl::StrAppend(
        &line.providers, line.providers.empty() ? "" : ",", Sanitize(IdOf(placement.provider())),
        "=", Paint(v1::Placement::State_Name(placement.state()), ToneOf(placement.state()), look));
  }
  for (const Row& row : EntryOf(asset, now).rows) {
    if (row.detail.empty() || row.tone == Tone::kGood || row.provider.empty()) continue;
    line.details.push_back(Paint(Sanitize(row.detail), row.detail_tone, look));
  }
  return ToString(line, look);
}

std::string RenderEvent(const v1::VideoTaskEvent& event, absl::Time now, const Look& look) {
  const v1::VideoTask& task = event.video_task();
  if (auto other = RenderOther(event, "videoTasks", task.name(), now, look)) return *other;
  EventLine line{.stamp = Stamp(task.has_update_time(), task.update_time(), now),
                 .name = task.name(),
                 .state = v1::VideoTask::State_Name(task.state()),
                 .tone = ToneOf(task.state()),
                 .providers = Sanitize(ProviderOf(task))};
  if (task.has_progress_percent()) line.percent = task.progress_percent();
  for (const Row& row : EntryOf(task, now).rows) {
    if (row.detail.empty()) continue;
    line.details.push_back(Paint(Sanitize(row.detail), row.detail_tone, look));
  }
  return ToString(line, look);
}

std::string RenderEvent(const v1::ProviderEvent& event, absl::Time now, const Look& look) {
  const v1::Provider& provider = event.provider();
  if (auto other = RenderOther(event, "providers", provider.name(), now, look)) return *other;
  EventLine line{.stamp = Stamp(false, {}, now),
                 .name = provider.name(),
                 .state = v1::Provider::State_Name(provider.state()),
                 .tone = ToneOf(provider.state())};
  for (const Row& row : EntryOf(provider, now).rows) {
    if (row.detail.empty()) continue;
    line.details.push_back(Paint(Sanitize(row.detail), row.detail_tone, look));
  }
  return ToString(line, look);
}

}  // namespace assetgate::cli
