// Resources between their three forms: the name a caller uses, the message with its record in
// memory, and the row in the store with the terms by which it is found.
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

// Collections, as they stand in names.
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
// The id in `name`, when that is of the collection and the id is well-formed.
std::optional<std::string> ParseName(absl::string_view collection, absl::string_view name);
// `[a-z0-9-]{1,63}`.
bool IsResourceId(absl::string_view id);
// A provider's id from `providers/{id}` or from the id alone, as far as it is well-formed.
std::optional<std::string> ParseProvider(absl::string_view name);
// A fresh id: time-ordered, then random, so that ids made one after another lie together.
std::string NewResourceId(absl::Time now);
// The group that is used where a provider demands one and the caller names none.
std::string DefaultGroupId(absl::string_view provider_id);

// A resource in memory with what is kept beside it.
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
  // See IsUnderstood; of what was read from a row.
  bool understood = true;
};
using GroupEntity = Entity<v1::AssetGroup, GroupRecord, store::Kind::kAssetGroup>;
using AssetEntity = Entity<v1::Asset, AssetRecord, store::Kind::kAsset>;
using VideoEntity = Entity<v1::VideoTask, VideoTaskRecord, store::Kind::kVideoTask>;

// Whether this release knows every state that decides what is done next. A later release of the
// gateway may have stored others, and its number is no reason to call something unfinished: what is
// not understood is shown as it is, and never planned, sent, polled or changed here.
bool IsUnderstood(const v1::AssetGroup& group);
bool IsUnderstood(const v1::Asset& asset);
bool IsUnderstood(const v1::VideoTask& task);

// The public resource in a row, with its revision. A row that cannot be read gives an empty message
// with the revision: the store's own checksums make that a defect, not an input.
v1::AssetGroup GroupFromRow(const store::Row& row);
v1::Asset AssetFromRow(const store::Row& row);
v1::VideoTask VideoTaskFromRow(const store::Row& row);

// Row → entity. What cannot be read, or does not fit together, is not understood either.
void FromRow(const store::Row& row, GroupEntity& entity);
void FromRow(const store::Row& row, AssetEntity& entity);
void FromRow(const store::Row& row, VideoEntity& entity);

// Whether the reconciler has anything left to do for it. Never of what is not understood.
bool IsUnfinished(const GroupEntity& entity);
bool IsUnfinished(const AssetEntity& entity);
bool IsUnfinished(const VideoEntity& entity);

// Entity → what the store keeps: bytes, terms, unfinished, settled.
store::Content ToContent(const GroupEntity& entity);
store::Content ToContent(const AssetEntity& entity);
store::Content ToContent(const VideoEntity& entity);

// Whether what is about to be committed can be read again: a text that is not UTF-8 would be
// written, and read by nobody.
bool ReadsBack(store::Kind kind, const store::Content& content);

// What a filter asks for, as terms. The filter has been validated.
store::TermFilter Compile(const v1::AssetGroupFilter& filter);
store::TermFilter Compile(const v1::AssetFilter& filter);
store::TermFilter Compile(const v1::VideoTaskFilter& filter);
// The term of unfinished tasks that refer to the asset, and that of assets that belong to the
// group: while a row has it, the asset or the group is in use.
store::Conditions::Term UnfinishedTasksUsing(const store::Key& asset);
store::Conditions::Term AssetsOfGroup(const store::Key& group);
// The term of tasks with an attempt that has the id, at whatever provider.
std::string ProviderTaskTerm(absl::string_view provider_task_id);
// The term of a creator's unfinished tasks, and whose it is that is among those of a task; absent
// where the task has ended, or has no creator.
std::string UnfinishedTasksOf(absl::string_view creator);
std::optional<std::string> CreatorOfUnfinished(const std::vector<std::string>& terms);
// What must exist for the entity to be created.
inline std::vector<store::Key> RefersTo(const GroupEntity&) { return {}; }
std::vector<store::Key> RefersTo(const AssetEntity& entity);
std::vector<store::Key> RefersTo(const VideoEntity& entity);

// ACTIVE, FAILED and LOST are final.
bool IsFinal(v1::Placement::State state);
// SUCCEEDED, FAILED, CANCELLED and NOT_ACCEPTED are final.
bool IsFinal(v1::Attempt::State state);
// SUCCEEDED, FAILED and CANCELLED are final.
bool IsFinal(v1::VideoTask::State state);
// See `until_settled`.
bool IsSettled(const v1::Asset& asset);
bool IsSettled(const v1::VideoTask& task);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_RESOURCE_H_
