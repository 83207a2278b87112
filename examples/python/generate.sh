#!/bin/sh
# Makes the Python classes of the API from the .proto files.
#
#   ./generate.sh [DIRECTORY]        default: gen, beside this script
#
# Needs Debian's protobuf-compiler and protobuf-compiler-grpc, or, from PyPI, grpcio-tools; where both are
# there, it takes the latter, which goes with the grpcio of the same environment.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
protos=$here/../../proto
googleapis=$here/../../third_party/googleapis
out=${1:-$here/gen}
python=${PYTHON:-python3}

# With what the protos import of Google's; nobody else may have generated that.
set -- "$protos"/assetgate/v1/*.proto "$googleapis"/google/*/*.proto

mkdir -p "$out"
if "$python" -c 'import grpc_tools' 2>/dev/null; then
  "$python" -m grpc_tools.protoc -I "$protos" -I "$googleapis" \
            --python_out="$out" --grpc_python_out="$out" "$@"
elif command -v protoc >/dev/null && command -v grpc_python_plugin >/dev/null; then
  protoc -I "$protos" -I "$googleapis" --python_out="$out" --grpc_python_out="$out" \
         --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" "$@"
else
  echo "generate.sh: there is no protoc with a Python plugin." >&2
  echo "  Debian: apt install protobuf-compiler protobuf-compiler-grpc" >&2
  echo "  PyPI:   pip install grpcio-tools" >&2
  exit 1
fi
echo "generate.sh: wrote $out"
