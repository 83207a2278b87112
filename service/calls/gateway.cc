#include "calls/gateway.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "calls/eligibility.h"
#include "calls/page_token.h"
#include "calls/validate.h"
#include "google/protobuf/util/message_differencer.h"
#include "model/refusal.h"
#include "model/sizes.h"
#include "provider/rest.h"

namespace assetgate::calls {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kLargestPage = 1000;
// What an answer has beside each of its resources: the tag and length of the field, and the
// revision.
constexpr std::size_t kBytesBesideResource = 24;
// Of rows that are read at a time: large ones are not read by the thousand for an answer that has
// room for some tens of them.
constexpr std::size_t kStorePage = 100;
// Of the store's pages that are not full and make one of ours. Each is bounded in what it costs,
// and of most filters one is enough; where matches are far between, a caller's thread is not held
// for long.
constexpr int kMostPoorPages = 5;
// Before the caller's deadline, so that the answer still arrives.
constexpr absl::Duration kDeadlineMargin = absl::Milliseconds(100);

// Without the store's own words, which name hosts and users; /readyz has them.
absl::Status StoreUnreadable() {
  return base::Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                     "the store cannot be read right now")
      .RetryAfter(absl::Seconds(1));
}

absl::Status NoSuch(store::Kind kind, const std::string& name) {
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("there is no \"", name, "\""))
      .Resource(model::TypeOf(kind), name);
}

// Whether the caller may use all providers that it names, and gives options for.
template <typename Names, typename Options>
absl::Status CheckMayUse(const Caller& caller, const Names& providers, const Options& options) {
  for (const std::string& name : providers) {
    const auto id = model::ParseProvider(name);
    if (id.has_value() && !caller.MayUse(*id)) return model::NotAllowed();
  }
  for (const auto& [id, unused] : options) {
    if (!caller.MayUse(id)) return model::NotAllowed();
  }
  return absl::OkStatus();
}

// A request as it is kept under its request_id: max_wait says how long to wait, not what to do.
template <typename Request>
std::string Kept(Request request) {
  if constexpr (requires { request.clear_max_wait(); }) request.clear_max_wait();
  return request.SerializeAsString();
}

// Puts the request id into a creation. Whether it was used before is found by the commit.
template <typename Request, typename EntityT>
void Claim(const Caller& caller, absl::string_view method, const Request& request, absl::Time now,
           reconcile::Creation<EntityT>& creation) {
  if (request.request_id().empty()) return;
  store::RequestRow row;
  row.key = {caller.tenant, std::string(method), request.request_id()};
  row.request = Kept(request);
  row.create_time = now;
  creation.same_request = [kept = row.request](const std::string& stored) {
    Request a;
    Request b;
    return a.ParseFromString(kept) && b.ParseFromString(stored) &&
           google::protobuf::util::MessageDifferencer::Equals(a, b);
  };
  creation.claim = std::move(row);
}

// For a creation that cannot be carried out. OK where it repeats one that was: its answer stands,
// whatever has changed since, and the creation is complete without entities. Otherwise the error
// for the caller.
template <typename EntityT>
absl::Status UnlessRepeated(store::Store& store, absl::Status fault,
                            reconcile::Creation<EntityT>& creation) {
  if (!creation.claim.has_value()) return fault;
  auto found = store.FindRequest(creation.claim->key);
  if (!found.ok()) return StoreUnreadable();
  if (!found->has_value()) return fault;
  creation.repeated = *std::move(found);
  creation.entities.clear();
  return absl::OkStatus();
}

