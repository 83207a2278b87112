// The events that a watch stream delivers to its reader.
#ifndef ASSETGATE_WATCH_EVENT_H_
#define ASSETGATE_WATCH_EVENT_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/functional/function_ref.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "store/store.h"

namespace assetgate::watch {

// An encoding kept with an event, so that an event that many streams deliver is encoded once.
class Encoded {
 public:
  virtual ~Encoded() = default;
};

// One event, shared by all streams that deliver it. Immutable, except that its encoding is added
// once.
// Threading: thread-safe.
class Event {
 public:
  static std::shared_ptr<const Event> Reset(v1::ResetReason reason) {
    auto event = std::make_shared<Event>(v1::RESET);
    event->reset_reason_ = reason;
    return event;
  }
  static std::shared_ptr<const Event> Put(store::ChangePtr change) {
    auto event = std::make_shared<Event>(v1::PUT);
    event->change_ = std::move(change);
    return event;
  }
  static std::shared_ptr<const Event> Delete(store::ChangePtr change, v1::DeleteCause cause) {
    auto event = std::make_shared<Event>(v1::DELETE);
    event->change_ = std::move(change);
    event->delete_cause_ = cause;
    return event;
  }
  // A provider, which no store holds: its present state, or its last one (DELETE).
  static std::shared_ptr<const Event> OfProvider(v1::EventType type, v1::Provider provider) {
    auto event = std::make_shared<Event>(type);
    event->provider_ = std::make_unique<const v1::Provider>(std::move(provider));
    return event;
  }
  static std::shared_ptr<const Event> Bookmark(std::string resume_token, bool snapshot_complete) {
    auto event = std::make_shared<Event>(v1::BOOKMARK);
    event->resume_token_ = std::move(resume_token);
    event->snapshot_complete_ = snapshot_complete;
    return event;
  }

  // For the factory functions above.
  explicit Event(v1::EventType type) : type_(type) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  v1::EventType type() const { return type_; }
  // PUT and DELETE of a stored resource; null otherwise.
  const store::ChangePtr& change() const { return change_; }
  // PUT and DELETE of a provider; null otherwise.
  const v1::Provider* provider() const { return provider_.get(); }
  v1::ResetReason reset_reason() const { return reset_reason_; }
  v1::DeleteCause delete_cause() const { return delete_cause_; }
  const std::string& resume_token() const { return resume_token_; }
  bool snapshot_complete() const { return snapshot_complete_; }

  // The result of the first call's `encode`. All users of one event must encode it in the same way.
  const Encoded& EncodedBy(
      absl::FunctionRef<std::unique_ptr<const Encoded>(const Event&)> encode) const {
    absl::call_once(encode_once_, [&] { encoded_ = encode(*this); });
    return *encoded_;
  }

 private:
  const v1::EventType type_;
  v1::ResetReason reset_reason_ = v1::RESET_REASON_UNSPECIFIED;
  v1::DeleteCause delete_cause_ = v1::DELETE_CAUSE_UNSPECIFIED;
  bool snapshot_complete_ = false;
  store::ChangePtr change_;
  std::unique_ptr<const v1::Provider> provider_;
  std::string resume_token_;
  mutable absl::once_flag encode_once_;
  mutable std::unique_ptr<const Encoded> encoded_;
};
using EventPtr = std::shared_ptr<const Event>;

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_EVENT_H_
