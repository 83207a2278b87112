#include "listener/strangers.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"
#include "listener/socket.h"

namespace assetgate::listener {
namespace {

constexpr std::int64_t kPlenty = 0;
constexpr std::int64_t kScarce = 1001;

StrangerLimits Limits() {
  StrangerLimits limits;
  limits.first_call_bytes = 4000;
  limits.memory = 1000;
  limits.max_bytes_when_scarce = 100;
  limits.max_bytes = 1000;
  limits.bytes_per_second = 10;
  limits.grace_period = absl::Seconds(10);
  limits.max_refused_calls = 3;
  limits.max_connections = 4;
  limits.max_connections_when_scarce = 2;
  return limits;
}

// Both ends of a TCP connection on this machine.
class Connection {
 public:
  Connection() {
    const int port = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(port, plain, size), 0);
    EXPECT_EQ(::listen(port, 1), 0);
    EXPECT_EQ(::getsockname(port, plain, &size), 0);
    near_ = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(near_, plain, size), 0);
    far_ = ::accept(port, nullptr, nullptr);
    ::close(port);
  }
  ~Connection() {
    ::close(near_);
    CloseFar();
  }

  Socket socket() const { return Socket(far_); }
  int far() const { return far_; }
  void Send(std::size_t bytes) {
    const std::string text(bytes, 'x');
    EXPECT_EQ(::send(near_, text.data(), text.size(), 0), static_cast<ssize_t>(bytes));
    sent_ += static_cast<std::int64_t>(bytes);
    while (*socket().BytesReceived() < sent_) {
    }
  }
  void CloseFar() {
    if (far_ >= 0) ::close(far_);
    far_ = -1;
  }
  // Whether the near end has seen the end of the connection.
  bool Ended() const {
    pollfd waited{near_, POLLIN, 0};
    return ::poll(&waited, 1, 0) == 1;
  }

 private:
  int near_ = -1;
  int far_ = -1;
  std::int64_t sent_ = 0;
};

class StrangersTest : public testing::Test {
 protected:
  void Arrive(const Connection& connection, const std::string& peer) {
    strangers_.Arrived(peer, connection.socket());
  }

  base::FakeClock clock_;
  Strangers strangers_{Limits(), clock_};
};

TEST_F(StrangersTest, LargeSendersAreClosedWhereMemoryIsScarce) {
  Connection much, little;
  Arrive(much, "ipv4:127.0.0.1:1");
  Arrive(little, "ipv4:127.0.0.1:2");
  much.Send(101);
  little.Send(100);
  strangers_.Check(kPlenty);
  EXPECT_FALSE(much.Ended()) << "memory is not scarce";
  strangers_.Check(kScarce);
  EXPECT_TRUE(much.Ended());
  EXPECT_FALSE(little.Ended());
  EXPECT_EQ(strangers_.closed(), 1);
}

TEST_F(StrangersTest, AnAdmittedPeerIsNoLongerAStranger) {
  Connection known;
  Arrive(known, "ipv4:127.0.0.1:1");
  EXPECT_TRUE(strangers_.any());
  strangers_.Admitted("ipv4:127.0.0.1:1");
  EXPECT_FALSE(strangers_.any());
  known.Send(5000);
  clock_.Advance(absl::Hours(1));
  strangers_.Check(kScarce);
  for (int i = 0; i < 10; ++i) strangers_.Refused("ipv4:127.0.0.1:1");
  EXPECT_FALSE(known.Ended());
  EXPECT_EQ(strangers_.closed(), 0);
}

TEST_F(StrangersTest, PeersAreRecognizedInEscapedForm) {
  Connection ipv6, with_scope;
  Arrive(ipv6, "ipv6:[::1]:80");
  Arrive(with_scope, "ipv6:[fe80::1%2]:80");
  strangers_.Admitted("ipv6:%5B::1%5D:80");
  strangers_.Admitted("ipv6:%5Bfe80::1%252%5D:80");
  EXPECT_FALSE(strangers_.any());
}

