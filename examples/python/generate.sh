#!/bin/sh
# Makes the Python classes of the API from the .proto files.
#
#   ./generate.sh [DIRECTORY]        default: gen, beside this script
#
# Needs Debian's protobuf-compiler, protobuf-compiler-grpc and golang-github-gogo-googleapis-dev (for
# google/rpc and google/api), or, from PyPI, grpcio-tools and googleapis-common-protos.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
protos=$here/../../proto
out=${1:-$here/gen}
python=${PYTHON:-python3}

# Where google/rpc/*.proto are: GOOGLEAPIS_DIR, the distribution's directory, or a PyPI package.
find_googleapis() {
  for dir in "${GOOGLEAPIS_DIR:-}" \
             /usr/share/gocode/src/github.com/gogo/googleapis /usr/include /usr/local/include \
             "$("$python" -c 'import google.rpc as m; print(list(m.__path__)[0] + "/../..")' \
                2>/dev/null || true)"; do
    if [ -n "$dir" ] && [ -f "$dir/google/rpc/error_details.proto" ]; then
      echo "$dir"
      return
    fi
  done
  echo "generate.sh: google/rpc/error_details.proto is nowhere to be found." >&2
  echo "  Debian: apt install golang-github-gogo-googleapis-dev" >&2
  echo "  PyPI:   pip install googleapis-common-protos" >&2
  exit 1
}
googleapis=$(find_googleapis)

# The protos import these two folders of google's; nobody else may have generated them.
set -- "$protos"/assetgate/v1/*.proto \
       "$googleapis"/google/rpc/code.proto \
       "$googleapis"/google/rpc/error_details.proto \
       "$googleapis"/google/rpc/status.proto \
       "$googleapis"/google/api/annotations.proto \
       "$googleapis"/google/api/http.proto

mkdir -p "$out"
if command -v protoc >/dev/null && command -v grpc_python_plugin >/dev/null; then
  protoc -I "$protos" -I "$googleapis" --python_out="$out" --grpc_python_out="$out" \
         --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" "$@"
elif "$python" -c 'import grpc_tools' 2>/dev/null; then
  "$python" -m grpc_tools.protoc -I "$protos" -I "$googleapis" \
            --python_out="$out" --grpc_python_out="$out" "$@"
else
  echo "generate.sh: there is no protoc with a Python plugin." >&2
  echo "  Debian: apt install protobuf-compiler protobuf-compiler-grpc" >&2
  echo "  PyPI:   pip install grpcio-tools" >&2
  exit 1
fi
echo "generate.sh: wrote $out"
