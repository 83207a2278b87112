#include "reconcile/creation.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "model/refusal.h"
#include "model/resource.h"
#include "reconcile/creation_answers.h"
#include "reconcile/errors.h"

namespace assetgate::reconcile {
namespace {

using Outcome = store::CommitResult::Outcome;

// In the rows of a request id, before the id of an item that was not created: its id was taken.
constexpr char kTakenMark = '!';
// A store that is away is worth a line so often, and not one for each call.
constexpr absl::Duration kStoreTroubleInterval = absl::Seconds(10);

}  // namespace

void Creations::AnswerAll(Pending& creation, std::size_t count, const absl::Status& status) {
  for (std::size_t i = 0; i < count; ++i) creation.answers.each(status);
  std::move(creation.answers.done)(false);
}

void Creations::Create(Pending creation) {
  if (creation.repeated.has_value()) {
    const store::RequestRow row = *std::move(creation.repeated);
    return AnswerDuplicate(row, std::move(creation));
  }
  const std::size_t count = creation.items.size();
  const Environment& environment = engine_.environment();
  if (environment.draining()) {
    return AnswerAll(creation, count, base::Draining("try again"));
  }
  if (creation.claim.has_value()) {
    // A duplicate of a request that is being committed waits for that.
    if (const auto it = claims_.find(creation.claim->key); it != claims_.end()) {
      it->second.push_back(std::move(creation));
      return;
    }
  }
  if (engine_.size() + count > environment.settings().max_unfinished) {
    const base::Error error =
        base::Error(absl::StatusCode::kResourceExhausted, v1::OVERLOADED,
                    absl::StrCat("the gateway follows ", engine_.size(),
                                 " unfinished resources and takes no more for now"))
            .RetryAfter(absl::Seconds(5));
    return Refuse(std::move(creation), error);
  }
  std::optional<store::RequestKey> claim;
  if (creation.claim.has_value()) {
    claim = creation.claim->key;
    claims_[*claim];
  }
  auto admitted = std::make_shared<Pending>(std::move(creation));
  if (!admitted->adopt && !admitted->admit) return Begin(std::move(admitted), std::move(claim));
  // Both may read the store.
  engine_.reader().Run<bool>(
      0,
      [admitted]() -> absl::StatusOr<bool> {
        if (absl::Status s = Admit(*admitted); !s.ok()) return s;
        return true;
      },
      [this, admitted, claim](const absl::StatusOr<bool>& result) {
        if (result.ok()) return Begin(admitted, claim);
        Refuse(std::move(*admitted), result.status());
        End(claim);
      });
}

absl::Status Creations::Admit(Pending& creation) {
  if (creation.adopt) {
    auto conditions = creation.adopt();
    if (!conditions.ok()) return conditions.status();
    creation.absent_anywhere = *std::move(conditions);
  }
  if (creation.admit) {
    auto admitted = creation.admit();
    if (!admitted.ok()) return admitted.status();
    creation.admitted = *std::move(admitted);
  }
  return absl::OkStatus();
}

void Creations::Begin(PendingPtr creation, std::optional<store::RequestKey> claim) {
  std::vector<store::Key> keys;
  keys.reserve(creation->items.size());
  for (const auto& item : creation->items) keys.push_back(item->key());
  if (keys.empty()) {
    AnswerAll(*creation, 0, absl::OkStatus());
    return End(claim);
  }
  auto collected =
      std::make_shared<Collected>(engine_, std::move(keys), std::move(creation->answers));
  collected->claim = std::move(claim);
  Preload(std::move(creation), std::move(collected));
}

void Creations::Preload(PendingPtr creation, CollectedPtr collected) {
  struct Reading {
    std::size_t missing = 0;
    std::vector<std::pair<store::Key, std::uint64_t>> pinned;
  };
  std::set<store::Key> keys;
  bool in_memory = true;
  for (const auto& item : creation->items) {
    for (store::Key& key : item->RefersTo()) {
      in_memory &= engine_.Find(key) != nullptr;
      keys.insert(std::move(key));
    }
  }
  if (in_memory) return Commit(std::move(creation), std::move(collected));
  auto reading = std::make_shared<Reading>();
  reading->missing = keys.size();
  for (const store::Key& key : keys) {
    engine_.Load(key, [this, key, reading, creation, collected](absl::StatusOr<Entry*> loaded) {
      // What could not be read is read again when the item is planned.
      if (loaded.ok() && *loaded != nullptr) {
        engine_.Pin(**loaded);
        reading->pinned.emplace_back(key, (*loaded)->item->serial());
      }
      if (--reading->missing > 0) return;
      Commit(creation, collected);
      for (const auto& [pinned, serial] : reading->pinned) engine_.Unpin(pinned, serial);
    });
  }
}

void Creations::ReadFirst(const Pending& creation,
                          absl::AnyInvocable<void(absl::StatusOr<First>) &&> done) {
  if (!creation.claim.has_value() || creation.known_new) return std::move(done)(First());
  engine_.reader().FindRequest(creation.claim->key,
                               [done = std::move(done)](absl::StatusOr<First> found) mutable {
                                 if (!found.ok()) return std::move(done)(base::StoreUnreadable());
                                 std::move(done)(std::move(found));
                               });
}

void Creations::Refuse(Pending creation, const absl::Status& why) {
  auto refused = std::make_shared<Pending>(std::move(creation));
  ReadFirst(*refused, [this, refused, why](absl::StatusOr<First> first) {
    if (first.ok() && first->has_value()) return AnswerDuplicate(**first, std::move(*refused));
    AnswerAll(*refused, refused->items.size(), first.ok() ? why : first.status());
  });
}

void Creations::Commit(PendingPtr creation, CollectedPtr collected) {
  store::Transaction transaction;
  transaction.claim_request = creation->claim;
  transaction.conditions.absent_anywhere = creation->absent_anywhere;
  if (transaction.claim_request.has_value()) {
    std::vector<store::Key>& rows = transaction.claim_request->rows;
    rows = collected->keys;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (collected->Answered(i) || engine_.Find(rows[i]) != nullptr) {
        rows[i].id.insert(0, 1, kTakenMark);
      }
    }
  }
  const Environment& environment = engine_.environment();
  environment.gates().ShareBudgets();
  const store::Shard shard = environment.ownership().ForNewWork(collected->keys.front());
  std::optional<store::RequestKey> claim;
  if (creation->claim.has_value() && collected->keys.size() == 1) claim = creation->claim->key;
  std::vector<std::size_t> round;
  // Known before anything is written: nothing of these will exist.
  std::vector<std::pair<std::size_t, absl::Status>> refused;
  for (std::size_t i = 0; i < creation->items.size(); ++i) {
    std::unique_ptr<Item> item = std::move(creation->items[i]);
    if (item == nullptr) continue;
    const store::Key& key = collected->keys[i];
    if (engine_.Find(key) != nullptr) {
      refused.emplace_back(i, AlreadyExists(key));
      continue;
    }
    absl::StatusOr<store::Write> write = engine_.BeginCreation(std::move(item), shard, claim);
    if (!write.ok()) {
      refused.emplace_back(i, write.status());
      continue;
    }
    transaction.writes.push_back(*std::move(write));
    for (store::Key& needed : engine_.Find(key)->item->RefersTo()) {
      transaction.conditions.exist.push_back(std::move(needed));
    }
    round.push_back(i);
  }
  if (refused.empty()) {
    return SendCommit(std::move(creation), std::move(collected), std::move(transaction),
                      std::move(round));
  }
  // What stands in the way now need not have stood in the way of the first request.
  ReadFirst(*creation, [this, creation, collected, round, refused = std::move(refused),
                        transaction = std::move(transaction)](absl::StatusOr<First> first) mutable {
    if (!first.ok() || first->has_value()) {
      for (const std::size_t i : round) engine_.Abandon(collected->keys[i], /*unknown=*/false);
      creation->answers = std::move(collected->answers);
      const std::size_t count = collected->keys.size();
      if (first.ok()) {
        AnswerDuplicate(**first, std::move(*creation));
      } else {
        AnswerAll(*creation, count, first.status());
      }
      return End(collected->claim);
    }
    for (auto& [i, status] : refused) Collected::Answer(collected, i, std::move(status));
    if (round.empty()) return End(collected->claim);
    SendCommit(std::move(creation), std::move(collected), std::move(transaction), std::move(round));
  });
}

