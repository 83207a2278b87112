#include "tests/fuzz/targets.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace assetgate::fuzz {
namespace {

Target Canary() {
  return {.name = "canary",
          .check = [](absl::string_view input) -> std::optional<std::string> {
            if (input == "seen") return "the canary was found";
            return std::nullopt;
          },
          .seeds = [] { return std::vector<std::string>(); }};
}

}  // namespace

std::vector<Target> Targets() {
  std::vector<Target> targets = DialectTargets();
  for (auto* const make : {ConfigTarget, JwksTarget, JwtTarget, LogTarget, MediaUriTarget,
                           PageTokenTarget, ResumeTokenTarget, TextTarget, TraceparentTarget}) {
    targets.push_back(make());
  }
  std::sort(targets.begin(), targets.end(),
            [](const Target& a, const Target& b) { return a.name < b.name; });
  return targets;
}

std::optional<Target> FindTarget(absl::string_view name) {
  std::vector<Target> targets = Targets();
  targets.push_back(Canary());
  for (Target& target : targets) {
    if (target.name == name) return std::move(target);
  }
  return std::nullopt;
}

std::vector<KeptInput> KeptInputs(absl::string_view target) {
  const auto root = std::filesystem::path(ASSETGATE_SOURCE_DIR) / "tests" / "fuzz";
  std::vector<KeptInput> inputs;
  for (const char* const folder : {"corpus", "regressions"}) {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(root / folder / std::string(target), error)) {
      std::ifstream file(entry.path(), std::ios::binary);
      inputs.push_back(
          {std::filesystem::relative(entry.path(), root).string(),
           std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>())});
    }
  }
  std::sort(inputs.begin(), inputs.end(),
            [](const KeptInput& a, const KeptInput& b) { return a.path < b.path; });
  return inputs;
}

}  // namespace assetgate::fuzz
