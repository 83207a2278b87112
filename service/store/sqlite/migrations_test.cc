#include "store/sqlite/migrations.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::store::sqlite {
namespace {

using ::testing::HasSubstr;

constexpr Migration kSteps[] = {
    {.version = 1, .min_reader = 1, .sql = "CREATE TABLE a (x); INSERT INTO a VALUES (1);"},
    {.version = 2, .min_reader = 1, .sql = "CREATE TABLE b (x);"},
    {.version = 3, .min_reader = 3, .sql = "DROP TABLE b; CREATE TABLE c AS SELECT x FROM a;"},
};
const absl::Span<const Migration> kAll = kSteps;

class MigrationsTest : public testing::Test {
 protected:
  MigrationsTest() { std::ofstream(path_).flush(); }

  Connection Connect() { return *Connection::Open(path_, absl::Seconds(1)); }
  std::string Read(const Connection& connection, absl::string_view sql) {
    absl::StatusOr<Statement> statement = connection.Prepare(sql);
    if (!statement.ok()) return std::string(statement.status().message());
    Query query(*statement);
    return query.Next() ? query.StringAt(0) : "";
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/a.db";
};

TEST_F(MigrationsTest, EachVersionMigratesToTheLastAndKeepsItsRows) {
  const Connection connection = Connect();
  for (std::size_t known = 1; known <= kAll.size(); ++known) {
    const absl::Status status = Migrate(connection, kAll.first(known));
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Read(connection, "SELECT version FROM schema"), std::to_string(known));
  }
  EXPECT_EQ(Read(connection, "SELECT min_reader FROM schema"), "3");
  EXPECT_EQ(Read(connection, "SELECT x FROM c"), "1");
  EXPECT_TRUE(Migrate(connection, kAll).ok()) << "nothing is left to do";
}

TEST_F(MigrationsTest, OlderProgramRunsOnANewerSchemaOnlyWhileCompatible) {
  const Connection connection = Connect();
  ASSERT_TRUE(Migrate(connection, kAll.first(2)).ok());
  EXPECT_TRUE(Migrate(connection, kAll.first(1)).ok());
  EXPECT_EQ(Read(connection, "SELECT version FROM schema"), "2") << "never back";
  ASSERT_TRUE(Migrate(connection, kAll).ok());
  const absl::Status status = Migrate(connection, kAll.first(2));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 3"));
}

TEST_F(MigrationsTest, FailedStepIsRolledBack) {
  constexpr Migration kBad[] = {
      kSteps[0],
      {.version = 2, .min_reader = 1, .sql = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);"},
  };
  const Connection connection = Connect();
  const absl::Status status = Migrate(connection, kBad);
  EXPECT_THAT(std::string(status.message()), HasSubstr("migration 2"));
  EXPECT_EQ(Read(connection, "SELECT version FROM schema"), "1");
  EXPECT_THAT(Read(connection, "SELECT count(*) FROM b"), HasSubstr("no such table"));
  EXPECT_TRUE(Migrate(connection, kAll).ok()) << "a later program completes it";
}

TEST_F(MigrationsTest, VersionsCountFromOneWithoutGaps) {
  int version = 0;
  for (const Migration& migration : Migrations()) {
    EXPECT_EQ(migration.version, ++version);
    EXPECT_LE(migration.min_reader, migration.version);
  }
}

}  // namespace
}  // namespace assetgate::store::sqlite
