// A store that forwards to another one.
#ifndef ASSETGATE_STORE_TESTING_FORWARDING_STORE_H_
#define ASSETGATE_STORE_TESTING_FORWARDING_STORE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "store/store.h"

namespace assetgate::store {

// Forwards every call to the real store; subclasses override some calls, to make them fail or to
// observe them.
// Lifetime: the real store must outlive this object.
class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(Store& real) : real_(real) {}

  const std::string& store_id() const override { return real_.store_id(); }
  void Commit(Transaction transaction, CommitDone done) override {
    real_.Commit(std::move(transaction), std::move(done));
  }
  absl::StatusOr<std::optional<Row>> Get(const Key& key) override { return real_.Get(key); }
  absl::StatusOr<ListPage> List(const ListQuery& query) override { return real_.List(query); }
  absl::StatusOr<ChangesPage> ReadChanges(const ChangesQuery& query) override {
    return real_.ReadChanges(query);
  }
  absl::StatusOr<std::optional<RequestRow>> FindRequest(const RequestKey& key) override {
    return real_.FindRequest(key);
  }
  absl::StatusOr<std::vector<Row>> ListUnfinished(const UnfinishedQuery& query) override {
    return real_.ListUnfinished(query);
  }
  absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after) override {
    return real_.NextTenant(after);
  }
  absl::StatusOr<Revision> Head() override { return real_.Head(); }
  absl::Status Health() override { return real_.Health(); }
  std::size_t queue_depth() const override { return real_.queue_depth(); }
  Leases& leases() override { return real_.leases(); }
  absl::StatusOr<std::string> HolderOf(Shard shard) override { return real_.HolderOf(shard); }
  absl::Time trusted_time() const override { return real_.trusted_time(); }
  void SetListener(ChangeListener* listener) override { real_.SetListener(listener); }
  void Stop() override { real_.Stop(); }

 protected:
  Store& real() { return real_; }

 private:
  Store& real_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_TESTING_FORWARDING_STORE_H_
