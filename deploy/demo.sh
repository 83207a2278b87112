#!/usr/bin/env bash
# Builds assetgate, starts it with a simulator of all four providers, and shows live how assets
# become ACTIVE and videos finish on all of them; or, with --replicas, that several gateways on one
# PostgreSQL act as one. Nothing leaves this machine, and only build/ remains.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'USAGE'
usage: deploy/demo.sh [--replicas N] [--keep] [--fast] [--no-setup] [--bin DIR]
  --replicas N  N gateways (2 to 9) over the demo's own PostgreSQL, one of which is killed
  --keep        keeps all programs running afterwards, until Ctrl-C
  --fast        providers take tenths of a second instead of seconds
  --no-setup    installs no packages
  --bin DIR     takes the programs from DIR instead of building them
USAGE
}

keep=false fast=false setup=true bin= replicas=1
while [[ $# -gt 0 ]]; do
  case "$1" in
    --replicas)
      [[ ${2:-} =~ ^[2-9]$ ]] || { usage >&2; exit 2; }
      replicas=$2
      shift
      ;;
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

# Ends every program that was started here, however the script ends.
work=$(mktemp -d "${TMPDIR:-/tmp}/assetgate-demo.XXXXXX")
pids=()
finish() {
  local code=$? pid
  trap - EXIT INT TERM
  for pid in "${pids[@]+"${pids[@]}"}"; do kill -TERM "$pid" 2>/dev/null || true; done
  # All end within seconds; kills one that does not.
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
  if [[ $replicas -gt 1 ]]; then deploy/setup.sh --demo-replicas; else deploy/setup.sh --demo; fi
fi

if [[ -z $bin ]]; then
  say "Build (build/release; the first time takes some minutes)"
  cmake --preset release --log-level=WARNING
  cmake --build --preset release --target assetgate assetctl provider-simulator
  bin=build/release/bin
fi

bin=$(cd "$bin" && pwd)
for program in assetgate assetctl provider-simulator; do
  [[ -x $bin/$program ]] || { echo "demo: $bin/$program is missing or not executable" >&2; exit 1; }
done

# The first free port from $1 on.
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

# Waits for one of the processes to end, and forgets it: its number may soon be reused.
await() {
  local pid=$1 code=0 i
  wait "$pid" 2>/dev/null || code=$?
  for i in "${!pids[@]}"; do [[ ${pids[i]} -ne $pid ]] || unset "pids[i]"; done
  return "$code"
}

say "Start"
if $fast; then
  delays=(--asset-delay 300ms --queue-delay 200ms --video-delay 500ms)
  # The demo has to watch one video, and kill a gateway during another.
  [[ $replicas -eq 1 ]] || delays=(--queue-delay 1s --video-delay 3s)
else
  delays=(--asset-delay 4s --queue-delay 3s --video-delay 8s)
fi
"$bin/provider-simulator" --port 0 "${delays[@]}" >"$work/simulator.log" 2>&1 &
pids+=($!)
until_works $! grep -q "listening on" "$work/simulator.log"
simulator=$(sed -n 's/.*listening on //p' "$work/simulator.log" | head -n 1)
echo "provider-simulator simulates all four providers at $simulator"

# The demo's own PostgreSQL server. It listens only on a socket below $work, which no other user can
# reach.
start_postgres() {
  local programs folder=$work/postgres as=()
  programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  if [[ ! -x $programs/postgres ]]; then
    echo "demo: no PostgreSQL server is installed; run deploy/setup.sh --demo-replicas" >&2
    exit 1
  fi
  mkdir -m 700 "$folder"
  # PostgreSQL refuses to run as root.
  if [[ $(id -u) -eq 0 ]]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chmod go+x "$work"
    chown postgres: "$folder"
  fi
  (cd "$folder" && exec "${as[@]+"${as[@]}"}" "$programs/initdb" -D data -U demo -E UTF8 --locale=C \
    --auth-local=trust --auth-host=reject --no-sync) >"$work/initdb.log" 2>&1
  # exec makes the process that is ended the server itself. No fsync: the data is temporary.
  (cd "$folder" && exec "${as[@]+"${as[@]}"}" "$programs/postgres" -D data -k "$folder" \
    -c listen_addresses= -c fsync=off) >"$work/postgres.log" 2>&1 &
  pids+=($!)
  until_works $! "$programs/pg_isready" -h "$folder" -U demo -d postgres
  export ASSETGATE_POSTGRES_URI="postgresql://demo@/postgres?host=$folder"
  echo "$("$programs/postgres" --version) listens on a socket in $folder"
}

# The process and the address of each gateway, from 0.
gateways=() addresses=()

# Starts gateway $1, which serves at $2 and has its metrics at $3.
start_gateway() {
  local number=$1 address=$2 admin=$3 config=deploy/simulator.yaml
  [[ $replicas -eq 1 ]] || config=deploy/simulator.replicas.yaml
  sed -e "s#http://simulator:8090#$simulator#" -e "s#0.0.0.0:8080#$address#" -e "s#0.0.0.0:8081#$admin#" \
    -e "s#/var/lib/assetgate#$work#" "$config" >"$work/assetgate-$number.yaml"
  # So that a watch which is interrupted soon has a recent token.
  [[ $replicas -eq 1 ]] || echo "watch: {bookmark_interval: 1s}" >>"$work/assetgate-$number.yaml"
  "$bin/assetgate" --config "$work/assetgate-$number.yaml" >>"$work/assetgate-$number.log" 2>&1 &
  pids+=($!)
  gateways[number]=$!
  addresses[number]=$address
  until_works $! curl -sSf "http://$admin/readyz"
  echo "assetgate serves gRPC at $address, metrics at http://$admin/metrics"
}

export SIMULATOR_API_KEY=sim-key
# Without a locale, assetctl would use ASCII only.
[[ -n ${LC_ALL:-}${LC_CTYPE:-}${LANG:-} ]] || export LC_ALL=C.UTF-8
[[ $replicas -eq 1 ]] || start_postgres
admins=() port=8080
for ((i = 0; i < replicas; i++)); do
  port=$(free_port "$port")
  admin_port=$(free_port $((port + 1)))
  admins[i]=127.0.0.1:$admin_port
  start_gateway "$i" "127.0.0.1:$port" "${admins[i]}"
  port=$((admin_port + 1))
done
# gRPC treats several addresses as one server.
export ASSETCTL_SERVER=${addresses[0]}
[[ $replicas -eq 1 ]] || ASSETCTL_SERVER=ipv4:$(IFS=,; echo "${addresses[*]}")

# Prints a command as a person would type it, and runs it.
run() {
  printf '\n$ assetctl'
  local word
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_./:=@%+-]+$ ]]; then printf ' %s' "$word"; else printf ' "%s"' "$word"; fi
  done
  printf '\n'
  "$bin/assetctl" "$@"
}

