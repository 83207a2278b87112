#include "reconcile/model_slots.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/resource.h"

namespace assetgate::reconcile {
namespace {

store::Key KeyOf(absl::string_view id, absl::string_view tenant = model::kDefaultTenant) {
  return {std::string(tenant), store::Kind::kVideoTask, std::string(id)};
}

v1::VideoTask TaskAt(v1::Attempt::State state, absl::string_view provider = "alpha",
                     absl::string_view model = "video-1") {
  v1::VideoTask task;
  v1::Attempt& attempt = *task.add_attempts();
  attempt.set_provider(absl::StrCat("providers/", provider));
  attempt.set_provider_model(std::string(model));
  attempt.set_state(state);
  return task;
}

store::Row RowOf(const store::Key& key, const v1::VideoTask& task) {
  store::Row row;
  row.key = key;
  row.content.resource = task.SerializeAsString();
  row.content.unfinished = true;
  return row;
}

store::ChangePtr ChangeOf(const store::Key& key, const v1::VideoTask& task) {
  auto change = std::make_shared<store::Change>();
  change->key = key;
  change->resource = task.SerializeAsString();
  change->unfinished = SlotOf(task).has_value();
  return change;
}

class ModelSlotsTest : public testing::Test {
 protected:
  ModelSlotsTest() { slots_.Follow({"alpha"}); }
  void Read(const std::vector<store::Row>& rows) {
    slots_.BeginReading();
    slots_.Read(rows);
    slots_.EndReading(true);
  }
  int Taken() { return slots_.TakenByOthers(slot_, KeyOf("somebody-else")).value_or(-1); }

  const ModelSlot slot_ = {"alpha", "video-1"};
  ModelSlots slots_;
};

TEST_F(ModelSlotsTest, EveryAttemptThatIsNotFinalHoldsASlot) {
  for (const v1::Attempt::State state : {v1::Attempt::SUBMITTING, v1::Attempt::UNCONFIRMED,
                                         v1::Attempt::QUEUED, v1::Attempt::RUNNING}) {
    EXPECT_EQ(SlotOf(TaskAt(state)), slot_) << state;
  }
  for (const v1::Attempt::State state : {v1::Attempt::SUCCEEDED, v1::Attempt::FAILED,
                                         v1::Attempt::CANCELLED, v1::Attempt::NOT_ACCEPTED}) {
    EXPECT_EQ(SlotOf(TaskAt(state)), std::nullopt) << state;
  }
  EXPECT_EQ(SlotOf(v1::VideoTask()), std::nullopt);
}

TEST_F(ModelSlotsTest, NothingIsKnownBeforeTheStoreHasBeenRead) {
  EXPECT_TRUE(slots_.NeedsReading());
  EXPECT_EQ(Taken(), -1);
  slots_.BeginReading();
  EXPECT_EQ(Taken(), -1);
  slots_.EndReading(false);
  EXPECT_TRUE(slots_.NeedsReading()) << "it could not be read";
  Read({});
  EXPECT_EQ(Taken(), 0);
}

TEST_F(ModelSlotsTest, TasksOfAllTenantsCountByProviderAndModel) {
  Read({RowOf(KeyOf("one"), TaskAt(v1::Attempt::RUNNING)),
        RowOf(KeyOf("one", "other"), TaskAt(v1::Attempt::UNCONFIRMED)),
        RowOf(KeyOf("two"), TaskAt(v1::Attempt::RUNNING, "beta")),
        RowOf(KeyOf("three"), TaskAt(v1::Attempt::RUNNING, "alpha", "video-2")),
        RowOf(KeyOf("four"), v1::VideoTask())});
  EXPECT_EQ(Taken(), 2);
  EXPECT_EQ(slots_.TakenByOthers({"alpha", "video-2"}, KeyOf("x")), 1);
  EXPECT_EQ(slots_.TakenByOthers(slot_, KeyOf("one")), 1) << "its own does not stand in its way";
}

TEST_F(ModelSlotsTest, ChangeReportedDuringTheFirstReadWins) {
  slots_.BeginReading();
  slots_.Read({RowOf(KeyOf("ends"), TaskAt(v1::Attempt::RUNNING)),
               RowOf(KeyOf("stays"), TaskAt(v1::Attempt::RUNNING))});
  slots_.OnChanges({ChangeOf(KeyOf("ends"), TaskAt(v1::Attempt::SUCCEEDED)),
                    ChangeOf(KeyOf("comes"), TaskAt(v1::Attempt::RUNNING))});
  slots_.EndReading(true);
  EXPECT_EQ(Taken(), 2);
}

TEST_F(ModelSlotsTest, SubmissionCountsFromItsDecision) {
  Read({});
  slots_.Take(KeyOf("one"), slot_);
  EXPECT_EQ(Taken(), 1);
  EXPECT_FALSE(slots_.OnChanges({ChangeOf(KeyOf("one"), TaskAt(v1::Attempt::SUBMITTING))}));
  EXPECT_EQ(Taken(), 1) << "once";
  slots_.Take(KeyOf("two"), slot_);
  EXPECT_TRUE(slots_.Release(KeyOf("two")));
  EXPECT_FALSE(slots_.Release(KeyOf("two")));
  EXPECT_TRUE(slots_.OnChanges({ChangeOf(KeyOf("one"), TaskAt(v1::Attempt::FAILED))}));
  EXPECT_EQ(Taken(), 0);
}

TEST_F(ModelSlotsTest, GapInTheChangesCausesAnotherRead) {
  Read({RowOf(KeyOf("one"), TaskAt(v1::Attempt::RUNNING))});
  slots_.OnGap();
  EXPECT_TRUE(slots_.NeedsReading());
  Read({});
  EXPECT_EQ(Taken(), 0);
}

TEST_F(ModelSlotsTest, AddedProviderCausesAnotherRead) {
  Read({});
  EXPECT_FALSE(slots_.NeedsReading());
  slots_.Follow({"alpha", "beta"});
  EXPECT_TRUE(slots_.NeedsReading());
  slots_.Follow({});
  EXPECT_FALSE(slots_.NeedsReading());
}

TEST(WaitLineTest, FirstToComeIsFirst) {
  WaitLine line;
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  line.Join(KeyOf("second"), now + absl::Seconds(2));
  line.Join(KeyOf("first"), now + absl::Seconds(1));
  line.Join(KeyOf("gone"), now);
  line.Join(KeyOf("second"), now + absl::Seconds(2));
  line.Leave(KeyOf("gone"));
  EXPECT_EQ(line.Next(), KeyOf("first"));
  EXPECT_EQ(line.Next(), KeyOf("second"));
  EXPECT_EQ(line.Next(), std::nullopt);
  EXPECT_TRUE(line.empty());
}

}  // namespace
}  // namespace assetgate::reconcile
