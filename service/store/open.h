// The one place that decides which kind of store a location means.
#ifndef ASSETGATE_STORE_OPEN_H_
#define ASSETGATE_STORE_OPEN_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "store/location.h"
#include "store/store.h"

namespace assetgate::store {

struct OpenOptions {
  // The gateway's name in the table of gateways of a shared store, and in pg_stat_activity.
  std::string name = "gateway";
  // Must outlive the store.
  const base::Clock* clock = nullptr;
  // Absent: nothing is measured. Must outlive the store.
  base::Metrics* metrics = nullptr;
  // Of one exchange with a database server, and of a wait for a lock there. Zero: the store's own.
  absl::Duration timeout = absl::ZeroDuration();
};

struct OpenedStore {
  std::unique_ptr<Store> store;
  // For the log, without secrets: the file, or the server and the database.
  std::string address;
};

// Errors: as those of SqliteStore::Open and PostgresStore::Open.
absl::StatusOr<OpenedStore> Open(const Location& location, const OpenOptions& options);

// For an operator who put a backup in the store's place while no gateway had it open: older resume
// tokens start over from now on. Returns the line to show to the operator.
absl::StatusOr<std::string> MarkRestored(const Location& location);

struct Inspection {
  // One line: where the store is, its schema, and who uses it.
  std::string description;
  // The process that has a SQLite file open.
  std::optional<int> holder;
};
// Looks at the store without making, changing or locking anything. Errors: those of Open.
absl::StatusOr<Inspection> Inspect(const Location& location);

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_OPEN_H_
