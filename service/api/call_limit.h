// How many calls are answered at one time, and how much of their answers may wait to be read.
#ifndef ASSETGATE_API_CALL_LIMIT_H_
#define ASSETGATE_API_CALL_LIMIT_H_

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace assetgate::api {

// Gives each unary call a place, from its admission until its answer is written or its caller has
// hung up, so that a crowd of callers is refused and not kept in memory, and no caller takes all
// places. Reads and other calls have places of their own: a read never waits behind creates that
// wait for providers. Watches have no place here: auth::Limiter counts them.
//
// Answers that were made and are not yet written count in bytes: a caller that does not read what
// it asks for gets no further answers.
//
// Threading: thread-safe. Lifetime: outlives its places.
class CallLimit {
 public:
  struct Limits {
    // Places of reads, and as many of other calls.
    int calls = 10'000;
    // Of each sort, what one caller may have. Callers that are not authenticated share all places.
    int calls_per_caller = 5'000;
    // Bytes of answers that are not yet written; the answer that reaches it is the last one.
    std::size_t unsent = 128 << 20;
    std::size_t unsent_per_caller = 64 << 20;
  };
  explicit CallLimit(const Limits& limits) : limits_(limits) {}

  enum class Sort { kRead, kOther };

  // A place that is held; given back when it is destroyed.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)),
          caller_(std::move(other.caller_)),
          sort_(other.sort_),
          unsent_(std::exchange(other.unsent_, 0)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(limit_, other.limit_);
      std::swap(caller_, other.caller_);
      std::swap(sort_, other.sort_);
      std::swap(unsent_, other.unsent_);
      return *this;
    }
    ~Place();

    // Counts an answer of `bytes` until the place is given back. At most once. It always fits: work
    // that was done is not thrown away. Once there is too much, Take refuses further calls.
    void Hold(std::size_t bytes);

   private:
    friend class CallLimit;
    Place(CallLimit* limit, std::string caller, Sort sort)
        : limit_(limit), caller_(std::move(caller)), sort_(sort) {}

    CallLimit* limit_ = nullptr;
    std::string caller_;
    Sort sort_ = Sort::kRead;
    std::size_t unsent_ = 0;
  };

  // A place for a call of `caller`, by its id in the config; empty where callers are not
  // authenticated. RESOURCE_EXHAUSTED with RetryInfo: CALLER_LIMIT where this caller has too much,
  // OVERLOADED where all together have.
  absl::StatusOr<Place> Take(const std::string& caller, Sort sort) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Use {
    // By Sort.
    std::array<int, 2> calls = {};
    std::size_t unsent = 0;
  };
  // An error where answers that are not yet written are too many.
  absl::Status CheckUnsent(const std::string& caller, const Use& use) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits limits_;
  absl::Mutex mu_;
  Use all_ ABSL_GUARDED_BY(mu_);
  // Of callers that have a call under way.
  absl::flat_hash_map<std::string, Use> by_caller_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_CALL_LIMIT_H_
