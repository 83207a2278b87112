#include "watch/replay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "watch/resume_token.h"

namespace assetgate::watch {
namespace {

store::ChangePtr ChangeOf(store::Row row) {
  auto change = std::make_shared<store::Change>();
  change->key = std::move(row.key);
  change->revision = row.revision;
  change->create_revision = row.create_revision;
  change->settled = row.content.settled;
  change->resource = std::move(row.content.resource);
  return change;
}

absl::Status Unknown(store::Kind kind, const std::string& id) {
  absl::string_view type = "assetgate.v1.Asset";
  absl::string_view collection = "assets/";
  absl::string_view noun = "asset";
  if (kind == store::Kind::kVideoTask) {
    type = "assetgate.v1.VideoTask";
    collection = "videoTasks/";
    noun = "video task";
  } else if (kind == store::Kind::kAssetGroup) {
    type = "assetgate.v1.AssetGroup";
    collection = "assetGroups/";
    noun = "asset group";
  }
  const std::string name = absl::StrCat(collection, id);
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("no ", noun, " \"", name, "\""))
      .Resource(type, name);
}

}  // namespace

void ShownRanges::Add(store::Revision oldest, store::Revision revision) {
  if (!pieces_.empty() && pieces_.back().revision == revision) {
    pieces_.back().oldest = oldest;
  } else {
    pieces_.push_back({oldest, revision});
  }
}

store::Revision ShownRanges::AsOf(store::Revision create_revision) const {
  return std::partition_point(
             pieces_.begin(), pieces_.end(),
             [create_revision](const Piece& piece) { return piece.oldest > create_revision; })
      ->revision;
}

Replay::Replay(store::Store& store, const Interest& interest, absl::string_view resume_token,
               bool until_settled, const Options& options)
    : store_(store), interest_(interest), options_(options) {
  if (resume_token.empty()) {
    ids_must_exist_ = true;
    StartOver(v1::FRESH);
    return;
  }
  const ResumePoint point =
      ReadResumeToken(resume_token, store_.store_id(), interest_.Fingerprint());
  switch (point.verdict) {
    case ResumePoint::Verdict::kOtherStore:
      StartOver(v1::OTHER_STORE);
      return;
    case ResumePoint::Verdict::kOtherFilter:
      StartOver(v1::OTHER_FILTER);
      return;
    case ResumePoint::Verdict::kValid:
      break;
  }
  ContinueAfter(point.revision);
  if (until_settled) stage_ = Stage::kUnsettled;
}

void Replay::StartOver(v1::ResetReason reason) {
  stage_ = Stage::kBegin;
  reset_ = reason;
  ForgetShown();
}

void Replay::ContinueAfter(store::Revision revision) {
  stage_ = Stage::kLog;
  reset_.reset();
  ForgetShown();
  upto_ = revision;
}

absl::StatusOr<Replay::Page> Replay::Next() {
  if (stage_ == Stage::kUnsettled) return ReadUnsettled();
  if (stage_ == Stage::kLog) {
    absl::StatusOr<Page> page = ReadLog();
    // Unless the reader has to start over.
    if (!page.ok() || stage_ == Stage::kLog) return page;
  }
  if (stage_ == Stage::kBegin) {
    absl::Status begun = Begin();
    if (!begun.ok()) return begun;
    stage_ = Stage::kRows;
  }
  return ReadRows();
}

absl::StatusOr<Replay::Rows> Replay::ReadMatching() {
  if (!interest_.ids.empty()) return ReadGivenIds();
  store::ListQuery query;
  query.tenant = interest_.tenant;
  query.kind = interest_.kind;
  query.filter = interest_.filter;
  query.after_create_revision = after_create_revision_;
  query.limit = options_.rows_per_page;
  query.max_bytes = options_.bytes_per_page;
  absl::StatusOr<store::ListPage> page = store_.List(query);
  if (!page.ok()) return page.status();
  if (!after_create_revision_.has_value()) began_ = page->head;
  compare_upto_ = page->head;
  if (page->more) after_create_revision_ = page->end;
  shown_rows_.Add(page->more ? page->end : 0, page->head);
  return Rows{std::move(page->rows), page->more};
}

