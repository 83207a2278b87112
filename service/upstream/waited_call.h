// A call whose caller waits for what providers say.
#ifndef ASSETGATE_UPSTREAM_WAITED_CALL_H_
#define ASSETGATE_UPSTREAM_WAITED_CALL_H_

#include <memory>
#include <set>
#include <string>

#include "base/trace_context.h"

namespace assetgate::upstream {

// Whoever took the call owns it until the answer, and nobody else: once it is gone, nobody waits
// any more. From when the reconciler has heard of it until the answer, it is the reconciler's
// thread that uses it.
struct WaitedCall {
  // Goes along with the calls to providers that are made meanwhile.
  base::TraceContext trace;
  // How many these are, and whom they asked, by the config's ids.
  int upstream_calls = 0;
  std::set<std::string> providers;
};

// Whether the caller of a call has hung up. Of calls that nobody owns (`call` was never set),
// nobody knows.
inline bool HungUp(const std::weak_ptr<WaitedCall>& call) {
  const std::weak_ptr<WaitedCall> never_set;
  return call.expired() && (call.owner_before(never_set) || never_set.owner_before(call));
}

}  // namespace assetgate::upstream

#endif  // ASSETGATE_UPSTREAM_WAITED_CALL_H_
