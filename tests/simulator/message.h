// One HTTP request of the simulator and its answer as plain values, so that everything above the
// socket can be tested without one.
#ifndef ASSETGATE_TESTS_SIMULATOR_MESSAGE_H_
#define ASSETGATE_TESTS_SIMULATOR_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::simulator {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string path;   // percent-decoded, without query
  std::string query;  // not decoded, without '?'
  Headers headers;    // in the order of the request
  std::string body;

  // The first header of that name, ignoring case.
  std::optional<absl::string_view> Header(absl::string_view name) const;
  // The first query parameter of that name, percent-decoded.
  std::optional<std::string> Query(absl::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  Headers headers;  // in addition to Content-Type, Content-Length and Connection
};

// How an answer is written to the socket. Every kind except kWhole ends the connection.
struct Delivery {
  enum class Kind {
    kWhole,      // complete
    kTruncated,  // the full Content-Length, half of the body, then the end
    kReset,      // no answer, RST
    kClosed,     // no answer, FIN
    kDripped,    // whole, `piece` bytes at a time with `pause` between
    kPadded,     // instead of the body, a JSON object of `padding` bytes
  };
  Kind kind = Kind::kWhole;
  int64_t piece = 1;
  absl::Duration pause;
  int64_t padding = 0;
};

struct Reply {
  Response response;
  Delivery delivery;
};

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_MESSAGE_H_
