// The fuzz targets: each accepts any bytes and returns the claim that does not hold.
#ifndef ASSETGATE_TESTS_FUZZ_TARGETS_H_
#define ASSETGATE_TESTS_FUZZ_TARGETS_H_

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace assetgate::fuzz {

struct Target {
  // Also the name of the folders corpus/NAME and regressions/NAME.
  std::string name;
  // The claim that does not hold for `input`; absent if all hold.
  std::function<std::optional<std::string>(absl::string_view input)> check;
  // Initial inputs from other sources: documented exchanges, example configs, tokens.
  std::function<std::vector<std::string>()> seeds;
  // Words that inputs consist of.
  std::function<std::set<std::string>()> words = [] { return std::set<std::string>(); };
};

// All targets, by name.
std::vector<Target> Targets();

// The target with that name; absent if there is none. Besides Targets() there is "canary", which
// breaks its claim for a single input: a fuzzer that does not find it does not work.
std::optional<Target> FindTarget(absl::string_view name);

// The inputs in the source tree for a target: its corpus/ and its regressions/, by path from
// tests/fuzz. Regressions once broke a claim.
struct KeptInput {
  std::string path;
  std::string bytes;
};
std::vector<KeptInput> KeptInputs(absl::string_view target);

// The parts. One target per dialect.
std::vector<Target> DialectTargets();
// service/config.h
Target ConfigTarget();
// service/base/log.h, in both formats
Target LogTarget();
// service/provider/failure.h: CleanText; service/http/message.h: RedactUri
Target TextTarget();
// service/api/rpc.h: TraceIdOf
Target TraceparentTarget();
// service/auth/jwt.h
Target JwtTarget();
// service/auth/jwks.h
Target JwksTarget();
// service/watch/resume_token.h
Target ResumeTokenTarget();
// service/calls/page_token.h
Target PageTokenTarget();
// service/calls/media_uri.h
Target MediaUriTarget();

}  // namespace assetgate::fuzz

#endif  // ASSETGATE_TESTS_FUZZ_TARGETS_H_
