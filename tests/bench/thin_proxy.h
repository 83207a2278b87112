// The thinnest proxy that loses no paid work, for comparison with the gateway.
#ifndef ASSETGATE_TESTS_BENCH_THIN_PROXY_H_
#define ASSETGATE_TESTS_BENCH_THIN_PROXY_H_

#include <string>

#include "absl/status/status.h"

namespace assetgate::bench {

// Runs the proxy until it is killed, for the hidden subcommand of class Reference.
//
// A callback server whose CreateAsset commits the asset, submits it to the provider (0-0's dialect)
// with one curl_multi thread, commits the answer, and replies. It writes the same rows and terms as
// the gateway's store, in its schema, and its commits are as durable: synchronous, and shared by
// all calls that wait for one. It has no validation, callers, limits, polls, retries, watches,
// metrics or logs, and a failure of any kind ends the call with an error.
//
// `folder` holds its store; `base_url` is the provider's.
absl::Status ServeThinProxy(const std::string& folder, const std::string& base_url);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_THIN_PROXY_H_
