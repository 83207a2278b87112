#include "api/video_service.h"

#include <utility>

namespace assetgate::api {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

VideoService::VideoService(const Parts& parts, watch::Watcher& watcher)
    : gateway_(parts.gateway),
      create_(parts, "assetgate.v1.VideoService/CreateVideoTask", Access::kWrite),
      get_(parts, "assetgate.v1.VideoService/GetVideoTask", Access::kRead),
      list_(parts, "assetgate.v1.VideoService/ListVideoTasks", Access::kRead),
      cancel_(parts, "assetgate.v1.VideoService/CancelVideoTask", Access::kWrite),
      import_(parts, "assetgate.v1.VideoService/ImportVideoTask", Access::kOperate),
      resolve_(parts, "assetgate.v1.VideoService/ResolveVideoTask", Access::kOperate),
      delete_(parts, "assetgate.v1.VideoService/DeleteVideoTask", Access::kWrite),
      watcher_(watcher),
      watch_(parts.gatekeeper, parts.metrics, parts.clock, parts.log,
             "assetgate.v1.VideoService/WatchVideoTasks", base::MetricKind::kVideoTask) {}

ServerUnaryReactor* VideoService::CreateVideoTask(CallbackServerContext* context,
                                                  const v1::CreateVideoTaskRequest* request,
                                                  v1::VideoTask* response) {
  return create_.Run(context, *request, response,
                     [&](const core::Caller& caller, core::Reply<v1::VideoTask> reply) {
                       gateway_.CreateVideoTask(caller, *request, std::move(reply));
                     });
}

ServerUnaryReactor* VideoService::GetVideoTask(CallbackServerContext* context,
                                               const v1::GetVideoTaskRequest* request,
                                               v1::VideoTask* response) {
  return get_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.GetVideoTask(caller, *request);
  });
}

ServerUnaryReactor* VideoService::ListVideoTasks(CallbackServerContext* context,
                                                 const v1::ListVideoTasksRequest* request,
                                                 v1::ListVideoTasksResponse* response) {
  return list_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.ListVideoTasks(caller, *request);
  });
}

ServerUnaryReactor* VideoService::CancelVideoTask(CallbackServerContext* context,
                                                  const v1::CancelVideoTaskRequest* request,
                                                  v1::VideoTask* response) {
  return cancel_.Run(context, *request, response,
                     [&](const core::Caller& caller, core::Reply<v1::VideoTask> reply) {
                       gateway_.CancelVideoTask(caller, *request, std::move(reply));
                     });
}

ServerUnaryReactor* VideoService::ImportVideoTask(CallbackServerContext* context,
                                                  const v1::ImportVideoTaskRequest* request,
                                                  v1::VideoTask* response) {
  return import_.Run(context, *request, response,
                     [&](const core::Caller& caller, core::Reply<v1::VideoTask> reply) {
                       gateway_.ImportVideoTask(caller, *request, std::move(reply));
                     });
}

ServerUnaryReactor* VideoService::ResolveVideoTask(CallbackServerContext* context,
                                                   const v1::ResolveVideoTaskRequest* request,
                                                   v1::VideoTask* response) {
  return resolve_.Run(context, *request, response,
                      [&](const core::Caller& caller, core::Reply<v1::VideoTask> reply) {
                        gateway_.ResolveVideoTask(caller, *request, std::move(reply));
                      });
}

ServerUnaryReactor* VideoService::DeleteVideoTask(CallbackServerContext* context,
                                                  const v1::DeleteVideoTaskRequest* request,
                                                  v1::DeleteVideoTaskResponse* response) {
  return delete_.Run(
      context, *request, response,
      [&](const core::Caller& caller, core::Reply<v1::DeleteVideoTaskResponse> reply) {
        gateway_.DeleteVideoTask(caller, *request, std::move(reply));
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* VideoService::WatchVideoTasks(
    CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  return watch_.Answer(*context,
                       [&](const core::Caller& caller) -> absl::StatusOr<WatchMethod::Opening> {
                         const absl::StatusOr<v1::WatchVideoTasksRequest> request =
                             Parse<v1::WatchVideoTasksRequest>(*bytes);
                         if (!request.ok()) return request.status();
                         return OpeningOf(watcher_, gateway_.WatchVideoTasks(caller, *request));
                       });
}

}  // namespace assetgate::api
