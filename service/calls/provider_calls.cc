#include "calls/provider_calls.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/faults.h"
#include "base/text.h"
#include "calls/paging.h"
#include "calls/stored_resources.h"
#include "model/refusal.h"
#include "model/resource.h"

namespace assetgate::calls {
namespace {

// The model with those of its targets that the caller may use.
model::ModelEntry VisibleTo(const Caller& caller, const model::ModelEntry& model) {
  model::ModelEntry visible = model;
  std::erase_if(visible.targets,
                [&](const model::Target& target) { return !caller.MayUse(target.provider->id); });
  return visible;
}

// Removes the route's targets that the caller may not use from those that the task was not sent to.
void HidePassedTargets(const model::UsableProviders& usable, v1::Explanation& explanation) {
  auto* passed = explanation.mutable_passed_targets();
  passed->erase(std::remove_if(passed->begin(), passed->end(),
                               [&](const auto& target) {
                                 return !usable->contains(
                                     model::ParseProvider(target.provider()).value_or(""));
                               }),
                passed->end());
}

}  // namespace

void ProviderCalls::ListProviders(const Caller& caller, const v1::ListProvidersRequest& request,
                                  reconcile::Reply<v1::ListProvidersResponse> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  std::size_t count = 0;
  for (const auto& provider : catalog->providers()) count += caller.MayUse(provider->id) ? 1 : 0;
  const auto page = PageOfConfigured(count, request.page_size(), request.page_token());
  if (!page.ok()) return std::move(reply)(page.status());
  reconciler_.DescribeProviders([page = *page, caller, reply = std::move(reply)](
                                    absl::StatusOr<std::vector<v1::Provider>> providers) mutable {
    if (!providers.ok()) return std::move(reply)(providers.status());
    v1::ListProvidersResponse response;
    std::size_t position = 0;
    for (v1::Provider& provider : *providers) {
      if (!caller.MayUse(*model::ParseProvider(provider.name()))) continue;
      if (page.Contains(position++)) *response.add_providers() = std::move(provider);
    }
    response.set_next_page_token(page.next_page_token);
    std::move(reply)(std::move(response));
  });
}

void ProviderCalls::GetProvider(const Caller& caller, const v1::GetProviderRequest& request,
                                reconcile::Reply<v1::Provider> reply) {
  const auto id = model::ParseProvider(request.name());
  if (!id.has_value()) {
    base::Faults faults;
    faults.Add("name",
               absl::StrCat(base::Quoted(request.name()), " is not of the form providers/{id}"));
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

absl::StatusOr<v1::ListModelsResponse> ProviderCalls::ListModels(
    const Caller& caller, const v1::ListModelsRequest& request) {
  const model::CatalogPtr catalog = catalog_.Get();
  std::vector<model::ModelEntry> models;
  for (const model::ModelEntry& route : catalog->routes()) {
    model::ModelEntry visible = VisibleTo(caller, route);
    if (!visible.targets.empty()) models.push_back(std::move(visible));
  }
  const auto page = PageOfConfigured(models.size(), request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListModelsResponse response;
  for (std::size_t i = page->begin; i < page->end; ++i) {
    *response.add_models() = ToProto(models[i]);
  }
  response.set_next_page_token(page->next_page_token);
  return response;
}

absl::StatusOr<v1::Model> ProviderCalls::GetModel(const Caller& caller,
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

void ProviderCalls::Explain(const Caller& caller, const v1::ExplainRequest& request,
                            reconcile::Reply<v1::Explanation> reply) {
  for (const store::Kind kind :
       {store::Kind::kVideoTask, store::Kind::kAsset, store::Kind::kAssetGroup}) {
    if (!model::ParseName(model::CollectionOf(kind), request.name()).has_value()) continue;
    auto row = ReadRow(store_, caller, kind, request.name());
    if (!row.ok()) return std::move(reply)(row.status());
    if (!MayUseProvidersOf(caller, *row)) return std::move(reply)(model::NotAllowed());
    std::string holder;
    // The explanation is of use without the gateway's name, where the store cannot tell it.
    if (row->content.unfinished) holder = store_.HolderOf(row->content.shard).value_or("");
    return reconciler_.Explain(*std::move(row), std::move(holder),
                               [usable = caller.providers, reply = std::move(reply)](
                                   absl::StatusOr<v1::Explanation> explanation) mutable {
                                 if (explanation.ok() && usable != nullptr)
                                   HidePassedTargets(usable, *explanation);
                                 std::move(reply)(std::move(explanation));
                               });
  }
  base::Faults faults;
  faults.Add("name", request.name().empty()
                         ? std::string("is required: videoTasks/{id}, assets/{id} or "
                                       "assetGroups/{id}")
                         : absl::StrCat(base::Quoted(request.name()),
                                        " is not of the form videoTasks/{id}, assets/{id} or "
                                        "assetGroups/{id}"));
  std::move(reply)(faults.ToStatus());
}

}  // namespace assetgate::calls
