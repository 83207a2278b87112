#include "reconcile/reconciler.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/refusal.h"
#include "provider/mask.h"

namespace assetgate::reconcile {
namespace {

// Rows of one page of recovery: short enough that calls in between do not wait noticeably.
constexpr std::size_t kRecoveryPage = 500;
// After a store that does not take writes.
constexpr absl::Duration kStoreRetry = absl::Seconds(1);
// After a provider did not make the group that is used where a caller names none.
constexpr absl::Duration kOwnGroupRetry = absl::Minutes(1);
// What is to be done later than that is looked at in between.
constexpr absl::Duration kLongestTimer = absl::Minutes(1);
// How soon, and at last how often, the store is asked what became of a commit that it could not
// tell.
constexpr absl::Duration kFirstDoubtDelay = absl::Seconds(1);
constexpr absl::Duration kLongestDoubtDelay = absl::Minutes(1);
// A transaction that was on its way to the database when its connection was lost has arrived by
// then, or never will: the database ends a session that is silent in a transaction much sooner.
constexpr absl::Duration kDoubtPeriod = absl::Minutes(1);
// Rows looked at in one go.
constexpr std::size_t kDoubtPage = 50;
// A store that is away is worth a line so often, and not one for each call.
constexpr absl::Duration kStoreTroubleInterval = absl::Seconds(10);
// How often it is looked up how many gateways share a budget.
constexpr absl::Duration kShareInterval = absl::Seconds(5);
// Resources that other gateways changed and that have not been looked at yet. Beyond, all is
// compared with the store.
constexpr std::size_t kMaxInbox = 16384;
// In the rows of a request id, before the id of an item that was not made: its id was taken.
constexpr char kTakenMark = '!';

// Without the store's own words, which name hosts and users: they are for the log.
absl::Status StoreUnavailable() {
  return base::Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                     "the store takes no writes right now; nothing was changed")
      .RetryAfter(kStoreRetry);
}

absl::Status StoreUnreadable() {
  return base::Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                     "the store cannot be read right now")
      .RetryAfter(kStoreRetry);
}

absl::Status CommitUnknown() {
  return base::Error(absl::StatusCode::kUnknown, v1::COMMIT_UNKNOWN,
                     "the store cannot tell whether the change was committed; repeat the call (one "
                     "that creates: with the same request_id, so that nothing is made twice)");
}

absl::Status NotFound(const store::Key& key) {
  const std::string name = model::MakeName(model::CollectionOf(key.kind), key.id);
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("there is no \"", name, "\""))
      .Resource(model::TypeOf(key.kind), name);
}

absl::Status WrittenByLaterRelease(const std::string& name) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, v1::WRITTEN_BY_LATER_RELEASE,
      absl::StrCat("\"", name,
                   "\" holds something that this release of the gateway does not know; a later "
                   "release wrote it, and only a gateway of that release can change it"));
}

absl::Status AlreadyExists(const store::Key& key) {
  const std::string name = model::MakeName(model::CollectionOf(key.kind), key.id);
  return base::Error(absl::StatusCode::kAlreadyExists, v1::RESOURCE_EXISTS,
                     absl::StrCat("\"", name, "\" exists already; choose another id, or none"))
      .Resource(model::TypeOf(key.kind), name);
}

absl::Status RequestIdReused(const store::RequestKey& key) {
  return base::Error(
      absl::StatusCode::kAlreadyExists, v1::REQUEST_ID_REUSED,
      absl::StrCat("request_id \"", base::CleanText(key.request_id, 128),
                   "\" was used before with another body; use a fresh one for another request"));
}

// Of a gateway that holds no share of the work yet, or has lost it: somebody else's.
store::Shard AnyShard(const store::Key& key) {
  return static_cast<store::Shard>(absl::HashOf(key.tenant, key.id) % std::size_t{store::kShards});
}

absl::Status Draining() {
  return base::Error(absl::StatusCode::kUnavailable, v1::DRAINING,
                     "the gateway is going away; try again")
      .RetryAfter(absl::Seconds(1));
}

absl::string_view StateName(const Item& item) {
  switch (item.key().kind) {
    case store::Kind::kAsset:
      return v1::Asset::State_Name(static_cast<const AssetItem&>(item).resource().state());
    case store::Kind::kVideoTask:
      return v1::VideoTask::State_Name(static_cast<const VideoItem&>(item).resource().state());
    default:
      return "";
  }
}

std::string ErrorMessage(const Item& item) {
  switch (item.key().kind) {
    case store::Kind::kAsset:
      return static_cast<const AssetItem&>(item).resource().error().message();
    case store::Kind::kVideoTask:
      return static_cast<const VideoItem&>(item).resource().error().message();
    default:
      return "";
  }
}

}  // namespace

absl::Status RequestIdFreeAgain() { return absl::AbortedError("the request_id is free again"); }
bool IsRequestIdFreeAgain(const absl::Status& status) { return absl::IsAborted(status); }

// Collects the answers to the items of one request, and gives them together.
struct Reconciler::Gathering {
  Gathering(Reconciler& reconciler, std::vector<store::Key> item_keys, CreateDone when_done)
      : owner(reconciler), keys(std::move(item_keys)), done(std::move(when_done)) {
    results.resize(keys.size());
    missing = keys.size();
  }

  bool Answered(std::size_t i) const { return results[i].has_value(); }

  void Answer(std::size_t i, absl::Status status) {
    results[i] = std::move(status);
    if (--missing > 0) return;
    if (results.size() == 1 && IsRequestIdFreeAgain(*results[0])) {
      return std::move(done)(*results[0]);
    }
    // An item that answered early may have moved on, or left memory, since: each is told as it
    // stands now.
    std::vector<absl::StatusOr<const Item*>> items;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if (!results[k]->ok()) {
        items.push_back(*results[k]);
        continue;
      }
      auto loaded = owner.FindOrLoad(keys[k]);
      if (!loaded.ok()) {
        items.push_back(loaded.status());
      } else if (*loaded == nullptr) {
        items.push_back(NotFound(keys[k]));
      } else {
        items.push_back(static_cast<const Item*>(*loaded));
      }
    }
    std::move(done)(std::move(items));
  }

  Reconciler& owner;
  const std::vector<store::Key> keys;
  std::vector<std::optional<absl::Status>> results;
  std::size_t missing;
  CreateDone done;
};

Reconciler::Reconciler(Parts parts)
    : parts_(std::move(parts)),
      catalog_(parts_.catalog.Get()),
      behind_(std::max(absl::ZeroDuration(), parts_.store.trusted_time() - parts_.loop.Now())) {
  // Where nobody else can have the work there is nothing to wait for.
  if (leases().exclusive()) held_.fill(true);
  SetUpGates({});
}

Reconciler::~Reconciler() = default;

// --- Creation
// -------------------------------------------------------------------------------------

template <typename EntityT, typename ItemT>
void Reconciler::CreateTyped(Creation<EntityT> creation,
                             Reply<std::vector<absl::StatusOr<typename EntityT::Resource>>> reply) {
  parts_.loop.Post([this, creation = std::move(creation), reply = std::move(reply)]() mutable {
    using Resource = typename EntityT::Resource;
    PendingCreation pending;
    for (EntityT& entity : creation.entities) {
      auto item = std::make_unique<ItemT>(*this, entity.key);
      item->Begin(std::move(entity));
      item->context_ = creation.context;
      item->waited_ = creation.waited;
      pending.items.push_back(std::move(item));
    }
    pending.claim = std::move(creation.claim);
    pending.admit = std::move(creation.admit);
    pending.adopt = std::move(creation.adopt);
    pending.same_request = std::move(creation.same_request);
    pending.repeated = std::move(creation.repeated);
    pending.answer_by = creation.answer_by;
    pending.waited = creation.waited;
    pending.done = [reply = std::move(reply)](
                       absl::StatusOr<std::vector<absl::StatusOr<const Item*>>> results) mutable {
      if (!results.ok()) return std::move(reply)(results.status());
      std::vector<absl::StatusOr<Resource>> typed;
      for (const auto& result : *results) {
        if (result.ok()) {
          typed.push_back(static_cast<const ItemT*>(*result)->resource());
        } else {
          typed.push_back(result.status());
        }
      }
      std::move(reply)(std::move(typed));
    };
    Create(std::move(pending));
  });
}

void Reconciler::CreateGroups(Creation<model::GroupEntity> creation,
                              Reply<std::vector<absl::StatusOr<v1::AssetGroup>>> reply) {
  CreateTyped<model::GroupEntity, GroupItem>(std::move(creation), std::move(reply));
}
void Reconciler::CreateAssets(Creation<model::AssetEntity> creation,
                              Reply<std::vector<absl::StatusOr<v1::Asset>>> reply) {
  CreateTyped<model::AssetEntity, AssetItem>(std::move(creation), std::move(reply));
}
void Reconciler::CreateVideos(Creation<model::VideoEntity> creation,
                              Reply<std::vector<absl::StatusOr<v1::VideoTask>>> reply) {
  CreateTyped<model::VideoEntity, VideoItem>(std::move(creation), std::move(reply));
}

void Reconciler::Create(PendingCreation creation) {
  if (creation.repeated.has_value()) {
    const store::RequestRow row = *std::move(creation.repeated);
    return AnswerDuplicate(row, creation);
  }
  const std::size_t count = creation.items.size();
  if (draining_) {
    return std::move(creation.done)(
        std::vector<absl::StatusOr<const Item*>>(count, absl::StatusOr<const Item*>(Draining())));
  }
  if (creation.claim.has_value()) {
    // A duplicate of a request that is just being committed waits for that.
    if (const auto it = claims_.find(creation.claim->key); it != claims_.end()) {
      it->second.push_back(std::move(creation));
      return;
    }
  }
  if (items_.size() + count > settings().max_unfinished) {
    return RefuseCreation(creation,
                          base::Error(absl::StatusCode::kResourceExhausted, v1::OVERLOADED,
                                      absl::StrCat("the gateway follows ", items_.size(),
                                                   " unfinished resources and takes no "
                                                   "more for now"))
                              .RetryAfter(absl::Seconds(5)));
  }
  if (creation.adopt) {
    auto conditions = creation.adopt();
    if (!conditions.ok()) return RefuseCreation(creation, conditions.status());
    creation.absent_anywhere = *std::move(conditions);
  }
  if (creation.admit) {
    auto admitted = creation.admit();
    if (!admitted.ok()) return RefuseCreation(creation, admitted.status());
    creation.admitted = *std::move(admitted);
  }
  if (count == 0) {
    return std::move(creation.done)(std::vector<absl::StatusOr<const Item*>>());
  }
  std::vector<store::Key> keys;
  keys.reserve(creation.items.size());
  for (const auto& item : creation.items) keys.push_back(item->key());
  auto gathering = std::make_shared<Gathering>(*this, std::move(keys), std::move(creation.done));
  if (creation.claim.has_value()) {
    claims_[creation.claim->key];
    if (count == 1) creation.items[0]->claim_ = creation.claim->key;
  }
  CommitCreation(std::make_shared<PendingCreation>(std::move(creation)), std::move(gathering));
}

