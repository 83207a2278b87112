// The token that a BOOKMARK carries: where in which store's history, and of which watch.
//
// 29 bytes: format version (1), hash of the store id (8), fingerprint of the interest (8), revision
// (8), checksum of all before (4); numbers little-endian. Callers treat it as opaque. It grants
// nothing: what a resumed watch may see follows from its request, never from its token.
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
    // Of another store, or nothing that this version can read.
    kOtherStore,
    // Of this store, and of a watch for something else.
    kOtherFilter,
  };
  Verdict verdict = Verdict::kOtherStore;
  // kValid: everything up to here was delivered.
  store::Revision revision = 0;
};

// Takes any bytes.
ResumePoint ReadResumeToken(absl::string_view token, absl::string_view store_id,
                            std::uint64_t interest_fingerprint);

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_RESUME_TOKEN_H_
