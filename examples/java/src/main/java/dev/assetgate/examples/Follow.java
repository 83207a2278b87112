package dev.assetgate.examples;

import com.google.gson.Gson;
import dev.assetgate.v1.CreateVideoTaskRequest;
import dev.assetgate.v1.VideoServiceGrpc;
import dev.assetgate.v1.VideoTask;
import dev.assetgate.v1.VideoTaskEvent;
import dev.assetgate.v1.WatchVideoTasksRequest;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.util.Iterator;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * Requests a video and follows it to its end, across disconnections and restarts of gateways.
 *
 * <p>ASSETGATE_CA: path of the CA certificates that verify the gateways'; without it, plain text.
 * ASSETGATE_TOKEN: the caller's token. docs/clients.md explains the settings.
 */
public final class Follow {
  private static final String SERVICE_CONFIG =
      """
          {
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
          }
      """;

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  @SuppressWarnings("unchecked")
  private static ManagedChannel connect(String server) throws IOException {
    String ca = System.getenv("ASSETGATE_CA");
    ChannelCredentials credentials =
        ca == null
            ? InsecureChannelCredentials.create()
            : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    return Grpc.newChannelBuilder(server, credentials)
        .defaultServiceConfig(new Gson().fromJson(SERVICE_CONFIG, Map.class))
        .enableRetry()
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(true)
        .build();
  }

  /** Calls that carry the token. */
  private static VideoServiceGrpc.VideoServiceBlockingStub stub(ManagedChannel channel) {
    VideoServiceGrpc.VideoServiceBlockingStub videos = VideoServiceGrpc.newBlockingStub(channel);
    String token = System.getenv("ASSETGATE_TOKEN");
    if (token == null) return videos;
    Metadata headers = new Metadata();
    headers.put(AUTHORIZATION, "Bearer " + token);
    return videos.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  /**
   * Whether a watch resumes with its token: the connection broke, the gateway shuts down or asks to
   * wait, or the stream was cut in transit, without an answer of the gateway.
   */
  private static boolean goesOn(StatusRuntimeException error) {
    Metadata trailers = error.getTrailers();
    return switch (error.getStatus().getCode()) {
      case UNAVAILABLE, RESOURCE_EXHAUSTED -> true;
      case CANCELLED, INTERNAL, UNKNOWN -> trailers == null || !trailers.containsKey(DETAILS);
      default -> false;
    };
  }

  /** The task in its final state; null if it was deleted. */
  private static VideoTask follow(VideoServiceGrpc.VideoServiceBlockingStub videos, String name)
      throws InterruptedException {
    WatchVideoTasksRequest.Builder request =
        WatchVideoTasksRequest.newBuilder().addNames(name).setUntilSettled(true);
    VideoTask task = null;
    long pause = 500;
    while (true) {
      try {
        Iterator<VideoTaskEvent> events =
            videos.withDeadlineAfter(1, TimeUnit.HOURS).watchVideoTasks(request.build());
        while (events.hasNext()) {
          VideoTaskEvent event = events.next();
          pause = 500;
          switch (event.getType()) {
            case PUT -> {
              task = event.getVideoTask();
              System.out.println(name + ": " + task.getState());
            }
            // After a RESET, a complete snapshot follows.
            case RESET, DELETE -> task = null;
            // Everything up to here has been delivered.
            case BOOKMARK -> request.setResumeToken(event.getResumeToken());
            default -> {}
          }
        }
        return task;
      } catch (StatusRuntimeException error) {
        if (!goesOn(error)) throw error;
        System.err.println(name + ": " + error.getMessage() + "; again");
        Thread.sleep(pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2));
        pause = Math.min(2 * pause, 10_000);
      }
    }
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (arguments.length != 3) {
      System.err.println("usage: Follow SERVER MODEL PROMPT");
      System.exit(2);
    }
    ManagedChannel channel = connect(arguments[0]);
    try {
      VideoServiceGrpc.VideoServiceBlockingStub videos = stub(channel);
      VideoTask task =
          videos
              .withDeadlineAfter(60, TimeUnit.SECONDS)
              .createVideoTask(
                  CreateVideoTaskRequest.newBuilder()
                      .setVideoTask(
                          VideoTask.newBuilder().setModel(arguments[1]).setPrompt(arguments[2]))
                      // With it, gRPC may repeat the call without making a second video.
                      .setRequestId(UUID.randomUUID().toString())
                      .build());
      System.out.println(task.getName() + ": created");
      task = follow(videos, task.getName());
      if (task == null || task.getState() != VideoTask.State.SUCCEEDED) {
        throw new IllegalStateException("the task ended without a video: " + task);
      }
      System.out.println(task.getVideo().getUri());
    } finally {
      channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
  }
}
