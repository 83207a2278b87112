// Creations that carry a request_id: the first call with an id is carried out, and each repetition
// gets the first one's answer.
#ifndef ASSETGATE_CALLS_REQUEST_IDS_H_
#define ASSETGATE_CALLS_REQUEST_IDS_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "calls/caller.h"
#include "google/protobuf/util/message_differencer.h"
#include "reconcile/reconciler.h"
#include "store/store.h"

namespace assetgate::calls {

// A request as it is stored under its request_id. max_wait is left out: it says how long the caller
// waits, not what the request makes.
template <typename Request>
std::string KeptRequest(Request request) {
  if constexpr (requires { request.clear_max_wait(); }) request.clear_max_wait();
  return request.SerializeAsString();
}

// A creation without entities, for the caller and until `answer_by`. The commit finds whether the
// request_id was used before.
template <typename EntityT, typename Request>
reconcile::Creation<EntityT> BeginCreation(const Caller& caller, absl::string_view method,
                                           const Request& request, absl::Time now,
                                           absl::Time answer_by) {
  reconcile::Creation<EntityT> creation;
  creation.answer_by = answer_by;
  creation.context = caller.context;
  creation.waited = caller.waited;
  if (request.request_id().empty()) return creation;
  store::RequestRow row;
  row.key = {caller.tenant, std::string(method), request.request_id()};
  row.request = KeptRequest(request);
  row.create_time = now;
  creation.same_request = [kept = row.request](const std::string& stored) {
    Request a;
    Request b;
    return a.ParseFromString(kept) && b.ParseFromString(stored) &&
           google::protobuf::util::MessageDifferencer::Equals(a, b);
  };
  creation.claim = std::move(row);
  return creation;
}

// Of a request that has max_wait.
template <typename Request>
std::optional<absl::Duration> MaxWaitOf(const Request& request) {
  if (!request.has_max_wait()) return std::nullopt;
  return base::FromProto(request.max_wait());
}

// For a creation that fails with `fault` before it is handed to the reconciler. OK where it repeats
// a request that was carried out: the stored answer counts, whatever has changed since, and the
// creation goes to the reconciler without entities. Otherwise the caller's error.
template <typename EntityT>
absl::Status UnlessRepeated(store::Store& store, absl::Status fault,
                            reconcile::Creation<EntityT>& creation) {
  if (!creation.claim.has_value()) return fault;
  auto found = store.FindRequest(creation.claim->key);
  if (!found.ok()) return base::StoreUnreadable();
  if (!found->has_value()) return fault;
  creation.repeated = *std::move(found);
  creation.entities.clear();
  return absl::OkStatus();
}

template <typename Resource>
using Results = std::vector<absl::StatusOr<Resource>>;

// The answer to a call that makes one resource.
template <typename Resource>
void AnswerOne(Results<Resource> results, reconcile::Reply<Resource> reply) {
  std::move(reply)(std::move(results.front()));
}

// The reply to a creation, as the reply to its call; `answer` makes one of the other. Where the
// request_id turns out to be free again, `calls.method` runs once more, with the time that is left.
template <typename Calls, typename Request, typename Response, typename Resource>
reconcile::Reconciler::CreateReply<Resource> AnswerOrCallAgain(
    Calls& calls, void (Calls::*method)(const Caller&, const Request&, reconcile::Reply<Response>),
    const Caller& caller, const Request& request, absl::Time answer_by,
    reconcile::Reply<Response> reply,
    void (*answer)(Results<Resource>, reconcile::Reply<Response>)) {
  std::optional<std::pair<Caller, Request>> again;
  // The call owns it; it is gone when the caller is.
  std::weak_ptr<upstream::WaitedCall> waited;
  if (!request.request_id().empty()) {
    again.emplace(caller, request);
    again->first.deadline = std::min(caller.deadline, answer_by + kDeadlineMargin);
    waited = std::exchange(again->first.waited, nullptr);
  }
  return [&calls, method, again = std::move(again), waited = std::move(waited),
          reply = std::move(reply),
          answer](std::variant<Results<Resource>, reconcile::Reconciler::RequestIdFreeAgain>
                      created) mutable {
    if (auto* results = std::get_if<Results<Resource>>(&created)) {
      return answer(std::move(*results), std::move(reply));
    }
    // Only a request that has an id gets this answer.
    again->first.waited = waited.lock();
    (calls.*method)(again->first, again->second, std::move(reply));
  };
}

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_REQUEST_IDS_H_
