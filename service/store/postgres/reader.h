// Reads the tables.
#ifndef ASSETGATE_STORE_POSTGRES_READER_H_
#define ASSETGATE_STORE_POSTGRES_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "store/postgres/connection.h"
#include "store/store.h"

namespace assetgate::store::postgres {

// Each function is one exchange with the server, and sees one state of the database.
absl::StatusOr<std::optional<Row>> Get(Connection& connection, const Key& key);
// Makes at most that many index look-ups, or continues to the next row.
absl::StatusOr<ListPage> List(Connection& connection, const ListQuery& query,
                              std::size_t max_look_ups);
absl::StatusOr<ChangesPage> ReadChanges(Connection& connection, const ChangesQuery& query);
absl::StatusOr<std::optional<RequestRow>> FindRequest(Connection& connection,
                                                      const RequestKey& key);
absl::StatusOr<std::vector<Row>> ListUnfinished(Connection& connection,
                                                const UnfinishedQuery& query);
absl::StatusOr<std::optional<std::string>> NextTenant(Connection& connection,
                                                      const std::string& after);
absl::StatusOr<Revision> Head(Connection& connection);
// The name of the gateway that holds the shard; empty if none does.
absl::StatusOr<std::string> HolderOf(Connection& connection, Shard shard);

// A part of the log, for all tenants and kinds.
struct LogPage {
  std::vector<ChangePtr> changes;
  Revision head = 0;
  Revision compacted = 0;
};
// At most `limit` changes after `after`; changes by `writer` are local.
absl::StatusOr<LogPage> ReadLog(Connection& connection, Revision after, std::size_t limit,
                                std::int64_t writer);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_READER_H_
