// Errors at start-up when the database is not usable.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/schema.h"
#include "store/testing/postgres_proxy.h"
#include "store/testing/postgres_server.h"
#include "store/testing/rows.h"

namespace assetgate::store {
namespace {

using postgres::TestServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PostgresOpenTest : public testing::Test {
 protected:
  ~PostgresOpenTest() override { server_.DropDatabase(database_); }

  PostgresStore::Options Options(std::string uri) {
    PostgresStore::Options options;
    options.uri = std::move(uri);
    options.clock = &clock_;
    options.connect_timeout = absl::Seconds(2);
    return options;
  }
  // The error of Open: one line, without any password. Inspect must return the same.
  std::string OpenError(const std::string& uri) {
    absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(Options(uri));
    EXPECT_FALSE(store.ok());
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << store.status();
    std::string message(store.status().message());
    EXPECT_THAT(message, Not(HasSubstr("secret"))) << "a password is revealed";
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    const auto seen = PostgresStore::Inspect(Options(uri));
    EXPECT_EQ(seen.status().code(), absl::StatusCode::kFailedPrecondition) << seen.status();
    EXPECT_THAT(std::string(seen.status().message()),
                AllOf(Not(HasSubstr("secret")), Not(HasSubstr("\n"))));
    return message;
  }

  base::SystemClock clock_;
  TestServer& server_ = TestServer::Shared();
  const std::string database_ = server_.CreateDatabase();
};

TEST_F(PostgresOpenTest, InspectCreatesNothing) {
  for (int i = 0; i < 2; ++i) {
    const auto empty = PostgresStore::Inspect(Options(server_.Uri(database_)));
    ASSERT_TRUE(empty.ok()) << empty.status();
    EXPECT_EQ(empty->version, 0) << "a schema was created";
    EXPECT_GE(empty->server, 13);
    EXPECT_THAT(empty->address, HasSubstr(database_));
  }
  PostgresStore::Options options = Options(server_.Uri(database_));
  options.name = "pod-0";
  const auto open = PostgresStore::Open(options);
  ASSERT_TRUE(open.ok()) << open.status();
  const auto seen = PostgresStore::Inspect(Options(server_.Uri(database_)));
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->version, postgres::Migrations().back().version);
  EXPECT_EQ(seen->gateways, "pod-0") << "Inspect counts itself as a gateway";
}

TEST_F(PostgresOpenTest, InvalidConnectionStringIsReportedWithoutItsPassword) {
  for (const char* uri :
       {"postgresql://a:sec%zzret@h/d", "host=x password='secret", "nonsense secret"}) {
    EXPECT_THAT(OpenError(uri), HasSubstr("postgresql://USER@HOST:PORT/DATABASE")) << uri;
  }
}

TEST_F(PostgresOpenTest, MissingServerIsReported) {
  int port;
  {
    // A port that was in use a moment ago.
    postgres::TestProxy gone(1);
    port = gone.port();
  }
  EXPECT_THAT(OpenError(server_.TcpUri(database_, "gateway:secret", port)),
              AllOf(HasSubstr("refused"), HasSubstr("Is the server running")));
}

TEST_F(PostgresOpenTest, ServerThatDoesNotAnswerIsReported) {
  postgres::TestProxy silent(server_.port());
  silent.Set(postgres::TestProxy::Mode::kFrozen);
  EXPECT_THAT(OpenError(server_.TcpUri(database_, "gateway:secret", silent.port())),
              HasSubstr("within 2s"));
}

TEST_F(PostgresOpenTest, WrongPasswordIsReported) {
  EXPECT_THAT(OpenError(server_.TcpUri(database_, "postgres:not-the-secret")),
              AllOf(HasSubstr("password authentication failed"), HasSubstr("store.postgres"),
                    Not(HasSubstr("LOCATION"))));
}

TEST_F(PostgresOpenTest, MissingDatabaseIsReported) {
  EXPECT_THAT(OpenError(server_.TcpUri("nowhere", TestServer::kSuperuser)),
              AllOf(HasSubstr("\"nowhere\" does not exist"), HasSubstr("CREATE DATABASE")));
}

TEST_F(PostgresOpenTest, MissingPrivilegeToCreateTheSchemaIsReported) {
  const std::string user = absl::StrCat("poor_", database_);
  server_.Execute(absl::StrCat("CREATE ROLE ", user, " LOGIN PASSWORD 'poor-secret'"));
  const std::string uri = server_.TcpUri(database_, absl::StrCat(user, ":poor-secret"));
  EXPECT_THAT(OpenError(uri), HasSubstr(absl::StrCat("GRANT CREATE ON DATABASE \"", database_,
                                                     "\" TO \"", user, "\"")));
  // The remedy in the message works.
  server_.Execute(absl::StrCat("GRANT CREATE ON DATABASE ", database_, " TO ", user));
  absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(Options(uri));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(
      CommitAndWait(**store, Create({"default", Kind::kAsset, "a"}, MakeContent("x"))).outcome,
      CommitResult::Outcome::kCommitted);
  // Once the schema exists, the privilege to create it is no longer needed.
  server_.Execute(absl::StrCat("REVOKE CREATE ON DATABASE ", database_, " FROM ", user));
  store->reset();
  EXPECT_TRUE(PostgresStore::Open(Options(uri)).ok());
  server_.Execute(absl::StrCat("DROP OWNED BY ", user, " CASCADE"), database_);
  server_.Execute(absl::StrCat("DROP ROLE ", user));
}

TEST_F(PostgresOpenTest, SchemaOfAnotherUserIsReported) {
  ASSERT_TRUE(PostgresStore::Open(Options(server_.Uri(database_))).ok());
  const std::string user = absl::StrCat("other_", database_);
  server_.Execute(absl::StrCat("CREATE ROLE ", user, " LOGIN PASSWORD 'secret'"));
  EXPECT_THAT(OpenError(server_.TcpUri(database_, absl::StrCat(user, ":secret"))),
              HasSubstr("ALTER SCHEMA assetgate OWNER TO"));
  server_.Execute(absl::StrCat("DROP ROLE ", user));
}

TEST_F(PostgresOpenTest, SchemaTooNewIsReportedWithBothVersions) {
  ASSERT_TRUE(PostgresStore::Open(Options(server_.Uri(database_))).ok());
  const int known = postgres::Migrations().back().version;
  server_.Execute(absl::StrCat("UPDATE assetgate.schema_version SET version = ", known + 7,
                               ", min_reader = ", known),
                  database_);
  EXPECT_TRUE(PostgresStore::Open(Options(server_.Uri(database_))).ok())
      << "a newer schema that this program can still work on";
  server_.Execute(absl::StrCat("UPDATE assetgate.schema_version SET min_reader = ", known + 5),
                  database_);
  EXPECT_THAT(OpenError(server_.Uri(database_)),
              AllOf(HasSubstr(absl::StrCat("has version ", known + 7)),
                    HasSubstr(absl::StrCat("knows version ", known + 5)),
                    HasSubstr(absl::StrCat("this one knows version ", known))));
}

TEST_F(PostgresOpenTest, ReadOnlyDatabaseIsReported) {
  server_.Execute(
      absl::StrCat("ALTER DATABASE ", database_, " SET default_transaction_read_only = on"));
  EXPECT_THAT(OpenError(server_.Uri(database_)), HasSubstr("read-only"));
}

TEST_F(PostgresOpenTest, PoolerThatDropsNotificationsIsReported) {
  postgres::TestProxy pooler(server_.port());
  pooler.DropNotifications();
  EXPECT_THAT(
      OpenError(absl::StrCat(server_.TcpUri(database_, TestServer::kSuperuser, pooler.port()),
                             "?sslmode=disable&gssencmode=disable")),
      AllOf(HasSubstr("LISTEN"), HasSubstr("pooler")));
}

TEST_F(PostgresOpenTest, RestoredDatabaseGetsANewIdOnceNoGatewayRunsOnIt) {
  PostgresStore::Options options = Options(server_.Uri(database_));
  options.name = "pod-7";
  absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  const std::string before = (*store)->store_id();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!(*store)->leases().Pick().has_value()) {
    ASSERT_LT(absl::Now(), deadline);
    CommitAndWait(**store, {});
  }
  const absl::Status refused = PostgresStore::MarkRestored(options).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("running on it (pod-7)"));
  store->reset();

  const absl::StatusOr<std::string> marked = PostgresStore::MarkRestored(options);
  ASSERT_TRUE(marked.ok()) << marked.status();
  EXPECT_NE(*marked, before);
  store = PostgresStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->store_id(), *marked);
}

