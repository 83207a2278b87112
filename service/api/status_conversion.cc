#include "api/status_conversion.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "google/rpc/error_details.pb.h"

namespace assetgate::api {
namespace {

// Texts inside details are cut to the first of these, and if that is not enough to the second.
constexpr std::size_t kLongText = 512;
constexpr std::size_t kShortText = 128;

// How many bytes of `text` the UTF-8 character at `at` takes; 0 where there is none.
std::size_t CharacterAt(absl::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned char least = 0x80;  // of the second byte: no overlong forms
  unsigned char most = 0xbf;   // and no surrogates, and nothing beyond U+10FFFF
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) least = 0xa0;
    if (first == 0xed) most = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) least = 0x90;
    if (first == 0xf4) most = 0x8f;
  }
  if (length == 0 || at + length > text.size()) return 0;
  if (byte(at + 1) < least || byte(at + 1) > most) return 0;
  for (std::size_t i = at + 2; i < at + length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

// `text` without control characters and broken UTF-8, cut where it takes more than `limit` bytes;
// `weight` is what one byte that is not printable ASCII counts.
std::string Clean(absl::string_view text, std::size_t limit, std::size_t weight) {
  constexpr absl::string_view kCut = "…";
  const std::size_t room = limit - kCut.size() * weight;
  std::string clean;
  std::size_t used = 0;
  std::size_t fits = 0;  // bytes of `clean` that leave room for kCut
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = CharacterAt(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    absl::string_view character = text.substr(at, std::max<std::size_t>(length, 1));
    if (length == 0) character = "?";
    if (length == 1 && (first < 0x20 || first == 0x7f)) character = " ";
    const bool plain = character.size() == 1 && character[0] != '%';
    const std::size_t cost = plain ? 1 : character.size() * weight;
    if (used + cost > limit) {
      clean.resize(fits);
      return absl::StrCat(clean, kCut);
    }
    clean.append(character.data(), character.size());
    used += cost;
    if (used <= room) fits = clean.size();
    at += std::max<std::size_t>(length, 1);
  }
  return clean;
}

// In gRPC's header a byte that is not printable ASCII takes three.
std::string CleanMessage(absl::string_view text) { return Clean(text, kMaxMessageBytes, 3); }
std::string CleanText(absl::string_view text, std::size_t limit) { return Clean(text, limit, 1); }

template <typename Detail, typename Edit>
void EditDetail(google::rpc::Status& status, Edit edit) {
  for (google::protobuf::Any& any : *status.mutable_details()) {
    Detail detail;
    if (!any.Is<Detail>() || !any.UnpackTo(&detail)) continue;
    edit(detail);
    any.PackFrom(detail);
  }
}

template <typename Detail>
void DropDetail(google::rpc::Status& status) {
  auto* details = status.mutable_details();
  for (int i = details->size() - 1; i >= 0; --i) {
    if (details->Get(i).Is<Detail>()) details->DeleteSubrange(i, 1);
  }
}

void CutTexts(google::rpc::Status& status, std::size_t limit);

void CutFailures(google::rpc::Status& status, std::size_t limit) {
  EditDetail<v1::ProviderFailures>(status, [limit](v1::ProviderFailures& failures) {
    for (auto& failure : *failures.mutable_failures()) {
      failure.mutable_status()->set_message(CleanText(failure.status().message(), limit));
      CutTexts(*failure.mutable_status(), limit);
    }
  });
}

void CutTexts(google::rpc::Status& status, std::size_t limit) {
  EditDetail<google::rpc::ErrorInfo>(status, [limit](google::rpc::ErrorInfo& info) {
    for (auto& [key, value] : *info.mutable_metadata()) value = CleanText(value, limit);
  });
  EditDetail<google::rpc::BadRequest>(status, [limit](google::rpc::BadRequest& bad) {
    for (auto& violation : *bad.mutable_field_violations()) {
      violation.set_field(CleanText(violation.field(), limit));
      violation.set_description(CleanText(violation.description(), limit));
    }
  });
  EditDetail<google::rpc::ResourceInfo>(status, [limit](google::rpc::ResourceInfo& resource) {
    resource.set_resource_name(CleanText(resource.resource_name(), limit));
    resource.set_description(CleanText(resource.description(), limit));
  });
  CutFailures(status, limit);
}

bool TooLarge(const google::rpc::Status& status) {
  return status.ByteSizeLong() > kMaxDetailsBytes;
}

// Removes the last of a list in a detail until everything fits or one is left; gives how many.
template <typename Detail, typename List>
int DropLast(google::rpc::Status& status, List list) {
  int dropped = 0;
  EditDetail<Detail>(status, [&](Detail& detail) {
    // The sizes of what goes are known without packing again each time.
    std::size_t size = status.ByteSizeLong();
    auto* items = list(detail);
    while (items->size() > 1 && size > kMaxDetailsBytes) {
      const std::size_t item = items->Get(items->size() - 1).ByteSizeLong();
      size -= std::min(size, item);
      items->RemoveLast();
      ++dropped;
    }
  });
  return dropped;
}

}  // namespace

google::rpc::Status Bounded(google::rpc::Status status) {
  const std::string message = CleanMessage(status.message());
  status.set_message(message);
  if (!TooLarge(status)) return status;

  CutTexts(status, kLongText);
  if (TooLarge(status)) CutTexts(status, kShortText);
  if (TooLarge(status)) {
    DropLast<v1::ProviderFailures>(status, [](auto& d) { return d.mutable_failures(); });
  }
  if (TooLarge(status)) {
    const std::string note_room(48, ' ');
    status.set_message(absl::StrCat(message, note_room));
    const int dropped = DropLast<google::rpc::BadRequest>(
        status, [](auto& d) { return d.mutable_field_violations(); });
    status.set_message(message);
    if (dropped > 0) {
      status.set_message(absl::StrCat(CleanText(message, kMaxMessageBytes - 48), " (", dropped,
                                      " more violations are left out)"));
    }
  }
  if (TooLarge(status)) DropDetail<v1::ProviderFailures>(status);
  if (TooLarge(status)) DropDetail<google::rpc::ResourceInfo>(status);
  if (TooLarge(status)) DropDetail<google::rpc::BadRequest>(status);
  if (TooLarge(status)) {
    // Details that nobody here attaches: only what every error has stays.
    const google::rpc::ErrorInfo info = base::InfoOf(status);
    google::rpc::ErrorInfo least;
    least.set_domain(info.domain());
    least.set_reason(info.reason());
    const auto act = info.metadata().find("act");
    if (act != info.metadata().end()) (*least.mutable_metadata())["act"] = act->second;
    status.clear_details();
    status.add_details()->PackFrom(least);
  }
  return status;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status bounded = Bounded(base::ToRpcStatus(status));
  return grpc::Status(static_cast<grpc::StatusCode>(bounded.code()), bounded.message(),
                      bounded.SerializeAsString());
}

}  // namespace assetgate::api
