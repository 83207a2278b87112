// Why a resource is where it is, told to a person: what the next steps in work/ depend on. Reads
// what is committed and what is in memory; changes nothing.
#ifndef ASSETGATE_RECONCILE_EXPLAIN_H_
#define ASSETGATE_RECONCILE_EXPLAIN_H_

#include <string>

#include "assetgate/v1/explanation.pb.h"
#include "reconcile/explain_calls.h"

namespace assetgate::reconcile {

// `gateway`: the name of the gateway that owns the item; empty where that is unknown.
v1::Explanation Explain(const ItemView& view, const std::string& gateway);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_EXPLAIN_H_
