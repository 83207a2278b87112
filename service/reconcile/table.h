// The items in memory: loaded from the store, kept while they are needed, and brought up to what
// other gateways commit.
#ifndef ASSETGATE_RECONCILE_TABLE_H_
#define ASSETGATE_RECONCILE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "reconcile/counts.h"
#include "reconcile/entry.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "reconcile/store_reader.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Threading: the reconciler's thread. Lifetime: a pointer to an Entry is valid until the task that
// got it ends, or calls something here that may drop the entry.
class Table {
 public:
  // What the store could not confirm is followed up elsewhere.
  struct Hooks {
    // A commit is in doubt that may have changed the row, which was at revision `before`.
    std::function<void(const store::Key&, store::Revision before)> doubt;
    // A row is taken into memory. Returns whether it is as this gateway meant to create it, and
    // nobody has changed it since: then no submission that its journal calls open was ever sent.
    std::function<bool(const store::Row&)> adopted;
  };

  Table(Environment environment, base::EventLoop& loop, StoreReader& reader, Counts& counts)
      : environment_(environment), loop_(loop), reader_(reader), counts_(counts) {}
  virtual ~Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  void SetHooks(Hooks hooks) { hooks_ = std::move(hooks); }

  const Environment& environment() const { return environment_; }
  base::EventLoop& loop() { return loop_; }
  StoreReader& reader() { return reader_; }
  absl::Time Now() const { return loop_.Now(); }
  // Whether this gateway plans it.
  bool Owns(const Entry& entry) const { return environment_.ownership().Holds(entry.shard); }

  std::size_t size() const { return entries_.size(); }
  Entry* Find(const store::Key& key);
  // Where it still is the same one.
  Entry* Find(const store::Key& key, std::uint64_t serial);
  // Every entry; the callback must not add or drop any.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [key, entry] : entries_) visit(*entry);
  }
  bool AnyPending() const;

  using Loaded = absl::AnyInvocable<void(absl::StatusOr<Entry*>) &&>;
  // From memory, at once, or else from the store; nullptr when there is none.
  void Load(const store::Key& key, Loaded done);
  // As it is in the store: this gateway may not have heard yet what others have made of it, or may
  // have lost its lease while it stood still.
  void LoadNewest(const store::Key& key, Loaded done);
  // A new item without a row in it.
  std::unique_ptr<Item> NewItem(const store::Key& key);
  std::uint64_t NextSerial() { return ++last_serial_; }
  // Takes a row into memory, where its item is not, or is older, and has it planned.
  void TakeUp(const store::Row& row);
  // Keeps it in memory, and lets it go again.
  void Pin(Entry& entry) { ++entry.pins; }
  void Unpin(const store::Key& key, std::uint64_t serial);
  void Drop(const store::Key& key);

  // Posts a round.
  void PlanAgain(Entry& entry);
  bool PlanAgain(const store::Key& key);
  void PlanAgain(const store::Key& key, std::uint64_t serial);
  void PlanAllAgain(const absl::flat_hash_set<store::Key>& keys);

  // --- Other gateways
  // Brings an item that is not being committed up to what the store has.
  void Refresh(Entry& entry);
  void Refresh(Entry& entry, const store::Row& row);
  // Another gateway has deleted the row.
  void OnRowDeleted(Entry& entry);

 protected:
  using Row = StoreReader::Row;

  // A round.
  virtual void Advance(Entry& entry) = 0;

  // Commands are answered with `error`; observations are kept.
  static std::vector<Change> AnswerCommands(std::vector<Change> changes, const absl::Status& error);
  static void FailChanges(std::vector<Change>& changes, const absl::Status& status);

  const Environment environment_;
  base::EventLoop& loop_;
  StoreReader& reader_;
  Counts& counts_;
  Hooks hooks_;
  absl::flat_hash_map<store::Key, std::unique_ptr<Entry>> entries_;

 private:
  Entry& Adopt(const store::Row& row);

  std::uint64_t last_serial_ = 0;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_TABLE_H_
