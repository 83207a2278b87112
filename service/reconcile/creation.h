// New resources: request ids, batches, duplicates, and taking refused creations back.
#ifndef ASSETGATE_RECONCILE_CREATION_H_
#define ASSETGATE_RECONCILE_CREATION_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "reconcile/doubts.h"
#include "reconcile/engine.h"
#include "reconcile/reply.h"
#include "store/store.h"
#include "upstream/waited_call.h"

namespace assetgate::reconcile {

// New resources that one request asks for: validated, with keys and revision 0.
template <typename EntityT>
struct Creation {
  std::vector<EntityT> entities;
  // The request id that makes a repetition find them, if the caller gave one.
  std::optional<store::RequestRow> claim;
  // Runs on a reader's thread before anything is committed: an error is the answer, unless the
  // request turns out to be a repetition. What it returns lives until the commit is done, or given
  // up.
  std::function<absl::StatusOr<std::shared_ptr<void>>()> admit;
  // Of what a provider already has; runs on a reader's thread; may be empty.
  std::function<AdoptionConditions()> adopt;
  // Whether a stored request is the same as this one.
  std::function<bool(const std::string& stored)> same_request;
  // Set where the request id is known to be taken: the answer is that of the first request.
  // `entities` is empty.
  std::optional<store::RequestRow> repeated;
  // The reply comes then, whatever is known.
  absl::Time answer_by;
  // For the log lines that follow from it.
  base::LogContext context;
  // While its caller waits.
  std::weak_ptr<upstream::WaitedCall> waited;
};

// Threading: the reconciler's thread.
class Creations {
 public:
  // Receives one answer per resource, in their order; `free_again`: instead, the request is to be
  // carried out as if it came only now (see RequestIdFreeAgain).
  struct Answers {
    // Called for each resource, in their order. The item is valid during the call.
    std::function<void(absl::StatusOr<const Item*>)> each;
    // Then once.
    absl::AnyInvocable<void(bool free_again) &&> done;
  };
  // A creation whose entities are items.
  struct Pending {
    std::vector<std::unique_ptr<Item>> items;
    std::optional<store::RequestRow> claim;
    std::function<absl::StatusOr<std::shared_ptr<void>>()> admit;
    std::function<AdoptionConditions()> adopt;
    std::function<bool(const std::string&)> same_request;
    std::optional<store::RequestRow> repeated;
    absl::Time answer_by;
    std::weak_ptr<upstream::WaitedCall> waited;
    Answers answers;

    // What `admit` returned.
    std::shared_ptr<void> admitted;
    std::vector<store::Conditions::TermAnywhere> absent_anywhere;
    // The store has said that its request id was free.
    bool known_new = false;
  };

  Creations(Engine& engine, store::Store& store, Doubts& doubts)
      : engine_(engine), store_(store), doubts_(doubts) {}

  void Create(Pending creation);

 private:
  // The answers to the items of one creation, collected.
  struct Collected;
  using PendingPtr = std::shared_ptr<Pending>;
  using CollectedPtr = std::shared_ptr<Collected>;
  using First = std::optional<store::RequestRow>;

  // On a reader's thread.
  static absl::Status Admit(Pending& creation);
  // Of one that is admitted, and whose request id is claimed.
  void Begin(PendingPtr creation, std::optional<store::RequestKey> claim);
  // Reads what the items refer to, so that the first draft is planned with it.
  void Preload(PendingPtr creation, CollectedPtr collected);
  // Answers a creation that cannot be carried out, unless it repeats one that was: then it gets the
  // answer to that one. The request id is looked up only here; on the way of a new request the
  // commit itself finds that it is taken.
  void Refuse(Pending creation, const absl::Status& why);
  // Reads whose the request id is, where that may be another request's.
  void ReadFirst(const Pending& creation, absl::AnyInvocable<void(absl::StatusOr<First>) &&> done);
  void AnswerAll(Pending& creation, std::size_t count, const absl::Status& status);

  // Plans and commits the items that `creation` still owns; the others have been answered.
  void Commit(PendingPtr creation, CollectedPtr collected);
  void SendCommit(PendingPtr creation, CollectedPtr collected, store::Transaction transaction,
                  std::vector<std::size_t> round);
  // `round`: which of the items were in the transaction, in the order of its writes.
  void OnCommitted(PendingPtr creation, CollectedPtr collected, std::vector<std::size_t> round,
                   store::CommitResult result);
  void Conclude(PendingPtr creation, CollectedPtr collected, const std::vector<std::size_t>& round,
                const store::CommitResult& result);
  void OnCreated(const Pending& creation, CollectedPtr collected,
                 const std::vector<std::size_t>& round, const store::CommitResult& result);
  void OnConflict(PendingPtr creation, CollectedPtr collected,
                  const std::vector<std::size_t>& round, const store::CommitResult& result);
  // What a conflict has left of it.
  void CommitRest(PendingPtr creation, CollectedPtr collected);
  // Looks whether a creation is there whose commit the store could not tell. That it is not there
  // proves nothing.
  void LookUp(CollectedPtr collected, std::vector<std::size_t> round, std::size_t from,
              std::vector<store::Revision> revisions,
              absl::AnyInvocable<void(std::optional<std::vector<store::Revision>>) &&> done);
  // Lets go of the request id: duplicates that waited for it find the row.
  void End(const std::optional<store::RequestKey>& claim);

  void AnswerDuplicate(const store::RequestRow& row, Pending creation);
  void AnswerDuplicateItem(const store::RequestRow& row, std::size_t i, absl::Time answer_by,
                           std::weak_ptr<upstream::WaitedCall> waited, CollectedPtr collected);
  // The answer to a duplicate whose resource is not there.
  void AnswerGone(CollectedPtr collected, std::size_t i, const store::RequestRow& row);
  // Logs it, now and then.
  void NoteStoreTrouble(const std::string& trouble);

  Engine& engine_;
  store::Store& store_;
  Doubts& doubts_;
  // Request ids whose rows are being committed: duplicates wait for that.
  absl::flat_hash_map<store::RequestKey, std::vector<Pending>> claims_;
  absl::Time store_trouble_noted_ = absl::InfinitePast();
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_CREATION_H_