void Creations::SendCommit(PendingPtr creation, CollectedPtr collected,
                           store::Transaction transaction, std::vector<std::size_t> round) {
  engine_.environment().quiescence().BeginCommit();
  store_.Commit(std::move(transaction), [this, creation = std::move(creation),
                                         collected = std::move(collected),
                                         round =
                                             std::move(round)](store::CommitResult result) mutable {
    engine_.loop().Post([this, creation = std::move(creation), collected = std::move(collected),
                         round = std::move(round), result = std::move(result)]() mutable {
      OnCommitted(std::move(creation), std::move(collected), std::move(round), std::move(result));
    });
  });
}

void Creations::LookUp(
    CollectedPtr collected, std::vector<std::size_t> round, std::size_t from,
    std::vector<store::Revision> revisions,
    absl::AnyInvocable<void(std::optional<std::vector<store::Revision>>) &&> done) {
  // A transaction is there as a whole, or not at all.
  if (from == round.size()) return std::move(done)(std::move(revisions));
  const store::Key key = collected->keys[round[from]];
  engine_.reader().Get(key, [this, key, collected = std::move(collected), round = std::move(round),
                             from, revisions = std::move(revisions),
                             done = std::move(done)](absl::StatusOr<StoreReader::Row> row) mutable {
    const Entry* entry = engine_.Find(key);
    if (!row.ok() || !row->has_value() || entry == nullptr) return std::move(done)(std::nullopt);
    const store::Content draft = entry->item->DraftContent();
    const store::Content& stored = (*row)->content;
    if (stored.internal != draft.internal || stored.resource != draft.resource) {
      return std::move(done)(std::nullopt);
    }
    revisions.push_back((*row)->revision);
    LookUp(std::move(collected), std::move(round), from + 1, std::move(revisions), std::move(done));
  });
}

