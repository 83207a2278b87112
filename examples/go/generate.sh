#!/bin/sh
# Makes the Go code of the API from the .proto files, into gen/, a module of its own that go.mod points at.
#
# Needs protoc and google's .proto files (Debian: protobuf-compiler, golang-github-gogo-googleapis-dev), and
#
#   go install google.golang.org/protobuf/cmd/protoc-gen-go@latest
#   go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest
set -eu
here=$(cd "$(dirname "$0")" && pwd)
googleapis=${GOOGLEAPIS_DIR:-/usr/share/gocode/src/github.com/gogo/googleapis}
PATH=$PATH:$(go env GOPATH)/bin

# Google's own messages are in modules that exist already.
genproto=google.golang.org/genproto/googleapis
set -- "$here"/../../proto/assetgate/v1/*.proto
for map in google/api/annotations.proto=$genproto/api/annotations \
           google/api/http.proto=$genproto/api/annotations \
           google/rpc/status.proto=$genproto/rpc/status; do
  set -- "--go_opt=M$map" "--go-grpc_opt=M$map" "$@"
done
mkdir -p "$here/gen"
protoc -I "$here/../../proto" -I "$googleapis" \
  --go_out="$here/gen" --go_opt=module=assetgate.dev/proto \
  --go-grpc_out="$here/gen" --go-grpc_opt=module=assetgate.dev/proto "$@"
printf 'module assetgate.dev/proto\n\ngo 1.24\n' >"$here/gen/go.mod"
(cd "$here/gen" && go mod tidy)
(cd "$here" && go mod tidy)