absl::StatusOr<std::optional<store::RequestRow>> Reconciler::FirstOf(
    const PendingCreation& creation) {
  if (!creation.claim.has_value() || creation.known_new) return std::optional<store::RequestRow>();
  auto found = parts_.store.FindRequest(creation.claim->key);
  if (!found.ok()) return StoreUnreadable();
  return found;
}

void Reconciler::RefuseCreation(PendingCreation& creation, const absl::Status& why) {
  const auto first = FirstOf(creation);
  if (first.ok() && first->has_value()) return AnswerDuplicate(**first, creation);
  std::move(creation.done)(std::vector<absl::StatusOr<const Item*>>(
      creation.items.size(), absl::StatusOr<const Item*>(first.ok() ? why : first.status())));
}

void Reconciler::CommitCreation(std::shared_ptr<PendingCreation> creation,
                                std::shared_ptr<Gathering> gathering) {
  // The items that `creation` still owns are planned and committed in one transaction; the others
  // have been answered.
  store::Transaction transaction;
  transaction.claim_request = creation->claim;
  transaction.conditions.absent_anywhere = creation->absent_anywhere;
  if (transaction.claim_request.has_value()) {
    std::vector<store::Key>& rows = transaction.claim_request->rows;
    rows = gathering->keys;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (gathering->Answered(i) || items_.contains(rows[i])) rows[i].id.insert(0, 1, kTakenMark);
    }
  }
  ShareBudgets();
  // New work is this gateway's: who took the call submits. One that holds nothing, because it has
  // just started, leaves the work to whoever holds the shard, who hears of it.
  const store::Shard shard = leases().Pick().value_or(AnyShard(gathering->keys.front()));
  std::vector<std::size_t> round;
  // Known before anything is written: nothing of these will exist.
  std::vector<std::pair<std::size_t, absl::Status>> refused;
  for (std::size_t i = 0; i < creation->items.size(); ++i) {
    std::unique_ptr<Item>& owned = creation->items[i];
    if (owned == nullptr) continue;
    const store::Key& key = gathering->keys[i];
    if (items_.contains(key)) {
      owned.reset();
      refused.emplace_back(i, AlreadyExists(key));
      continue;
    }
    Item& item = *owned;
    item.shard_ = shard;
    item.relied_on_ = true;
    item.acknowledged_ = false;
    item.committing_ = true;
    items_[key] = std::move(owned);
    item.actions_.clear();
    item.BeginDraft();
    // Of a shard that is not held. A lease that came just now is not noticed here yet; then the
    // first step follows.
    if (Follows(item)) {
      item.Plan();
    } else {
      item.Derive();
    }
    if (const auto refusal = item.Refusal()) {
      item.AbandonPlaces();
      Drop(key);
      refused.emplace_back(i, *refusal);
      continue;
    }
    store::Write write;
    write.key = key;
    write.content = item.DraftContent();
    if (!model::ReadsBack(key.kind, *write.content)) {
      item.AbandonPlaces();
      Drop(key);
      gathering->Answer(i, base::Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
                                       "it cannot be stored: it has a text that is not UTF-8"));
      continue;
    }
    write.content->shard = item.draft_shard_ = item.shard_;
    transaction.writes.push_back(std::move(write));
    for (store::Key& needed : item.RefersTo()) {
      transaction.conditions.exist.push_back(std::move(needed));
    }
    round.push_back(i);
  }
  if (!refused.empty()) {
    // What stands in the way now need not have stood in the way of the first request.
    const auto first = FirstOf(*creation);
    if (!first.ok() || first->has_value()) {
      for (const std::size_t i : round) {
        Find(gathering->keys[i])->AbandonPlaces();
        Drop(gathering->keys[i]);
      }
      creation->done = std::move(gathering->done);
      if (first.ok()) {
        AnswerDuplicate(**first, *creation);
      } else {
        std::move(creation->done)(std::vector<absl::StatusOr<const Item*>>(
            gathering->keys.size(), absl::StatusOr<const Item*>(first.status())));
      }
      return EndCreation(*creation);
    }
    for (auto& [i, status] : refused) gathering->Answer(i, std::move(status));
  }
  if (round.empty()) return EndCreation(*creation);
  ++commits_in_flight_;
  parts_.store.Commit(
      std::move(transaction),
      [this, creation = std::move(creation), gathering = std::move(gathering),
       round = std::move(round)](store::CommitResult result) mutable {
        parts_.loop.Post([this, creation = std::move(creation), gathering = std::move(gathering),
                          round = std::move(round), result = std::move(result)]() mutable {
          OnCreated(std::move(creation), std::move(gathering), round, std::move(result));
        });
      });
}

void Reconciler::OnCreated(std::shared_ptr<PendingCreation> creation,
                           std::shared_ptr<Gathering> gathering,
                           const std::vector<std::size_t>& round, store::CommitResult result) {
  using Outcome = store::CommitResult::Outcome;
  --commits_in_flight_;
  PostQuietCheck();
  const auto drop = [&](std::size_t i) {
    const store::Key& key = gathering->keys[i];
    Item* item = Find(key);
    if (item == nullptr) return;
    item->AbandonPlaces();
    // Commands that came meanwhile are for what the store has under that name.
    std::vector<Change> commands = std::move(item->pending_);
    const auto dependents = std::move(item->dependents_);
    Drop(key);
    WakeAll(dependents);
    if (commands.empty()) return;
    auto loaded = FindOrLoad(key);
    if (!loaded.ok()) return FailChanges(commands, loaded.status());
    if (*loaded == nullptr) {
      return FailChanges(commands,
                         result.outcome == Outcome::kUnknown ? CommitUnknown() : NotFound(key));
    }
    for (Change& command : commands) AddChange(**loaded, std::move(command));
  };
  if (result.outcome == Outcome::kUnknown && !result.provisional) {
    LookUp(*gathering, round, result);
  }
  switch (result.outcome) {
    case Outcome::kCommitted:
      for (std::size_t w = 0; w < round.size(); ++w) {
        Item& item = *Find(gathering->keys[round[w]]);
        item.committing_ = false;
        item.AcceptDraft(result.revisions[w]);
        item.create_revision_ = result.revisions[w];
        AddWaiter(item, Waiter{creation->answer_by,
                               [gathering, i = round[w]](absl::StatusOr<const Item*> answer) {
                                 gathering->Answer(i, answer.status());
                               }});
      }
      for (const std::size_t i : round) {
        Item* item = Find(gathering->keys[i]);
        if (item == nullptr) continue;
        Settle(*item, /*committed=*/true);
        if (item = Find(gathering->keys[i]); item != nullptr && item->heard_ > item->revision()) {
          Refresh(*item);
        }
      }
      break;
    case Outcome::kConflict:
    case Outcome::kConditionUnmet: {
      // Ids that exist, or what they refer to does not any more. The others of a batch go on
      // without them.
      const std::set<std::size_t> conflicts(result.conflicts.begin(), result.conflicts.end());
      const std::set<store::Key> missing(result.unmet.begin(), result.unmet.end());
      for (std::size_t w = 0; w < round.size(); ++w) {
        const std::size_t i = round[w];
        std::optional<absl::Status> refusal;
        if (conflicts.contains(w)) refusal = AlreadyExists(gathering->keys[i]);
        for (const store::Key& needed : Find(gathering->keys[i])->RefersTo()) {
          if (missing.contains(needed)) refusal = NotFound(needed);
        }
        if (refusal.has_value()) {
          drop(i);
          gathering->Answer(i, *std::move(refusal));
        } else if (auto it = items_.find(gathering->keys[i]); it != items_.end()) {
          it->second->AbandonPlaces();
          creation->items[i] = std::move(it->second);
          items_.erase(it);
        }
      }
      creation->known_new = true;
      if (creation->adopt) {
        // Another task may have what the provider has by now: then this says so.
        auto conditions = creation->adopt();
        for (std::size_t i = 0; i < creation->items.size() && !conditions.ok(); ++i) {
          if (creation->items[i] == nullptr) continue;
          creation->items[i].reset();
          gathering->Answer(i, conditions.status());
        }
        if (conditions.ok()) creation->absent_anywhere = *std::move(conditions);
      }
      return CommitCreation(std::move(creation), std::move(gathering));
    }
    case Outcome::kRequestIdTaken:
      for (const std::size_t i : round) drop(i);
      if (result.request.has_value() && gathering->missing == gathering->keys.size()) {
        creation->done = std::move(gathering->done);
        AnswerDuplicate(*result.request, *creation);
      } else {
        for (const std::size_t i : round)
          gathering->Answer(i, RequestIdReused(creation->claim->key));
      }
      break;
    case Outcome::kUnavailable:
      NoteStoreTrouble(absl::StrCat("takes no new resources: ", result.message));
      for (const std::size_t i : round) {
        drop(i);
        gathering->Answer(i, StoreUnavailable());
      }
      break;
    case Outcome::kUnknown:
      NoteStoreTrouble(
          absl::StrCat("cannot tell whether resources were created: ", result.message));
      for (const std::size_t i : round) {
        // It may exist, or appear later: then it is followed. Nothing is sent for the draft.
        const store::Key& key = gathering->keys[i];
        AddDoubt(key, 0, Find(key)->DraftContent().internal);
        drop(i);
        gathering->Answer(i, CommitUnknown());
      }
      break;
  }
  EndCreation(*creation);
}

