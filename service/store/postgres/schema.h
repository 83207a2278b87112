// The tables in PostgreSQL, in the schema "assetgate", and how older versions are migrated.
#ifndef ASSETGATE_STORE_POSTGRES_SCHEMA_H_
#define ASSETGATE_STORE_POSTGRES_SCHEMA_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "store/migration.h"
#include "store/postgres/connection.h"

namespace assetgate::store::postgres {

// All steps, in order. The last one's version is the one that this binary knows.
absl::Span<const Migration> Migrations();

// The version of the schema; 0 if there is none yet and this user may create it. Only reads.
// Errors: FAILED_PRECONDITION if it is too new; PERMISSION_DENIED if Migrate would lack a
// privilege.
absl::StatusOr<std::int64_t> CheckSchema(Connection& connection);

// Migrates an empty or older database to the last of `migrations`, in one transaction; gateways
// that start together take turns. A newer one whose min_reader allows this binary is left as it is.
// Errors: FAILED_PRECONDITION, without changes, if it is too new; PERMISSION_DENIED if this user
// lacks a privilege.
absl::Status Migrate(Connection& connection, absl::Span<const Migration> migrations);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_SCHEMA_H_
