#include "tests/simulator/edge.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace assetgate::simulator {
namespace {

absl::string_view TitleOf(int status) {
  switch (status) {
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 403:
      return "Forbidden";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad gateway";
    case 503:
      return "Service Temporarily Unavailable";
    case 504:
      return "Gateway time-out";
    case 520:
      return "Web server is returning an unknown error";
    case 521:
      return "Web server is down";
    case 522:
      return "Connection timed out";
    case 523:
      return "Origin is unreachable";
    case 524:
      return "A timeout occurred";
    case 525:
      return "SSL handshake failed";
    case 526:
      return "Invalid SSL certificate";
    case 527:
      return "Railgun Listener to origin error";
    case 530:
      return "Origin DNS error";
    default:
      return "Error";
  }
}

// The page of nginx and of its derivatives.
std::string PlainPage(int status, absl::string_view server) {
  return absl::StrCat("<html>\r\n<head><title>", status, " ", TitleOf(status),
                      "</title></head>\r\n<body>\r\n<center><h1>", status, " ", TitleOf(status),
                      "</h1></center>\r\n<hr><center>", server,
                      "</center>\r\n</body>\r\n</html>\r\n");
}

std::string CloudflarePage(int status) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html class=\"no-js\" lang=\"en-US\">\n<head>\n<title>api.example.org | ",
      status, ": ", TitleOf(status),
      "</title>\n<meta charset=\"UTF-8\" />\n</head>\n<body>\n<div id=\"cf-wrapper\">\n"
      "<div id=\"cf-error-details\">\n<h1><span>",
      TitleOf(status), "</span> <span>Error code ", status,
      "</span></h1>\n<p>Visit <a href=\"https://www.cloudflare.com/5xx-error-landing?utm_source="
      "errorcode_",
      status,
      "\">cloudflare.com</a> for more information.</p>\n<p>Cloudflare Ray ID: "
      "<strong>8f1c2d3e4a5b6c7d</strong></p>\n</div>\n</div>\n</body>\n</html>\n");
}

constexpr absl::string_view kChallenge =
    "<!DOCTYPE html><html lang=\"en-US\"><head><title>Just a moment...</title>"
    "<meta name=\"robots\" content=\"noindex,nofollow\"></head><body><noscript>"
    "Enable JavaScript and cookies to continue</noscript>"
    "<script src=\"/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1\"></script>"
    "</body></html>";

}  // namespace

Response Redirect(int status, absl::string_view location) {
  Response response;
  response.status = status;
  response.content_type = "text/html";
  response.body = PlainPage(status, "nginx");
  response.headers.emplace_back("Location", std::string(location));
  return response;
}

Response EdgePage(int status, absl::string_view server, absl::string_view code) {
  Response response;
  response.status = status;
  response.content_type = "text/html; charset=UTF-8";
  response.headers.emplace_back("Server", std::string(server));
  if (server != "cloudflare") {
    response.body = PlainPage(status, server);
    return response;
  }
  response.headers.emplace_back("CF-RAY", "8f1c2d3e4a5b6c7d-FRA");
  std::string number(code);
  if (number.empty() && status == 403) number = "1010";
  if (number.empty() && status == 429) number = "1015";
  if (number == "challenge") {
    response.headers.emplace_back("cf-mitigated", "challenge");
    response.body = std::string(kChallenge);
  } else if (!number.empty()) {
    response.content_type = "text/plain; charset=UTF-8";
    response.body = absl::StrCat("error code: ", number);
  } else {
    response.body = CloudflarePage(status);
  }
  return response;
}

}  // namespace assetgate::simulator
