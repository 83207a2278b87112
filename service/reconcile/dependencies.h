// How an asset or a group is placed at a provider, for the work that depends on it.
#ifndef ASSETGATE_RECONCILE_DEPENDENCIES_H_
#define ASSETGATE_RECONCILE_DEPENDENCIES_H_

#include <functional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset.pb.h"
#include "google/rpc/status.pb.h"
#include "model/catalog.h"
#include "provider/dialect.h"
#include "reconcile/engine.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "reconcile/work/asset_item.h"
#include "reconcile/work/group_item.h"
#include "store/store.h"

namespace assetgate::reconcile {

struct Dependency {
  enum class State { kReady, kPending, kFailed, kMissing };
  State state = State::kPending;
  // A change of it is being committed, or it is being read: it is known in a moment.
  bool in_doubt = false;
  std::string provider_id;
  provider::Handle handle;
  google::rpc::Status error;
  v1::Asset asset;
};

// Threading: the reconciler's thread.
class Dependencies {
 public:
  // Creates the group that is used where the caller names none. `done` runs later; true: it is
  // there now, whoever created it.
  using CreateDefaultGroup =
      std::function<void(const store::Key& group, const std::string& provider_id,
                         const Item& dependent, std::function<void(bool)> done)>;

  Dependencies(Engine& engine, CreateDefaultGroup create)
      : engine_(engine), create_default_group_(std::move(create)) {}

  // How it stands at the provider. The dependent is planned again when that changes. Where the
  // resource is not placed there yet, a placement is begun. `since`: since when the dependent needs
  // it; what the gateway gave up before that is tried again.
  Dependency GroupAt(const store::Key& key, const model::ProviderEntry& provider, absl::Time since,
                     const Item& dependent, Step& step);
  Dependency AssetAt(const store::Key& key, const model::ProviderEntry& provider, absl::Time since,
                     const Item& dependent, Step& step);
  // The dependent needs them no longer: until then what it asked for stays in memory, so that it
  // finds all of it together.
  void LetGo(const store::Key& dependent);

 private:
  // Keeps the entry in memory for the dependent.
  void Hold(Entry& entry, const store::Key& dependent);
  // Of a resource that is not in memory.
  struct LookUp {
    bool reading = true;
    absl::StatusOr<bool> found = false;
    absl::flat_hash_set<store::Key> dependents;
  };

  // The resource if it is in memory; otherwise it is being read (or could not be, or is missing),
  // and `dependency` says so.
  Entry* Find(const store::Key& key, const Item& dependent, Step& step, Dependency& dependency);
  void Read(const store::Key& key, const store::Key& dependent);
  void MakeDefaultGroup(const store::Key& key, const std::string& provider_id,
                        const Item& dependent);
  template <typename ItemT>
  void BeginPlacement(const store::Key& key, const std::string& provider_id,
                      std::weak_ptr<upstream::WaitedCall> waited);
  // Whether a placement is to be begun; otherwise `dependency` is what is known.
  bool LookAtGroup(const GroupItem& group, const model::ProviderEntry& provider, absl::Time since,
                   Dependency& dependency) const;
  bool LookAtAsset(const AssetItem& asset, const model::ProviderEntry& provider, absl::Time since,
                   Dependency& dependency) const;

  Engine& engine_;
  const CreateDefaultGroup create_default_group_;
  absl::flat_hash_map<store::Key, LookUp> look_ups_;
  // What each dependent holds.
  absl::flat_hash_map<store::Key, absl::flat_hash_set<store::Key>> held_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_DEPENDENCIES_H_
