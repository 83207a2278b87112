// Reads the store for the reconciler, whose thread never waits.
#ifndef ASSETGATE_RECONCILE_STORE_READER_H_
#define ASSETGATE_RECONCILE_STORE_READER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "base/event_loop.h"
#include "reconcile/quiescence.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Each read runs on a reader's thread, and its result is posted to the reconciler's loop. Reads of
// one key run in the order in which they were asked for.
//
// Threading: the thread of `loop`. Lifetime: the store outlives it; results that arrive after the
// loop has stopped are dropped.
class StoreReader {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;
  using Row = std::optional<store::Row>;

  // `threads`: 0 for tests, where reads run on `loop` itself, posted.
  StoreReader(base::EventLoop& loop, store::Store& store, Quiescence& quiescence, int threads)
      : loop_(loop), store_(store), quiescence_(quiescence) {
    for (int i = 0; i < threads; ++i) {
      threads_.push_back(std::make_unique<base::ThreadEventLoop>("store-reader"));
    }
  }

  // Ends the threads; reads that are in flight end first. Idempotent.
  void Stop() {
    for (const auto& thread : threads_) thread->Stop();
  }

  // Errors: those of the store's read.
  void Get(store::Key key, Done<Row> done) {
    const std::size_t hash = absl::HashOf(key);
    Run<Row>(
        hash, [this, key = std::move(key)] { return store_.Get(key); }, std::move(done));
  }
  void FindRequest(store::RequestKey key, Done<std::optional<store::RequestRow>> done) {
    const std::size_t hash = absl::HashOf(key);
    Run<std::optional<store::RequestRow>>(
        hash, [this, key = std::move(key)] { return store_.FindRequest(key); }, std::move(done));
  }
  void ListUnfinished(store::UnfinishedQuery query, Done<std::vector<store::Row>> done) {
    Run<std::vector<store::Row>>(
        0, [this, query = std::move(query)] { return store_.ListUnfinished(query); },
        std::move(done));
  }

  // Runs `read`, which may read the store as it likes, on a reader's thread.
  template <typename T, typename Read>
  void Run(std::size_t hash, Read read, Done<T> done) {
    base::EventLoop& reader =
        threads_.empty() ? loop_ : static_cast<base::EventLoop&>(*threads_[hash % threads_.size()]);
    quiescence_.BeginRead();
    reader.Post([this, read = std::move(read), done = std::move(done)]() mutable {
      absl::StatusOr<T> result = read();
      loop_.Post([this, done = std::move(done), result = std::move(result)]() mutable {
        std::move(done)(std::move(result));
        quiescence_.EndRead();
      });
    });
  }

 private:
  base::EventLoop& loop_;
  store::Store& store_;
  Quiescence& quiescence_;
  std::vector<std::unique_ptr<base::ThreadEventLoop>> threads_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_STORE_READER_H_
