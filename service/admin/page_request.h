// Parses the requests of a page server.
#ifndef ASSETGATE_ADMIN_PAGE_REQUEST_H_
#define ASSETGATE_ADMIN_PAGE_REQUEST_H_

#include <cstddef>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "http/message.h"

namespace assetgate::admin {

// The largest request head that is read: request line and headers.
inline constexpr std::size_t kMaxRequestBytes = 8 << 10;

struct PageRequest {
  // Decoded, without the query: "/healthz".
  std::string path;
  // Whether the client wants only the headers of the response.
  bool head = false;

  friend bool operator==(const PageRequest&, const PageRequest&) = default;
};

// More bytes are needed.
struct Incomplete {};

// Parses the head of an HTTP/1.x request from the first bytes of a connection. Errors: a response
// that rejects the request: 405 for methods other than GET and HEAD, 413 for a request with a body,
// 431 for a head that is too large, 400 for bytes that are not HTTP.
std::variant<Incomplete, PageRequest, http::Response> ParsePageRequest(absl::string_view bytes);

// A page of one line of text.
http::Response TextPage(int status, absl::string_view line);

// The bytes of a response after which the connection closes. `with_body` is false for HEAD.
std::string Serialize(const http::Response& response, bool with_body);

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_REQUEST_H_
