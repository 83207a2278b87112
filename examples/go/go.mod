module assetgate.dev/examples/go

go 1.24

require assetgate.internal/proto v0.0.0

replace assetgate.internal/proto => ./gen
