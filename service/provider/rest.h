// What every REST dialect does alike: requests with JSON bodies, Bearer keys, and checks on what an
// answer claims. Pure functions; nothing here throws, whatever an answer holds.
#ifndef ASSETGATE_PROVIDER_REST_H_
#define ASSETGATE_PROVIDER_REST_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"
#include "http/message.h"
#include "provider/dialect.h"
#include "rapidjson/document.h"

namespace assetgate::provider {

// A request that asks for JSON. `path` is what follows the base URL, already encoded.
http::Request JsonRequest(absl::string_view method, std::string path);
// Likewise, with a JSON body.
http::Request JsonRequest(absl::string_view method, std::string path, const rapidjson::Value& body);

// Authorization: Bearer {the secret "api_key"}
void AuthorizeBearer(http::Request& request, const Credential& credential);

// Whether an id can be stored and asked for: 1 to 256 printable ASCII characters without spaces,
// and not "." or "..", which are no segments of a path even where they are percent-encoded.
bool IsId(absl::string_view id);
// The error for an id, typed by a person, that is not of the form `form` ("vt-…").
absl::Status NotAnId(absl::string_view id, absl::string_view form);

// The handle of dialects that find a unit again by its id alone: {"id": "asset-…"}.
Handle HandleOf(absl::string_view id);
// The id in such a handle; "" in one that was not made here.
std::string IdOf(const Handle& handle);

// An IRI as the URI that stands for it (RFC 3987): bytes beyond ASCII are percent-encoded, all
// others stay as they are.
std::string UriOf(absl::string_view iri);

// A medium of a video where it is written as text: the URL, or "asset://{id}" of an asset that the
// provider holds.
std::string MediaText(const ResolvedReference& reference);

// The first `max_characters` code points of `text`, which is UTF-8.
absl::string_view CutCharacters(absl::string_view text, std::size_t max_characters);

// "hero" of "assets/hero": the last segment of a resource name.
absl::string_view LastSegment(absl::string_view resource_name);

// A key of the wire that the gateway writes itself, and what a caller is to do instead.
struct OwnedKey {
  const char* key;
  const char* remedy;
};

// The faults of provider_options whose members go beside `owned` keys: one for each of these, and
// for each key that would have the provider call somebody ("callback", "webhook" or "notify" in
// it), make more than one result ("n", "count", "num_videos" and the like), or make it by another
// model or from other content ("model", "prompt", "content"). At any depth, since providers lay
// objects over one another; the field is then the whole path, "a.b[2].callback_url". In any case
// and with or without underscores, as some servers read keys.
std::vector<OptionFault> OwnedKeyFaults(const google::protobuf::Struct& options,
                                        std::span<const OwnedKey> owned);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_REST_H_
