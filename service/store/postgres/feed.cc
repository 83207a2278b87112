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

Feed::Feed(Options options, std::unique_ptr<Connection> connection, Revision told,
           ConnectionPool& pool)
    : options_(std::move(options)),
      pool_(pool),
      connection_(std::move(connection)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      told_(told),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "store-feed");
}

Feed::~Feed() {
  {
    absl::MutexLock lock(&telling_);
    ending_ = true;
    advanced_.SignalAll();
  }
  ::eventfd_write(wake_fd_, 1);
  thread_.join();
  ::close(wake_fd_);
}

bool Feed::ending() {
  absl::MutexLock lock(&telling_);
  return ending_;
}

Revision Feed::told() {
  absl::MutexLock lock(&telling_);
  return told_;
}

void Feed::SetListener(ChangeListener* listener) {
  absl::MutexLock lock(&telling_);
  listener_ = listener;
}

void Feed::TellFrom(const std::vector<ChangePtr>& changes) {
  const auto news =
      std::find_if(changes.begin(), changes.end(),
                   [told = told_](const ChangePtr& change) { return change->revision > told; });
  if (news == changes.end()) return;
  told_ = changes.back()->revision;
  if (listener_ != nullptr) {
    if (news == changes.begin()) {
      listener_->OnChanges(changes, told_);
    } else {
      listener_->OnChanges({news, changes.end()}, told_);
    }
  }
  advanced_.SignalAll();
}

void Feed::Advance(const LogPage& page) {
  absl::MutexLock lock(&telling_);
  if (page.compacted > told_) {
    told_ = page.compacted;
    if (listener_ != nullptr) listener_->OnGap(told_);
    advanced_.SignalAll();
  }
  TellFrom(page.changes);
}

absl::Status Feed::CatchUp(Connection& connection) {
  for (;;) {
    absl::StatusOr<LogPage> page = ReadLog(connection, told(), kPage, options_.writer);
    if (!page.ok()) return page.status();
    Advance(*page);
    if (page->changes.size() < kPage) return absl::OkStatus();
  }
}

void Feed::Tell(const std::vector<ChangePtr>& changes, Connection* connection) {
  const Deadline deadline(options_.patience);
  for (;;) {
    {
      absl::MutexLock lock(&telling_);
      if (changes.front()->revision <= told_ + 1) {
        TellFrom(changes);
        return;
      }
    }
    // Others have committed earlier changes. They are all in the log: revisions are in the order of
    // commits.
    if (connection != nullptr && CatchUp(*connection).ok()) continue;
    connection = nullptr;
    absl::MutexLock lock(&telling_);
    if (changes.front()->revision <= told_ + 1) continue;
    if (ending_ || deadline.passed()) return;
    advanced_.WaitWithTimeout(&telling_, deadline.left());
  }
}

absl::Status Feed::AwaitDoorbell() {
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
      status = AwaitDoorbell();
      if (status.ok()) continue;
    }
    connection_.reset();
    pollfd wake{wake_fd_, POLLIN, 0};
    ::poll(&wake, 1, static_cast<int>(absl::ToInt64Milliseconds(retry)));
    retry = std::min(2 * retry, kLastRetry);
  }
}

}  // namespace assetgate::store::postgres
