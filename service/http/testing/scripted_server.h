// A server whose every byte is controlled by a test.
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

// A new self-signed certificate for 127.0.0.1 and localhost, and its key, both PEM.
struct Certificate {
  std::string certificate;
  std::string key;

  static Certificate SelfSigned();
  // Writes the certificate to `path`, for a client to trust.
  void WriteTo(const std::string& path) const;
};

class ScriptedServer;

// One accepted connection, as its script sees it. Reads time out after 20 s, so that a test fails
// instead of hanging.
// Threading: for the script's thread only.
class Connection {
 public:
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // 0 for the first connection that the server accepted.
  int index() const { return index_; }
  // The application protocol negotiated with TLS ("h2"); empty if there is none.
  std::string protocol() const;

  // One complete HTTP/1.1 request (its body by Content-Length); nothing once the peer has closed.
  // Counted, and added to the server's requests().
  std::optional<Request> ReadRequest();
  // Exactly `size` bytes; nothing if fewer arrive.
  std::optional<std::string> Read(std::size_t size);
  // Returns false once the peer has closed.
  bool Write(absl::string_view bytes);
  // A complete HTTP/1.1 answer. `headers` are whole lines.
  bool Respond(int status, absl::string_view body, absl::string_view headers = "");
  // Closes the sending side; the peer reads an orderly end.
  void Close();
  // Aborts the connection; the peer reads a reset.
  void Reset();
  // Reads and discards until the peer closes the connection or the server stops.
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
  // With TLS if set.
  std::optional<Certificate> certificate;
  // The one application protocol that is offered with TLS: "http/1.1" or "h2".
  std::string protocol = "http/1.1";
  // Runs on each connection's thread before the TLS handshake.
  std::function<void()> before_handshake;
};

// Listens on a free port of 127.0.0.1. Each connection runs `script` on its own thread and is
// closed when the script returns. The destructor closes open connections and waits for all scripts,
// so a script must not wait for events that may never occur.
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

  // Stops listening: further connections are refused.
  void StopListening();
  // Stops listening and waits until all scripts have ended by themselves. If the client is gone,
  // requests() then holds everything that was ever sent.
  void WaitForScripts();

  // The requests from ReadRequest and RecordRequest, in order.
  std::vector<Request> requests() const;
  int connections() const;
  // Waits for that many; returns false if they do not arrive within 20 s.
  bool WaitForRequests(std::size_t count) const;
  bool WaitForConnections(int count) const;
  // For scripts that parse requests themselves.
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
