#include "http/curl_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"

namespace assetgate::http {
namespace {

// Easy handles that are kept for the next requests.
constexpr std::size_t kMaxIdleHandles = 256;

bool IsToken(absl::string_view text) {
  static constexpr absl::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           kMarks.find(c) != absl::string_view::npos;
  });
}

// A header that tells where the message ends, or what the connection is for. These are curl's to
// write.
bool FramesTheMessage(absl::string_view name) {
  for (const absl::string_view framing : {"connection", "content-length", "expect", "keep-alive",
                                          "te", "trailer", "transfer-encoding", "upgrade"}) {
    if (absl::EqualsIgnoreCase(name, framing)) return true;
  }
  return false;
}

// Why `request` must not be written to a socket. Names the place, never the value: it may be a key.
std::optional<std::string> FindFault(const Request& request) {
  if (!IsToken(request.method)) return "the method is not a token";
  for (const char c : request.path) {
    if (c <= ' ' || c == '#' || c == 0x7f) {  // bytes above 0x7f are negative, too
      return "the path has a character that must be percent-encoded";
    }
  }
  if (!request.path.empty() && request.path[0] != '/' && request.path[0] != '?') {
    return "the path begins with neither '/' nor '?'";
  }
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const Header& header = request.headers[i];
    if (!IsToken(header.name)) return absl::StrCat("the name of header ", i, " is not a token");
    if (FramesTheMessage(header.name)) {
      return absl::StrCat("header \"", header.name, "\" is not for the caller to set");
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

// curl's milliseconds: at least one (zero means for ever).
long Milliseconds(absl::Duration duration) {
  const std::int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1)));
  return static_cast<long>(
      std::clamp<std::int64_t>(ms, 1, std::numeric_limits<std::int32_t>::max()));
}

// What `code` says of the exchange, where no callback of ours knows better.
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
  // Past this point a failure to connect is that of an attempt to repeat the request.
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

// Sets options of one easy handle, and remembers whether all were taken.
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

