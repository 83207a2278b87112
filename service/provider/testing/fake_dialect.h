// A dialect for tests of the gateway, with a wire format that a test can read and write.
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

// The properties in which dialects differ.
struct FakeDialectOptions {
  bool native_groups = false;
  bool https_only = false;
  bool can_delete = false;
  // Zero: no idempotency key.
  absl::Duration idempotency_window = absl::ZeroDuration();
  // As in Traits.
  int max_asset_submissions = 0;
  // As in Capabilities; then it accepts any aspect ratio.
  bool first_frame_sets_aspect_ratio = false;
  std::vector<v1::MediaType> media_types = {v1::IMAGE, v1::VIDEO};
  // Ids of videos ignore case.
  bool ids_in_any_case = false;
  // Whether its one model, "video-1", has a seed.
  bool seed = true;
  // The known resolutions of the model; empty: it has no such field.
  std::vector<std::string> resolutions;
  // The model accepts any resolution, whatever `resolutions` says.
  bool any_resolution = false;
};

// Requests: POST /groups, /assets, /videos; GET the same with /{id}; DELETE /assets/{id}. Bodies
// and answers are words separated by spaces:
//
//   POST /videos    model=video-1 prompt=a_fox references=up-1,https://example.com/b.png
//   200             id=up-7 state=running progress=40
//
// Answers to submissions: a 2xx with `refused=` is a refusal (of the content, if the word begins
// with "content"), a 2xx without `id=` is unknown, a 409 to a repetition is unknown, and all other
// statuses mean what provider::MeaningOfStatus says.
//
// Answers to polls: 404 is "not found", every other status except 2xx is trouble, and a 2xx
// "unreadable" cannot be decoded. The words of a 2xx:
//   state=      queued, running, done, failed, cancelled, gone; any other word is an unknown state
//   result=     missing or inline, with state=done
//   link=       the video's URI, with state=done
//   inner=      the inner state, where the outer one lags
//   credits=    the charge
//   reason=     content or cancelled, of a failure
//
// "edge" anywhere in a body: an edge answered. Ids of adopted videos begin with "up-".
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
