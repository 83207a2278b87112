#include "store/codec.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace assetgate::store {
namespace {

absl::Status Damaged() { return absl::InternalError("a list in the store cannot be decoded"); }

}  // namespace

std::string EncodeStrings(const std::vector<std::string>& strings) {
  std::size_t size = 0;
  for (const std::string& string : strings) size += string.size() + 2;
  std::string bytes;
  bytes.reserve(size);
  for (const std::string& string : strings) {
    std::uint64_t length = string.size();
    while (length >= 0x80) {
      bytes.push_back(static_cast<char>(length | 0x80));
      length >>= 7;
    }
    bytes.push_back(static_cast<char>(length));
    bytes.append(string);
  }
  return bytes;
}

absl::StatusOr<std::vector<std::string>> DecodeStrings(absl::string_view bytes) {
  std::vector<std::string> strings;
  while (!bytes.empty()) {
    std::uint64_t length = 0;
    for (int shift = 0;; shift += 7) {
      if (bytes.empty() || shift > 56) return Damaged();
      const auto byte = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      length |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) break;
    }
    if (length > bytes.size()) return Damaged();
    strings.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  return strings;
}

std::string EncodeKeys(const std::vector<Key>& keys) {
  std::vector<std::string> strings;
  strings.reserve(keys.size() * 3);
  for (const Key& key : keys) {
    strings.push_back(key.tenant);
    strings.push_back(absl::StrCat(static_cast<int>(key.kind)));
    strings.push_back(key.id);
  }
  return EncodeStrings(strings);
}

absl::StatusOr<std::vector<Key>> DecodeKeys(absl::string_view bytes) {
  absl::StatusOr<std::vector<std::string>> strings = DecodeStrings(bytes);
  if (!strings.ok()) return strings.status();
  if (strings->size() % 3 != 0) return Damaged();
  std::vector<Key> keys;
  for (std::size_t i = 0; i < strings->size(); i += 3) {
    int kind = 0;
    if (!absl::SimpleAtoi((*strings)[i + 1], &kind)) return Damaged();
    keys.push_back({(*strings)[i], static_cast<Kind>(kind), (*strings)[i + 2]});
  }
  return keys;
}

}  // namespace assetgate::store
