// Many open WatchAssets streams that read as fast as they can.
#ifndef ASSETGATE_TESTS_BENCH_CROWD_H_
#define ASSETGATE_TESTS_BENCH_CROWD_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.grpc.pb.h"

namespace assetgate::bench {

// Runs all streams on a thread of its own.
// Threading: thread-safe.
class Crowd {
 public:
  // Opens the streams and waits until each has received its snapshot.
  static absl::StatusOr<std::unique_ptr<Crowd>> Open(
      const std::vector<std::shared_ptr<grpc::Channel>>& channels, int streams,
      const v1::WatchAssetsRequest& request);
  // Cancels the streams.
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  // From now on, counts up to `puts` PUTs over all streams.
  void Expect(std::int64_t puts);
  struct ReadTimes {
    absl::Time first;
    absl::Time last;
  };
  // Waits for these PUTs and returns when the first and the last of them were read.
  // Errors: if a stream ends or a minute passes before.
  absl::StatusOr<ReadTimes> Await();

 private:
  struct Stream {
    grpc::ClientContext context = {};
    v1::AssetEvent event = {};
    std::unique_ptr<grpc::ClientAsyncReader<v1::AssetEvent>> reader = nullptr;
    bool open = false;
  };

  Crowd(const std::vector<std::shared_ptr<grpc::Channel>>& channels, int streams,
        const v1::WatchAssetsRequest& request);
  void Drive();
  absl::Status AwaitSnapshots();

  std::vector<std::unique_ptr<v1::AssetService::Stub>> stubs_;
  std::deque<Stream> streams_;
  grpc::CompletionQueue queue_;
  std::thread thread_;

  absl::Mutex mu_;
  int complete_ ABSL_GUARDED_BY(mu_) = 0;
  int ended_ ABSL_GUARDED_BY(mu_) = 0;
  std::int64_t puts_ ABSL_GUARDED_BY(mu_) = 0;
  std::int64_t expected_ ABSL_GUARDED_BY(mu_) = 0;
  ReadTimes read_times_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_CROWD_H_
