#include "http/testing/scripted_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace assetgate::http::testing {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(20);

// A test without its server is meaningless.
void Require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "ScriptedServer: %s failed\n", what);
  std::abort();
}

void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

Certificate Certificate::SelfSigned() {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  X509* const x509 = X509_new();
  Require(key != nullptr && x509 != nullptr, "making a key");
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509), 24 * 3600);
  X509_set_pubkey(x509, key);
  X509_NAME* const name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(x509, name);
  for (const auto& [id, value] : {std::pair(NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost"),
                                  std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    Require(extension != nullptr, "making an extension");
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  Require(X509_sign(x509, key, EVP_sha256()) != 0, "signing");

  BIO* const certificate_text = BIO_new(BIO_s_mem());
  BIO* const key_text = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_text, x509);
  PEM_write_bio_PrivateKey(key_text, key, nullptr, nullptr, 0, nullptr, nullptr);
  Certificate made{Text(certificate_text), Text(key_text)};
  BIO_free(certificate_text);
  BIO_free(key_text);
  X509_free(x509);
  EVP_PKEY_free(key);
  return made;
}

void Certificate::WriteTo(const std::string& path) const {
  std::ofstream file(path, std::ios::trunc);
  file << certificate;
  Require(file.good(), "writing the certificate");
}

struct Connection::Tls {
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  // In ALPN's wire format.
  std::string offered;

  ~Tls() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
};

Connection::Connection(ScriptedServer& server, int index, int socket)
    : server_(server), index_(index), socket_(socket) {
  const timeval timeout = absl::ToTimeval(kTimeout);
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Connection::~Connection() {
  tls_ = nullptr;
  absl::MutexLock lock(&server_.mu_);
  std::erase(server_.sockets_, socket_);
  close(socket_);
}

bool Connection::Handshake(const std::string& protocol) {
  tls_ = std::make_unique<Tls>();
  tls_->offered = absl::StrCat(std::string(1, static_cast<char>(protocol.size())), protocol);
  tls_->context = SSL_CTX_new(TLS_server_method());
  const Certificate& certificate = *server_.options_.certificate;
  BIO* const certificate_text = BIO_new_mem_buf(certificate.certificate.data(), -1);
  BIO* const key_text = BIO_new_mem_buf(certificate.key.data(), -1);
  X509* const x509 = PEM_read_bio_X509(certificate_text, nullptr, nullptr, nullptr);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(key_text, nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(tls_->context, x509);
  SSL_CTX_use_PrivateKey(tls_->context, key);
  X509_free(x509);
  EVP_PKEY_free(key);
  BIO_free(certificate_text);
  BIO_free(key_text);
  SSL_CTX_set_alpn_select_cb(
      tls_->context,
      [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
         unsigned int in_size, void* self) -> int {
        const std::string& offered = static_cast<Tls*>(self)->offered;
        unsigned char* chosen = nullptr;
        if (SSL_select_next_proto(
                &chosen, out_size, reinterpret_cast<const unsigned char*>(offered.data()),
                static_cast<unsigned>(offered.size()), in, in_size) != OPENSSL_NPN_NEGOTIATED) {
          return SSL_TLSEXT_ERR_NOACK;
        }
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
      },
      tls_.get());
  tls_->ssl = SSL_new(tls_->context);
  SSL_set_fd(tls_->ssl, socket_);
  return SSL_accept(tls_->ssl) == 1;
}

std::string Connection::protocol() const {
  if (tls_ == nullptr) return "";
  const unsigned char* data = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_->ssl, &data, &size);
  return std::string(reinterpret_cast<const char*>(data), size);
}

long Connection::ReadSome(char* buffer, std::size_t size) {
  if (tls_ != nullptr) return SSL_read(tls_->ssl, buffer, static_cast<int>(size));
  return recv(socket_, buffer, size, 0);
}

std::optional<std::string> Connection::Read(std::size_t size) {
  while (buffer_.size() < size) {
    char chunk[16 << 10];
    const long got = ReadSome(chunk, sizeof(chunk));
    if (got <= 0) return std::nullopt;
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }
  std::string bytes = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return bytes;
}

std::optional<Request> Connection::ReadRequest() {
  std::string head;
  while (!absl::EndsWith(head, "\r\n\r\n")) {
    const std::optional<std::string> byte = Read(1);
    if (!byte.has_value()) return std::nullopt;
    head += *byte;
  }
  Request request;
  std::size_t body_size = 0;
  const std::vector<std::string> lines = absl::StrSplit(head, "\r\n", absl::SkipEmpty());
  const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
  if (first.size() != 3) return std::nullopt;
  request.method = first[0];
  request.path = first[1];
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> field =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    request.headers.push_back({field.first, std::string(absl::StripAsciiWhitespace(field.second))});
    if (absl::EqualsIgnoreCase(field.first, "Content-Length")) {
      Require(absl::SimpleAtoi(field.second, &body_size), "reading Content-Length");
    }
  }
  std::optional<std::string> body = Read(body_size);
  if (!body.has_value()) return std::nullopt;
  request.body = *std::move(body);
  server_.RecordRequest(request);
  return request;
}

bool Connection::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const long sent = tls_ != nullptr
                          ? SSL_write(tls_->ssl, bytes.data(), static_cast<int>(bytes.size()))
                          : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Connection::Respond(int status, absl::string_view body, absl::string_view headers) {
  return Write(absl::StrCat("HTTP/1.1 ", status, " Status\r\nContent-Length: ", body.size(), "\r\n",
                            headers, "\r\n", body));
}

void Connection::Close() { shutdown(socket_, SHUT_WR); }

void Connection::Reset() {
  // Closing with a linger of zero seconds sends RST. An unconnected socket keeps the descriptor in
  // use until the destructor.
  const linger now{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  const int placeholder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  dup3(placeholder, socket_, O_CLOEXEC);
  close(placeholder);
}

void Connection::WaitForPeer() {
  char chunk[4096];
  while (ReadSome(chunk, sizeof(chunk)) > 0) {
  }
}

ScriptedServer::ScriptedServer(Script script, ScriptedServerOptions options)
    : script_(std::move(script)), options_(std::move(options)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  Require(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  Require(listen(listener_, SOMAXCONN) == 0, "listen");
  Require(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
  Require(pipe2(wake_, O_CLOEXEC) == 0, "pipe");
  acceptor_ = std::thread([this] { Accept(); });
}

ScriptedServer::~ScriptedServer() {
  StopListening();
  {
    absl::MutexLock lock(&mu_);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  }
  WaitForScripts();
  close(wake_[0]);
  close(wake_[1]);
}

void ScriptedServer::StopListening() {
  if (!acceptor_.joinable()) return;
  Require(write(wake_[1], "x", 1) == 1, "waking the acceptor");
  acceptor_.join();
  close(listener_);
}

void ScriptedServer::WaitForScripts() {
  StopListening();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mu_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void ScriptedServer::Accept() {
  BlockSignals();
  for (;;) {
    pollfd waits[2] = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    if (poll(waits, 2, -1) < 0) continue;
    // Clients that connected before the end are still served.
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      if (waits[1].revents != 0) return;
      continue;
    }
    absl::MutexLock lock(&mu_);
    sockets_.push_back(socket);
    const int index = connections_++;
    threads_.emplace_back([this, socket, index] {
      Connection connection(*this, index, socket);
      if (options_.before_handshake) options_.before_handshake();
      if (options_.certificate.has_value() && !connection.Handshake(options_.protocol)) return;
      script_(connection);
    });
  }
}

std::string ScriptedServer::url() const {
  return absl::StrCat(options_.certificate.has_value() ? "https" : "http", "://127.0.0.1:", port_);
}

std::vector<Request> ScriptedServer::requests() const {
  absl::MutexLock lock(&mu_);
  return requests_;
}

int ScriptedServer::connections() const {
  absl::MutexLock lock(&mu_);
  return connections_;
}

bool ScriptedServer::WaitForRequests(std::size_t count) const {
  absl::MutexLock lock(&mu_);
  const auto enough = [this, count] {
    mu_.AssertReaderHeld();
    return requests_.size() >= count;
  };
  return mu_.AwaitWithTimeout(absl::Condition(&enough), kTimeout);
}

bool ScriptedServer::WaitForConnections(int count) const {
  absl::MutexLock lock(&mu_);
  const auto enough = [this, count] {
    mu_.AssertReaderHeld();
    return connections_ >= count;
  };
  return mu_.AwaitWithTimeout(absl::Condition(&enough), kTimeout);
}

void ScriptedServer::RecordRequest(Request request) {
  absl::MutexLock lock(&mu_);
  requests_.push_back(std::move(request));
}

}  // namespace assetgate::http::testing
