// Why TLS handshakes on the gRPC port fail, in plain words.
#ifndef ASSETGATE_AUTH_HANDSHAKE_H_
#define ASSETGATE_AUTH_HANDSHAKE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"

namespace assetgate::auth {

// gRPC logs that a handshake failed, but for a refused certificate not why: OpenSSL knows. From now
// on it is asked when it tells a client that the handshake is over. That only looks on: what is
// refused, and what is let in, stays OpenSSL's and gRPC's to decide. To be called before the
// process makes its first TLS context; further calls do nothing.
void WatchHandshakes();

// What a line of gRPC's log says of a handshake that failed on the thread that logs it; absent
// where it is of something else. The peer is not known: gRPC (1.51) does not tell it.
std::optional<std::string> HandshakeFailure(absl::string_view file, absl::string_view message);

// Writes failed handshakes to the log: the first few of each minute, and how many more there were.
// Thread-safe.
class HandshakeLog {
 public:
  static constexpr int kLinesPerMinute = 10;

  // `clock` must outlive it.
  HandshakeLog(base::Log log, const base::Clock& clock) : log_(std::move(log)), clock_(clock) {}

  void Failed(const std::string& why) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const base::Log log_;
  const base::Clock& clock_;
  absl::Mutex mu_;
  absl::Time began_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  int lines_ ABSL_GUARDED_BY(mu_) = 0;
  std::int64_t unsaid_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_HANDSHAKE_H_
