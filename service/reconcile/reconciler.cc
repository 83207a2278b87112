#include "reconcile/reconciler.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "reconcile/commands.h"
#include "reconcile/dependencies.h"
#include "reconcile/doubts.h"
#include "reconcile/engine.h"
#include "reconcile/explain.h"
#include "reconcile/following.h"
#include "reconcile/ownership.h"
#include "reconcile/places.h"
#include "reconcile/quiescence.h"
#include "reconcile/step.h"
#include "reconcile/store_reader.h"
#include "reconcile/work/asset_item.h"
#include "reconcile/work/group_item.h"
#include "reconcile/work/video_item.h"
#include "upstream/gates.h"
#include "upstream/upstream.h"

namespace assetgate::reconcile {
namespace {

// Items that are planned again in one go after another catalog came into force.
constexpr std::size_t kWakePage = 500;

base::MetricKind MetricKindOf(store::Kind kind) {
  switch (kind) {
    case store::Kind::kAsset:
      return base::MetricKind::kAsset;
    case store::Kind::kVideoTask:
      return base::MetricKind::kVideoTask;
    default:
      return base::MetricKind::kAssetGroup;
  }
}

model::GroupEntity DefaultGroup(const store::Key& key, const std::string& provider_id,
                                absl::Time now) {
  model::GroupEntity entity;
  entity.key = key;
  entity.resource.set_name(model::MakeName(model::kAssetGroups, key.id));
  entity.resource.set_display_name(absl::StrCat("assetgate default (", provider_id, ")"));
  entity.resource.set_creator("assetgate");
  *entity.resource.mutable_create_time() = base::ToProto(now);
  *entity.resource.mutable_update_time() = entity.resource.create_time();
  return entity;
}

}  // namespace

// The parts, in the order in which they know each other.
struct Reconciler::Wiring {
  explicit Wiring(Parts given)
      : loop(given.loop),
        store(given.store),
        current_catalog(given.catalog),
        telemetry(given.telemetry),
        ownership(store.leases()),
        gates(loop, telemetry, [this] { return ownership.gateways(); }),
        upstream(loop, given.http, gates),
        quiescence(loop, [this] { return engine.AnyPending(); }),
        reader(loop, store, quiescence, given.store_readers),
        slots(loop, reader, telemetry, [this](const store::Key& key) { return Wake(key); }),
        uploads([this](const store::Key& key) { return Wake(key); },
                [this](const store::Key& key, std::size_t unit) { return Submits(key, unit); }),
        parts{.loop = loop,
              .ownership = ownership,
              .gates = gates,
              .upstream = upstream,
              .telemetry = telemetry,
              .slots = slots,
              .uploads = uploads,
              .quiescence = quiescence,
              .plan_again = [this](const store::Key& key,
                                   std::uint64_t serial) { engine.PlanAgain(key, serial); },
              .observe = [this](Observed observed) { engine.Observe(std::move(observed)); },
              .behind = std::max(absl::ZeroDuration(), store.trusted_time() - loop.Now()),
              .catalog = current_catalog.Get()},
        engine(Environment(parts), loop, store, reader, counts),
        doubts(engine, store),
        creations(engine, store, doubts),
        dependencies(engine,
                     [this](const store::Key& group, const std::string& provider_id,
                            const Item& dependent, std::function<void(bool)> done) {
                       CreateDefaultGroup(group, provider_id, dependent, std::move(done));
                     }),
        following(engine, store.leases()),
        commands(engine) {
    parts.dependencies = &dependencies;
    gates.OnStateChange([this] {
      if (listener != nullptr) listener->OnProvidersChanged();
    });
    gates.Configure(parts.catalog, {});
    engine.SetHooks({.doubt = [this](const store::Key& key,
                                     store::Revision before) { doubts.Add(key, before); },
                     .adopted = [this](const store::Row& row) { return doubts.OnAdopted(row); }});
  }

