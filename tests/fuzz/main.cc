// The fuzzers: libFuzzer, which provides main, and one of the targets. See README.md.
//
//   assetgate-fuzz --list                 lists the names of the targets
//   assetgate-fuzz --target=kyy --seeds=DIR
//                                         writes DIR/seeds/* and DIR/words.dict, and ends
//   assetgate-fuzz --target=kyy FLAGS DIR…
//                                         fuzzes; libFuzzer's own flags have one dash
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/fuzz/targets.h"

namespace {

using assetgate::fuzz::Target;

// A global, because libFuzzer's functions have no user argument.
Target* chosen = nullptr;

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "assetgate-fuzz: %s\n", message.c_str());
  std::exit(2);
}

void WriteSeeds(const Target& target, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "seeds");
  int number = 0;
  for (const std::string& seed : target.seeds()) {
    std::ofstream(folder / "seeds" / std::to_string(++number), std::ios::binary) << seed;
  }
  std::ofstream dictionary(folder / "words.dict");
  dictionary << "# words of " << target.name << "\n";  // libFuzzer rejects an empty file
  for (const std::string& word : target.words()) {
    // libFuzzer's limit is 64 bytes.
    if (word.empty() || word.size() > 64) continue;
    dictionary << '"';
    for (const char c : word) {
      dictionary << "\\x" << absl::BytesToHexString(absl::string_view(&c, 1));
    }
    dictionary << "\"\n";
  }
  if (!dictionary) Fail("cannot write to " + folder.string());
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::string seeds;
  for (int i = 1; i < *argc; ++i) {
    absl::string_view flag = (*argv)[i];
    if (flag == "--list") {
      for (const Target& target : assetgate::fuzz::Targets()) std::puts(target.name.c_str());
      std::exit(0);
    }
    if (absl::ConsumePrefix(&flag, "--target=")) {
      std::optional<Target> found = assetgate::fuzz::FindTarget(flag);
      if (!found.has_value()) Fail(absl::StrCat("no target \"", flag, "\"; see --list"));
      chosen = new Target(*std::move(found));
    } else if (absl::ConsumePrefix(&flag, "--seeds=")) {
      seeds = std::string(flag);
    }
  }
  if (chosen == nullptr) Fail("--target=NAME is missing; --list shows the names");
  if (!seeds.empty()) {
    WriteSeeds(*chosen, seeds);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto broken = chosen->check(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (broken.has_value()) {
    std::fprintf(stderr, "\n%s: does not hold: %s\n", chosen->name.c_str(), broken->c_str());
    std::abort();
  }
  return 0;
}
