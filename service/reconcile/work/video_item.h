// A video task: chooses a target, ensures that its references are there, submits once, and follows
// the attempt to its end.
//
// A submission costs money, so nothing here sends one again unless the last one surely was not
// accepted, or the provider promises to recognise it by its idempotency key.
#ifndef ASSETGATE_RECONCILE_WORK_VIDEO_ITEM_H_
#define ASSETGATE_RECONCILE_WORK_VIDEO_ITEM_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/resource.h"
#include "provider/dialect.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "reconcile/work/target_choice.h"
#include "reconcile/work/video_refusal.h"

namespace assetgate::reconcile {

// Its units are attempts.
class VideoItem final : public EntityItem<model::VideoEntity> {
 public:
  using EntityItem::EntityItem;

  // For commands, in a round.
  model::VideoEntity& mutable_draft() { return draft_; }
  // For Explain.
  const TargetChoice& choice() const { return choice_; }

  std::string StateName() const override { return v1::VideoTask::State_Name(resource().state()); }
  std::string ErrorMessage() const override { return resource().error().message(); }
  void SpreadPolls(const Environment& environment) override;
  bool Reconsider(const Environment& environment, const model::ProviderChanges& changes) override;
  void Plan(Step& step) override;
  absl::Status Apply(Step& step, std::size_t unit, const Said& said) override;
  // Reports what ended, and what it was charged.
  void AcceptDraft(const Environment& environment, store::Revision revision) override;
  bool Answerable() const override { return AnswersCreation(current_.resource); }
  std::optional<absl::Status> Refusal() const override { return RefusalOf(draft_, choice_); }
  bool MayBeRefused() const override { return reconcile::MayBeRefused(current_); }
  void AbandonPlaces(const Environment& environment) override;
  UnfinishedUnits Units() const override;

 private:
  // A task without an attempt in flight.
  void PlanPending(Step& step);
  void ExpirePending(Step& step);
  void StartAttempt(Step& step, std::size_t target, const model::ProviderEntry& provider,
                    std::vector<provider::ResolvedReference> references, absl::Time send_before);
  // Of the attempt in flight.
  void PlanOpen(Step& step, std::size_t unit);
  void PlanUnconfirmed(Step& step, std::size_t unit, const model::ProviderEntry& provider);
  // Where the provider does not know the attempt: the draft says so.
  void SayNotFound(Step& step, int open);
  void SayAnotherAccount(Step& step, int attempt);
  // Asks for late results of what was given up.
  void PlanLate(Step& step);

  absl::Status ApplyAnswer(Step& step, std::size_t unit, const SubmitAnswer& answer);
  absl::Status ApplyNews(Step& step, std::size_t unit, const News& said);
  absl::Status ApplyTrouble(Step& step, std::size_t unit, const provider::Failure& failure);
  absl::Status ApplyUnstorable(Step& step, std::size_t unit, const google::rpc::Status& error);

  TargetChoice choice_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_VIDEO_ITEM_H_
