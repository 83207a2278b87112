// The references of a video task, as its next target takes them.
#ifndef ASSETGATE_RECONCILE_WORK_REFERENCES_H_
#define ASSETGATE_RECONCILE_WORK_REFERENCES_H_

#include <cstddef>
#include <vector>

#include "model/catalog.h"
#include "model/resource.h"
#include "provider/dialect.h"
#include "reconcile/item.h"
#include "reconcile/step.h"

namespace assetgate::reconcile {

enum class Readiness { kReady, kWaiting, kFailed };

// Ensures that the assets which the task refers to are placed at the target's provider, and appends
// them to `resolved` in their order. kWaiting: the draft says which asset it waits for. kFailed:
// the target is ineligible from now on, or the task has failed.
Readiness ResolveReferences(Step& step, const Item& item, model::VideoEntity& draft,
                            const model::ProviderEntry& provider, std::size_t target,
                            std::vector<provider::ResolvedReference>& resolved);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_REFERENCES_H_
