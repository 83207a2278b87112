#include "tests/simulator/media.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/simulator/embedded_media.h"

namespace assetgate::simulator {
namespace {

struct Range {
  int64_t first;
  int64_t last;
};

// "bytes=0-99", "bytes=100-", "bytes=-20". Nothing if it is to be ignored; first > last if it
// cannot be satisfied.
std::optional<Range> ParseRange(absl::string_view text, int64_t size) {
  if (!absl::ConsumePrefix(&text, "bytes=") || absl::StrContains(text, ',')) return std::nullopt;
  const size_t dash = text.find('-');
  if (dash == absl::string_view::npos) return std::nullopt;
  const absl::string_view from = text.substr(0, dash);
  const absl::string_view to = text.substr(dash + 1);
  int64_t first = 0;
  int64_t last = size - 1;
  if (from.empty()) {
    int64_t suffix = 0;
    if (!absl::SimpleAtoi(to, &suffix) || suffix < 0) return std::nullopt;
    return suffix == 0 ? Range{1, 0} : Range{std::max<int64_t>(0, size - suffix), size - 1};
  }
  if (!absl::SimpleAtoi(from, &first) || first < 0) return std::nullopt;
  if (!to.empty()) {
    int64_t wanted = 0;
    if (!absl::SimpleAtoi(to, &wanted) || wanted < first) return std::nullopt;
    last = std::min(last, wanted);
  }
  return Range{first, last};
}

}  // namespace

Response ServeMedia(const Request& request) {
  Response response;
  absl::string_view bytes;
  if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.headers.emplace_back("Allow", "GET, HEAD");
    return response;
  }
  if (absl::EndsWith(request.path, ".mp4")) {
    bytes = absl::string_view(reinterpret_cast<const char*>(kResultMp4), sizeof(kResultMp4));
    response.content_type = "video/mp4";
  } else if (absl::EndsWith(request.path, ".jpg")) {
    bytes = absl::string_view(reinterpret_cast<const char*>(kLastFrameJpg), sizeof(kLastFrameJpg));
    response.content_type = "image/jpeg";
  } else if (absl::EndsWith(request.path, ".wav")) {
    bytes = absl::string_view(reinterpret_cast<const char*>(kSilenceWav), sizeof(kSilenceWav));
    response.content_type = "audio/wav";
  } else {
    response.status = 404;
    return response;
  }
  const int64_t size = static_cast<int64_t>(bytes.size());
  response.headers.emplace_back("Accept-Ranges", "bytes");
  const std::optional<absl::string_view> header = request.Header("range");
  const std::optional<Range> range =
      header && request.method == "GET" ? ParseRange(*header, size) : std::nullopt;
  if (!range) {
    response.body = std::string(bytes);
  } else if (range->first > range->last) {
    response.status = 416;
    response.headers.emplace_back("Content-Range", absl::StrCat("bytes */", size));
  } else {
    response.status = 206;
    response.headers.emplace_back(
        "Content-Range", absl::StrCat("bytes ", range->first, "-", range->last, "/", size));
    response.body = std::string(bytes.substr(range->first, range->last - range->first + 1));
  }
  return response;
}

}  // namespace assetgate::simulator
