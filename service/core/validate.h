// What is wrong with a request, all at once.
#ifndef ASSETGATE_CORE_VALIDATE_H_
#define ASSETGATE_CORE_VALIDATE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/errors.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "core/catalog.h"

namespace assetgate::core {

// The faulty fields of one request: each by its path, with what is wrong and the remedy.
class Faults {
 public:
  // `description` goes on after the field's name: "is required".
  void Add(std::string field, std::string description) {
    // Enough to mend a request by; a hostile one could have millions.
    if (faults_.size() < kMost) faults_.emplace_back(std::move(field), std::move(description));
  }
  bool empty() const { return faults_.empty(); }
  // INVALID_ARGUMENT with one violation per fault; OK without any.
  absl::Status ToStatus(v1::ErrorReason reason = v1::INVALID_FIELD) const;

 private:
  static constexpr std::size_t kMost = 100;
  std::vector<std::pair<std::string, std::string>> faults_;
};

// Each adds what is wrong with the message; `prefix` is the path that leads to it ("requests[2]."),
// or empty. What has to be looked up (groups, assets, models) is not checked here, but for
// providers: an unknown one is a status of its own, NOT_FOUND, which is returned.
absl::Status Validate(const v1::CreateAssetGroupRequest& request, const Catalog& catalog,
                      Faults& faults);
absl::Status Validate(const v1::CreateAssetRequest& request, const Catalog& catalog,
                      const std::string& prefix, Faults& faults);
absl::Status Validate(const v1::BatchCreateAssetsRequest& request, const Catalog& catalog,
                      Faults& faults);
absl::Status Validate(const v1::CreateVideoTaskRequest& request, const Catalog& catalog,
                      Faults& faults);
absl::Status Validate(const v1::ImportVideoTaskRequest& request, const Catalog& catalog,
                      Faults& faults);
void Validate(const v1::AssetFilter& filter, Faults& faults);
void Validate(const v1::AssetGroupFilter& filter, Faults& faults);
void Validate(const v1::VideoTaskFilter& filter, Faults& faults);
// Names of a watch: the ids in them.
std::vector<std::string> ValidateNames(absl::string_view collection,
                                       const google::protobuf::RepeatedPtrField<std::string>& names,
                                       Faults& faults);

// Sets what `task` leaves unset and `defaults` has.
void FillDefaults(const v1::VideoTask& defaults, v1::VideoTask& task);

// Why a target cannot make this video: one (field, description) each, "does not take 7; at most 5"
// with the target as its subject; none when it can. `media` are the media types of the task's
// references, in their order.
std::vector<std::pair<std::string, std::string>> Inexpressible(
    const v1::VideoTask& task, const std::vector<v1::MediaType>& media, const Target& target);

}  // namespace assetgate::core

#endif  // ASSETGATE_CORE_VALIDATE_H_
