module assetgate.dev/examples/go

go 1.24

require assetgate.dev/proto v0.0.0

replace assetgate.dev/proto => ./gen
