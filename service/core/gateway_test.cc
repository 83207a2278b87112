#include "core/gateway.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/testing/harness.h"
#include "gtest/gtest.h"

namespace assetgate::core {
namespace {

// What gRPC's clients take unless they are told otherwise.
constexpr std::size_t kMessageLimit = 4 << 20;

TEST(GatewayListTest, APageFitsIntoOneMessageAndTheNextGoesOnAfterIt) {
  Harness harness;
  constexpr int kTasks = 500;
  // Four bytes each.
  std::string prompt;
  for (int i = 0; i < 2000; ++i) prompt += "\U00020000";
  for (int i = 0; i < kTasks; ++i) {
    v1::CreateVideoTaskRequest request = Harness::Video(absl::StrCat("fox-", i));
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
    const auto page = harness.gateway().ListVideoTasks(Caller(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LT(page->ByteSizeLong(), kMessageLimit);
    for (const v1::VideoTask& task : page->video_tasks()) {
      EXPECT_TRUE(names.insert(task.name()).second) << task.name() << " is on two pages";
    }
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < kTasks);
  EXPECT_EQ(names.size(), std::size_t{kTasks});
  EXPECT_EQ(pages, 2);
}

}  // namespace
}  // namespace assetgate::core
