// Answers that do not come from the provider: of an edge in front of it, and redirects.
#ifndef ASSETGATE_PROVIDER_ANSWERS_EDGE_H_
#define ASSETGATE_PROVIDER_ANSWERS_EDGE_H_

#include <optional>
#include <string>

#include "provider/answers/answer.h"

namespace assetgate::provider::answers {

enum class Edge {
  // The provider answered, as far as can be told.
  kNone,
  // It surely never asked the provider: no route, no connection, no trusted channel.
  kNeverAsked,
  // It turned the call away: a block, a challenge.
  kBlocked,
  // It asked, and may have lost the answer.
  kMayHaveAsked,
};

// Which edge's page an answer is. Never one that is JSON.
Edge EdgeOf(const Answer& answer);

// Whether an answer that is not JSON is a page of HTML.
bool IsPage(const Answer& answer);

// "https://new.example.com" of the Location of a redirect; "" where it names no host.
std::string RedirectHost(const Answer& answer);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_EDGE_H_
