// What a client of a page server asks for, out of its bytes.
#ifndef ASSETGATE_ADMIN_PAGE_REQUEST_H_
#define ASSETGATE_ADMIN_PAGE_REQUEST_H_

#include <cstddef>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "http/message.h"

namespace assetgate::admin {

// The largest head of a request that is read: request line and headers.
inline constexpr std::size_t kMaxRequestBytes = 8 << 10;

struct PageRequest {
  // Decoded, without the query: "/healthz".
  std::string path;
  // The client wants the headers of the answer only.
  bool head = false;

  friend bool operator==(const PageRequest&, const PageRequest&) = default;
};

// More bytes are needed.
struct Incomplete {};

// Reads the head of an HTTP/1.x request from the first bytes of a connection. What is not to be
// served comes back as the answer that says so: 405 for methods other than GET and HEAD, 413 for a
// request with a body, 431 for a head that is too large, 400 for what is not HTTP.
std::variant<Incomplete, PageRequest, http::Response> ParsePageRequest(absl::string_view bytes);

// A page of one line of text.
http::Response TextPage(int status, absl::string_view line);

// The bytes of an answer after which the connection ends. `with_body` is false for HEAD.
std::string Serialize(const http::Response& response, bool with_body);

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_REQUEST_H_
