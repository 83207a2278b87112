#include "calls/paging.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "calls/page_token.h"
#include "calls/stored_resources.h"
#include "model/sizes.h"

namespace assetgate::calls {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;
// Rows read from the store at a time: an answer with room for some tens of large rows does not read
// a thousand of them.
constexpr std::size_t kStorePageSize = 100;
// How many of the store's short pages make one of ours. The store bounds what each costs, and most
// filters need one; where matches are far between, the caller's thread is not held for long.
constexpr int kMaxShortPages = 5;

// Reads until the page has `query.limit` rows, is full in bytes, or has cost enough.
absl::StatusOr<store::ListPage> FillPage(store::Store& store, store::ListQuery query) {
  const std::size_t limit = query.limit;
  std::size_t room = model::kMaxAnswerBytes;
  store::ListPage page;
  for (int short_pages = 0; short_pages < kMaxShortPages;) {
    query.limit = std::min(kStorePageSize, limit - page.rows.size());
    query.max_bytes = room;
    absl::StatusOr<store::ListPage> next = store.List(query);
    if (!next.ok()) return base::StoreUnreadable();
    if (next->rows.size() < query.limit) ++short_pages;
    for (store::Row& row : next->rows) {
      const std::size_t size = row.content.resource.size() + kBytesBesideResource;
      // The first row is part of the page however large it is.
      if (!page.rows.empty() && size > room) {
        page.more = true;
        page.end = page.rows.back().create_revision;
        return page;
      }
      room -= std::min(room, size);
      page.rows.push_back(std::move(row));
    }
    page.more = next->more;
    page.end = next->end;
    if (room == 0 || !page.more || page.rows.size() == limit) break;
    query.after_create_revision = page.end;
  }
  return page;
}

}  // namespace

void CheckPageSize(int page_size, base::Faults& faults) {
  if (page_size < 0) {
    faults.Add("page_size", absl::StrCat("is ", page_size, "; 0 means the default"));
  }
}

absl::StatusOr<StoredPage> ReadStoredPage(store::Store& store, store::ListQuery query,
                                          int page_size, absl::string_view page_token,
                                          base::Faults& faults) {
  query.limit = page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize);
  const std::uint64_t fingerprint = ListFingerprint(query.kind, query.filter);
  if (!page_token.empty()) {
    query.after_create_revision = ReadPageToken(page_token, fingerprint);
    if (!query.after_create_revision.has_value()) {
      faults.Add("page_token",
                 "is not a next_page_token of a list with this filter; begin again without it");
    }
  }
  if (!faults.empty()) return faults.ToStatus();
  absl::StatusOr<store::ListPage> page = FillPage(store, std::move(query));
  if (!page.ok()) return page.status();
  return StoredPage{std::move(page->rows),
                    page->more ? MakePageToken(fingerprint, page->end) : std::string()};
}

absl::StatusOr<ConfiguredPage> PageOfConfigured(std::size_t count, int page_size,
                                                absl::string_view page_token) {
  ConfiguredPage page;
  base::Faults faults;
  CheckPageSize(page_size, faults);
  if (!page_token.empty() && (!absl::SimpleAtoi(page_token, &page.begin) || page.begin > count)) {
    faults.Add("page_token", "is not a next_page_token of this list; begin again without it");
  }
  if (!faults.empty()) return faults.ToStatus();
  const int size = page_size == 0 ? kMaxPageSize : std::min(page_size, kMaxPageSize);
  page.end = std::min(count, page.begin + static_cast<std::size_t>(size));
  if (page.end < count) page.next_page_token = absl::StrCat(page.end);
  return page;
}

}  // namespace assetgate::calls
