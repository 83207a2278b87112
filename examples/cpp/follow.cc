// Requests a video and follows it to its end, across disconnections and restarts of gateways.
//
//   follow dns:///assetgate-headless.assetgate:8080 seedance-2 "a quiet harbour"
//
// ASSETGATE_CA: path of the CA certificates that verify the gateways'; without it, plain text.
// ASSETGATE_TOKEN: the caller's token. docs/clients.md explains the settings.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "assetgate/v1/video_service.grpc.pb.h"

namespace {

using assetgate::v1::CreateVideoTaskRequest;
using assetgate::v1::VideoService;
using assetgate::v1::VideoTask;
using assetgate::v1::VideoTaskEvent;
using assetgate::v1::WatchVideoTasksRequest;
using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr char kServiceConfig[] = R"json({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": ""},
  "methodConfig": [
    {
      "name": [
        {"service": "assetgate.v1.AssetService"},
        {"service": "assetgate.v1.ProviderService"},
        {"service": "assetgate.v1.VideoService"}
      ],
      "waitForReady": true,
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.5s",
        "maxBackoff": "10s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNKNOWN"]
      }
    },
    {
      "name": [
        {"service": "assetgate.v1.AssetService", "method": "WatchAssets"},
        {"service": "assetgate.v1.ProviderService", "method": "WatchProviders"},
        {"service": "assetgate.v1.VideoService", "method": "WatchVideoTasks"},
        {"service": "assetgate.v1.VideoService", "method": "ResolveVideoTask"}
      ],
      "waitForReady": true
    }
  ]
})json";

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Otherwise gRPC stops after two pings on a watch without events.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  auto credentials = grpc::InsecureChannelCredentials();
  if (const std::string ca = Environment("ASSETGATE_CA"); !ca.empty()) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ReadFile(ca);
    credentials = grpc::SslCredentials(options);
  }
  return grpc::CreateCustomChannel(server, credentials, arguments);
}

// The metadata of each call.
void Prepare(grpc::ClientContext& context, system_clock::time_point deadline) {
  context.set_deadline(deadline);
  if (const std::string token = Environment("ASSETGATE_TOKEN"); !token.empty()) {
    context.AddMetadata("authorization", "Bearer " + token);
  }
}

std::string MakeRequestId() {
  std::random_device random;
  std::ostringstream id;
  for (int i = 0; i < 4; ++i) id << std::hex << random();
  return id.str();
}

// Whether a watch resumes with its token: the connection broke, the gateway shuts down or asks to
// wait, or the stream was cut in transit, without an answer of the gateway.
bool GoesOn(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return true;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return status.error_details().empty();
    default:
      return false;
  }
}

[[noreturn]] void Fail(const std::string& what, const grpc::Status& status) {
  std::cerr << what << ": " << status.error_code() << " " << status.error_message() << std::endl;
  std::exit(1);
}

// The task in its final state; without a name if it was deleted.
VideoTask Follow(VideoService::Stub& videos, const std::string& name,
                 system_clock::time_point deadline) {
  WatchVideoTasksRequest request;
  request.add_names(name);
  request.set_until_settled(true);
  VideoTask task;
  milliseconds pause(500);
  std::minstd_rand random(std::random_device{}());
  while (true) {
    grpc::ClientContext context;
    Prepare(context, deadline);
    const auto stream = videos.WatchVideoTasks(&context, request);
    VideoTaskEvent event;
    while (stream->Read(&event)) {
      pause = milliseconds(500);
      switch (event.type()) {
        case assetgate::v1::PUT:
          task = event.video_task();
          std::cout << name << ": " << VideoTask::State_Name(task.state()) << std::endl;
          break;
        case assetgate::v1::RESET:  // A complete snapshot follows.
        case assetgate::v1::DELETE:
          task.Clear();
          break;
        case assetgate::v1::BOOKMARK:  // Everything up to here has been delivered.
          request.set_resume_token(event.resume_token());
          break;
        default:
          break;
      }
    }
    const grpc::Status status = stream->Finish();
    if (status.ok()) return task;
    if (!GoesOn(status)) Fail(name, status);
    std::cerr << name << ": " << status.error_message() << "; again" << std::endl;
    std::this_thread::sleep_for(pause / 2 + random() % (pause / 2).count() * milliseconds(1));
    pause = std::min(2 * pause, milliseconds(10'000));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: follow SERVER MODEL PROMPT" << std::endl;
    return 2;
  }
  VideoService::Stub videos(Connect(argv[1]));

  CreateVideoTaskRequest request;
  request.mutable_video_task()->set_model(argv[2]);
  request.mutable_video_task()->set_prompt(argv[3]);
  // With it, gRPC may repeat the call without making a second video.
  request.set_request_id(MakeRequestId());
  grpc::ClientContext context;
  Prepare(context, system_clock::now() + std::chrono::seconds(60));
  VideoTask task;
  if (const grpc::Status made = videos.CreateVideoTask(&context, request, &task); !made.ok()) {
    Fail("create", made);
  }
  std::cout << task.name() << ": created" << std::endl;

  task = Follow(videos, task.name(), system_clock::now() + std::chrono::hours(1));
  std::cout << task.video().uri() << std::endl;
  return task.state() == VideoTask::SUCCEEDED ? 0 : 1;
}
