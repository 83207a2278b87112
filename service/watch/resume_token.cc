#include "watch/resume_token.h"

#include <cstddef>

#include "watch/fnv.h"

namespace assetgate::watch {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kCheckedSize = 1 + 8 + 8 + 8;
constexpr std::size_t kSize = kCheckedSize + 4;

void Append(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint64_t Read(absl::string_view in, std::size_t at, int bytes) {
  std::uint64_t number = 0;
  for (int i = 0; i < bytes; ++i) {
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[at + i])) << (8 * i);
  }
  return number;
}

std::uint64_t HashOf(absl::string_view text) {
  Fnv1a hash;
  hash.Add(text);
  return hash.value();
}

std::uint64_t ChecksumOf(absl::string_view token) {
  return HashOf(token.substr(0, kCheckedSize)) & 0xffffffffu;
}

}  // namespace

std::string MakeResumeToken(absl::string_view store_id, std::uint64_t interest_fingerprint,
                            store::Revision revision) {
  std::string token;
  token.reserve(kSize);
  token.push_back(kVersion);
  Append(token, HashOf(store_id), 8);
  Append(token, interest_fingerprint, 8);
  Append(token, static_cast<std::uint64_t>(revision), 8);
  Append(token, ChecksumOf(token), 4);
  return token;
}

ResumePoint ReadResumeToken(absl::string_view token, absl::string_view store_id,
                            std::uint64_t interest_fingerprint) {
  ResumePoint point;
  if (token.size() != kSize || token[0] != kVersion ||
      Read(token, kCheckedSize, 4) != ChecksumOf(token) || Read(token, 1, 8) != HashOf(store_id)) {
    return point;
  }
  const auto revision = static_cast<store::Revision>(Read(token, 17, 8));
  if (revision < 0) return point;
  if (Read(token, 9, 8) != interest_fingerprint) {
    point.verdict = ResumePoint::Verdict::kOtherFilter;
    return point;
  }
  point.verdict = ResumePoint::Verdict::kValid;
  point.revision = revision;
  return point;
}

}  // namespace assetgate::watch
