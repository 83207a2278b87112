#include "store/sqlite/sqlite_store.h"
#include "store/testing/conformance.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::store {
namespace {

class SqlitePlace final : public StorePlace {
 public:
  absl::StatusOr<std::unique_ptr<Store>> Open(const Settings& settings) override {
    SqliteStore::Options options;
    options.path = directory_.path() + "/store.db";
    options.clock = settings.clock;
    options.retention = settings.retention;
    options.max_queue = settings.max_queue;
    options.max_look_ups = settings.max_look_ups.value_or(options.max_look_ups);
    return SqliteStore::Open(options);
  }

 private:
  sqlite::TemporaryDirectory directory_;
};

std::unique_ptr<StorePlace> MakeSqlitePlace() { return std::make_unique<SqlitePlace>(); }

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformanceTest, testing::Values(&MakeSqlitePlace));

}  // namespace
}  // namespace assetgate::store
