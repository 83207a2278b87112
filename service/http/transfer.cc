#include "http/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/uri.h"

namespace assetgate::http {
namespace {

// Whether the header frames the message or controls the connection; only curl may set those.
bool FramesTheMessage(absl::string_view name) {
  for (const absl::string_view framing : {"connection", "content-length", "expect", "keep-alive",
                                          "te", "trailer", "transfer-encoding", "upgrade"}) {
    if (absl::EqualsIgnoreCase(name, framing)) return true;
  }
  return false;
}

// Why `request` must not be sent. Names the place but never the value, which may be a key.
std::optional<std::string> FindFault(const Request& request) {
  if (!IsToken(request.method)) return "the method is not a token";
  for (const char c : request.path) {
    if (c <= ' ' || c == '#' || c == 0x7f) {  // bytes above 0x7f are negative, too
      return "the path has a character that must be percent-encoded";
    }
  }
  if (!request.path.empty() && request.path[0] != '/' && request.path[0] != '?') {
    return "the path starts with neither '/' nor '?'";
  }
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const Header& header = request.headers[i];
    if (!IsToken(header.name)) return absl::StrCat("the name of header ", i, " is not a token");
    if (FramesTheMessage(header.name)) {
      return absl::StrCat("header \"", header.name, "\" must not be set by the caller");
    }
    for (const char c : header.value) {
      if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t') {
        return absl::StrCat("header \"", header.name, "\" has a control character");
      }
    }
  }
  return std::nullopt;
}

bool HasHeader(const Request& request, absl::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(), [name](const Header& header) {
    return absl::EqualsIgnoreCase(header.name, name);
  });
}

std::string Printable(absl::string_view text) {
  std::string printable(text.substr(0, 300));
  for (char& c : printable) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return printable;
}

// curl's milliseconds: at least one, because zero means no limit.
long Milliseconds(absl::Duration duration) {
  const std::int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1)));
  return static_cast<long>(
      std::clamp<std::int64_t>(ms, 1, std::numeric_limits<std::int32_t>::max()));
}

// The meaning of `code`, if no callback has recorded a better one.
TransportError::Kind KindOf(CURLcode code, bool sent) {
  using Kind = TransportError::Kind;
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:  // a user in the URL
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR:
      return Kind::kMalformed;
    case CURLE_OPERATION_TIMEDOUT:
      return sent ? Kind::kTimeout : Kind::kConnect;
    default:
      break;
  }
  // After that, a failure to connect belongs to an attempt to repeat the request.
  if (sent) return Kind::kReset;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return Kind::kResolve;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED:
      return Kind::kTls;
    default:
      return Kind::kConnect;
  }
}

// When the first certificate of the server's chain expires.
std::optional<absl::Time> CertificateEnd(CURL* easy) {
  constexpr absl::string_view kName = "Expire date:";
  curl_certinfo* chain = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == nullptr ||
      chain->num_of_certs < 1) {
    return std::nullopt;
  }
  for (const curl_slist* line = chain->certinfo[0]; line != nullptr; line = line->next) {
    absl::string_view text = line->data;
    if (!absl::ConsumePrefix(&text, kName)) continue;
    // In OpenSSL's or GnuTLS's format.
    for (const char* format : {"%b %e %H:%M:%S %E4Y GMT", "%E4Y-%m-%d %H:%M:%S GMT"}) {
      absl::Time end;
      std::string error;
      if (absl::ParseTime(format, absl::StripAsciiWhitespace(text), &end, &error)) return end;
    }
  }
  return std::nullopt;
}

// Sets options of one easy handle, and records whether all were accepted.
class OptionSetter {
 public:
  explicit OptionSetter(CURL* easy) : easy_(easy) {}

  template <typename T>
  OptionSetter& Set(CURLoption option, T value) {
    ok_ = ok_ && curl_easy_setopt(easy_, option, value) == CURLE_OK;
    return *this;
  }
  bool ok() const { return ok_; }

 private:
  CURL* easy_;
  bool ok_ = true;
};

}  // namespace

Transfer::Transfer(const CurlClientOptions& limits, const base::Clock& clock, CURLSH* share)
    : limits_(limits), clock_(clock), easy_(curl_easy_init()) {
  if (easy_ != nullptr) configured_ = Configure(share);
}

