#include "cli/reach.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"

namespace assetgate::cli {
namespace {

// A deleter of unique_ptr that calls the C function `Free`.
template <auto Free>
struct FreeBy {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Context = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, FreeBy<SSL_free>>;
using Certificate = std::unique_ptr<X509, FreeBy<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;
using Addresses = std::unique_ptr<addrinfo, FreeBy<freeaddrinfo>>;

// Owns a file descriptor.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

struct HostPort {
  std::string host;
  std::string port;
};

// The addresses in a gRPC target, without its scheme. None for a socket in the file system and for
// other schemes.
std::vector<absl::string_view> AddressesIn(absl::string_view server) {
  for (const absl::string_view scheme : {"unix:", "unix-abstract:", "xds:", "vsock:"}) {
    if (absl::StartsWith(server, scheme)) return {};
  }
  if (absl::ConsumePrefix(&server, "dns:")) {
    // dns://AUTHORITY/HOST, dns:///HOST and dns:HOST.
    if (absl::ConsumePrefix(&server, "//")) {
      server.remove_prefix(std::min(server.size(), server.find('/') + 1));
    }
  } else if (!absl::ConsumePrefix(&server, "ipv4:")) {
    absl::ConsumePrefix(&server, "ipv6:");
  }
  return absl::StrSplit(server, ',');
}

// Splits HOST:PORT. The port defaults to that of HTTPS, as in gRPC.
HostPort Split(absl::string_view address) {
  const std::size_t colon = address.rfind(':');
  const bool bare_ipv6 = !absl::StartsWith(address, "[") && address.find(':') != colon;
  HostPort result{std::string(address), "443"};
  if (colon != absl::string_view::npos && !bare_ipv6 && !absl::EndsWith(address, "]")) {
    result = {std::string(address.substr(0, colon)), std::string(address.substr(colon + 1))};
  }
  absl::string_view host = result.host;
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  result.host = std::string(host);
  return result;
}

bool IsIpAddress(const std::string& host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  freeaddrinfo(found);
  return true;
}

// Waits until `fd` is ready for `events`; false when `deadline` passes first.
bool WaitFor(int fd, short events, absl::Time deadline) {
  while (true) {
    pollfd waited{fd, events, 0};
    const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) return false;
    const int ready = poll(&waited, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// A connected socket; its fd is negative where nothing listens.
Socket Connect(const HostPort& to, absl::Time deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &found) != 0) return Socket(-1);
  const Addresses addresses(found);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int fd = socket(each->ai_family, each->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                          each->ai_protocol);
    if (fd < 0) continue;
    int error = connect(fd, each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      socklen_t size = sizeof error;
      if (!WaitFor(fd, POLLOUT, deadline) ||
          getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = ETIMEDOUT;
      }
    }
    if (error == 0) return Socket(fd);
    close(fd);
  }
  return Socket(-1);
}

// Repeats a call of OpenSSL until it completes. Returns 0 on success, OpenSSL's reason code on
// failure, and nullopt where the connection ended or `deadline` passed.
template <typename Step>
std::optional<int> Drive(SSL* session, int fd, absl::Time deadline, Step step) {
  while (true) {
    ERR_clear_error();
    const int result = step();
    if (result > 0) return 0;
    switch (SSL_get_error(session, result)) {
      case SSL_ERROR_WANT_READ:
        if (!WaitFor(fd, POLLIN, deadline)) return std::nullopt;
        break;
      case SSL_ERROR_WANT_WRITE:
        if (!WaitFor(fd, POLLOUT, deadline)) return std::nullopt;
        break;
      case SSL_ERROR_SSL:
        return ERR_GET_REASON(ERR_peek_last_error());
      default:
        return std::nullopt;
    }
  }
}

// The names that a certificate is for: "a.example, 10.0.0.1".
std::string NamesOf(const X509* certificate) {
  std::vector<std::string> names;
  const Names found(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type == GEN_DNS) {
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      const unsigned char* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
      if (ASN1_STRING_length(name->d.iPAddress) == 4) {
        names.push_back(absl::StrCat(bytes[0], ".", bytes[1], ".", bytes[2], ".", bytes[3]));
      }
    }
  }
  return names.empty() ? "nobody" : absl::StrJoin(names, ", ");
}

std::string IssuerOf(const X509* certificate) {
  char text[256] = "";
  X509_NAME_oneline(X509_get_issuer_name(certificate), text, sizeof text);
  return text;
}

// A TLS handshake with a server, as gRPC does it, except that it accepts any certificate.
class Handshake {
 public:
  Handshake(const Endpoint& endpoint, const HostPort& to, const Socket& socket, absl::Time deadline)
      : context_(SSL_CTX_new(TLS_client_method())), deadline_(deadline), fd_(socket.fd()) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    if (endpoint.ca == "system" || endpoint.ca.empty()) {
      SSL_CTX_set_default_verify_paths(context_.get());
    } else {
      SSL_CTX_load_verify_file(context_.get(), endpoint.ca.c_str());
    }
    if (!endpoint.certificate.empty()) {
      SSL_CTX_use_certificate_chain_file(context_.get(), endpoint.certificate.c_str());
      SSL_CTX_use_PrivateKey_file(context_.get(), endpoint.key.c_str(), SSL_FILETYPE_PEM);
    }
    SSL_CTX_set_client_cert_cb(context_.get(), [](SSL* session, X509**, EVP_PKEY**) {
      *static_cast<bool*>(SSL_get_app_data(session)) = true;
      return 0;
    });
    session_.reset(SSL_new(context_.get()));
    SSL_set_app_data(session_.get(), &certificate_is_missing_);
    static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
    SSL_set_alpn_protos(session_.get(), kHttp2, sizeof kHttp2);
    if (IsIpAddress(to.host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), to.host.c_str());
    } else {
      SSL_set_tlsext_host_name(session_.get(), to.host.c_str());
      SSL_set1_host(session_.get(), to.host.c_str());
    }
    SSL_set_fd(session_.get(), fd_);
  }

  // 0, or OpenSSL's reason code; nullopt where the peer sent nothing readable.
  std::optional<int> Do() {
    return Drive(session_.get(), fd_, deadline_, [this] { return SSL_connect(session_.get()); });
  }
  // The session holds a pointer to this object.
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;
  // Whether the server continues after the handshake: with TLS 1.3, it accepts or refuses the
  // client's certificate, or the lack of one, only then. A gRPC server that continues sends the
  // first bytes.
  bool IsAccepted() {
    char byte;
    return Drive(session_.get(), fd_, deadline_,
                 [&] { return SSL_peek(session_.get(), &byte, 1); }) == 0;
  }
  // Whether the server asked for a certificate and the endpoint has none.
  bool certificate_is_missing() const { return certificate_is_missing_; }
  long verdict() const { return SSL_get_verify_result(session_.get()); }
  Certificate certificate() const { return Certificate(SSL_get1_peer_certificate(session_.get())); }

 private:
  bool certificate_is_missing_ = false;
  Context context_;
  Session session_;
  const absl::Time deadline_;
  const int fd_;
};