  bool Wake(const store::Key& key) { return engine.PlanAgain(key); }
  // Whether the unit's submission is in flight, or being committed.
  bool Submits(const store::Key& key, std::size_t unit) {
    const Entry* entry = engine.Find(key);
    if (entry == nullptr) return false;
    const UnitRun* run = entry->item->FindRun(unit);
    if (run != nullptr && run->in_flight) return true;
    return entry->committing() && entry->item->DraftSubmits(unit);
  }

  template <typename ItemT, typename EntityT>
  Creations::Pending MakePending(Creation<EntityT> creation,
                                 CreateReply<typename EntityT::Resource> reply);
  // Each runs on the loop, never inside this call.
  template <typename ItemT, typename EntityT>
  void Create(Creation<EntityT> creation, CreateReply<typename EntityT::Resource> reply) {
    loop.Post([this, creation = std::move(creation), reply = std::move(reply)]() mutable {
      creations.Create(MakePending<ItemT>(std::move(creation), std::move(reply)));
    });
  }
  template <typename... Params, typename... Args>
  void Command(void (Commands::*command)(Params...), Args... args) {
    loop.Post([this, command, args = std::make_tuple(std::move(args)...)]() mutable {
      std::apply([&](Args&... each) { (commands.*command)(std::move(each)...); }, args);
    });
  }
  void CreateDefaultGroup(const store::Key& key, const std::string& provider_id,
                          const Item& dependent, std::function<void(bool)> done);
  void Reconfigure(model::CatalogPtr catalog);
  // Plans the items again, some at a time, from the `from`th on.
  void WakeInTurn(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from);

  base::EventLoop& loop;
  store::Store& store;
  model::CurrentCatalog& current_catalog;
  upstream::Telemetry& telemetry;
  Counts counts;
  ProviderListener* listener = nullptr;

