#include "model/resource.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace assetgate::model {
namespace {

// Terms are stored, so a prefix never changes its meaning.
constexpr absl::string_view kProviderTerm = "provider:";
constexpr absl::string_view kStateTerm = "state:";
constexpr absl::string_view kLabelTerm = "label:";
constexpr absl::string_view kGroupTerm = "group:";
constexpr absl::string_view kMediaTypeTerm = "media:";
constexpr absl::string_view kUpstreamIdTerm = "upstream:";
constexpr absl::string_view kModelTerm = "model:";
constexpr absl::string_view kAssetTerm = "asset:";
// Only unfinished tasks have it.
constexpr absl::string_view kInUseTerm = "uses:";
constexpr absl::string_view kUnfinishedOfTerm = "unfinished_of:";

// Collects terms without duplicates.
class Terms {
 public:
  void Add(absl::string_view prefix, absl::string_view value) {
    if (!value.empty()) terms_.insert(absl::StrCat(prefix, value));
  }
  template <typename Labels>
  void AddLabels(const Labels& labels) {
    for (const auto& [key, value] : labels)
      terms_.insert(absl::StrCat(kLabelTerm, key, "=", value));
  }
  std::vector<std::string> Take() && { return {terms_.begin(), terms_.end()}; }

 private:
  std::set<std::string> terms_;
};

template <typename Values, typename ToText>
void AddClause(store::TermFilter& filter, absl::string_view prefix, const Values& values,
               ToText to_text) {
  if (values.empty()) return;
  std::vector<std::string> clause;
  for (const auto& value : values) clause.push_back(absl::StrCat(prefix, to_text(value)));
  std::sort(clause.begin(), clause.end());
  clause.erase(std::unique(clause.begin(), clause.end()), clause.end());
  filter.clauses.push_back(std::move(clause));
}

template <typename Labels>
void AddLabelClauses(store::TermFilter& filter, const Labels& labels) {
  std::set<std::string> sorted;
  for (const auto& [key, value] : labels) sorted.insert(absl::StrCat(kLabelTerm, key, "=", value));
  for (const std::string& label : sorted) filter.clauses.push_back({label});
}

const auto kAsIs = [](const std::string& text) { return text; };
const auto kAsNumber = [](int number) { return absl::StrCat(number); };

// Filters accept a provider's bare id; resources hold the full name.
std::string ProviderName(const std::string& text) {
  return MakeName(kProviders, ParseProvider(text).value_or(text));
}

// Returns whether the bytes could be parsed; if not, `message` is empty.
template <typename Message>
bool Parse(const std::string& bytes, Message& message) {
  if (message.ParseFromString(bytes)) return true;
  message.Clear();
  return false;
}

template <typename Message>
Message ResourceFromRow(const store::Row& row) {
  Message message;
  Parse(row.content.resource, message);
  message.set_revision(row.revision);
  return message;
}

int UnitsOf(const v1::AssetGroup& group) { return group.placements_size(); }
int UnitsOf(const v1::Asset& asset) { return asset.placements_size(); }
int UnitsOf(const v1::VideoTask& task) { return task.attempts_size(); }

template <typename EntityT>
void EntityFromRow(const store::Row& row, EntityT& entity) {
  entity.key = row.key;
  entity.revision = row.revision;
  entity.understood = Parse(row.content.resource, entity.resource);
  entity.understood &= Parse(row.content.internal, entity.record);
  entity.understood &=
      IsUnderstood(entity.resource) && UnitsOf(entity.resource) == entity.record.units_size();
  entity.resource.set_revision(row.revision);
}

// For an enum whose 0 is never stored.
bool IsKnown(v1::Placement::State state) {
  return state != v1::Placement::STATE_UNSPECIFIED && v1::Placement::State_IsValid(state);
}

template <typename Placements>
bool AllKnown(const Placements& placements) {
  return std::all_of(placements.begin(), placements.end(),
                     [](const auto& placement) { return IsKnown(placement.state()); });
}

// The store assigns the revision, so the stored bytes do not hold one.
template <typename EntityT>
store::Content ContentWithoutTerms(const EntityT& entity) {
  store::Content content;
  typename EntityT::Resource resource = entity.resource;
  resource.clear_revision();
  content.resource = resource.SerializeAsString();
  content.internal = entity.record.SerializeAsString();
  content.unfinished = IsUnfinished(entity);
  return content;
}

template <typename Placements>
bool AllFinal(const Placements& placements) {
  return std::all_of(placements.begin(), placements.end(),
                     [](const auto& placement) { return IsFinal(placement.state()); });
}

}  // namespace

