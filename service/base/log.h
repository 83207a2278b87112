// Structured logs: one event, its fields, one line.
//
//   log.Info("submitted", {{"provider", id}, {"name", name}, {"took", elapsed}});
//
//   {"time":"2026-07-01T12:00:00.000000Z","level":"info","message":"submitted","provider":"kyy",…}
//   2026-07-01T12:00:00.000000Z INFO submitted provider=kyy name=videoTasks/hero took=12ms
//
// What is logged comes from callers and providers: whatever it holds, it stays inside its field and
// its line. Secrets cannot be logged (base::Secret does not convert); URLs are cleaned by whoever
// logs them.
#ifndef ASSETGATE_BASE_LOG_H_
#define ASSETGATE_BASE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace spdlog::sinks {
class sink;
}  // namespace spdlog::sinks

namespace assetgate::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat {
  kJson,
  // For people; as safe to read on a terminal as the other is to parse.
  kText,
};

// A key and its value. Refers to texts, and lives only as long as the call that logs it. Values are
// cut at 1 KiB.
class LogField {
 public:
  using Value = std::variant<absl::string_view, std::int64_t, double, bool, absl::Duration>;

  LogField(absl::string_view key, absl::string_view value) : key_(key), value_(value) {}
  LogField(absl::string_view key, const std::string& value)
      : key_(key), value_(absl::string_view(value)) {}
  LogField(absl::string_view key, const char* value)
      : key_(key), value_(absl::string_view(value == nullptr ? "" : value)) {}
  LogField(absl::string_view key, bool value) : key_(key), value_(value) {}
  LogField(absl::string_view key, double value) : key_(key), value_(value) {}
  LogField(absl::string_view key, absl::Duration value) : key_(key), value_(value) {}
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
  LogField(absl::string_view key, T value) : key_(key), value_(static_cast<std::int64_t>(value)) {}

  absl::string_view key() const { return key_; }
  const Value& value() const { return value_; }

 private:
  absl::string_view key_;
  Value value_;
};

// What ties the lines of one call together. Empty parts are left out.
struct LogContext {
  // Of the caller's request, or made up by the gateway.
  std::string request_id;
  // The caller's W3C trace id.
  std::string trace_id;
  // In that trace: of a call that the gateway makes itself.
  std::string span_id;
};

// Writes lines. Made once by main and handed to whoever logs; copies are cheap, and write to the
// same place. Thread-safe. Never throws and never blocks: a line that cannot be written at once is
// dropped and counted.
class Log {
 public:
  // Writes nothing: for tests and for parts that are used without a log.
  Log();
  // To stderr. `clock` must outlive every copy; nullptr is the system's.
  Log(LogFormat format, LogLevel level, const Clock* clock = nullptr);
  // To a sink of its own, which gets each line with the newline at its end as the payload.
  Log(LogFormat format, LogLevel level, std::shared_ptr<spdlog::sinks::sink> sink,
      const Clock* clock = nullptr);

  // The same log with `context` in each line, in place of what was there.
  Log With(const LogContext& context) const;

  // From now on, of this log and of all its copies. Thread-safe.
  void SetLevel(LogLevel level) const;
  // Whether lines of that level are written; ask only where the fields are dear to make.
  bool Enabled(LogLevel level) const;

  void Debug(absl::string_view event, std::initializer_list<LogField> fields = {}) const {
    Write(LogLevel::kDebug, event, fields);
  }
  void Info(absl::string_view event, std::initializer_list<LogField> fields = {}) const {
    Write(LogLevel::kInfo, event, fields);
  }
  void Warning(absl::string_view event, std::initializer_list<LogField> fields = {}) const {
    Write(LogLevel::kWarning, event, fields);
  }
  void Error(absl::string_view event, std::initializer_list<LogField> fields = {}) const {
    Write(LogLevel::kError, event, fields);
  }
  void Write(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) const;

  // Lines dropped because stderr could not take them at once (its reader has stopped reading).
  std::uint64_t dropped() const;

 private:
  struct Core;

  // nullptr: writes nothing.
  std::shared_ptr<const Core> core_;
  // The context, as it stands in a line.
  std::string context_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_LOG_H_
