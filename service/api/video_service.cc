#include "api/video_service.h"

#include <utility>

namespace assetgate::api {

using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

VideoService::VideoService(const Parts& parts, calls::VideoCalls& calls, watch::Watches& watches)
    : calls_(calls),
      create_(parts, "assetgate.v1.VideoService/CreateVideoTask", Access::kWrite),
      get_(parts, "assetgate.v1.VideoService/GetVideoTask", Access::kRead),
      list_(parts, "assetgate.v1.VideoService/ListVideoTasks", Access::kRead),
      cancel_(parts, "assetgate.v1.VideoService/CancelVideoTask", Access::kWrite),
      import_(parts, "assetgate.v1.VideoService/ImportVideoTask", Access::kOperate),
      resolve_(parts, "assetgate.v1.VideoService/ResolveVideoTask", Access::kOperate),
      delete_(parts, "assetgate.v1.VideoService/DeleteVideoTask", Access::kWrite),
      watches_(watches),
      watch_(parts.gatekeeper, parts.metrics, parts.clock, parts.log,
             "assetgate.v1.VideoService/WatchVideoTasks", base::MetricKind::kVideoTask) {}

ServerUnaryReactor* VideoService::CreateVideoTask(CallbackServerContext* context,
                                                  const ByteBuffer* request, ByteBuffer* response) {
  return create_.Run(context, request, response, calls_, &calls::VideoCalls::CreateVideoTask);
}

ServerUnaryReactor* VideoService::GetVideoTask(CallbackServerContext* context,
                                               const ByteBuffer* request, ByteBuffer* response) {
  return get_.Run(context, request, response, calls_, &calls::VideoCalls::GetVideoTask);
}

ServerUnaryReactor* VideoService::ListVideoTasks(CallbackServerContext* context,
                                                 const ByteBuffer* request, ByteBuffer* response) {
  return list_.Run(context, request, response, calls_, &calls::VideoCalls::ListVideoTasks);
}

ServerUnaryReactor* VideoService::CancelVideoTask(CallbackServerContext* context,
                                                  const ByteBuffer* request, ByteBuffer* response) {
  return cancel_.Run(context, request, response, calls_, &calls::VideoCalls::CancelVideoTask);
}

ServerUnaryReactor* VideoService::ImportVideoTask(CallbackServerContext* context,
                                                  const ByteBuffer* request, ByteBuffer* response) {
  return import_.Run(context, request, response, calls_, &calls::VideoCalls::ImportVideoTask);
}

ServerUnaryReactor* VideoService::ResolveVideoTask(CallbackServerContext* context,
                                                   const ByteBuffer* request,
                                                   ByteBuffer* response) {
  return resolve_.Run(context, request, response, calls_, &calls::VideoCalls::ResolveVideoTask);
}

ServerUnaryReactor* VideoService::DeleteVideoTask(CallbackServerContext* context,
                                                  const ByteBuffer* request, ByteBuffer* response) {
  return delete_.Run(context, request, response, calls_, &calls::VideoCalls::DeleteVideoTask);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* VideoService::WatchVideoTasks(
    CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  return watch_.Answer(*context,
                       [&](const calls::Caller& caller) -> absl::StatusOr<WatchMethod::Opening> {
                         const absl::StatusOr<v1::WatchVideoTasksRequest> request =
                             Parse<v1::WatchVideoTasksRequest>(*bytes);
                         if (!request.ok()) return request.status();
                         return OpeningOf(watches_, calls_.WatchVideoTasks(caller, *request));
                       });
}

}  // namespace assetgate::api
