// The gates of all providers, and what calls have shown of the providers behind them.
#ifndef ASSETGATE_UPSTREAM_GATES_H_
#define ASSETGATE_UPSTREAM_GATES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "assetgate/v1/provider.pb.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "google/rpc/status.pb.h"
#include "model/catalog.h"
#include "provider/failure.h"
#include "upstream/gate.h"
#include "upstream/telemetry.h"

namespace assetgate::upstream {

// Makes one gate per provider, divides the accounts' budgets among the gateways that share them,
// and reports a provider whose state has changed.
//
// Threading: the thread of `loop`.
class Gates {
 public:
  // `gateways` returns how many gateways share the budgets.
  Gates(base::EventLoop& loop, Telemetry& telemetry, std::function<int()> gateways);

  // Runs when the state of a provider has changed; may be empty.
  void OnStateChange(std::function<void()> notify) { notify_ = std::move(notify); }

  // Makes the gates that `catalog`'s providers lack, and has the others follow it. `changes`: what
  // it changes; empty at first. A gate of a provider that is no longer configured stays: calls may
  // hold places in it.
  void Configure(model::CatalogPtr catalog, const model::ProviderChanges& changes);

  // Of a provider that is, or was, configured.
  Gate& Of(const std::string& provider_id) { return *gates_.at(provider_id); }
  const Gate& Of(const std::string& provider_id) const { return *gates_.at(provider_id); }

  // Divides the budgets again, at most every five seconds.
  void ShareBudgets();
  // Divides them now: the number of gateways has changed, or there are new gates.
  void ShareBudgetsNow();

  // A call to `called` has ended. A failure that concerns a key or an address that has been
  // replaced since says nothing of the present one. `unit`: see Gate::Release.
  void Release(const model::ProviderEntry& called, CallClass call_class,
               const provider::Failure* failure, std::uint64_t unit);
  // Keeps the provider's last error, for Describe.
  void NoteFailure(const std::string& provider_id, const provider::Failure& failure);
  // Reports the state of a provider to telemetry and the listener if it has changed.
  void NoteState(const std::string& provider_id);

  // State and last error of a configured provider; the other fields of its API form.
  v1::Provider Describe(const model::ProviderEntry& entry) const;

 private:
  struct LastError {
    google::rpc::Status status;
    absl::Time time;
  };

  base::EventLoop& loop_;
  Telemetry& telemetry_;
  const std::function<int()> gateways_;
  std::function<void()> notify_;
  model::CatalogPtr catalog_;
  std::map<std::string, std::unique_ptr<Gate>> gates_;
  std::map<std::string, LastError> last_errors_;
  std::map<std::string, base::ProviderCondition> conditions_;
  absl::Time shared_ = absl::InfinitePast();
};

}  // namespace assetgate::upstream

#endif  // ASSETGATE_UPSTREAM_GATES_H_
