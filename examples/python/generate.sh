#!/bin/sh
# Generates the Python classes of the API from the .proto files.
#
#   ./generate.sh [DIRECTORY]        default: gen, beside this script
#
# Needs Debian's protobuf-compiler and protobuf-compiler-grpc, or grpcio-tools from PyPI. Prefers the
# latter, which matches the grpcio of the same environment.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
protos=$here/../../proto
googleapis=$here/../../third_party/googleapis
out=${1:-$here/gen}
python=${PYTHON:-python3}

# Includes the imported protos of Google, which may not be generated elsewhere.
set -- "$protos"/assetgate/v1/*.proto "$googleapis"/google/*/*.proto

mkdir -p "$out"
if "$python" -c 'import grpc_tools' 2>/dev/null; then
  "$python" -m grpc_tools.protoc -I "$protos" -I "$googleapis" \
            --python_out="$out" --grpc_python_out="$out" "$@"
elif command -v protoc >/dev/null && command -v grpc_python_plugin >/dev/null; then
  protoc -I "$protos" -I "$googleapis" --python_out="$out" --grpc_python_out="$out" \
         --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" "$@"
else
  echo "generate.sh: no protoc with a Python plugin found. Install one:" >&2
  echo "  Debian: apt install protobuf-compiler protobuf-compiler-grpc" >&2
  echo "  PyPI:   pip install grpcio-tools" >&2
  exit 1
fi
echo "generate.sh: wrote $out"
