#include "base/log.h"

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <mutex>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/utf8.h"

namespace assetgate::base {
namespace {

constexpr std::size_t kMaxValueBytes = 1024;
// poll reports a pipe as writable when it takes this much (PIPE_BUF) without blocking.
constexpr std::size_t kMaxLineBytes = 4096;
constexpr absl::string_view kCut = "…";

// Writes whole lines to a file descriptor, or drops them. A process must not block because the
// reader of its log has stopped.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit DescriptorSink(int fd) : fd_(fd) {}

  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    pollfd ready = {fd_, POLLOUT, 0};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    const char* data = message.payload.data();
    std::size_t left = message.payload.size();
    while (left > 0) {
      const ssize_t written = write(fd_, data, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      data += written;
      left -= static_cast<std::size_t>(written);
    }
  }
  void flush_() override {}

 private:
  const int fd_;
  std::atomic<std::uint64_t> dropped_{0};
};

// Appends `text` as the inside of a JSON string, cut at about kMaxValueBytes of output. Every
// character that could end the string or the line, or that a terminal would obey, is escaped; bytes
// that are not UTF-8 are replaced.
void AppendEscaped(absl::string_view text, std::string& out) {
  const std::size_t end = out.size() + kMaxValueBytes;
  std::size_t i = 0;
  while (i < text.size()) {
    if (out.size() >= end) {
      absl::StrAppend(&out, kCut);
      return;
    }
    const std::size_t length = Utf8CharacterLength(text.substr(i));
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    const auto c = static_cast<unsigned char>(text[i]);
    const absl::string_view sequence = text.substr(i, length);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7F) {
      absl::StrAppend(&out, "\\u00", absl::Hex(c, absl::kZeroPad2));
    } else if (c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      // C1 controls: some terminals interpret U+009B as the start of a command.
      absl::StrAppend(&out, "\\u00",
                      absl::Hex(static_cast<unsigned char>(text[i + 1]), absl::kZeroPad2));
    } else if (sequence == "\xE2\x80\xA8") {
      out += "\\u2028";
    } else if (sequence == "\xE2\x80\xA9") {
      out += "\\u2029";
    } else {
      absl::StrAppend(&out, sequence);
    }
    i += length;
  }
}

void AppendQuoted(absl::string_view text, std::string& out) {
  out += '"';
  AppendEscaped(text, out);
  out += '"';
}

// In text lines a value is quoted only if it needs quotes.
bool NeedsQuotes(absl::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '"' || c == '=' || c == '\\') {
      return true;
    }
  }
  return false;
}

