#include "absl/strings/str_cat.h"
#include "base/testing/fake_clock.h"
#include "store/postgres/postgres_store.h"
#include "store/testing/conformance.h"
#include "store/testing/postgres_server.h"

namespace assetgate::store {
namespace {

class PostgresPlace final : public StorePlace {
 public:
  ~PostgresPlace() override { server_.DropDatabase(database_); }

  bool keeps_shards() const override { return true; }
  absl::StatusOr<std::unique_ptr<Store>> Open(const Settings& settings) override {
    PostgresStore::Options options;
    options.uri = server_.Uri(database_);
    options.clock = settings.clock;
    options.retention = settings.retention;
    options.max_queue = settings.max_queue;
    options.max_look_ups = settings.max_look_ups.value_or(options.max_look_ups);
    return PostgresStore::Open(options);
  }
  // The server's clock cannot be moved, so existing rows are made older instead.
  void Pass(base::FakeClock& clock, absl::Duration by) override {
    server_.Execute(
        absl::StrCat("UPDATE assetgate.changes SET time = time - ", absl::ToInt64Microseconds(by),
                     "; UPDATE assetgate.requests SET create_time = create_time - ",
                     absl::ToInt64Microseconds(by)),
        database_);
    clock.Advance(by);
  }
  bool has_own_clock() const override { return true; }

 private:
  postgres::TestServer& server_ = postgres::TestServer::Shared();
  const std::string database_ = server_.CreateDatabase();
};

std::unique_ptr<StorePlace> MakePostgresPlace() { return std::make_unique<PostgresPlace>(); }

INSTANTIATE_TEST_SUITE_P(Postgres, StoreConformanceTest, testing::Values(&MakePostgresPlace));

}  // namespace
}  // namespace assetgate::store
