// One HTTP exchange as values. No I/O, and no interpretation of statuses.
#ifndef ASSETGATE_HTTP_MESSAGE_H_
#define ASSETGATE_HTTP_MESSAGE_H_

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::http {

// Whether `text` is a token (RFC 9110), as methods and the names of headers are.
inline bool IsToken(absl::string_view text) {
  constexpr absl::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           kMarks.find(c) != absl::string_view::npos;
  });
}

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  std::string method = "GET";
  // The part after the provider's base URL, including the query: "/assets/Asset-1?platform=JIMENG".
  std::string path;
  std::vector<Header> headers;
  std::string body;
  // Which of the provider's base URLs `path` follows, by its name; empty: the one without a name.
  std::string plane;
};

// An answer of any status is a value; the dialect interprets it.
struct Response {
  int status = 0;
  std::vector<Header> headers;
  std::string body;
  // When its last byte arrived, by this machine's clock; infinite past if not recorded.
  absl::Time receive_time = absl::InfinitePast();
  // The expiry of the server's certificate, if it was requested and there is one.
  std::optional<absl::Time> certificate_end;

  // The value of the first header with that name (ignoring case); empty if there is none.
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
    kResolve,    // the host has no address
    kConnect,    // no connection was made
    kTls,        // no trusted TLS channel was made
    kExpired,    // not started before `send_before`
    kTimeout,    // no complete answer in time
    kReset,      // the connection ended early
    kTooLarge,   // the answer is larger than allowed
    kMalformed,  // not HTTP
    kStopped,    // the client is shutting down
  };
  Kind kind = Kind::kReset;
  // Whether any byte of the request may have reached the server. If false, the server has certainly
  // done nothing.
  bool maybe_sent = true;
  // For people and logs; holds neither credentials nor the query of a URL.
  std::string message;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_MESSAGE_H_
