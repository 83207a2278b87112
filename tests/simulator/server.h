// HTTP/1.1 on one port: the only part of the simulator that knows civetweb and sockets.
#ifndef ASSETGATE_TESTS_SIMULATOR_SERVER_H_
#define ASSETGATE_TESTS_SIMULATOR_SERVER_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/simulator/message.h"

struct mg_callbacks;
struct mg_connection;
struct mg_context;

namespace assetgate::simulator {

// A thread serves one connection at a time: the number of threads limits the connections that make
// progress.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    int port = 0;  // 0: any
    int threads = 320;
  };
  // Called on many threads at once.
  using Handler = std::function<Reply(const Request&)>;
  // Waits for a duration (drips); returns false if the answer is to end.
  using Pause = std::function<bool(absl::Duration)>;

  Server(Options options, Handler handler, Pause pause);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  absl::Status Start();
  // Cuts all connections and waits for the threads. The handler and the pause must end by
  // themselves. Idempotent.
  void Stop();
  int port() const { return port_; }

 private:
  static int OnRequest(mg_connection* connection);
  int Serve(mg_connection* connection);

  const Options options_;
  const Handler handler_;
  const Pause pause_;
  mg_context* context_ = nullptr;
  int port_ = 0;
};

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_SERVER_H_
