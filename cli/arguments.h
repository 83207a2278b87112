// Turns words of the command line into values of the API. Pure functions.
//
// Errors: INVALID_ARGUMENT, with a message that says what to write instead.
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

// The name "assets/hero" for the word "hero" or "assets/hero", with `collection` "assets".
absl::StatusOr<std::string> ResourceName(absl::string_view collection, absl::string_view word);

// "models/x" for "x"; "providers/p/models/m" stays as it is.
absl::StatusOr<std::string> ModelName(absl::string_view word);

// Accepts "image", "video", "audio" and "document", in any case.
absl::StatusOr<v1::MediaType> ParseMediaType(absl::string_view word);

// Guesses from the extension of the URI's path; MEDIA_TYPE_UNSPECIFIED where that is not known.
v1::MediaType GuessMediaType(absl::string_view uri);

// Accepts "5s", "1m30s", "300ms", or a number of seconds; from 0 to a hundred years.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view word);

// Adds words of the form "key=value". A key may be given only once.
absl::Status AddLabels(const std::vector<std::string>& words,
                       google::protobuf::Map<std::string, std::string>* labels);

// Adds words of the form "PROVIDER=JSON object". Several objects for one provider are merged.
absl::Status AddOptions(const std::vector<std::string>& words,
                        google::protobuf::Map<std::string, google::protobuf::Struct>* options);

// Parses a medium of a video: a URI or "assets/x", optionally after "image:", "video:" or "audio:".
// Without that prefix, the type of a URI is guessed from its extension; a frame is an image.
absl::StatusOr<v1::Reference> ParseReference(v1::Reference::Role role, absl::string_view word);

// Accepts the names of the states of `Resource` in any case, for instance "failed".
template <typename Resource>
absl::StatusOr<typename Resource::State> ParseState(absl::string_view word);
extern template absl::StatusOr<v1::Asset::State> ParseState<v1::Asset>(absl::string_view);
extern template absl::StatusOr<v1::VideoTask::State> ParseState<v1::VideoTask>(absl::string_view);

// Parses the items of a batch, one JSON object per line: a CreateAssetRequest, or just its asset.
// Skips empty lines. Fields that an item leaves out come from `defaults`; media types are guessed.
// Errors name the line.
absl::StatusOr<std::vector<v1::CreateAssetRequest>> ParseAssetLines(
    std::istream& lines, const v1::CreateAssetRequest& defaults);

// Guesses asset.media_type from the URI where it is unset. An error where an http or https URL
// gives no hint; the gateway rejects other URIs itself.
absl::Status FillMediaType(v1::Asset& asset);

// A random (version 4) UUID.
std::string MakeRequestId();

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_ARGUMENTS_H_
