#!/usr/bin/env bash
# Builds assetgate, starts it beside a simulator of all four providers, and shows assets turn ACTIVE and
# videos finish on all of them, live. Nothing leaves this machine, and nothing stays behind but build/.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'USAGE'
usage: deploy/demo.sh [--keep] [--fast] [--no-setup] [--bin DIR]
  --keep      leaves gateway and simulator running afterwards, until Ctrl-C
  --fast      providers need tenths of a second instead of seconds
  --no-setup  installs no packages
  --bin DIR   takes the programs from there instead of building them
USAGE
}

keep=false fast=false setup=true bin=
while [[ $# -gt 0 ]]; do
  case "$1" in
    --keep) keep=true ;;
    --fast) fast=true ;;
    --no-setup) setup=false ;;
    --bin) bin=${2:?--bin needs a folder}; setup=false; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

say() { printf '\n== %s\n' "$*"; }

# Whatever happens, what was started here ends here.
work=$(mktemp -d "${TMPDIR:-/tmp}/assetgate-demo.XXXXXX")
pids=()
finish() {
  local code=$? pid
  trap - EXIT INT TERM
  for pid in "${pids[@]+"${pids[@]}"}"; do kill -TERM "$pid" 2>/dev/null || true; done
  # Both end by themselves within seconds; one that does not is not waited for.
  for pid in "${pids[@]+"${pids[@]}"}"; do
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [[ $code -ne 0 && $code -ne 130 && $code -ne 143 ]]; then
    echo "demo: failed (exit code $code). The end of the logs:" >&2
    tail -n 20 "$work"/*.log >&2 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if $setup; then
  say "Packages"
  deploy/setup.sh --demo
fi

if [[ -z $bin ]]; then
  say "Build (build/release; the first time takes some minutes)"
  cmake --preset release --log-level=WARNING
  cmake --build --preset release --target assetgate assetctl provider-simulator
  bin=build/release/bin
fi

bin=$(cd "$bin" && pwd)
for program in assetgate assetctl provider-simulator; do
  [[ -x $bin/$program ]] || { echo "demo: there is no program $bin/$program" >&2; exit 1; }
done

# The first port from $1 on that nobody listens on.
free_port() {
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

# Runs "$@" until it succeeds; gives up after 30 s, or at once when the process $1 has ended.
until_works() {
  local pid=$1
  shift
  for _ in $(seq 150); do
    "$@" >/dev/null 2>&1 && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}

say "Start"
if $fast; then
  delays=(--asset-delay 300ms --queue-delay 200ms --video-delay 500ms)
else
  delays=(--asset-delay 4s --queue-delay 3s --video-delay 8s)
fi
"$bin/provider-simulator" --port 0 "${delays[@]}" >"$work/simulator.log" 2>&1 &
pids+=($!)
until_works $! grep -q "listening on" "$work/simulator.log"
simulator=$(sed -n 's/.*listening on //p' "$work/simulator.log" | head -n 1)
echo "provider-simulator plays all four providers at $simulator"

port=$(free_port 8080)
admin_port=$(free_port $((port + 1)))
sed -e "s#http://simulator:8090#$simulator#" -e "s#0.0.0.0:8080#127.0.0.1:$port#" \
  -e "s#0.0.0.0:8081#127.0.0.1:$admin_port#" -e "s#/var/lib/assetgate#$work#" \
  deploy/simulator.yaml >"$work/assetgate.yaml"
export SIMULATOR_API_KEY=sim-key
"$bin/assetgate" --config "$work/assetgate.yaml" >"$work/assetgate.log" 2>&1 &
pids+=($!)
export ASSETCTL_SERVER=127.0.0.1:$port
# A terminal of unknown language gets plain letters otherwise.
[[ -n ${LC_ALL:-}${LC_CTYPE:-}${LANG:-} ]] || export LC_ALL=C.UTF-8
until_works $! "$bin/assetctl" providers
echo "assetgate serves gRPC at 127.0.0.1:$port, metrics at http://127.0.0.1:$admin_port/metrics"

# Shows a command as one would type it, and runs it.
run() {
  printf '\n$ assetctl'
  local word
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_./:=@%+-]+$ ]]; then printf ' %s' "$word"; else printf ' "%s"' "$word"; fi
  done
  printf '\n'
  "$bin/assetctl" "$@"
}

everywhere=(--provider zerozero --provider apiframe --provider kyy --provider octopusx)
say "Two media, registered once and placed at every provider"
run groups create --id demo --display-name "Demo" --output name
run assets create https://media.example.org/hero.png --id hero --group demo "${everywhere[@]}" \
  --max-wait 100ms --output name
run assets create https://media.example.org/dance.mp4 --id dance --group demo "${everywhere[@]}" \
  --max-wait 100ms --output name

say "A video from each provider; they wait for the media by themselves"
prompt="image 1 dances like video 1, at the sea"
for model in zerozero/models/seedance-2-0 apiframe/models/seedance-2 kyy/models/seedance_2_0_pro \
  octopusx/models/doubao-seedance-2-0-260128; do
  run videos create --id "sea-${model%%/*}" --model "providers/$model" --prompt "$prompt" \
    --reference assets/hero --reference assets/dance --duration 5s --max-wait 100ms \
    --output name
done
say "And one from whichever provider the route chooses"
run videos create --id storm --model seedance-2 --prompt "a storm at sea" --max-wait 100ms

say "Live, until all is settled"
run --timeout 2m watch --until-settled

say "The results"
run videos list
run videos get storm

say "Done: 2 assets at 4 providers, 5 videos"
if $keep; then
  cat <<MORE
Gateway and simulator keep running. In another terminal:

  export ASSETCTL_SERVER=$ASSETCTL_SERVER PATH=\$PATH:$bin
  assetctl watch
  assetctl videos create --model seedance-2 --prompt "a quiet harbour" --duration 5s --wait
  assetctl models get seedance-2
  curl -X POST $simulator/_control/faults -d '{"provider":"zerozero","call":"video.create","fault":{"kind":"status","status":503},"times":3}'
  curl http://127.0.0.1:$admin_port/metrics

Ctrl-C ends both.
MORE
  # Until either of them ends; Ctrl-C ends this script.
  wait -n
  echo "demo: a program ended by itself" >&2
  exit 1
fi
cat <<'MORE'
What next:
  deploy/demo.sh --keep                      the same, and both programs keep running for you to play with
  assetgate --check-config my.yaml           your own keys: begin with deploy/assetgate.example.yaml
  tests/run.sh                               all tests
MORE
