// Tasks that a provider already has, taken over by name: each belongs to one video task at most, of
// any tenant and under whatever spelling of its id.
#ifndef ASSETGATE_CALLS_ADOPTION_H_
#define ASSETGATE_CALLS_ADOPTION_H_

#include <string>

#include "assetgate/v1/video_task.pb.h"
#include "model/catalog.h"
#include "provider/dialect.h"
#include "reconcile/reconciler.h"
#include "store/store.h"

namespace assetgate::calls {

// A provider's task as a person names it.
struct ProviderTask {
  std::string provider;
  // As the person typed it.
  std::string id;
  // Null where the provider is no longer in the config.
  const provider::Dialect* dialect = nullptr;
  // What `dialect` makes of the id; may be empty.
  provider::Handle handle;
};

// What must hold when `tenant` commits the import of the task: of two calls that find the task
// free, at whatever gateways, one gets it. PROVIDER_TASK_TAKEN where a video task has it already,
// unless that one FAILED or was CANCELLED in the same tenant (see VideoService.ImportVideoTask).
//
// Threading: any thread; reads the store, which blocks.
reconcile::AdoptionConditions ConditionsOfImport(store::Store& store, const std::string& tenant,
                                                 const ProviderTask& task);

// Likewise when `task` of `tenant` is resolved to the provider's task `id`: for each of its
// attempts whose submission is in doubt. PROVIDER_TASK_TAKEN where another video task has that id
// there.
reconcile::AdoptionConditions ConditionsOfResolution(store::Store& store,
                                                     const model::Catalog& catalog,
                                                     const std::string& tenant,
                                                     const std::string& id,
                                                     const v1::VideoTask& task);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_ADOPTION_H_