void Creations::OnCommitted(PendingPtr creation, CollectedPtr collected,
                            std::vector<std::size_t> round, store::CommitResult result) {
  Quiescence& quiescence = engine_.environment().quiescence();
  if (result.outcome != Outcome::kUnknown || result.provisional) {
    Conclude(std::move(creation), std::move(collected), round, result);
    return quiescence.EndCommit();
  }
  std::vector<std::size_t> looked_up = round;
  LookUp(
      collected, std::move(looked_up), 0, {},
      [this, &quiescence, creation, collected, round = std::move(round),
       result = std::move(result)](std::optional<std::vector<store::Revision>> revisions) mutable {
        if (revisions.has_value()) {
          result.outcome = Outcome::kCommitted;
          result.revisions = *std::move(revisions);
        }
        Conclude(std::move(creation), std::move(collected), round, result);
        quiescence.EndCommit();
      });
}

void Creations::Conclude(PendingPtr creation, CollectedPtr collected,
                         const std::vector<std::size_t>& round, const store::CommitResult& result) {
  const auto abandon = [&](bool unknown) {
    for (const std::size_t i : round) engine_.Abandon(collected->keys[i], unknown);
  };
  switch (result.outcome) {
    case Outcome::kCommitted:
      OnCreated(*creation, collected, round, result);
      break;
    case Outcome::kConflict:
    case Outcome::kConditionUnmet:
      return OnConflict(std::move(creation), std::move(collected), round, result);
    case Outcome::kRequestIdTaken:
      abandon(/*unknown=*/false);
      if (result.request.has_value() && collected->missing == collected->keys.size()) {
        creation->answers = std::move(collected->answers);
        AnswerDuplicate(*result.request, std::move(*creation));
      } else {
        for (const std::size_t i : round) {
          Collected::Answer(collected, i, RequestIdReused(creation->claim->key));
        }
      }
      break;
    case Outcome::kUnavailable:
      NoteStoreTrouble(absl::StrCat("takes no new resources: ", result.message));
      abandon(/*unknown=*/false);
      for (const std::size_t i : round) Collected::Answer(collected, i, base::StoreUnwritable());
      break;
    case Outcome::kUnknown:
      NoteStoreTrouble(
          absl::StrCat("cannot tell whether resources were created: ", result.message));
      for (const std::size_t i : round) {
        // It may exist, or appear later: then it is followed. Nothing is sent for the draft.
        const store::Key& key = collected->keys[i];
        if (const Entry* entry = engine_.Find(key)) {
          doubts_.Add(key, 0, entry->item->DraftContent().internal);
        }
        engine_.Abandon(key, /*unknown=*/true);
        Collected::Answer(collected, i, CommitUnknown());
      }
      break;
  }
  End(collected->claim);
}