// One exchange, and the easy handle it runs on. Reused for many exchanges, one after another. Lives
// on the client's thread.
class Transfer {
 public:
  Transfer(const CurlClientOptions& limits, const base::Clock& clock, CURLSH* share)
      : limits_(limits), clock_(clock), easy_(curl_easy_init()) {
    if (easy_ != nullptr) configured_ = Configure(share);
  }
  ~Transfer() {
    curl_easy_cleanup(easy_);
    curl_slist_free_all(header_list_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_; }
  static Transfer& Of(CURL* easy) {
    Transfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    return *transfer;
  }

  // Takes one exchange over and makes the handle ready for it. An error ends the exchange at once.
  std::optional<TransportError> Begin(Request request, SendOptions options, Done done);
  // What came of it, once curl says that it has ended with `code`.
  Result Finish(CURLcode code);
  TransportError Error(TransportError::Kind kind, absl::string_view text) const {
    return {kind, sends_ > 0, absl::StrCat(request_.method, " ", RedactUri(url_), ": ", text)};
  }
  // Forgets the exchange; what is returned is still to be told.
  Done Release();

  // Where this transfer stands in the list of those under way.
  std::size_t position = 0;

 private:
  enum class Refusal { kNone, kExpired, kResend, kTooLarge };

  bool Configure(CURLSH* share);
  bool SetRequest();
  bool AppendHeader(const std::string& line);

  static int OnBeforeSend(void* self, char*, char*, int, int) {
    return static_cast<Transfer*>(self)->BeforeSend();
  }
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->TakeHeader(absl::string_view(data, size * count))
               ? size * count
               : 0;
  }
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->TakeBody(absl::string_view(data, size * count))
               ? size * count
               : 0;
  }
  static int OnSocket(void* self, curl_socket_t socket, curlsocktype) {
    // Without this a peer that vanished would swallow, over HTTP/2, every request until its
    // timeout.
    const auto limit = static_cast<unsigned>(
        Milliseconds(static_cast<Transfer*>(self)->limits_.unacknowledged_limit));
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
    return CURL_SOCKOPT_OK;
  }

  int BeforeSend();
  bool TakeHeader(absl::string_view line);
  bool TakeBody(absl::string_view bytes);
  bool Refuse(Refusal refusal) {
    refusal_ = refusal;
    return false;
  }

  const CurlClientOptions& limits_;
  const base::Clock& clock_;
  CURL* const easy_;
  bool configured_ = false;
  char error_[CURL_ERROR_SIZE] = {};
  curl_slist* header_list_ = nullptr;

  // Of the exchange:
  Request request_;
  SendOptions options_;
  Done done_;
  std::string url_;
  Response response_;
  int sends_ = 0;
  Refusal refusal_ = Refusal::kNone;
  std::size_t header_bytes_ = 0;
  std::size_t header_count_ = 0;
  bool headers_final_ = false;
  bool status_interim_ = false;
};

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
      // Timeouts without SIGALRM, and a name server that hangs must not hang the thread: without
      // QUICK_EXIT the end of a transfer waits for its resolver.
      .Set(CURLOPT_NOSIGNAL, 1L)
      .Set(CURLOPT_QUICK_EXIT, 1L)
      // What comes from outside the process' own config is not listened to.
      .Set(CURLOPT_PROXY, "")
      .Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED))
      .Set(CURLOPT_PROTOCOLS_STR, "http,https")
      .Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
      .Set(CURLOPT_FOLLOWLOCATION, 0L)
      .Set(CURLOPT_HTTP09_ALLOWED, 0L)
      .Set(CURLOPT_PATH_AS_IS, 1L)
      // The limit on the body counts what comes out of the decompressor.
      .Set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
      .Set(CURLOPT_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_SSL_VERIFYHOST, 2L)
      .Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
      // Many requests to one HTTP/2 server become streams of one connection, also while it is made.
      .Set(CURLOPT_PIPEWAIT, 1L);
  if (!limits_.user_agent.empty()) setter.Set(CURLOPT_USERAGENT, limits_.user_agent.c_str());
  if (!limits_.ca_file.empty()) setter.Set(CURLOPT_CAINFO, limits_.ca_file.c_str());
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
    return Error(Kind::kExpired, "too late to be sent");
  }
  if (const std::optional<std::string> fault = FindFault(request_)) {
    return Error(Kind::kMalformed, *fault);
  }
  if (options_.timeout <= absl::ZeroDuration()) {
    return Error(Kind::kTimeout, "no time to send it");
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
  setter.Set(CURLOPT_URL, url_.c_str())
      .Set(CURLOPT_TIMEOUT_MS, Milliseconds(options_.timeout))
      // Without TLS there is no asking for HTTP/2 (prior knowledge fails on reused connections),
      // and nothing to wait for before a second connection is made.
      .Set(CURLOPT_HTTP_VERSION,
           static_cast<long>(secure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
      .Set(CURLOPT_MAXAGE_CONN,
           options_.submission
               ? static_cast<long>(absl::ToInt64Seconds(limits_.submission_idle_limit))
               : 118L);

  // The method. The body is lent, not copied: it lives as long as the exchange, and it goes out in
  // one write with the headers.
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
    // curl's spelling of a header with an empty value.
    listed = listed &&
             AppendHeader(header.value.empty() ? absl::StrCat(header.name, ";")
                                               : absl::StrCat(header.name, ": ", header.value));
  }
  if (has_body || request_.method == "POST") {
    // No wait for a "100 Continue", and no content type of curl's own invention.
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

// curl calls this whenever it is about to write the request to a connection: the first time, and
// each time again when it has decided on its own that the request may be repeated (a reused
// connection that ended without an answer, a refused HTTP/2 stream). Nothing is written before, and
// nothing can be written without.
int Transfer::BeforeSend() {
  if (sends_ == (options_.submission ? 1 : 2)) {
    refusal_ = Refusal::kResend;
    return CURL_PREREQFUNC_ABORT;
  }
  if (clock_.Now() > options_.send_before) {
    refusal_ = Refusal::kExpired;
    return CURL_PREREQFUNC_ABORT;
  }
  ++sends_;
  response_ = {};
  header_count_ = 0;
  headers_final_ = false;
  status_interim_ = false;
  return CURL_PREREQFUNC_OK;
}

bool Transfer::TakeHeader(absl::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > limits_.max_header_bytes) return Refuse(Refusal::kTooLarge);
  if (headers_final_) return true;  // a trailer: nothing we speak uses them

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
  if (absl::ascii_isspace(static_cast<unsigned char>(line[0]))) {  // goes on with the line before
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
  if (bytes.size() > limits_.max_response_bytes - response_.body.size()) {
    return Refuse(Refusal::kTooLarge);
  }
  response_.body.append(bytes.data(), bytes.size());
  return true;
}

Result Transfer::Finish(CURLcode code) {
  using Kind = TransportError::Kind;
  switch (refusal_) {
    case Refusal::kExpired:
      // Where it had been sent before, that is what counts.
      if (sends_ == 0) return Error(Kind::kExpired, "too late to be sent");
      [[fallthrough]];
    case Refusal::kResend:
      return Error(Kind::kReset, "the connection ended without an answer; not sent again");
    case Refusal::kTooLarge:
      return Error(Kind::kTooLarge,
                   absl::StrCat("the answer is larger than ", limits_.max_response_bytes,
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
    // libcurl 7.88 takes this for a whole answer.
    return Error(Kind::kReset, "the connection ended within the headers");
  }
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  return std::move(response_);
}

Done Transfer::Release() {
  request_ = {};
  response_ = {};
  return std::move(done_);
}

}  // namespace

// The thread, and what it works on.
class CurlClient::Loop {
 public:
  Loop(CurlClientOptions options, const base::Clock& clock);
  // Ends the thread.
  ~Loop();

  void Send(Request request, SendOptions options, Done done) ABSL_LOCKS_EXCLUDED(mu_);
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Order {
    Request request;
    SendOptions options;
    Done done;
  };

  // Everything from here to the lock is the thread's alone.
  void Run();
  void Start(Order order);
  void Reap();
  // Ends the exchange of `transfer`, tells its caller, and keeps the handle for the next.
  void Complete(std::unique_ptr<Transfer> transfer, Result result);
  std::unique_ptr<Transfer> Detach(Transfer& transfer);
  void FailAll();

  const CurlClientOptions options_;
  const base::Clock& clock_;
  CURLSH* const share_;
  CURLM* const multi_;
  std::vector<std::unique_ptr<Transfer>> active_;
  std::vector<std::unique_ptr<Transfer>> idle_;

  absl::Mutex mu_;
  std::vector<Order> queue_ ABSL_GUARDED_BY(mu_);
  // The thread waits, or is about to, and will not look at the queue again before it is woken.
  bool asleep_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

CurlClient::Loop::Loop(CurlClientOptions options, const base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      share_((curl_global_init(CURL_GLOBAL_DEFAULT), curl_share_init())),
      multi_(curl_multi_init()) {
  // TLS sessions belong to easy handles, and any of ours may serve any host: so they share them.
  // Without a lock function, since one thread uses them all.
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options_.max_connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, options_.max_connections_per_host);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "http");
}

CurlClient::Loop::~Loop() {
  Stop();
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
  idle_.clear();
  curl_multi_cleanup(multi_);
  curl_share_cleanup(share_);
}

void CurlClient::Loop::Send(Request request, SendOptions options, Done done) {
  {
    absl::MutexLock lock(&mu_);
    queue_.push_back({std::move(request), std::move(options), std::move(done)});
    if (!std::exchange(asleep_, false)) return;
  }
  curl_multi_wakeup(multi_);
}

void CurlClient::Loop::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&stopped_));
}

void CurlClient::Loop::Run() {
  // Signals are for the threads that expect them; a write to a closed socket is an error like
  // others.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);

  std::vector<Order> orders;
  for (;;) {
    bool stopping;
    bool ending;
    {
      absl::MutexLock lock(&mu_);
      asleep_ = false;
      orders.swap(queue_);
      stopping = stopping_;
      ending = ending_;
    }
    if (stopping) {
      FailAll();
      for (Order& order : orders) {
        std::move(order.done)(TransportError{TransportError::Kind::kStopped, false,
                                             "the HTTP client is shutting down"});
      }
      absl::MutexLock lock(&mu_);
      stopped_ = true;
      if (ending && queue_.empty()) return;
    } else {
      for (Order& order : orders) Start(std::move(order));
      int running = 0;
      curl_multi_perform(multi_, &running);
      Reap();
    }
    orders.clear();
    {
      absl::MutexLock lock(&mu_);
      if (!queue_.empty() || stopping_ != stopping || ending_ != ending) continue;
      asleep_ = true;
    }
    curl_multi_poll(multi_, nullptr, 0, /*timeout_ms=*/60'000, nullptr);
  }
}

void CurlClient::Loop::Start(Order order) {
  std::unique_ptr<Transfer> transfer;
  if (idle_.empty()) {
    transfer = std::make_unique<Transfer>(options_, clock_, share_);
  } else {
    transfer = std::move(idle_.back());
    idle_.pop_back();
  }
  std::optional<TransportError> error =
      transfer->Begin(std::move(order.request), std::move(order.options), std::move(order.done));
  if (!error.has_value() && curl_multi_add_handle(multi_, transfer->easy()) != CURLM_OK) {
    error = transfer->Error(TransportError::Kind::kConnect, "libcurl is out of memory");
  }
  if (error.has_value()) {
    Complete(std::move(transfer), *std::move(error));
    return;
  }
  transfer->position = active_.size();
  active_.push_back(std::move(transfer));
}

void CurlClient::Loop::Reap() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message is gone once the handle is removed.
    Transfer& ended = Transfer::Of(message->easy_handle);
    const CURLcode code = message->data.result;
    std::unique_ptr<Transfer> transfer = Detach(ended);
    Result result = transfer->Finish(code);
    Complete(std::move(transfer), std::move(result));
  }
}

