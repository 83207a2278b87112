#include "calls/gateway.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "calls/validate.h"
#include "google/protobuf/struct.pb.h"
#include "gtest/gtest.h"
#include "model/resource.h"
#include "model/sizes.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

// What gRPC's clients take unless they are told otherwise.
constexpr std::size_t kMessageLimit = 4 << 20;

// Puts rows into the store as no call would.
void Commit(reconcile::Harness& harness, store::Transaction transaction) {
  auto outcome = store::CommitResult::Outcome::kUnavailable;
  harness.store().Commit(std::move(transaction),
                         [&](const store::CommitResult& result) { outcome = result.outcome; });
  harness.Run();
  ASSERT_EQ(outcome, store::CommitResult::Outcome::kCommitted);
}

TEST(GatewayListTest, APageFitsIntoOneMessageAndTheNextGoesOnAfterIt) {
  reconcile::Harness harness;
  constexpr int kTasks = 500;
  // Four bytes each.
  std::string prompt;
  for (int i = 0; i < 2000; ++i) prompt += "\U00020000";
  for (int i = 0; i < kTasks; ++i) {
    v1::CreateVideoTaskRequest request = reconcile::Harness::Video(absl::StrCat("fox-", i));
    request.mutable_video_task()->set_prompt(prompt);
    request.mutable_max_wait()->set_seconds(0);
    const auto created = harness.Create(request);
    ASSERT_TRUE(created.get().ok()) << created.status();
  }

  std::set<std::string> names;
  int pages = 0;
  v1::ListVideoTasksRequest request;
  request.set_page_size(1000);
  do {
    harness.store().rows_wanted = 0;
    const auto page = harness.gateway().ListVideoTasks(Caller(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LT(page->ByteSizeLong(), kMessageLimit);
    EXPECT_LE(harness.store().rows_wanted, static_cast<std::size_t>(page->video_tasks_size()) + 100)
        << "what has no room is not read";
    for (const v1::VideoTask& task : page->video_tasks()) {
      EXPECT_TRUE(names.insert(task.name()).second) << task.name() << " is on two pages";
    }
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < kTasks);
  EXPECT_EQ(names.size(), std::size_t{kTasks});
  EXPECT_EQ(pages, 2);
}

TEST(GatewayListTest, APageOfWhatIsFarBetweenEndsEarlyAndItsTokenGoesOn) {
  reconcile::Harness::Options options;
  options.max_look_ups = 10;
  reconcile::Harness harness(options);
  constexpr int kAssets = 300;
  v1::ListAssetsRequest request;
  request.set_page_size(2);
  (*request.mutable_filter()->mutable_labels())["side"] = "a";
  (*request.mutable_filter()->mutable_labels())["reel"] = "b";
  const store::TermFilter filter = model::Compile(request.filter());
  ASSERT_EQ(filter.clauses.size(), 2u);
  // Each has one of the two labels, and four have both.
  store::Transaction transaction;
  std::vector<std::string> both;
  for (int i = 0; i < kAssets; ++i) {
    const std::string id = absl::StrCat("asset-", i);
    store::Content content;
    for (int clause = 0; clause < 2; ++clause) {
      if (i % 2 == clause || (i >= 100 && i < 104)) {
        content.terms.push_back(filter.clauses[static_cast<std::size_t>(clause)][0]);
      }
    }
    if (content.terms.size() == 2) both.insert(both.begin(), absl::StrCat("assets/", id));
    v1::Asset asset;
    asset.set_name(absl::StrCat("assets/", id));
    content.resource = asset.SerializeAsString();
    transaction.writes.push_back(
        {{std::string(model::kDefaultTenant), store::Kind::kAsset, id}, 0, std::move(content), {}});
  }
  ASSERT_NO_FATAL_FAILURE(Commit(harness, std::move(transaction)));

  std::vector<std::string> names;
  int empty_pages = 0;
  int pages = 0;
  do {
    const int lists = harness.store().lists;
    const auto page = harness.gateway().ListAssets(Caller(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(harness.store().lists - lists, 5) << "a call is answered soon";
    EXPECT_LE(page->assets_size(), 2);
    for (const v1::Asset& asset : page->assets()) names.push_back(asset.name());
    if (page->assets().empty() && !page->next_page_token().empty()) ++empty_pages;
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < kAssets);
  EXPECT_EQ(names, both);
  EXPECT_GE(empty_pages, 3);

  // What a few of the store's pages have makes a full one: each look-up shows a row, of ten a page.
  request.clear_filter();
  (*request.mutable_filter()->mutable_labels())["side"] = "a";
  request.set_page_size(30);
  EXPECT_EQ(harness.gateway().ListAssets(Caller(), request)->assets_size(), 30);
}

// A caller that may use these providers.
Caller LimitedTo(std::set<std::string> providers) {
  Caller caller;
  caller.providers = std::make_shared<const std::set<std::string>>(std::move(providers));
  return caller;
}

TEST(GatewayModelsTest, CallerSeesItsOwnProvidersAlone) {
  reconcile::Harness harness;
  const auto targets_of = [](const v1::Model& model) {
    std::vector<std::string> providers;
    for (const auto& target : model.targets()) providers.push_back(target.provider());
    return providers;
  };
  v1::GetModelRequest film;
  film.set_name("models/film");
  v1::GetModelRequest direct;
  direct.set_name("providers/alpha/models/video-1");
  struct Row {
    Caller caller;
    std::vector<std::string> targets;
    bool direct;
  };
  const std::vector<Row> rows = {
      {Caller(), {"providers/alpha", "providers/beta"}, true},
      {LimitedTo({"alpha"}), {"providers/alpha"}, true},
      {LimitedTo({"beta"}), {"providers/beta"}, false},
      {LimitedTo({"gamma"}), {}, false},
      {LimitedTo({}), {}, false},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(i);
    const Row& row = rows[i];
    const auto listed = harness.gateway().ListModels(row.caller, v1::ListModelsRequest());
    ASSERT_TRUE(listed.ok()) << listed.status();
    ASSERT_EQ(listed->models_size(), row.targets.empty() ? 0 : 1);
    const auto got = harness.gateway().GetModel(row.caller, film);
    ASSERT_EQ(got.ok(), !row.targets.empty()) << got.status();
    if (got.ok()) {
      EXPECT_EQ(targets_of(listed->models(0)), row.targets);
      EXPECT_EQ(targets_of(*got), row.targets);
    } else {
      EXPECT_EQ(base::ReasonOf(got.status()), v1::NOT_ALLOWED);
    }
    const auto named = harness.gateway().GetModel(row.caller, direct);
    EXPECT_EQ(named.ok(), row.direct) << named.status();
    if (!row.direct) {
      EXPECT_EQ(base::ReasonOf(named.status()), v1::NOT_ALLOWED);
    }
  }
}

// What is suggested for a name that is not known.
TEST(GatewayModelsTest, UnknownModelIsAnsweredWithTheCallersOwnModels) {
  reconcile::Harness harness;
  for (const char* name : {"models/fil", "providers/beta/models/video-2"}) {
    v1::GetModelRequest request;
    request.set_name(name);
    const auto got = harness.gateway().GetModel(LimitedTo({"beta"}), request);
    EXPECT_EQ(base::ReasonOf(got.status()), v1::RESOURCE_NOT_FOUND);
    EXPECT_EQ(got.status().ToString().find("alpha"), std::string::npos) << got.status();
  }
}

// Options of so many bytes, for a dialect that takes any.
google::protobuf::Struct Options(std::size_t bytes) {
  google::protobuf::Struct options;
  (*options.mutable_fields())["note"].set_string_value(std::string(bytes, 'x'));
  return options;
}

TEST(GatewaySizeTest, AResourceThatIsTooLargeIsRefusedAtItsLargestField) {
  struct Case {
    std::size_t bytes;
    bool accepted;
  };
  for (const Case& c :
       {Case{model::kMaxResourceBytes - 1000, true}, Case{model::kMaxResourceBytes, false}}) {
    SCOPED_TRACE(c.bytes);
    v1::CreateVideoTaskRequest request = reconcile::Harness::Video();
    // Fields of the resource itself have limits of their own, but not all have one together.
    v1::VideoTask& task = *request.mutable_video_task();
    task.mutable_error()->set_message(std::string(c.bytes, 'x'));
    base::Faults faults;
    model::CheckSize("video_task", task, faults);
    EXPECT_EQ(faults.empty(), c.accepted);
    if (c.accepted) continue;
    const absl::Status status = faults.ToStatus();
    EXPECT_EQ(base::ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_NE(status.ToString().find("video_task.error"), std::string::npos) << status;
    EXPECT_NE(status.ToString().find("1048576"), std::string::npos) << status;
    reconcile::Harness harness;
    const auto created = harness.Create(request);
    EXPECT_EQ(base::ReasonOf(created.status()), v1::INVALID_FIELD);
  }
}

TEST(GatewaySizeTest, ABatchWhoseAnswerWouldNotFitMakesNothing) {
  reconcile::Harness harness;
  v1::BatchCreateAssetsRequest request;
  for (int i = 0; i < 60; ++i) {
    v1::CreateAssetRequest item = reconcile::Harness::Asset(absl::StrCat("asset-", i), {});
    (*item.mutable_asset()->mutable_provider_options())["alpha"] = Options(60'000);
    *request.add_requests() = std::move(item);
  }
  const auto made = harness.Create(request);
  EXPECT_EQ(base::ReasonOf(made.status()), v1::INVALID_FIELD) << made.status();
  EXPECT_NE(made.status().ToString().find("requests"), std::string::npos);
  EXPECT_EQ(harness.gateway().ListAssets(Caller(), v1::ListAssetsRequest())->assets_size(), 0);
  request.mutable_requests()->DeleteSubrange(50, 10);
  const auto fewer = harness.Create(request);
  ASSERT_TRUE(fewer.get().ok()) << fewer.status();
  EXPECT_LT(fewer.get()->ByteSizeLong(), kMessageLimit);
}

// As an earlier release stored it.
void Store(reconcile::Harness& harness, const std::string& id, const v1::Asset& asset) {
  store::Content content;
  content.resource = asset.SerializeAsString();
  store::Transaction transaction;
  transaction.writes.push_back(
      {{std::string(model::kDefaultTenant), store::Kind::kAsset, id}, 0, std::move(content), {}});
  ASSERT_NO_FATAL_FAILURE(Commit(harness, std::move(transaction)));
}

TEST(GatewaySizeTest, WhatAnEarlierReleaseStoredTooLargeHidesNothingElse) {
  reconcile::Harness harness;
  v1::Asset asset;
  asset.set_name("assets/plain");
  Store(harness, "plain", asset);
  asset.set_name("assets/unknown");
  asset.GetReflection()->MutableUnknownFields(&asset)->AddLengthDelimited(
      900, std::string(5 << 20, 'x'));
  Store(harness, "unknown", asset);
  asset.Clear();
  asset.set_name("assets/known");
  asset.set_display_name(std::string(5 << 20, 'x'));
  Store(harness, "known", asset);

  std::vector<std::string> names;
  v1::ListAssetsRequest request;
  do {
    const auto page = harness.gateway().ListAssets(Caller(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LT(page->ByteSizeLong(), kMessageLimit);
    for (const v1::Asset& each : page->assets()) names.push_back(each.name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, (std::vector<std::string>{"assets/unknown", "assets/plain"}));
  harness.Run();
  EXPECT_EQ(harness.telemetry().unreadable.size(), 1u);
}

// What concerns a provider that the caller may not use.
TEST(GatewayProvidersTest, CommandsAndExplanationsReachTheCallersOwnProvidersAlone) {
  struct Row {
    std::set<std::string> usable;
    bool allowed;
  };
  for (const Row& row :
       {Row{{"alpha", "beta"}, true}, Row{{"alpha"}, true}, Row{{"beta"}, false}, Row{{}, false}}) {
    SCOPED_TRACE(row.usable.size());
    const Caller caller = LimitedTo(row.usable);
    reconcile::Harness::Options options;
    options.film_targets = {"alpha"};
    reconcile::Harness harness(options);
    // `otherwise`: why it fails where it is allowed.
    const auto run = [&](auto call, const auto& request, auto response,
                         v1::ErrorReason otherwise = v1::ERROR_REASON_UNSPECIFIED) {
      std::optional<absl::StatusOr<decltype(response)>> answer;
      (harness.gateway().*call)(caller, request, [&](absl::StatusOr<decltype(response)> given) {
        answer = std::move(given);
      });
      harness.Run();
      ASSERT_TRUE(answer.has_value());
      const absl::Status status = answer->status();
      if (!row.allowed) {
        EXPECT_EQ(base::ReasonOf(status), v1::NOT_ALLOWED) << status;
        EXPECT_EQ(status.ToString().find("alpha"), std::string::npos) << status;
      } else if (otherwise != v1::ERROR_REASON_UNSPECIFIED) {
        EXPECT_EQ(base::ReasonOf(status), otherwise) << status;
      } else {
        EXPECT_TRUE(status.ok()) << status;
      }
    };
    v1::CreateAssetRequest asset = reconcile::Harness::Asset("hero", {"alpha"});
    asset.mutable_max_wait()->set_seconds(0);
    const auto placed = harness.Create(asset);
    harness.AnswerNext(400, "{}");
    v1::CreateVideoTaskRequest video = reconcile::Harness::Video("fox");
    video.mutable_max_wait()->set_seconds(0);
    const auto made = harness.Create(video);
    harness.AnswerNext(400, "{}");
    ASSERT_TRUE(placed.has() && made.has());

    v1::ExplainRequest explain;
    explain.set_name("videoTasks/fox");
    run(&Gateway::Explain, explain, v1::Explanation());
    v1::CancelVideoTaskRequest cancel;
    cancel.set_name("videoTasks/fox");
    run(&Gateway::CancelVideoTask, cancel, v1::VideoTask(), v1::ALREADY_FINISHED);
    run(&Gateway::ResolveVideoTask, reconcile::Harness::Accepted("fox", "up-1"), v1::VideoTask(),
        v1::ALREADY_FINISHED);
    v1::DeleteVideoTaskRequest remove_video;
    remove_video.set_name("videoTasks/fox");
    run(&Gateway::DeleteVideoTask, remove_video, v1::DeleteVideoTaskResponse());
    v1::DeleteAssetRequest remove_asset;
    remove_asset.set_name("assets/hero");
    run(&Gateway::DeleteAsset, remove_asset, v1::DeleteAssetResponse());
    EXPECT_EQ(harness.StoredAsset("hero").has_value(), !row.allowed);
    EXPECT_EQ(harness.StoredVideo("fox").has_value(), !row.allowed);
  }
}

TEST(GatewayProvidersTest, OptionsForAProviderThatMayNotBeUsedAreNotAllowedAndNameNobody) {
  reconcile::Harness harness;
  v1::CreateAssetRequest request = reconcile::Harness::Asset("hero", {});
  for (const char* id : {"alpha", "unknown"}) {
    SCOPED_TRACE(id);
    request.mutable_asset()->clear_provider_options();
    (*request.mutable_asset()->mutable_provider_options())[id] = Options(1);
    std::optional<absl::Status> status;
    harness.gateway().CreateAsset(LimitedTo({"beta"}), request,
                                  [&](const absl::StatusOr<v1::Asset>& a) { status = a.status(); });
    harness.Run();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(base::ReasonOf(*status), v1::NOT_ALLOWED);
    EXPECT_EQ(status->ToString().find("beta"), std::string::npos) << *status;
  }
}

}  // namespace
}  // namespace assetgate::calls
