// A copy at a provider that is to be deleted: tried until the provider says that it is gone, or for
// a day.
#ifndef ASSETGATE_RECONCILE_WORK_DELETION_ITEM_H_
#define ASSETGATE_RECONCILE_WORK_DELETION_ITEM_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "model/record.pb.h"
#include "reconcile/item.h"
#include "reconcile/step.h"

namespace assetgate::reconcile {

class DeletionItem final : public Item {
 public:
  using Item::Item;

  void Load(const store::Row& row) override;
  store::Revision revision() const override { return revision_; }
  bool Unfinished() const override { return true; }

  std::optional<Said> TakeIn(const Environment& environment, Observed observed) override;

  void BeginDraft() override {}
  void Plan(Step& step) override;
  absl::Status Apply(Step& step, std::size_t unit, const Said& said) override;
  store::Content DraftContent() const override { return content_; }
  void AcceptDraft(const Environment& /*environment*/, store::Revision revision) override {
    revision_ = revision;
  }
  bool Reconsider(const Environment& environment, const model::ProviderChanges& changes) override;

 private:
  store::Revision revision_ = 0;
  store::Content content_;
  model::UpstreamDeletion deletion_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_DELETION_ITEM_H_
