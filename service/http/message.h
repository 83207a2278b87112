// One HTTP exchange as values. No I/O, and no opinion on what a status means.
#ifndef ASSETGATE_HTTP_MESSAGE_H_
#define ASSETGATE_HTTP_MESSAGE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::http {

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  std::string method = "GET";
  // What follows the provider's base URL, query included: "/assets/Asset-1?platform=JIMENG".
  std::string path;
  std::vector<Header> headers;
  std::string body;
  // Which of the provider's base URLs `path` follows, by its name; empty: the one without a name.
  std::string plane;
};

// An answer of any status is a value; what it means is for the dialect to say.
struct Response {
  int status = 0;
  std::vector<Header> headers;
  std::string body;
  // When its last byte came, by this machine's clock; infinite past where nobody noted it.
  absl::Time receive_time = absl::InfinitePast();
  // Until when the server's certificate is good, where that was asked for and there is one.
  std::optional<absl::Time> certificate_end;

  // The value of the first header of that name (in any case); empty where there is none.
  absl::string_view HeaderValue(absl::string_view name) const {
    for (const Header& header : headers) {
      if (absl::EqualsIgnoreCase(header.name, name)) return header.value;
    }
    return "";
  }
};

// Why there is no answer.
struct TransportError {
  enum class Kind {
    kResolve,    // no address for the host
    kConnect,    // no connection
    kTls,        // no trusted channel
    kExpired,    // not begun before `send_before`
    kTimeout,    // no whole answer in time
    kReset,      // the connection ended early
    kTooLarge,   // the answer is larger than allowed
    kMalformed,  // not HTTP
    kStopped,    // the client is shutting down
  };
  Kind kind = Kind::kReset;
  // Whether any byte of the request may have reached the server. When false, surely nothing was
  // done.
  bool maybe_sent = true;
  // For people and logs; holds neither credentials nor the query of a URL.
  std::string message;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_MESSAGE_H_
