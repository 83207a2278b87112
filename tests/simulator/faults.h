// Injected faults: their kind, when they hit, and how often.
#ifndef ASSETGATE_TESTS_SIMULATOR_FAULTS_H_
#define ASSETGATE_TESTS_SIMULATOR_FAULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "rapidjson/document.h"
#include "tests/simulator/dialect.h"
#include "tests/simulator/json.h"
#include "tests/simulator/message.h"

namespace assetgate::simulator {

struct Fault {
  enum class Kind {
    kStatus,           // an HTTP status with the body that the dialect documents for it, or `body`
    kGarbage,          // HTTP 200 with bytes that are not JSON
    kTruncate,         // the true answer, cut in the middle of its body
    kReset,            // RST instead of an answer
    kClose,            // FIN instead of an answer
    kHang,             // no answer for `duration`, or until released; then `then`
    kDrip,             // the true answer, `bytes` at a time every `duration`
    kState,            // the true answer with the state word `state`
    kBusinessFailure,  // the provider's own failure inside HTTP 200, with `code` and `message`
    kNoId,             // the true answer to a create without the id
    kContentType,      // the true answer labelled `content_type`
    kHuge,             // HTTP 200 with a JSON object of `bytes` bytes
    kHeaders,          // the true answer with `count` more headers of `bytes` bytes each
    kEdge,             // the page of an edge in front of the provider, for `status`
    kDress,            // the true answer under another envelope: `dress`
    kWords,            // the true answer with other words for its states: `words`
    kLink,             // the true answer with its link elsewhere, or without it
    kNotUtf8,          // the true answer with a member in a charset that is not UTF-8
  };
  Kind kind = Kind::kStatus;
  // Whether the call is carried out before the fault hits: a status, an edge's page, a reset,
  // close, hang, garbage or business failure can follow a call that had its effect.
  bool after_work = false;

  int status = 500;
  std::string retry_after;            // a Retry-After header's value, if any
  std::string location;               // of a redirect (kStatus 3xx)
  std::string server = "cloudflare";  // of kEdge: see edge.h
  std::optional<std::string> body;    // of kStatus and kGarbage, instead of the usual one
  std::string content_type;           // of kStatus, kGarbage, kContentType
  absl::Duration duration = absl::Seconds(60);
  bool answer_after_hang = false;  // then: "answer" (the call is carried out) or "close"
  int64_t bytes = 0;               // kDrip 16, kHuge 16 MiB, kHeaders 100 if not set
  int64_t count = 0;               // kHeaders 100 if not set
  std::string state;
  std::string code;
  std::string message;
  bool echo = false;       // the message ends with the request's body, as relays' messages do
  std::string dress;       // of kDress: JSON text, see rewrite.h
  StateWords words;        // of kWords
  std::string link_to;     // of kLink: a JSON pointer; the link's new place, "" for none
  std::string link_value;  // of kLink: the value there instead of the link
};

struct FaultRule {
  std::string provider = "*";
  std::string call = "*";  // a name of CallName, or "*"
  std::string id;          // only requests whose path or body contains this text, if set
  Fault fault;
  int64_t skip = 0;              // how many matching calls are skipped first
  std::optional<int64_t> times;  // how many are hit then; all if not set
};

// Parses {"provider", "call", "id", "fault": {"kind", …}, "times", "skip"}. INVALID_ARGUMENT names
// the fault of the rule. The caller checks whether the provider exists.
absl::StatusOr<FaultRule> ParseFaultRule(const rapidjson::Value& json);

// The rules in the order in which they were added; the first that matches hits. Thread-safe.
class FaultTable {
 public:
  // The maximum number of rules; one more removes the oldest.
  static constexpr size_t kCapacity = 1'000;

  // Returns the rule's number.
  int64_t Add(FaultRule rule);
  bool Remove(int64_t number);
  void Clear();

  struct Hit {
    int64_t number;  // of the rule
    Fault fault;
  };
  std::optional<Hit> Take(absl::string_view provider, Call call, const Request& request);
  // The fault found nothing to change: the hit does not count.
  void GiveBack(int64_t number);
  // Every rule with its number, its hits and its remaining hits.
  Json Describe() const;

  // Waits for `duration` of real time; returns early when hangs are released or the table stops.
  void Hang(absl::Duration duration);
  // Waits until this many requests hang at once; false after `timeout` (real time).
  bool AwaitHangs(int count, absl::Duration timeout) const;
  // Ends every hang in progress.
  void ReleaseHangs();
  // Ends every hang, and every later one at once.
  void Stop();
  bool stopped() const;

 private:
  struct Entry {
    int64_t number;
    FaultRule rule;
    int64_t seen = 0;
    int64_t hits = 0;
  };

  mutable absl::Mutex mu_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mu_);
  int64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t releases_ ABSL_GUARDED_BY(mu_) = 0;
  int hanging_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

absl::string_view FaultKindName(Fault::Kind kind);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_FAULTS_H_
