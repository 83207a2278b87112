#include "tests/bench/crowd.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace assetgate::bench {
namespace {

constexpr absl::Duration kTimeout = absl::Minutes(1);

}  // namespace

absl::StatusOr<std::unique_ptr<Crowd>> Crowd::Open(
    const std::vector<std::shared_ptr<grpc::Channel>>& channels, int streams,
    const v1::WatchAssetsRequest& request) {
  auto crowd = std::unique_ptr<Crowd>(new Crowd(channels, streams, request));
  if (absl::Status status = crowd->AwaitSnapshots(); !status.ok()) return status;
  return crowd;
}

Crowd::Crowd(const std::vector<std::shared_ptr<grpc::Channel>>& channels, int streams,
             const v1::WatchAssetsRequest& request) {
  for (const auto& channel : channels) stubs_.push_back(v1::AssetService::NewStub(channel));
  for (int i = 0; i < streams; ++i) {
    Stream& stream = streams_.emplace_back();
    v1::AssetService::Stub& stub = *stubs_[static_cast<std::size_t>(i) % stubs_.size()];
    stream.reader = stub.AsyncWatchAssets(&stream.context, request, &queue_, &stream);
  }
  thread_ = std::thread([this] { Drive(); });
}

Crowd::~Crowd() {
  for (Stream& stream : streams_) stream.context.TryCancel();
  {
    const auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return ended_ == static_cast<int>(streams_.size());
    };
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&all_ended));
  }
  queue_.Shutdown();
  thread_.join();
}

void Crowd::Drive() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    auto& stream = *static_cast<Stream*>(tag);
    if (!ok) {
      absl::MutexLock lock(&mu_);
      ++ended_;
      continue;
    }
    if (!stream.open) {
      stream.open = true;
      stream.reader->Read(&stream.event, &stream);
      continue;
    }
    const bool put = stream.event.type() == v1::PUT;
    const bool complete = stream.event.snapshot_complete();
    stream.reader->Read(&stream.event, &stream);
    if (!put && !complete) continue;
    absl::MutexLock lock(&mu_);
    if (complete) ++complete_;
    if (!put) continue;
    if (++puts_ == 1) read_times_.first = absl::Now();
    if (puts_ == expected_) read_times_.last = absl::Now();
  }
}

absl::Status Crowd::AwaitSnapshots() {
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ended_ > 0 || complete_ == static_cast<int>(streams_.size());
  };
  absl::MutexLock lock(&mu_);
  if (!mu_.AwaitWithTimeout(absl::Condition(&done), kTimeout) || ended_ > 0) {
    return absl::UnavailableError(absl::StrCat(complete_, " of ", streams_.size(),
                                               " streams saw their snapshot, ", ended_, " ended"));
  }
  return absl::OkStatus();
}

void Crowd::Expect(std::int64_t puts) {
  absl::MutexLock lock(&mu_);
  puts_ = 0;
  expected_ = puts;
}

absl::StatusOr<Crowd::ReadTimes> Crowd::Await() {
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ended_ > 0 || puts_ >= expected_;
  };
  absl::MutexLock lock(&mu_);
  if (!mu_.AwaitWithTimeout(absl::Condition(&done), kTimeout) || ended_ > 0) {
    return absl::UnavailableError(
        absl::StrCat(puts_, " of ", expected_, " PUTs were read, ", ended_, " streams ended"));
  }
  return read_times_;
}

}  // namespace assetgate::bench
