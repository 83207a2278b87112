#!/usr/bin/env bash
# Installs the Debian 12 packages to build, run and test assetgate. Reports its steps, does nothing
# when all are installed, and can be run again.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: deploy/setup.sh [--demo | --demo-replicas] [--list SET]
  (no option)      all packages to build, run the demo and run all tests
  --demo           only the packages to build and to run the demo
  --demo-replicas  the same, and a PostgreSQL server for deploy/demo.sh --replicas
  --list SET       prints the packages of a set (build, database, test) and installs nothing
USAGE
}

# To build: compilers, tools, libraries. Everything is linked from these packages; nothing else is
# downloaded. curl is for the commands that the demo prints.
BUILD=(
  ca-certificates
  ccache
  cmake
  curl
  g++
  libabsl-dev
  libcivetweb-dev
  libcli11-dev
  libcurl4-openssl-dev
  libgmock-dev
  libgrpc++-dev
  libgtest-dev
  libjemalloc-dev
  libjwt-dev
  libpq-dev
  libprotobuf-dev
  libspdlog-dev
  libsqlite3-dev
  libssl-dev
  libyaml-cpp-dev
  mold
  ninja-build
  prometheus-cpp-dev
  protobuf-compiler
  protobuf-compiler-grpc
  rapidjson-dev
  zlib1g-dev
)

# For several gateways: the database that they share, in the demo and in the tests.
DATABASE=(
  postgresql
)

# To test: the second compiler with its sanitizers and checks, a player for media, a Python client,
# promtool (in Prometheus' package), a builder for the image, and a validator for Kubernetes
# objects.
TEST=(
  buildah
  clang
  clang-format
  clang-tidy
  debootstrap
  ffmpeg
  libclang-rt-14-dev
  openssl
  prometheus
  python3
  python3-grpcio
  python3-kubernetes
  python3-pip
  python3-protobuf
  python3-yaml
)

sets=(build database test)
case "${1:-}" in
  "") ;;
  --demo) sets=(build) ;;
  --demo-replicas) sets=(build database) ;;
  --list)
    case "${2:-}" in
      build) printf '%s\n' "${BUILD[@]}" ;;
      database) printf '%s\n' "${DATABASE[@]}" ;;
      test) printf '%s\n' "${TEST[@]}" ;;
      *) usage >&2; exit 2 ;;
    esac
    exit 0
    ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: this script needs Debian 12 (apt). Elsewhere, install the equivalents of:" >&2
  printf '  %s\n' "${BUILD[@]}" "${DATABASE[@]}" "${TEST[@]}" >&2
  exit 1
fi

wanted=()
for set in "${sets[@]}"; do
  case "$set" in
    build) wanted+=("${BUILD[@]}") ;;
    database) wanted+=("${DATABASE[@]}") ;;
    test)
      wanted+=("${TEST[@]}")
      # Any kubectl works; Debian's package conflicts with the file of other packages.
      command -v kubectl >/dev/null || wanted+=(kubernetes-client)
      ;;
  esac
done

# One call for all packages: one that is not installed has no line, or another status.
installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "${wanted[@]}" 2>/dev/null || true) "
missing=()
for package in "${wanted[@]}"; do
  [[ "$installed" == *" installed:$package "* ]] || missing+=("$package")
done

if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup: all ${#wanted[@]} packages are installed"
  exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: needs root, and there is no sudo. Run as root:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${#missing[@]} of ${#wanted[@]} packages: ${missing[*]}"
# ${a[@]+…}: bash treats an empty array as unset.
"${as_root[@]+"${as_root[@]}"}" apt-get update -q
"${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}"
echo "setup: done"
