// Watch RPCs over real gRPC, on loopback.
#include "api/watch_stream.h"

#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "api/wire.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.grpc.pb.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "http/testing/fake_client.h"
#include "watch/testing/fake_store.h"

namespace assetgate::api {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

store::ChangePtr ChangeOf(store::Kind kind, std::string resource, store::Revision revision) {
  auto change = std::make_shared<store::Change>();
  change->key = {"default", kind, "x"};
  change->resource = std::move(resource);
  change->revision = revision;
  return change;
}

TEST(SerializeEventTest, PutHasTheWholeAssetWithItsRevision) {
  v1::Asset asset;
  asset.set_name("assets/x");
  asset.set_state(v1::Asset::ACTIVE);
  (*asset.mutable_labels())["cast"] = "anna";
  for (const store::Revision revision :
       {store::Revision{1}, store::Revision{127}, store::Revision{128}, store::Revision{1} << 40}) {
    v1::AssetEvent event;
    ASSERT_TRUE(event.ParseFromString(SerializeEvent(
        *watch::Event::Put(ChangeOf(store::Kind::kAsset, asset.SerializeAsString(), revision)))));
    EXPECT_EQ(event.type(), v1::PUT);
    EXPECT_EQ(event.revision(), revision);
    EXPECT_EQ(event.asset().revision(), revision);
    EXPECT_EQ(event.asset().name(), "assets/x");
    EXPECT_EQ(event.asset().labels().at("cast"), "anna");
    EXPECT_EQ(event.delete_cause(), v1::DELETE_CAUSE_UNSPECIFIED);
  }
}

TEST(SerializeEventTest, DeleteHasTheWholeVideoTaskWithACause) {
  v1::VideoTask task;
  task.set_name("videoTasks/x");
  task.set_prompt(std::string(100'000, 'p'));
  v1::VideoTaskEvent event;
  ASSERT_TRUE(event.ParseFromString(SerializeEvent(*watch::Event::Delete(
      ChangeOf(store::Kind::kVideoTask, task.SerializeAsString(), 300), v1::LEFT_FILTER))));
  EXPECT_EQ(event.type(), v1::DELETE);
  EXPECT_EQ(event.delete_cause(), v1::LEFT_FILTER);
  EXPECT_EQ(event.revision(), 300);
  EXPECT_EQ(event.video_task().revision(), 300);
  EXPECT_EQ(event.video_task().prompt().size(), 100'000U);
}

TEST(SerializeEventTest, EventHasTheWholeProvider) {
  v1::Provider kyy;
  kyy.set_name("providers/kyy");
  kyy.set_state(v1::Provider::UNAVAILABLE);
  for (const v1::EventType type : {v1::PUT, v1::DELETE}) {
    v1::ProviderEvent event;
    ASSERT_TRUE(event.ParseFromString(SerializeEvent(*watch::Event::OfProvider(type, kyy))));
    EXPECT_EQ(event.type(), type);
    EXPECT_EQ(event.provider().SerializeAsString(), kyy.SerializeAsString());
  }
  v1::ProviderEvent event;
  ASSERT_TRUE(event.ParseFromString(SerializeEvent(*watch::Event::Reset(v1::FRESH))));
  EXPECT_EQ(event.reset_reason(), v1::FRESH);
  ASSERT_TRUE(event.ParseFromString(SerializeEvent(*watch::Event::Bookmark("", true))));
  EXPECT_TRUE(event.snapshot_complete());
  EXPECT_EQ(event.GetReflection()->GetUnknownFields(event).field_count(), 0);
}

TEST(SerializeEventTest, EmptyResourceIsSerialized) {
  v1::AssetEvent event;
  ASSERT_TRUE(event.ParseFromString(
      SerializeEvent(*watch::Event::Put(ChangeOf(store::Kind::kAsset, "", 5)))));
  EXPECT_TRUE(event.has_asset());
  EXPECT_EQ(event.asset().revision(), 5);
}

TEST(SerializeEventTest, ResetAndBookmarkCarryTheirFields) {
  v1::VideoTaskEvent event;
  ASSERT_TRUE(event.ParseFromString(SerializeEvent(*watch::Event::Reset(v1::COMPACTED))));
  EXPECT_EQ(event.type(), v1::RESET);
  EXPECT_EQ(event.reset_reason(), v1::COMPACTED);
  ASSERT_TRUE(event.ParseFromString(
      SerializeEvent(*watch::Event::Bookmark(std::string("\0\xff", 2), true))));
  EXPECT_EQ(event.type(), v1::BOOKMARK);
  EXPECT_EQ(event.resume_token(), std::string("\0\xff", 2));
  EXPECT_TRUE(event.snapshot_complete());
}

// What the caller "studio" shows.
constexpr char kToken[] = "token-of-studio";

auth::Callers JustStudio() {
  auth::Callers callers;
  auth::Caller& studio = callers.callers.emplace_back();
  studio.id = "studio";
  studio.roles = {auth::Role::kReader};
  studio.token_digests = {auth::DigestOf(kToken)};
  return callers;
}

// A service that has nothing but its watch.
class TestService final
    : public v1::AssetService::WithRawCallbackMethod_WatchAssets<v1::AssetService::Service> {
 public:
  TestService(watch::Watches& watches, WatchMethod& method) : watches_(watches), method_(method) {}
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchAssets(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* bytes) override {
    return method_.Answer(*context,
                          [&](const calls::Caller&) { return OpeningOf(watches_, Ask(*bytes)); });
  }

 private:
  static absl::StatusOr<watch::WatchRequest> Ask(const grpc::ByteBuffer& bytes) {
    absl::StatusOr<v1::WatchAssetsRequest> request = Parse<v1::WatchAssetsRequest>(bytes);
    if (!request.ok()) return request.status();
    watch::WatchRequest watch;
    watch.tenant = watch::FakeStore::kTenant;
    watch.resume_token = request->resume_token();
    watch.until_settled = request->until_settled();
    for (const std::string& name : request->names()) watch.ids.push_back(name.substr(7));
    return watch;
  }

 private:
  watch::Watches& watches_;
  WatchMethod& method_;
};

class WatchCallTest : public ::testing::Test {
 protected:
  WatchCallTest() {
    store_.SetListener(&hub_);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = NewChannel();
    stub_ = v1::AssetService::NewStub(channel_);
  }
  ~WatchCallTest() override {
    EndCalls();
    replay_loop_.Stop();
    hub_loop_.Stop();
  }

  // Every call has ended when this returns.
  void EndCalls() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  // An open call; cancelled at the end, and long before a test would hang.
  struct Reading {
    Reading(v1::AssetService::Stub& stub, const v1::WatchAssetsRequest& request) {
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
      context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
      reader = stub.WatchAssets(&context, request);
    }
    ~Reading() {
      context.TryCancel();
      reader->Finish();
    }
    v1::AssetEvent Next() {
      v1::AssetEvent event;
      EXPECT_TRUE(reader->Read(&event));
      return event;
    }
    std::vector<std::string> Texts(int count) {
      std::vector<std::string> texts;
      for (int i = 0; i < count; ++i) {
        const v1::AssetEvent event = Next();
        texts.push_back(absl::StrCat(v1::EventType_Name(event.type()), event.has_asset() ? " " : "",
                                     event.asset().display_name()));
        if (!event.resume_token().empty()) token = event.resume_token();
      }
      return texts;
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::AssetEvent>> reader;
    std::string token;
  };

  watch::FakeStore store_;
  base::ThreadEventLoop hub_loop_{"test-hub"};
  base::ThreadEventLoop replay_loop_{"test-replay"};
  watch::Hub hub_{hub_loop_};
  watch::Watches watches_{store_, hub_, replay_loop_, {.bookmark_quiet = absl::Milliseconds(20)}};
  base::Metrics metrics_{{.version = "test"}};
  base::SystemClock clock_;
  std::ostringstream lines_;
  const base::Log log_{base::LogFormat::kJson, base::LogLevel::kInfo,
                       std::make_shared<spdlog::sinks::ostream_sink_mt>(lines_)};
  // For keys of issuers; there are none.
  http::FakeHttpClient http_;
  auth::Authenticator authenticator_{JustStudio(), clock_, {http_, replay_loop_}};
  auth::Limiter limiter_{clock_};
  Gatekeeper gatekeeper_{authenticator_, limiter_, log_};
  WatchMethod method_{gatekeeper_,
                      metrics_,
                      clock_,
                      log_,
                      "assetgate.v1.AssetService/WatchAssets",
                      base::MetricKind::kAsset};
  TestService service_{watches_, method_};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AssetService::Stub> stub_;
};

TEST_F(WatchCallTest, SnapshotThenChangesThenResume) {
  store_.Put("a");
  std::string token;
  {
    Reading reading(*stub_, {});
    EXPECT_THAT(reading.Texts(3), ElementsAre("RESET", "PUT a@1", "BOOKMARK"));
    store_.Put("a");
    store_.Put("b");
    EXPECT_THAT(reading.Texts(3), ElementsAre("PUT a@2", "PUT b@3", "BOOKMARK"));
    token = reading.token;
  }
  store_.Delete("a");
  v1::WatchAssetsRequest request;
  request.set_resume_token(token);
  Reading reading(*stub_, request);
  EXPECT_THAT(reading.Texts(2), ElementsAre("DELETE a@2", "BOOKMARK"));
}

TEST_F(WatchCallTest, ResourceThatCannotBeReadIsLeftOutAndHidesNothingElse) {
  store_.Put("\xff");
  store_.Put("b");
  Reading reading(*stub_, {});
  EXPECT_THAT(reading.Texts(3), ElementsAre("RESET", "PUT b@2", "BOOKMARK"));
  for (int i = 0; i < 50; ++i) store_.Put("\xff");
  store_.Put("c");
  v1::AssetEvent event = reading.Next();
  while (event.type() == v1::BOOKMARK) event = reading.Next();
  EXPECT_EQ(event.asset().display_name(), "c@53");
  EXPECT_THAT(metrics_.Scrape(),
              ::testing::ContainsRegex("assetgate_unreadable_total.kind=\"asset\". [1-9]"));
}

TEST_F(WatchCallTest, BurstArrivesCompleteAndInOrder) {
  Reading reading(*stub_, {});
  reading.Texts(2);
  constexpr int kChanges = 500;
  for (int i = 0; i < kChanges; ++i) store_.Put(absl::StrCat("a", i));
  for (int i = 1; i <= kChanges; ++i) {
    v1::AssetEvent event = reading.Next();
    while (event.type() == v1::BOOKMARK) event = reading.Next();
    ASSERT_EQ(event.revision(), i);
  }
}

TEST_F(WatchCallTest, UntilSettledEndsTheCallWithOk) {
  store_.Put("a", {}, false);
  v1::WatchAssetsRequest request;
  request.add_names("assets/a");
  request.set_until_settled(true);
  grpc::ClientContext context;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
  const auto reader = stub_->WatchAssets(&context, request);
  v1::AssetEvent event;
  std::vector<v1::EventType> types;
  while (reader->Read(&event)) {
    types.push_back(event.type());
    if (event.snapshot_complete()) store_.Put("a", {}, true);
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(types, ElementsAre(v1::RESET, v1::PUT, v1::BOOKMARK, v1::PUT, v1::BOOKMARK));
}

TEST_F(WatchCallTest, UnknownNameIsNotFoundWithDetails) {
  v1::WatchAssetsRequest request;
  request.add_names("assets/nobody");
  grpc::ClientContext context;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
  const auto reader = stub_->WatchAssets(&context, request);
  v1::AssetEvent event;
  EXPECT_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(base::ReasonOf(details), v1::RESOURCE_NOT_FOUND);
}

TEST_F(WatchCallTest, EndedWatchIsLoggedWithTheCallersTrace) {
  store_.Put("a");
  std::size_t bytes = 0;
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  for (const char* name : {"assets/a", "assets/nobody"}) {
    v1::WatchAssetsRequest request;
    request.add_names(name);
    request.set_until_settled(true);
    grpc::ClientContext context;
    context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
    context.AddMetadata("traceparent", absl::StrCat("00-", trace, "-00f067aa0ba902b7-01"));
    const auto reader = stub_->WatchAssets(&context, request);
    v1::AssetEvent event;
    while (reader->Read(&event)) bytes += event.ByteSizeLong();
    reader->Finish();
  }
  EndCalls();
  std::vector<std::string> lines = absl::StrSplit(lines_.str(), '\n', absl::SkipEmpty());
  std::sort(lines.begin(), lines.end(),
            [](const auto& a, const auto& b) { return a.size() < b.size(); });
  EXPECT_THAT(
      lines,
      ElementsAre(
          AllOf(HasSubstr(trace), HasSubstr("WatchAssets"),
                HasSubstr("\"caller\":\"studio\",\"name\":\"assets/a\",\"code\":\"OK\","
                          "\"reason\":\"SETTLED\""),
                HasSubstr(absl::StrCat("\"events\":3,\"bookmarks\":1,\"bytes\":", bytes, ","))),
          AllOf(HasSubstr(trace), HasSubstr("WatchAssets"),
                HasSubstr("\"code\":\"NOT_FOUND\",\"reason\":\"RESOURCE_NOT_FOUND\""),
                HasSubstr("\"events\":0,\"bookmarks\":0,\"bytes\":0,"))));
}

TEST_F(WatchCallTest, MalformedRequestIsInvalid) {
  // Field 1 announces more bytes than there are.
  grpc::Slice garbage(std::string("\x0a\x7f garbage"));
  const grpc::ByteBuffer bytes(&garbage, 1);
  const absl::Status status = Parse<v1::WatchAssetsRequest>(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_EQ(bytes.Length(), 0u) << "a stream does not keep its request";
}

TEST_F(WatchCallTest, DrainEndsCallsWithATokenAndRetryInfo) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
  const auto reader = stub_->WatchAssets(&context, {});
  v1::AssetEvent event;
  ASSERT_TRUE(reader->Read(&event));
  ASSERT_TRUE(reader->Read(&event));
  watches_.Drain();
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), v1::BOOKMARK);
  EXPECT_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(base::ReasonOf(details), v1::DRAINING);
  EXPECT_TRUE(base::RetryDelayOf(details).has_value());
}

TEST_F(WatchCallTest, CancelledCallIsReleased) {
  {
    Reading reading(*stub_, {});
    reading.Texts(2);
    EXPECT_EQ(watches_.open_streams(), 1U);
  }
  // The server hears of it a little later.
  while (watches_.open_streams() != 0) std::this_thread::yield();
  store_.Put("a");
  Reading reading(*stub_, {});
  EXPECT_THAT(reading.Texts(3), ElementsAre("RESET", "PUT a@1", "BOOKMARK"));
  EndCalls();
  EXPECT_THAT(lines_.str(), HasSubstr("\"reason\":\"CALLER_GONE\""));
}

TEST_F(WatchCallTest, ReaderThatDoesNotReadDelaysNoOtherAndMissesNothing) {
  Reading slow(*stub_, {});
  const auto other_channel = NewChannel();
  const auto other_stub = v1::AssetService::NewStub(other_channel);
  Reading fast(*other_stub, {});
  slow.Texts(2);
  fast.Texts(2);
  // Far more than HTTP/2's window and the mailbox hold together. Each resource is written several
  // times; the view is complete when it holds the last state of all of them.
  constexpr int kChanges = 20'000;
  constexpr int kResources = 5'000;
  const auto read_all = [](Reading& reading) {
    std::map<std::string, std::int64_t> view;
    int complete = 0;
    while (complete < kResources) {
      const v1::AssetEvent event = reading.Next();
      if (event.type() == v1::BOOKMARK) continue;
      if (event.type() != v1::PUT) return false;
      const std::string& text = event.asset().display_name();
      std::int64_t& held = view[text.substr(0, text.find('@'))];
      if (held >= event.revision()) return false;
      held = event.revision();
      if (held > kChanges - kResources) ++complete;
    }
    return true;
  };
  std::thread writer([&] {
    for (int i = 0; i < kChanges; ++i) store_.Put(absl::StrCat("a", i % kResources));
  });
  EXPECT_TRUE(read_all(fast));
  writer.join();
  EXPECT_TRUE(read_all(slow));
}

TEST_F(WatchCallTest, ShutdownWithOpenCallsEndsThem) {
  std::vector<std::unique_ptr<Reading>> readings;
  for (int i = 0; i < 20; ++i) {
    readings.push_back(std::make_unique<Reading>(*stub_, v1::WatchAssetsRequest()));
    readings.back()->Texts(2);
  }
  std::thread writer([&] {
    for (int i = 0; i < 2'000; ++i) store_.Put("a");
  });
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  writer.join();
  EXPECT_EQ(watches_.open_streams(), 0U);
}

TEST_F(WatchCallTest, WrittenEventsAreCounted) {
  {
    Reading reading(*stub_, {});
    reading.Texts(2);
    EXPECT_THAT(metrics_.Scrape(), HasSubstr("assetgate_open_streams{kind=\"asset\"} 1"));
    store_.Put("a");
    reading.Texts(1);
  }
  EXPECT_THAT(metrics_.Scrape(),
              HasSubstr("assetgate_stream_events_total{kind=\"asset\",type=\"put\"} 1"));
}

}  // namespace
}  // namespace assetgate::api
