#include "watch/watches.h"

#include <utility>
#include <vector>

namespace assetgate::watch {

Watches::Watches(store::Store& store, Hub& hub, base::EventLoop& replay_loop,
                 const Stream::Options& options)
    : shared_{store, hub, replay_loop, options,
              [this](const Stream* stream) { OnClosed(stream); }} {}

std::shared_ptr<Stream> Watches::Open(WatchRequest request, std::shared_ptr<Reader> reader) {
  auto stream = std::make_shared<Stream>(shared_, std::move(request), std::move(reader));
  bool draining = false;
  {
    absl::MutexLock lock(&mu_);
    streams_.emplace(stream.get(), stream);
    draining = draining_;
  }
  if (draining) stream->Drain();
  return stream;
}

void Watches::Drain() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    for (const auto& [key, weak] : streams_) {
      if (std::shared_ptr<Stream> stream = weak.lock()) streams.push_back(std::move(stream));
    }
  }
  for (const std::shared_ptr<Stream>& stream : streams) stream->Drain();
}

std::size_t Watches::open_streams() const {
  absl::MutexLock lock(&mu_);
  return streams_.size();
}

void Watches::OnClosed(const Stream* stream) {
  absl::MutexLock lock(&mu_);
  streams_.erase(stream);
}

}  // namespace assetgate::watch