void Creations::OnCreated(const Pending& creation, CollectedPtr collected,
                          const std::vector<std::size_t>& round,
                          const store::CommitResult& result) {
  for (std::size_t w = 0; w < round.size(); ++w) {
    Entry& entry = *engine_.Find(collected->keys[round[w]]);
    engine_.Created(entry, result.revisions[w]);
    engine_.AddWaiter(entry, Waiter{creation.answer_by,
                                    [collected, i = round[w]](absl::StatusOr<const Item*> answer) {
                                      Collected::Answer(collected, i, answer.status());
                                    }});
  }
  for (const std::size_t i : round) {
    Entry* entry = engine_.Find(collected->keys[i]);
    if (entry == nullptr) continue;
    engine_.Settle(*entry, /*committed=*/true);
    entry = engine_.Find(collected->keys[i]);
    if (entry != nullptr && entry->remote_revision > entry->item->revision()) {
      engine_.Refresh(*entry);
    }
  }
}

void Creations::OnConflict(PendingPtr creation, CollectedPtr collected,
                           const std::vector<std::size_t>& round,
                           const store::CommitResult& result) {
  // Ids that exist, or what they refer to no longer does. The others of a batch go on without them.
  const std::set<std::size_t> conflicts(result.conflicts.begin(), result.conflicts.end());
  const std::set<store::Key> missing(result.unmet.begin(), result.unmet.end());
  for (std::size_t w = 0; w < round.size(); ++w) {
    const std::size_t i = round[w];
    const store::Key& key = collected->keys[i];
    const Entry* entry = engine_.Find(key);
    if (entry == nullptr) continue;
    std::optional<absl::Status> refusal;
    if (conflicts.contains(w)) refusal = AlreadyExists(key);
    for (const store::Key& needed : entry->item->RefersTo()) {
      if (missing.contains(needed)) refusal = model::NotFound(needed);
    }
    if (refusal.has_value()) {
      engine_.Abandon(key, /*unknown=*/false);
      Collected::Answer(collected, i, *std::move(refusal));
    } else {
      creation->items[i] = engine_.Withdraw(key);
    }
  }
  creation->known_new = true;
  if (!creation->adopt) return CommitRest(std::move(creation), std::move(collected));
  // Another task may have what the provider has by now: then this says so.
  engine_.reader().Run<std::vector<store::Conditions::TermAnywhere>>(
      0, [creation] { return creation->adopt(); },
      [this, creation, collected](AdoptionConditions conditions) {
        for (std::size_t i = 0; i < creation->items.size() && !conditions.ok(); ++i) {
          if (creation->items[i] == nullptr) continue;
          creation->items[i].reset();
          Collected::Answer(collected, i, conditions.status());
        }
        if (conditions.ok()) creation->absent_anywhere = *std::move(conditions);
        CommitRest(creation, collected);
      });
}

