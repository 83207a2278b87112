// Options, requests and answers that several test files use.
#ifndef ASSETGATE_RECONCILE_TESTING_REQUESTS_H_
#define ASSETGATE_RECONCILE_TESTING_REQUESTS_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_service.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "http/client.h"
#include "http/message.h"
#include "model/resource.h"
#include "reconcile/testing/harness.h"

namespace assetgate::reconcile {

// Alpha honours an idempotency key for `window`.
inline Harness::Options WithKeys(absl::Duration window = absl::Hours(24)) {
  Harness::Options options;
  options.alpha.idempotency_window = window;
  return options;
}

inline http::Result Ok(std::string body) { return http::Response{200, {}, std::move(body)}; }

// Empty where the request has no such header.
inline std::string HeaderOf(const http::Request& request, absl::string_view name) {
  for (const http::Header& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

inline std::string AuthorizationOf(const http::Request& request) {
  return HeaderOf(request, "Authorization");
}

inline v1::Reference ReferenceTo(absl::string_view asset) {
  v1::Reference reference;
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset(model::MakeName(model::kAssets, asset));
  return reference;
}

// As Harness::Video, with a reference to an asset.
inline v1::CreateVideoTaskRequest VideoOf(absl::string_view id, absl::string_view asset) {
  v1::CreateVideoTaskRequest request = Harness::Video(id);
  *request.mutable_video_task()->add_references() = ReferenceTo(asset);
  return request;
}

// Of a task at alpha.
inline v1::ImportVideoTaskRequest Import(absl::string_view id, absl::string_view task_id = "up-7") {
  v1::ImportVideoTaskRequest request;
  request.set_provider("providers/alpha");
  request.set_provider_task_id(std::string(task_id));
  request.set_model("film");
  request.set_video_task_id(std::string(id));
  return request;
}

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_TESTING_REQUESTS_H_
