// A gateway whose answers a test defines, over real gRPC on a loopback port.
#ifndef ASSETGATE_CLI_TESTING_FAKE_GATEWAY_H_
#define ASSETGATE_CLI_TESTING_FAKE_GATEWAY_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "assetgate/v1/provider_service.grpc.pb.h"
#include "assetgate/v1/video_service.grpc.pb.h"
#include "base/error.h"

namespace assetgate::cli {

// A gRPC error with its details, as the gateway sends it.
inline grpc::Status ToGrpc(const absl::Status& status) {
  const google::rpc::Status proto = base::ToRpcStatus(status);
  return {static_cast<grpc::StatusCode>(proto.code()), proto.message(), proto.SerializeAsString()};
}

// A call without a handler is answered with UNIMPLEMENTED.
//
// Threading: handlers are set before the first call and run on gRPC's threads.
class FakeGateway {
 public:
  template <typename Request, typename Response>
  using Unary = std::function<grpc::Status(const Request&, Response*)>;
  // `send` returns false when the caller has disconnected.
  template <typename Request, typename Event>
  using Stream =
      std::function<grpc::Status(const Request&, const std::function<bool(const Event&)>& send)>;

  Unary<v1::CreateAssetGroupRequest, v1::AssetGroup> create_group;
  Unary<v1::CreateAssetRequest, v1::Asset> create_asset;
  Unary<v1::BatchCreateAssetsRequest, v1::BatchCreateAssetsResponse> batch_create_assets;
  Unary<v1::GetAssetRequest, v1::Asset> get_asset;
  Unary<v1::ListAssetsRequest, v1::ListAssetsResponse> list_assets;
  Unary<v1::DeleteAssetRequest, v1::DeleteAssetResponse> delete_asset;
  Stream<v1::WatchAssetsRequest, v1::AssetEvent> watch_assets;
  Unary<v1::CreateVideoTaskRequest, v1::VideoTask> create_video;
  Unary<v1::CancelVideoTaskRequest, v1::VideoTask> cancel_video;
  Unary<v1::ResolveVideoTaskRequest, v1::VideoTask> resolve_video;
  Unary<v1::ImportVideoTaskRequest, v1::VideoTask> import_video;
  Stream<v1::WatchVideoTasksRequest, v1::VideoTaskEvent> watch_videos;
  Unary<v1::ListProvidersRequest, v1::ListProvidersResponse> list_providers;
  Stream<v1::WatchProvidersRequest, v1::ProviderEvent> watch_providers;
  Unary<v1::GetModelRequest, v1::Model> get_model;
  Unary<v1::ExplainRequest, v1::Explanation> explain;
  // Sets the answer of the health service.
  void SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }

