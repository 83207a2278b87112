#!/usr/bin/env bash
# Shows that adding a dialect is adding its folder and one line: in a copy of this tree, with fifth/ as
# providers/fifth and its name in the list of providers/CMakeLists.txt, the conformance suite passes for it.
#
#   tests/fifth_dialect/run.sh [PRESET]    the preset is asan unless named
#
# The copy is built in build/PRESET/fifth_dialect. With ccache, only what differs is compiled.
set -euo pipefail
cd "$(dirname "$0")/../.."

preset=${1:-asan}
# The copy takes what this tree has compiled, and leaves nothing behind (see cmake/ccache.sh).
export CCACHE_NAMESPACE=$PWD CCACHE_READONLY=true
unity=-D$(grep '^ASSETGATE_UNITY:' "build/$preset/CMakeCache.txt" || echo ASSETGATE_UNITY:BOOL=OFF)
copy=build/$preset/fifth_dialect
mkdir -p "$copy"
# Of an earlier copy only the build is kept.
find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
tar --create --exclude=./build --exclude=./.git . | tar --extract --directory "$copy"

cp -r tests/fifth_dialect/fifth "$copy/providers/fifth"
sed -i 's/^set(DIALECTS$/&\n  fifth/' "$copy/providers/CMakeLists.txt"

cd "$copy"
# As the original is compiled, or nothing of it would be found in the cache.
cmake --preset "$preset" --log-level=WARNING "$unity"
cmake --build --preset "$preset" --target conformance_test
cd "build/$preset/tests/conformance/conformance_test.dir"
../conformance_test --gtest_filter='*fifth*' --gtest_brief=1 | tee fifth.log
# None of the suites may have left it out.
for suite in EnvelopeOf Forms ErrorRows HappyPath PollFaults Poll SubmissionFaults Submission; do
  ../conformance_test --gtest_filter="*/$suite.*fifth*" --gtest_list_tests | grep -q fifth ||
    { echo "no test of $suite has run for the fifth dialect" >&2; exit 1; }
done
