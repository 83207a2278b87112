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

// One thread serves one connection at a time, so that as many connections make progress as there
// are threads.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    int port = 0;  // 0: any
    int threads = 320;
  };
  // Called on many threads at once.
  using Handler = std::function<Reply(const Request&)>;
  // Waits a while (drips); returns false if it is not worth going on.
  using Pause = std::function<bool(absl::Duration)>;

  Server(Options options, Handler handler, Pause pause);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  absl::Status Start();
  // Cuts all connections and waits for the threads. The handler and the pause have to come to an
  // end by themselves. Idempotent.
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
