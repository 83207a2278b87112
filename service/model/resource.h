// Converts a resource between its three forms: the name that callers use, the message with its
// record in memory, and the row in the store with the terms that index it.
#ifndef ASSETGATE_MODEL_RESOURCE_H_
#define ASSETGATE_MODEL_RESOURCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "assetgate/v1/asset.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "model/record.pb.h"
#include "model/tenant.h"
#include "store/store.h"

namespace assetgate::model {

// Collections, as written in resource names.
inline constexpr absl::string_view kAssets = "assets";
inline constexpr absl::string_view kAssetGroups = "assetGroups";
inline constexpr absl::string_view kVideoTasks = "videoTasks";
inline constexpr absl::string_view kProviders = "providers";
inline constexpr absl::string_view kModels = "models";

// The collection of a kind that callers see.
absl::string_view CollectionOf(store::Kind kind);
// "assetgate.v1.Asset" and so on, for ResourceInfo.
absl::string_view TypeOf(store::Kind kind);

// `assets/hero` from ("assets", "hero").
std::string MakeName(absl::string_view collection, absl::string_view id);
// The id in `name` if `name` is in the collection and the id is well-formed.
std::optional<std::string> ParseName(absl::string_view collection, absl::string_view name);
// `[a-z0-9-]{1,63}`.
bool IsResourceId(absl::string_view id);
// A provider's id from `providers/{id}` or from a bare id; absent if the id is not well-formed.
std::optional<std::string> ParseProvider(absl::string_view name);
// A new id: time first, then random bits, so that ids created one after another are stored next to
// each other.
std::string NewResourceId(absl::Time now);
// The group that is used if a provider requires one and the caller names none.
std::string DefaultGroupId(absl::string_view provider_id);

// A resource in memory together with its internal record.
template <typename ResourceT, typename RecordT, store::Kind kKindV>
struct Entity {
  using Resource = ResourceT;
  using Record = RecordT;
  static constexpr store::Kind kKind = kKindV;

  store::Key key;
  // 0 until it is committed.
  store::Revision revision = 0;
  Resource resource;
  Record record;
  // See IsUnderstood; always true for entities that were not read from a row.
  bool understood = true;
};
using GroupEntity = Entity<v1::AssetGroup, GroupRecord, store::Kind::kAssetGroup>;
using AssetEntity = Entity<v1::Asset, AssetRecord, store::Kind::kAsset>;
using VideoEntity = Entity<v1::VideoTask, VideoTaskRecord, store::Kind::kVideoTask>;

// Whether this release knows every state that decides the next step. A later release may have
// stored states that this one does not know; that does not make a resource unfinished. A resource
// that is not understood is shown as it is, and never planned, sent, polled or changed here.
bool IsUnderstood(const v1::AssetGroup& group);
bool IsUnderstood(const v1::Asset& asset);
bool IsUnderstood(const v1::VideoTask& task);

// The public resource in a row, with its revision. A row that cannot be parsed gives an empty
// message with the revision; the store's checksums make that a defect, not an input error.
v1::AssetGroup GroupFromRow(const store::Row& row);
v1::Asset AssetFromRow(const store::Row& row);
v1::VideoTask VideoTaskFromRow(const store::Row& row);

// Row → entity. A row that cannot be parsed, or whose parts do not match, is not understood either.
void FromRow(const store::Row& row, GroupEntity& entity);
void FromRow(const store::Row& row, AssetEntity& entity);
void FromRow(const store::Row& row, VideoEntity& entity);

// Whether the reconciler has work left for it; false for an entity that is not understood.
bool IsUnfinished(const GroupEntity& entity);
bool IsUnfinished(const AssetEntity& entity);
bool IsUnfinished(const VideoEntity& entity);

// Entity → the bytes, terms and flags (unfinished, settled) that the store keeps.
store::Content ToContent(const GroupEntity& entity);
store::Content ToContent(const AssetEntity& entity);
store::Content ToContent(const VideoEntity& entity);

// Whether content that is about to be committed can be parsed again. Without this check a text that
// is not UTF-8 would be written and could never be read.
bool ReadsBack(store::Kind kind, const store::Content& content);

// The terms that a filter requires. The filter has been validated.
store::TermFilter Compile(const v1::AssetGroupFilter& filter);
store::TermFilter Compile(const v1::AssetFilter& filter);
store::TermFilter Compile(const v1::VideoTaskFilter& filter);
// The term of unfinished tasks that refer to the asset, and the term of assets in the group. While
// any row has the term, the asset or the group is in use.
store::Conditions::Term UnfinishedTasksUsing(const store::Key& asset);
store::Conditions::Term AssetsOfGroup(const store::Key& group);
// The term of tasks that have an attempt with this id at any provider.
std::string ProviderTaskTerm(absl::string_view provider_task_id);
// The term of a creator's unfinished tasks, and the reverse: the creator named by a task's terms;
// absent if the task has ended or has no creator.
std::string UnfinishedTasksOf(absl::string_view creator);
std::optional<std::string> CreatorOfUnfinished(const std::vector<std::string>& terms);
// The rows that must exist when the entity is created.
inline std::vector<store::Key> RefersTo(const GroupEntity&) { return {}; }
std::vector<store::Key> RefersTo(const AssetEntity& entity);
std::vector<store::Key> RefersTo(const VideoEntity& entity);

// ACTIVE, FAILED and LOST are final.
bool IsFinal(v1::Placement::State state);
// SUCCEEDED, FAILED, CANCELLED and NOT_ACCEPTED are final.
bool IsFinal(v1::Attempt::State state);
// SUCCEEDED, FAILED and CANCELLED are final.
bool IsFinal(v1::VideoTask::State state);
// Final for `until_settled`: the resource does not change again by itself.
bool IsSettled(const v1::Asset& asset);
bool IsSettled(const v1::VideoTask& task);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_RESOURCE_H_
