// Lists: how much one page holds, and where the next one begins.
#ifndef ASSETGATE_CALLS_PAGING_H_
#define ASSETGATE_CALLS_PAGING_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/faults.h"
#include "calls/caller.h"
#include "calls/validate.h"
#include "model/resource.h"
#include "store/store.h"

namespace assetgate::calls {

// A page of stored resources.
struct StoredPage {
  std::vector<store::Row> rows;
  // Empty on the last page.
  std::string next_page_token;
};

// A page of what `query` matches; `faults` are those found in the request so far. The page is
// bounded in rows, in bytes and in what it costs the store, so it can be short, even empty, where
// matches are large or far between.
absl::StatusOr<StoredPage> ReadStoredPage(store::Store& store, store::ListQuery query,
                                          int page_size, absl::string_view page_token,
                                          base::Faults& faults);

void CheckPageSize(int page_size, base::Faults& faults);

// A page for any of the List requests of stored resources.
template <typename Request>
absl::StatusOr<StoredPage> ListStored(store::Store& store, const Caller& caller, store::Kind kind,
                                      const Request& request) {
  base::Faults faults;
  CheckPageSize(request.page_size(), faults);
  Validate(request.filter(), faults);
  store::ListQuery query;
  query.tenant = caller.tenant;
  query.kind = kind;
  query.filter = model::Compile(request.filter());
  return ReadStoredPage(store, std::move(query), request.page_size(), request.page_token(), faults);
}

// A page of `count` configured things, which are few: their pages exist because the convention asks
// for them, and a page token is a position.
struct ConfiguredPage {
  std::size_t begin = 0;
  std::size_t end = 0;
  // Empty on the last page.
  std::string next_page_token;

  bool Contains(std::size_t position) const { return position >= begin && position < end; }
};
absl::StatusOr<ConfiguredPage> PageOfConfigured(std::size_t count, int page_size,
                                                absl::string_view page_token);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_PAGING_H_
