#include "http/curl_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "http/curl_multi.h"
#include "http/transfer.h"

namespace assetgate::http {
namespace {

// Easy handles that are kept for later requests.
constexpr std::size_t kMaxIdleHandles = 256;
constexpr absl::Duration kMaxTimeout = absl::Hours(24);
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

}  // namespace

// The thread and its state.
class CurlClient::Loop {
 public:
  Loop(CurlClientOptions options, const base::Clock& clock);
  // Ends the thread.
  ~Loop();

  void Send(Request request, SendOptions options, Done done) ABSL_LOCKS_EXCLUDED(mu_);
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Order {
    Request request;
    SendOptions options;
    Done done;
  };

  // Everything from here to the lock is used by the thread only.
  void Run();
  void Start(Order order);
  void Reap();
  // Ends exchanges whose deadline has passed without an answer. This is not left to curl, which
  // discards an answer that arrived in time if the process (or its machine) was suspended and
  // resumes late: an answer that was paid for.
  void EndOverdue();
  // Ends the exchange of `transfer`, calls its `done`, and keeps the handle for reuse.
  void Complete(std::unique_ptr<Transfer> transfer, Result result);
  std::unique_ptr<Transfer> Detach(Transfer& transfer);
  void FailAll();

  const CurlClientOptions options_;
  const base::Clock& clock_;
  const std::unique_ptr<CURLSH, CURLSHcode (*)(CURLSH*)> share_;
  CurlMulti multi_;
  std::vector<std::unique_ptr<Transfer>> active_;
  // By deadline.
  absl::btree_set<std::pair<std::int64_t, Transfer*>> deadlines_;
  std::vector<std::unique_ptr<Transfer>> idle_;

  absl::Mutex mu_;
  std::vector<Order> queue_ ABSL_GUARDED_BY(mu_);
  // The thread sleeps, or is about to, and does not look at the queue before it is woken.
  bool asleep_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

CurlClient::Loop::Loop(CurlClientOptions options, const base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      share_((curl_global_init(CURL_GLOBAL_DEFAULT), curl_share_init()), &curl_share_cleanup),
      multi_(options_.max_connections, options_.max_connections_per_host) {
  // TLS sessions belong to easy handles, and any handle may serve any host, so the handles share
  // their sessions. No lock function is needed, because one thread uses them all.
  curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "http");
}

CurlClient::Loop::~Loop() {
  Stop();
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  multi_.Wake();
  thread_.join();
}

void CurlClient::Loop::Send(Request request, SendOptions options, Done done) {
  {
    absl::MutexLock lock(&mu_);
    queue_.push_back({std::move(request), std::move(options), std::move(done)});
    if (!std::exchange(asleep_, false)) return;
  }
  multi_.Wake();
}

void CurlClient::Loop::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  multi_.Wake();
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&stopped_));
}

void CurlClient::Loop::Run() {
  // Signals are left to other threads; a write to a closed socket is an ordinary error.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);

  std::vector<Order> orders;
  for (;;) {
    bool stopping;
    bool ending;
    {
      absl::MutexLock lock(&mu_);
      asleep_ = false;
      orders.swap(queue_);
      stopping = stopping_;
      ending = ending_;
    }
    if (stopping) {
      FailAll();
      for (Order& order : orders) {
        std::move(order.done)(TransportError{TransportError::Kind::kStopped, false,
                                             "the HTTP client is shutting down"});
      }
      absl::MutexLock lock(&mu_);
      stopped_ = true;
      if (ending && queue_.empty()) return;
    } else {
      for (Order& order : orders) Start(std::move(order));
      multi_.RunDue();
      Reap();
      EndOverdue();
    }
    orders.clear();
    {
      absl::MutexLock lock(&mu_);
      if (!queue_.empty() || stopping_ != stopping || ending_ != ending) continue;
      asleep_ = true;
    }
    multi_.Wait(deadlines_.empty() ? kNever : deadlines_.begin()->first);
  }
}

void CurlClient::Loop::Start(Order order) {
  std::unique_ptr<Transfer> transfer;
  if (idle_.empty()) {
    transfer = std::make_unique<Transfer>(options_, clock_, share_.get());
  } else {
    transfer = std::move(idle_.back());
    idle_.pop_back();
  }
  transfer->deadline =
      CurlMulti::Now() + absl::ToInt64Nanoseconds(std::min(order.options.timeout, kMaxTimeout));
  std::optional<TransportError> error =
      transfer->Begin(std::move(order.request), std::move(order.options), std::move(order.done));
  if (!error.has_value() && !multi_.Add(transfer->easy())) {
    error = transfer->Error(TransportError::Kind::kConnect, "libcurl is out of memory");
  }
  if (error.has_value()) {
    Complete(std::move(transfer), *std::move(error));
    return;
  }
  transfer->position = active_.size();
  deadlines_.emplace(transfer->deadline, transfer.get());
  active_.push_back(std::move(transfer));
}

void CurlClient::Loop::Reap() {
  while (const std::optional<CurlMulti::Ended> ended = multi_.NextEnded()) {
    std::unique_ptr<Transfer> transfer = Detach(Transfer::Of(ended->easy));
    Result result = transfer->Finish(ended->code);
    Complete(std::move(transfer), std::move(result));
  }
}

void CurlClient::Loop::EndOverdue() {
  while (!deadlines_.empty() && deadlines_.begin()->first < multi_.caught_up()) {
    std::unique_ptr<Transfer> transfer = Detach(*deadlines_.begin()->second);
    TransportError error = transfer->TimedOut();
    Complete(std::move(transfer), std::move(error));
  }
}

void CurlClient::Loop::Complete(std::unique_ptr<Transfer> transfer, Result result) {
  const bool reusable = transfer->reusable();
  Done done = transfer->Release();
  if (reusable && idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(transfer));
  std::move(done)(std::move(result));
}

std::unique_ptr<Transfer> CurlClient::Loop::Detach(Transfer& transfer) {
  multi_.Remove(transfer.easy());
  deadlines_.erase({transfer.deadline, &transfer});
  const std::size_t position = transfer.position;
  std::unique_ptr<Transfer> detached = std::move(active_[position]);
  if (position + 1 != active_.size()) {
    active_[position] = std::move(active_.back());
    active_[position]->position = position;
  }
  active_.pop_back();
  return detached;
}

void CurlClient::Loop::FailAll() {
  while (!active_.empty()) {
    std::unique_ptr<Transfer> transfer = Detach(*active_.back());
    TransportError error = transfer->Error(TransportError::Kind::kStopped,
                                           "ended because the HTTP client is shutting down");
    Complete(std::move(transfer), std::move(error));
  }
}

CurlClient::CurlClient(CurlClientOptions options, const base::Clock& clock)
    : loop_(std::make_unique<Loop>(std::move(options), clock)) {}

CurlClient::~CurlClient() = default;

void CurlClient::Send(Request request, SendOptions options, Done done) {
  loop_->Send(std::move(request), std::move(options), std::move(done));
}

void CurlClient::Stop() { loop_->Stop(); }

}  // namespace assetgate::http
