#!/usr/bin/env python3
"""Measures what a rolling restart costs watchers: gateways over one PostgreSQL are restarted one
after the other while assets are created, and many streams resume at the next gateway.
Prints what was sent again. A measurement, not a test: replicas_test.py holds the guarantees.

  tests/robustness/rollout.py                              1,000 watchers, 3 gateways
  tests/robustness/rollout.py --watchers 100 --assets 1000
"""

import argparse
import asyncio
import signal
import statistics
import sys
import threading
import time

import run  # noqa: F401  First: it finds the build.
import grpc
from cluster import Client, Cluster, asset_request
from history import History
from programs import MODELS, asset_service_pb2, asset_service_pb2_grpc, common_pb2

STREAMS_PER_CONNECTION = 50
# Seconds between two assets: one Python client reads a thousand streams, and must not be the
# bottleneck.
PACE = 0.5
# Each group of watchers has its own connection, like different clients.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Watcher:
    """A stream of all assets that resumes with its newest token, and its events."""

    def __init__(self, channels, slot):
        self._channels = channels
        self._slot = slot
        self._token = b""
        self._known = {}
        self._left = None
        self.complete = asyncio.Event()
        self.snapshot_bytes = 0
        self.repeated_bytes = 0
        self.news_bytes = 0
        self.resets = 0
        # For each resumption elsewhere: the time from the end of a stream to the first event of the
        # next one.
        self.absences = []

    async def run(self):
        while True:
            stub = asset_service_pb2_grpc.AssetServiceStub(self._channels(self._slot))
            try:
                async for event in stub.WatchAssets(
                        asset_service_pb2.WatchAssetsRequest(resume_token=self._token)):
                    self._take(event)
            except grpc.aio.AioRpcError:
                pass
            if self._left is None:
                self._left = time.monotonic()
            self._slot += 1
            await asyncio.sleep(0.02)

    def _take(self, event):
        if self._left is not None:
            self.absences.append(time.monotonic() - self._left)
            self._left = None
        size = event.ByteSize()
        if event.type == common_pb2.BOOKMARK:
            self._token = event.resume_token
            self.complete.set()
        elif event.type == common_pb2.RESET:
            self.resets += 1
        elif not self.complete.is_set():
            self.snapshot_bytes += size
            self._known[event.asset.name] = event.revision
        elif self._known.get(event.asset.name, 0) >= event.revision:
            self.repeated_bytes += size
        else:
            self.news_bytes += size
            self._known[event.asset.name] = event.revision

    def revision(self):
        return max(self._known.values(), default=0)


class Writer:
    """Creates assets, one after the other, at any gateway that accepts them."""

    def __init__(self, cluster):
        self._client = Client(cluster)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.made = 0
        self.newest = 0

    def make(self):
        self.made += 1
        request = asset_request(f"a-{self.made}", [list(MODELS)[self.made % len(MODELS)]])
        answer = self._client.create(request)
        while isinstance(answer, (grpc.RpcError, ValueError)):
            answer = self._client.create(request)
        self.newest = max(self.newest, answer.revision)

    def _run(self):
        while not self._stop.wait(PACE):
            self.make()

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()


async def roll(cluster, writer):
    for slot in range(len(cluster.gateways)):
        begin = time.monotonic()
        code = await asyncio.to_thread(cluster.end, signal.SIGTERM, slot)
        ended = time.monotonic()
        await asyncio.to_thread(cluster.start, slot=slot)
        serving = time.monotonic()
        after = writer.made + 5
        while writer.made < after:
            await asyncio.sleep(0.05)
        print(f"  gateway {slot}: ended with {code} after {ended - begin:.2f} s, serving again "
              f"after another {serving - ended:.2f} s", flush=True)


async def measure(cluster, writer, options):
    # For the life of the process: closing it can wait forever for one of its own threads.
    grpc.aio.init_grpc_aio()
    channels = {}

    def channel_of(number):
        def channel(slot):
            slot %= options.gateways
            # A restarted gateway has another address.
            address = cluster.gateways[slot].address
            key = (number // STREAMS_PER_CONNECTION, address)
            if key not in channels:
                channels[key] = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
            return channels[key]
        return channel
    watchers = [Watcher(channel_of(number), number // STREAMS_PER_CONNECTION)
                for number in range(options.watchers)]
    begin = time.monotonic()
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    for watcher in watchers:
        await watcher.complete.wait()
    print(f"{options.watchers} watchers have their snapshot of {options.assets} assets after "
          f"{time.monotonic() - begin:.1f} s; now the gateways are ended and started one by one:",
          flush=True)
    before = writer.made
    writer.start()
    await roll(cluster, writer)
    await asyncio.to_thread(writer.stop)
    # All watchers have seen all assets.
    while any(watcher.revision() < writer.newest for watcher in watchers):
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels.values():
        await channel.close()
    snapshot = statistics.mean(watcher.snapshot_bytes for watcher in watchers)
    repeated = sorted(watcher.repeated_bytes for watcher in watchers)
    absences = sorted(seconds for watcher in watchers for seconds in watcher.absences)
    print(f"made meanwhile: {writer.made - before} assets, "
          f"{statistics.mean(watcher.news_bytes for watcher in watchers):,.0f} bytes of news for "
          "each watcher")
    print(f"a snapshot:     {snapshot:,.0f} bytes for each watcher")
    print(f"sent again:     {statistics.mean(repeated):,.0f} bytes per watcher (median "
          f"{statistics.median(repeated):,.0f}, most {repeated[-1]:,}): "
          f"{100 * statistics.mean(repeated) / snapshot:.2f} % of a snapshot")
    print(f"started over:   {sum(watcher.resets - 1 for watcher in watchers)} streams")
    if absences:
        print(f"away:           {len(absences)} times, median "
              f"{1000 * statistics.median(absences):.0f} ms, longest {1000 * absences[-1]:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--assets", type=int, default=200, help="made before; default 200")
    parser.add_argument("--gateways", type=int, default=3)
    options = parser.parse_args()
    cluster = Cluster(History(), run.FLAGS, options.gateways, tenants=())
    try:
        cluster.start_all()
        writer = Writer(cluster)
        while writer.made < options.assets:
            writer.make()
        cluster.await_rest()
        asyncio.run(measure(cluster, writer, options))
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