absl::string_view CollectionOf(store::Kind kind) {
  switch (kind) {
    case store::Kind::kAssetGroup:
      return kAssetGroups;
    case store::Kind::kAsset:
      return kAssets;
    case store::Kind::kVideoTask:
      return kVideoTasks;
    case store::Kind::kUpstreamDeletion:
      break;
  }
  return "upstreamDeletions";
}

absl::string_view TypeOf(store::Kind kind) {
  switch (kind) {
    case store::Kind::kAssetGroup:
      return "assetgate.v1.AssetGroup";
    case store::Kind::kAsset:
      return "assetgate.v1.Asset";
    case store::Kind::kVideoTask:
      return "assetgate.v1.VideoTask";
    case store::Kind::kUpstreamDeletion:
      break;
  }
  return "assetgate.UpstreamDeletion";
}

std::string MakeName(absl::string_view collection, absl::string_view id) {
  return absl::StrCat(collection, "/", id);
}

bool IsResourceId(absl::string_view id) {
  return !id.empty() && id.size() <= 63 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::optional<std::string> ParseName(absl::string_view collection, absl::string_view name) {
  if (!absl::StartsWith(name, collection)) return std::nullopt;
  name.remove_prefix(collection.size());
  if (name.empty() || name.front() != '/') return std::nullopt;
  name.remove_prefix(1);
  if (!IsResourceId(name)) return std::nullopt;
  return std::string(name);
}

std::optional<std::string> ParseProvider(absl::string_view name) {
  if (IsResourceId(name)) return std::string(name);
  return ParseName(kProviders, name);
}

std::string NewResourceId(absl::Time now) {
  thread_local absl::BitGen random;
  return absl::StrFormat(
      "%012x-%08x%08x", static_cast<std::uint64_t>(absl::ToUnixMillis(now)) & 0xffffffffffffULL,
      absl::Uniform<std::uint32_t>(random), absl::Uniform<std::uint32_t>(random));
}

std::string DefaultGroupId(absl::string_view provider_id) {
  return absl::StrCat("default-", provider_id);
}

v1::AssetGroup GroupFromRow(const store::Row& row) { return ResourceFromRow<v1::AssetGroup>(row); }
v1::Asset AssetFromRow(const store::Row& row) { return ResourceFromRow<v1::Asset>(row); }
v1::VideoTask VideoTaskFromRow(const store::Row& row) {
  return ResourceFromRow<v1::VideoTask>(row);
}

void FromRow(const store::Row& row, GroupEntity& entity) { EntityFromRow(row, entity); }
void FromRow(const store::Row& row, AssetEntity& entity) { EntityFromRow(row, entity); }
void FromRow(const store::Row& row, VideoEntity& entity) { EntityFromRow(row, entity); }

bool IsUnderstood(const v1::AssetGroup& group) { return AllKnown(group.placements()); }

bool IsUnderstood(const v1::Asset& asset) {
  return asset.state() != v1::Asset::STATE_UNSPECIFIED && v1::Asset::State_IsValid(asset.state()) &&
         v1::MediaType_IsValid(asset.media_type()) && AllKnown(asset.placements());
}

bool IsUnderstood(const v1::VideoTask& task) {
  return task.state() != v1::VideoTask::STATE_UNSPECIFIED &&
         v1::VideoTask::State_IsValid(task.state()) &&
         std::all_of(task.references().begin(), task.references().end(),
                     [](const v1::Reference& one) {
                       return v1::Reference::Role_IsValid(one.role()) &&
                              v1::MediaType_IsValid(one.media_type());
                     }) &&
         std::all_of(task.attempts().begin(), task.attempts().end(), [](const v1::Attempt& one) {
           return one.state() != v1::Attempt::STATE_UNSPECIFIED &&
                  v1::Attempt::State_IsValid(one.state()) &&
                  v1::Attempt::Billing_IsValid(one.billing());
         });
}

bool IsUnfinished(const GroupEntity& entity) {
  return entity.understood && !AllFinal(entity.resource.placements());
}

bool IsUnfinished(const AssetEntity& entity) {
  return entity.understood && !AllFinal(entity.resource.placements());
}

bool IsUnfinished(const VideoEntity& entity) {
  if (!entity.understood) return false;
  // A task that the gateway gave up may still get a late result.
  const auto& attempts = entity.resource.attempts();
  const auto& units = entity.record.units();
  return !IsFinal(entity.resource.state()) ||
         std::any_of(units.begin(), units.end(),
                     [](const Unit& unit) { return unit.has_late_until(); }) ||
         std::any_of(attempts.begin(), attempts.end(),
                     [](const v1::Attempt& attempt) { return !IsFinal(attempt.state()); });
}

store::Content ToContent(const GroupEntity& entity) {
  store::Content content = ContentWithoutTerms(entity);
  const v1::AssetGroup& group = entity.resource;
  content.settled = AllFinal(group.placements());
  Terms terms;
  terms.AddLabels(group.labels());
  for (const auto& placement : group.placements()) {
    terms.Add(kProviderTerm, placement.provider());
    terms.Add(kUpstreamIdTerm, placement.provider_group_id());
  }
  content.terms = std::move(terms).Take();
  return content;
}

store::Content ToContent(const AssetEntity& entity) {
  store::Content content = ContentWithoutTerms(entity);
  const v1::Asset& asset = entity.resource;
  content.settled = IsSettled(asset);
  Terms terms;
  terms.AddLabels(asset.labels());
  terms.Add(kStateTerm, absl::StrCat(static_cast<int>(asset.state())));
  terms.Add(kMediaTypeTerm, absl::StrCat(static_cast<int>(asset.media_type())));
  terms.Add(kGroupTerm, asset.asset_group());
  for (const auto& placement : asset.placements()) {
    terms.Add(kProviderTerm, placement.provider());
    terms.Add(kUpstreamIdTerm, placement.provider_asset_id());
  }
  content.terms = std::move(terms).Take();
  return content;
}

store::Content ToContent(const VideoEntity& entity) {
  store::Content content = ContentWithoutTerms(entity);
  const v1::VideoTask& task = entity.resource;
  content.settled = IsSettled(task);
  Terms terms;
  terms.AddLabels(task.labels());
  terms.Add(kStateTerm, absl::StrCat(static_cast<int>(task.state())));
  terms.Add(kModelTerm, task.model());
  for (const auto& reference : task.references()) terms.Add(kAssetTerm, reference.asset());
  for (const auto& attempt : task.attempts()) {
    terms.Add(kProviderTerm, attempt.provider());
    terms.Add(kUpstreamIdTerm, attempt.provider_task_id());
  }
  if (!IsFinal(task.state())) {
    for (const auto& reference : task.references()) terms.Add(kInUseTerm, reference.asset());
    terms.Add(kUnfinishedOfTerm, task.creator());
  }
  content.terms = std::move(terms).Take();
  return content;
}

bool ReadsBack(store::Kind kind, const store::Content& content) {
  switch (kind) {
    case store::Kind::kAssetGroup:
      return v1::AssetGroup().ParseFromString(content.resource) &&
             GroupRecord().ParseFromString(content.internal);
    case store::Kind::kAsset:
      return v1::Asset().ParseFromString(content.resource) &&
             AssetRecord().ParseFromString(content.internal);
    case store::Kind::kVideoTask:
      return v1::VideoTask().ParseFromString(content.resource) &&
             VideoTaskRecord().ParseFromString(content.internal);
    case store::Kind::kUpstreamDeletion:
      return UpstreamDeletion().ParseFromString(content.internal);
  }
  return false;
}

store::TermFilter Compile(const v1::AssetGroupFilter& filter) {
  store::TermFilter compiled;
  AddClause(compiled, kUpstreamIdTerm, filter.provider_group_ids(), kAsIs);
  AddLabelClauses(compiled, filter.labels());
  AddClause(compiled, kProviderTerm, filter.providers(), ProviderName);
  return compiled;
}

store::TermFilter Compile(const v1::AssetFilter& filter) {
  store::TermFilter compiled;
  AddClause(compiled, kUpstreamIdTerm, filter.provider_asset_ids(), kAsIs);
  AddClause(compiled, kGroupTerm, filter.asset_groups(), kAsIs);
  AddLabelClauses(compiled, filter.labels());
  AddClause(compiled, kStateTerm, filter.states(), kAsNumber);
  AddClause(compiled, kMediaTypeTerm, filter.media_types(), kAsNumber);
  AddClause(compiled, kProviderTerm, filter.providers(), ProviderName);
  return compiled;
}

store::TermFilter Compile(const v1::VideoTaskFilter& filter) {
  store::TermFilter compiled;
  AddClause(compiled, kUpstreamIdTerm, filter.provider_task_ids(), kAsIs);
  AddClause(compiled, kAssetTerm, filter.assets(), kAsIs);
  AddLabelClauses(compiled, filter.labels());
  AddClause(compiled, kStateTerm, filter.states(), kAsNumber);
  AddClause(compiled, kModelTerm, filter.models(), [](const std::string& text) {
    // Routes are stored by their bare name.
    return std::string(absl::StripPrefix(text, "models/"));
  });
  AddClause(compiled, kProviderTerm, filter.providers(), ProviderName);
  return compiled;
}

store::Conditions::Term UnfinishedTasksUsing(const store::Key& asset) {
  return {asset.tenant, store::Kind::kVideoTask,
          absl::StrCat(kInUseTerm, MakeName(kAssets, asset.id))};
}

std::string UnfinishedTasksOf(absl::string_view creator) {
  return absl::StrCat(kUnfinishedOfTerm, creator);
}

std::optional<std::string> CreatorOfUnfinished(const std::vector<std::string>& terms) {
  for (const std::string& term : terms) {
    absl::string_view rest = term;
    if (absl::ConsumePrefix(&rest, kUnfinishedOfTerm)) return std::string(rest);
  }
  return std::nullopt;
}

store::Conditions::Term AssetsOfGroup(const store::Key& group) {
  return {group.tenant, store::Kind::kAsset,
          absl::StrCat(kGroupTerm, MakeName(kAssetGroups, group.id))};
}

std::string ProviderTaskTerm(absl::string_view provider_task_id) {
  return absl::StrCat(kUpstreamIdTerm, provider_task_id);
}

std::vector<store::Key> RefersTo(const AssetEntity& entity) {
  const auto id = ParseName(kAssetGroups, entity.resource.asset_group());
  if (!id.has_value()) return {};
  return {{entity.key.tenant, store::Kind::kAssetGroup, *id}};
}

std::vector<store::Key> RefersTo(const VideoEntity& entity) {
  std::vector<store::Key> keys;
  for (const auto& reference : entity.resource.references()) {
    if (const auto id = ParseName(kAssets, reference.asset())) {
      keys.push_back({entity.key.tenant, store::Kind::kAsset, *id});
    }
  }
  return keys;
}

bool IsFinal(v1::Placement::State state) {
  return state == v1::Placement::ACTIVE || state == v1::Placement::FAILED ||
         state == v1::Placement::LOST;
}

bool IsFinal(v1::Attempt::State state) {
  return state == v1::Attempt::SUCCEEDED || state == v1::Attempt::FAILED ||
         state == v1::Attempt::CANCELLED || state == v1::Attempt::NOT_ACCEPTED;
}

bool IsFinal(v1::VideoTask::State state) {
  return state == v1::VideoTask::SUCCEEDED || state == v1::VideoTask::FAILED ||
         state == v1::VideoTask::CANCELLED;
}

bool IsSettled(const v1::Asset& asset) { return AllFinal(asset.placements()); }

bool IsSettled(const v1::VideoTask& task) {
  if (IsFinal(task.state())) return true;
  return task.state() == v1::VideoTask::UNCONFIRMED &&
         task.waiting().reason() == v1::Waiting::NEEDS_OPERATOR;
}

}  // namespace assetgate::model
