// FNV-1a, 64 bits: the same hash in every process and version, so tokens can carry it.
#ifndef ASSETGATE_WATCH_FNV_H_
#define ASSETGATE_WATCH_FNV_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace assetgate::watch {

// Not cryptographic: must not be used to keep secrets or to detect forgery.
class Fnv1a {
 public:
  // Adds a text with its length, so that ("ab", "c") and ("a", "bc") differ.
  void Add(absl::string_view text) {
    Add(static_cast<std::uint64_t>(text.size()));
    for (const char c : text) AddByte(static_cast<unsigned char>(c));
  }
  void Add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      AddByte(static_cast<unsigned char>(number >> shift));
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  void AddByte(unsigned char byte) {
    value_ ^= byte;
    value_ *= 0x100000001b3u;
  }

  std::uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_FNV_H_