void CurlClient::Loop::Complete(std::unique_ptr<Transfer> transfer, Result result) {
  Done done = transfer->Release();
  if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(transfer));
  std::move(done)(std::move(result));
}

std::unique_ptr<Transfer> CurlClient::Loop::Detach(Transfer& transfer) {
  curl_multi_remove_handle(multi_, transfer.easy());
  const std::size_t position = transfer.position;
  std::unique_ptr<Transfer> detached = std::move(active_[position]);
  if (position + 1 != active_.size()) {
    active_[position] = std::move(active_.back());
    active_[position]->position = position;
  }
  active_.pop_back();
  return detached;
}

void CurlClient::Loop::FailAll() {
  while (!active_.empty()) {
    std::unique_ptr<Transfer> transfer = Detach(*active_.back());
    TransportError error = transfer->Error(TransportError::Kind::kStopped,
                                           "ended because the HTTP client is shutting down");
    Complete(std::move(transfer), std::move(error));
  }
}

CurlClient::CurlClient(CurlClientOptions options, const base::Clock& clock)
    : loop_(std::make_unique<Loop>(std::move(options), clock)) {}

CurlClient::~CurlClient() = default;

void CurlClient::Send(Request request, SendOptions options, Done done) {
  loop_->Send(std::move(request), std::move(options), std::move(done));
}

void CurlClient::Stop() { loop_->Stop(); }

}  // namespace assetgate::http
