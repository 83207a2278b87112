#!/bin/sh
# Generates the Go code of the API from the .proto files, into gen/, a module that go.mod refers to.
#
# Needs protoc (Debian: protobuf-compiler), and
#
#   go install google.golang.org/protobuf/cmd/protoc-gen-go@latest
#   go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest
set -eu
here=$(cd "$(dirname "$0")" && pwd)
googleapis=$here/../../third_party/googleapis
PATH=$PATH:$(go env GOPATH)/bin

# Google's own messages come from published modules.
genproto=google.golang.org/genproto/googleapis
set -- "$here"/../../proto/assetgate/v1/*.proto
for map in google/api/annotations.proto=$genproto/api/annotations \
           google/api/field_behavior.proto=$genproto/api/annotations \
           google/api/http.proto=$genproto/api/annotations \
           google/rpc/status.proto=$genproto/rpc/status; do
  set -- "--go_opt=M$map" "--go-grpc_opt=M$map" "$@"
done
mkdir -p "$here/gen"
protoc -I "$here/../../proto" -I "$googleapis" \
  --go_out="$here/gen" --go_opt=module=assetgate.internal/proto \
  --go-grpc_out="$here/gen" --go-grpc_opt=module=assetgate.internal/proto "$@"
# Uses the versions of go.mod, which stays unchanged.
sed -e 's|^module .*|module assetgate.internal/proto|' -e '/assetgate\.internal\/proto v/d' \
  -e '/^replace /d' "$here/go.mod" >"$here/gen/go.mod"
