// Tokens that callers send back: an unchanged token is read, a changed one is rejected.
//
// The first byte of an input selects where and how a good token is changed; the rest is used as a
// token, and as the content of a good one.
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "calls/page_token.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"
#include "watch/resume_token.h"

namespace assetgate::fuzz {
namespace {

constexpr char kStore[] = "store-1";
constexpr std::uint64_t kFingerprint = 0x1f2e3d4c5b6a7988;

std::uint64_t NumberOf(absl::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  if (at < bytes.size()) {
    std::memcpy(&number, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
  }
  return number;
}

// `token` with one byte changed, cut off, or added. Never equal to `token`.
std::string Changed(std::string token, std::uint64_t how) {
  const std::size_t at = (how >> 10) % token.size();
  const auto byte = static_cast<char>(how % 255 + 1);
  switch ((how >> 8) & 3) {
    case 0:
      return token.substr(0, at);
    case 1:
      token.insert(at, 1, byte);
      return token;
    default:
      token[at] = static_cast<char>(token[at] ^ byte);
      return token;
  }
}

store::Revision RevisionOf(std::uint64_t number) {
  return static_cast<store::Revision>(number & INT64_MAX);
}

std::optional<std::string> CheckResumeToken(absl::string_view input) {
  using Verdict = watch::ResumePoint::Verdict;
  Claims claims;
  const watch::ResumePoint any = watch::ReadResumeToken(input, kStore, kFingerprint);
  claims.Hold(any.verdict != Verdict::kValid ||
                  (any.revision >= 0 &&
                   watch::MakeResumeToken(kStore, kFingerprint, any.revision) == input),
              "a valid token is one that was made", input);

  const std::uint64_t fingerprint = NumberOf(input, 8);
  const store::Revision revision = RevisionOf(NumberOf(input, 16));
  const std::string token = watch::MakeResumeToken(input, fingerprint, revision);
  const watch::ResumePoint read = watch::ReadResumeToken(token, input, fingerprint);
  claims.Hold(read.verdict == Verdict::kValid && read.revision == revision,
              "a token that was made is read", token);
  claims.Hold(
      watch::ReadResumeToken(token, input, fingerprint + 1).verdict == Verdict::kOtherFilter,
      "another watch's token is recognised", token);
  const std::string changed = Changed(token, NumberOf(input, 0));
  claims.Hold(watch::ReadResumeToken(changed, input, fingerprint).verdict == Verdict::kOtherStore,
              "a changed token is rejected", changed);
  return claims.broken();
}

std::optional<std::string> CheckPageToken(absl::string_view input) {
  Claims claims;
  const auto made_as = [&claims](absl::string_view token, std::uint64_t fingerprint) {
    const std::optional<store::Revision> after = calls::ReadPageToken(token, fingerprint);
    // It has no checksum: a changed token may be valid for another place in the same list.
    claims.Hold(
        !after.has_value() || (*after >= 0 && calls::MakePageToken(fingerprint, *after) == token),
        "a valid token is one that was made", token);
  };
  made_as(input, kFingerprint);

  const std::uint64_t fingerprint = NumberOf(input, 8);
  const store::Revision after = RevisionOf(NumberOf(input, 16));
  const std::string token = calls::MakePageToken(fingerprint, after);
  claims.Hold(calls::ReadPageToken(token, fingerprint) == after, "a token that was made is read",
              token);
  claims.Hold(!calls::ReadPageToken(token, fingerprint + 1).has_value(),
              "another list's token is rejected", token);
  made_as(Changed(token, NumberOf(input, 0)), fingerprint);
  return claims.broken();
}

}  // namespace

Target ResumeTokenTarget() {
  return {.name = "resume_token", .check = CheckResumeToken, .seeds = [] {
            return std::vector<std::string>{watch::MakeResumeToken(kStore, kFingerprint, 0),
                                            watch::MakeResumeToken(kStore, kFingerprint, 1 << 30),
                                            watch::MakeResumeToken(kStore, 7, 9),
                                            watch::MakeResumeToken("other", kFingerprint, 9)};
          }};
}

Target PageTokenTarget() {
  return {.name = "page_token", .check = CheckPageToken, .seeds = [] {
            return std::vector<std::string>{calls::MakePageToken(kFingerprint, 0),
                                            calls::MakePageToken(kFingerprint, 123'456),
                                            calls::MakePageToken(7, 9)};
          }};
}

}  // namespace assetgate::fuzz
