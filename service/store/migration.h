// How the schema of a store grows: the same rules for every kind of store.
#ifndef ASSETGATE_STORE_MIGRATION_H_
#define ASSETGATE_STORE_MIGRATION_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace assetgate::store {

// One step from a version to the next. Steps are only ever appended: a store somewhere has run
// them.
struct Migration {
  // The schema's version after it; the steps count from 1.
  int version;
  // The lowest version of a binary that can still work on the schema after it. Neighbouring
  // releases run on each other's stores, side by side where the store takes more than one, as long
  // as this stands still.
  int min_reader;
  const char* sql;
};

// FAILED_PRECONDITION, naming both versions and the remedy, where a store of that version is not
// for a binary that knows steps up to `known`.
inline absl::Status CheckReadable(std::int64_t version, std::int64_t min_reader, int known) {
  if (min_reader <= known) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("its schema has version ", version, " and needs a program that knows version ",
                   min_reader, " or newer; this one knows version ", known,
                   ". Run the newer program, or restore a backup made by this one"));
}

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_MIGRATION_H_
