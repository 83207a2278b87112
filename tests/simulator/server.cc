#include "tests/simulator/server.h"

#include <civetweb.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace assetgate::simulator {
namespace {

constexpr int64_t kMaxBody = int64_t{64} << 20;

// Calls `act` with each socket of this process whose own port is `port`: the listener and the
// accepted connections. civetweb does not expose its descriptors.
void ForEachServerSocket(int port, absl::FunctionRef<void(int)> act) {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    int descriptor = 0;
    if (!absl::SimpleAtoi(entry->d_name, &descriptor)) continue;
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        address.sin_family == AF_INET && ntohs(address.sin_port) == port) {
      act(descriptor);
    }
  }
  closedir(directory);
}

std::optional<int> SocketOf(int port, int remote_port) {
  std::optional<int> found;
  ForEachServerSocket(port, [&](int descriptor) {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
        ntohs(peer.sin_port) == remote_port) {
      found = descriptor;
    }
  });
  return found;
}

// Sends RST at once and leaves the descriptor to its owner: on Linux, connect() to AF_UNSPEC aborts
// a TCP connection.
void Reset(int descriptor) {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  (void)connect(descriptor, &nowhere, sizeof(nowhere));
}

// False if it was cut off or too large.
bool ReadBody(mg_connection* connection, const mg_request_info& info, std::string* body) {
  // Negative for a chunked body, which marks its own end.
  const int64_t length = info.content_length;
  if (length > kMaxBody) return false;
  const char* expect = mg_get_header(connection, "Expect");
  if (expect != nullptr && absl::EqualsIgnoreCase(expect, "100-continue")) {
    static constexpr absl::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
    mg_write(connection, kGoOn.data(), kGoOn.size());
  }
  if (length > 0) body->reserve(length);
  char buffer[16 << 10];
  while (length < 0 || static_cast<int64_t>(body->size()) < length) {
    const int count = mg_read(connection, buffer, sizeof(buffer));
    if (count <= 0) break;
    body->append(buffer, count);
    if (static_cast<int64_t>(body->size()) > kMaxBody) return false;
  }
  return length < 0 || static_cast<int64_t>(body->size()) == length;
}

// A header's value, also from a fault, without characters that end the line.
std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\r", " "}, {"\n", " "}});
}

std::string Head(const mg_connection* connection, const Response& response, int64_t length,
                 bool keep_alive) {
  std::string head = absl::StrCat(
      "HTTP/1.1 ", response.status, " ", mg_get_response_code_text(connection, response.status),
      "\r\nContent-Type: ", OneLine(response.content_type), "\r\nContent-Length: ", length,
      keep_alive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n");
  for (const auto& [name, value] : response.headers) {
    absl::StrAppend(&head, name, ": ", OneLine(value), "\r\n");
  }
  head.append("\r\n");
  return head;
}

bool Write(mg_connection* connection, absl::string_view bytes) {
  return mg_write(connection, bytes.data(), bytes.size()) == static_cast<int>(bytes.size());
}

void WritePadding(mg_connection* connection, int64_t bytes) {
  static constexpr absl::string_view kOpen = "{\"padding\":\"";
  static constexpr absl::string_view kClose = "\"}";
  int64_t left = bytes - static_cast<int64_t>(kOpen.size() + kClose.size());
  if (!Write(connection, kOpen)) return;
  const std::string block(64 << 10, 'x');
  while (left > 0) {
    const int64_t piece = std::min<int64_t>(left, block.size());
    if (!Write(connection, absl::string_view(block).substr(0, piece))) return;
    left -= piece;
  }
  Write(connection, kClose);
}

}  // namespace

Server::Server(Options options, Handler handler, Pause pause)
    : options_(std::move(options)), handler_(std::move(handler)), pause_(std::move(pause)) {}

Server::~Server() { Stop(); }

