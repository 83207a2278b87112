// A reader's view of a stream, checked against the API's guarantees.
#ifndef ASSETGATE_WATCH_TESTING_VIEW_H_
#define ASSETGATE_WATCH_TESTING_VIEW_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"
#include "watch/event.h"
#include "watch/interest.h"

namespace assetgate::watch {

// Applies events as a correct client does. Apply returns the guarantee that an event breaks; empty
// for none:
//   ordered   the revisions of one resource rise within a stream, and again from any after a RESET;
//   unique    so no event comes twice;
//   atomic    a PUT is the whole resource as committed with that revision;
//   shape     RESET, PUTs, BOOKMARK with snapshot_complete, in this order only.
// CheckUpto adds the rest:
//   reliable, bookmarkable, resumable   everything up to a revision has been delivered.
class View {
 public:
  // Whether the resource of a PUT is the one committed with its revision.
  using IsWhole = std::function<bool(const store::Change&)>;

  // For a FakeStore.
  View();
  explicit View(IsWhole is_whole) : is_whole_(std::move(is_whole)) {}

  // A stream begins, with or without a token.
  void BeginStream(bool resumed);
  std::string Apply(const Event& event);

  // What the view lacks, or has in surplus, compared with `history` (all changes, in order) up to
  // `revision`; empty if it is exact. Newer changes are ignored.
  std::string CheckUpto(const std::vector<store::ChangePtr>& history, const Interest& interest,
                        store::Revision revision) const;

  // Id to revision of each resource in the view.
  const std::map<std::string, store::Revision>& held() const { return held_; }
  // Of the last BOOKMARK.
  const std::string& token() const { return token_; }
  int resets() const { return resets_; }

 private:
  IsWhole is_whole_;
  std::map<std::string, store::Revision> held_;
  // The last revision of each resource that was delivered, deleted ones too: since the stream began
  // or started over, and since a stream started over.
  std::map<std::string, store::Revision> last_;
  std::map<std::string, store::Revision> newest_;
  std::string token_;
  bool in_snapshot_ = false;
  bool any_ = false;
  bool resumed_ = false;
  int resets_ = 0;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_TESTING_VIEW_H_
