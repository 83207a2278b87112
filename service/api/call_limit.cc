#include "api/call_limit.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"

namespace assetgate::api {

absl::StatusOr<CallLimit::Place> CallLimit::Take() {
  Place place;
  if (under_way_.fetch_add(1) < most_) {
    place.reset(this);
    return place;
  }
  under_way_.fetch_sub(1);
  // Nobody knows when one of them is answered; most are within moments.
  return base::Error(
             absl::StatusCode::kResourceExhausted, v1::OVERLOADED,
             absl::StrCat("the gateway answers ", most_,
                          " calls at one time, all that limits.max_concurrent_calls allows; "
                          "try again"))
      .RetryAfter(absl::Seconds(1));
}

}  // namespace assetgate::api
