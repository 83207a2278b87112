// The token in a BOOKMARK: a position in one store's history, for one watch.
//
#ifndef ASSETGATE_WATCH_RESUME_TOKEN_H_
#define ASSETGATE_WATCH_RESUME_TOKEN_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "store/store.h"

namespace assetgate::watch {

// `interest_fingerprint` is Interest::Fingerprint.
std::string MakeResumeToken(absl::string_view store_id, std::uint64_t interest_fingerprint,
                            store::Revision revision);

struct ResumePoint {
  enum class Verdict {
    kValid,
    // Of another store, or not readable by this version.
    kOtherStore,
    // Of this store, but of a watch with another interest.
    kOtherFilter,
  };
  Verdict verdict = Verdict::kOtherStore;
  // kValid: everything up to here was delivered.
  store::Revision revision = 0;
};

// Accepts any bytes.
ResumePoint ReadResumeToken(absl::string_view token, absl::string_view store_id,
                            std::uint64_t interest_fingerprint);

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_RESUME_TOKEN_H_
