#include "admin/page_server.h"

#include <civetweb.h>
#include <signal.h>

#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"

namespace assetgate::admin {
namespace {

// civetweb's spelling of `listen`, or nothing. civetweb itself would take more than we promise:
// lists, and letters after the port that ask for TLS or a redirect.
std::string ListeningPort(absl::string_view listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == absl::string_view::npos) return "";
  const absl::string_view host = listen.substr(0, colon);
  const absl::string_view port = listen.substr(colon + 1);
  std::uint32_t number = 0;
  if (port.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(port[0])) ||
      !absl::SimpleAtoi(port, &number) || number > 65535) {
    return "";
  }
  const bool bracketed = absl::StartsWith(host, "[") && absl::EndsWith(host, "]");
  if (host.find_first_of(", \t") != absl::string_view::npos ||
      (!bracketed && host.find_first_of(":[]") != absl::string_view::npos)) {
    return "";
  }
  return host.empty() ? absl::StrCat(number) : absl::StrCat(host, ":", number);
}

// The host of a `listen` that ListeningPort takes, as one connects to it.
std::string HostOf(absl::string_view listen) {
  absl::string_view host = listen.substr(0, listen.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return host.empty() ? "127.0.0.1" : std::string(host);
}

// Threads that are started while this lives take no signals: these are for whoever expects them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void Write(mg_connection* connection, const http::Response& response, bool with_body) {
  std::string text = absl::StrCat("HTTP/1.1 ", response.status, " ",
                                  mg_get_response_code_text(connection, response.status), "\r\n");
  for (const http::Header& header : response.headers) {
    absl::StrAppend(&text, header.name, ": ", header.value, "\r\n");
  }
  absl::StrAppend(&text, "Content-Length: ", response.body.size(), "\r\n",
                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
                  "Connection: close\r\n\r\n");
  if (with_body) text += response.body;
  mg_write(connection, text.data(), text.size());
}

http::Response Refusal(int status, absl::string_view why) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = absl::StrCat(why, "\n")};
}

}  // namespace

// What civetweb knows us by.
class PageServer::Civetweb {
 public:
  explicit Civetweb(Page page) : page_(std::move(page)) { mg_init_library(0); }
  ~Civetweb() {
    if (context_ != nullptr) Stop();
    mg_exit_library();
  }
  Civetweb(const Civetweb&) = delete;
  Civetweb& operator=(const Civetweb&) = delete;

  absl::StatusOr<int> Start(const PageServerOptions& options) {
    const std::string port = ListeningPort(options.listen);
    if (port.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", options.listen, "\" is not HOST:PORT, :PORT or [IPV6]:PORT"));
    }
    const std::string threads = absl::StrCat(options.threads);
    const std::string timeout = absl::StrCat(absl::ToInt64Milliseconds(options.request_timeout));
    const char* settings[] = {"listening_ports",
                              port.c_str(),
                              "num_threads",
                              threads.c_str(),
                              "connection_queue",
                              threads.c_str(),
                              "request_timeout_ms",
                              timeout.c_str(),
                              "enable_keep_alive",
                              "no",
                              "tcp_nodelay",
                              "1",
                              nullptr};
    mg_callbacks callbacks{};
    callbacks.begin_request = &Civetweb::OnRequest;
    callbacks.log_message = [](const mg_connection*, const char*) { return 1; };
    callbacks.log_access = callbacks.log_message;

    char text[256] = {};
    unsigned code = 0;
    mg_error_data error{&code, text, sizeof(text)};
    mg_init_data init{&callbacks, this, settings};
    {
      const SignalsBlocked blocked;
      context_ = mg_start2(&init, &error);
    }
    if (context_ == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options.listen, ": ", text,
                       "; is the port in use, or the address not this machine's?"));
    }
    mg_server_port bound{};
    if (mg_get_server_ports(context_, 1, &bound) != 1) {
      return absl::InternalError("civetweb does not say where it listens");
    }
    port_ = bound.port;
    own_host_ = HostOf(options.listen);
    return port_;
  }

 private:
  // Answers everything, so that civetweb's own handlers never run.
  static int OnRequest(mg_connection* connection) {
    const mg_request_info* const request = mg_get_request_info(connection);
    const http::Response response =
        static_cast<Civetweb*>(request->user_data)->Answer(connection, *request);
    Write(connection, response, absl::string_view(request->request_method) != "HEAD");
    return response.status;
  }

  http::Response Answer(mg_connection* connection, const mg_request_info& request) const {
    const absl::string_view method = request.request_method;
    if (method != "GET" && method != "HEAD") {
      http::Response refusal = Refusal(405, "only GET and HEAD are served here");
      refusal.headers.push_back({"Allow", "GET, HEAD"});
      return refusal;
    }
    if (request.content_length > 0 || mg_get_header(connection, "Transfer-Encoding") != nullptr) {
      return Refusal(413, "requests with a body are not served here");
    }
    if (request.local_uri == nullptr) return Refusal(400, "not a path of this server");
    try {
      return page_(request.local_uri);
    } catch (const std::exception& exception) {  // nothing may be thrown through C
      return Refusal(500, exception.what());
    }
  }

  // civetweb's acceptor looks at its stop flag every two seconds, or when a connection comes. So
  // that a shutdown does not take that long, connections come until it has seen the flag.
  void Stop() {
    absl::Notification stopped;
    std::thread stopper([this, &stopped] {
      mg_stop(context_);
      stopped.Notify();
    });
    do {
      char error[64];
      mg_connection* const knock =
          mg_connect_client(own_host_.c_str(), port_, /*use_ssl=*/0, error, sizeof(error));
      if (knock != nullptr) mg_close_connection(knock);
    } while (!stopped.WaitForNotificationWithTimeout(absl::Milliseconds(5)));
    stopper.join();
  }

  const Page page_;
  mg_context* context_ = nullptr;
  // Where to knock.
  std::string own_host_;
  int port_ = 0;
};

absl::StatusOr<std::unique_ptr<PageServer>> PageServer::Start(const PageServerOptions& options,
                                                              Page page) {
  auto civetweb = std::make_unique<Civetweb>(std::move(page));
  const absl::StatusOr<int> port = civetweb->Start(options);
  if (!port.ok()) return port.status();
  return std::unique_ptr<PageServer>(new PageServer(std::move(civetweb), *port));
}

PageServer::PageServer(std::unique_ptr<Civetweb> civetweb, int port)
    : civetweb_(std::move(civetweb)), port_(port) {}

PageServer::~PageServer() = default;

}  // namespace assetgate::admin
