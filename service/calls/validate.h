// What is wrong with a request, all at once.
#ifndef ASSETGATE_CALLS_VALIDATE_H_
#define ASSETGATE_CALLS_VALIDATE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/errors.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "base/faults.h"
#include "model/catalog.h"

namespace assetgate::calls {

// Each adds what is wrong with the message; `prefix` is the path that leads to it ("requests[2]."),
// or empty. What has to be looked up (groups, assets, models) is not checked here, but for
// providers: an unknown one is a status of its own, NOT_FOUND, which is returned.
absl::Status Validate(const v1::CreateAssetGroupRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
absl::Status Validate(const v1::CreateAssetRequest& request, const model::Catalog& catalog,
                      const std::string& prefix, base::Faults& faults);
absl::Status Validate(const v1::BatchCreateAssetsRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
absl::Status Validate(const v1::CreateVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
absl::Status Validate(const v1::ImportVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults);
void Validate(const v1::AssetFilter& filter, base::Faults& faults);
void Validate(const v1::AssetGroupFilter& filter, base::Faults& faults);
void Validate(const v1::VideoTaskFilter& filter, base::Faults& faults);
// Names of a watch: the ids in them.
std::vector<std::string> ValidateNames(absl::string_view collection,
                                       const google::protobuf::RepeatedPtrField<std::string>& names,
                                       base::Faults& faults);

// Sets what `task` leaves unset and `defaults` has.
void FillDefaults(const v1::VideoTask& defaults, v1::VideoTask& task);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_VALIDATE_H_
