#include "watch/mailbox.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::watch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EventPtr PutEvent(const std::string& id, store::Revision revision, std::size_t bytes = 0) {
  auto change = std::make_shared<store::Change>();
  change->resource.assign(bytes, 'x');
  change->key.id = id;
  change->revision = revision;
  return Event::Put(std::move(change));
}

std::vector<std::string> TakeAll(Mailbox& mailbox) {
  std::vector<std::string> taken;
  while (EventPtr event = mailbox.Take()) {
    taken.push_back(absl::StrCat(event->change()->key.id, "@", event->change()->revision));
  }
  return taken;
}

TEST(MailboxTest, ShortQueueKeepsEveryState) {
  Mailbox mailbox;
  mailbox.Open(10);
  for (store::Revision r = 11; r <= 14; ++r) mailbox.Put(PutEvent("a", r));
  EXPECT_THAT(TakeAll(mailbox), IsEmpty());
  mailbox.NextGeneration(14);
  EXPECT_THAT(TakeAll(mailbox), ElementsAre("a@11", "a@12", "a@13", "a@14"));
}

TEST(MailboxTest, LongQueueKeepsTheNewestStateOfEachResource) {
  Mailbox mailbox;
  mailbox.Open(0);
  store::Revision revision = 0;
  for (std::size_t i = 0; i < Mailbox::kKeepEach; ++i) {
    mailbox.Put(PutEvent(absl::StrCat("fill", i), ++revision));
  }
  for (int i = 0; i < 100'000; ++i) {
    mailbox.Put(PutEvent("slow", ++revision));
    mailbox.Put(PutEvent("fill7", ++revision));
  }
  EXPECT_FALSE(mailbox.overflowed());
  mailbox.NextGeneration(revision);
  const std::vector<std::string> taken = TakeAll(mailbox);
  EXPECT_EQ(taken.size(), Mailbox::kKeepEach + 1);
  EXPECT_EQ(taken[7], "fill7@200032");
  EXPECT_EQ(taken.back(), "slow@200031");
}

TEST(MailboxTest, SafeAdvancesOnlyAtTheEndOfAGeneration) {
  Mailbox mailbox;
  mailbox.Open(5);
  EXPECT_EQ(mailbox.safe(), 5);
  mailbox.Put(PutEvent("a", 6));
  mailbox.Put(PutEvent("b", 7));
  mailbox.NextGeneration(9);
  EXPECT_EQ(mailbox.safe(), 5);
  mailbox.Take();
  mailbox.Put(PutEvent("a", 12));
  EXPECT_FALSE(mailbox.drained());
  EXPECT_EQ(mailbox.safe(), 5);
  mailbox.Take();
  EXPECT_TRUE(mailbox.drained());
  EXPECT_EQ(mailbox.safe(), 9);
  mailbox.NextGeneration(9);
  EXPECT_EQ(mailbox.safe(), 9);
  EXPECT_THAT(TakeAll(mailbox), ElementsAre("a@12"));
  EXPECT_EQ(mailbox.safe(), 12);
}

TEST(MailboxTest, ChangesOfOtherResourcesAdvanceSafe) {
  Mailbox mailbox;
  mailbox.Open(5);
  mailbox.NextGeneration(40);
  EXPECT_EQ(mailbox.safe(), 40);
  // The hub may be behind the log that the mailbox was opened from.
  mailbox.Open(50);
  mailbox.NextGeneration(40);
  EXPECT_EQ(mailbox.safe(), 50);
}

TEST(MailboxTest, SafeCoversAnEventPutAfterOfferedUptoWasRead) {
  // Otherwise a replay after an overflow would repeat it.
  Mailbox mailbox;
  mailbox.Open(5);
  mailbox.Put(PutEvent("a", 12));
  mailbox.NextGeneration(10);
  mailbox.Take();
  EXPECT_EQ(mailbox.safe(), 12);
}

TEST(MailboxTest, PendingEventsAreBoundedInBytes) {
  constexpr std::size_t kQuarter = Mailbox::kMaxBytes / 4;
  Mailbox mailbox;
  mailbox.Open(0);
  for (store::Revision r = 1; r <= 4; ++r) mailbox.Put(PutEvent("a", r, kQuarter));
  mailbox.NextGeneration(4);
  mailbox.Take();
  mailbox.Put(PutEvent("a", 5, kQuarter));
  EXPECT_FALSE(mailbox.overflowed()) << "taken events no longer count";
  mailbox.Put(PutEvent("b", 6, 1));
  EXPECT_TRUE(mailbox.overflowed());
  EXPECT_THAT(TakeAll(mailbox), ElementsAre("a@2", "a@3", "a@4"));
  mailbox.Open(6);
  mailbox.Put(PutEvent("c", 7, 2 * Mailbox::kMaxBytes));
  EXPECT_FALSE(mailbox.overflowed()) << "one event fits however large it is";
  mailbox.Put(PutEvent("d", 8));
  EXPECT_TRUE(mailbox.overflowed());
}

TEST(MailboxTest, SupersededStateNoLongerCounts) {
  Mailbox mailbox;
  mailbox.Open(0);
  store::Revision revision = 0;
  for (std::size_t i = 0; i < Mailbox::kKeepEach; ++i) {
    mailbox.Put(PutEvent(absl::StrCat("fill", i), ++revision));
  }
  for (int i = 0; i < 10; ++i) mailbox.Put(PutEvent("large", ++revision, Mailbox::kMaxBytes));
  EXPECT_FALSE(mailbox.overflowed());
}

TEST(MailboxTest, OverflowKeepsTheGenerationBeingTakenAndDropsTheOther) {
  Mailbox mailbox;
  mailbox.Open(0);
  mailbox.Put(PutEvent("a", 1));
  mailbox.Put(PutEvent("b", 2));
  mailbox.NextGeneration(2);
  store::Revision revision = 2;
  for (std::size_t i = 0; i < Mailbox::kCapacity - 2; ++i) {
    mailbox.Put(PutEvent(absl::StrCat("c", i), ++revision));
  }
  EXPECT_FALSE(mailbox.overflowed());
  mailbox.Put(PutEvent("one too many", ++revision));
  EXPECT_TRUE(mailbox.overflowed());
  mailbox.Put(PutEvent("a", ++revision));
  EXPECT_THAT(TakeAll(mailbox), ElementsAre("a@1", "b@2"));
  EXPECT_EQ(mailbox.safe(), 2);
  mailbox.NextGeneration(revision);
  EXPECT_THAT(TakeAll(mailbox), IsEmpty());
  EXPECT_EQ(mailbox.safe(), 2);
  mailbox.Open(revision);
  EXPECT_FALSE(mailbox.overflowed());
}

}  // namespace
}  // namespace assetgate::watch
