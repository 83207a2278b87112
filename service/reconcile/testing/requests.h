// Options, requests, answers and rows that several test files use.
#ifndef ASSETGATE_RECONCILE_TESTING_REQUESTS_H_
#define ASSETGATE_RECONCILE_TESTING_REQUESTS_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_service.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "gtest/gtest.h"
#include "http/client.h"
#include "http/message.h"
#include "http/testing/fake_client.h"
#include "model/resource.h"
#include "reconcile/testing/harness.h"
#include "store/store.h"

namespace assetgate::reconcile {

// "film" goes to alpha alone.
inline Harness::Options AlphaAlone() {
  Harness::Options options;
  options.film_targets = {"alpha"};
  return options;
}

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

// Whether the host of the call is the provider's.
inline bool IsTo(const http::FakeHttpClient::Call& call, absl::string_view provider) {
  return absl::StrContains(call.options.base_url, provider);
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

// As Harness::Video, whose call returns at once.
inline v1::CreateVideoTaskRequest NotWaitedFor(absl::string_view id) {
  v1::CreateVideoTaskRequest request = Harness::Video(id);
  request.mutable_max_wait()->set_seconds(0);
  return request;
}

// As Harness::Video, with a request_id.
inline v1::CreateVideoTaskRequest VideoWithRequestId(absl::string_view id) {
  v1::CreateVideoTaskRequest request = Harness::Video(id);
  request.set_request_id("r-1");
  return request;
}

// Creates a task, which alpha accepts under `task_id`.
inline void Accept(Harness& harness, absl::string_view id, absl::string_view task_id) {
  harness.Create(Harness::Video(id));
  harness.AnswerNext(200, absl::StrCat("id=", task_id, " state=running"));
  ASSERT_EQ(harness.Task(id).state(), v1::VideoTask::RUNNING);
}

// Creates a task whose submission has an unknown outcome: the connection to alpha was reset.
inline void CreateUnconfirmed(Harness& harness, const v1::CreateVideoTaskRequest& request) {
  harness.Create(request);
  harness.FailNext(http::TransportError::Kind::kReset, /*maybe_sent=*/true);
  ASSERT_EQ(harness.Task(request.video_task_id()).state(), v1::VideoTask::UNCONFIRMED);
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

// Rewrites a stored row, and starts the gateway again.
inline void RewriteRow(Harness& harness, const store::Key& key,
                       const std::function<void(store::Content&)>& edit) {
  const auto row = harness.store().Get(key);
  ASSERT_TRUE(row.ok() && row->has_value());
  store::Content content = (*row)->content;
  edit(content);
  store::Transaction transaction;
  transaction.writes.push_back({key, (*row)->revision, std::move(content)});
  bool committed = false;
  harness.store().Commit(std::move(transaction), [&](const store::CommitResult& result) {
    committed = result.outcome == store::CommitResult::Outcome::kCommitted;
  });
  harness.Run();
  ASSERT_TRUE(committed);
  harness.Restart();
}

// Rewrites a stored resource as a gateway of another release would, and starts this one again.
template <typename EntityT>
void Rewrite(Harness& harness, absl::string_view id, const std::function<void(EntityT&)>& edit) {
  const auto stored = Stored<EntityT>(harness.store(), id);
  ASSERT_TRUE(stored.has_value());
  EntityT entity = *stored;
  edit(entity);
  RewriteRow(harness, entity.key, [&](store::Content& content) {
    const store::Shard shard = content.shard;
    content = model::ToContent(entity);
    content.shard = shard;
    content.unfinished = true;
  });
}

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_TESTING_REQUESTS_H_