absl::StatusOr<Replay::Rows> Replay::ReadGivenIds() {
  Rows found;
  std::size_t end = std::min(interest_.ids.size(), next_id_ + options_.rows_per_page);
  std::vector<store::Revision> as_of;
  std::size_t bytes = 0;
  for (std::size_t i = next_id_; i < end; ++i) {
    absl::StatusOr<std::optional<store::Row>> row = Get(interest_.ids[i]);
    if (!row.ok()) return row.status();
    as_of.push_back(row->has_value() ? std::max(began_, (*row)->revision) : began_);
    if (row->has_value() && interest_.filter.Matches((*row)->content.terms)) {
      bytes += (*row)->content.resource.size();
      found.rows.push_back(std::move(**row));
    }
    if (bytes < options_.bytes_per_page) continue;
    // The page is full. If ids must exist, the remaining ones are looked up too.
    for (std::size_t rest = i + 1; ids_must_exist_ && rest < end; ++rest) {
      if (row = Get(interest_.ids[rest]); !row.ok()) return row.status();
    }
    end = i + 1;
  }
  // Only after all rows were read: a page that fails is read again.
  for (const store::Revision revision : as_of) {
    shown_ids_[interest_.ids[next_id_++]] = revision;
    compare_upto_ = std::max(compare_upto_, revision);
  }
  found.more = end < interest_.ids.size();
  return found;
}

void Replay::ForgetShown() {
  after_create_revision_.reset();
  next_id_ = 0;
  compare_upto_ = 0;
  shown_rows_ = ShownRanges();
  shown_ids_.clear();
}

store::Revision Replay::ShownAsOf(const store::Change& change) const {
  return interest_.ids.empty() ? shown_rows_.AsOf(change.create_revision)
                               : shown_ids_.at(change.key.id);
}

absl::StatusOr<Replay::Page> Replay::ReadUnsettled() {
  absl::StatusOr<Rows> read = ReadMatching();
  if (!read.ok()) return read.status();
  for (store::Row& row : read->rows) {
    if (!row.content.settled) unsettled_.emplace(std::move(row.key.id), row.revision);
  }
  Page page;
  if (!read->more) {
    page.unsettled = std::exchange(unsettled_, {});
    ForgetShown();
    stage_ = Stage::kLog;
  }
  return page;
}

absl::Status Replay::Begin() {
  if (interest_.ids.empty()) return absl::OkStatus();
  // Reads of single rows do not report a head; each is at least as new as this one.
  const absl::StatusOr<store::Revision> head = store_.Head();
  if (!head.ok()) return head.status();
  began_ = *head;
  // The first page looks up the first ids.
  for (std::size_t i = options_.rows_per_page; ids_must_exist_ && i < interest_.ids.size(); ++i) {
    const absl::StatusOr<std::optional<store::Row>> row = Get(interest_.ids[i]);
    if (!row.ok()) return row.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<store::Row>> Replay::Get(const std::string& id) {
  absl::StatusOr<std::optional<store::Row>> row =
      store_.Get({interest_.tenant, interest_.kind, id});
  if (row.ok() && !row->has_value() && ids_must_exist_) return Unknown(interest_.kind, id);
  return row;
}

absl::StatusOr<Replay::Page> Replay::ReadRows() {
  absl::StatusOr<Rows> read = ReadMatching();
  if (!read.ok()) return read.status();
  ids_must_exist_ = false;
  Page page;
  page.events.reserve(read->rows.size() + 1);
  if (reset_.has_value()) page.events.push_back(Event::Reset(*std::exchange(reset_, {})));
  for (store::Row& row : read->rows) page.events.push_back(Event::Put(ChangeOf(std::move(row))));
  if (!read->more) {
    page.snapshot_complete = true;
    stage_ = Stage::kLog;
    upto_ = began_;
    page.upto = upto_;
    page.caught_up = upto_ == compare_upto_;
    if (page.caught_up) ForgetShown();
  }
  return page;
}

absl::StatusOr<Replay::Page> Replay::ReadLog() {
  store::ChangesQuery query;
  query.tenant = interest_.tenant;
  query.kind = interest_.kind;
  query.after = upto_;
  query.limit = options_.changes_per_page;
  query.max_bytes = options_.bytes_per_page;
  absl::StatusOr<store::ChangesPage> read = store_.ReadChanges(query);
  if (!read.ok()) return read.status();
  if (read->head < upto_ || read->compacted) {
    // A token from the future of this store: it was restored from an older copy.
    StartOver(read->head < upto_ ? v1::OTHER_STORE : v1::COMPACTED);
    return Page();
  }
  Page page;
  for (store::ChangePtr& change : read->changes) {
    if (!interest_.Covers(change->key)) continue;
    if (change->revision <= compare_upto_ && change->revision <= ShownAsOf(*change)) continue;
    const std::optional<Effect> effect = EffectOf(interest_.filter, *change);
    if (effect.has_value()) page.events.push_back(EventOf(*effect, std::move(change)));
  }
  upto_ = read->upto;
  page.upto = upto_;
  // The hub does not know what the snapshot showed.
  page.caught_up = upto_ >= read->head && upto_ >= compare_upto_;
  if (upto_ >= compare_upto_) ForgetShown();
  return page;
}

}  // namespace assetgate::watch
