// The schema of a store file, and how older versions are migrated.
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

// All steps, in order. The last one's version is the one that this binary knows.
absl::Span<const Migration> Migrations();

// The version of a file's schema; 0 for an empty file. Only reads.
// Errors: FAILED_PRECONDITION if it is too new for `known`, or is not a store of assetgate.
absl::StatusOr<std::int64_t> CheckSchema(const Connection& connection, int known);

// Migrates an empty or older file to the last of `migrations`, each step in one transaction. A
// newer file whose min_reader allows this binary is left as it is.
// Errors: FAILED_PRECONDITION, without changes, if the file is too new or is not a store of
// assetgate.
absl::Status Migrate(const Connection& connection, absl::Span<const Migration> migrations);

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_MIGRATIONS_H_
