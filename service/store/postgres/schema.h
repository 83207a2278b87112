// The tables in PostgreSQL, in a schema of their own, "assetgate", and how older ones become these.
#ifndef ASSETGATE_STORE_POSTGRES_SCHEMA_H_
#define ASSETGATE_STORE_POSTGRES_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "store/postgres/connection.h"

namespace assetgate::store::postgres {

// One step from a version to the next. Steps are only ever appended: a database somewhere has run
// them.
struct Migration {
  // The schema's version after it; the steps count from 1.
  int version;
  // The lowest version of a binary that can still work on the schema after it. Gateways of
  // neighbouring releases run side by side as long as this stands still.
  int min_reader;
  const char* sql;
};

// All steps, in order. The last one's version is what this binary knows.
absl::Span<const Migration> Migrations();

// Brings a database that is empty or older up to the last of `migrations`, all in one transaction;
// gateways that start together take turns. A newer one whose min_reader is not above that is left
// as it is. FAILED_PRECONDITION, and nothing is touched, where it is too new;
// PERMISSION_DENIED where this user may not.
absl::Status Migrate(Connection& connection, absl::Span<const Migration> migrations);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_SCHEMA_H_
