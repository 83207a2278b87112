// One HTTP request as the simulator got it, and what it answers: plain values, so that everything
// above the socket can be read (and tested) without one.
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
  std::string query;  // as it came, without '?'
  Headers headers;    // as they came, in order
  std::string body;

  // The first header of that name (in any case of letters), or nothing.
  std::optional<absl::string_view> Header(absl::string_view name) const;
  // The first query parameter of that name, percent-decoded, or nothing.
  std::optional<std::string> Query(absl::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  Headers headers;  // beside Content-Type, Content-Length and Connection
};

// How an answer goes onto the wire. Everything but kWhole ends the connection.
struct Delivery {
  enum class Kind {
    kWhole,      // as HTTP wants it
    kTruncated,  // the full Content-Length, half of the body, then the end
    kReset,      // no answer, RST
    kClosed,     // no answer, FIN
    kDripped,    // whole, `piece` bytes at a time with `pause` between
    kPadded,     // in place of the body a JSON object of `padding` bytes
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
