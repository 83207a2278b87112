// Resources as they are stored, read for an answer.
#ifndef ASSETGATE_CALLS_STORED_RESOURCES_H_
#define ASSETGATE_CALLS_STORED_RESOURCES_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "calls/caller.h"
#include "model/resource.h"
#include "model/sizes.h"
#include "reconcile/reconciler.h"
#include "store/store.h"

namespace assetgate::calls {

// What an answer has beside each of its resources: the tag and length of the field, and the
// revision.
inline constexpr std::size_t kBytesBesideResource = 24;

// The id in a resource's name. INVALID_ARGUMENT, with a violation of `field`, where `name` is empty
// or of another form.
absl::StatusOr<std::string> IdOf(store::Kind kind, const std::string& name,
                                 const std::string& field = "name");

// The caller's resource of this name. Also NOT_FOUND RESOURCE_NOT_FOUND or UNAVAILABLE
// STORE_UNAVAILABLE.
absl::StatusOr<store::Row> ReadRow(store::Store& store, const Caller& caller, store::Kind kind,
                                   const std::string& name, const std::string& field = "name");

// The error for a row that cannot be parsed. Counts and logs it.
absl::Status Unreadable(const store::Row& row, reconcile::Reconciler& reconciler);

// A resource from its row. One above the current size limit was stored by an earlier release,
// mostly with fields that no release knows; these are left out.
template <typename Resource>
Resource FromStored(const store::Row& row, Resource (*from_row)(const store::Row&)) {
  Resource resource = from_row(row);
  if (row.content.resource.size() > model::kMaxResourceBytes) resource.DiscardUnknownFields();
  return resource;
}

// The resource in a row, or why it cannot be read.
template <typename Resource>
absl::StatusOr<Resource> ReadResource(const store::Row& row, reconcile::Reconciler& reconciler,
                                      Resource (*from_row)(const store::Row&)) {
  Resource resource = FromStored(row, from_row);
  // Every stored resource has a name.
  if (resource.name().empty()) return Unreadable(row, reconciler);
  return resource;
}

// Calls `add` with each resource of a page. A row that cannot be read, or that is larger than
// clients accept, is counted and logged, and hides no other.
template <typename Resource, typename Add>
void AddResources(const std::vector<store::Row>& rows, reconcile::Reconciler& reconciler,
                  Resource (*from_row)(const store::Row&), Add add) {
  for (const store::Row& row : rows) {
    Resource resource = FromStored(row, from_row);
    const bool too_large = row.content.resource.size() > model::kMaxAnswerBytes &&
                           resource.ByteSizeLong() > model::kMaxAnswerBytes;
    if (resource.name().empty() || too_large) {
      reconciler.NoteUnreadable(row.key);
      continue;
    }
    add(std::move(resource));
  }
}

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_STORED_RESOURCES_H_
