#include "store/open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace assetgate::store {
namespace {

using ::testing::HasSubstr;

class StoreOpenTest : public ::testing::Test {
 protected:
  StoreOpenTest() { std::filesystem::create_directory(directory_); }
  ~StoreOpenTest() override { std::filesystem::remove_all(directory_); }

  const std::string directory_ = absl::StrCat(::testing::TempDir(), "store_open_", ::getpid());
  const base::SystemClock clock_;
  Location location_{.sqlite_path = directory_ + "/a.db"};
};

TEST_F(StoreOpenTest, PathMeansASqliteStore) {
  EXPECT_FALSE(location_.shared());
  EXPECT_THAT(Inspect(location_)->description, HasSubstr("does not exist yet"));
  {
    const auto opened = Open(location_, {.clock = &clock_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(opened->address, location_.sqlite_path);
    EXPECT_TRUE(opened->store->Health().ok());
    const auto held = Inspect(location_);
    ASSERT_TRUE(held.ok()) << held.status();
    EXPECT_EQ(held->holder, ::getpid());
  }
  EXPECT_THAT(Inspect(location_)->description, HasSubstr("not in use"));
  const auto marked = MarkRestored(location_);
  ASSERT_TRUE(marked.ok()) << marked.status();
  EXPECT_THAT(*marked, HasSubstr("resume tokens from before start over"));
}

TEST_F(StoreOpenTest, ConnectionStringMeansAPostgresStore) {
  location_ = {.postgres_uri = base::Secret("postgresql://gw%zz@db/x")};
  EXPECT_TRUE(location_.shared());
  for (const absl::Status& status :
       {Open(location_, {.clock = &clock_}).status(), Inspect(location_).status(),
        MarkRestored(location_).status()}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr("PostgreSQL: "));
  }
}

}  // namespace
}  // namespace assetgate::store