void Reconciler::LookUp(const Gathering& gathering, const std::vector<std::size_t>& round,
                        store::CommitResult& result) {
  // A transaction is there as a whole, or not at all.
  std::vector<store::Revision> revisions;
  for (const std::size_t i : round) {
    auto row = parts_.store.Get(gathering.keys[i]);
    const Item* item = Find(gathering.keys[i]);
    if (!row.ok() || !row->has_value() || item == nullptr) return;
    const store::Content draft = item->DraftContent();
    if ((*row)->content.internal != draft.internal || (*row)->content.resource != draft.resource) {
      return;
    }
    revisions.push_back((*row)->revision);
  }
  result.outcome = store::CommitResult::Outcome::kCommitted;
  result.revisions = std::move(revisions);
}

void Reconciler::NoteStoreTrouble(const std::string& trouble) {
  const absl::Time now = Now();
  if (now >= store_trouble_noted_ && now < store_trouble_noted_ + kStoreTroubleInterval) return;
  store_trouble_noted_ = now;
  telemetry().OnWarning("the store", trouble);
}

void Reconciler::EndCreation(const PendingCreation& creation) {
  if (!creation.claim.has_value()) return;
  const auto it = claims_.find(creation.claim->key);
  if (it == claims_.end()) return;
  // Duplicates that came meanwhile look again, and find the row.
  std::vector<PendingCreation> duplicates = std::move(it->second);
  claims_.erase(it);
  for (PendingCreation& duplicate : duplicates) Create(std::move(duplicate));
}

void Reconciler::AnswerDuplicate(const store::RequestRow& row, PendingCreation& creation) {
  const std::size_t count = row.rows.size();
  if (!creation.same_request(row.request)) {
    std::move(creation.done)(
        std::vector<absl::StatusOr<const Item*>>(count, RequestIdReused(row.key)));
    return;
  }
  auto gathering = std::make_shared<Gathering>(*this, row.rows, std::move(creation.done));
  for (std::size_t i = 0; i < count; ++i) {
    if (store::Key key = row.rows[i]; !key.id.empty() && key.id.front() == kTakenMark) {
      key.id.erase(0, 1);
      gathering->Answer(i, AlreadyExists(key));
      continue;
    }
    if (doubts_.contains(row.rows[i])) {
      // It can be read, and may still be lost: nobody is told that it is durable before a barrier
      // is committed.
      gathering->Answer(i, CommitUnknown());
      continue;
    }
    auto loaded = FindNewest(row.rows[i]);
    if (!loaded.ok()) {
      gathering->Answer(i, loaded.status());
    } else if (*loaded == nullptr) {
      AnswerGone(*gathering, i, row);
    } else {
      AddWaiter(**loaded, Waiter{creation.answer_by,
                                 [this, gathering, i, row](absl::StatusOr<const Item*> answer) {
                                   if (base::ReasonOf(answer.status()) == v1::RESOURCE_NOT_FOUND) {
                                     return AnswerGone(*gathering, i, row);
                                   }
                                   gathering->Answer(i, answer.status());
                                 },
                                 creation.waited});
      PostAdvance(**loaded);
    }
  }
}

void Reconciler::AnswerGone(Gathering& gathering, std::size_t i, const store::RequestRow& row) {
  if (row.rows.size() == 1) {
    // A refusal frees the request id with the same commit; a deletion by somebody else does not.
    auto found = parts_.store.FindRequest(row.key);
    if (!found.ok()) return gathering.Answer(i, StoreUnreadable());
    if (!found->has_value() || (*found)->rows != row.rows) {
      return gathering.Answer(i, RequestIdFreeAgain());
    }
  }
  const std::string name = model::MakeName(model::CollectionOf(row.rows[i].kind), row.rows[i].id);
  gathering.Answer(i, base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                                  absl::StrCat("what this request_id made (\"", name,
                                               "\") has been refused or deleted since; use a "
                                               "fresh request_id to make it anew"))
                          .Resource(model::TypeOf(row.rows[i].kind), name));
}

void Reconciler::AddWaiter(Item& item, Waiter waiter) {
  const absl::Time answer_by = hurried_ ? Now() : waiter.answer_by;
  waiter.answer_by = answer_by;
  // Who repeats a call and hangs up, again and again, is not kept as often.
  std::erase_if(item.waiters_,
                [](const Waiter& each) { return upstream::HungUp(each.repetition); });
  item.waiters_.push_back(std::move(waiter));
  parts_.loop.PostAt(answer_by, [this, key = item.key()] {
    // Not while a deletion is on its way: its verdict answers.
    if (Item* found = Find(key); found != nullptr && !found->removing_) AnswerWaiters(*found);
  });
}

void Reconciler::AnswerWaiters(Item& item) {
  if (item.waiters_.empty() || item.revision() == 0) return;
  const absl::Time now = Now();
  const bool answerable = item.Answerable();
  if (!Follows(item) && !item.relied_on_ && item.MayBeRefused() &&
      std::any_of(item.waiters_.begin(), item.waiters_.end(),
                  [&](const Waiter& waiter) { return answerable || now >= waiter.answer_by; })) {
    return TellCreator(item);
  }
  std::vector<Waiter> answered;
  for (auto it = item.waiters_.begin(); it != item.waiters_.end();) {
    if (answerable || now >= it->answer_by) {
      answered.push_back(std::move(*it));
      it = item.waiters_.erase(it);
    } else {
      ++it;
    }
  }
  if (answered.empty()) return;
  // From now on somebody relies on it: it stays, whatever the providers say.
  item.acknowledged_ = true;
  for (Waiter& waiter : answered) std::move(waiter.done)(&item);
}

void Reconciler::TellCreator(Item& item) {
  if (std::exchange(item.telling_creator_, true)) return;
  // An unchanged row that gets a new revision: the creator's own commit, were it to take the
  // resource back, conflicts with it.
  Change change;
  change.apply = [](Item& target) {
    target.MarkChanged();
    return absl::OkStatus();
  };
  change.done = [this, key = item.key(), serial = item.serial_](absl::Status status) {
    Item* found = Find(key, serial);
    if (found == nullptr) return;
    found->telling_creator_ = false;
    found->relied_on_ = status.ok();
    if (status.ok()) return AnswerWaiters(*found);
    // Whether it exists in the end is not known.
    for (Waiter& waiter : std::exchange(found->waiters_, {})) {
      std::move(waiter.done)(CommitUnknown());
    }
  };
  item.pending_.push_back(std::move(change));
  if (!item.committing_) PostAdvance(item);
}

// --- The engine
// -----------------------------------------------------------------------------------

Item* Reconciler::Find(const store::Key& key) {
  const auto it = items_.find(key);
  return it == items_.end() ? nullptr : it->second.get();
}

Item* Reconciler::Find(const store::Key& key, std::uint64_t serial) {
  Item* item = Find(key);
  return item != nullptr && item->serial_ == serial ? item : nullptr;
}

std::unique_ptr<Item> Reconciler::NewItem(const store::Key& key) {
  switch (key.kind) {
    case store::Kind::kAssetGroup:
      return std::make_unique<GroupItem>(*this, key);
    case store::Kind::kAsset:
      return std::make_unique<AssetItem>(*this, key);
    case store::Kind::kVideoTask:
      return std::make_unique<VideoItem>(*this, key);
    case store::Kind::kUpstreamDeletion:
      return std::make_unique<DeletionItem>(*this, key);
  }
  return nullptr;
}

absl::StatusOr<Item*> Reconciler::FindOrLoad(const store::Key& key) {
  if (Item* item = Find(key)) return item;
  auto row = parts_.store.Get(key);
  if (!row.ok()) return StoreUnreadable();
  if (!row->has_value()) return nullptr;
  // What is not kept by work goes again with the next round.
  return &Adopt(**row);
}

absl::StatusOr<Item*> Reconciler::FindNewest(const store::Key& key) {
  Item* const item = Find(key);
  // What it commits just now fails where somebody else was faster.
  if (item == nullptr || item->committing_) return FindOrLoad(key);
  const auto row = parts_.store.Get(key);
  if (!row.ok()) return StoreUnreadable();
  if (row->has_value()) {
    Refresh(*item, **row);
  } else {
    Vanish(*item);
  }
  return FindOrLoad(key);
}

Item& Reconciler::Adopt(const store::Row& row) {
  std::unique_ptr<Item> owned = NewItem(row.key);
  owned->Load(row);
  owned->SpreadPolls();
  Item& item = *owned;
  items_[row.key] = std::move(owned);
  if (const auto doubt = doubts_.find(row.key); doubt != doubts_.end()) {
    // As this gateway meant to create it, and touched by nobody since: what its journal calls open
    // was never sent.
    const bool untouched =
        row.revision == row.create_revision && doubt->second.created == row.content.internal;
    if (untouched) item.TakeBackOpenSubmissions(row);
    if (row.revision > doubt->second.before) doubts_.erase(doubt);
  }
  PostAdvance(item);
  return item;
}

void Reconciler::PostAdvance(Item& item) {
  if (item.advance_posted_) return;
  item.advance_posted_ = true;
  parts_.loop.Post([this, key = item.key()] {
    if (Item* found = Find(key)) {
      found->advance_posted_ = false;
      Advance(*found);
    }
  });
}

void Reconciler::WakeAll(const absl::flat_hash_set<store::Key>& keys) {
  for (const store::Key& key : keys) {
    if (Item* found = Find(key)) PostAdvance(*found);
  }
}

void Reconciler::AddChange(Item& item, Change change) {
  item.pending_.push_back(std::move(change));
  if (!item.committing_) Advance(item);
}

void Reconciler::Advance(Item& item) {
  if (item.committing_) return;
  ShareBudgets();
  item.changed_ = false;
  item.remove_ = false;
  item.extra_writes_.clear();
  item.conditions_ = {};
  item.actions_.clear();
  item.wake_at_ = absl::InfiniteFuture();
  item.BeginDraft();
  std::vector<Change> changes = std::move(item.pending_);
  item.pending_.clear();
  if (item.ReadOnly()) return LeaveAlone(item, std::move(changes));
  for (Change& change : changes) change.status = change.apply(item);
  item.applied_ = std::move(changes);
  if (!Follows(item)) {
    item.AbandonPlaces();
    if (!item.remove_) item.Derive();
  } else if (!item.remove_) {
    const bool refusable = !item.acknowledged_ && !item.waiters_.empty();
    // Before Plan, which would try a provider again that refused a while ago.
    std::optional<absl::Status> refusal;
    if (refusable) refusal = item.Refusal();
    if (!refusal.has_value()) {
      item.Plan();
      if (refusable) refusal = item.Refusal();
    }
    if (refusal.has_value()) {
      item.refusal_ = *std::move(refusal);
      item.remove_ = true;
    }
  }
  if (item.changed_ || item.remove_) {
    Commit(item);
  } else {
    Settle(item, /*committed=*/false);
  }
}

