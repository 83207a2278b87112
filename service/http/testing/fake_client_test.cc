#include "http/testing/fake_client.h"

#include <optional>
#include <thread>
#include <variant>

#include "gtest/gtest.h"

namespace assetgate::http {
namespace {

TEST(FakeHttpClientTest, CallsAreTakenInOrderAndAnsweredInAnyOrder) {
  FakeHttpClient client;
  int answered = 0;
  const auto expect = [&answered](int status) {
    return [&answered, status](Result result) {
      EXPECT_EQ(std::get<Response>(result).status, status);
      ++answered;
    };
  };
  client.Send({.path = "/1"}, {.base_url = "http://a"}, expect(201));
  client.Send({.path = "/2"}, {.submission = true}, expect(202));
  EXPECT_EQ(client.pending(), 2u);
  EXPECT_EQ(answered, 0);

  FakeHttpClient::Call first = client.Take();
  FakeHttpClient::Call second = client.Take();
  EXPECT_EQ(first.request.path, "/1");
  EXPECT_EQ(first.options.base_url, "http://a");
  EXPECT_TRUE(second.options.submission);
  std::move(second).Answer(Response{.status = 202});
  std::move(first).Answer(Response{.status = 201});
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(client.pending(), 0u);
  EXPECT_EQ(client.sent(), 2u);
}

TEST(FakeHttpClientTest, TakeWaitsForACall) {
  FakeHttpClient client;
  std::thread sender([&client] { client.Send({.path = "/late"}, {}, [](Result) {}); });
  EXPECT_EQ(client.Take().request.path, "/late");
  sender.join();
}

TEST(FakeHttpClientTest, CallsThatAreNotTakenEndWithTheClient) {
  std::optional<Result> result;
  {
    FakeHttpClient client;
    client.Send({}, {}, [&result](Result answer) { result = std::move(answer); });
  }
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::get<TransportError>(*result).kind, TransportError::Kind::kStopped);
}

}  // namespace
}  // namespace assetgate::http
