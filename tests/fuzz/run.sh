#!/usr/bin/env bash
# Runs the fuzzers, as many at once as there are processors: each target for some seconds, from its
# seeds, the inputs in corpus/ and regressions/, and the finds of earlier runs.
#
#   tests/fuzz/run.sh --seconds 600              each target for ten minutes
#   tests/fuzz/run.sh --seconds 60 kyy config    only these targets
#
# --program FILE is assetgate-fuzz, by default build/asan/bin/assetgate-fuzz. An input that breaks a
# claim is left in build/fuzz/TARGET/broken-*; the exit code is then 1.
set -uo pipefail
cd "$(dirname "$0")/../.."

seconds=60 program=build/asan/bin/assetgate-fuzz
targets=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --seconds) seconds=$2; shift 2 ;;
    --program) program=$2; shift 2 ;;
    -*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
if [[ ! -x $program ]]; then
  echo "$program does not exist; build it: cmake --preset asan && cmake --build --preset asan --target assetgate-fuzz" >&2
  exit 2
fi
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <("$program" --list)

# 4 KiB is larger than any documented answer; longer inputs are slow and find nothing new.
flags=(-max_len=4096 -timeout=60 -rss_limit_mb=1024 -print_final_stats=1 -use_value_profile=1)

# fuzz TARGET: its log is build/fuzz/TARGET/log.
fuzz() {
  local target=$1 folder=build/fuzz/$1 kept=() directory
  mkdir -p "$folder/found"
  "$program" --target="$target" --seeds="$folder" || return
  for directory in tests/fuzz/{corpus,regressions}/"$target"; do
    [[ -d $directory ]] && kept+=("$directory")
  done
  # libFuzzer's own timeout can deadlock, because it allocates in a signal handler.
  timeout --kill-after=5 $((seconds + 90)) \
    "$program" --target="$target" "${flags[@]}" -max_total_time="$seconds" -dict="$folder/words.dict" \
    -artifact_prefix="$folder/broken-" "$folder/found" "$folder/seeds" "${kept[@]}" \
    >"$folder/log" 2>&1
}

# A fuzzer that misses the canary would miss every other defect.
mkdir -p build/fuzz/canary
if "$program" --target=canary -runs=1000000 -max_len=8 -seed=1 \
  -artifact_prefix=build/fuzz/canary/ >build/fuzz/canary/log 2>&1 ||
  ! grep -q 'the canary was found' build/fuzz/canary/log; then
  echo "the canary was not found: see build/fuzz/canary/log" >&2
  exit 1
fi

running=0 failed=0
# Waits for one fuzzer to end, so that the next can begin.
finish_one() {
  local code=0 pid target
  wait -n -p pid || code=$?
  target=${names[$pid]}
  running=$((running - 1))
  local runs
  runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "build/fuzz/$target/log" 2>/dev/null)
  if [[ $code -eq 0 ]]; then
    echo "$target: ${runs:-0} inputs, all claims hold"
  else
    failed=$((failed + 1))
    echo "$target: BROKEN, see build/fuzz/$target/log"
    grep -hE 'does not hold|ERROR: |SUMMARY: |ALARM: |Test unit written' "build/fuzz/$target/log" | sed 's/^/  /'
  fi
}
declare -A names
for target in "${targets[@]}"; do
  [[ $running -lt $(nproc) ]] || finish_one
  fuzz "$target" &
  names[$!]=$target
  running=$((running + 1))
done
while [[ $running -gt 0 ]]; do finish_one; done
[[ $failed -eq 0 ]]
