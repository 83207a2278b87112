// A reader controlled by a test.
#ifndef ASSETGATE_WATCH_TESTING_TEST_READER_H_
#define ASSETGATE_WATCH_TESTING_TEST_READER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "watch/stream.h"
#include "watch/watches.h"

namespace assetgate::watch {

// Counts notifications; reads only when a test asks.
class TestReader final : public Reader {
 public:
  void OnReady() override { ready_.fetch_add(1); }
  int ready() const { return ready_.load(); }

 private:
  std::atomic<int> ready_{0};
};

// A stream with its reader; closes it on destruction.
class OpenStream {
 public:
  OpenStream(Watches& watches, WatchRequest request)
      : reader_(std::make_shared<TestReader>()),
        stream_(watches.Open(std::move(request), reader_)) {}
  ~OpenStream() { stream_->Close(); }
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;

  Stream::Pulled Next() {
    Stream::Pulled pulled = stream_->Next();
    if (pulled.end.has_value()) end_ = pulled.end;
    return pulled;
  }
  // Everything that is ready right now.
  std::vector<EventPtr> Read() {
    std::vector<EventPtr> events;
    for (;;) {
      Stream::Pulled pulled = Next();
      if (pulled.event == nullptr) return events;
      events.push_back(std::move(pulled.event));
    }
  }
  const std::optional<absl::Status>& end() const { return end_; }
  TestReader& reader() { return *reader_; }
  Stream& stream() { return *stream_; }

 private:
  std::shared_ptr<TestReader> reader_;
  std::shared_ptr<Stream> stream_;
  std::optional<absl::Status> end_;
};

// "PUT a@3", "DELETE a@4 LEFT_FILTER", "RESET FRESH", "BOOKMARK", "BOOKMARK complete".
inline std::string Text(const Event& event) {
  switch (event.type()) {
    case v1::RESET:
      return absl::StrCat("RESET ", v1::ResetReason_Name(event.reset_reason()));
    case v1::PUT:
      return absl::StrCat("PUT ", event.change()->key.id, "@", event.change()->revision);
    case v1::DELETE:
      return absl::StrCat("DELETE ", event.change()->key.id, "@", event.change()->revision, " ",
                          v1::DeleteCause_Name(event.delete_cause()));
    case v1::BOOKMARK:
      return event.snapshot_complete() ? "BOOKMARK complete" : "BOOKMARK";
    default:
      return "?";
  }
}

inline std::vector<std::string> Texts(const std::vector<EventPtr>& events) {
  std::vector<std::string> texts;
  texts.reserve(events.size());
  for (const EventPtr& event : events) texts.push_back(Text(*event));
  return texts;
}

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_TESTING_TEST_READER_H_