// A page that is short, even empty, where what matches is far between, or large.
absl::StatusOr<store::ListPage> ReadPage(store::Store& store, store::ListQuery query) {
  const std::size_t limit = query.limit;
  std::size_t room = model::kMaxAnswerBytes;
  store::ListPage page;
  for (int poor = 0; poor < kMostPoorPages;) {
    query.limit = std::min(kStorePage, limit - page.rows.size());
    query.max_bytes = room;
    absl::StatusOr<store::ListPage> next = store.List(query);
    if (!next.ok()) return StoreUnreadable();
    if (next->rows.size() < query.limit) ++poor;
    for (store::Row& row : next->rows) {
      const std::size_t size = row.content.resource.size() + kBytesBesideResource;
      // The first one is shown however large it is.
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
    if (room == 0) break;
    if (!page.more || page.rows.size() == limit) break;
    query.after_create_revision = page.end;
  }
  return page;
}

template <typename Request>
absl::StatusOr<store::ListPage> ListRows(store::Store& store, const Caller& caller,
                                         store::Kind kind, const Request& request,
                                         std::string& next_page_token) {
  base::Faults faults;
  if (request.page_size() < 0) {
    faults.Add("page_size", absl::StrCat("is ", request.page_size(), "; 0 means the default"));
  }
  Validate(request.filter(), faults);
  store::ListQuery query;
  query.tenant = caller.tenant;
  query.kind = kind;
  query.filter = model::Compile(request.filter());
  query.limit =
      request.page_size() == 0 ? kDefaultPage : std::min(request.page_size(), kLargestPage);
  const std::uint64_t fingerprint = ListFingerprint(kind, query.filter);
  if (!request.page_token().empty()) {
    query.after_create_revision = ReadPageToken(request.page_token(), fingerprint);
    if (!query.after_create_revision.has_value()) {
      faults.Add("page_token",
                 "is not a next_page_token of a list with this filter; begin again without it");
    }
  }
  if (!faults.empty()) return faults.ToStatus();
  absl::StatusOr<store::ListPage> page = ReadPage(store, std::move(query));
  if (page.ok() && page->more) next_page_token = MakePageToken(fingerprint, page->end);
  return page;
}

// Whether a resource could be read from its row: each has a name.
template <typename Resource>
bool IsRead(const Resource& resource, const store::Row& row, reconcile::Reconciler& reconciler) {
  if (!resource.name().empty()) return true;
  reconciler.NoteUnreadable(row.key);
  return false;
}

// A stored resource, for an answer. One that is larger than any is made now was stored by an
// earlier release, mostly with fields that no release knows: those are left out.
template <typename Resource>
Resource Shown(const store::Row& row, Resource (*from_row)(const store::Row&)) {
  Resource resource = from_row(row);
  if (row.content.resource.size() > model::kMaxResourceBytes) resource.DiscardUnknownFields();
  return resource;
}

// What cannot be read, or is larger than clients take, hides nothing else.
template <typename Resource, typename Add>
void AddRows(const std::vector<store::Row>& rows, reconcile::Reconciler& reconciler,
             Resource (*from_row)(const store::Row&), Add add) {
  for (const store::Row& row : rows) {
    Resource resource = Shown(row, from_row);
    if (!IsRead(resource, row, reconciler)) continue;
    if (row.content.resource.size() > model::kMaxAnswerBytes &&
        resource.ByteSizeLong() > model::kMaxAnswerBytes) {
      reconciler.NoteUnreadable(row.key);
      continue;
    }
    add(std::move(resource));
  }
}

template <typename Resource>
absl::StatusOr<Resource> Readable(const store::Row& row, reconcile::Reconciler& reconciler,
                                  Resource (*from_row)(const store::Row&)) {
  Resource resource = Shown(row, from_row);
  if (IsRead(resource, row, reconciler)) return resource;
  return base::Error(
      absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
      absl::StrCat("\"", model::MakeName(model::CollectionOf(row.key.kind), row.key.id),
                   "\" is stored in a form that cannot be read"));
}

// Configured things are few; pages are there because the convention asks for them.
template <typename Request>
absl::StatusOr<std::pair<std::size_t, std::size_t>> PageOf(const Request& request,
                                                           std::size_t count) {
  std::size_t begin = 0;
  base::Faults faults;
  if (request.page_size() < 0) {
    faults.Add("page_size", absl::StrCat("is ", request.page_size(), "; 0 means the default"));
  }
  if (!request.page_token().empty() &&
      (!absl::SimpleAtoi(request.page_token(), &begin) || begin > count)) {
    faults.Add("page_token", "is not a next_page_token of this list; begin again without it");
  }
  if (!faults.empty()) return faults.ToStatus();
  const std::size_t size =
      request.page_size() == 0
          ? std::size_t{kLargestPage}
          : static_cast<std::size_t>(std::min(request.page_size(), kLargestPage));
  return std::make_pair(begin, std::min(count, begin + size));
}

template <typename T>
using Results = std::vector<absl::StatusOr<T>>;

template <typename T>
void AnswerFirst(Results<T> results, reconcile::Reply<T> reply) {
  std::move(reply)(std::move(results.front()));
}

// The reply to a creation, as that to its call. Where the request id turns out to be free again,
// the call is made once more, with what is left of its time.
template <typename Request, typename Response, typename Resource>
reconcile::Reply<Results<Resource>> Answering(
    Gateway& gateway,
    void (Gateway::*method)(const Caller&, const Request&, reconcile::Reply<Response>),
    const Caller& caller, const Request& request, absl::Time answer_by,
    reconcile::Reply<Response> reply,
    void (*answer)(Results<Resource>, reconcile::Reply<Response>)) {
  std::optional<std::pair<Caller, Request>> call;
  // The call owns it, and it is gone when the caller is.
  std::weak_ptr<upstream::WaitedCall> waited;
  if (!request.request_id().empty()) {
    call.emplace(caller, request);
    call->first.deadline = std::min(caller.deadline, answer_by + kDeadlineMargin);
    waited = std::exchange(call->first.waited, nullptr);
  }
  return [&gateway, method, call = std::move(call), waited = std::move(waited),
          reply = std::move(reply), answer](absl::StatusOr<Results<Resource>> results) mutable {
    if (results.ok()) return answer(*std::move(results), std::move(reply));
    if (call.has_value() && reconcile::IsRequestIdFreeAgain(results.status())) {
      call->first.waited = waited.lock();
      return (gateway.*method)(call->first, call->second, std::move(reply));
    }
    std::move(reply)(results.status());
  };
}

void AnswerBatch(Results<v1::Asset> results,
                 reconcile::Reply<v1::BatchCreateAssetsResponse> reply) {
  // What concerns the request as a whole is the call's error.
  if (!results.front().ok()) {
    const v1::ErrorReason reason = base::ReasonOf(results.front().status());
    if (reason == v1::REQUEST_ID_REUSED || reason == v1::STORE_UNAVAILABLE ||
        reason == v1::COMMIT_UNKNOWN || reason == v1::DRAINING || reason == v1::OVERLOADED) {
      return std::move(reply)(results.front().status());
    }
  }
  v1::BatchCreateAssetsResponse response;
  for (auto& result : results) {
    if (result.ok()) {
      *response.add_results()->mutable_asset() = *std::move(result);
    } else {
      *response.add_results()->mutable_error() = base::ToRpcStatus(result.status());
    }
  }
  std::move(reply)(std::move(response));
}

absl::StatusOr<std::string> IdOf(store::Kind kind, const std::string& name,
                                 const std::string& field) {
  if (auto id = model::ParseName(model::CollectionOf(kind), name)) return *std::move(id);
  base::Faults faults;
  faults.Add(field, name.empty()
                        ? absl::StrCat("is required: ", model::CollectionOf(kind), "/{id}")
                        : absl::StrCat("\"", base::CleanText(name, 100), "\" is not of the form ",
                                       model::CollectionOf(kind), "/{id}"));
  return faults.ToStatus();
}

// With the targets alone that the caller may use.
model::ModelEntry VisibleTo(const Caller& caller, const model::ModelEntry& model) {
  model::ModelEntry visible = model;
  std::erase_if(visible.targets,
                [&](const model::Target& target) { return !caller.MayUse(target.provider->id); });
  return visible;
}

// Weighted order within each priority.
void Order(std::vector<model::Target>& targets) {
  thread_local absl::BitGen random;
  std::vector<std::pair<double, model::Target>> keyed;
  for (model::Target& target : targets) {
    // Exponential variates with the weight as rate: the smallest is the first drawn.
    const double key = -std::log(absl::Uniform(absl::IntervalOpenClosed, random, 0.0, 1.0)) /
                       std::max(1, target.weight);
    keyed.emplace_back(target.weight > 0 ? key : std::numeric_limits<double>::max(),
                       std::move(target));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.second.priority, a.first) < std::make_pair(b.second.priority, b.first);
  });
  targets.clear();
  for (auto& [key, target] : keyed) targets.push_back(std::move(target));
}

template <typename Request>
absl::StatusOr<watch::WatchRequest> WatchOf(const Caller& caller, store::Kind kind,
                                            const Request& request) {
  base::Faults faults;
  watch::WatchRequest watch;
  watch.tenant = caller.tenant;
  watch.kind = kind;
  watch.ids = ValidateNames(model::CollectionOf(kind), request.names(), faults);
  Validate(request.filter(), faults);
  if (!faults.empty()) return faults.ToStatus();
  watch.filter = model::Compile(request.filter());
  watch.resume_token = request.resume_token();
  watch.until_settled = request.until_settled();
  return watch;
}

}  // namespace

