// Words of the command line as values of the API. Pure functions; errors are INVALID_ARGUMENT and
// say what to write instead.
#ifndef ASSETGATE_CLI_ARGUMENTS_H_
#define ASSETGATE_CLI_ARGUMENTS_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "google/protobuf/map.h"
#include "google/protobuf/struct.pb.h"

namespace assetgate::cli {

// "hero" or "assets/hero" as "assets/hero", with `collection` "assets".
absl::StatusOr<std::string> ResourceName(absl::string_view collection, absl::string_view word);

// "models/x" for "x"; "providers/p/models/m" stays as it is.
absl::StatusOr<std::string> ModelName(absl::string_view word);

// "image", "video", "audio", "document", in any case.
absl::StatusOr<v1::MediaType> ParseMediaType(absl::string_view word);

// By the extension of the URI's path; MEDIA_TYPE_UNSPECIFIED where it tells nothing.
v1::MediaType GuessMediaType(absl::string_view uri);

// "5s", "1m30s", "300ms", or a number of seconds. Not negative.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view word);

// "key=value", each key once.
absl::Status AddLabels(const std::vector<std::string>& words,
                       google::protobuf::Map<std::string, std::string>* labels);

// "PROVIDER=JSON object". Several for one provider are joined.
absl::Status AddOptions(const std::vector<std::string>& words,
                        google::protobuf::Map<std::string, google::protobuf::Struct>* options);

// A medium of a video: a URI, "assets/x", or either with "image:", "video:" or "audio:" in front.
// The type of a URI is guessed from its extension when it is not said. Frames are images.
absl::StatusOr<v1::Reference> ParseReference(v1::Reference::Role role, absl::string_view word);

// The state names of `Resource` in any case, for instance "failed".
template <typename Resource>
absl::StatusOr<typename Resource::State> ParseState(absl::string_view word);
extern template absl::StatusOr<v1::Asset::State> ParseState<v1::Asset>(absl::string_view);
extern template absl::StatusOr<v1::VideoTask::State> ParseState<v1::VideoTask>(absl::string_view);

// Items of a batch, one JSON object per line: a CreateAssetRequest, or just its asset. Empty lines
// are skipped. What an item leaves out comes from `defaults`; media types are guessed. Errors name
// the line.
absl::StatusOr<std::vector<v1::CreateAssetRequest>> ParseAssetLines(
    std::istream& lines, const v1::CreateAssetRequest& defaults);

// Fills in asset.media_type from the URI where it is unset. An error where a web address tells
// nothing; other URIs are the gateway's to refuse.
absl::Status FillMediaType(v1::Asset& asset);

// A random (version 4) UUID.
std::string MakeRequestId();

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_ARGUMENTS_H_