TEST_F(StrangersTest, BytesBeforeAnAdmittedCallAreLimited) {
  Connection slow, probe;
  Arrive(slow, "ipv4:127.0.0.1:1");
  Arrive(probe, "ipv4:127.0.0.1:2");
  slow.Send(1200);
  clock_.Advance(absl::Milliseconds(9999));
  strangers_.Check(kPlenty);
  EXPECT_FALSE(slow.Ended()) << "its first call may be large";
  clock_.Advance(absl::Seconds(1));
  probe.Send(1100);
  strangers_.Check(kPlenty);
  EXPECT_TRUE(slow.Ended());
  EXPECT_FALSE(probe.Ended()) << "1,000 bytes, and 10 for each second";
}

TEST_F(StrangersTest, TheFirstCallHasAMaximumSize) {
  Connection large, endless;
  Arrive(large, "ipv4:127.0.0.1:1");
  Arrive(endless, "ipv4:127.0.0.1:2");
  large.Send(4000);
  endless.Send(4001);
  strangers_.Check(kPlenty);
  EXPECT_FALSE(large.Ended());
  EXPECT_TRUE(endless.Ended());
}

TEST_F(StrangersTest, RepeatedlyRefusedPeersAreClosed) {
  Connection refused;
  Arrive(refused, "ipv4:127.0.0.1:1");
  for (int i = 0; i < 3; ++i) strangers_.Refused("ipv4:127.0.0.1:1");
  EXPECT_FALSE(refused.Ended());
  strangers_.Refused("ipv4:127.0.0.1:1");
  EXPECT_TRUE(refused.Ended());
  EXPECT_FALSE(strangers_.any());
}

TEST_F(StrangersTest, TheOldestOfTooManyAreClosed) {
  Connection connections[5];
  for (int i = 0; i < 5; ++i) Arrive(connections[i], absl::StrCat("ipv4:127.0.0.1:", i));
  EXPECT_TRUE(connections[0].Ended());
  EXPECT_FALSE(connections[1].Ended());
  strangers_.Check(kScarce);
  EXPECT_TRUE(connections[2].Ended());
  EXPECT_FALSE(connections[3].Ended()) << "where memory is scarce, two may stay";
  EXPECT_EQ(strangers_.closed(), 3);
}

TEST_F(StrangersTest, CloseOldestFreesTheDescriptorOfTheOldestOpenConnection) {
  Connection gone, oldest, newest;
  Arrive(gone, "ipv4:127.0.0.1:1");
  Arrive(oldest, "ipv4:127.0.0.1:2");
  Arrive(newest, "ipv4:127.0.0.1:3");
  gone.CloseFar();
  EXPECT_TRUE(strangers_.CloseOldest());
  EXPECT_TRUE(oldest.Ended());
  EXPECT_FALSE(newest.Ended());
  EXPECT_TRUE(strangers_.CloseOldest());
  EXPECT_FALSE(strangers_.CloseOldest());
}

TEST_F(StrangersTest, AReusedDescriptorIsNotClosed) {
  Connection stranger, other;
  Arrive(stranger, "ipv4:127.0.0.1:1");
  other.Send(5000);
  // Closes the stranger's descriptor and gives its number to the other connection, atomically.
  ASSERT_GE(::dup2(other.far(), stranger.far()), 0);
  strangers_.Check(kScarce);
  EXPECT_FALSE(other.Ended());
  EXPECT_FALSE(strangers_.any());
  EXPECT_EQ(strangers_.closed(), 0);
}

TEST_F(StrangersTest, AReturningPeerIsANewStranger) {
  Connection first, second;
  Arrive(first, "ipv4:127.0.0.1:1");
  for (int i = 0; i < 3; ++i) strangers_.Refused("ipv4:127.0.0.1:1");
  Arrive(second, "ipv4:127.0.0.1:1");
  strangers_.Refused("ipv4:127.0.0.1:1");
  EXPECT_FALSE(second.Ended());
}

TEST_F(StrangersTest, WaitEndsWithAStrangerOrWithStopWaiting) {
  std::thread waiting([this] { EXPECT_TRUE(strangers_.AwaitAny()); });
  Connection connection;
  Arrive(connection, "ipv4:127.0.0.1:1");
  waiting.join();
  strangers_.Admitted("ipv4:127.0.0.1:1");
  std::thread stopped([this] { EXPECT_FALSE(strangers_.AwaitAny()); });
  strangers_.StopWaiting();
  stopped.join();
}

}  // namespace
}  // namespace assetgate::listener