Transfer::~Transfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(header_list_);
}

Transfer& Transfer::Of(CURL* easy) {
  Transfer* transfer = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
  return *transfer;
}

bool Transfer::Configure(CURLSH* share) {
  const long connect_ms = Milliseconds(limits_.connect_timeout);
  OptionSetter setter(easy_);
  setter.Set(CURLOPT_PRIVATE, this)
      .Set(CURLOPT_SHARE, share)
      .Set(CURLOPT_ERRORBUFFER, error_)
      .Set(CURLOPT_PREREQFUNCTION, &Transfer::OnBeforeSend)
      .Set(CURLOPT_PREREQDATA, this)
      .Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader)
      .Set(CURLOPT_HEADERDATA, this)
      .Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody)
      .Set(CURLOPT_WRITEDATA, this)
      .Set(CURLOPT_SOCKOPTFUNCTION, &Transfer::OnSocket)
      .Set(CURLOPT_SOCKOPTDATA, this)
      .Set(CURLOPT_TCP_KEEPALIVE, 1L)
      .Set(CURLOPT_TCP_KEEPIDLE, 30L)
      .Set(CURLOPT_TCP_KEEPINTVL, 10L)
      .Set(CURLOPT_CONNECTTIMEOUT_MS, connect_ms)
      // Timeouts without SIGALRM. Without QUICK_EXIT the end of a transfer would wait for its
      // resolver, so an unresponsive name server would block the thread.
      .Set(CURLOPT_NOSIGNAL, 1L)
      .Set(CURLOPT_QUICK_EXIT, 1L)
      // Settings of the environment are not used.
      .Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED))
      .Set(CURLOPT_HTTPPROXYTUNNEL, 1L)
      .Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L)
      .Set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC))
      .Set(CURLOPT_PROTOCOLS_STR, "http,https")
      .Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
      .Set(CURLOPT_FOLLOWLOCATION, 0L)
      .Set(CURLOPT_HTTP09_ALLOWED, 0L)
      .Set(CURLOPT_PATH_AS_IS, 1L)
      // The limit on the body applies to the decompressed bytes.
      .Set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
      .Set(CURLOPT_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_SSL_VERIFYHOST, 2L)
      .Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
      // Requests to one HTTP/2 server become streams of one connection, even while it is being
      // made.
      .Set(CURLOPT_PIPEWAIT, 1L);
  if (!limits_.user_agent.empty()) setter.Set(CURLOPT_USERAGENT, limits_.user_agent.c_str());
  if (!limits_.ca_file.empty()) {
    setter.Set(CURLOPT_CAINFO, limits_.ca_file.c_str())
        .Set(CURLOPT_PROXY_CAINFO, limits_.ca_file.c_str());
  }
  return setter.ok();
}

std::optional<TransportError> Transfer::Begin(Request request, SendOptions options, Done done) {
  using Kind = TransportError::Kind;
  request_ = std::move(request);
  options_ = std::move(options);
  done_ = std::move(done);
  url_ = absl::StrCat(absl::StripSuffix(options_.base_url, "/"), request_.path);
  sends_ = 0;
  refusal_ = Refusal::kNone;
  header_bytes_ = 0;
  error_[0] = '\0';

  if (clock_.Now() > options_.send_before) {
    return Error(Kind::kExpired, "not sent before its deadline (send_before)");
  }
  if (const std::optional<std::string> fault = FindFault(request_)) {
    return Error(Kind::kMalformed, *fault);
  }
  if (options_.timeout <= absl::ZeroDuration()) {
    return Error(Kind::kTimeout, "no time left to send it");
  }
  if (!configured_ || !SetRequest()) {
    return Error(Kind::kConnect, "libcurl is out of memory, or lacks a feature");
  }
  return std::nullopt;
}

