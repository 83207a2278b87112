// Answers that the provider itself did not write: pages of an edge in front of it, and redirects.
#ifndef ASSETGATE_PROVIDER_ANSWERS_EDGE_H_
#define ASSETGATE_PROVIDER_ANSWERS_EDGE_H_

#include <optional>
#include <string>

#include "provider/answers/answer.h"

namespace assetgate::provider::answers {

enum class Edge {
  // The answer seems to be the provider's.
  kNone,
  // The edge did not reach the provider: no route, no connection, no trusted channel.
  kNeverAsked,
  // The edge rejected the call: a block, a challenge.
  kBlocked,
  // The edge forwarded the call, and may have lost the answer.
  kMayHaveAsked,
};

// The kind of edge page that an answer is; an answer in JSON is kNone, except an edge's own JSON.
Edge EdgeOf(const Answer& answer);

// Whether an answer that is not JSON is a page of HTML.
bool IsPage(const Answer& answer);

// "https://new.example.com" in the Location header of a redirect; "" where it names no host.
std::string RedirectHost(const Answer& answer);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_EDGE_H_
