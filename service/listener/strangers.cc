#include "listener/strangers.h"

#include <iterator>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace assetgate::listener {
namespace {

// "ipv6:%5B::1%5D:80" is "ipv6:[::1]:80".
std::string WithoutEscapes(absl::string_view peer) {
  std::string plain;
  plain.reserve(peer.size());
  for (std::size_t at = 0; at < peer.size(); ++at) {
    const bool escaped = peer[at] == '%' && at + 2 < peer.size() &&
                         absl::ascii_isxdigit(peer[at + 1]) && absl::ascii_isxdigit(peer[at + 2]);
    if (escaped) {
      plain += absl::HexStringToBytes(peer.substr(at + 1, 2));
      at += 2;
    } else {
      plain += peer[at];
    }
  }
  return plain;
}

}  // namespace

Strangers::Line::iterator Strangers::Forget(Line::iterator stranger) {
  by_peer_.erase(stranger->peer);
  const Line::iterator next = line_.erase(stranger);
  count_.store(line_.size(), std::memory_order_relaxed);
  return next;
}

Strangers::Line::iterator Strangers::Close(Line::iterator stranger) {
  if (stranger->socket.Abort()) closed_.fetch_add(1, std::memory_order_relaxed);
  return Forget(stranger);
}

Strangers::Line::iterator Strangers::Find(absl::string_view peer) {
  const auto found = by_peer_.find(WithoutEscapes(peer));
  return found == by_peer_.end() ? line_.end() : found->second;
}

void Strangers::Arrived(absl::string_view peer, const Socket& socket) {
  absl::MutexLock lock(&mu_);
  // The connection that had this name is gone, and the system has given it to another.
  if (const auto former = by_peer_.find(peer); former != by_peer_.end()) Forget(former->second);
  line_.push_back({std::string(peer), socket, clock_.Steady()});
  by_peer_.emplace(line_.back().peer, std::prev(line_.end()));
  while (line_.size() > limits_.connections) Close(line_.begin());
  count_.store(line_.size(), std::memory_order_relaxed);
}

void Strangers::Admitted(absl::string_view peer) {
  absl::MutexLock lock(&mu_);
  if (const auto known = Find(peer); known != line_.end()) Forget(known);
}

void Strangers::Refused(absl::string_view peer) {
  absl::MutexLock lock(&mu_);
  const auto stranger = Find(peer);
  if (stranger != line_.end() && ++stranger->refused > limits_.refused_calls) Close(stranger);
}

std::int64_t Strangers::Allowed(absl::Duration age, bool scarce) const {
  if (scarce) return limits_.bytes_when_scarce;
  if (age < limits_.patience) return limits_.first_call_bytes;
  return limits_.bytes + limits_.bytes_per_second * absl::ToInt64Seconds(age);
}

void Strangers::Look(std::int64_t memory) {
  absl::MutexLock lock(&mu_);
  const bool scarce = memory > limits_.memory;
  const absl::Duration now = clock_.Steady();
  for (auto it = line_.begin(); it != line_.end();) {
    const std::optional<std::int64_t> received = it->socket.BytesReceived();
    if (!received.has_value()) {
      it = Forget(it);
    } else if (*received > Allowed(now - it->since, scarce)) {
      it = Close(it);
    } else {
      ++it;
    }
  }
  while (scarce && line_.size() > limits_.connections_when_scarce) Close(line_.begin());
}

bool Strangers::CloseOldest() {
  absl::MutexLock lock(&mu_);
  while (!line_.empty()) {
    const std::int64_t before = closed();
    Close(line_.begin());
    if (closed() != before) return true;
  }
  return false;
}

}  // namespace assetgate::listener
