// A unary RPC over real gRPC, on loopback.
#include "api/rpc.h"

#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "core/testing/harness.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "http/testing/fake_client.h"

namespace assetgate::api {
namespace {

using ::testing::HasSubstr;

constexpr char kToken[] = "studio-token";

auth::Callers JustStudio() {
  auth::Callers callers;
  auth::Caller& studio = callers.callers.emplace_back();
  studio.id = "studio";
  studio.roles = {auth::Role::kWriter};
  studio.token_digests = {auth::DigestOf(kToken)};
  return callers;
}

// A service that has nothing but one method, which answers at once, and keeps who asked.
class TestService final
    : public v1::AssetService::WithCallbackMethod_BatchCreateAssets<v1::AssetService::Service> {
 public:
  explicit TestService(const Parts& parts)
      : method_(parts, "assetgate.v1.AssetService/BatchCreateAssets", Access::kWrite) {}
  grpc::ServerUnaryReactor* BatchCreateAssets(grpc::CallbackServerContext* context,
                                              const v1::BatchCreateAssetsRequest* request,
                                              v1::BatchCreateAssetsResponse* response) override {
    return method_.RunNow(context, *request, response, [&](const core::Caller& caller) {
      asked = caller.context.request_id;
      return absl::StatusOr<v1::BatchCreateAssetsResponse>(v1::BatchCreateAssetsResponse());
    });
  }

  std::string asked;

 private:
  Method method_;
};

class RpcTest : public ::testing::Test {
 protected:
  RpcTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::AssetService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }
  ~RpcTest() override { EndCalls(); }

  // Every call has ended, and is in the log, when this returns.
  void EndCalls() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  grpc::Status Call(const v1::BatchCreateAssetsRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
    v1::BatchCreateAssetsResponse response;
    return stub_->BatchCreateAssets(&context, request, &response);
  }

  // For its gateway, which is not asked.
  core::Harness harness_;
  base::SystemClock clock_;
  base::ThreadEventLoop loop_{"test-auth"};
  base::Metrics metrics_{{.version = "test"}};
  std::ostringstream lines_;
  const base::Log log_{base::LogFormat::kJson, base::LogLevel::kInfo,
                       std::make_shared<spdlog::sinks::ostream_sink_mt>(lines_)};
  // For keys of issuers; there are none.
  http::FakeHttpClient http_;
  auth::Authenticator authenticator_{JustStudio(), clock_, {http_, loop_}};
  auth::Limiter limiter_{clock_};
  Gatekeeper gatekeeper_{authenticator_, limiter_, log_};
  CallLimit call_limit_{10};
  TestService service_{Parts{harness_.gateway(), gatekeeper_, call_limit_, metrics_, clock_, log_}};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::AssetService::Stub> stub_;
};

TEST_F(RpcTest, BatchIsLoggedWithTheRequestIdThatTheCallerGave) {
  v1::BatchCreateAssetsRequest request;
  request.set_request_id("batch-7");
  const grpc::Status status = Call(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EndCalls();
  EXPECT_EQ(service_.asked, "batch-7");
  EXPECT_THAT(lines_.str(), HasSubstr("\"request_id\":\"batch-7\""));
}

TEST_F(RpcTest, WriteWithoutARequestIdGetsOneForTheLog) {
  ASSERT_TRUE(Call({}).ok());
  EndCalls();
  EXPECT_FALSE(service_.asked.empty());
  EXPECT_THAT(lines_.str(), HasSubstr(absl::StrCat("\"request_id\":\"", service_.asked, "\"")));
}

}  // namespace
}  // namespace assetgate::api