  Ownership ownership;
  upstream::Gates gates;
  upstream::Upstream upstream;
  Quiescence quiescence;
  StoreReader reader;
  SlotPlaces slots;
  UploadPlaces uploads;
  Environment::Parts parts;
  Engine engine;
  Doubts doubts;
  Creations creations;
  Dependencies dependencies;
  Following following;
  Commands commands;
};

template <typename ItemT, typename EntityT>
Creations::Pending Reconciler::Wiring::MakePending(Creation<EntityT> creation,
                                                   CreateReply<typename EntityT::Resource> reply) {
  using Resource = typename EntityT::Resource;
  Creations::Pending pending;
  for (EntityT& entity : creation.entities) {
    auto item = std::make_unique<ItemT>(entity.key, engine.NextSerial(), loop.Now());
    item->Begin(std::move(entity));
    item->SetCaller(creation.context, creation.waited);
    pending.items.push_back(std::move(item));
  }
  pending.claim = std::move(creation.claim);
  pending.admit = std::move(creation.admit);
  pending.adopt = std::move(creation.adopt);
  pending.same_request = std::move(creation.same_request);
  pending.repeated = std::move(creation.repeated);
  pending.answer_by = creation.answer_by;
  pending.waited = std::move(creation.waited);
  auto results = std::make_shared<Results<Resource>>();
  pending.answers.each = [results](absl::StatusOr<const Item*> result) {
    if (result.ok()) {
      results->push_back(static_cast<const ItemT*>(*result)->resource());
    } else {
      results->push_back(result.status());
    }
  };
  pending.answers.done = [results, reply = std::move(reply)](bool free_again) mutable {
    if (free_again) return std::move(reply)(RequestIdFreeAgain());
    std::move(reply)(std::move(*results));
  };
  return pending;
}

void Reconciler::Wiring::CreateDefaultGroup(const store::Key& key, const std::string& provider_id,
                                            const Item& dependent, std::function<void(bool)> done) {
  Creation<model::GroupEntity> creation;
  creation.entities.push_back(DefaultGroup(key, provider_id, loop.Now()));
  creation.answer_by = loop.Now();
  creation.context = dependent.context();
  creation.waited = dependent.waited();
  CreateReply<v1::AssetGroup> reply =
      [done = std::move(done)](std::variant<Results<v1::AssetGroup>, RequestIdFreeAgain> created) {
        const auto* results = std::get_if<Results<v1::AssetGroup>>(&created);
        done(results != nullptr &&
             (results->front().ok() || absl::IsAlreadyExists(results->front().status())));
      };
  loop.Post(
      [this, pending = MakePending<GroupItem>(std::move(creation), std::move(reply))]() mutable {
        creations.Create(std::move(pending));
      });
}

void Reconciler::Wiring::Reconfigure(model::CatalogPtr catalog) {
  const model::ProviderChanges changes = model::ChangesBetween(*parts.catalog, *catalog);
  const bool concerns_all = parts.catalog->settings() != catalog->settings();
  parts.catalog = std::move(catalog);
  gates.Configure(parts.catalog, changes);
  // New gates have their part of the budget too.
  gates.ShareBudgetsNow();
  current_catalog.Set(parts.catalog);
  slots.Configure(parts.catalog);
  if (listener != nullptr) listener->OnProvidersChanged();
  if (!concerns_all && changes.empty()) return;
  auto concerned = std::make_shared<std::vector<store::Key>>();
  engine.ForEach([&](Entry& entry) {
    if (entry.item->Reconsider(engine.environment(), changes) || concerns_all) {
      concerned->push_back(entry.item->key());
    }
  });
  WakeInTurn(std::move(concerned), 0);
}

void Reconciler::Wiring::WakeInTurn(std::shared_ptr<const std::vector<store::Key>> keys,
                                    std::size_t from) {
  const std::size_t end = std::min(keys->size(), from + kWakePage);
  for (std::size_t i = from; i < end; ++i) engine.PlanAgain((*keys)[i]);
  if (end == keys->size()) return;
  loop.Post([this, keys = std::move(keys), end]() mutable { WakeInTurn(std::move(keys), end); });
}

Reconciler::Reconciler(Parts parts) : wiring_(std::make_unique<Wiring>(parts)) {}

Reconciler::~Reconciler() = default;

void Reconciler::Recover(absl::AnyInvocable<void() &&> done) {
  Wiring& w = *wiring_;
  w.loop.Post([&w, done = std::move(done)]() mutable {
    w.slots.Configure(w.parts.catalog);
    w.following.Recover(std::move(done));
  });
}

void Reconciler::OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) {
  wiring_->slots.OnChanges(changes);
  wiring_->following.OnChanges(changes, head);
}

void Reconciler::OnGap(store::Revision upto) {
  wiring_->slots.OnGap();
  wiring_->following.OnGap(upto);
}

void Reconciler::Observe(Observed observed) {
  Wiring& w = *wiring_;
  w.loop.Post(
      [&w, observed = std::move(observed)]() mutable { w.engine.Observe(std::move(observed)); });
}

void Reconciler::CreateGroups(Creation<model::GroupEntity> creation,
                              CreateReply<v1::AssetGroup> reply) {
  wiring_->Create<GroupItem>(std::move(creation), std::move(reply));
}

void Reconciler::CreateAssets(Creation<model::AssetEntity> creation, CreateReply<v1::Asset> reply) {
  wiring_->Create<AssetItem>(std::move(creation), std::move(reply));
}

void Reconciler::CreateVideos(Creation<model::VideoEntity> creation,
                              CreateReply<v1::VideoTask> reply) {
  wiring_->Create<VideoItem>(std::move(creation), std::move(reply));
}

void Reconciler::CancelVideo(store::Key key, model::UsableProviders usable,
                             Reply<v1::VideoTask> reply) {
  wiring_->Command(&Commands::CancelVideo, std::move(key), std::move(usable), std::move(reply));
}

void Reconciler::ResolveVideo(store::Key key, model::UsableProviders usable, model::Resolution said,
                              std::function<AdoptionConditions(const v1::VideoTask&)> adopt,
                              Reply<v1::VideoTask> reply) {
  wiring_->Command(&Commands::ResolveVideo, std::move(key), std::move(usable), std::move(said),
                   std::move(adopt), std::move(reply));
}

