// Short forms for tests that write rows.
#ifndef ASSETGATE_STORE_TESTING_ROWS_H_
#define ASSETGATE_STORE_TESTING_ROWS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "store/store.h"

namespace assetgate::store {

// Commits and waits for the answer.
inline CommitResult CommitAndWait(Store& store, Transaction transaction) {
  CommitResult result;
  absl::Notification done;
  store.Commit(std::move(transaction), [&](CommitResult committed) {
    result = std::move(committed);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

inline Content MakeContent(absl::string_view resource, std::vector<std::string> terms = {}) {
  Content content;
  content.resource = std::string(resource);
  content.terms = std::move(terms);
  return content;
}

inline Transaction Update(Key key, Revision expected, Content content) {
  Transaction transaction;
  transaction.writes.push_back({std::move(key), expected, std::move(content), {}});
  return transaction;
}

inline Transaction Create(Key key, Content content) {
  return Update(std::move(key), 0, std::move(content));
}

inline Transaction Delete(Key key, Revision expected) {
  Transaction transaction;
  transaction.writes.push_back({std::move(key), expected, std::nullopt, DeleteCause::kDeleted});
  return transaction;
}

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_TESTING_ROWS_H_