void Reconciler::LeaveAlone(Item& item, std::vector<Change> changes) {
  for (Change& change : changes) {
    change.status = WrittenByLaterRelease(item.name());
    // What a provider answered is for the gateway that knows what the row says.
    if (!change.done) telemetry().OnWarning(item.name(), change.status.message());
  }
  item.applied_ = std::move(changes);
  item.AbandonPlaces();
  Settle(item, /*committed=*/false);
}

void Reconciler::RejectDraft(Item& item) {
  const base::Error error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
                          "what was said of it cannot be stored: it has a text that is not UTF-8");
  telemetry().OnWarning(item.name(), "a change that could not be read again was not committed");
  std::vector<Change> applied = std::move(item.applied_);
  item.applied_.clear();
  item.actions_.clear();
  item.AbandonPlaces();
  bool again = false;
  for (Change& change : applied) {
    if (change.unit.has_value()) {
      again = true;
      item.pending_.push_back(Change{[unit = *change.unit, status = error.ToProto()](Item& target) {
                                       return target.OnUnkept(unit, status);
                                     },
                                     {},
                                     {},
                                     {},
                                     {}});
    } else if (change.done) {
      std::move(change.done)(error);
    }
  }
  item.DropDraft();
  if (again) return PostAdvance(item);
  parts_.loop.PostAt(Now() + kLongestTimer, [this, key = item.key(), serial = item.serial_] {
    if (Item* found = Find(key, serial)) PostAdvance(*found);
  });
}

void Reconciler::Commit(Item& item) {
  item.Stamp(Now());
  store::Transaction transaction;
  store::Write write;
  write.key = item.key();
  write.expected_revision = item.revision();
  if (!item.remove_) {
    write.content = item.DraftContent();
    if (!model::ReadsBack(item.key().kind, *write.content)) return RejectDraft(item);
  }
  item.committing_ = true;
  item.removing_ = item.remove_;
  if (!item.remove_) {
    write.content->shard = item.draft_shard_ = ShardFor(item, *write.content);
  } else if (!item.refusal_.ok()) {
    transaction.free_request = item.claim_;
  }
  transaction.writes.push_back(std::move(write));
  for (store::Write& other : item.extra_writes_) transaction.writes.push_back(std::move(other));
  transaction.conditions = std::move(item.conditions_);
  WrittenRows others;
  for (std::size_t i = 1; i < transaction.writes.size(); ++i) {
    others.emplace_back(transaction.writes[i].key, transaction.writes[i].expected_revision);
  }
  ++commits_in_flight_;
  parts_.store.Commit(std::move(transaction), [this, key = item.key(), others = std::move(others)](
                                                  store::CommitResult result) mutable {
    parts_.loop.Post([this, key, others = std::move(others), result = std::move(result)]() mutable {
      OnCommitted(key, others, std::move(result));
    });
  });
}

void Reconciler::FailChanges(std::vector<Change>& changes, const absl::Status& status) {
  for (Change& change : changes) {
    if (change.done) std::move(change.done)(status);
  }
  changes.clear();
}

void Reconciler::OnCommitted(const store::Key& key, const WrittenRows& others,
                             store::CommitResult result) {
  using Outcome = store::CommitResult::Outcome;
  --commits_in_flight_;
  PostQuietCheck();
  Item* item = Find(key);
  if (item == nullptr) return;
  item->committing_ = false;
  const bool removing = std::exchange(item->removing_, false);
  // Looked up before anything is sent again: what is in the store was committed. What is not there
  // may still come.
  if (result.outcome == Outcome::kUnknown && !result.provisional) {
    if (auto row = parts_.store.Get(key); row.ok()) {
      const bool there = row->has_value();
      const store::Content draft = removing ? store::Content() : item->DraftContent();
      if (removing ? !there
                   : there && (*row)->content.resource == draft.resource &&
                         (*row)->content.internal == draft.internal) {
        result.outcome = Outcome::kCommitted;
        if (there) result.revisions = {(*row)->revision};
      }
    }
  }
  if (result.outcome == Outcome::kUnknown) {
    AddDoubt(key, item->revision());
    for (const auto& [other, before] : others) AddDoubt(other, before);
  }
  if (result.outcome == Outcome::kCommitted) {
    if (removing) {
      // Whoever asked for it has the error, whoever deleted it has the answer; what waits in line
      // finds nothing.
      std::vector<Waiter> waiters = std::move(item->waiters_);
      const absl::Status refusal = item->refusal_.ok() ? NotFound(key) : item->refusal_;
      std::vector<Change> applied = std::move(item->applied_);
      std::vector<Change> pending = std::move(item->pending_);
      const auto dependents = std::move(item->dependents_);
      item->AbandonPlaces();
      Drop(key);
      for (Waiter& waiter : waiters) std::move(waiter.done)(refusal);
      for (Change& change : applied) {
        if (change.done) std::move(change.done)(change.status);
      }
      FailChanges(pending, NotFound(key));
      WakeAll(dependents);
      return;
    }
    const std::string before(StateName(*item));
    item->AcceptDraft(result.revisions.empty() ? item->revision() : result.revisions[0]);
    item->shard_ = item->draft_shard_;
    if (const absl::string_view after = StateName(*item); after != before) {
      telemetry().OnStateChange(item->name(), item->context(), before, after, ErrorMessage(*item));
    }
    Settle(*item, /*committed=*/true);
    if (item = Find(key); item != nullptr && item->heard_ > item->revision()) Refresh(*item);
    return;
  }
  // Not committed: what was heard goes into the next draft.
  item->refusal_ = absl::OkStatus();
  std::vector<Change> again = std::move(item->applied_);
  item->applied_.clear();
  if (result.outcome == Outcome::kUnavailable || result.outcome == Outcome::kUnknown) {
    // A caller's command is answered rather than kept; what a provider said is kept.
    const absl::Status error =
        result.outcome == Outcome::kUnavailable ? StoreUnavailable() : CommitUnknown();
    telemetry().OnWarning(item->name(), absl::StrCat(result.outcome == Outcome::kUnavailable
                                                         ? "not committed: "
                                                         : "not known to be committed: ",
                                                     result.message));
    std::vector<Change> kept;
    for (Change& change : again) {
      if (change.done) {
        std::move(change.done)(error);
      } else {
        kept.push_back(std::move(change));
      }
    }
    again = std::move(kept);
  }
  if (result.outcome == Outcome::kConflict || result.outcome == Outcome::kUnknown) {
    auto row = parts_.store.Get(key);
    if (row.ok() && (!row->has_value() || (*row)->create_revision != item->create_revision_)) {
      item->pending_.insert(item->pending_.begin(), std::make_move_iterator(again.begin()),
                            std::make_move_iterator(again.end()));
      return Vanish(*item);
    }
    if (row.ok()) {
      // Somebody else knows of it: it stays.
      if ((*row)->revision != item->revision()) item->acknowledged_ = true;
      item->Load(**row);
    }
  }
  if (result.outcome == Outcome::kConditionUnmet) {
    // Who asked for it is told why not; what a provider said meanwhile is kept.
    std::vector<Change> kept;
    for (Change& change : again) {
      if (change.unmet && change.status.ok()) {
        std::move(change.done)(change.unmet(result.unmet.front()));
      } else {
        kept.push_back(std::move(change));
      }
    }
    again = std::move(kept);
    PostAdvance(*item);
  } else if (result.outcome != Outcome::kConflict) {
    parts_.loop.PostAt(Now() + kStoreRetry, [this, key] {
      if (Item* found = Find(key)) PostAdvance(*found);
    });
  } else {
    PostAdvance(*item);
  }
  // Nobody waits longer than they said because the store is away.
  AnswerWaiters(*item);
  again.insert(again.end(), std::make_move_iterator(item->pending_.begin()),
               std::make_move_iterator(item->pending_.end()));
  item->pending_ = std::move(again);
}

void Reconciler::Settle(Item& item, bool committed) {
  const store::Key key = item.key();
  std::vector<Change> applied = std::move(item.applied_);
  item.applied_.clear();
  auto actions = std::move(item.actions_);
  item.actions_.clear();
  for (auto& action : actions) std::move(action)();
  for (Change& change : applied) {
    if (change.done) std::move(change.done)(change.status);
  }
  item.DropDraft();
  AnswerWaiters(item);
  if (committed) {
    const auto dependents = item.dependents_;
    if (!item.Unfinished()) item.dependents_.clear();
    WakeAll(dependents);
  }
  item.UpdateCounts();
  if (!item.pending_.empty() || committed) PostAdvance(item);
  SetTimer(item);
  const bool idle = (!item.Unfinished() || !Follows(item)) && item.pending_.empty() &&
                    item.waiters_.empty() && item.dependents_.empty() && !item.advance_posted_ &&
                    std::none_of(item.runs_.begin(), item.runs_.end(),
                                 [](const UnitRun& run) { return run.in_flight; });
  if (idle) {
    item.AbandonPlaces();
    Drop(key);
  }
}

void Reconciler::SetTimer(Item& item) {
  if (item.wake_at_ == absl::InfiniteFuture()) return;
  // Timers cannot be taken back, so there are few: each is sooner than those before it, and none is
  // so far off that the timers of what is finished by then would pile up.
  const absl::Time at = std::min(item.wake_at_, Now() + kLongestTimer);
  if (!item.timers_.empty() && *item.timers_.begin() <= at) return;
  item.timers_.insert(at);
  parts_.loop.PostAt(at, [this, key = item.key(), at] {
    Item* found = Find(key);
    if (found == nullptr || found->timers_.erase(at) == 0) return;
    // What is committing looks again when that is done.
    if (found->committing_) return;
    if (found->wake_at_ > Now()) return SetTimer(*found);
    Advance(*found);
  });
}

void Reconciler::Drop(const store::Key& key) {
  const auto it = items_.find(key);
  if (it == items_.end()) return;
  it->second->ClearCounts();
  // The item unregisters what it uses while it goes.
  std::unique_ptr<Item> dying = std::move(it->second);
  items_.erase(it);
}

// --- Commands
// -------------------------------------------------------------------------------------

