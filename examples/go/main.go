// Requests a video and follows it to its end, across disconnections and restarts of gateways.
//
//	go run . dns:///assetgate-headless.assetgate:8080 seedance-2 "a quiet harbour"
//
// ASSETGATE_CA: path of the CA certificates that verify the gateways'; without it, plain text.
// ASSETGATE_TOKEN: the caller's token. docs/clients.md explains the settings.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	mrand "math/rand/v2"
	"os"
	"time"

	assetgate "assetgate.internal/proto/assetgate/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // Lets the channel check whether gateways serve.
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": ""},
  "methodConfig": [
    {
      "name": [
        {"service": "assetgate.v1.AssetService"},
        {"service": "assetgate.v1.ProviderService"},
        {"service": "assetgate.v1.VideoService"}
      ],
      "waitForReady": true,
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.5s",
        "maxBackoff": "10s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNKNOWN"]
      }
    },
    {
      "name": [
        {"service": "assetgate.v1.AssetService", "method": "WatchAssets"},
        {"service": "assetgate.v1.ProviderService", "method": "WatchProviders"},
        {"service": "assetgate.v1.VideoService", "method": "WatchVideoTasks"},
        {"service": "assetgate.v1.VideoService", "method": "ResolveVideoTask"}
      ],
      "waitForReady": true
    }
  ]
}`

func connect(server string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if ca := os.Getenv("ASSETGATE_CA"); ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return nil, err
		}
	}
	return grpc.NewClient(server,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true,
		}))
}

// The metadata of each call.
func calling(ctx context.Context) context.Context {
	if token := os.Getenv("ASSETGATE_TOKEN"); token != "" {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	return ctx
}

// Whether a watch resumes with its token: the connection broke, the gateway shuts down or asks to
// wait, or the stream was cut in transit, without an answer of the gateway.
func goesOn(err error) bool {
	switch said := status.Convert(err); said.Code() {
	case codes.Unavailable, codes.ResourceExhausted:
		return true
	case codes.Canceled, codes.Internal, codes.Unknown:
		return len(said.Details()) == 0
	default:
		return false
	}
}

// The task in its final state; nil if it was deleted.
func follow(ctx context.Context, videos assetgate.VideoServiceClient, name string) (*assetgate.VideoTask, error) {
	request := &assetgate.WatchVideoTasksRequest{Names: []string{name}, UntilSettled: true}
	var task *assetgate.VideoTask
	pause := 500 * time.Millisecond
	for {
		stream, err := videos.WatchVideoTasks(ctx, request)
		for err == nil {
			var event *assetgate.VideoTaskEvent
			if event, err = stream.Recv(); err != nil {
				break
			}
			pause = 500 * time.Millisecond
			switch event.Type {
			case assetgate.EventType_PUT:
				task = event.VideoTask
				fmt.Printf("%s: %s\n", name, task.State)
			case assetgate.EventType_RESET, assetgate.EventType_DELETE: // After a RESET, a complete snapshot follows.
				task = nil
			case assetgate.EventType_BOOKMARK: // Everything up to here has been delivered.
				request.ResumeToken = event.ResumeToken
			}
		}
		if errors.Is(err, io.EOF) {
			return task, nil
		}
		if ctx.Err() != nil || !goesOn(err) {
			return nil, err
		}
		log.Printf("%s: %v; again", name, err)
		select {
		case <-time.After(pause/2 + mrand.N(pause/2)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		pause = min(2*pause, 10*time.Second)
	}
}

func run(server, model, prompt string) error {
	connection, err := connect(server)
	if err != nil {
		return err
	}
	defer connection.Close()
	videos := assetgate.NewVideoServiceClient(connection)

	ctx, cancel := context.WithTimeout(calling(context.Background()), time.Minute)
	defer cancel()
	task, err := videos.CreateVideoTask(ctx, &assetgate.CreateVideoTaskRequest{
		VideoTask: &assetgate.VideoTask{Model: model, Prompt: prompt},
		RequestId: rand.Text(), // With it, gRPC may repeat the call without making a second video.
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: created\n", task.Name)

	ctx, cancel = context.WithTimeout(calling(context.Background()), time.Hour)
	defer cancel()
	if task, err = follow(ctx, videos, task.Name); err != nil {
		return err
	}
	if task.GetState() != assetgate.VideoTask_SUCCEEDED {
		return fmt.Errorf("the task ended without a video: %v", task.GetError())
	}
	fmt.Println(task.Video.Uri)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: follow SERVER MODEL PROMPT")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
