// What groups and assets share: each placement is handed to its provider, then followed until it is
// final.
#ifndef ASSETGATE_RECONCILE_WORK_PLACEMENT_ITEM_H_
#define ASSETGATE_RECONCILE_WORK_PLACEMENT_ITEM_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/message.h"
#include "model/apply.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "provider/dialect.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "reconcile/work/placement_refusal.h"

namespace assetgate::reconcile {

// Its units are placements.
template <typename EntityT>
class PlacementItem : public EntityItem<EntityT> {
 public:
  using EntityItem<EntityT>::EntityItem;

  // In a round: ensures that there is a placement at the provider. What the gateway itself gave up
  // there is placed again, and so is what the provider no longer has; the provider's own refusal
  // stays.
  absl::Status AddPlacement(Step& step, const std::string& provider_id);
  // Of the committed state: whether AddPlacement would begin a placement where those that exist
  // have ended. There is a bound to how many are kept.
  bool CanBePlacedAnew(const std::string& provider_id) const;

  void SpreadPolls(const Environment& environment) override;
  bool Reconsider(const Environment& environment, const model::ProviderChanges& changes) override;
  void Plan(Step& step) override;
  absl::Status Apply(Step& step, std::size_t unit, const Said& said) override;
  bool Answerable() const override { return AnswersCreation(this->current_); }
  std::optional<absl::Status> Refusal() const override {
    return RefusalOf(this->draft_, [this](std::size_t unit) { return this->FindRun(unit); });
  }
  bool MayBeRefused() const override { return reconcile::MayBeRefused(this->current_); }
  UnfinishedUnits Units() const override;

 protected:
  static constexpr bool kIsGroup = EntityT::kKind == store::Kind::kAssetGroup;
  static constexpr provider::UnitKind kUnit =
      kIsGroup ? provider::UnitKind::kAssetGroup : provider::UnitKind::kAsset;
  using Placement =
      std::decay_t<decltype(std::declval<typename EntityT::Resource>().placements(0))>;

  // The caller's options for the provider; empty where there are none.
  const google::protobuf::Struct& OptionsFor(const std::string& provider_id) const;
  // The request that submits the unit, if it can be submitted now; absent when something else has
  // to happen first (then the placement says what it waits for), or why it cannot be.
  virtual absl::StatusOr<std::optional<http::Request>> Prepare(
      Step& step, std::size_t unit, const model::ProviderEntry& provider) = 0;

 private:
  Placement& placement(std::size_t unit) {
    return *this->draft_.resource.mutable_placements(static_cast<int>(unit));
  }
  model::Unit& record(std::size_t unit) {
    return *this->draft_.record.mutable_units(static_cast<int>(unit));
  }

  void PlanUnit(Step& step, std::size_t unit);
  // Ends the unit when its time is up; whether it did.
  bool Expire(Step& step, std::size_t unit);
  void PlanSubmission(Step& step, std::size_t unit, const model::ProviderEntry& provider);
  // Whether the provider, its account and its bounds let the unit be submitted now; where they do
  // not, the placement says so, and is planned again.
  bool TakePlaces(Step& step, std::size_t unit, const model::ProviderEntry& provider);
  bool HeldByAccount(Step& step, std::size_t unit, const model::ProviderEntry& provider);
  bool AcquirePlace(Step& step, std::size_t unit, const model::ProviderEntry& provider);

  absl::Status ApplyAnswer(Step& step, std::size_t unit, const SubmitAnswer& answer);
  absl::Status ApplyNews(Step& step, std::size_t unit, const News& news);
  absl::Status ApplyTrouble(Step& step, std::size_t unit, const provider::Failure& failure);
  absl::Status ApplyUnstorable(Step& step, std::size_t unit, const google::rpc::Status& error);

  // After an outcome that is unknown: when the next try is due, counted from `since`, as journals
  // date (see Environment::behind). Soon, or, where an `outage` of the provider is to be outlived,
  // when some minutes have passed. By this gateway's clock.
  absl::Time SpreadTries(const Environment& environment, std::size_t unit, bool outage,
                         absl::Time since);
  // When the next try is due by the record. The clock that wrote it may have been ahead: the pause
  // ends when this gateway has known of it for the longest one.
  absl::Time NotBefore(const Environment& environment, const model::Unit& record) const;
  // Makes a placement that is vacant ready to be submitted once more.
  void UseAgain(std::size_t unit);
  // After a placement was LOST: once, it is placed again by itself.
  absl::Status PlaceAnewOnce(Step& step, const std::string& provider_id);
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_PLACEMENT_ITEM_H_