  FakeGateway() : assets_(*this), videos_(*this), providers_(*this) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&assets_);
    builder.RegisterService(&videos_);
    builder.RegisterService(&providers_);
    server_ = builder.BuildAndStart();
  }
  ~FakeGateway() {
    over_.Notify();
    server_->Shutdown();
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  // Blocks until the test is over, for handlers that keep their stream open.
  void WaitUntilOver() { over_.WaitForNotification(); }

 private:
  template <typename Handler, typename Request, typename Response>
  static grpc::Status Answer(const Handler& handler, const Request* request, Response* response) {
    if (!handler) return {grpc::StatusCode::UNIMPLEMENTED, "the test did not expect this call"};
    return handler(*request, response);
  }
  template <typename Handler, typename Request, typename Event>
  static grpc::Status Send(const Handler& handler, const Request* request,
                           grpc::ServerWriter<Event>* writer) {
    if (!handler) return {grpc::StatusCode::UNIMPLEMENTED, "the test did not expect this watch"};
    return handler(*request, [writer](const Event& event) { return writer->Write(event); });
  }

  class Assets final : public v1::AssetService::Service {
   public:
    explicit Assets(FakeGateway& fake) : fake_(fake) {}
    grpc::Status CreateAssetGroup(grpc::ServerContext*, const v1::CreateAssetGroupRequest* request,
                                  v1::AssetGroup* response) override {
      return Answer(fake_.create_group, request, response);
    }
    grpc::Status CreateAsset(grpc::ServerContext*, const v1::CreateAssetRequest* request,
                             v1::Asset* response) override {
      return Answer(fake_.create_asset, request, response);
    }
    grpc::Status BatchCreateAssets(grpc::ServerContext*,
                                   const v1::BatchCreateAssetsRequest* request,
                                   v1::BatchCreateAssetsResponse* response) override {
      return Answer(fake_.batch_create_assets, request, response);
    }
    grpc::Status GetAsset(grpc::ServerContext*, const v1::GetAssetRequest* request,
                          v1::Asset* response) override {
      return Answer(fake_.get_asset, request, response);
    }
    grpc::Status ListAssets(grpc::ServerContext*, const v1::ListAssetsRequest* request,
                            v1::ListAssetsResponse* response) override {
      return Answer(fake_.list_assets, request, response);
    }
    grpc::Status DeleteAsset(grpc::ServerContext*, const v1::DeleteAssetRequest* request,
                             v1::DeleteAssetResponse* response) override {
      return Answer(fake_.delete_asset, request, response);
    }
    grpc::Status WatchAssets(grpc::ServerContext*, const v1::WatchAssetsRequest* request,
                             grpc::ServerWriter<v1::AssetEvent>* writer) override {
      return Send(fake_.watch_assets, request, writer);
    }

   private:
    FakeGateway& fake_;
  };

  class Videos final : public v1::VideoService::Service {
   public:
    explicit Videos(FakeGateway& fake) : fake_(fake) {}
    grpc::Status CreateVideoTask(grpc::ServerContext*, const v1::CreateVideoTaskRequest* request,
                                 v1::VideoTask* response) override {
      return Answer(fake_.create_video, request, response);
    }
    grpc::Status CancelVideoTask(grpc::ServerContext*, const v1::CancelVideoTaskRequest* request,
                                 v1::VideoTask* response) override {
      return Answer(fake_.cancel_video, request, response);
    }
    grpc::Status ResolveVideoTask(grpc::ServerContext*, const v1::ResolveVideoTaskRequest* request,
                                  v1::VideoTask* response) override {
      return Answer(fake_.resolve_video, request, response);
    }
    grpc::Status ImportVideoTask(grpc::ServerContext*, const v1::ImportVideoTaskRequest* request,
                                 v1::VideoTask* response) override {
      return Answer(fake_.import_video, request, response);
    }
    grpc::Status WatchVideoTasks(grpc::ServerContext*, const v1::WatchVideoTasksRequest* request,
                                 grpc::ServerWriter<v1::VideoTaskEvent>* writer) override {
      return Send(fake_.watch_videos, request, writer);
    }

   private:
    FakeGateway& fake_;
  };

  class Providers final : public v1::ProviderService::Service {
   public:
    explicit Providers(FakeGateway& fake) : fake_(fake) {}
    grpc::Status ListProviders(grpc::ServerContext*, const v1::ListProvidersRequest* request,
                               v1::ListProvidersResponse* response) override {
      return Answer(fake_.list_providers, request, response);
    }
    grpc::Status WatchProviders(grpc::ServerContext*, const v1::WatchProvidersRequest* request,
                                grpc::ServerWriter<v1::ProviderEvent>* writer) override {
      return Send(fake_.watch_providers, request, writer);
    }
    grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                          v1::Model* response) override {
      return Answer(fake_.get_model, request, response);
    }
    grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest* request,
                         v1::Explanation* response) override {
      return Answer(fake_.explain, request, response);
    }

   private:
    FakeGateway& fake_;
  };

  Assets assets_;
  Videos videos_;
  Providers providers_;
  absl::Notification over_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// The events of a watch, and resources, in one expression each.
template <typename Event>
Event Reset(v1::ResetReason reason) {
  Event event;
  event.set_type(v1::RESET);
  event.set_reset_reason(reason);
  return event;
}
template <typename Event>
Event Bookmark(const std::string& token, bool snapshot_complete) {
  Event event;
  event.set_type(v1::BOOKMARK);
  event.set_resume_token(token);
  event.set_snapshot_complete(snapshot_complete);
  return event;
}
inline v1::AssetEvent Put(const v1::Asset& asset) {
  v1::AssetEvent event;
  event.set_type(v1::PUT);
  *event.mutable_asset() = asset;
  return event;
}
inline v1::VideoTaskEvent Put(const v1::VideoTask& task) {
  v1::VideoTaskEvent event;
  event.set_type(v1::PUT);
  *event.mutable_video_task() = task;
  return event;
}
inline v1::Asset MakeAsset(const std::string& name, v1::Asset::State state) {
  v1::Asset asset;
  asset.set_name(name);
  asset.set_state(state);
  return asset;
}
inline v1::VideoTask MakeTask(const std::string& name, v1::VideoTask::State state) {
  v1::VideoTask task;
  task.set_name(name);
  task.set_state(state);
  return task;
}

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TESTING_FAKE_GATEWAY_H_
