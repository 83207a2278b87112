#include "config/check_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using CheckStoreTest = ConfigTest;

TEST_F(CheckStoreTest, PurgeBeforeRequestIdsAreForgottenIsRejected) {
  EXPECT_EQ(Faults(absl::StrCat(kSmallest, "store: {purge_video_tasks_after: 24h}\n")),
            "f.yaml:2: store.purge_video_tasks_after: 24h is not between 168h and 87600h");
}

TEST_F(CheckStoreTest, SqlitePathWithAMeaningOfItsOwnIsRejected) {
  for (const char* path : {"\"\"", "\":memory:\"", "\"file:x?mode=ro\""}) {
    EXPECT_THAT(Faults(absl::StrCat(kSmallest, "store: {sqlite: {path: ", path, "}}")),
                HasSubstr("store.sqlite.path: "))
        << path;
  }
}

TEST_F(CheckStoreTest, PostgresStoreIsRead) {
  Config config = Good(absl::StrCat(
      kSmallest,
      "store: {postgres: {uri: \"postgresql://gw@db:5433/assets\"}, max_changes: 5000}"));
  EXPECT_EQ(config.store.postgres_uri.Reveal(), "postgresql://gw@db:5433/assets");
  EXPECT_EQ(config.drain_delay, absl::Seconds(5));
  EXPECT_EQ(config.store.sqlite_path, "");
  EXPECT_EQ(config.store.lease_duration, absl::Seconds(15));
  EXPECT_EQ(config.store.retention.max_changes, 5000);
  variables_["DATABASE_URL"] = "postgresql://gw:se%63ret@db/assets";
  config = Good(
      absl::StrCat(kSmallest, "store: {postgres: {uri: {env: DATABASE_URL}, lease_duration: 5s}}"));
  EXPECT_EQ(config.store.postgres_uri.Reveal(), "postgresql://gw:se%63ret@db/assets");
  EXPECT_EQ(config.store.lease_duration, absl::Seconds(5));
}

TEST_F(CheckStoreTest, InvalidConnectionStringOrOneWithAPasswordIsRejected) {
  const auto faults = [&](absl::string_view store) {
    std::string said = Faults(absl::StrCat(kSmallest, "store: ", store));
    EXPECT_THAT(said, Not(HasSubstr("hunter2"))) << store;
    return said;
  };
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://gw:hunter2@db/x\"}}"),
              AllOf(HasSubstr("store.postgres.uri: holds a password"),
                    HasSubstr("{env: NAME} or {file: PATH}")));
  EXPECT_THAT(faults("{postgres: {uri: \"host=db password=hunter2\"}}"),
              HasSubstr("holds a password"));
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://gw:hunter2%zz@db/x\"}}"),
              HasSubstr("is not a connection string"));
  EXPECT_THAT(faults("{postgres: {uri: {text: \"host=db password=hunter2\"}}}"),
              HasSubstr("holds a password"));
  variables_["BAD"] = "nonsense-hunter2";
  EXPECT_THAT(faults("{postgres: {uri: {env: BAD}}}"), HasSubstr("is not a connection string"));
  EXPECT_THAT(faults("{postgres: {uri: {env: NOT_THERE}}}"),
              HasSubstr("environment variable NOT_THERE is not set"));
  EXPECT_THAT(faults("{postgres: {uri: {env: KEY, file: /x}}}"), HasSubstr("names both"));
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://db/x\", lease_duration: 4s}}"),
              HasSubstr("store.postgres.lease_duration: 4s is not between 5s and 5m"));
  EXPECT_THAT(faults("{postgres: {}}"), HasSubstr("store.postgres.uri: is missing"));
  EXPECT_THAT(faults("{postgres: {uri: [hunter2]}}"), HasSubstr("store.postgres.uri: "));
  EXPECT_THAT(faults("{postgres: {uri: \"postgresql://db/x\"}, sqlite: {path: x.db}}"),
              HasSubstr("store: names both sqlite and postgres"));
}

}  // namespace
}  // namespace assetgate::config