void Reconciler::CancelVideo(store::Key key, model::UsableProviders usable,
                             Reply<v1::VideoTask> reply) {
  CommandVideo(
      std::move(key),
      [usable = std::move(usable)](VideoItem& item) {
        if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
        return item.Cancel();
      },
      std::move(reply));
}

void Reconciler::ResolveVideo(store::Key key, model::UsableProviders usable, model::Resolution said,
                              std::function<AdoptionConditions(const v1::VideoTask&)> adopt,
                              Reply<v1::VideoTask> reply) {
  CommandVideo(
      std::move(key),
      [usable = std::move(usable), said = std::move(said),
       adopt = std::move(adopt)](VideoItem& item) -> absl::Status {
        if (!model::MayUseAll(usable, item.current().record.units()) ||
            (said.resubmit && !model::MayUseAll(usable, item.current().record.targets()))) {
          return model::NotAllowed();
        }
        // For each draft: where the conditions did not hold, this says why, or has others.
        std::vector<store::Conditions::TermAnywhere> absent;
        if (adopt) {
          AdoptionConditions conditions = adopt(item.resource());
          if (!conditions.ok()) return conditions.status();
          absent = *std::move(conditions);
        }
        // Somebody knows of it and relies on it: it stays, even if its creator still waits.
        item.acknowledged_ = true;
        if (absl::Status s = item.Resolve(said); !s.ok()) return s;
        std::move(absent.begin(), absent.end(),
                  std::back_inserter(item.conditions_.absent_anywhere));
        return absl::OkStatus();
      },
      std::move(reply));
}

void Reconciler::CommandVideo(store::Key key, absl::AnyInvocable<absl::Status(VideoItem&)> command,
                              Reply<v1::VideoTask> reply) {
  parts_.loop.Post([this, key = std::move(key), command = std::move(command),
                    reply = std::move(reply)]() mutable {
    auto loaded = FindOrLoad(key);
    if (!loaded.ok()) return std::move(reply)(loaded.status());
    if (*loaded == nullptr) return std::move(reply)(NotFound(key));
    Change change;
    change.apply = [command = std::move(command)](Item& item) mutable {
      return command(static_cast<VideoItem&>(item));
    };
    change.done = [this, key, reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return std::move(reply)(status);
      Item* item = Find(key);
      if (item == nullptr) return std::move(reply)(NotFound(key));
      std::move(reply)(static_cast<VideoItem*>(item)->resource());
    };
    AddChange(**loaded, std::move(change));
  });
}

namespace {

absl::Status InUse(const std::string& name, absl::string_view why) {
  return base::Error(absl::StatusCode::kFailedPrecondition, v1::IN_USE,
                     absl::StrCat("\"", name, "\" cannot be deleted: ", why));
}

bool BeingSubmitted(const model::Submission& submission) { return submission.open(); }

// Something may exist at the provider that nobody here has an id of.
bool MayHaveBeenMade(const model::Unit& unit) {
  return unit.unknown_outcomes() + unit.earlier_unknown_outcomes() > 0;
}

// Each provider once, however often it was placed there.
template <typename Response>
void AddRetained(const std::string& provider_name, Response& response) {
  const auto& known = response.retained_by_providers();
  if (std::find(known.begin(), known.end(), provider_name) != known.end()) return;
  response.add_retained_by_providers(provider_name);
}

}  // namespace

void Reconciler::DeleteGroup(store::Key key, model::UsableProviders usable,
                             Reply<v1::DeleteAssetGroupResponse> reply) {
  parts_.loop.Post(
      [this, key = std::move(key), usable = std::move(usable), reply = std::move(reply)]() mutable {
        auto loaded = FindOrLoad(key);
        if (!loaded.ok()) return std::move(reply)(loaded.status());
        if (*loaded == nullptr) return std::move(reply)(NotFound(key));
        auto response = std::make_shared<v1::DeleteAssetGroupResponse>();
        Change change;
        change.apply = [key, usable = std::move(usable), response](Item& base) {
          auto& item = static_cast<GroupItem&>(base);
          if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
          response->Clear();
          for (int i = 0; i < item.current().record.units_size(); ++i) {
            if (BeingSubmitted(item.current().record.units(i).submission())) {
              return InUse(item.name(), "it is just being submitted to a provider; try again");
            }
            if (!item.resource().placements(i).provider_group_id().empty() ||
                MayHaveBeenMade(item.current().record.units(i))) {
              AddRetained(item.resource().placements(i).provider(), *response);
            }
          }
          item.Remove({}, {.absent = {model::AssetsOfGroup(key)}});
          return absl::OkStatus();
        };
        change.unmet = [key](const store::Key& member) {
          return InUse(model::MakeName(model::kAssetGroups, key.id),
                       absl::StrCat("\"", model::MakeName(model::kAssets, member.id),
                                    "\" belongs to it; delete its assets first"));
        };
        change.done = [response, reply = std::move(reply)](absl::Status status) mutable {
          if (!status.ok()) return std::move(reply)(status);
          std::move(reply)(*response);
        };
        AddChange(**loaded, std::move(change));
      });
}

void Reconciler::DeleteAsset(store::Key key, model::UsableProviders usable,
                             Reply<v1::DeleteAssetResponse> reply) {
  parts_.loop.Post([this, key = std::move(key), usable = std::move(usable),
                    reply = std::move(reply)]() mutable {
    auto loaded = FindOrLoad(key);
    if (!loaded.ok()) return std::move(reply)(loaded.status());
    if (*loaded == nullptr) return std::move(reply)(NotFound(key));
    auto response = std::make_shared<v1::DeleteAssetResponse>();
    auto deletions = std::make_shared<std::vector<store::Key>>();
    Change change;
    change.apply = [this, key, usable = std::move(usable), response, deletions](Item& base) {
      auto& item = static_cast<AssetItem&>(base);
      if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
      response->Clear();
      deletions->clear();
      std::vector<store::Write> writes;
      for (int i = 0; i < item.current().record.units_size(); ++i) {
        const model::Unit& unit = item.current().record.units(i);
        if (BeingSubmitted(unit.submission())) {
          return InUse(item.name(), absl::StrCat("it is just being submitted to ", unit.provider(),
                                                 "; try again"));
        }
        if (unit.handle().empty()) {
          if (MayHaveBeenMade(unit)) {
            AddRetained(model::MakeName(model::kProviders, unit.provider()), *response);
          }
          continue;
        }
        if (item.resource().placements(i).state() == v1::Placement::LOST) continue;
        const model::ProviderEntry* provider = catalog().FindProvider(unit.provider());
        if (provider == nullptr ||
            !provider->dialect->EncodeDeleteAsset(unit.handle()).has_value()) {
          AddRetained(model::MakeName(model::kProviders, unit.provider()), *response);
          continue;
        }
        model::UpstreamDeletion deletion;
        deletion.set_asset(item.name());
        deletion.set_provider(unit.provider());
        deletion.set_handle(unit.handle());
        deletion.set_credential_id(unit.credential_id());
        *deletion.mutable_create_time() = base::ToProto(Now());
        store::Write write;
        write.key = {key.tenant, store::Kind::kUpstreamDeletion, model::NewResourceId(Now())};
        write.content.emplace();
        write.content->internal = deletion.SerializeAsString();
        write.content->unfinished = true;
        write.content->shard = leases().Pick().value_or(item.shard_);
        deletions->push_back(write.key);
        writes.push_back(std::move(write));
      }
      item.Remove(std::move(writes), {.absent = {model::UnfinishedTasksUsing(key)}});
      return absl::OkStatus();
    };
    change.unmet = [key](const store::Key& task) {
      return InUse(model::MakeName(model::kAssets, key.id),
                   absl::StrCat("the unfinished \"", model::MakeName(model::kVideoTasks, task.id),
                                "\" is made from it; wait for it or cancel it"));
    };
    change.done = [this, response, deletions,
                   reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return std::move(reply)(status);
      for (const store::Key& deletion : *deletions) {
        // Loading begins the work.
        if (auto item = FindOrLoad(deletion); !item.ok()) {
          telemetry().OnWarning(deletion.id, "an upstream deletion begins at the next restart");
        }
      }
      std::move(reply)(*response);
    };
    AddChange(**loaded, std::move(change));
  });
}

void Reconciler::DeleteVideo(store::Key key, model::UsableProviders usable,
                             Reply<v1::DeleteVideoTaskResponse> reply) {
  parts_.loop.Post([this, key = std::move(key), usable = std::move(usable),
                    reply = std::move(reply)]() mutable {
    auto loaded = FindOrLoad(key);
    if (!loaded.ok()) return std::move(reply)(loaded.status());
    if (*loaded == nullptr) return std::move(reply)(NotFound(key));
    Change change;
    change.apply = [usable = std::move(usable)](Item& base) {
      auto& item = static_cast<VideoItem&>(base);
      if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
      if (item.resource().state() == v1::VideoTask::UNCONFIRMED) {
        return InUse(item.name(),
                     "it is not known whether its provider accepted it; wait, or settle it first "
                     "with ResolveVideoTask (assetctl videos resolve)");
      }
      const auto& attempts = item.resource().attempts();
      // What was given up may go, and with it what would come late.
      if (!model::IsFinal(item.resource().state()) ||
          std::any_of(attempts.begin(), attempts.end(), [](const v1::Attempt& attempt) {
            return !model::IsFinal(attempt.state());
          })) {
        return InUse(item.name(), "it is not finished; cancel it, or wait for its end");
      }
      item.Remove({});
      return absl::OkStatus();
    };
    change.done = [reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return std::move(reply)(status);
      std::move(reply)(v1::DeleteVideoTaskResponse());
    };
    AddChange(**loaded, std::move(change));
  });
}

// --- Recovery and shutdown
// ------------------------------------------------------------------------

// Counts as a listing, so that `done` waits for those that begin before it ends.
void Reconciler::Recover(absl::AnyInvocable<void() &&> done) {
  parts_.loop.Post([this, done = std::move(done)]() mutable {
    ++listings_;
    recovered_.push_back(std::move(done));
    FollowSlots();
    leases().SetListener(this);
    parts_.loop.Post([this] { EndListing(); });
  });
}

