// One exchange on libcurl. For this folder only.
#ifndef ASSETGATE_HTTP_TRANSFER_H_
#define ASSETGATE_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "http/client.h"
#include "http/curl_client.h"
#include "http/message.h"

namespace assetgate::http {

// One exchange and its easy handle, reused for many exchanges, one after another.
// Threading: used on the client's thread.
class Transfer {
 public:
  // Lifetime: the arguments must outlive this object.
  Transfer(const CurlClientOptions& limits, const base::Clock& clock, CURLSH* share);
  // The handle must have been removed from curl's multi handle.
  ~Transfer();

  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_; }
  static Transfer& Of(CURL* easy);

  // Starts one exchange and configures the handle. An error ends the exchange at once.
  std::optional<TransportError> Begin(Request request, SendOptions options, Done done);
  // The result, once curl has reported the end with `code`.
  Result Finish(CURLcode code);
  // The error if its deadline passes.
  TransportError TimedOut() const;
  // An error of this exchange; `text` must not hold secrets.
  TransportError Error(TransportError::Kind kind, absl::string_view text) const;
  // Whether the handle can be reused for another exchange.
  bool reusable() const { return options_.ca.empty(); }
  // Forgets the exchange and returns its `done`.
  Done Release();

  // Used by the client: its index among the exchanges in flight, and its deadline by
  // CurlMulti::Now.
  std::size_t position = 0;
  std::int64_t deadline = 0;

 private:
  // Why one of the callbacks below ended the exchange.
  enum class Refusal { kNone, kExpired, kResend, kTooLarge };

  bool Configure(CURLSH* share);
  bool SetRequest();
  bool AppendHeader(const std::string& line);

  // curl's callbacks; `self` is the transfer.
  static int OnSocket(void* self, curl_socket_t socket, curlsocktype);
  static int OnBeforeSend(void* self, char*, char*, int, int);
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);

  // These return whether to continue.
  bool BeforeSend();
  bool TakeHeader(absl::string_view line);
  bool TakeBody(absl::string_view bytes);
  std::size_t MaxResponseBytes() const;
  bool Refuse(Refusal refusal);

  const CurlClientOptions& limits_;
  const base::Clock& clock_;
  CURL* const easy_;
  bool configured_ = false;
  char error_[CURL_ERROR_SIZE] = {};
  curl_slist* header_list_ = nullptr;

  // The state of the exchange:
  Request request_;
  SendOptions options_;
  Done done_;
  std::string url_;
  Response response_;
  // How often curl was allowed to write the request.
  int sends_ = 0;
  Refusal refusal_ = Refusal::kNone;
  std::size_t header_bytes_ = 0;
  std::size_t header_count_ = 0;
  // The headers of the final answer are complete.
  bool headers_final_ = false;
  bool status_interim_ = false;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_TRANSFER_H_
