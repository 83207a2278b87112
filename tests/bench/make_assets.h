// CreateAsset in a closed loop: the load that most benchmarks start with.
#ifndef ASSETGATE_TESTS_BENCH_MAKE_ASSETS_H_
#define ASSETGATE_TESTS_BENCH_MAKE_ASSETS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "tests/bench/closed_loop.h"

namespace assetgate::bench {

using CreateLoop = ClosedLoop<v1::AssetService::Stub, v1::CreateAssetRequest, v1::Asset>;

// `provider`: where to place the assets; empty for nowhere. With `ids`, they are named
// assets/bench-0 and so on; otherwise the gateway names them.
inline std::unique_ptr<CreateLoop> MakeAssets(
    const std::vector<std::shared_ptr<grpc::Channel>>& channels, int callers,
    const std::string& provider, bool ids) {
  return std::make_unique<CreateLoop>(
      channels, callers,
      [](v1::AssetService::Stub& stub, grpc::ClientContext* context,
         const v1::CreateAssetRequest& request,
         grpc::CompletionQueue* queue) { return stub.AsyncCreateAsset(context, request, queue); },
      [provider, ids](std::int64_t number, v1::CreateAssetRequest& request) {
        v1::Asset& asset = *request.mutable_asset();
        asset.set_display_name(absl::StrCat("Portrait ", number));
        asset.set_source_uri(absl::StrCat("https://media.example.org/portraits/", number, ".png"));
        asset.set_media_type(v1::IMAGE);
        (*asset.mutable_labels())["shoot"] = "bench";
        if (ids) request.set_asset_id(absl::StrCat("bench-", number));
        if (!provider.empty() && request.providers().empty()) request.add_providers(provider);
      });
}

// Returns an error if any call failed, because figures with failures are meaningless.
inline absl::Status AllFine(const Calls& calls) {
  if (calls.failed.empty()) return absl::OkStatus();
  std::string text = absl::StrCat(calls.ok, " calls were fine, but");
  for (const auto& [error, count] : calls.failed) absl::StrAppend(&text, "\n", count, " x ", error);
  return absl::InternalError(text);
}

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_MAKE_ASSETS_H_
