#include "listener/listener.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::listener {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Reports the peer of every call, then answers it with OK.
class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(std::function<void(std::string peer)> called) : called_(std::move(called)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    called_(context->peer());
    return new Answer;
  }

 private:
  class Answer final : public grpc::ServerGenericBidiReactor {
   public:
    Answer() { Finish(grpc::Status::OK); }
    void OnDone() override { delete this; }
  };
  const std::function<void(std::string peer)> called_;
};

std::unique_ptr<Listener> Open(const std::string& host, StrangerLimits limits = {}) {
  static const base::SystemClock clock;
  ListenerOptions options;
  options.host = host;
  options.strangers = limits;
  options.memory = [] { return std::int64_t{1}; };
  auto listener = Listener::Open(std::move(options), base::Log(), clock);
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

// A gRPC server behind a listener.
struct Served {
  explicit Served(std::unique_ptr<Listener> given, std::function<void(std::string)> called = {})
      : listener(std::move(given)), service([this, called](std::string peer) {
          if (called) called(peer);
          listener->strangers().Admitted(peer);
        }) {
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&service);
    auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
    server = builder.BuildAndStart();
    listener->Serve(std::move(acceptor));
  }
  ~Served() {
    listener->Stop();
    server->Shutdown(std::chrono::system_clock::now());
  }

  std::unique_ptr<Listener> listener;
  Service service;
  std::unique_ptr<grpc::Server> server;
};

// A channel with its own connection.
std::shared_ptr<grpc::Channel> Connect(const std::string& host, int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat(host, ":", port),
                                   grpc::InsecureChannelCredentials(), arguments);
}

grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::ByteBuffer request(nullptr, 0), response;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context, "/any.Service/Method", {}, &request, &response,
                 [&](const grpc::Status& said) {
                   status = said;
                   done.Notify();
                 });
  done.WaitForNotification();
  return status;
}

TEST(ListenerTest, PeersOfCallsMatchPeersOfConnections) {
  struct Case {
    std::string host;
    std::string as;
    std::string peer;
  };
  for (const Case& c : std::vector<Case>{{"127.0.0.1", "127.0.0.1", "ipv4:127.0.0.1:"},
                                         {"localhost", "127.0.0.1", "ipv4:127.0.0.1:"},
                                         {"::1", "[::1]", "ipv6:%5B::1%5D:"},
                                         {"::", "127.0.0.1", "ipv4:127.0.0.1:"},
                                         {"0.0.0.0", "127.0.0.1", "ipv4:127.0.0.1:"},
                                         {"0.0.0.0", "[::1]", "ipv6:%5B::1%5D:"}}) {
    SCOPED_TRACE(absl::StrCat(c.host, " by ", c.as));
    std::string peer;
    bool came = false;
    Listener* listener = nullptr;
    Served served(Open(c.host), [&](std::string said) {
      peer = std::move(said);
      came = listener->strangers().any();
    });
    listener = served.listener.get();
    // The client reports an error for a call without a response, although the call was made.
    Call(Connect(c.as, served.listener->port()));
    EXPECT_THAT(peer, StartsWith(c.peer));
    EXPECT_TRUE(came) << "until it was admitted";
    EXPECT_FALSE(served.listener->strangers().any());
  }
}

TEST(ListenerTest, AnAddressInUseIsRejected) {
  const auto first = Open("127.0.0.1");
  ListenerOptions options;
  options.host = "127.0.0.1";
  options.port = first->port();
  static const base::SystemClock clock;
  const auto second = Listener::Open(std::move(options), base::Log(), clock);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

TEST(ListenerTest, AnUnknownHostIsRejected) {
  ListenerOptions options;
  options.host = "no.such.host.invalid";
  static const base::SystemClock clock;
  EXPECT_EQ(Listener::Open(std::move(options), base::Log(), clock).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(ListenerTest, ConnectionsFromBeforeServeAreServed) {
  auto listener = Open("127.0.0.1");
  const auto channel = Connect("127.0.0.1", listener->port());
  channel->GetState(/*try_to_connect=*/true);
  bool called = false;
  Served served(std::move(listener), [&](const std::string&) { called = true; });
  Call(channel);
  EXPECT_TRUE(called);
}

TEST(ListenerTest, KeepsServingAfterDescriptorsRanOut) {
  bool called = false;
  Served served(Open("127.0.0.1"), [&](const std::string&) { called = true; });
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // Leaves descriptors for both ends of some connections, and no more.
  const int next = ::dup(0);
  ::close(next);
  const rlimit few{static_cast<rlim_t>(next + 41), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<int> strangers;
  for (int i = 0; i < 60; ++i) {
    const int stranger = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stranger < 0) break;
    strangers.push_back(stranger);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<in_port_t>(served.listener->port()));
    // The kernel completes the connection even before the port accepts it.
    EXPECT_EQ(::connect(stranger, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  Call(Connect("127.0.0.1", served.listener->port()));
  EXPECT_TRUE(called);
  for (const int stranger : strangers) ::close(stranger);
}

}  // namespace
}  // namespace assetgate::listener
