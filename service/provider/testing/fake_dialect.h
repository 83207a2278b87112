// A dialect for tests of core: a wire so plain that a test can read and write it.
#ifndef ASSETGATE_PROVIDER_TESTING_FAKE_DIALECT_H_
#define ASSETGATE_PROVIDER_TESTING_FAKE_DIALECT_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "provider/dialect.h"

namespace assetgate::provider {

// What of the things that dialects differ in it shall have.
struct FakeDialectOptions {
  bool native_groups = false;
  bool https_only = false;
  bool can_delete = false;
  // Zero: no idempotency key.
  absl::Duration idempotency_window = absl::ZeroDuration();
  // As in Traits.
  int max_asset_submissions = 0;
  // As in Capabilities; it takes any aspect ratio then.
  bool first_frame_sets_aspect_ratio = false;
  std::vector<v1::MediaType> media_types = {v1::IMAGE, v1::VIDEO};
  // Ids of videos are the same in capitals.
  bool ids_in_any_case = false;
  // Of its one model, "video-1".
  bool seed = true;
  // Likewise. The resolutions that it is known to make; none: it has no such field.
  std::vector<std::string> resolutions;
  // It takes any resolution, whatever `resolutions` says.
  bool any_resolution = false;
};

// Requests: POST /groups, /assets, /videos; GET the same with /{id}; DELETE /assets/{id}. Bodies
// and answers are words separated by spaces:
//
//   POST /videos    model=video-1 prompt=a_fox references=up-1,https://example.com/b.png
//   200             id=up-7 state=running progress=40
//
// A 2xx with `refused=` refuses (the content, where the word begins with "content"), one without an
// id is unknown. States are queued, running, done, failed, cancelled, gone; any other word is an
// unknown state. Beside done, `result=` says missing
// or inline, and `link=` where the video is; `inner=` is the state inside, where the other one
// lags; `credits=` is what it was charged; `reason=` of a failure is content or cancelled. On a
// poll "unreadable" cannot be read. `edge` anywhere: not the provider answered. Other statuses mean
// what provider::MeaningOfStatus says, but for a 409 to a repetition, which is unknown. On a poll
// 404 is "not found", and anything else but 2xx is trouble. A video that a person found has an id
// that begins with "up-".
class FakeDialect final : public provider::Dialect {
 public:
  explicit FakeDialect(FakeDialectOptions options = {});

  const provider::Traits& traits() const override { return traits_; }
  std::vector<std::string> models() const override { return {"video-1"}; }
  const v1::Capabilities* FindModel(absl::string_view model) const override;
  std::vector<provider::OptionFault> CheckOptions(
      provider::UnitKind kind, const google::protobuf::Struct& options) const override;
  absl::StatusOr<http::Request> EncodeSubmitGroup(
      const provider::GroupSubmission& group) const override;
  absl::StatusOr<http::Request> EncodeSubmitAsset(
      const provider::AssetSubmission& asset) const override;
  absl::StatusOr<http::Request> EncodeSubmitVideo(
      const provider::VideoSubmission& video) const override;
  provider::SubmitResult DecodeSubmit(provider::UnitKind kind, const http::Request& request,
                                      const http::Response& response, bool replay) const override;
  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view id,
                                              absl::string_view model) const override;
  std::string CanonicalVideoId(absl::string_view id) const override;
  std::vector<provider::PollCall> EncodePoll(
      provider::UnitKind kind, std::span<const provider::Handle> handles) const override;
  provider::PollResult DecodePoll(provider::UnitKind kind, const http::Response& response,
                                  std::span<const provider::Handle> handles) const override;
  std::optional<http::Request> EncodeDeleteAsset(const provider::Handle& handle) const override;
  std::optional<provider::Failure> DecodeDeleteAsset(const http::Response& response) const override;
  void Authorize(http::Request& request, const provider::Destination& destination,
                 const provider::Credential& credential, absl::Time now) const override;

 private:
  const FakeDialectOptions options_;
  provider::Traits traits_;
  v1::Capabilities capabilities_;
};

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_TESTING_FAKE_DIALECT_H_
