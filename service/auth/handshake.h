// Explains in plain words why TLS handshakes on the gRPC port fail.
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

// Records why OpenSSL ends a handshake with a client, which gRPC does not log for a rejected
// certificate. It only observes: OpenSSL and gRPC still decide which clients to accept. Ordering:
// call it before the process creates its first TLS context. Further calls do nothing.
void RecordHandshakeFailures();

// The reason for the failed handshake that a line of gRPC's log reports; absent for any other line.
// gRPC (1.51) does not report the peer. Threading: call it on the thread that logs the line, which
// is the thread of the handshake.
std::optional<std::string> HandshakeFailure(absl::string_view file, absl::string_view message);

// Logs failed handshakes: the first few of each minute, and the number of further ones.
//
// Threading: any thread.
class HandshakeLog {
 public:
  static constexpr int kLinesPerMinute = 10;

  // Lifetime: `clock` must outlive it.
  HandshakeLog(base::Log log, const base::Clock& clock) : log_(std::move(log)), clock_(clock) {}

  void Failed(const std::string& why) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const base::Log log_;
  const base::Clock& clock_;
  absl::Mutex mu_;
  absl::Time began_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  int lines_ ABSL_GUARDED_BY(mu_) = 0;
  std::int64_t suppressed_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_HANDSHAKE_H_
