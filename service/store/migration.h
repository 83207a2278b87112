// How a store's schema is migrated: the same rules for every kind of store.
#ifndef ASSETGATE_STORE_MIGRATION_H_
#define ASSETGATE_STORE_MIGRATION_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace assetgate::store {

// One step to the next version. Steps are only ever appended, because existing stores have run
// them.
struct Migration {
  // The schema's version after the step; steps count from 1.
  int version;
  // The lowest version of a binary that works with the schema after the step. While it stays the
  // same, neighbouring releases work with each other's stores, and side by side on a shared store.
  int min_reader;
  const char* sql;
};

// Errors: FAILED_PRECONDITION, naming both versions and the remedy, if a binary that knows steps up
// to `known` cannot use a store of that version.
inline absl::Status CheckReadable(std::int64_t version, std::int64_t min_reader, int known) {
  if (min_reader <= known) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("its schema has version ", version, " and needs a program that knows version ",
                   min_reader, " or newer; this one knows version ", known,
                   ". Run the newer program, or restore a backup made by this one"));
}

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_MIGRATION_H_