absl::Time Gateway::AnswerBy(const model::Catalog& catalog, const Caller& caller, bool has_max_wait,
                             const google::protobuf::Duration& max_wait) const {
  const model::Settings& settings = catalog.settings();
  const absl::Duration wait = has_max_wait ? base::FromProto(max_wait) : settings.default_max_wait;
  return std::min(clock_.Now() + std::min(wait, settings.max_wait_limit),
                  caller.deadline - kDeadlineMargin);
}

absl::StatusOr<store::Row> Gateway::Read(const Caller& caller, store::Kind kind,
                                         const std::string& name, const std::string& field) {
  absl::StatusOr<std::string> id = IdOf(kind, name, field);
  if (!id.ok()) return id.status();
  auto row = store_.Get({caller.tenant, kind, *std::move(id)});
  if (!row.ok()) return StoreUnreadable();
  if (!row->has_value()) return NoSuch(kind, name);
  return **std::move(row);
}

// --- Groups
// ---------------------------------------------------------------------------------------

void Gateway::CreateAssetGroup(const Caller& caller, const v1::CreateAssetGroupRequest& request,
                               reconcile::Reply<v1::AssetGroup> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  reconcile::Creation<model::GroupEntity> creation;
  const absl::Time answer_by =
      AnswerBy(*catalog, caller, request.has_max_wait(), request.max_wait());
  creation.answer_by = answer_by;
  creation.context = caller.context;
  creation.waited = caller.waited;
  Claim(caller, "CreateAssetGroup", request, now, creation);
  absl::StatusOr<model::GroupEntity> entity = NewGroup(*catalog, caller, request, now);
  if (entity.ok()) {
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateGroups(std::move(creation),
                           Answering(*this, &Gateway::CreateAssetGroup, caller, request, answer_by,
                                     std::move(reply), AnswerFirst<v1::AssetGroup>));
}

absl::StatusOr<model::GroupEntity> Gateway::NewGroup(const model::Catalog& catalog,
                                                     const Caller& caller,
                                                     const v1::CreateAssetGroupRequest& request,
                                                     absl::Time now) {
  if (absl::Status allowed =
          CheckMayUse(caller, request.providers(), request.asset_group().provider_options());
      !allowed.ok()) {
    return allowed;
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;

  model::GroupEntity entity;
  entity.key = {
      caller.tenant, store::Kind::kAssetGroup,
      request.asset_group_id().empty() ? model::NewResourceId(now) : request.asset_group_id()};
  v1::AssetGroup& group = entity.resource;
  group.set_name(model::MakeName(model::kAssetGroups, entity.key.id));
  group.set_display_name(request.asset_group().display_name());
  group.set_description(request.asset_group().description());
  *group.mutable_labels() = request.asset_group().labels();
  *group.mutable_provider_options() = request.asset_group().provider_options();
  group.set_creator(caller.identity);
  *group.mutable_create_time() = base::ToProto(now);
  *group.mutable_update_time() = group.create_time();
  for (const std::string& name : request.providers()) {
    const model::ProviderEntry& provider = *catalog.FindProvider(*model::ParseProvider(name));
    auto* placement = group.add_placements();
    placement->set_provider(model::MakeName(model::kProviders, provider.id));
    placement->set_state(v1::Placement::SUBMITTING);
    *placement->mutable_create_time() = group.create_time();
    if (provider.dialect->traits().asset_capabilities.groups() ==
        v1::AssetCapabilities::KEPT_BY_GATEWAY) {
      placement->set_state(v1::Placement::ACTIVE);
      *placement->mutable_end_time() = group.create_time();
    }
    entity.record.add_units()->set_provider(provider.id);
  }
  return entity;
}

absl::StatusOr<v1::AssetGroup> Gateway::GetAssetGroup(const Caller& caller,
                                                      const v1::GetAssetGroupRequest& request) {
  auto row = Read(caller, store::Kind::kAssetGroup, request.name());
  if (!row.ok()) return row.status();
  return Readable(*row, reconciler_, model::GroupFromRow);
}

absl::StatusOr<v1::ListAssetGroupsResponse> Gateway::ListAssetGroups(
    const Caller& caller, const v1::ListAssetGroupsRequest& request) {
  v1::ListAssetGroupsResponse response;
  auto page = ListRows(store_, caller, store::Kind::kAssetGroup, request,
                       *response.mutable_next_page_token());
  if (!page.ok()) return page.status();
  AddRows(page->rows, reconciler_, model::GroupFromRow,
          [&](v1::AssetGroup one) { *response.add_asset_groups() = std::move(one); });
  return response;
}

void Gateway::DeleteAssetGroup(const Caller& caller, const v1::DeleteAssetGroupRequest& request,
                               reconcile::Reply<v1::DeleteAssetGroupResponse> reply) {
  auto id = IdOf(store::Kind::kAssetGroup, request.name(), "name");
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.DeleteGroup({caller.tenant, store::Kind::kAssetGroup, *std::move(id)},
                          caller.providers, std::move(reply));
}

// --- Assets
// ---------------------------------------------------------------------------------------

absl::StatusOr<std::vector<model::AssetEntity>> Gateway::NewAssets(
    const model::Catalog& catalog, const Caller& caller,
    const v1::BatchCreateAssetsRequest& request) {
  for (const v1::CreateAssetRequest& item : request.requests()) {
    if (absl::Status allowed =
            CheckMayUse(caller, item.providers(), item.asset().provider_options());
        !allowed.ok()) {
      return allowed;
    }
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;
  std::vector<model::AssetEntity> entities;
  std::size_t bytes = 0;
  for (const v1::CreateAssetRequest& item : request.requests()) {
    absl::StatusOr<model::AssetEntity> entity = NewAsset(catalog, caller, item);
    if (!entity.ok()) return entity.status();
    bytes += entity->resource.ByteSizeLong() + kBytesBesideResource;
    entities.push_back(*std::move(entity));
  }
  if (bytes > model::kMaxAnswerBytes) {
    faults.Add("requests",
               absl::StrCat("would be answered with ", bytes, " bytes; at most ",
                            model::kMaxAnswerBytes, " are possible, so make several batches"));
    return faults.ToStatus();
  }
  return entities;
}

absl::StatusOr<model::AssetEntity> Gateway::NewAsset(const model::Catalog& catalog,
                                                     const Caller& caller,
                                                     const v1::CreateAssetRequest& request) {
  if (!request.asset().asset_group().empty()) {
    auto group =
        Read(caller, store::Kind::kAssetGroup, request.asset().asset_group(), "asset.asset_group");
    if (!group.ok()) return group.status();
  }
  const absl::Time now = clock_.Now();
  model::AssetEntity entity;
  entity.key = {caller.tenant, store::Kind::kAsset,
                request.asset_id().empty() ? model::NewResourceId(now) : request.asset_id()};
  v1::Asset& asset = entity.resource;
  asset.set_name(model::MakeName(model::kAssets, entity.key.id));
  asset.set_display_name(request.asset().display_name());
  asset.set_source_uri(request.asset().source_uri());
  asset.set_media_type(request.asset().media_type());
  asset.set_asset_group(request.asset().asset_group());
  *asset.mutable_labels() = request.asset().labels();
  *asset.mutable_provider_options() = request.asset().provider_options();
  asset.set_creator(caller.identity);
  *asset.mutable_create_time() = base::ToProto(now);
  *asset.mutable_update_time() = asset.create_time();
  std::vector<std::string> providers;
  for (const std::string& name : request.providers())
    providers.push_back(*model::ParseProvider(name));
  if (providers.empty()) {
    // Those of the config that can hold it; the others get it at first use, if they can then.
    for (const std::string& id : catalog.asset_providers()) {
      const model::ProviderEntry& provider = *catalog.FindProvider(id);
      v1::CreateAssetRequest single = request;
      single.add_providers(id);
      base::Faults faults;
      if (caller.MayUse(id) && Validate(single, catalog, "", faults).ok() && faults.empty() &&
          provider.mode == v1::Provider::SERVE) {
        providers.push_back(id);
      }
    }
  }
  for (const std::string& id : providers) {
    auto* placement = asset.add_placements();
    placement->set_provider(model::MakeName(model::kProviders, id));
    placement->set_state(v1::Placement::SUBMITTING);
    *placement->mutable_create_time() = asset.create_time();
    entity.record.add_units()->set_provider(id);
  }
  asset.set_state(providers.empty() ? v1::Asset::REGISTERED : v1::Asset::PROCESSING);
  return entity;
}

void Gateway::CreateAsset(const Caller& caller, const v1::CreateAssetRequest& request,
                          reconcile::Reply<v1::Asset> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  reconcile::Creation<model::AssetEntity> creation;
  const absl::Time answer_by =
      AnswerBy(*catalog, caller, request.has_max_wait(), request.max_wait());
  creation.answer_by = answer_by;
  creation.context = caller.context;
  creation.waited = caller.waited;
  Claim(caller, "CreateAsset", request, clock_.Now(), creation);
  absl::StatusOr<model::AssetEntity> entity = [&]() -> absl::StatusOr<model::AssetEntity> {
    if (absl::Status allowed =
            CheckMayUse(caller, request.providers(), request.asset().provider_options());
        !allowed.ok()) {
      return allowed;
    }
    base::Faults faults;
    absl::Status unknown = Validate(request, *catalog, "", faults);
    if (!faults.empty()) return faults.ToStatus();
    if (!unknown.ok()) return unknown;
    return NewAsset(*catalog, caller, request);
  }();
  if (entity.ok()) {
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateAssets(std::move(creation),
                           Answering(*this, &Gateway::CreateAsset, caller, request, answer_by,
                                     std::move(reply), AnswerFirst<v1::Asset>));
}

void Gateway::BatchCreateAssets(const Caller& caller, const v1::BatchCreateAssetsRequest& request,
                                reconcile::Reply<v1::BatchCreateAssetsResponse> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  reconcile::Creation<model::AssetEntity> creation;
  const absl::Time answer_by =
      AnswerBy(*catalog, caller, request.has_max_wait(), request.max_wait());
  creation.answer_by = answer_by;
  creation.context = caller.context;
  creation.waited = caller.waited;
  Claim(caller, "BatchCreateAssets", request, clock_.Now(), creation);
  absl::StatusOr<std::vector<model::AssetEntity>> entities = NewAssets(*catalog, caller, request);
  if (entities.ok()) {
    creation.entities = *std::move(entities);
  } else if (absl::Status s = UnlessRepeated(store_, entities.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateAssets(std::move(creation),
                           Answering(*this, &Gateway::BatchCreateAssets, caller, request, answer_by,
                                     std::move(reply), AnswerBatch));
}

absl::StatusOr<v1::Asset> Gateway::GetAsset(const Caller& caller,
                                            const v1::GetAssetRequest& request) {
  auto row = Read(caller, store::Kind::kAsset, request.name());
  if (!row.ok()) return row.status();
  return Readable(*row, reconciler_, model::AssetFromRow);
}

absl::StatusOr<v1::ListAssetsResponse> Gateway::ListAssets(const Caller& caller,
                                                           const v1::ListAssetsRequest& request) {
  v1::ListAssetsResponse response;
  auto page =
      ListRows(store_, caller, store::Kind::kAsset, request, *response.mutable_next_page_token());
  if (!page.ok()) return page.status();
  AddRows(page->rows, reconciler_, model::AssetFromRow,
          [&](v1::Asset one) { *response.add_assets() = std::move(one); });
  return response;
}

void Gateway::DeleteAsset(const Caller& caller, const v1::DeleteAssetRequest& request,
                          reconcile::Reply<v1::DeleteAssetResponse> reply) {
  auto id = IdOf(store::Kind::kAsset, request.name(), "name");
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.DeleteAsset({caller.tenant, store::Kind::kAsset, *std::move(id)}, caller.providers,
                          std::move(reply));
}

absl::StatusOr<watch::WatchRequest> Gateway::WatchAssets(const Caller& caller,
                                                         const v1::WatchAssetsRequest& request) {
  return WatchOf(caller, store::Kind::kAsset, request);
}

// --- Videos
// ---------------------------------------------------------------------------------------

absl::StatusOr<Eligibility> Gateway::Route(const model::Catalog& catalog, const Caller& caller,
                                           const v1::CreateVideoTaskRequest& request,
                                           v1::VideoTask& task) {
  absl::StatusOr<model::ModelEntry> model = catalog.FindModel(task.model(), caller.providers.get());
  if (!model.ok()) return model.status();
  task.set_model(model->id);
  const v1::VideoTask asked = task;
  FillDefaults(model->defaults, task);

  // The media, for what the targets have to say to them.
  std::vector<v1::MediaType> media;
  base::Faults faults;
  for (int i = 0; i < task.references_size(); ++i) {
    v1::Reference& reference = *task.mutable_references(i);
    if (!reference.has_asset()) {
      media.push_back(reference.media_type());
      continue;
    }
    const std::string path = absl::StrCat("video_task.references[", i, "]");
    auto row = Read(caller, store::Kind::kAsset, reference.asset(), path + ".asset");
    if (!row.ok()) return row.status();
    const v1::Asset asset = model::AssetFromRow(*row);
    if (reference.media_type() != 0 && reference.media_type() != asset.media_type()) {
      faults.Add(path + ".media_type",
                 absl::StrCat("is ", v1::MediaType_Name(reference.media_type()), ", but \"",
                              reference.asset(), "\" is ", v1::MediaType_Name(asset.media_type())));
    }
    if (reference.role() != v1::Reference::REFERENCE && asset.media_type() != v1::IMAGE) {
      faults.Add(path + ".asset", absl::StrCat("is ", v1::MediaType_Name(asset.media_type()),
                                               "; a frame has to be IMAGE"));
    }
    reference.set_media_type(asset.media_type());
    media.push_back(asset.media_type());
  }
  std::vector<std::string> wanted;
  for (const std::string& name : request.providers()) wanted.push_back(*model::ParseProvider(name));
  std::vector<model::Target> candidates;
  std::vector<model::Target> not_named;
  bool allowed = false;
  for (model::Target& target : model->targets) {
    if (!caller.MayUse(target.provider->id)) continue;
    allowed = true;
    const bool named = wanted.empty() ||
                       std::find(wanted.begin(), wanted.end(), target.provider->id) != wanted.end();
    (named ? candidates : not_named).push_back(std::move(target));
  }
  if (!allowed) return model::NotAllowed();
  if (candidates.empty()) {
    faults.Add("providers", absl::StrCat("names none of the providers that make \"", model->id,
                                         "\"; GetModel tells them"));
  }
  if (!faults.empty()) return faults.ToStatus();

  Eligibility found = Judge(asked, task, media, std::move(candidates));
  if (absl::Status status = CheckEligible(asked, found); !status.ok()) return status;
  for (model::Target& target : not_named) {
    found.passed.push_back({std::move(target), {{"providers", "is not named in the request"}}});
  }
  return found;
}

void Gateway::CreateVideoTask(const Caller& caller, const v1::CreateVideoTaskRequest& request,
                              reconcile::Reply<v1::VideoTask> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  reconcile::Creation<model::VideoEntity> creation;
  const absl::Time answer_by =
      AnswerBy(*catalog, caller, request.has_max_wait(), request.max_wait());
  creation.answer_by = answer_by;
  creation.context = caller.context;
  creation.waited = caller.waited;
  if (!request.validate_only()) Claim(caller, "CreateVideoTask", request, now, creation);
  absl::StatusOr<model::VideoEntity> entity = NewVideo(*catalog, caller, request, now);
  if (request.validate_only()) {
    if (!entity.ok()) return std::move(reply)(entity.status());
    return std::move(reply)(std::move(entity->resource));
  }
  if (entity.ok()) {
    LimitUnfinished(caller, entity->key.id, creation);
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateVideos(std::move(creation),
                           Answering(*this, &Gateway::CreateVideoTask, caller, request, answer_by,
                                     std::move(reply), AnswerFirst<v1::VideoTask>));
}

void Gateway::LimitUnfinished(const Caller& caller, const std::string& id,
                              reconcile::Creation<model::VideoEntity>& creation) {
  if (!caller.most_unfinished_videos.has_value()) return;
  creation.admit = [this, creator = UnfinishedVideos::Creator{caller.tenant, caller.identity}, id,
                    most = *caller.most_unfinished_videos] {
    return unfinished_videos_.Take(creator, id, most);
  };
}

absl::StatusOr<model::VideoEntity> Gateway::NewVideo(const model::Catalog& catalog,
                                                     const Caller& caller,
                                                     const v1::CreateVideoTaskRequest& request,
                                                     absl::Time now) {
  if (absl::Status allowed =
          CheckMayUse(caller, request.providers(), request.video_task().provider_options());
      !allowed.ok()) {
    return allowed;
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;

  model::VideoEntity entity;
  v1::VideoTask& task = entity.resource;
  const v1::VideoTask& asked = request.video_task();
  // What the caller says, and nothing that is for the gateway to say.
  task.set_model(asked.model());
  task.set_prompt(asked.prompt());
  *task.mutable_references() = asked.references();
  FillDefaults(asked, task);
  *task.mutable_provider_options() = asked.provider_options();
  *task.mutable_labels() = asked.labels();
  task.set_state(v1::VideoTask::PENDING);
  task.set_creator(caller.identity);
  absl::StatusOr<Eligibility> found = Route(catalog, caller, request, task);
  if (!found.ok()) return found.status();
  if (request.validate_only()) {
    // As the task would be, without what only one that exists has.
    *task.mutable_validation() = ToProto(*found);
    return entity;
  }
  Order(found->targets);

  entity.key = {
      caller.tenant, store::Kind::kVideoTask,
      request.video_task_id().empty() ? model::NewResourceId(now) : request.video_task_id()};
  task.set_name(model::MakeName(model::kVideoTasks, entity.key.id));
  *task.mutable_create_time() = base::ToProto(now);
  *task.mutable_update_time() = task.create_time();
  for (const model::Target& target : found->targets) {
    auto* out = entity.record.add_targets();
    out->set_provider(target.provider->id);
    out->set_provider_model(target.provider_model);
  }
  return entity;
}

absl::StatusOr<v1::VideoTask> Gateway::GetVideoTask(const Caller& caller,
                                                    const v1::GetVideoTaskRequest& request) {
  auto row = Read(caller, store::Kind::kVideoTask, request.name());
  if (!row.ok()) return row.status();
  return Readable(*row, reconciler_, model::VideoTaskFromRow);
}

absl::StatusOr<v1::ListVideoTasksResponse> Gateway::ListVideoTasks(
    const Caller& caller, const v1::ListVideoTasksRequest& request) {
  v1::ListVideoTasksResponse response;
  auto page = ListRows(store_, caller, store::Kind::kVideoTask, request,
                       *response.mutable_next_page_token());
  if (!page.ok()) return page.status();
  AddRows(page->rows, reconciler_, model::VideoTaskFromRow,
          [&](v1::VideoTask one) { *response.add_video_tasks() = std::move(one); });
  return response;
}

void Gateway::CancelVideoTask(const Caller& caller, const v1::CancelVideoTaskRequest& request,
                              reconcile::Reply<v1::VideoTask> reply) {
  auto id = IdOf(store::Kind::kVideoTask, request.name(), "name");
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.CancelVideo({caller.tenant, store::Kind::kVideoTask, *std::move(id)},
                          caller.providers, std::move(reply));
}

reconcile::AdoptionConditions Gateway::ConditionsOfResolution(const std::string& tenant,
                                                              const std::string& id,
                                                              const v1::VideoTask& task) {
  const model::CatalogPtr catalog = catalog_.Get();
  std::vector<store::Conditions::TermAnywhere> conditions;
  for (const v1::Attempt& doubtful : task.attempts()) {
    // One that is being submitted may have come into doubt by the time this is committed.
    if (doubtful.state() != v1::Attempt::UNCONFIRMED &&
        doubtful.state() != v1::Attempt::SUBMITTING) {
      continue;
    }
    ProviderTask taken;
    taken.provider = model::ParseProvider(doubtful.provider()).value_or("");
    taken.id = id;
    const model::ProviderEntry* provider = catalog->FindProvider(taken.provider);
    taken.dialect = provider == nullptr ? nullptr : provider->dialect.get();
    if (taken.dialect != nullptr) {
      // An id that is not one is refused when it is resolved.
      taken.handle = taken.dialect->AdoptVideo(taken.id, doubtful.provider_model()).value_or("");
    }
    reconcile::AdoptionConditions found = FindHolders(
        taken, [&](const store::Key& holder, const v1::VideoTask& other, const v1::Attempt&) {
          if (holder.tenant == tenant && other.name() == task.name()) {
            return absl::OkStatus();
          }
          const base::Error error(
              absl::StatusCode::kFailedPrecondition, v1::PROVIDER_TASK_TAKEN,
              absl::StrCat("\"", id, "\" is the task of ",
                           holder.tenant == tenant ? absl::StrCat("\"", other.name(), "\"")
                                                   : "somebody else",
                           " at ", doubtful.provider(), "; look for another one, made when \"",
                           task.name(), "\" was sent"));
          if (holder.tenant != tenant) return absl::Status(error);
          return absl::Status(
              base::Error(error).Resource(model::TypeOf(store::Kind::kVideoTask), other.name()));
        });
    if (!found.ok()) return found.status();
    std::move(found->begin(), found->end(), std::back_inserter(conditions));
  }
  return conditions;
}

absl::StatusOr<model::Target> Gateway::ImportTarget(
    const model::Catalog& catalog, const Caller& caller,
    const v1::ImportVideoTaskRequest& request) const {
  const std::string provider = *model::ParseProvider(request.provider());
  absl::StatusOr<model::ModelEntry> model =
      catalog.FindModel(request.model(), caller.providers.get());
  if (!model.ok()) {
    // The provider's own name of it.
    auto pinned = catalog.FindModel(
        absl::StrCat(model::MakeName(model::kProviders, provider), "/models/", request.model()));
    if (!pinned.ok()) return model.status();
    return pinned->targets.front();
  }
  for (const model::Target& target : model->targets) {
    if (target.provider->id == provider) return target;
  }
  base::Faults faults;
  faults.Add("model",
             absl::StrCat("is not made at \"", provider, "\"; GetModel tells where it is"));
  return faults.ToStatus();
}

reconcile::AdoptionConditions Gateway::FindHolders(
    const ProviderTask& task,
    absl::FunctionRef<absl::Status(const store::Key& holder, const v1::VideoTask&,
                                   const v1::Attempt&)>
        judge) {
  const auto canonical = [&](const std::string& id) {
    return task.dialect == nullptr ? id : task.dialect->CanonicalVideoId(id);
  };
  const std::string own = canonical(task.id);
  const std::string name = model::MakeName(model::kProviders, task.provider);
  // How rows may spell it: as the provider does, and, since an earlier release kept what a person
  // had typed, as this one did, or in one case.
  const std::set<std::string> spellings = {own, task.id, absl::AsciiStrToLower(own),
                                           absl::AsciiStrToUpper(own)};
  store::ListQuery query;
  query.kind = store::Kind::kVideoTask;
  std::vector<std::string>& clause = query.filter.clauses.emplace_back();
  for (const std::string& spelling : spellings) clause.push_back(model::ProviderTaskTerm(spelling));
  // Rows that have the id and are not in the way: it is another provider's, say.
  std::vector<store::Key> known;
  for (;;) {
    absl::StatusOr<std::optional<std::string>> next = store_.NextTenant(query.tenant);
    if (!next.ok()) return StoreUnreadable();
    if (!next->has_value()) break;
    query.tenant = **std::move(next);
    query.after_create_revision.reset();
    for (bool more = true; more;) {
      absl::StatusOr<store::ListPage> page = store_.List(query);
      if (!page.ok()) return StoreUnreadable();
      more = page->more;
      query.after_create_revision = page->end;
      for (const store::Row& row : page->rows) {
        model::VideoEntity other;
        model::FromRow(row, other);
        for (int i = 0; i < other.resource.attempts_size(); ++i) {
          const v1::Attempt& attempt = other.resource.attempts(i);
          const bool same = attempt.provider() == name &&
                            (canonical(attempt.provider_task_id()) == own ||
                             (!task.handle.empty() && i < other.record.units_size() &&
                              other.record.units(i).handle() == task.handle));
          if (!same) continue;
          if (absl::Status s = judge(row.key, other.resource, attempt); !s.ok()) return s;
        }
        known.push_back(row.key);
      }
    }
  }
  std::vector<store::Conditions::TermAnywhere> conditions;
  conditions.reserve(clause.size());
  for (const std::string& term : clause) {
    conditions.push_back({store::Kind::kVideoTask, term, known});
  }
  return conditions;
}

reconcile::AdoptionConditions Gateway::ConditionsOfImport(const std::string& tenant,
                                                          const ProviderTask& task) {
  return FindHolders(
      task, [&](const store::Key& holder, const v1::VideoTask& other, const v1::Attempt& attempt) {
        const auto taken = [&](absl::string_view why) {
          return base::Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_TASK_TAKEN,
                             absl::StrCat("\"", task.id, "\" at ", task.provider, " ", why));
        };
        if (holder.tenant != tenant) return absl::Status(taken("was made for others"));
        if (attempt.state() == v1::Attempt::FAILED || attempt.state() == v1::Attempt::CANCELLED) {
          return absl::OkStatus();
        }
        return absl::Status(taken(absl::StrCat("is the task of \"", other.name(),
                                               "\": its result is there, or comes there"))
                                .Resource(model::TypeOf(store::Kind::kVideoTask), other.name()));
      });
}

absl::StatusOr<model::VideoEntity> Gateway::NewImport(const model::Catalog& catalog,
                                                      const Caller& caller,
                                                      const v1::ImportVideoTaskRequest& request,
                                                      absl::Time now) {
  if (const auto id = model::ParseProvider(request.provider());
      id.has_value() && !caller.MayUse(*id)) {
    return model::NotAllowed();
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;
  const absl::StatusOr<model::Target> target = ImportTarget(catalog, caller, request);
  if (!target.ok()) return target.status();
  const model::ProviderEntry& provider = *target->provider;
  absl::StatusOr<provider::Handle> handle =
      provider.dialect->AdoptVideo(request.provider_task_id(), target->provider_model);
  if (!handle.ok()) {
    faults.Add("provider_task_id", std::string(handle.status().message()));
    return faults.ToStatus();
  }

  model::VideoEntity entity;
  entity.key = {
      caller.tenant, store::Kind::kVideoTask,
      request.video_task_id().empty() ? model::NewResourceId(now) : request.video_task_id()};
  v1::VideoTask& task = entity.resource;
  task.set_name(model::MakeName(model::kVideoTasks, entity.key.id));
  const auto model = catalog.FindModel(request.model());
  task.set_model(model.ok() ? model->id
                            : absl::StrCat(model::MakeName(model::kProviders, provider.id),
                                           "/models/", target->provider_model));
  task.set_prompt(request.prompt());
  *task.mutable_labels() = request.labels();
  task.set_creator(caller.identity);
  task.set_state(v1::VideoTask::QUEUED);
  for (auto* time :
       {task.mutable_create_time(), task.mutable_update_time(), task.mutable_submit_time()}) {
    *time = base::ToProto(now);
  }
  v1::Attempt& attempt = *task.add_attempts();
  attempt.set_provider(model::MakeName(model::kProviders, provider.id));
  attempt.set_provider_model(target->provider_model);
  attempt.set_credential_id(provider.credential.id);
  attempt.set_provider_task_id(provider.dialect->CanonicalVideoId(request.provider_task_id()));
  attempt.set_state(v1::Attempt::QUEUED);
  attempt.set_billing(v1::Attempt::UNKNOWN);
  for (auto* time : {attempt.mutable_create_time(), attempt.mutable_submit_time(),
                     attempt.mutable_import_time()}) {
    *time = base::ToProto(now);
  }
  model::Unit& unit = *entity.record.add_units();
  unit.set_provider(provider.id);
  unit.set_credential_id(provider.credential.id);
  unit.set_handle(*handle);
  auto* recorded = entity.record.add_targets();
  recorded->set_provider(provider.id);
  recorded->set_provider_model(target->provider_model);
  return entity;
}

void Gateway::ImportVideoTask(const Caller& caller, const v1::ImportVideoTaskRequest& request,
                              reconcile::Reply<v1::VideoTask> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  reconcile::Creation<model::VideoEntity> creation;
  const absl::Time answer_by = AnswerBy(*catalog, caller, false, google::protobuf::Duration());
  creation.answer_by = answer_by;
  creation.context = caller.context;
  creation.waited = caller.waited;
  Claim(caller, "ImportVideoTask", request, now, creation);
  absl::StatusOr<model::VideoEntity> entity = NewImport(*catalog, caller, request, now);
  if (entity.ok()) {
    const model::Unit& unit = entity->record.units(0);
    const ProviderTask taken = {unit.provider(), request.provider_task_id(),
                                catalog->FindProvider(unit.provider())->dialect.get(),
                                unit.handle()};
    // What is found now counts at first: on this thread, which may wait for the store.
    creation.adopt = [this, tenant = caller.tenant, taken, catalog,
                      found = std::optional(ConditionsOfImport(caller.tenant, taken))]() mutable {
      if (found.has_value()) return *std::exchange(found, std::nullopt);
      return ConditionsOfImport(tenant, taken);
    };
    LimitUnfinished(caller, entity->key.id, creation);
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateVideos(std::move(creation),
                           Answering(*this, &Gateway::ImportVideoTask, caller, request, answer_by,
                                     std::move(reply), AnswerFirst<v1::VideoTask>));
}

void Gateway::ResolveVideoTask(const Caller& caller, const v1::ResolveVideoTaskRequest& request,
                               reconcile::Reply<v1::VideoTask> reply) {
  auto id = IdOf(store::Kind::kVideoTask, request.name(), "name");
  if (!id.ok()) return std::move(reply)(id.status());
  base::Faults faults;
  if (request.outcome_case() == v1::ResolveVideoTaskRequest::OUTCOME_NOT_SET) {
    faults.Add("provider_task_id",
               "is required, or not_accepted: say which task it became at the provider, or that it "
               "became none");
  }
  if (request.has_provider_task_id() && !provider::IsId(request.provider_task_id())) {
    faults.Add("provider_task_id",
               "is no id: 1 to 256 printable ASCII characters without spaces; copy it from the "
               "provider's own list of tasks");
  }
  if (request.has_not_accepted() && !request.not_accepted()) {
    faults.Add("not_accepted",
               "is false, which says nothing; of an accepted one give the "
               "provider_task_id");
  }
  if (request.has_provider_task_id() && request.resubmit()) {
    faults.Add("resubmit", "goes with not_accepted alone: what was accepted is not sent again");
  }
  if (request.has_attempt() && request.attempt() < 0) {
    faults.Add("attempt", "is negative; attempts are counted from 0");
  }
  if (!faults.empty()) return std::move(reply)(faults.ToStatus());
  std::function<reconcile::AdoptionConditions(const v1::VideoTask&)> adopt;
  if (request.has_provider_task_id()) {
    auto row = Read(caller, store::Kind::kVideoTask, request.name());
    if (!row.ok()) return std::move(reply)(row.status());
    if (!MayUseProvidersOf(caller, *row)) return std::move(reply)(model::NotAllowed());
    const v1::VideoTask read = model::VideoTaskFromRow(*row);
    // What is found now counts at first: on this thread, which may wait for the store.
    reconcile::AdoptionConditions found =
        ConditionsOfResolution(caller.tenant, request.provider_task_id(), read);
    if (!found.ok()) return std::move(reply)(found.status());
    adopt = [this, tenant = caller.tenant, id = request.provider_task_id(),
             revision = read.revision(),
             found = std::optional(*std::move(found))](const v1::VideoTask& task) mutable {
      if (found.has_value() && task.revision() == revision) {
        return reconcile::AdoptionConditions(*std::exchange(found, std::nullopt));
      }
      return ConditionsOfResolution(tenant, id, task);
    };
  }
  reconciler_.ResolveVideo(
      {caller.tenant, store::Kind::kVideoTask, *std::move(id)}, caller.providers,
      {.resolver = caller.identity,
       .provider_task_id = request.provider_task_id(),
       .resubmit = request.resubmit(),
       .attempt = request.has_attempt() ? std::optional(request.attempt()) : std::nullopt},
      std::move(adopt), std::move(reply));
}

void Gateway::DeleteVideoTask(const Caller& caller, const v1::DeleteVideoTaskRequest& request,
                              reconcile::Reply<v1::DeleteVideoTaskResponse> reply) {
  auto id = IdOf(store::Kind::kVideoTask, request.name(), "name");
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.DeleteVideo({caller.tenant, store::Kind::kVideoTask, *std::move(id)},
                          caller.providers, std::move(reply));
}

absl::StatusOr<watch::WatchRequest> Gateway::WatchVideoTasks(
    const Caller& caller, const v1::WatchVideoTasksRequest& request) {
  return WatchOf(caller, store::Kind::kVideoTask, request);
}

// --- Providers and models
// -------------------------------------------------------------------------

void Gateway::ListProviders(const Caller& caller, const v1::ListProvidersRequest& request,
                            reconcile::Reply<v1::ListProvidersResponse> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  std::size_t count = 0;
  for (const auto& provider : catalog->providers()) count += caller.MayUse(provider->id) ? 1 : 0;
  const auto page = PageOf(request, count);
  if (!page.ok()) return std::move(reply)(page.status());
  reconciler_.DescribeProviders([page = *page, count, caller, reply = std::move(reply)](
                                    absl::StatusOr<std::vector<v1::Provider>> providers) mutable {
    if (!providers.ok()) return std::move(reply)(providers.status());
    v1::ListProvidersResponse response;
    std::size_t number = 0;
    for (v1::Provider& provider : *providers) {
      if (!caller.MayUse(*model::ParseProvider(provider.name()))) continue;
      if (number >= page.first && number < page.second) {
        *response.add_providers() = std::move(provider);
      }
      ++number;
    }
    if (page.second < count) response.set_next_page_token(absl::StrCat(page.second));
    std::move(reply)(std::move(response));
  });
}

void Gateway::GetProvider(const Caller& caller, const v1::GetProviderRequest& request,
                          reconcile::Reply<v1::Provider> reply) {
  const auto id = model::ParseProvider(request.name());
  if (!id.has_value()) {
    base::Faults faults;
    faults.Add("name", absl::StrCat("\"", base::CleanText(request.name(), 100),
                                    "\" is not of the form providers/{id}"));
    return std::move(reply)(faults.ToStatus());
  }
  if (!caller.MayUse(*id)) return std::move(reply)(model::NotAllowed());
  const model::CatalogPtr catalog = catalog_.Get();
  if (catalog->FindProvider(*id) == nullptr) {
    return std::move(reply)(catalog->NoSuchProvider(*id, caller.providers.get()));
  }
  reconciler_.DescribeProviders(
      [name = model::MakeName(model::kProviders, *id),
       reply = std::move(reply)](absl::StatusOr<std::vector<v1::Provider>> providers) mutable {
        if (!providers.ok()) return std::move(reply)(providers.status());
        for (v1::Provider& provider : *providers) {
          if (provider.name() == name) return std::move(reply)(std::move(provider));
        }
        std::move(reply)(absl::InternalError("a configured provider was not described"));
      });
}

absl::StatusOr<v1::ListModelsResponse> Gateway::ListModels(const Caller& caller,
                                                           const v1::ListModelsRequest& request) {
  const model::CatalogPtr catalog = catalog_.Get();
  std::vector<model::ModelEntry> models;
  for (const model::ModelEntry& route : catalog->routes()) {
    model::ModelEntry visible = VisibleTo(caller, route);
    if (!visible.targets.empty()) models.push_back(std::move(visible));
  }
  const auto page = PageOf(request, models.size());
  if (!page.ok()) return page.status();
  v1::ListModelsResponse response;
  for (std::size_t i = page->first; i < page->second; ++i) {
    *response.add_models() = ToProto(models[i]);
  }
  if (page->second < models.size()) {
    response.set_next_page_token(absl::StrCat(page->second));
  }
  return response;
}

bool Gateway::MayUseProvidersOf(const Caller& caller, const store::Row& row) {
  if (caller.providers == nullptr) return true;
  switch (row.key.kind) {
    case store::Kind::kVideoTask: {
      model::VideoEntity task;
      model::FromRow(row, task);
      return model::MayUseAll(caller.providers, task.record.units()) &&
             model::MayUseAll(caller.providers, task.record.targets());
    }
    case store::Kind::kAsset: {
      model::AssetEntity asset;
      model::FromRow(row, asset);
      return model::MayUseAll(caller.providers, asset.record.units());
    }
    default: {
      model::GroupEntity group;
      model::FromRow(row, group);
      return model::MayUseAll(caller.providers, group.record.units());
    }
  }
}

void Gateway::Explain(const Caller& caller, const v1::ExplainRequest& request,
                      reconcile::Reply<v1::Explanation> reply) {
  for (const store::Kind kind :
       {store::Kind::kVideoTask, store::Kind::kAsset, store::Kind::kAssetGroup}) {
    if (!model::ParseName(model::CollectionOf(kind), request.name()).has_value()) continue;
    auto row = Read(caller, kind, request.name());
    if (!row.ok()) return std::move(reply)(row.status());
    if (!MayUseProvidersOf(caller, *row)) return std::move(reply)(model::NotAllowed());
    std::string holder;
    // Beside the point where it cannot be read.
    if (row->content.unfinished) holder = store_.HolderOf(row->content.shard).value_or("");
    return reconciler_.Explain(
        *std::move(row), std::move(holder),
        [providers = caller.providers,
         reply = std::move(reply)](absl::StatusOr<v1::Explanation> explanation) mutable {
          if (explanation.ok() && providers != nullptr) {
            // Targets of the route that the task could not go to.
            auto* passed = explanation->mutable_passed_targets();
            passed->erase(
                std::remove_if(passed->begin(), passed->end(),
                               [&](const auto& target) {
                                 return !providers->contains(
                                     model::ParseProvider(target.provider()).value_or(""));
                               }),
                passed->end());
          }
          std::move(reply)(std::move(explanation));
        });
  }
  base::Faults faults;
  faults.Add("name", request.name().empty()
                         ? std::string("is required: videoTasks/{id}, assets/{id} or "
                                       "assetGroups/{id}")
                         : absl::StrCat("\"", base::CleanText(request.name(), 100),
                                        "\" is not of the form videoTasks/{id}, assets/{id} or "
                                        "assetGroups/{id}"));
  std::move(reply)(faults.ToStatus());
}

absl::StatusOr<v1::Model> Gateway::GetModel(const Caller& caller,
                                            const v1::GetModelRequest& request) {
  if (request.name().empty()) {
    base::Faults faults;
    faults.Add("name", "is required: models/{id}, or providers/{provider}/models/{model}");
    return faults.ToStatus();
  }
  const model::CatalogPtr catalog = catalog_.Get();
  absl::StatusOr<model::ModelEntry> model =
      catalog->FindModel(request.name(), caller.providers.get());
  if (!model.ok()) return model.status();
  const model::ModelEntry visible = VisibleTo(caller, *model);
  if (visible.targets.empty()) return model::NotAllowed();
  return ToProto(visible);
}

}  // namespace assetgate::calls
