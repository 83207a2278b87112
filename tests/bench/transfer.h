// Transfers with libcurl, to the simulator and to the gateway's admin port.
#ifndef ASSETGATE_TESTS_BENCH_TRANSFER_H_
#define ASSETGATE_TESTS_BENCH_TRANSFER_H_

#include <curl/curl.h>

#include <memory>
#include <string>

namespace assetgate::bench {

struct CurlCloser {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
using Curl = std::unique_ptr<CURL, CurlCloser>;

// A transfer without a proxy that ends within 30 s, and fails where the status is 400 or above.
Curl MakeTransfer();

// The same that posts JSON as the simulator accepts it. CURLOPT_POSTFIELDS is left to the caller.
Curl MakePost();

// Appends what `curl` receives to `body` from now on.
void ReceiveInto(CURL* curl, std::string& body);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_TRANSFER_H_