void Reconciler::OnTaken(const std::vector<store::Shard>& shards) {
  parts_.loop.Post([this, shards] {
    std::array<bool, store::kShards> taken = {};
    for (const store::Shard shard : shards) taken[shard] = held_[shard] = true;
    shared_ = absl::InfinitePast();
    ShareBudgets();
    // What is here already, for a waiter or a dependent, or since it was followed before.
    for (const auto& [key, item] : items_) {
      if (!taken[item->shard_]) continue;
      item->SpreadPolls();
      PostAdvance(*item);
    }
    ++listings_;
    ReadPage({shards, std::nullopt});
  });
}

void Reconciler::OnLost(const std::vector<store::Shard>& shards) {
  parts_.loop.Post([this, shards] {
    std::array<bool, store::kShards> lost = {};
    for (const store::Shard shard : shards) {
      lost[shard] = true;
      held_[shard] = false;
    }
    shared_ = absl::InfinitePast();
    ShareBudgets();
    for (const auto& [key, item] : items_) {
      if (!lost[item->shard_]) continue;
      // Another gateway goes on with it, and nobody takes it back any more. What is being committed
      // keeps its place until that is done.
      item->acknowledged_ = true;
      if (!item->committing_) item->AbandonPlaces();
      PostAdvance(*item);
    }
  });
}

void Reconciler::ReadPage(Listing listing) {
  std::erase_if(listing.shards, [this](store::Shard shard) { return !held_[shard]; });
  if (listing.shards.empty()) return EndListing();
  auto page = parts_.store.ListUnfinished(
      {.shards = listing.shards, .after = listing.after, .limit = kRecoveryPage});
  if (!page.ok()) {
    telemetry().OnWarning("unfinished work",
                          absl::StrCat("cannot be taken up yet: ", page.status().message()));
    parts_.loop.PostAt(Now() + kStoreRetry, [this, listing = std::move(listing)]() mutable {
      ReadPage(std::move(listing));
    });
    return;
  }
  for (const store::Row& row : *page) TakeUp(row);
  if (page->size() < kRecoveryPage) return EndListing();
  listing.after = page->back().key;
  parts_.loop.Post(
      [this, listing = std::move(listing)]() mutable { ReadPage(std::move(listing)); });
}

void Reconciler::EndListing() {
  if (--listings_ > 0) return;
  for (auto& done : std::exchange(recovered_, {})) std::move(done)();
}

void Reconciler::TakeUp(const store::Row& row) {
  if (Item* item = Find(row.key)) {
    // What was created meanwhile, or is here for another reason.
    if (item->committing_) {
      item->heard_ = std::max(item->heard_, row.revision);
    } else if (row.revision > item->revision()) {
      Refresh(*item, row);
    }
    return;
  }
  Adopt(row);
}

// --- Commits whose outcome the store could not tell
// -------------------------------------------------------------------------------

void Reconciler::AddDoubt(store::Key key, store::Revision before,
                          std::optional<std::string> created) {
  doubts_.insert_or_assign(std::move(key), Doubt{before, std::move(created), Now()});
  doubt_delay_ = kFirstDoubtDelay;
  if (asking_about_doubts_) return;
  asking_about_doubts_ = true;
  parts_.loop.PostAt(Now() + doubt_delay_, [this] { AskAboutDoubts(); });
}

void Reconciler::AskAboutDoubts() {
  store::Transaction barrier;
  barrier.barrier = true;
  parts_.store.Commit(std::move(barrier), [this, asked = Now()](const store::CommitResult& result) {
    const bool decided = result.outcome == store::CommitResult::Outcome::kCommitted;
    parts_.loop.Post([this, asked, decided] {
      auto keys = std::make_shared<std::vector<store::Key>>();
      if (decided) {
        for (const auto& [key, doubt] : doubts_) keys->push_back(key);
      }
      DecideDoubts(std::move(keys), 0, asked);
    });
  });
}

void Reconciler::DecideDoubts(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from,
                              absl::Time asked) {
  const std::size_t end = std::min(keys->size(), from + kDoubtPage);
  for (std::size_t i = from; i < end; ++i) DecideDoubt((*keys)[i], asked);
  if (end < keys->size()) {
    parts_.loop.Post([this, keys = std::move(keys), end, asked]() mutable {
      DecideDoubts(std::move(keys), end, asked);
    });
    return;
  }
  asking_about_doubts_ = !doubts_.empty();
  if (!asking_about_doubts_) return;
  parts_.loop.PostAt(Now() + doubt_delay_, [this] { AskAboutDoubts(); });
  doubt_delay_ = std::min(2 * doubt_delay_, kLongestDoubtDelay);
}

void Reconciler::DecideDoubt(const store::Key& key, absl::Time asked) {
  const auto it = doubts_.find(key);
  // What came into doubt later waits for the next barrier.
  if (it == doubts_.end() || it->second.since > asked) return;
  auto row = parts_.store.Get(key);
  if (!row.ok()) return;
  const store::Revision before = it->second.before;
  const bool changed = row->has_value() ? (*row)->revision > before : before != 0;
  if (!changed) {
    if (asked - it->second.since >= kDoubtPeriod) doubts_.erase(it);
    return;
  }
  if (row->has_value()) {
    const bool ours = (*row)->content.unfinished && held_[(*row)->content.shard];
    if (Find(key) != nullptr || ours) TakeUp(**row);
  } else if (Item* item = Find(key); item != nullptr && !item->committing_) {
    Vanish(*item);
  }
  // Taking it up may have ended the doubt already.
  doubts_.erase(key);
}

// --- Other gateways
// -------------------------------------------------------------------------------

void Reconciler::OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision) {
  if (slots_.OnChanges(changes)) parts_.loop.Post([this] { WakeForSlots(); });
  bool post = false;
  for (const store::ChangePtr& change : changes) {
    if (change->local) continue;
    absl::MutexLock lock(&inbox_mu_);
    if (!inbox_.posted) post = inbox_.posted = true;
    if (inbox_.overrun) continue;
    inbox_.newest[change->key] = change;
    if (inbox_.newest.size() > kMaxInbox) {
      inbox_.newest.clear();
      inbox_.overrun = true;
    }
  }
  if (post) parts_.loop.Post([this] { ReadInbox(); });
}

void Reconciler::OnGap(store::Revision) {
  slots_.OnGap();
  parts_.loop.Post([this] { FollowSlots(); });
  CompareAll(absl::ZeroDuration());
}

void Reconciler::CompareAll(absl::Duration delay) {
  {
    absl::MutexLock lock(&inbox_mu_);
    inbox_.overrun = true;
    if (std::exchange(inbox_.posted, true)) return;
  }
  parts_.loop.PostAt(Now() + delay, [this] { ReadInbox(); });
}

void Reconciler::ReadInbox() {
  Inbox inbox;
  {
    absl::MutexLock lock(&inbox_mu_);
    inbox = std::exchange(inbox_, {});
  }
  for (const auto& [key, change] : inbox.newest) Hear(*change);
  if (!inbox.overrun) return;
  std::vector<store::Key> others;
  for (const auto& [key, item] : items_) {
    if (!Follows(*item) && !item->committing_) others.push_back(key);
  }
  for (const store::Key& key : others) {
    if (Item* item = Find(key)) Refresh(*item);
  }
  Listing listing;
  for (store::Shard shard = 0; shard < store::kShards; ++shard) {
    if (held_[shard]) listing.shards.push_back(shard);
  }
  ++listings_;
  ReadPage(std::move(listing));
}

void Reconciler::Hear(const store::Change& change) {
  if (Item* item = Find(change.key)) {
    item->heard_ = std::max(item->heard_, change.revision);
    // What is being committed looks when that is done.
    if (!item->committing_ && change.revision > item->revision()) Refresh(*item);
    return;
  }
  if (change.deleted || !change.unfinished || !held_[change.shard]) return;
  // Loading begins the work.
  if (FindOrLoad(change.key).ok()) return;
  // When the store can be read again.
  CompareAll(kStoreRetry);
}

void Reconciler::Refresh(Item& item) {
  auto row = parts_.store.Get(item.key());
  if (!row.ok()) {
    parts_.loop.PostAt(Now() + kStoreRetry, [this, key = item.key(), serial = item.serial_] {
      Item* found = Find(key, serial);
      if (found != nullptr && !found->committing_) Refresh(*found);
    });
    return;
  }
  if (!row->has_value()) return Vanish(item);
  Refresh(item, **row);
}

void Reconciler::Refresh(Item& item, const store::Row& row) {
  if (row.revision <= item.revision()) return;
  if (row.create_revision != item.create_revision_) {
    const store::Key key = item.key();
    Vanish(item);
    if (row.content.unfinished && held_[row.content.shard] && Find(key) == nullptr) TakeUp(row);
    return;
  }
  const bool followed = Follows(item);
  item.Load(row);
  // Somebody else knows of it: it stays.
  item.acknowledged_ = true;
  if (!followed && Follows(item)) item.SpreadPolls();
  if (followed && !Follows(item)) item.AbandonPlaces();
  // Those that still depend on it say so again.
  WakeAll(std::exchange(item.dependents_, {}));
  PostAdvance(item);
}

void Reconciler::Vanish(Item& item) {
  const store::Key key = item.key();
  std::vector<Waiter> waiters = std::move(item.waiters_);
  std::vector<Change> pending = std::move(item.pending_);
  const auto dependents = std::move(item.dependents_);
  item.AbandonPlaces();
  Drop(key);
  WakeAll(dependents);
  for (Waiter& waiter : waiters) std::move(waiter.done)(NotFound(key));
  FailChanges(pending, NotFound(key));
}

store::Shard Reconciler::ShardFor(const Item& item, const store::Content& content) {
  // Work begins anew where it was finished: then whoever took the call does it. What another
  // gateway is at stays there.
  if (!content.unfinished || Follows(item) || item.Unfinished()) return item.shard_;
  return leases().Pick().value_or(item.shard_);
}

void Reconciler::ShareBudgets() {
  const absl::Time now = Now();
  // Also when the clock has stepped back.
  if (now >= shared_ && now - shared_ < kShareInterval) return;
  shared_ = now;
  const int gateways = leases().gateways();
  for (auto& [id, gate] : gates_) gate->Share(gateways);
}

void Reconciler::SetUpGates(const model::ProviderChanges& changes) {
  for (const auto& provider : catalog_->providers()) {
    std::unique_ptr<upstream::Gate>& gate = gates_[provider->id];
    if (gate == nullptr) {
      gate = std::make_unique<upstream::Gate>(provider->limits, parts_.loop,
                                              [this, id = provider->id](absl::Duration waited) {
                                                telemetry().OnBudgetWait(id, waited);
                                              });
    } else {
      gate->SetLimits(provider->limits);
      const auto change = changes.find(provider->id);
      if (change != changes.end() && change->second.access) gate->Forget();
    }
    NoteState(*provider);
  }
}