bool Transfer::SetRequest() {
  const bool secure = absl::StartsWithIgnoreCase(url_, "https:");
  const bool has_body = !request_.body.empty();
  OptionSetter setter(easy_);
  setter
      .Set(CURLOPT_URL, url_.c_str())
      // Without TLS, HTTP/2 cannot be negotiated (prior knowledge fails on reused connections), so
      // there is no reason to wait before making a second connection.
      .Set(CURLOPT_HTTP_VERSION,
           static_cast<long>(secure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
      .Set(CURLOPT_MAXAGE_CONN,
           options_.submission
               ? static_cast<long>(absl::ToInt64Seconds(limits_.submission_idle_limit))
               : 118L)
      .Set(CURLOPT_CERTINFO, options_.report_certificate ? 1L : 0L)
      // Both are always set, because libcurl takes unset ones from the environment.
      .Set(CURLOPT_PROXY, options_.proxy.c_str())
      .Set(CURLOPT_NOPROXY, options_.no_proxy.c_str());
  const absl::string_view proxy_user = options_.proxy_credential.Reveal();
  if (options_.proxy.empty() || proxy_user.empty()) {
    setter.Set(CURLOPT_PROXYUSERNAME, static_cast<char*>(nullptr))
        .Set(CURLOPT_PROXYPASSWORD, static_cast<char*>(nullptr));
  } else {
    const std::size_t colon = proxy_user.find(':');
    const std::string user(proxy_user.substr(0, colon));
    const std::string password(colon == absl::string_view::npos ? ""
                                                                : proxy_user.substr(colon + 1));
    // libcurl copies both.
    setter.Set(CURLOPT_PROXYUSERNAME, user.c_str()).Set(CURLOPT_PROXYPASSWORD, password.c_str());
  }

  if (!options_.ca.empty()) {
    // Not copied: it lives as long as the exchange.
    curl_blob ca{options_.ca.data(), options_.ca.size(), CURL_BLOB_NOCOPY};
    setter.Set(CURLOPT_CAINFO_BLOB, &ca)
        .Set(CURLOPT_CAPATH, static_cast<char*>(nullptr))
        .Set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
  }

  // The method. The body is not copied: it lives as long as the exchange, and is sent in one write
  // with the headers.
  setter.Set(CURLOPT_HTTPGET, 1L).Set(CURLOPT_CUSTOMREQUEST, static_cast<char*>(nullptr));
  if (has_body || request_.method == "POST") {
    setter.Set(CURLOPT_POST, 1L)
        .Set(CURLOPT_POSTFIELDS, request_.body.data())
        .Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    if (request_.method != "POST") setter.Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  } else if (request_.method == "HEAD") {
    setter.Set(CURLOPT_NOBODY, 1L);
  } else if (request_.method != "GET") {
    setter.Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }

  curl_slist_free_all(std::exchange(header_list_, nullptr));
  bool listed = true;
  for (const Header& header : request_.headers) {
    // curl's notation for a header with an empty value.
    listed = listed &&
             AppendHeader(header.value.empty() ? absl::StrCat(header.name, ";")
                                               : absl::StrCat(header.name, ": ", header.value));
  }
  if (has_body || request_.method == "POST") {
    // No wait for a "100 Continue", and no content type chosen by curl.
    listed = listed && AppendHeader("Expect:");
    if (!HasHeader(request_, "Content-Type")) listed = listed && AppendHeader("Content-Type:");
  }
  return listed && setter.Set(CURLOPT_HTTPHEADER, header_list_).ok();
}

bool Transfer::AppendHeader(const std::string& line) {
  curl_slist* const longer = curl_slist_append(header_list_, line.c_str());
  if (longer == nullptr) return false;
  header_list_ = longer;
  return true;
}

int Transfer::OnSocket(void* self, curl_socket_t socket, curlsocktype) {
  // Otherwise, over HTTP/2, a peer that disappears would hold every request until its timeout.
  const auto limit = static_cast<unsigned>(
      Milliseconds(static_cast<Transfer*>(self)->limits_.unacknowledged_limit));
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
  return CURL_SOCKOPT_OK;
}

int Transfer::OnBeforeSend(void* self, char*, char*, int, int) {
  return static_cast<Transfer*>(self)->BeforeSend() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

std::size_t Transfer::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  const absl::string_view line(data, size * count);
  return static_cast<Transfer*>(self)->TakeHeader(line) ? line.size() : 0;
}

std::size_t Transfer::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  const absl::string_view bytes(data, size * count);
  return static_cast<Transfer*>(self)->TakeBody(bytes) ? bytes.size() : 0;
}

// curl calls this whenever it is about to write the request to a connection: the first time, and
// again each time it has decided by itself to repeat the request (a reused connection that ended
// without an answer, a refused HTTP/2 stream). Nothing of the request is written before.
bool Transfer::BeforeSend() {
  if (sends_ == (options_.submission ? 1 : 2)) return Refuse(Refusal::kResend);
  if (clock_.Now() > options_.send_before) return Refuse(Refusal::kExpired);
  ++sends_;
  response_ = {};
  header_count_ = 0;
  headers_final_ = false;
  status_interim_ = false;
  return true;
}

bool Transfer::Refuse(Refusal refusal) {
  refusal_ = refusal;
  return false;
}

bool Transfer::TakeHeader(absl::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > limits_.max_header_bytes) return Refuse(Refusal::kTooLarge);
  if (headers_final_) return true;  // a trailer; no dialect uses them

  line = absl::StripSuffix(absl::StripSuffix(line, "\n"), "\r");
  if (absl::StartsWith(line,
                       "HTTP/")) {  // the status line, of an interim answer or of the final one
    const absl::string_view status = line.substr(std::min(line.find(' '), line.size()));
    status_interim_ = absl::StartsWith(status, " 1");
    response_.headers.clear();
    return true;
  }
  if (line.empty()) {
    headers_final_ = !status_interim_;
    return true;
  }
  if (++header_count_ > limits_.max_headers) return Refuse(Refusal::kTooLarge);
  if (absl::ascii_isspace(static_cast<unsigned char>(line[0]))) {  // continues the previous line
    if (!response_.headers.empty()) {
      absl::StrAppend(&response_.headers.back().value, " ", absl::StripAsciiWhitespace(line));
    }
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return true;
  response_.headers.push_back({std::string(absl::StripAsciiWhitespace(line.substr(0, colon))),
                               std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)))});
  return true;
}