void Creations::CommitRest(PendingPtr creation, CollectedPtr collected) {
  const bool left = std::any_of(creation->items.begin(), creation->items.end(),
                                [](const auto& item) { return item != nullptr; });
  if (!left) return End(collected->claim);
  Commit(std::move(creation), std::move(collected));
}

void Creations::End(const std::optional<store::RequestKey>& claim) {
  if (!claim.has_value()) return;
  const auto it = claims_.find(*claim);
  if (it == claims_.end()) return;
  // Duplicates that came meanwhile look again, and find the row.
  std::vector<Pending> duplicates = std::move(it->second);
  claims_.erase(it);
  for (Pending& duplicate : duplicates) Create(std::move(duplicate));
}

void Creations::AnswerDuplicate(const store::RequestRow& row, Pending creation) {
  const std::size_t count = row.rows.size();
  if (!creation.same_request(row.request)) {
    return AnswerAll(creation, count, RequestIdReused(row.key));
  }
  auto collected = std::make_shared<Collected>(engine_, row.rows, std::move(creation.answers));
  for (std::size_t i = 0; i < count; ++i) {
    AnswerDuplicateItem(row, i, creation.answer_by, creation.waited, collected);
  }
}

void Creations::AnswerDuplicateItem(const store::RequestRow& row, std::size_t i,
                                    absl::Time answer_by,
                                    std::weak_ptr<upstream::WaitedCall> waited,
                                    CollectedPtr collected) {
  store::Key key = row.rows[i];
  if (!key.id.empty() && key.id.front() == kTakenMark) {
    key.id.erase(0, 1);
    return Collected::Answer(collected, i, AlreadyExists(key));
  }
  if (doubts_.Contains(key)) {
    // It can be read, and may still be lost: nobody is told that it is durable before a barrier is
    // committed.
    return Collected::Answer(collected, i, CommitUnknown());
  }
  engine_.LoadNewest(key, [this, row, i, answer_by, waited = std::move(waited),
                           collected](absl::StatusOr<Entry*> loaded) {
    if (!loaded.ok()) return Collected::Answer(collected, i, loaded.status());
    if (*loaded == nullptr) return AnswerGone(collected, i, row);
    Waiter waiter{answer_by,
                  [this, collected, i, row](absl::StatusOr<const Item*> answer) {
                    if (base::ReasonOf(answer.status()) == v1::RESOURCE_NOT_FOUND) {
                      return AnswerGone(collected, i, row);
                    }
                    Collected::Answer(collected, i, answer.status());
                  },
                  waited};
    engine_.AddWaiter(**loaded, std::move(waiter));
    engine_.PlanAgain(**loaded);
  });
}

void Creations::AnswerGone(CollectedPtr collected, std::size_t i, const store::RequestRow& row) {
  const std::string name = model::MakeName(model::CollectionOf(row.rows[i].kind), row.rows[i].id);
  const absl::Status gone =
      base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                  absl::StrCat("what this request_id made (\"", name,
                               "\") has been refused or deleted since; use a fresh request_id to "
                               "make it anew"))
          .Resource(model::TypeOf(row.rows[i].kind), name);
  if (row.rows.size() > 1) return Collected::Answer(collected, i, gone);
  // A refusal frees the request id with the same commit; a deletion by somebody else does not.
  engine_.reader().FindRequest(
      row.key, [collected, i, gone, rows = row.rows](absl::StatusOr<First> found) {
        if (!found.ok()) return Collected::Answer(collected, i, base::StoreUnreadable());
        const bool free_again = !found->has_value() || (*found)->rows != rows;
        Collected::Answer(collected, i, gone, free_again);
      });
}

void Creations::NoteStoreTrouble(const std::string& trouble) {
  const absl::Time now = engine_.Now();
  if (now >= store_trouble_noted_ && now < store_trouble_noted_ + kStoreTroubleInterval) return;
  store_trouble_noted_ = now;
  engine_.environment().telemetry().OnWarning("the store", trouble);
}

}  // namespace assetgate::reconcile
