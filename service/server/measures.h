// The metrics that are computed when they are read.
#ifndef ASSETGATE_SERVER_MEASURES_H_
#define ASSETGATE_SERVER_MEASURES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/metrics.h"
#include "model/catalog.h"
#include "reconcile/reconciler.h"
#include "store/store.h"
#include "watch/hub.h"

namespace assetgate {

// Registers the computations, and removes them when it is destroyed.
//
// Lifetime: all parts outlive it. Threading: the computations run on the threads that read metrics.
class Measures {
 public:
  struct Parts {
    base::Metrics& metrics;
    store::Store& store;
    watch::Hub& hub;
    const model::CurrentCatalog& catalog;
    reconcile::Reconciler& reconciler;
  };

  // Measures the parts, and the work at every provider of the catalog.
  explicit Measures(const Parts& parts);
  Measures(const Measures&) = delete;
  Measures& operator=(const Measures&) = delete;

  // Measures the work at one more provider.
  void AddProvider(const std::string& id);

 private:
  void Compute(prometheus::Gauge& gauge, absl::AnyInvocable<double()> read);
  void AddStore();
  void AddReasons();

  const Parts parts_;
  std::vector<std::unique_ptr<base::Metrics::Computation>> computations_;
};

}  // namespace assetgate

#endif  // ASSETGATE_SERVER_MEASURES_H_
