// Encodes lists into one column, for lists that are always read whole and never searched.
#ifndef ASSETGATE_STORE_CODEC_H_
#define ASSETGATE_STORE_CODEC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/store.h"

namespace assetgate::store {

// Each string after its length (a base-128 varint, least significant group first).
std::string EncodeStrings(const std::vector<std::string>& strings);
absl::StatusOr<std::vector<std::string>> DecodeStrings(absl::string_view bytes);

// As strings: tenant, the kind in decimal, id.
std::string EncodeKeys(const std::vector<Key>& keys);
absl::StatusOr<std::vector<Key>> DecodeKeys(absl::string_view bytes);

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_CODEC_H_
