// The schema of a store file, and how an older one becomes this one.
#ifndef ASSETGATE_STORE_SQLITE_MIGRATIONS_H_
#define ASSETGATE_STORE_SQLITE_MIGRATIONS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "store/migration.h"
#include "store/sqlite/database.h"

namespace assetgate::store::sqlite {

// All steps, in order. The last one's version is what this binary knows.
absl::Span<const Migration> Migrations();

// The version of a file's schema; 0 of an empty one. FAILED_PRECONDITION where it is too new for
// `known`, or is not a store of ours. Reads only.
absl::StatusOr<std::int64_t> CheckSchema(const Connection& connection, int known);

// Brings an empty or older file up to the last of `migrations`, each step in one transaction. A
// newer file whose min_reader is not above that is left as it is. FAILED_PRECONDITION, and nothing
// is touched, where the file is too new or is not a store of ours.
absl::Status Migrate(const Connection& connection, absl::Span<const Migration> migrations);

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_MIGRATIONS_H_
