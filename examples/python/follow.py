#!/usr/bin/env python3
"""Requests a video that is made from images, from the first call to the file on disk.

    ./generate.sh
    ./follow.py --server 127.0.0.1:8080 --model seedance-2 \\
        --image https://example.com/hero.png --prompt "image 1 waves" --output hero.mp4

Registers the images, waits until the gateway's providers have them, submits the video task, follows
it across disconnections, and downloads the result. README.md says what each step relies on.
"""

import argparse
import os
import sys
import time
import urllib.request
import uuid

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen"))

from assetgate.v1 import asset_pb2, asset_service_pb2, asset_service_pb2_grpc  # noqa: E402
from assetgate.v1 import common_pb2  # noqa: E402
from assetgate.v1 import video_service_pb2, video_service_pb2_grpc, video_task_pb2  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402

# How calls are spread over gateways, and after which errors gRPC repeats a call. Creates carry a
# request_id, so that a repetition makes nothing twice. docs/clients.md explains the settings.
SERVICE_CONFIG = """
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
"""


def connect(server):
    """A channel to one gateway (HOST:PORT), or to all that a name stands for (dns:///NAME:PORT).

    ASSETGATE_CA: path of the CA certificates that verify the gateways'; without it, plain text.
    ASSETGATE_TOKEN: the caller's token.
    """
    options = [("grpc.service_config", SERVICE_CONFIG),
               # A gateway accepts pings that are at least 10 s apart.
               ("grpc.keepalive_time_ms", 30_000),
               ("grpc.keepalive_timeout_ms", 10_000),
               ("grpc.keepalive_permit_without_calls", 1),
               ("grpc.http2.max_pings_without_data", 0)]
    authority, token = os.environ.get("ASSETGATE_CA"), os.environ.get("ASSETGATE_TOKEN")
    if authority is None:
        if token is not None:
            sys.exit("ASSETGATE_TOKEN needs ASSETGATE_CA: a token is not sent in clear")
        return grpc.insecure_channel(server, options)
    with open(authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    if token is not None:
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(token))
    return grpc.secure_channel(server, credentials, options)


