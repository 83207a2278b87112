#include "config/reading.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "base/proto_time.h"
#include "base/text.h"

namespace assetgate::config {

bool IsId(absl::string_view text, absl::string_view also) {
  return !text.empty() && text.size() <= kMaxIdLength &&
         std::all_of(text.begin(), text.end(), [also](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' ||
                  also.find(c) != absl::string_view::npos;
         });
}

Reading::Reading(const std::string& name, const Environment& environment)
    : yaml_(name), environment_(environment) {
  yaml_.SetSecretType(file::Secret::descriptor());
  yaml_.SetConnectionStringType(file::ConnectionString::descriptor());
}

bool Reading::Parse(absl::string_view text) {
  yaml_.Read(text, message_);
  return !yaml_.HasFault("");
}

absl::Duration Reading::Length(const std::string& path, bool set,
                               const google::protobuf::Duration& value, absl::Duration fallback,
                               absl::Duration min, absl::Duration max) {
  if (!set) return fallback;
  const absl::Duration duration = base::FromProto(value);
  if (duration < min || duration > max) {
    AddFault(path, absl::StrCat(absl::FormatDuration(duration), " is not between ",
                                absl::FormatDuration(min), " and ", absl::FormatDuration(max)));
  }
  return duration;
}

std::string Reading::Text(const std::string& path, bool set, const std::string& value,
                          absl::string_view remedy) {
  if (!set || value.empty()) {
    AddFault(path, absl::StrCat(set ? "is empty; " : "is missing; ", remedy));
  }
  return value;
}

void Reading::CheckId(const std::string& path, const std::string& id) {
  if (IsId(id)) return;
  AddFault(path, absl::StrCat("is not an id; use at most ", kMaxIdLength, " of a-z, 0-9 and -"));
}

base::HostPort Reading::Address(const std::string& path, const std::string& text) {
  if (const std::optional<base::HostPort> parsed = base::ParseHostPort(text)) return *parsed;
  AddFault(path, absl::StrCat(base::Quoted(text),
                              " is not an address; write HOST:PORT, such as 127.0.0.1:8080, "
                              "0.0.0.0:8080 or [::]:8080"));
  return {};
}

}  // namespace assetgate::config
