// What REST dialects have in common: requests with JSON bodies, Bearer keys, ids and handles. Pure
// functions; none throws.
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

// Whether an id can be stored and polled: 1 to 256 printable ASCII characters without spaces, and
// not "." or "..", which cannot be a segment of a path even if they are percent-encoded.
bool IsId(absl::string_view id);
// The error for an id, typed by an operator, that does not have the form `form` ("vt-…").
absl::Status NotAnId(absl::string_view id, absl::string_view form);

// The handle of dialects that find a unit again by its id alone: {"id": "asset-…"}.
Handle HandleOf(absl::string_view id);
// The id in such a handle; "" for any other handle.
std::string IdOf(const Handle& handle);

// The URI of an IRI (RFC 3987): bytes beyond ASCII are percent-encoded, all others stay unchanged.
std::string UriOf(absl::string_view iri);

// A medium of a video as text: its URL, or "asset://{id}" for an asset that the provider holds.
std::string MediaText(const ResolvedReference& reference);

// The first `max_characters` code points of `text`, which is UTF-8.
absl::string_view CutCharacters(absl::string_view text, std::size_t max_characters);

// "hero" of "assets/hero": the last segment of a resource name.
absl::string_view LastSegment(absl::string_view resource_name);

// A key of the request body that the gateway writes itself, and what a caller can do instead.
struct OwnedKey {
  const char* key;
  const char* remedy;
};

// The faults of provider_options that are merged into a body with `owned` keys. A fault is an owned
// key, or a key that would make the provider call another server ("callback", "webhook" or "notify"
// in it), create more than one result ("n", "count", "num_videos" and the like), or use another
// model or other content ("model", "prompt", "content"). Keys are found at any depth, since
// providers merge objects; the fault's field is the whole path, "a.b[2].callback_url". Case and
// underscores are ignored, since some servers ignore them.
std::vector<OptionFault> OwnedKeyFaults(const google::protobuf::Struct& options,
                                        std::span<const OwnedKey> owned);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_REST_H_
