// Captures log lines for tests.
#ifndef ASSETGATE_BASE_TESTING_KEPT_LINES_H_
#define ASSETGATE_BASE_TESTING_KEPT_LINES_H_

#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string>
#include <vector>

namespace assetgate::base {

// Keeps the lines, without their newlines.
class KeptLines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<std::string> lines;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush_() override {}
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_TESTING_KEPT_LINES_H_