absl::Status Server::Start() {
  const std::string listen = absl::StrCat(options_.address, ":", options_.port);
  const std::string threads = absl::StrCat(options_.threads);
  // The queue holds connections that wait for a thread; a keep-alive connection that idles holds
  // one.
  const char* settings[] = {"listening_ports",
                            listen.c_str(),
                            "num_threads",
                            threads.c_str(),
                            "connection_queue",
                            "1024",
                            "listen_backlog",
                            "1024",
                            "enable_keep_alive",
                            "yes",
                            "keep_alive_timeout_ms",
                            "60000",
                            "request_timeout_ms",
                            "60000",
                            "tcp_nodelay",
                            "1",
                            "decode_url",
                            "yes",
                            nullptr};
  mg_init_library(0);
  mg_callbacks callbacks{};
  callbacks.begin_request = &Server::OnRequest;
  callbacks.log_message = [](const mg_connection*, const char*) { return 1; };
  mg_init_data init{};
  init.callbacks = &callbacks;
  init.user_data = this;
  init.configuration_options = settings;
  char text[256] = "";
  mg_error_data error{};
  error.text = text;
  error.text_buffer_size = sizeof(text);
  context_ = mg_start2(&init, &error);
  if (context_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", listen, ": ",
                                               *text != '\0' ? text : std::strerror(errno)));
  }
  mg_server_port ports[1] = {};
  if (mg_get_server_ports(context_, 1, ports) < 1) {
    Stop();
    return absl::InternalError("no port was opened");
  }
  port_ = ports[0].port;
  return absl::OkStatus();
}

void Server::Stop() {
  if (context_ == nullptr) return;
  // civetweb's threads look at the stop flag every two seconds; their sockets wake them sooner.
  ForEachServerSocket(port_, [](int descriptor) { shutdown(descriptor, SHUT_RDWR); });
  mg_stop(context_);
  context_ = nullptr;
  mg_exit_library();
}

int Server::OnRequest(mg_connection* connection) {
  return static_cast<Server*>(mg_get_user_context_data(connection))->Serve(connection);
}

int Server::Serve(mg_connection* connection) {
  const mg_request_info& info = *mg_get_request_info(connection);
  Request request;
  request.method = info.request_method;
  request.path = info.local_uri_raw == nullptr ? "" : info.local_uri_raw;
  request.query = info.query_string == nullptr ? "" : info.query_string;
  request.headers.reserve(info.num_headers);
  for (int i = 0; i < info.num_headers; ++i) {
    request.headers.emplace_back(info.http_headers[i].name, info.http_headers[i].value);
  }
  const auto hang_up = [&] {
    mg_disable_connection_keep_alive(connection);
    return 200;  // only for civetweb's access log
  };
  if (!ReadBody(connection, info, &request.body)) {
    Response refusal;
    refusal.status = 413;
    Write(connection, Head(connection, refusal, 0, /*keep_alive=*/false));
    return hang_up();
  }

  const Reply reply = handler_(request);
  const Response& response = reply.response;
  const Delivery& delivery = reply.delivery;
  const bool head_only = request.method == "HEAD";
  const int64_t length = static_cast<int64_t>(response.body.size());

  switch (delivery.kind) {
    case Delivery::Kind::kWhole: {
      const std::optional<absl::string_view> wish = request.Header("connection");
      const bool keep_alive = !wish || !absl::EqualsIgnoreCase(*wish, "close");
      std::string bytes = Head(connection, response, length, keep_alive);
      if (!head_only) bytes.append(response.body);
      if (!Write(connection, bytes) || !keep_alive) return hang_up();
      return response.status;
    }
    case Delivery::Kind::kTruncated: {
      const std::string head = Head(connection, response, length, /*keep_alive=*/true);
      Write(connection, absl::StrCat(head, response.body.substr(0, length / 2)));
      return hang_up();
    }
    case Delivery::Kind::kReset:
    case Delivery::Kind::kClosed: {
      const std::optional<int> descriptor = SocketOf(port_, info.remote_port);
      if (descriptor && delivery.kind == Delivery::Kind::kReset) Reset(*descriptor);
      if (descriptor && delivery.kind == Delivery::Kind::kClosed) shutdown(*descriptor, SHUT_RDWR);
      return hang_up();
    }
    case Delivery::Kind::kDripped: {
      const std::string bytes =
          absl::StrCat(Head(connection, response, length, /*keep_alive=*/false), response.body);
      const absl::string_view all = bytes;
      for (size_t at = 0; at < all.size(); at += delivery.piece) {
        if (at > 0 && !pause_(delivery.pause)) break;
        if (!Write(connection, all.substr(at, delivery.piece))) break;
      }
      return hang_up();
    }
    case Delivery::Kind::kPadded: {
      Write(connection, Head(connection, response, delivery.padding, /*keep_alive=*/false));
      WritePadding(connection, delivery.padding);
      return hang_up();
    }
  }
  return hang_up();
}

}  // namespace assetgate::simulator
