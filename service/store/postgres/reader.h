// What the tables say.
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

// Each is one exchange with the server, and sees one state of the database.
absl::StatusOr<std::optional<Row>> Get(Connection& connection, const Key& key);
// Looks terms up in the index at most that often, or up to one row further.
absl::StatusOr<ListPage> List(Connection& connection, const ListQuery& query,
                              std::size_t max_look_ups);
absl::StatusOr<ChangesPage> ReadChanges(Connection& connection, const ChangesQuery& query);
absl::StatusOr<std::optional<RequestRow>> FindRequest(Connection& connection,
                                                      const RequestKey& key);
absl::StatusOr<std::vector<Row>> ListUnfinished(Connection& connection,
                                                const UnfinishedQuery& query);
absl::StatusOr<std::vector<std::string>> Tenants(Connection& connection);
absl::StatusOr<Revision> Head(Connection& connection);
// The name of the gateway that holds the shard; empty where none does.
absl::StatusOr<std::string> HolderOf(Connection& connection, Shard shard);

// A stretch of the log, of all tenants and kinds.
struct LogPage {
  std::vector<ChangePtr> changes;
  Revision head = 0;
  Revision compacted = 0;
};
// At most `limit` changes after `after`; those by `writer` are local.
absl::StatusOr<LogPage> ReadLog(Connection& connection, Revision after, std::size_t limit,
                                std::int64_t writer);

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_READER_H_