bool Transfer::TakeBody(absl::string_view bytes) {
  if (bytes.size() > MaxResponseBytes() - response_.body.size()) {
    return Refuse(Refusal::kTooLarge);
  }
  response_.body.append(bytes.data(), bytes.size());
  return true;
}

std::size_t Transfer::MaxResponseBytes() const {
  return std::min(limits_.max_response_bytes, options_.max_response_bytes);
}

TransportError Transfer::Error(TransportError::Kind kind, absl::string_view text) const {
  return {kind, sends_ > 0, absl::StrCat(request_.method, " ", base::RedactUri(url_), ": ", text)};
}

TransportError Transfer::TimedOut() const {
  return Error(KindOf(CURLE_OPERATION_TIMEDOUT, sends_ > 0),
               absl::StrCat(sends_ > 0 ? "no complete answer within " : "not sent within ",
                            absl::FormatDuration(options_.timeout)));
}

Result Transfer::Finish(CURLcode code) {
  using Kind = TransportError::Kind;
  switch (refusal_) {
    case Refusal::kExpired:
      // If it was sent before, that is the result.
      if (sends_ == 0) return Error(Kind::kExpired, "not sent before its deadline (send_before)");
      [[fallthrough]];
    case Refusal::kResend:
      return Error(Kind::kReset, "the connection ended without an answer; not sent again");
    case Refusal::kTooLarge:
      return Error(Kind::kTooLarge,
                   absl::StrCat("the answer is larger than ", MaxResponseBytes(),
                                " bytes, or its headers than ", limits_.max_header_bytes,
                                " bytes or ", limits_.max_headers, " lines"));
    case Refusal::kNone:
      break;
  }
  if (code != CURLE_OK) {
    return Error(KindOf(code, sends_ > 0),
                 Printable(error_[0] != '\0' ? error_ : curl_easy_strerror(code)));
  }
  if (!headers_final_) {
    // libcurl 7.88 reports this as a complete answer.
    return Error(Kind::kReset, "the connection ended within the headers");
  }
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  response_.receive_time = absl::Now();
  if (options_.report_certificate) response_.certificate_end = CertificateEnd(easy_);
  return std::move(response_);
}

Done Transfer::Release() {
  request_ = {};
  response_ = {};
  return std::move(done_);
}

}  // namespace assetgate::http
