// Bounds how many calls run at one time, and how many bytes of answers wait to be read.
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

// Gives each unary call a place from its admission until its answer is written or its caller hangs
// up. Calls beyond the limits are refused rather than kept in memory, and no caller takes all
// places. Reads and other calls have separate places, so a read never waits behind creates that
// wait for providers. Watches take no place here: auth::Limiter counts them.
//
// Answers that are not yet written count in bytes: a caller that does not read its answers gets no
// further ones.
//
// Threading: thread-safe. Lifetime: outlives its places.
class CallLimit {
 public:
  struct Limits {
    // Places for reads, and as many for other calls.
    int calls = 10'000;
    // Places of each sort for one caller. Unauthenticated callers share all places.
    int calls_per_caller = 5'000;
    // Bytes of unwritten answers. The answer that reaches the limit is still sent.
    std::size_t unsent = 128 << 20;
    std::size_t unsent_per_caller = 64 << 20;
  };
  explicit CallLimit(const Limits& limits) : limits_(limits) {}

  enum class Sort { kRead, kOther };

  // Held by a call; released when it is destroyed.
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

    // Counts an answer of `bytes` until the place is released. At most once. The answer always
    // fits, since its work is done; once there are too many bytes, Take refuses further calls.
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

  // A place for a call of `caller`, its id in the config; empty where callers are not
  // authenticated. RESOURCE_EXHAUSTED with RetryInfo: CALLER_LIMIT where this caller is at its
  // limit, OVERLOADED where all callers together are.
  absl::StatusOr<Place> Take(const std::string& caller, Sort sort) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Use {
    // By Sort.
    std::array<int, 2> calls = {};
    std::size_t unsent = 0;
  };
  // An error where too many bytes of answers are unwritten.
  absl::Status CheckUnsent(const std::string& caller, const Use& use) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits limits_;
  absl::Mutex mu_;
  Use all_ ABSL_GUARDED_BY(mu_);
  // Has the callers with a call in flight.
  absl::flat_hash_map<std::string, Use> by_caller_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_CALL_LIMIT_H_
