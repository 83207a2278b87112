#include "api/status_conversion.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "base/utf8.h"
#include "google/rpc/error_details.pb.h"

namespace assetgate::api {
namespace {

// Texts inside details are cut to the first of these, and if that is not enough to the second.
constexpr std::size_t kLongText = 512;
constexpr std::size_t kShortText = 128;

// The size of the note about omitted violations.
constexpr std::size_t kNoteBytes = 48;

// `text` without control characters and broken UTF-8, cut where it takes more than `limit` bytes;
// `weight` is what one byte that is not printable ASCII counts.
std::string Clean(absl::string_view text, std::size_t limit, std::size_t weight) {
  constexpr absl::string_view kCut = "…";
  const std::size_t room = limit - kCut.size() * weight;
  std::string clean;
  std::size_t used = 0;
  std::size_t fits = 0;  // bytes of `clean` that leave room for kCut
  while (!text.empty()) {
    const std::size_t length = base::Utf8CharacterLength(text);
    absl::string_view character = text.substr(0, length);
    if (length == 0) {
      character = "?";
    } else if (base::IsControlCharacter(character)) {
      character = " ";
    }
    const bool plain = character.size() == 1 && character[0] != '%';
    const std::size_t cost = plain ? 1 : character.size() * weight;
    if (used + cost > limit) {
      clean.resize(fits);
      return absl::StrCat(clean, kCut);
    }
    clean.append(character.data(), character.size());
    used += cost;
    if (used <= room) fits = clean.size();
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return clean;
}

// In gRPC's header a byte that is not printable ASCII takes three.
std::string CleanMessage(absl::string_view text, std::size_t limit) {
  return Clean(text, limit, 3);
}
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

// A status that base::Error did not make is not meant for callers: it may name hosts, users and
// files.
absl::Status ForCallers(const absl::Status& status) {
  bool made_for_callers = absl::IsCancelled(status);
  status.ForEachPayload([&](absl::string_view, const absl::Cord&) { made_for_callers = true; });
  if (made_for_callers) return status;
  if (absl::IsUnavailable(status)) {
    return base::Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                       "the store is not available right now; try again")
        .RetryAfter(absl::Seconds(1));
  }
  return base::Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
                     "an internal error; the gateway's log says which");
}

bool TooLarge(const google::rpc::Status& status) {
  return status.ByteSizeLong() > kMaxDetailsBytes;
}

// Removes the last items of a list in a detail until `status` takes at most `limit` bytes, or one
// item is left. Returns how many were removed.
template <typename Detail, typename List>
int DropLast(google::rpc::Status& status, std::size_t limit, List list) {
  int dropped = 0;
  EditDetail<Detail>(status, [&](Detail& detail) {
    // Computed from the items' sizes, without packing the detail again for each.
    std::size_t size = status.ByteSizeLong();
    auto* items = list(detail);
    while (items->size() > 1 && size > limit) {
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
  const std::string message = CleanMessage(status.message(), kMaxMessageBytes);
  status.set_message(message);
  if (!TooLarge(status)) return status;

  CutTexts(status, kLongText);
  if (TooLarge(status)) CutTexts(status, kShortText);
  if (TooLarge(status)) {
    DropLast<v1::ProviderFailures>(status, kMaxDetailsBytes,
                                   [](auto& d) { return d.mutable_failures(); });
  }
  if (TooLarge(status)) {
    const int dropped =
        DropLast<google::rpc::BadRequest>(status, kMaxDetailsBytes - kNoteBytes,
                                          [](auto& d) { return d.mutable_field_violations(); });
    if (dropped > 0) {
      status.set_message(absl::StrCat(CleanMessage(message, kMaxMessageBytes - kNoteBytes), " (",
                                      dropped, " more violations are left out)"));
    }
  }
  if (TooLarge(status)) DropDetail<v1::ProviderFailures>(status);
  if (TooLarge(status)) DropDetail<google::rpc::ResourceInfo>(status);
  if (TooLarge(status)) DropDetail<google::rpc::BadRequest>(status);
  if (TooLarge(status)) {
    // The gateway attaches no such details: only what every error has is kept.
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
  const google::rpc::Status bounded = Bounded(base::ToRpcStatus(ForCallers(status)));
  return grpc::Status(static_cast<grpc::StatusCode>(bounded.code()), bounded.message(),
                      bounded.SerializeAsString());
}

}  // namespace assetgate::api