show_providers() {
  local prompt model everywhere=(--provider zerozero --provider apiframe --provider kyy --provider octopusx)
  say "Two assets, registered once and placed at every provider"
  run groups create --id demo --display-name "Demo" --output name
  run assets create https://media.example.org/hero.png --id hero --group demo "${everywhere[@]}" \
    --max-wait 100ms --output name
  run assets create https://media.example.org/dance.mp4 --id dance --group demo "${everywhere[@]}" \
    --max-wait 100ms --output name

  say "A video from each provider; they wait for the assets by themselves"
  prompt="image 1 dances like video 1, at the sea"
  for model in zerozero/models/seedance-2-0 apiframe/models/seedance-2 kyy/models/seedance_2_0_pro \
    octopusx/models/doubao-seedance-2-0-260128; do
    run videos create --id "sea-${model%%/*}" --model "providers/$model" --prompt "$prompt" \
      --reference assets/hero --reference assets/dance --duration 5s --max-wait 100ms \
      --output name
  done
  say "And one from the provider that the route chooses"
  run videos create --id storm --model seedance-2 --prompt "a storm at sea" --max-wait 100ms

  say "Live, until everything is settled"
  run --timeout 2m watch --until-settled

  say "The results"
  run videos list
  run videos get storm

  say "Done: 2 assets at 4 providers, 5 videos"
}

# Whether a video ($2) is RUNNING, as a gateway ($1) sees it.
is_running() {
  "$bin/assetctl" --server "$1" videos list --state running --output name | grep -qx "videoTasks/$2"
}

show_replicas() {
  local first=${addresses[0]} second=${addresses[1]} model=providers/kyy/models/seedance_2_0_pro
  local watch submissions

  say "Created at the first gateway, visible at the second"
  run --server "$first" videos create --id harbour --model "$model" --prompt "a quiet harbour" \
    --max-wait 100ms --output name
  run --server "$second" videos get harbour

  say "Watched at the second for 2 s, then at the first: the token is valid at every gateway"
  # Exit code 8: the timeout passed.
  run --server "$second" --timeout 2s videos watch harbour --lines --resume-token-file "$work/token" ||
    [[ $? -eq 8 ]]
  run --server "$first" --timeout 2m videos watch harbour --lines --resume-token-file "$work/token" \
    --until-settled

  say "The first has a video made, and is killed meanwhile; a watch of both addresses continues"
  run --server "$first" videos create --id storm --model "$model" --prompt "a storm at sea" \
    --max-wait 100ms --output name
  run --timeout 2m videos watch storm --until-settled --lines &
  watch=$!
  pids+=("$watch")
  until_works "$watch" is_running "$second" storm
  echo "(kill -9 of the first)"
  kill -KILL "${gateways[0]}"
  await "${gateways[0]}" || true
  await "$watch"

  say "The first restarts, and takes new work as soon as it is ready"
  start_gateway 0 "$first" "${admins[0]}"
  run --server "$first" videos create --id return --model "$model" --prompt "a ship comes home" --output name
  run --server "$second" --timeout 2m videos watch return --lines --until-settled
  run videos list
  submissions=$(curl -sSf "$simulator/_control/requests?provider=kyy&call=video.create" |
    grep -o '"call":"video.create"' | wc -l)
  [[ $submissions -eq 3 ]] || { echo "demo: the provider got $submissions submissions, not 3" >&2; exit 1; }

  say "Done: 3 videos, each submitted once, by $replicas gateways over one PostgreSQL"
}

if [[ $replicas -eq 1 ]]; then show_providers; else show_replicas; fi
if $keep; then
  cat <<MORE
All programs keep running. In another terminal:

  export ASSETCTL_SERVER=$ASSETCTL_SERVER PATH=\$PATH:$bin
  assetctl watch
  assetctl videos create --model seedance-2 --prompt "a quiet harbour" --duration 5s --wait
  assetctl models get seedance-2
  curl -X POST $simulator/_control/faults -d '{"provider":"zerozero","call":"video.create","fault":{"kind":"status","status":503},"times":3}'
  curl http://${admins[0]}/metrics

Ctrl-C ends them.
MORE
  # Until one of them ends; Ctrl-C ends this script.
  wait -n
  echo "demo: a program ended unexpectedly" >&2
  exit 1
fi
cat <<'MORE'
What next:
  deploy/demo.sh --keep                      the same, and the programs keep running
  deploy/demo.sh --replicas 2                two gateways on one PostgreSQL, one of which is killed
  assetgate --check-config my.yaml           your own keys: start from deploy/assetgate.example.yaml
  tests/run.sh                               all tests
MORE
