#include "config/secrets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/file.h"

namespace assetgate::config {
namespace {

constexpr std::size_t kMaxShownVariableLength = 64;

// Whether `name` is written as variables usually are. Any other text may be the secret itself, put
// where its name belongs, and is not shown.
bool IsPlainVariable(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxShownVariableLength &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isupper(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_';
         });
}

// The subject of faults.
std::string Describe(const file::Secret& source) {
  if (!source.has_env()) return "the file (not shown, as its path may be the secret itself)";
  if (IsPlainVariable(source.env())) return absl::StrCat("environment variable ", source.env());
  return "the environment variable (not shown, as it is not written in capitals and may be the "
         "secret itself)";
}

// The text that `source` points to; absent where a fault was added.
std::optional<std::string> Fetch(const std::string& path, const file::Secret& source,
                                 Reading& reading) {
  if (source.has_env()) {
    std::optional<std::string> value =
        source.env().empty() ? std::nullopt : reading.environment().getenv(source.env());
    if (!value.has_value()) {
      reading.AddFault(path, absl::StrCat(Describe(source),
                                          " is not set; export it where assetgate starts, or use "
                                          "{file: PATH}"));
    }
    return value;
  }
  absl::StatusOr<std::string> content =
      reading.environment().read_file(source.file(), base::kMaxSecretBytes);
  if (content.ok()) return *std::move(content);
  reading.AddFault(path, absl::StrCat(Describe(source), " ", content.status().message()));
  return std::nullopt;
}

}  // namespace

base::Secret ReadSecret(const std::string& path, const file::Secret& source, Reading& reading) {
  if (source.has_env() == source.has_file()) {
    reading.AddFault(path, source.has_env() ? "names both env and file; keep one"
                                            : "must be {env: NAME} or {file: PATH}");
    return {};
  }
  const std::optional<std::string> found = Fetch(path, source, reading);
  if (!found.has_value()) return {};
  std::string text(absl::StripAsciiWhitespace(*found));
  if (text.empty()) {
    reading.AddFault(path, absl::StrCat(Describe(source), " is empty"));
    return {};
  }
  // Secrets travel in headers, where a line break would begin another header.
  if (!std::all_of(text.begin(), text.end(),
                   [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    reading.AddFault(path, absl::StrCat(Describe(source),
                                        " holds spaces, line breaks or characters outside of ASCII "
                                        "inside; it should be the key alone"));
    return {};
  }
  return base::Secret(std::move(text));
}

}  // namespace assetgate::config
