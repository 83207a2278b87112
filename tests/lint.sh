#!/usr/bin/env bash
# The checks that compile nothing. Each ends with one line, "lint: NAME ok | failed | skipped: WHY".
#
#   tests/lint.sh                 all of them
#   tests/lint.sh format          one: format, shell, python, house, protos, tidy
#   tests/lint.sh house --report  also prints the tree, its floors, and what is longest
#   tests/lint.sh tidy --record   also writes tests/tidy_verdicts.txt, to be committed
set -uo pipefail
cd "$(dirname "$0")/.."

BUF_VERSION=1.75.0
# The first version that skips the bodies of system headers, which makes it three times as fast.
CLANG_TIDY_VERSION=23.1.4
failures=0

# Our files, tracked or about to be.
sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

verdict() {
  echo "lint: $1 $2"
  [[ "$2" == failed ]] && failures=$((failures + 1))
  return 0
}

run() {
  local name=$1
  shift
  if "$@"; then verdict "$name" ok; else verdict "$name" failed; fi
}

check_format() {
  local files
  mapfile -t files < <(sources '*.cc' '*.h')
  clang-format --dry-run --Werror "${files[@]}" || return
  # clang-format does not wrap comments.
  ! LC_ALL=C.UTF-8 grep -nP '^(?=\s*//).{101,}' "${files[@]}"
}

check_shell() {
  local file bad=0
  while read -r file; do bash -n "$file" || bad=1; done < <(sources '*.sh' .ci/run)
  return $bad
}

check_python() {
  local files
  mapfile -t files < <(sources '*.py')
  [[ ${#files[@]} -eq 0 ]] && return 0
  python3 - "${files[@]}" <<'PYTHON'
import ast, sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        ast.parse(file.read(), name)
PYTHON
}

# The layout of the tree: floors, walls, circles, friends, lengths.
check_house() { python3 tests/house.py "$@"; }

# buf is an npm package that Debian lacks: without it, the check is skipped.
check_protos() {
  if ! command -v npm >/dev/null; then
    verdict protos "skipped: buf needs npm, which is not installed"
    return
  fi
  local tools=build/lint
  mkdir -p "$tools"
  if [[ ! -x $tools/node_modules/.bin/buf ]] &&
    ! npm install --silent --no-fund --no-audit --prefix "$tools" "@bufbuild/buf@$BUF_VERSION" \
      >"$tools/npm.log" 2>&1; then
    verdict protos "skipped: npm could not install buf (see $tools/npm.log)"
    return
  fi
  local buf=$PWD/$tools/node_modules/.bin/buf
  run protos check_protos_with "$buf"
}

# The baseline is the API of the last release: no change may break its clients.
check_protos_with() { (cd proto && "$1" lint && "$1" breaking --against baseline.binpb); }

check_tidy() {
  # Configures only: the compile command of each source, without sanitizers and precompiled headers.
  if ! cmake --preset tidy --log-level=WARNING >/dev/null; then
    verdict tidy failed
    return
  fi
  if [[ $# -eq 0 ]] && python3 tests/tidy.py build/tidy --listed "$CLANG_TIDY_VERSION"; then
    verdict tidy ok
    return
  fi
  # The version that Debian has is older.
  local tools=build/lint/clang-tidy-$CLANG_TIDY_VERSION
  local program=$tools/clang_tidy/data/bin/clang-tidy
  mkdir -p "$tools"
  if [[ ! -x $program ]] &&
    ! python3 -m pip install --quiet --disable-pip-version-check --target "$tools" \
      "clang-tidy==$CLANG_TIDY_VERSION" >"$tools/pip.log" 2>&1; then
    echo "tidy: pip could not install $CLANG_TIDY_VERSION (see $tools/pip.log); using Debian's"
    program=clang-tidy
  fi
  run tidy python3 tests/tidy.py build/tidy "$program" "$@"
}

for check in ${1:-format shell python house protos tidy}; do
  case "$check" in
    format | shell | python | house) run "$check" "check_$check" "${@:2}" ;;
    protos) check_protos ;;
    tidy) check_tidy "${@:2}" ;;
    *)
      echo "usage: tests/lint.sh [format | shell | python | house [--report] | protos |" \
        "tidy [--record | --all]]" >&2
      exit 2
      ;;
  esac
done
[[ $failures -eq 0 ]]
