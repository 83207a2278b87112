#include "calls/paging.h"

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "model/resource.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

// What gRPC's clients accept in one message by default.
constexpr std::size_t kMessageLimit = 4 << 20;

// Puts rows into the store that no call would make.
void Commit(reconcile::Harness& harness, store::Transaction transaction) {
  auto outcome = store::CommitResult::Outcome::kUnavailable;
  harness.store().Commit(std::move(transaction),
                         [&](const store::CommitResult& result) { outcome = result.outcome; });
  harness.Run();
  ASSERT_EQ(outcome, store::CommitResult::Outcome::kCommitted);
}

TEST(PagingTest, PageFitsIntoOneMessageAndTheNextContinuesAfterIt) {
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

TEST(PagingTest, PageOfSparseMatchesEndsEarlyAndItsTokenContinues) {
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
    EXPECT_LE(harness.store().lists - lists, 5) << "the call is answered soon";
    EXPECT_LE(page->assets_size(), 2);
    for (const v1::Asset& asset : page->assets()) names.push_back(asset.name());
    if (page->assets().empty() && !page->next_page_token().empty()) ++empty_pages;
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < kAssets);
  EXPECT_EQ(names, both);
  EXPECT_GE(empty_pages, 3);

  // A few of the store's pages make a full one: each look-up finds a row, ten to a page.
  request.clear_filter();
  (*request.mutable_filter()->mutable_labels())["side"] = "a";
  request.set_page_size(30);
  EXPECT_EQ(harness.gateway().ListAssets(Caller(), request)->assets_size(), 30);
}

TEST(PagingTest, NegativePageSizeIsRefusedBesideTheFaultsOfTheFilter) {
  reconcile::Harness harness;
  v1::ListAssetsRequest request;
  request.set_page_size(-1);
  request.mutable_filter()->add_states(static_cast<v1::Asset::State>(99));
  const auto page = harness.gateway().ListAssets(Caller(), request);
  EXPECT_EQ(base::ReasonOf(page.status()), v1::INVALID_FIELD);
  const google::rpc::Status error = base::ToRpcStatus(page.status());
  google::rpc::BadRequest faults;
  for (const auto& detail : error.details()) detail.UnpackTo(&faults);
  ASSERT_EQ(faults.field_violations_size(), 2);
  EXPECT_EQ(faults.field_violations(0).field(), "page_size");
  EXPECT_EQ(faults.field_violations(1).field(), "filter.states[0]");
}

TEST(PagingTest, ConfiguredThingsComeInPagesToo) {
  EXPECT_EQ(PageOfConfigured(5, 0, "")->end, 5u);
  const auto first = PageOfConfigured(5, 2, "");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->Contains(1));
  EXPECT_FALSE(first->Contains(2));
  const auto last = PageOfConfigured(5, 4, first->next_page_token);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->begin, 2u);
  EXPECT_EQ(last->end, 5u);
  EXPECT_EQ(last->next_page_token, "");
  for (const char* token : {"six", "6", "-1"}) {
    EXPECT_EQ(base::ReasonOf(PageOfConfigured(5, 2, token).status()), v1::INVALID_FIELD) << token;
  }
}

}  // namespace
}  // namespace assetgate::calls
