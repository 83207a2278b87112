#!/usr/bin/env python3
"""A gateway shuts down under load while another one serves: no client that checks the gateway's
health, as gRPC clients do by a setting, sees a call fail. Run by CTest."""

import asyncio
import collections
import json
import signal
import unittest

import grpc

from cluster import Cluster, asset_request, video_request
from history import History
from programs import (DEADLINE, asset_pb2, asset_service_pb2, asset_service_pb2_grpc, common_pb2,
                      error_details_pb2, reason_of, detail_of, video_service_pb2,
                      video_service_pb2_grpc, wait_for)

FLAGS = ("--asset-delay", "150ms", "--queue-delay", "50ms", "--video-delay", "250ms")
WATCHERS = 1000
CALLERS = 24
CONNECTIONS = 4
# One of that many assets belongs to the watched team: one Python client reads a thousand streams,
# and must not be the bottleneck.
WATCHED = 20
TEAM = "watched"
# The settings of docs/clients.md without retries, since no call may fail.
SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}],
                             "healthCheckConfig": {"serviceName": ""}})


class Watcher:
    """A stream that resumes with its newest token, and its events."""

    def __init__(self, stub):
        self._stub = stub
        self._token = b""
        self.held = {}
        self.complete = asyncio.Event()
        self.resets = 0
        # How the streams ended: (code, reason, whether a RetryInfo came, whether the last event was a
        # BOOKMARK).
        self.ends = []

    async def run(self):
        while True:
            last = None
            try:
                async for event in self._stub.WatchAssets(asset_service_pb2.WatchAssetsRequest(
                        resume_token=self._token,
                        filter=asset_pb2.AssetFilter(labels={"team": TEAM}))):
                    last = event.type
                    self._take(event)
                self.ends.append((grpc.StatusCode.OK, None, False, False))
            except grpc.aio.AioRpcError as error:
                self.ends.append((error.code(), reason_of(error),
                                  detail_of(error, error_details_pb2.RetryInfo) is not None,
                                  last == common_pb2.BOOKMARK))

    def _take(self, event):
        if event.type == common_pb2.BOOKMARK:
            self._token = event.resume_token
            self.complete.set()
        elif event.type == common_pb2.RESET:
            self.resets += 1
            self.held = {}
        elif event.type == common_pb2.PUT:
            self.held[event.asset.name] = event.revision
        else:
            raise AssertionError(f"nothing is deleted here: {event}")


class Load:
    """Calls of all kinds, one after the other in each of CALLERS tasks, until `stop`."""

    def __init__(self, channels):
        self._channels = channels
        self._stopping = False
        self._tasks = []
        self.done = collections.Counter()
        self.failed = collections.Counter()
        self.watched = []

    def start(self):
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(CALLERS)]

    async def stop(self):
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _run(self, caller):
        channel = self._channels[caller % len(self._channels)]
        assets = asset_service_pb2_grpc.AssetServiceStub(channel)
        videos = video_service_pb2_grpc.VideoServiceStub(channel)
        number = 0
        while not self._stopping:
            number += 1
            identity = f"of-{caller}-{number}"
            kind = number % 4
            try:
                if kind == 0:
                    team = TEAM if number % WATCHED == 0 else ""
                    made = await assets.CreateAsset(asset_request(identity, ["kyy"], team=team),
                                                    timeout=DEADLINE)
                    if team:
                        self.watched.append(made.name)
                elif kind == 1:
                    await videos.CreateVideoTask(video_request(identity, "zerozero"),
                                                 timeout=DEADLINE)
                elif kind == 2:
                    await assets.ListAssets(asset_service_pb2.ListAssetsRequest(page_size=5),
                                            timeout=DEADLINE)
                else:
                    await videos.ListVideoTasks(video_service_pb2.ListVideoTasksRequest(page_size=5),
                                                timeout=DEADLINE)
                self.done[kind] += 1
            except grpc.aio.AioRpcError as error:
                self.failed[(kind, error.code(), reason_of(error), error.details())] += 1

    async def more(self, calls):
        """Waits until each kind of call was made that many times more."""
        until = {kind: self.done[kind] + calls for kind in range(4)}
        while any(self.done[kind] < count for kind, count in until.items()):
            await asyncio.sleep(0.01)  # Between two polls.


async def each(watchers, condition, what):
    """Waits until `condition` is true for each."""
    async def wait():
        for watcher in watchers:
            while not condition(watcher):
                await asyncio.sleep(0.01)  # Between two polls.
    try:
        await asyncio.wait_for(wait(), DEADLINE)
    except asyncio.TimeoutError as error:
        raise AssertionError(f"never came for each: {what}") from error


class LeavingTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(History(), FLAGS, 2, drain_delay="1s", tenants=())
        self.addCleanup(self.cluster.close)
        self.cluster.start_all()

    def final(self):
        """The revision of each watched asset, once all have settled."""
        self.cluster.await_rest(slot=1)
        return {asset.name: asset.revision for asset in self.cluster.list_all(1)
                if isinstance(asset, asset_pb2.Asset) and asset.labels.get("team") == TEAM}

    def test_no_call_fails_and_no_stream_starts_over(self):
        asyncio.run(self.leave())

    async def leave(self):
        # For the life of the process: closing it can wait forever for one of its own threads.
        grpc.aio.init_grpc_aio()
        target = "ipv4:" + ",".join(gateway.address for gateway in self.cluster.gateways)
        channels = [grpc.aio.insecure_channel(target, options=[
            ("grpc.service_config", SERVICE_CONFIG), ("grpc.use_local_subchannel_pool", 1)])
            for _ in range(CONNECTIONS)]
        watchers = [Watcher(asset_service_pb2_grpc.AssetServiceStub(channels[number % CONNECTIONS]))
                    for number in range(WATCHERS)]
        streams = [asyncio.create_task(watcher.run()) for watcher in watchers]
        load = Load(channels)
        try:
            await each(watchers, lambda watcher: watcher.complete.is_set(), "a snapshot")
            load.start()
            await load.more(CALLERS * WATCHED // 3)
            code = await asyncio.to_thread(self.cluster.end, signal.SIGTERM, 0)
            await load.more(CALLERS * WATCHED // 3)
            await load.stop()
            self.assertEqual(code, 0)
            self.assertEqual(load.failed, {})
            final = await asyncio.to_thread(self.final)
            self.assertGreaterEqual(len(final), len(load.watched))
            self.assertGreater(len(load.watched), 0)
            await each(watchers, lambda watcher: watcher.held == final, "what is committed")
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
            for channel in channels:
                await channel.close()
        self.assertEqual({watcher.resets for watcher in watchers}, {1})
        # Each stream of the gateway that shut down ended with the newest token and a RetryInfo. One
        # that resumes while its connection closes tries again without a RetryInfo.
        first = collections.Counter(watcher.ends[0] for watcher in watchers if watcher.ends)
        told = (grpc.StatusCode.UNAVAILABLE, "DRAINING", True, True)
        self.assertGreater(first[told], WATCHERS // 4)
        self.assertEqual(set(first), {told})
        self.assertLessEqual({end[0] for watcher in watchers for end in watcher.ends},
                             {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


if __name__ == "__main__":
    unittest.main()
