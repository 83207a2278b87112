// A server that does to a client, byte by byte, what a test tells it to.
#ifndef ASSETGATE_HTTP_TESTING_SCRIPTED_SERVER_H_
#define ASSETGATE_HTTP_TESTING_SCRIPTED_SERVER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "http/message.h"

namespace assetgate::http::testing {

// A certificate for 127.0.0.1 and localhost, signed by itself, and its key, both PEM. Made afresh.
struct Certificate {
  std::string certificate;
  std::string key;

  static Certificate SelfSigned();
  // Writes the certificate to `path`, for a client to trust.
  void WriteTo(const std::string& path) const;
};

class ScriptedServer;

// One accepted connection, as its script sees it. For the script's thread only. Reads give up after
// 20 s, so that a test fails rather than hangs.
class Connection {
 public:
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // 0 for the first connection that the server accepted.
  int index() const { return index_; }
  // The application protocol agreed upon with TLS ("h2"); empty where there is none.
  std::string protocol() const;

  // One whole HTTP/1.1 request (its body by Content-Length); nothing once the peer has ended or
  // left. Counted, and kept in the server's requests().
  std::optional<Request> ReadRequest();
  // Exactly `size` bytes; nothing where fewer came.
  std::optional<std::string> Read(std::size_t size);
  // False once the peer is gone.
  bool Write(absl::string_view bytes);
  // A whole HTTP/1.1 answer. `headers` are whole lines.
  bool Respond(int status, absl::string_view body, absl::string_view headers = "");
  // Ends what is written; the peer reads an orderly end.
  void Close();
  // Throws the connection away; the peer reads a reset.
  void Reset();
  // Reads and forgets until the peer ends the connection, or the server stops.
  void WaitForPeer();

 private:
  friend class ScriptedServer;
  struct Tls;
  Connection(ScriptedServer& server, int index, int socket);
  bool Handshake(const std::string& protocol);
  long ReadSome(char* buffer, std::size_t size);

  ScriptedServer& server_;
  const int index_;
  int socket_;
  std::unique_ptr<Tls> tls_;
  std::string buffer_;
};

struct ScriptedServerOptions {
  // With TLS when set.
  std::optional<Certificate> certificate;
  // The one application protocol that is offered with TLS: "http/1.1" or "h2".
  std::string protocol = "http/1.1";
  // Runs on each connection's thread before the TLS handshake.
  std::function<void()> before_handshake;
};

// Listens on a free port of 127.0.0.1. Each connection runs `script` on a thread of its own; when
// that returns, the connection is closed. The destructor cuts what is open and waits for all
// scripts, so a script must not wait for what may never come.
class ScriptedServer {
 public:
  using Script = std::function<void(Connection&)>;

  explicit ScriptedServer(Script script, ScriptedServerOptions options = {});
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  // "http://127.0.0.1:PORT", or https.
  std::string url() const;
  int port() const { return port_; }

  // Accepts no further connection: they are refused from now on.
  void StopListening();
  // Stops listening, and waits until all scripts have ended by themselves: after that, with the
  // client gone, requests() has everything that was ever sent.
  void WaitForScripts();

  // What ReadRequest and RecordRequest saw, in the order it came.
  std::vector<Request> requests() const;
  int connections() const;
  // Waits until that many came; false when they did not within 20 s.
  bool WaitForRequests(std::size_t count) const;
  bool WaitForConnections(int count) const;
  // For scripts that read requests themselves.
  void RecordRequest(Request request);

 private:
  friend class Connection;
  void Accept();

  const Script script_;
  const ScriptedServerOptions options_;
  int listener_ = -1;
  int port_ = 0;
  int wake_[2] = {-1, -1};

  mutable absl::Mutex mu_;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mu_);
  int connections_ ABSL_GUARDED_BY(mu_) = 0;
  // Sockets of running scripts.
  std::vector<int> sockets_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);

  std::thread acceptor_;
};

}  // namespace assetgate::http::testing

#endif  // ASSETGATE_HTTP_TESTING_SCRIPTED_SERVER_H_
