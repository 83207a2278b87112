#include "listener/strangers.h"

#include <iterator>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace assetgate::listener {
namespace {

// Decodes "ipv6:%5B::1%5D:80" to "ipv6:[::1]:80".
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

Strangers::Queue::iterator Strangers::Forget(Queue::iterator stranger) {
  by_peer_.erase(stranger->peer);
  const Queue::iterator next = queue_.erase(stranger);
  count_.store(queue_.size(), std::memory_order_relaxed);
  return next;
}

Strangers::Queue::iterator Strangers::Close(Queue::iterator stranger) {
  if (stranger->socket.Abort()) closed_.fetch_add(1, std::memory_order_relaxed);
  return Forget(stranger);
}

Strangers::Queue::iterator Strangers::Find(absl::string_view peer) {
  const auto found = by_peer_.find(WithoutEscapes(peer));
  return found == by_peer_.end() ? queue_.end() : found->second;
}

void Strangers::Arrived(absl::string_view peer, const Socket& socket) {
  absl::MutexLock lock(&mu_);
  // The former connection of this name has ended, and the system has reused its port.
  if (const auto former = by_peer_.find(peer); former != by_peer_.end()) Forget(former->second);
  queue_.push_back({std::string(peer), socket, clock_.Steady()});
  by_peer_.emplace(queue_.back().peer, std::prev(queue_.end()));
  while (queue_.size() > limits_.max_connections) Close(queue_.begin());
  count_.store(queue_.size(), std::memory_order_relaxed);
}

void Strangers::Admitted(absl::string_view peer) {
  absl::MutexLock lock(&mu_);
  if (const auto known = Find(peer); known != queue_.end()) Forget(known);
}

void Strangers::Refused(absl::string_view peer) {
  absl::MutexLock lock(&mu_);
  const auto stranger = Find(peer);
  if (stranger != queue_.end() && ++stranger->refused > limits_.max_refused_calls) Close(stranger);
}

std::int64_t Strangers::Allowed(absl::Duration age, bool scarce) const {
  if (scarce) return limits_.max_bytes_when_scarce;
  if (age < limits_.grace_period) return limits_.first_call_bytes;
  return limits_.max_bytes + limits_.bytes_per_second * absl::ToInt64Seconds(age);
}

void Strangers::Check(std::int64_t memory) {
  absl::MutexLock lock(&mu_);
  const bool scarce = memory > limits_.memory;
  const absl::Duration now = clock_.Steady();
  for (auto it = queue_.begin(); it != queue_.end();) {
    const std::optional<std::int64_t> received = it->socket.BytesReceived();
    if (!received.has_value()) {
      it = Forget(it);
    } else if (*received > Allowed(now - it->since, scarce)) {
      it = Close(it);
    } else {
      ++it;
    }
  }
  while (scarce && queue_.size() > limits_.max_connections_when_scarce) Close(queue_.begin());
}

bool Strangers::AwaitAny() {
  const auto ready = [this]()
                         ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopped_ || !queue_.empty(); };
  absl::MutexLock lock(&mu_, absl::Condition(&ready));
  return !stopped_;
}

void Strangers::StopWaiting() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
}

bool Strangers::CloseOldest() {
  absl::MutexLock lock(&mu_);
  while (!queue_.empty()) {
    const std::int64_t before = closed();
    Close(queue_.begin());
    if (closed() != before) return true;
  }
  return false;
}

}  // namespace assetgate::listener
