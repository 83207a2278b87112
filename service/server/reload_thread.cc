#include "server/reload_thread.h"

#include <pthread.h>

#include <optional>
#include <utility>

namespace assetgate {

ReloadThread::ReloadThread(config::Reader& reader, Actions actions, Options options)
    : reader_(reader), actions_(std::move(actions)), options_(options), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "ag-reload");
}

ReloadThread::~ReloadThread() {
  Stop();
  thread_.join();
}

absl::Duration ReloadThread::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
  if (reading_since_ == absl::InfiniteDuration()) return absl::ZeroDuration();
  return clock_.Steady() - reading_since_;
}

bool ReloadThread::Stop() {
  absl::MutexLock lock(&mu_);
  stopping_ = true;
  mu_.AwaitWithTimeout(absl::Condition(this, &ReloadThread::IsIdle), options_.action_patience);
  mu_.AwaitWithTimeout(absl::Condition(&ended_), options_.read_patience);
  return ended_;
}

void ReloadThread::Run() {
  for (;;) {
    bool asked = false;
    {
      absl::MutexLock lock(&mu_);
      mu_.AwaitWithTimeout(absl::Condition(this, &ReloadThread::IsDue), options_.interval);
      if (stopping_) break;
      asked = std::exchange(woken_, false);
      reading_since_ = clock_.Steady();
    }
    std::optional<absl::StatusOr<config::Config>> read;
    if (asked || reader_.Changed()) read = reader_.Read();
    {
      absl::MutexLock lock(&mu_);
      reading_since_ = absl::InfiniteDuration();
      if (stopping_) break;
      acting_ = true;
    }
    if (read.has_value()) actions_.reload(*std::move(read));
    actions_.look();
    absl::MutexLock lock(&mu_);
    acting_ = false;
  }
  absl::MutexLock lock(&mu_);
  ended_ = true;
}

}  // namespace assetgate
