#include "auth/server_credentials.h"

#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "http/testing/scripted_server.h"

namespace assetgate::auth {
namespace {

using http::testing::Certificate;

// The certificate that a TLS client gets at `port` of this machine, in PEM; empty where the
// handshake fails.
std::string CertificateAt(int port) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof(kHttp2));
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  SSL_set_fd(ssl.get(), socket);
  std::string pem;
  if (SSL_connect(ssl.get()) == 1) {
    const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(ssl.get()),
                                                       X509_free);
    const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(text.get(), shown.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(text.get(), &data);
    pem.assign(data, static_cast<std::size_t>(size));
  }
  ::close(socket);
  return pem;
}

// A gRPC server that only listens.
class Served {
 public:
  explicit Served(ServerTls& tls) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", tls.MakeCredentials(), &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr);
  }
  int port() const { return port_; }

 private:
  int port_ = 0;
  grpc::CallbackGenericService service_;
  std::unique_ptr<grpc::Server> server_;
};

TlsMaterial MaterialOf(const Certificate& certificate) {
  return {certificate.certificate, base::Secret(certificate.key), ""};
}

TEST(ServerTlsTest, NewConnectionsGetTheNewestCertificate) {
  const Certificate first = Certificate::SelfSigned();
  const Certificate second = Certificate::SelfSigned();
  ServerTls tls(MaterialOf(first), ClientCertificates::kNone);
  const Served served(tls);
  const int port = served.port();
  EXPECT_EQ(CertificateAt(port), first.certificate);
  EXPECT_EQ(CertificateAt(port), first.certificate);
  tls.Replace(MaterialOf(second));
  EXPECT_EQ(CertificateAt(port), second.certificate);
  tls.Replace(MaterialOf(second));
  tls.Replace(MaterialOf(first));
  EXPECT_EQ(CertificateAt(port), first.certificate);
}

TEST(ServerTlsTest, EveryServerGetsTheCurrentCertificate) {
  const Certificate certificate = Certificate::SelfSigned();
  ServerTls tls(MaterialOf(certificate), ClientCertificates::kNone);
  for (int i = 0; i < 2; ++i) {
    const Served served(tls);
    EXPECT_EQ(CertificateAt(served.port()), certificate.certificate) << i;
  }
}

}  // namespace
}  // namespace assetgate::auth
