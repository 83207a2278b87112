#include "store/postgres/feed.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "store/postgres/writer.h"

namespace assetgate::store::postgres {
namespace {

// Changes read from the log at a time.
constexpr std::size_t kPage = 500;
constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kLastRetry = absl::Seconds(2);

}  // namespace

Feed::Feed(Options options, std::unique_ptr<Connection> connection, Revision notified_upto,
           ConnectionPool& pool)
    : options_(std::move(options)),
      pool_(pool),
      connection_(std::move(connection)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      notified_upto_(notified_upto),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "store-feed");
}

Feed::~Feed() {
  {
    absl::MutexLock lock(&notify_mu_);
    ending_ = true;
    advanced_.SignalAll();
  }
  ::eventfd_write(wake_fd_, 1);
  thread_.join();
  ::close(wake_fd_);
}

bool Feed::ending() {
  absl::MutexLock lock(&notify_mu_);
  return ending_;
}

Revision Feed::notified_upto() {
  absl::MutexLock lock(&notify_mu_);
  return notified_upto_;
}

void Feed::SetListener(ChangeListener* listener) {
  absl::MutexLock lock(&notify_mu_);
  listener_ = listener;
}

void Feed::NotifyFrom(const std::vector<ChangePtr>& changes) {
  const auto news = std::find_if(changes.begin(), changes.end(),
                                 [notified_upto = notified_upto_](const ChangePtr& change) {
                                   return change->revision > notified_upto;
                                 });
  if (news == changes.end()) return;
  notified_upto_ = changes.back()->revision;
  if (listener_ != nullptr) {
    if (news == changes.begin()) {
      listener_->OnChanges(changes, notified_upto_);
    } else {
      listener_->OnChanges({news, changes.end()}, notified_upto_);
    }
  }
  advanced_.SignalAll();
}

void Feed::Advance(const LogPage& page) {
  absl::MutexLock lock(&notify_mu_);
  if (page.compacted > notified_upto_) {
    notified_upto_ = page.compacted;
    if (listener_ != nullptr) listener_->OnGap(notified_upto_);
    advanced_.SignalAll();
  }
  NotifyFrom(page.changes);
}

absl::Status Feed::CatchUp(Connection& connection) {
  for (;;) {
    absl::StatusOr<LogPage> page = ReadLog(connection, notified_upto(), kPage, options_.writer);
    if (!page.ok()) return page.status();
    Advance(*page);
    if (page->changes.size() < kPage) return absl::OkStatus();
  }
}

void Feed::Notify(const std::vector<ChangePtr>& changes, Connection* connection) {
  const Deadline deadline(options_.max_wait);
  for (;;) {
    {
      absl::MutexLock lock(&notify_mu_);
      if (changes.front()->revision <= notified_upto_ + 1) {
        NotifyFrom(changes);
        return;
      }
    }
    // Others have committed earlier changes. They are all in the log: revisions are in the order of
    // commits.
    if (connection != nullptr && CatchUp(*connection).ok()) continue;
    connection = nullptr;
    absl::MutexLock lock(&notify_mu_);
    if (changes.front()->revision <= notified_upto_ + 1) continue;
    if (ending_ || deadline.passed()) return;
    advanced_.WaitWithTimeout(&notify_mu_, deadline.left());
  }
}

absl::Status Feed::AwaitNotification() {
  const std::string mine = absl::StrCat(options_.writer);
  const Deadline next(options_.interval);
  while (!next.passed() && !ending()) {
    absl::StatusOr<std::vector<std::string>> rung =
        connection_->AwaitNotifications(next.left(), wake_fd_);
    if (!rung.ok()) return rung.status();
    if (std::any_of(rung->begin(), rung->end(),
                    [&](const std::string& who) { return who != mine; })) {
      break;
    }
  }
  return absl::OkStatus();
}

void Feed::Run() {
  absl::Duration retry = kFirstRetry;
  while (!ending()) {
    absl::Status status;
    if (connection_ == nullptr) {
      absl::StatusOr<std::unique_ptr<Connection>> opened =
          OpenStoreConnection(options_.connection, options_.store_id);
      status = opened.status();
      // LISTEN before reading, so that a commit between the two is found.
      if (status.ok()) status = (*opened)->Execute(kListen);
      if (status.ok()) connection_ = *std::move(opened);
    }
    if (status.ok()) status = CatchUp(*connection_);
    pool_.Report(status);
    if (status.ok()) {
      retry = kFirstRetry;
      status = AwaitNotification();
      if (status.ok()) continue;
    }
    connection_.reset();
    pollfd wake{wake_fd_, POLLIN, 0};
    ::poll(&wake, 1, static_cast<int>(absl::ToInt64Milliseconds(retry)));
    retry = std::min(2 * retry, kLastRetry);
  }
}

}  // namespace assetgate::store::postgres
