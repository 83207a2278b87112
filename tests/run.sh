#!/usr/bin/env bash
# Everything that must hold, from a fresh machine: packages, three builds, all tests, all checks.
# Prints each step, how long it took, and at the very end "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
passed=0 failed=0
report=()

# Where memory has room, the tests keep their databases in it: no test depends on a disk's speed.
scratch=${TMPDIR:-/tmp}
if [[ $(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1) -gt 2000000 ]]; then
  scratch=/dev/shm
fi
scratch=$(mktemp -d "$scratch/assetgate-tests.XXXXXX")
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT

# timed NAME COMMAND…: runs it and notes its verdict and its time. Its exit code is the command's.
timed() {
  local name=$1 begin=$SECONDS verdict=ok code=0
  shift
  printf '\n=== %s\n' "$name"
  "$@" || { code=$?; verdict=FAILED; }
  note "$((SECONDS - begin))" "$verdict" "$name"
  return "$code"
}

note() { report+=("$(printf '%6ss  %-7s %s' "$@")"); }

# check NAME COMMAND…: one check.
check() {
  if timed "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

finish() {
  printf '\n=== How long it took\n'
  printf '%s\n' "${report[@]}"
  printf '%6ss  in all\n\n%s passed, %s failed\n' "$SECONDS" "$passed" "$failed"
  [[ $failed -eq 0 ]]
  exit
}

# require NAME COMMAND…: the steps that follow need this one.
require() {
  if ! timed "$@"; then
    failed=$((failed + 1))
    finish
  fi
}

# build PRESET [TARGET…]: all targets where none is named.
# Several sources are compiled at a time, which takes half as long from a cold cache; clang-tidy
# reads each by itself.
build() {
  cmake --preset "$1" --log-level=WARNING -DASSETGATE_UNITY="${ASSETGATE_UNITY:-ON}" || return
  if [[ $# -gt 1 ]]; then
    cmake --build --preset "$1" --target "${@:2}"
  else
    cmake --build --preset "$1"
  fi
}

# run_tests PRESET [CTEST OPTIONS]: counts single test cases, not programs.
run_tests() {
  local preset=$1 log code
  shift
  timed "test ($preset): ctest $*" env TMPDIR="$scratch" TEST_TMPDIR="$scratch/" \
    ctest --preset "$preset" --no-tests=error "$@"
  code=$?
  log=build/$preset/Testing/Temporary/LastTest.log
  # GoogleTest prints "[  PASSED  ] 12 tests." and " 1 FAILED TEST", unittest "Ran 12 tests" and
  # "FAILED (failures=1, errors=2)".
  local counts
  counts=$(awk '
    /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
    /^ ?[0-9]+ FAILED TESTS?$/ { failed += $1 }
    /^Ran [0-9]+ tests? in / { ran = $2; passed += ran }
    /^OK \(.*skipped=[0-9]+/ {
      match($0, /skipped=[0-9]+/)
      passed -= substr($0, RSTART + 8, RLENGTH - 8)
    }
    /^FAILED \(/ {
      bad = 0
      if (match($0, /failures=[0-9]+/)) bad += substr($0, RSTART + 9, RLENGTH - 9)
      if (match($0, /errors=[0-9]+/)) bad += substr($0, RSTART + 7, RLENGTH - 7)
      if (match($0, /skipped=[0-9]+/)) passed -= substr($0, RSTART + 8, RLENGTH - 8)
      failed += bad; passed -= bad
    }
    END { print passed + 0, failed + 0 }' "$log")
  local more_passed more_failed
  read -r more_passed more_failed <<<"$counts"
  # A program that crashed or ran out of time counts nothing by itself.
  if [[ $code -ne 0 && $more_failed -eq 0 ]]; then more_failed=1; fi
  passed=$((passed + more_passed)) failed=$((failed + more_failed))
  { grep -hE -A1 ': Skipped$' "$log" | grep -v '^--$'; grep -hE '\.\.\. skipped ' "$log"; } |
    sed 's/^/skipped: /'
  return 0
}

require "packages" deploy/setup.sh
for lint in format shell python house protos; do
  check "lint: $lint" tests/lint.sh "$lint"
done
require "build (asan: clang, AddressSanitizer, UBSan, thread-safety analysis)" build asan
# Some of these mostly wait.
run_tests asan --parallel $((CTEST_PARALLEL_LEVEL * 3 / 2))
check "a fifth dialect is a folder and a line" tests/fifth_dialect/run.sh
check "fuzz: what reads strangers' bytes, 5 s each" tests/fuzz/run.sh --seconds 5
require "build (tsan: ThreadSanitizer, the tests of what threads share)" build tsan
run_tests tsan
# The programs as they are shipped, and the tests that drive them; the asan preset has all others.
require "build (release: GCC, optimised)" build release \
  assetgate assetctl provider-simulator assetgate-bench crashing-gateway
# Whole programs mostly wait for each other.
run_tests release --label-regex 'e2e|robustness|bench' --parallel $((2 * CTEST_PARALLEL_LEVEL))
check "demo: all four providers, live" deploy/demo.sh --fast --no-setup --bin build/release/bin
check "lint: tidy" tests/lint.sh tidy
finish