std::string OfCertificate(const Endpoint& endpoint, const HostPort& to, long verdict,
                          const X509* certificate) {
  switch (verdict) {
    case X509_V_OK:
      return "";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat("its certificate is for ", NamesOf(certificate), " and not for ", to.host,
                          ": pass --server with one of its names");
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat(
          "its certificate ",
          verdict == X509_V_ERR_CERT_HAS_EXPIRED ? "has expired" : "is not valid yet",
          ": the gateway's operator has to renew it, unless the clock here is wrong");
    default:
      return absl::StrCat("its certificate is not signed by ",
                          endpoint.ca == "system"
                              ? "a CA that this machine trusts"
                              : absl::StrCat("the CA that --ca names, ", endpoint.ca),
                          ", but by ", IssuerOf(certificate), ": pass that CA's file with --ca");
  }
}

}  // namespace

bool IsLoopback(absl::string_view server) {
  if (absl::StartsWith(server, "unix:") || absl::StartsWith(server, "unix-abstract:")) return true;
  const std::vector<absl::string_view> addresses = AddressesIn(server);
  return !addresses.empty() &&
         std::all_of(addresses.begin(), addresses.end(), [](absl::string_view address) {
           const std::string host = Split(address).host;
           return host == "localhost" || host == "::1" ||
                  (absl::StartsWith(host, "127.") && IsIpAddress(host));
         });
}

std::string DiagnoseConnection(const Endpoint& endpoint, absl::Duration timeout) {
  const std::vector<absl::string_view> addresses = AddressesIn(endpoint.server);
  if (addresses.empty()) return "";
  const absl::Time deadline = absl::Now() + timeout;
  const HostPort to = Split(addresses.front());
  const Socket socket = Connect(to, deadline);
  if (socket.fd() < 0) return "";
  Handshake handshake(endpoint, to, socket, deadline);
  const auto reason = handshake.Do();
  const bool speaks_tls = reason == 0;
  if (endpoint.ca.empty()) {
    return speaks_tls ? "it uses TLS: pass --ca FILE, the CA of its certificate, or --ca system"
                      : "";
  }
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG) {
    return absl::StrCat("it does not use TLS: leave out --ca (and ASSETCTL_CA)",
                        endpoint.token_file.empty() || IsLoopback(endpoint.server)
                            ? ""
                            : ", and pass --insecure if the network path is safe for the token");
  }
  if (!speaks_tls) return "";
  if (const Certificate certificate = handshake.certificate(); certificate != nullptr) {
    std::string fault = OfCertificate(endpoint, to, handshake.verdict(), certificate.get());
    if (!fault.empty()) return fault;
  }
  if (handshake.IsAccepted()) return "";
  if (handshake.certificate_is_missing()) {
    return "it requires a client certificate: pass --certificate FILE and --key FILE";
  }
  return endpoint.certificate.empty()
             ? ""
             : absl::StrCat("it rejects the certificate that --certificate names, ",
                            endpoint.certificate, ": ask its operator for one that it accepts");
}

CallContext ContextOf(const Endpoint& endpoint, const absl::Status& status,
                      absl::Duration timeout) {
  CallContext context;
  context.server = endpoint.server;
  context.shows_credential = !endpoint.token_file.empty() || !endpoint.certificate.empty();
  // An error with a reason comes from the gateway itself.
  if (status.code() == absl::StatusCode::kUnavailable &&
      base::ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED) {
    context.connection_fault = DiagnoseConnection(endpoint, timeout);
  }
  return context;
}

}  // namespace assetgate::cli
