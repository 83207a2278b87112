// The tables in PostgreSQL, in a schema of their own, "assetgate", and how older ones become these.
#ifndef ASSETGATE_STORE_POSTGRES_SCHEMA_H_
#define ASSETGATE_STORE_POSTGRES_SCHEMA_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "store/migration.h"
#include "store/postgres/connection.h"

namespace assetgate::store::postgres {

// All steps, in order. The last one's version is what this binary knows.
absl::Span<const Migration> Migrations();

// The version of the schema; 0 where there is none yet and this user may make one.
// FAILED_PRECONDITION where it is too new, PERMISSION_DENIED where Migrate might not do its work.
// Reads only.
absl::StatusOr<std::int64_t> CheckSchema(Connection& connection);

// Brings a database that is empty or older up to the last of `migrations`, all in one transaction;
// gateways that start together take turns. A newer one whose min_reader is not above that is left
// as it is. FAILED_PRECONDITION, and nothing is touched, where it is too new;
// PERMISSION_DENIED where this user may not.
absl::Status Migrate(Connection& connection, absl::Span<const Migration> migrations);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_SCHEMA_H_
