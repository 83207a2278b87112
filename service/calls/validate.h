// Request validation: everything that is wrong with a request, reported at once.
#ifndef ASSETGATE_CALLS_VALIDATE_H_
#define ASSETGATE_CALLS_VALIDATE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "base/faults.h"
#include "model/catalog.h"

namespace assetgate::calls {

// Each adds what is wrong with the message; `prefix` is the path that leads to it ("requests[2]."),
// or empty. Groups, assets and models that it names are not looked up here. Providers are: the
// result is NOT_FOUND for the first that is not configured.
//
// validate_assets.cc
absl::Status Validate(const v1::CreateAssetGroupRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
absl::Status Validate(const v1::CreateAssetRequest& request, const model::Catalog& catalog,
                      const std::string& prefix, base::Faults& faults);
absl::Status Validate(const v1::BatchCreateAssetsRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);

// validate_videos.cc
absl::Status Validate(const v1::CreateVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
absl::Status Validate(const v1::ImportVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
// All but the name.
void Validate(const v1::ResolveVideoTaskRequest& request, base::Faults& faults);

// validate_filters.cc
void Validate(const v1::AssetFilter& filter, base::Faults& faults);
void Validate(const v1::AssetGroupFilter& filter, base::Faults& faults);
void Validate(const v1::VideoTaskFilter& filter, base::Faults& faults);
// The ids in the names that a watch asks for.
std::vector<std::string> ValidateNames(absl::string_view collection,
                                       const google::protobuf::RepeatedPtrField<std::string>& names,
                                       base::Faults& faults);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_VALIDATE_H_
