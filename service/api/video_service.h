// assetgate.v1.VideoService over gRPC.
#ifndef ASSETGATE_API_VIDEO_SERVICE_H_
#define ASSETGATE_API_VIDEO_SERVICE_H_

#include "api/rpc.h"
#include "api/watch_stream.h"
#include "assetgate/v1/video_service.grpc.pb.h"
#include "calls/video_calls.h"

namespace assetgate::api {

// Every method is raw: its request is parsed after its caller is admitted.
using RawVideoService = v1::VideoService::WithRawCallbackMethod_CreateVideoTask<
    v1::VideoService::WithRawCallbackMethod_GetVideoTask<
        v1::VideoService::WithRawCallbackMethod_ListVideoTasks<
            v1::VideoService::WithRawCallbackMethod_CancelVideoTask<
                v1::VideoService::WithRawCallbackMethod_ImportVideoTask<
                    v1::VideoService::WithRawCallbackMethod_ResolveVideoTask<
                        v1::VideoService::WithRawCallbackMethod_DeleteVideoTask<
                            v1::VideoService::WithRawCallbackMethod_WatchVideoTasks<
                                v1::VideoService::Service>>>>>>>>;

class VideoService final : public RawVideoService {
 public:
  VideoService(const Parts& parts, calls::VideoCalls& calls, watch::Watches& watches);

  grpc::ServerUnaryReactor* CreateVideoTask(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetVideoTask(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListVideoTasks(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CancelVideoTask(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ImportVideoTask(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ResolveVideoTask(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteVideoTask(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchVideoTasks(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override;

 private:
  calls::VideoCalls& calls_;
  Method create_;
  Method get_;
  Method list_;
  Method cancel_;
  Method import_;
  Method resolve_;
  Method delete_;
  watch::Watches& watches_;
  WatchMethod watch_;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_VIDEO_SERVICE_H_