void AppendValue(LogFormat format, const LogField::Value& value, std::string& out) {
  if (const auto* text = std::get_if<absl::string_view>(&value)) {
    if (format == LogFormat::kText && !NeedsQuotes(*text)) {
      AppendEscaped(*text, out);
    } else {
      AppendQuoted(*text, out);
    }
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    absl::StrAppend(&out, *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    // JSON cannot express values that are not finite.
    if (std::isfinite(*number)) {
      absl::StrAppend(&out, *number);
    } else {
      out += format == LogFormat::kJson ? "null" : "-";
    }
  } else if (const auto* truth = std::get_if<bool>(&value)) {
    out += *truth ? "true" : "false";
  } else {
    // In JSON, seconds, which compare; in text, a number with a unit.
    const absl::Duration duration = std::get<absl::Duration>(value);
    if (format == LogFormat::kText) {
      out += absl::FormatDuration(duration);
    } else {
      AppendValue(format, absl::ToDoubleSeconds(duration), out);
    }
  }
}

void AppendField(LogFormat format, const LogField& field, std::string& out) {
  if (format == LogFormat::kJson) {
    out += ',';
    AppendQuoted(field.key(), out);
    out += ':';
  } else {
    out += ' ';
    AppendEscaped(field.key(), out);
    out += '=';
  }
  AppendValue(format, field.value(), out);
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

absl::string_view NameOf(LogFormat format, LogLevel level) {
  const bool json = format == LogFormat::kJson;
  switch (level) {
    case LogLevel::kDebug:
      return json ? "debug" : "DEBUG";
    case LogLevel::kInfo:
      return json ? "info" : "INFO";
    case LogLevel::kWarning:
      return json ? "warning" : "WARNING";
    case LogLevel::kError:
      return json ? "error" : "ERROR";
  }
  return "error";
}

}  // namespace

struct Log::Core {
  Core(LogFormat line_format, LogLevel level, std::shared_ptr<spdlog::sinks::sink> sink,
       const Clock* line_clock)
      : format(line_format), clock(line_clock), logger("assetgate", std::move(sink)) {
    logger.set_level(ToSpdlog(level));
  }

  const LogFormat format;
  const Clock* const clock;
  // spdlog's log() is thread-safe but not const.
  mutable spdlog::logger logger;
  // The sink in `logger` if it writes to stderr.
  std::shared_ptr<const DescriptorSink> descriptor;
};

Log::Log() = default;

Log::Log(LogFormat format, LogLevel level, const Clock* clock) {
  const auto sink = std::make_shared<DescriptorSink>(STDERR_FILENO);
  auto core = std::make_shared<Core>(format, level, sink, clock);
  core->descriptor = sink;
  core_ = std::move(core);
}

Log::Log(LogFormat format, LogLevel level, std::shared_ptr<spdlog::sinks::sink> sink,
         const Clock* clock)
    : core_(std::make_shared<Core>(format, level, std::move(sink), clock)) {}

Log Log::With(const LogContext& context) const {
  Log log = *this;
  log.context_.clear();
  if (core_ == nullptr) return log;
  if (!context.request_id.empty()) {
    AppendField(core_->format, {"request_id", context.request_id}, log.context_);
  }
  if (!context.trace_id.empty()) {
    AppendField(core_->format, {"trace_id", context.trace_id}, log.context_);
  }
  if (!context.span_id.empty()) {
    AppendField(core_->format, {"span_id", context.span_id}, log.context_);
  }
  return log;
}

void Log::SetLevel(LogLevel level) const {
  if (core_ != nullptr) core_->logger.set_level(ToSpdlog(level));
}

bool Log::Enabled(LogLevel level) const {
  return core_ != nullptr && core_->logger.should_log(ToSpdlog(level));
}

void Log::Write(LogLevel level, absl::string_view event,
                std::initializer_list<LogField> fields) const {
  if (!Enabled(level)) return;
  const LogFormat format = core_->format;
  const absl::Time now = core_->clock == nullptr ? absl::Now() : core_->clock->Now();
  const std::string time = absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", now, absl::UTCTimeZone());
  std::string line;
  line.reserve(512);
  if (format == LogFormat::kJson) {
    absl::StrAppend(&line, "{\"time\":\"", time, "\",\"level\":\"", NameOf(format, level),
                    "\",\"message\":");
    AppendQuoted(event, line);
  } else {
    absl::StrAppend(&line, time, " ", NameOf(format, level), " ");
    AppendEscaped(event, line);
  }
  // The tail always fits: the context is what a reader searches lines by.
  std::string tail = context_;
  if (format == LogFormat::kJson) tail += '}';
  tail += '\n';
  LogField truncated("truncated", true);
  for (const LogField& field : fields) {
    const std::size_t before = line.size();
    AppendField(format, field, line);
    if (line.size() + tail.size() + 32 > kMaxLineBytes) {
      line.resize(before);
      AppendField(format, truncated, line);
      break;
    }
  }
  line += tail;
  core_->logger.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

std::uint64_t Log::dropped() const {
  return core_ == nullptr || core_->descriptor == nullptr ? 0 : core_->descriptor->dropped();
}

}  // namespace assetgate::base
