// The calls of ProviderService: the configured providers and models, without gRPC.
#ifndef ASSETGATE_CALLS_PROVIDER_CALLS_H_
#define ASSETGATE_CALLS_PROVIDER_CALLS_H_

#include "absl/status/statusor.h"
#include "assetgate/v1/provider_service.pb.h"
#include "calls/caller.h"
#include "model/catalog.h"
#include "reconcile/reconciler.h"
#include "store/store.h"

namespace assetgate::calls {

// Shows each caller the providers and models that it may use, and their state.
//
// Threading: thread-safe. A Reply runs on the reconciler's thread, or inside the call where the
// request is refused at once. Lifetime: the constructor's arguments outlive it.
class ProviderCalls {
 public:
  ProviderCalls(const model::CurrentCatalog& catalog, store::Store& store,
                reconcile::Reconciler& reconciler)
      : catalog_(catalog), store_(store), reconciler_(reconciler) {}

  // The providers that the caller may use.
  void ListProviders(const Caller& caller, const v1::ListProvidersRequest& request,
                     reconcile::Reply<v1::ListProvidersResponse> reply);
  void GetProvider(const Caller& caller, const v1::GetProviderRequest& request,
                   reconcile::Reply<v1::Provider> reply);
  // The models with a target that the caller may use, each with these targets alone.
  absl::StatusOr<v1::ListModelsResponse> ListModels(const Caller& caller,
                                                    const v1::ListModelsRequest& request);
  absl::StatusOr<v1::Model> GetModel(const Caller& caller, const v1::GetModelRequest& request);
  // Why a resource stands as it does; NOT_ALLOWED where the caller may not use all its providers.
  void Explain(const Caller& caller, const v1::ExplainRequest& request,
               reconcile::Reply<v1::Explanation> reply);

 private:
  const model::CurrentCatalog& catalog_;
  store::Store& store_;
  reconcile::Reconciler& reconciler_;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_PROVIDER_CALLS_H_
