#include "calls/stored_resources.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/text.h"
#include "model/refusal.h"

namespace assetgate::calls {

absl::StatusOr<std::string> IdOf(store::Kind kind, const std::string& name,
                                 const std::string& field) {
  if (auto id = model::ParseName(model::CollectionOf(kind), name)) return *std::move(id);
  base::Faults faults;
  faults.Add(field, name.empty() ? absl::StrCat("is required: ", model::CollectionOf(kind), "/{id}")
                                 : absl::StrCat(base::Quoted(name), " is not of the form ",
                                                model::CollectionOf(kind), "/{id}"));
  return faults.ToStatus();
}

absl::StatusOr<store::Row> ReadRow(store::Store& store, const Caller& caller, store::Kind kind,
                                   const std::string& name, const std::string& field) {
  absl::StatusOr<std::string> id = IdOf(kind, name, field);
  if (!id.ok()) return id.status();
  absl::StatusOr<std::optional<store::Row>> row = store.Get({caller.tenant, kind, *std::move(id)});
  if (!row.ok()) return base::StoreUnreadable();
  if (!row->has_value()) return model::NotFound(kind, name);
  return **std::move(row);
}

absl::Status Unreadable(const store::Row& row, reconcile::Reconciler& reconciler) {
  reconciler.NoteUnreadable(row.key);
  return base::Error(
      absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
      absl::StrCat("\"", model::MakeName(model::CollectionOf(row.key.kind), row.key.id),
                   "\" is stored in a form that cannot be read"));
}

}  // namespace assetgate::calls