void Reconciler::DeleteGroup(store::Key key, model::UsableProviders usable,
                             Reply<v1::DeleteAssetGroupResponse> reply) {
  wiring_->Command(&Commands::DeleteGroup, std::move(key), std::move(usable), std::move(reply));
}

void Reconciler::DeleteAsset(store::Key key, model::UsableProviders usable,
                             Reply<v1::DeleteAssetResponse> reply) {
  wiring_->Command(&Commands::DeleteAsset, std::move(key), std::move(usable), std::move(reply));
}

void Reconciler::DeleteVideo(store::Key key, model::UsableProviders usable,
                             Reply<v1::DeleteVideoTaskResponse> reply) {
  wiring_->Command(&Commands::DeleteVideo, std::move(key), std::move(usable), std::move(reply));
}

void Reconciler::Explain(store::Row row, std::string gateway, Reply<v1::Explanation> reply) {
  Wiring& w = *wiring_;
  w.loop.Post(
      [&w, row = std::move(row), gateway = std::move(gateway), reply = std::move(reply)]() mutable {
        const Environment& environment = w.engine.environment();
        const Entry* entry = w.engine.Find(row.key);
        if (entry != nullptr && entry->create_revision == row.create_revision) {
          return std::move(reply)(
              reconcile::Explain({environment, *entry->item, w.engine.Owns(*entry)}, gateway));
        }
        // Looked at, and not taken up.
        const std::unique_ptr<Item> item = w.engine.NewItem(row.key);
        item->Load(row);
        std::move(reply)(reconcile::Explain(
            {environment, *item, environment.ownership().Holds(row.content.shard)}, gateway));
      });
}

void Reconciler::DescribeProviders(Reply<std::vector<v1::Provider>> reply) {
  Wiring& w = *wiring_;
  w.loop.Post([&w, reply = std::move(reply)]() mutable {
    Unfinished counts = w.counts.Get();
    std::vector<v1::Provider> providers;
    for (const auto& entry : w.parts.catalog->providers()) {
      v1::Provider provider = w.gates.Describe(*entry);
      provider.set_unfinished_placements(counts.by_provider[{base::MetricKind::kAsset, entry->id}]);
      provider.set_unfinished_attempts(
          counts.by_provider[{base::MetricKind::kVideoTask, entry->id}]);
      providers.push_back(std::move(provider));
    }
    std::move(reply)(std::move(providers));
  });
}

void Reconciler::SetProviderListener(ProviderListener* listener) { wiring_->listener = listener; }

Unfinished Reconciler::unfinished() const { return wiring_->counts.Get(); }

void Reconciler::NoteUnreadable(store::Key key) {
  Wiring& w = *wiring_;
  w.loop.Post([&w, key = std::move(key)] {
    w.telemetry.OnUnreadable(MetricKindOf(key.kind),
                             model::MakeName(model::CollectionOf(key.kind), key.id));
  });
}

void Reconciler::Reconfigure(model::CatalogPtr catalog, absl::AnyInvocable<void() &&> done) {
  Wiring& w = *wiring_;
  w.loop.Post([&w, catalog = std::move(catalog), done = std::move(done)]() mutable {
    w.Reconfigure(std::move(catalog));
    std::move(done)();
  });
}

void Reconciler::AnswerWaitersNow() {
  Wiring& w = *wiring_;
  w.loop.Post([&w] { w.engine.AnswerWaitersNow(); });
}

void Reconciler::StopReading() { wiring_->reader.Stop(); }

void Reconciler::Drain(absl::AnyInvocable<void() &&> quiet) {
  AnswerWaitersNow();
  Wiring& w = *wiring_;
  w.loop.Post([&w, quiet = std::move(quiet)]() mutable {
    w.parts.draining = true;
    w.quiescence.Await(std::move(quiet));
  });
}

}  // namespace assetgate::reconcile
