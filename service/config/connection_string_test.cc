#include "config/connection_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <string>

#include "absl/strings/match.h"

namespace assetgate::config {
namespace {

enum class Verdict { kUnreadable, kPlain, kPassword };

Verdict OurVerdict(const std::string& text) {
  const absl::StatusOr<bool> holds = HoldsPassword(text);
  if (!holds.ok()) return Verdict::kUnreadable;
  return *holds ? Verdict::kPassword : Verdict::kPlain;
}

// What libpq itself says.
Verdict LibpqVerdict(const std::string& text) {
  char* error = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(text.c_str(), &error);
  PQfreemem(error);
  if (parsed == nullptr) return Verdict::kUnreadable;
  Verdict verdict = Verdict::kPlain;
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (absl::EndsWith(option->keyword, "password") && option->val != nullptr) {
      verdict = Verdict::kPassword;
    }
  }
  PQconninfoFree(parsed);
  return verdict;
}

TEST(ConnectionStringTest, EachStringIsReadAsLibpqReadsIt) {
  for (const char* text : {
           "",
           " ",
           "nonsense",
           "postgresql://",
           "postgres://",
           "postgresql:/db",
           "postgresql://db",
           "postgresql://db:5432/assets",
           "postgresql://gw@db:5433/assets",
           "postgresql://gw:secret@db/assets",
           "postgresql://gw:@db/assets",
           "postgresql://:secret@db/assets",
           "postgresql://gw:se%63ret@db/assets",
           "postgresql://gw:secret%zz@db/x",
           "postgresql://gw%00@db/x",
           "postgresql://gw%4",
           "postgresql://gw%",
           "postgresql://a:b:c@db",
           "postgresql://a@b@c",
           "postgresql://user@/db",
           "postgresql://a/b@c",
           "postgresql://[::1]:5432/x",
           "postgresql://[::1]",
           "postgresql://[::1",
           "postgresql://[]/x",
           "postgresql://[::1]x",
           "postgresql://[::1]?sslmode=require",
           "postgresql://one:1,two:2/x",
           "postgresql://one,two,/x",
           "postgresql://,",
           "postgresql://%2Fvar%2Frun/x",
           "postgresql://db?sslmode=require",
           "postgresql://db/x?sslmode=require&connect_timeout=3",
           "postgresql://db/x?sslmode",
           "postgresql://db/x?sslmode=a=b",
           "postgresql://db/x?sslmode=a&",
           "postgresql://db/x?&sslmode=a",
           "postgresql://db/x?sslmode=a&&port=1",
           "postgresql://db/x?",
           "postgresql://db/x?&",
           "postgresql://db/x?=",
           "postgresql://db/x?unknown=1",
           "postgresql://db/x?ssl=true",
           "postgresql://db/x?ssl=false",
           "postgresql://db/x?requiressl=1",
           "postgresql://db/x?password=secret",
           "postgresql://db/x?password=",
           "postgresql://db/x?sslpassword=secret",
           "postgresql://db/x?pass%77ord=secret",
           "postgresql://db/x?options=-c%20a%3Db",
           "postgresql://db/x?options=%zz",
           "postgresql://db/x%zz",
           "postgresql://db:%zz/x",
           "postgresql://db/x y",
           "host=db",
           "host = db  port= 5432",
           "host=db password=secret",
           "host=db password=''",
           "host=db password=",
           "host=",
           "host='a b' user=gw",
           "host='a",
           "host='a\\'b'user=gw",
           "host=a\\ b",
           "host=a\\",
           "host='a\\",
           "host",
           "host db",
           "=x",
           "hostt=db",
           "HOST=db",
           "host=db\n\tuser=gw",
           "requiressl=1",
           "ssl=true",
       }) {
    EXPECT_EQ(OurVerdict(text), LibpqVerdict(text)) << text;
  }
}

TEST(ConnectionStringTest, EveryKeywordOfLibpqIsKnown) {
  PQconninfoOption* known = PQconndefaults();
  ASSERT_NE(known, nullptr);
  for (const PQconninfoOption* option = known; option->keyword != nullptr; ++option) {
    const std::string text = std::string(option->keyword) + "=1";
    EXPECT_EQ(OurVerdict(text), LibpqVerdict(text)) << text;
  }
  PQconninfoFree(known);
}

TEST(ConnectionStringTest, FaultDoesNotQuoteTheString) {
  EXPECT_EQ(HoldsPassword("nonsense-hunter2").status().message(),
            "the connection string cannot be read");
}

}  // namespace
}  // namespace assetgate::config
