#include "tests/bench/transfer.h"

#include <cstddef>

namespace assetgate::bench {
namespace {

std::size_t Append(char* data, std::size_t size, std::size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

// One list for all transfers, which libcurl only reads.
curl_slist* JsonHeaders() {
  static curl_slist* const headers = [] {
    curl_slist* list = nullptr;
    for (const char* line : {"Authorization: Bearer sim-key", "Content-Type: application/json",
                             "Accept: application/json", "Expect:"}) {
      list = curl_slist_append(list, line);
    }
    return list;
  }();
  return headers;
}

}  // namespace

Curl MakeTransfer() {
  Curl curl(curl_easy_init());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  return curl;
}

Curl MakePost() {
  Curl curl = MakeTransfer();
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, JsonHeaders());
  return curl;
}

void ReceiveInto(CURL* curl, std::string& body) {
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
}

}  // namespace assetgate::bench
