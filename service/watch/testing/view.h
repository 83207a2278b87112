// What a reader of a stream holds, checked against what was promised.
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

// Applies events as a careful reader does. Apply says what promise an event breaks, empty for none:
//   ordered   the revisions of one resource rise within a stream, and after a RESET again from any;
//   unique    so no event comes twice;
//   atomic    a PUT is the whole resource as committed with that revision;
//   shape     RESET, PUTs, BOOKMARK with snapshot_complete, and no other order.
// CheckUpto adds the rest:
//   reliable, bookmarkable, resumable   everything up to a revision has been delivered.
class View {
 public:
  // Whether the resource of a PUT is what was committed with its revision.
  using IsWhole = std::function<bool(const store::Change&)>;

  // Of a FakeStore.
  View();
  explicit View(IsWhole is_whole) : is_whole_(std::move(is_whole)) {}

  // A stream begins, with a token or without.
  void BeginStream(bool resumed);
  std::string Apply(const Event& event);

  // What of `history` (all changes, in order) up to `revision` is missing or too much in the view;
  // empty when it is all there. What is newer than `revision` is passed over.
  std::string CheckUpto(const std::vector<store::ChangePtr>& history, const Interest& interest,
                        store::Revision revision) const;

  // Id to revision, of what is held.
  const std::map<std::string, store::Revision>& held() const { return held_; }
  // Of the last BOOKMARK.
  const std::string& token() const { return token_; }
  int resets() const { return resets_; }

 private:
  IsWhole is_whole_;
  std::map<std::string, store::Revision> held_;
  // The last of each resource that came, deleted ones too: since the stream began or started over,
  // and since a stream started over.
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
