// A client that sends arbitrary bytes.
#ifndef ASSETGATE_ADMIN_TESTING_RAW_CLIENT_H_
#define ASSETGATE_ADMIN_TESTING_RAW_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace assetgate::admin::testing {

class RawClient {
 public:
  // Not connected, but with a descriptor.
  RawClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_GE(socket_, 0);
    const timeval timeout{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  explicit RawClient(int port) : RawClient() { Connect(port); }
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }
  RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;

  void Connect(int port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  // False where the server has closed the connection.
  bool Send(absl::string_view bytes) const {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // Reads until the server closes or resets the connection.
  std::string ReadAll() const {
    std::string all;
    char chunk[4096];
    ssize_t got = 0;
    while ((got = ::recv(socket_, chunk, sizeof(chunk), 0)) > 0) {
      all.append(chunk, static_cast<std::size_t>(got));
    }
    EXPECT_TRUE(got == 0 || errno == ECONNRESET) << "the server kept the connection open";
    return all;
  }

 private:
  int socket_;
};

// Sends `bytes` over a new connection and reads until the server closes it.
inline std::string Talk(int port, absl::string_view bytes) {
  const RawClient client(port);
  EXPECT_TRUE(client.Send(bytes));
  return client.ReadAll();
}

}  // namespace assetgate::admin::testing

#endif  // ASSETGATE_ADMIN_TESTING_RAW_CLIENT_H_