def status_of(error):
    """The google.rpc.Status that came with a grpc.RpcError; None where there is none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None


def detail_of(status, kind):
    """The detail of a google.rpc.Status that is a `kind`, for instance RetryInfo; or None."""
    for packed in status.details if status else ():
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def retry_delay(error):
    """How long the gateway asks the client to wait, in seconds; 0 if it does not ask."""
    retry = detail_of(status_of(error), error_details_pb2.RetryInfo)
    return retry.retry_delay.ToTimedelta().total_seconds() if retry else 0


def is_worth_repeating(error):
    """Whether a create may succeed, or prove to have succeeded, when it is repeated."""
    info = detail_of(status_of(error), error_details_pb2.ErrorInfo)
    return (error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            or retry_delay(error) > 0 or (info and info.reason == "COMMIT_UNKNOWN"))


def is_disconnection(error):
    """Whether a watch ended because the connection broke or the gateway shuts down."""
    if error.code() == grpc.StatusCode.UNAVAILABLE or retry_delay(error) > 0:
        return True
    # Without an answer of the gateway: the codes that gRPC itself gives to a stream that is cut.
    cut = (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
    return status_of(error) is None and error.code() in cut


def describe(status):
    """An error as lines of text: what is wrong, with which field, and who can fix it."""
    info = detail_of(status, error_details_pb2.ErrorInfo) or error_details_pb2.ErrorInfo()
    lines = [f"{info.reason or status.code}: {status.message}"]
    bad = detail_of(status, error_details_pb2.BadRequest)
    lines += [f"  {v.field}: {v.description}" for v in (bad.field_violations if bad else ())]
    if info.metadata.get("act"):
        lines.append(f"  to be resolved by: {info.metadata['act']}")
    return "\n".join(lines)


class Pauses:
    """How long to wait after each failure: twice as long every time, at most 10 s."""

    def __init__(self):
        self.next = 0.5

    def after(self, error):
        pause = max(self.next, retry_delay(error))
        self.next = min(2 * self.next, 10)
        print(f"  {error.code().name}: {error.details()}; again in {pause:.1f} s", file=sys.stderr)
        time.sleep(pause)


def create(method, request, deadline):
    """Calls a Create… method until it is answered.

    The request carries a request_id of its own, so that repeating it never makes a second asset, or
    a second video and a second bill, whatever the outcome of the first call.
    """
    request.request_id = str(uuid.uuid4())
    pauses = Pauses()
    while True:
        try:
            return method(request, timeout=min(30, deadline - time.monotonic()))
        except grpc.RpcError as error:
            if not is_worth_repeating(error) or time.monotonic() > deadline:
                raise
            pauses.after(error)


def watch(method, request, deadline):
    """Yields the events of a Watch… method, across disconnections, until the gateway ends it.

    BOOKMARK events carry a token: everything up to it has been delivered. A new stream that is opened
    with the newest one continues from there; nothing is lost in between.
    """
    pauses = Pauses()
    while True:
        try:
            for event in method(request, timeout=deadline - time.monotonic()):
                pauses = Pauses()
                if event.type == common_pb2.RESET:
                    request.resume_token = b""
                elif event.type == common_pb2.BOOKMARK:
                    request.resume_token = event.resume_token
                yield event
            return
        except grpc.RpcError as error:
            if not is_disconnection(error) or time.monotonic() > deadline:
                raise
            pauses.after(error)


def register(assets, uris, providers, deadline):
    """Registers one image per URI; returns their names."""
    names = []
    for uri in uris:
        asset = asset_pb2.Asset(source_uri=uri, media_type=common_pb2.IMAGE)
        request = asset_service_pb2.CreateAssetRequest(asset=asset, providers=providers)
        made = create(assets.CreateAsset, request, deadline)
        print(f"{made.name}: registered {uri}")
        names.append(made.name)
    return names


def wait_until_active(assets, names, deadline):
    """Watches the assets until every provider has decided; fails when one is usable nowhere."""
    request = asset_service_pb2.WatchAssetsRequest(names=names, until_settled=True)
    held = {}
    for event in watch(assets.WatchAssets, request, deadline):
        if event.type == common_pb2.RESET:
            held.clear()  # A complete snapshot follows.
        elif event.type == common_pb2.PUT:
            held[event.asset.name] = event.asset
            places = ", ".join(
                f"{p.provider.removeprefix('providers/')} "
                f"{asset_pb2.Placement.State.Name(p.state)}" for p in event.asset.placements)
            state = asset_pb2.Asset.State.Name(event.asset.state)
            print(f"{event.asset.name}: {state} ({places or 'placed at first use'})")
        elif event.type == common_pb2.DELETE:
            held.pop(event.asset.name, None)
    for name in names:
        if name not in held:
            sys.exit(f"{name} was deleted by another client")
        if held[name].state == asset_pb2.Asset.FAILED:
            sys.exit(f"{name} failed: {describe(held[name].error)}")


def follow(videos, name, deadline):
    """Watches one task to its end; returns it."""
    request = video_service_pb2.WatchVideoTasksRequest(names=[name], until_settled=True)
    task = None
    for event in watch(videos.WatchVideoTasks, request, deadline):
        if event.type != common_pb2.PUT:
            continue
        task = event.video_task
        line = f"{task.name}: {video_task_pb2.VideoTask.State.Name(task.state)}"
        if task.HasField("progress_percent"):
            line += f" {task.progress_percent} %"
        if task.HasField("waiting"):
            line += f" ({task.waiting.message or common_pb2.Waiting.Reason.Name(task.waiting.reason)})"
        print(line)
    if task is None:
        sys.exit(f"{name} was deleted by another client")
    return task


def download(uri, path):
    """Downloads the video. Providers keep it for hours to days only."""
    part = path + ".part"
    with urllib.request.urlopen(uri, timeout=60) as response, open(part, "wb") as file:
        while chunk := response.read(1 << 20):
            file.write(chunk)
    os.replace(part, path)  # The whole file, or none.
    print(f"{path}: {os.path.getsize(path)} bytes")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--model", required=True, help="see `assetctl models`")
    parser.add_argument("--image", action="append", default=[], metavar="URI",
                        help="a picture to take a likeness from; may be repeated")
    parser.add_argument("--provider", action="append", default=[], metavar="ID",
                        help="register the images here; may be repeated; default: as configured")
    parser.add_argument("--prompt", default="image 1 smiles and waves")
    parser.add_argument("--duration", type=int, metavar="SECONDS", help="default: the model's")
    parser.add_argument("--output", default="video.mp4", metavar="FILE")
    parser.add_argument("--timeout", type=float, default=1800, metavar="SECONDS",
                        help="give up after this long in all; default: %(default)s")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    deadline = time.monotonic() + arguments.timeout

    with connect(arguments.server) as channel:
        assets = asset_service_pb2_grpc.AssetServiceStub(channel)
        videos = video_service_pb2_grpc.VideoServiceStub(channel)

        providers = [f"providers/{provider}" for provider in arguments.provider]
        names = register(assets, arguments.image, providers, deadline)
        if names:
            wait_until_active(assets, names, deadline)

        task = video_task_pb2.VideoTask(model=arguments.model, prompt=arguments.prompt)
        for name in names:
            task.references.add(role=video_task_pb2.Reference.REFERENCE, asset=name)
        if arguments.duration:
            task.duration.FromSeconds(arguments.duration)
        task = create(videos.CreateVideoTask,
                      video_service_pb2.CreateVideoTaskRequest(video_task=task), deadline)
        print(f"{task.name}: submitted")

        task = follow(videos, task.name, deadline)
        if task.state != video_task_pb2.VideoTask.SUCCEEDED:
            sys.exit(f"{task.name} ended without a video: {describe(task.error)}")
        download(task.video.uri, arguments.output)


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as rpc_error:
        found = status_of(rpc_error)
        sys.exit(describe(found) if found else f"{rpc_error.code().name}: {rpc_error.details()}")
    except KeyboardInterrupt:
        sys.exit(130)