void Reconciler::Reconfigure(model::CatalogPtr catalog, absl::AnyInvocable<void() &&> done) {
  parts_.loop.Post([this, catalog = std::move(catalog), done = std::move(done)]() mutable {
    const model::ProviderChanges changes = model::ChangesBetween(*catalog_, *catalog);
    const bool concerns_all = catalog_->settings() != catalog->settings();
    catalog_ = std::move(catalog);
    SetUpGates(changes);
    // New gates have their part of the budget too.
    shared_ = absl::InfinitePast();
    ShareBudgets();
    parts_.catalog.Set(catalog_);
    FollowSlots();
    if (provider_listener_ != nullptr) provider_listener_->OnProvidersChanged();
    auto concerned = std::make_shared<std::vector<store::Key>>();
    if (concerns_all || !changes.empty()) {
      for (const auto& [key, item] : items_) {
        if (item->Reconsider(changes) || concerns_all) concerned->push_back(key);
      }
    }
    WakeInTurn(std::move(concerned), 0);
    std::move(done)();
  });
}

// --- What a provider takes only so many of at one time
// -------------------------------------------------------------------------------

void Reconciler::FollowSlots() {
  std::set<std::string> providers;
  for (const auto& provider : catalog_->providers()) {
    if (!provider->slots.empty()) providers.insert(provider->id);
  }
  slots_.Follow(std::move(providers));
  if (!slots_.NeedsReading()) return;
  slots_.BeginReading();
  ReadSlots(std::nullopt);
}

void Reconciler::ReadSlots(std::optional<store::Key> after) {
  const auto page = parts_.store.ListUnfinished(
      {.shards = std::nullopt, .after = std::move(after), .limit = kRecoveryPage});
  if (!page.ok()) {
    slots_.EndReading(/*complete=*/false);
    telemetry().OnWarning(
        "slots", absl::StrCat("unfinished tasks cannot be counted yet: ", page.status().message()));
    parts_.loop.PostAt(Now() + kStoreRetry, [this] { FollowSlots(); });
    return;
  }
  slots_.Read(*page);
  if (page->size() == kRecoveryPage) {
    parts_.loop.Post([this, last = page->back().key]() mutable { ReadSlots(std::move(last)); });
    return;
  }
  slots_.EndReading(/*complete=*/true);
  WakeForSlots();
  // Where another provider came, or a gap, while it was read.
  if (slots_.NeedsReading()) parts_.loop.Post([this] { FollowSlots(); });
}

std::optional<Reconciler::NoSlot> Reconciler::NoSlotFor(const store::Key& task,
                                                        const model::ProviderEntry& provider,
                                                        const std::string& model) const {
  const std::optional<int> limit = provider.slots.For(model);
  if (!limit.has_value()) return std::nullopt;
  const std::optional<int> taken = slots_.TakenByOthers({provider.id, model}, task);
  if (!taken.has_value()) {
    return NoSlot{absl::StrCat("the unfinished tasks of ", model, " are being counted"),
                  Now() + kStoreRetry};
  }
  if (*taken < *limit) return std::nullopt;
  return NoSlot{
      absl::StrCat("all slots of ", model, " (", *limit, ") are taken by unfinished tasks"),
      absl::InfiniteFuture()};
}

void Reconciler::JoinSlotLine(const store::Key& task, const ModelSlot& slot, absl::Time since) {
  slot_lines_[slot].Join(task, since);
}

void Reconciler::TakeSlot(const store::Key& task, const ModelSlot& slot) {
  slots_.Take(task, slot);
  for (auto& [each, line] : slot_lines_) line.Leave(task);
}

void Reconciler::ReleaseSlot(const store::Key& task) {
  for (auto& [each, line] : slot_lines_) line.Leave(task);
  if (slots_.Release(task)) parts_.loop.Post([this] { WakeForSlots(); });
}

void Reconciler::WakeForSlots() {
  bool woken = false;
  for (auto it = slot_lines_.begin(); it != slot_lines_.end();) {
    const model::ProviderEntry* provider = catalog_->FindProvider(it->first.provider);
    const std::optional<int> limit =
        provider == nullptr ? std::nullopt : provider->slots.For(it->first.model);
    // Where there is no limit any more, all may look.
    int free = std::numeric_limits<int>::max();
    if (limit.has_value()) {
      const std::optional<int> taken = slots_.TakenByOthers(it->first, store::Key());
      free = taken.has_value() ? *limit - *taken : 0;
    }
    while (free > 0) {
      const std::optional<store::Key> next = it->second.Next();
      if (!next.has_value()) break;
      Item* item = Find(*next);
      if (item == nullptr) continue;
      PostAdvance(*item);
      woken = true;
      --free;
    }
    it = it->second.empty() ? slot_lines_.erase(it) : std::next(it);
  }
  // One that looked and went elsewhere leaves the slot to the next in line: these look once those
  // have.
  if (woken && !slot_lines_.empty()) parts_.loop.Post([this] { WakeForSlots(); });
}

bool Reconciler::TakeUploadPlace(const store::Key& asset, std::size_t unit,
                                 const model::ProviderEntry& provider, absl::Time since) {
  const int most = provider.dialect->traits().max_asset_submissions;
  if (most <= 0) return true;
  Uploads& uploads = uploads_[provider.id];
  // What was decided on, and neither is being committed nor under way, came to nothing.
  std::erase_if(uploads.under_way, [&](const auto& place) {
    auto* item = static_cast<AssetItem*>(Find(place.first));
    if (item == nullptr || (place.first == asset && place.second == unit)) return true;
    if (item->run(place.second).in_flight) return false;
    const auto& units = item->draft().record.units();
    const bool intended = item->committing_ &&
                          place.second < static_cast<std::size_t>(units.size()) &&
                          units.Get(static_cast<int>(place.second)).submission().open();
    return !intended;
  });
  const auto limit = static_cast<std::size_t>(std::max(1, most / std::max(1, leases().gateways())));
  if (uploads.under_way.size() >= limit) {
    uploads.line.Join(asset, since);
    return false;
  }
  uploads.under_way.emplace_back(asset, unit);
  uploads.line.Leave(asset);
  return true;
}

void Reconciler::WakeForUpload(const std::string& provider_id) {
  const auto found = uploads_.find(provider_id);
  if (found == uploads_.end()) return;
  while (const std::optional<store::Key> next = found->second.line.Next()) {
    Item* item = Find(*next);
    if (item == nullptr) continue;
    return PostAdvance(*item);
  }
}

void Reconciler::WakeInTurn(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from) {
  const std::size_t end = std::min(keys->size(), from + kRecoveryPage);
  for (std::size_t i = from; i < end; ++i) {
    if (Item* found = Find((*keys)[i])) PostAdvance(*found);
  }
  if (end == keys->size()) return;
  parts_.loop.Post(
      [this, keys = std::move(keys), end]() mutable { WakeInTurn(std::move(keys), end); });
}

void Reconciler::Hurry() {
  parts_.loop.Post([this] {
    hurried_ = true;
    std::vector<store::Key> waited_for;
    for (auto& [key, item] : items_) {
      for (Waiter& waiter : item->waiters_) waiter.answer_by = Now();
      if (!item->waiters_.empty()) waited_for.push_back(key);
    }
    for (const store::Key& key : waited_for) {
      if (Item* item = Find(key); item != nullptr && !item->removing_) AnswerWaiters(*item);
    }
  });
}

void Reconciler::Drain(absl::AnyInvocable<void() &&> quiet) {
  Hurry();
  parts_.loop.Post([this, quiet = std::move(quiet)]() mutable {
    draining_ = true;
    quiet_.push_back(std::move(quiet));
    PostQuietCheck();
  });
}

void Reconciler::SubmissionEnded() {
  --submissions_in_flight_;
  PostQuietCheck();
}

void Reconciler::PostQuietCheck() {
  if (quiet_.empty()) return;
  parts_.loop.Post([this] {
    const bool busy = submissions_in_flight_ > 0 || commits_in_flight_ > 0 ||
                      std::any_of(items_.begin(), items_.end(), [](const auto& entry) {
                        // A round is posted that will hand what was heard to the store.
                        return !entry.second->pending_.empty() && entry.second->advance_posted_;
                      });
    // Whatever ends looks again.
    if (busy) return;
    for (auto& quiet : std::exchange(quiet_, {})) std::move(quiet)();
  });
}

// --- For items
// ------------------------------------------------------------------------------------

void Reconciler::Release(const model::ProviderEntry& called, upstream::CallClass call_class,
                         const provider::Failure* failure, std::uint64_t unit) {
  const model::ProviderEntry* now = catalog_->FindProvider(called.id);
  if (failure != nullptr && (now == nullptr || !model::SameAccess(*now, called))) {
    return gate(called).Abandon(call_class);
  }
  gate(called).Release(call_class, failure, unit);
}

void Reconciler::Send(const Item& item, model::CatalogPtr catalog,
                      const model::ProviderEntry& provider, const provider::Credential& credential,
                      http::Request request, http::SendOptions options,
                      absl::AnyInvocable<void(Item*, http::Result, absl::Duration) &&> done) {
  const absl::Time sent = Now();
  const store::Key& key = item.key();
  const std::uint64_t serial = item.serial_;
  if (sent > options.send_before) {
    // As the client would say, which looks again at the last moment.
    parts_.loop.Post(
        [this, key, serial, catalog = std::move(catalog), done = std::move(done)]() mutable {
          std::move(done)(Find(key, serial),
                          http::TransportError{http::TransportError::Kind::kExpired,
                                               /*maybe_sent=*/false, "too late to be sent"},
                          absl::ZeroDuration());
        });
    return;
  }
  options.base_url = provider.base_url;
  provider.dialect->Authorize(request, credential, sent);
  provider.egress.ApplyTo(request, options);
  parts_.http.Send(
      std::move(request), std::move(options),
      [this, key, serial, sent, catalog = std::move(catalog), &provider, &credential,
       done = std::move(done)](http::Result result) mutable {
        if (auto* response = std::get_if<http::Response>(&result)) {
          provider::MaskSecrets(credential, *response);
        }
        parts_.loop.Post([this, key, serial, sent, catalog = std::move(catalog), &provider,
                          done = std::move(done), result = std::move(result)]() mutable {
          std::move(done)(Find(key, serial), std::move(result),
                          std::max(absl::ZeroDuration(), Now() - sent));
          NoteState(provider);
        });
      });
}