TEST_F(PostgresOpenTest, MigrationsRunInOrderAndOnce) {
  postgres::Connection::Options options;
  options.uri = server_.Uri(database_);
  absl::StatusOr<std::unique_ptr<postgres::Connection>> connection =
      postgres::Connection::Open(options);
  ASSERT_TRUE(connection.ok());
  const Migration first = {1, 1, "CREATE TABLE one (n bigint);"};
  const Migration second = {2, 1, "INSERT INTO one VALUES (2);"};
  const Migration broken = {3, 1, "INSERT INTO nowhere VALUES (3);"};
  ASSERT_TRUE(postgres::Migrate(**connection, {first}).ok());
  ASSERT_TRUE(postgres::Migrate(**connection, {first, second}).ok());
  ASSERT_TRUE(postgres::Migrate(**connection, {first, second}).ok());
  const absl::Status status = postgres::Migrate(**connection, {first, second, broken});
  EXPECT_THAT(std::string(status.message()), HasSubstr("migration 3: "));
  absl::StatusOr<postgres::Rows> rows =
      (*connection)->Run({"SELECT version, (SELECT count(*) FROM one) FROM schema_version", {}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->IntAt(0, 0), 2) << "a step that fails leaves nothing behind";
  EXPECT_EQ(rows->IntAt(0, 1), 1);
}

}  // namespace
}  // namespace assetgate::store