Reconciler::Dependency Reconciler::GroupAt(const store::Key& key,
                                           const model::ProviderEntry& provider, absl::Time since,
                                           Item& dependent) {
  Dependency dependency;
  dependency.state = Dependency::State::kPending;
  auto loaded = FindOrLoad(key);
  if (!loaded.ok()) {
    dependent.WakeAt(Now() + kStoreRetry);
    return dependency;
  }
  if (*loaded == nullptr) {
    if (key.id != model::DefaultGroupId(provider.id)) {
      dependency.state = Dependency::State::kMissing;
      return dependency;
    }
    model::GroupEntity entity;
    entity.key = key;
    entity.resource.set_name(model::MakeName(model::kAssetGroups, key.id));
    entity.resource.set_display_name(absl::StrCat("assetgate default (", provider.id, ")"));
    entity.resource.set_creator("assetgate");
    *entity.resource.mutable_create_time() = base::ToProto(Now());
    *entity.resource.mutable_update_time() = entity.resource.create_time();
    Creation<model::GroupEntity> creation;
    creation.entities.push_back(std::move(entity));
    creation.answer_by = Now();
    creation.context = dependent.context_;
    creation.waited = dependent.waited_;
    // The dependent looks again: at once where the group is there now, whoever made it.
    CreateGroups(std::move(creation), [this, who = dependent.key()](auto created) {
      const bool there = created.ok() && (created->front().ok() ||
                                          absl::IsAlreadyExists(created->front().status()));
      parts_.loop.PostAt(there ? Now() : Now() + kStoreRetry, [this, who] {
        if (Item* found = Find(who)) PostAdvance(*found);
      });
    });
    return dependency;
  }
  auto& group = static_cast<GroupItem&>(**loaded);
  if (group.removing_ || group.ReadOnly()) {
    group.dependents_.insert(dependent.key());
    return dependency;
  }
  for (int i = group.resource().placements_size() - 1; i >= 0; --i) {
    const auto& placement = group.resource().placements(i);
    if (model::ParseProvider(placement.provider()) != provider.id) continue;
    // The gateway's own group is tried again: nobody else would.
    if (placement.state() == v1::Placement::FAILED &&
        key.id == model::DefaultGroupId(provider.id) &&
        base::FromProto(placement.end_time()) + kOwnGroupRetry <= Now() &&
        group.CanBePlacedAnew(provider.id)) {
      break;
    }
    if (placement.state() == v1::Placement::ACTIVE) {
      dependency.state = Dependency::State::kReady;
      dependency.provider_id = placement.provider_group_id();
      dependency.handle = group.current().record.units(i).handle();
    } else if (model::IsFinal(placement.state())) {
      // A provider that was away then may be back: only its own no is for good.
      if (model::IsGivenUp(placement.error()) && base::FromProto(placement.end_time()) < since &&
          group.CanBePlacedAnew(provider.id)) {
        break;
      }
      dependency.state = Dependency::State::kFailed;
      dependency.error = placement.error();
    } else {
      group.dependents_.insert(dependent.key());
    }
    return dependency;
  }
  group.dependents_.insert(dependent.key());
  parts_.loop.Post([this, key, provider_id = provider.id, waited = dependent.waited_] {
    if (Item* found = Find(key)) {
      found->waited_ = waited;
      AddChange(*found, Change{[provider_id](Item& item) {
                                 return static_cast<GroupItem&>(item).AddPlacement(provider_id);
                               },
                               {},
                               {}});
    }
  });
  return dependency;
}

Reconciler::Dependency Reconciler::AssetAt(const store::Key& key,
                                           const model::ProviderEntry& provider, absl::Time since,
                                           Item& dependent) {
  Dependency dependency;
  auto loaded = FindOrLoad(key);
  if (!loaded.ok()) {
    dependent.WakeAt(Now() + kStoreRetry);
    return dependency;
  }
  if (*loaded == nullptr) {
    dependency.state = Dependency::State::kMissing;
    return dependency;
  }
  auto& asset = static_cast<AssetItem&>(**loaded);
  if (asset.committing_) {
    dependency.in_doubt = !asset.removing_;
    asset.dependents_.insert(dependent.key());
    dependent.WakeAt(Now() + kStoreRetry);
    return dependency;
  }
  dependency.asset = asset.resource();
  if (asset.ReadOnly()) {
    // How it stands is for a later release to say: it is waited for like one that is being
    // prepared.
    asset.dependents_.insert(dependent.key());
    return dependency;
  }
  int lost = 0;
  for (int i = asset.resource().placements_size() - 1; i >= 0; --i) {
    const auto& placement = asset.resource().placements(i);
    if (model::ParseProvider(placement.provider()) != provider.id) continue;
    const bool before = base::FromProto(placement.end_time()) < since;
    if (placement.state() == v1::Placement::LOST) {
      // Placed anew, once by itself and then for each that needs it.
      if (++lost == 1) dependency.error = placement.error();
      if (lost == 1 && before) break;
      continue;
    }
    if (placement.state() == v1::Placement::ACTIVE) {
      dependency.state = Dependency::State::kReady;
      dependency.provider_id = placement.provider_asset_id();
      dependency.handle = asset.current().record.units(i).handle();
      if (dependency.provider_id.empty()) {
        // Without it the URI would be passed instead, which is not what the caller asked for.
        dependency.state = Dependency::State::kFailed;
        dependency.error =
            base::Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_PROTOCOL_ERROR,
                        absl::StrCat(provider.id,
                                     " says that it is usable and has not said by which "
                                     "id; delete the asset and create it anew"))
                .Metadata("provider", provider.id)
                .ToProto();
      }
    } else if (placement.state() == v1::Placement::FAILED) {
      dependency.error = placement.error();
      // A provider that was away then may be back: only its own no is for good.
      if (model::IsGivenUp(placement.error()) && before) break;
      dependency.state = Dependency::State::kFailed;
    } else {
      asset.dependents_.insert(dependent.key());
    }
    return dependency;
  }
  if (lost > 1 || !asset.CanBePlacedAnew(provider.id)) {
    dependency.state = Dependency::State::kFailed;
    return dependency;
  }
  const auto& held = provider.dialect->traits().asset_capabilities.media_types();
  if (std::find(held.begin(), held.end(), asset.resource().media_type()) == held.end()) {
    // Nothing of that type is registered there: the URI itself will do.
    dependency.state = Dependency::State::kReady;
    return dependency;
  }
  asset.dependents_.insert(dependent.key());
  parts_.loop.Post([this, key, provider_id = provider.id] {
    if (Item* found = Find(key)) {
      AddChange(*found, Change{[provider_id](Item& item) {
                                 return static_cast<AssetItem&>(item).AddPlacement(provider_id);
                               },
                               {},
                               {}});
    }
  });
  return dependency;
}

void Reconciler::DescribeProviders(Reply<std::vector<v1::Provider>> reply) {
  parts_.loop.Post([this, reply = std::move(reply)]() mutable {
    Unfinished counts = unfinished();
    std::vector<v1::Provider> providers;
    for (const auto& entry : catalog().providers()) {
      v1::Provider provider;
      provider.set_name(model::MakeName(model::kProviders, entry->id));
      provider.set_dialect(entry->dialect->traits().name);
      provider.set_mode(entry->mode);
      const upstream::Gate& gate = *gates_.at(entry->id);
      provider.set_state(gate.state());
      provider.set_state_reason(gate.state_reason());
      if (const auto it = last_errors_.find(entry->id); it != last_errors_.end()) {
        *provider.mutable_last_error() = it->second.status;
        *provider.mutable_last_error_time() = base::ToProto(it->second.time);
      }
      provider.set_unfinished_placements(counts.by_provider[{base::MetricKind::kAsset, entry->id}]);
      provider.set_unfinished_attempts(
          counts.by_provider[{base::MetricKind::kVideoTask, entry->id}]);
      *provider.mutable_asset_capabilities() = entry->dialect->traits().asset_capabilities;
      providers.push_back(std::move(provider));
    }
    std::move(reply)(std::move(providers));
  });
}

void Reconciler::Failed(const model::ProviderEntry& provider, const provider::Failure& failure) {
  // Every tenant sees it. The provider's words are in that resource's own error and in the log.
  last_errors_[provider.id] = {
      provider::ToError(upstream::WithoutWords(failure), provider.id).ToProto(), Now()};
}

void Reconciler::Count(const UnfinishedUnits& before, const UnfinishedUnits& after) {
  if (before == after) return;
  const auto add = [](const UnfinishedUnits& units, std::int64_t by, Unfinished& counts) {
    for (const UnfinishedUnit& unit : units) {
      counts.by_provider[{unit.kind, unit.provider}] += by;
      counts.by_reason[{unit.kind, unit.reason}] += by;
      if (unit.unconfirmed) counts.unconfirmed[unit.provider] += by;
    }
  };
  absl::MutexLock lock(&counts_mu_);
  add(before, -1, counts_);
  add(after, 1, counts_);
}

Unfinished Reconciler::unfinished() const {
  absl::MutexLock lock(&counts_mu_);
  return counts_;
}

void Reconciler::NoteUnreadable(store::Key key) {
  parts_.loop.Post([this, key = std::move(key)] {
    telemetry().OnUnreadable(key.kind == store::Kind::kAsset       ? base::MetricKind::kAsset
                             : key.kind == store::Kind::kVideoTask ? base::MetricKind::kVideoTask
                                                                   : base::MetricKind::kAssetGroup,
                             model::MakeName(model::CollectionOf(key.kind), key.id));
  });
}

void Reconciler::NoteState(const model::ProviderEntry& provider) {
  upstream::Gate& its_gate = gate(provider);
  const base::ProviderCondition condition = its_gate.condition();
  const auto [known, first] = states_.try_emplace(provider.id, condition);
  if (!first && std::exchange(known->second, condition) == condition) return;
  if (first) telemetry().OnVideoModels(provider.id, catalog().ModelsOf(provider.id));
  telemetry().OnProviderState(provider.id, condition, its_gate.state_reason());
  if (provider_listener_ != nullptr) provider_listener_->OnProvidersChanged();
}

}  // namespace assetgate::reconcile
