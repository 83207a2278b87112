#!/usr/bin/env python3
"""Traffic and faults at random from a seed, then the guarantees are held against what happened.

  tests/robustness/run.py --minutes 60            a long run on a release build, with a fresh seed
  tests/robustness/run.py --minutes 1 --seed 7    the same plan again (threads still race)

Needs a build (`cmake --build --preset release`) and Debian's python3-grpcio. Exit code 0: all
guarantees held; 1: some did not; the history is kept then, and its path is printed.
"""

import argparse
import os
import pathlib
import random
import resource
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
if "BIN_DIR" not in os.environ:
    # By hand: as CTest sets it.
    os.environ["BIN_DIR"] = str(ROOT / "build/release/bin")
    os.environ["GEN_DIR"] = str(ROOT / "build/release/robustness-gen")
    subprocess.run([ROOT / "examples/python/generate.sh", os.environ["GEN_DIR"]], check=True)
    sys.path.insert(0, str(ROOT / "tests/e2e"))

import grpc  # noqa: E402

import programs  # noqa: E402
from cluster import (Client, Cluster, CrashingGateway, Follower, explain,  # noqa: E402
                     rest_and_validate)
from crash_points import POINTS  # noqa: E402
from history import History  # noqa: E402
from programs import DEADLINE  # noqa: E402

FLAGS = ("--asset-delay", "200ms", "--queue-delay", "100ms", "--video-delay", "400ms")
WORKERS = 4

# What a provider can do to a submission. `after_work` only where nobody can tell from the answer
# whether the work was done: a provider that says "not accepted" and accepts would be lying.
SUBMISSION_FAULTS = [
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 500, "after_work": True},
    {"kind": "status", "status": 502, "after_work": True},
    {"kind": "status", "status": 400},
    {"kind": "status", "status": 402},
    {"kind": "business_failure"},
    {"kind": "no_id"},
    {"kind": "garbage"},
    {"kind": "garbage", "after_work": True},
    {"kind": "truncate"},
    {"kind": "reset"},
    {"kind": "reset", "after_work": True},
    {"kind": "close"},
    {"kind": "close", "after_work": True},
    {"kind": "hang", "duration": "300ms"},
    {"kind": "hang", "duration": "300ms", "after_work": True},
    {"kind": "hang", "duration": "60s", "after_work": True},
    {"kind": "drip", "bytes": 8, "duration": "5ms"},
]
POLL_FAULTS = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 404},
    {"kind": "status", "status": 401},
    {"kind": "garbage"},
    {"kind": "truncate"},
    {"kind": "reset"},
    {"kind": "close"},
    {"kind": "hang", "duration": "300ms"},
    {"kind": "state", "state": "PONDERING"},
    {"kind": "huge", "bytes": 9 << 20},
]


class Worker:
    """A caller that asks for all sorts of things."""

    def __init__(self, cluster, number, seed, stop):
        self._client = Client(cluster)
        self._dice = random.Random(f"{seed}-worker-{number}")
        self._number = number
        self._stop = stop
        self._assets, self._videos = [], []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        for number in range(1_000_000):
            if self._stop.is_set():
                return
            answer = self._step(f"{self._number}-{number}")
            if isinstance(answer, (grpc.RpcError, ValueError)):
                self._stop.wait(0.05)
            # The pace, not a wait for anything.
            self._stop.wait(self._dice.uniform(0.0, 0.1))

    def _step(self, suffix):
        dice, client = self._dice, self._client
        what = dice.choices(
            ["asset", "video", "repeat", "cancel", "delete_video", "delete_asset", "get"],
            [3, 8, 3, 1, 1, 1, 2])[0]
        if what == "asset" or not self._videos:
            made = (f"a-{suffix}", dice.sample(list(programs.MODELS), dice.randrange(3)))
            self._assets.append(made)
            self._videos.append((f"v-{suffix}", dice.choice(list(programs.MODELS)), None))
            client.create_video(*self._videos[-1], max_wait=dice.choice([0.0, 0.3, 2.0]))
            return client.create_asset(*made)
        if what == "video":
            asset = dice.choice(self._assets)[0] if dice.random() < 0.4 else None
            made = (f"v-{suffix}", dice.choice(list(programs.MODELS)), asset)
            self._videos.append(made)
            return client.create_video(*made, max_wait=dice.choice([0.0, 0.3, 2.0]))
        if what == "repeat":
            # Of a call whose answer is known, or was lost.
            if dice.random() < 0.3:
                return client.create_asset(*dice.choice(self._assets))
            return client.create_video(*dice.choice(self._videos[-5:]))
        if what == "cancel":
            return client.cancel(dice.choice(self._videos[-3:])[0])
        if what == "delete_video":
            return client.delete_video(dice.choice(self._videos)[0])
        if what == "delete_asset":
            return client.delete_asset(dice.choice(self._assets)[0])
        return client.get_video(dice.choice(self._videos)[0])


class Nemesis:
    """Kills the gateway, fills its disk, and makes providers misbehave."""

    def __init__(self, cluster, seed):
        self._cluster = cluster
        self._dice = random.Random(f"{seed}-nemesis")
        self.done = {}

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            what = self._dice.choices([self._kill, self._crash, self._fill_disk, self._fault,
                                       self._heal], [2, 2, 1, 8, 3])[0]
            self.done[what.__name__[1:]] = self.done.get(what.__name__[1:], 0) + 1
            what()
            time.sleep(self._dice.uniform(0.1, 0.8))  # The pace of evil.
            if self._cluster.gateway.process.poll() is not None:
                self._restart()
        self._cluster.simulator.heal()
        self._cluster.simulator.control("release", method="POST")
        # Whatever it was started as, the rest is for the program that is shipped.
        self._restart()

    def _restart(self, *arguments):
        self._cluster.kill()
        if arguments:
            self._cluster.start(CrashingGateway, *arguments)
        else:
            self._cluster.start()

    def _kill(self):
        self._restart()

    def _crash(self):
        self._restart("--crash-at", self._dice.choice(POINTS), "--occurrence",
                      self._dice.randrange(1, 30))

    def _fill_disk(self):
        # No file may be written to beyond its first byte: for the store, the disk is full.
        pid = self._cluster.gateway.process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        time.sleep(self._dice.uniform(0.2, 1.0))  # So long it is full.
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        except ProcessLookupError:
            pass  # It reached its crash point meanwhile.

    def _fault(self):
        dice = self._dice
        call, faults = dice.choice([
            ("video.create", SUBMISSION_FAULTS), ("video.create", SUBMISSION_FAULTS),
            ("asset.create", SUBMISSION_FAULTS), ("video.get", POLL_FAULTS),
            ("asset.get", POLL_FAULTS)])
        self._cluster.simulator.fail(dice.choice(list(programs.MODELS)), call, dice.choice(faults),
                                     times=dice.randrange(1, 4))

    def _heal(self):
        self._cluster.simulator.heal()


def run(seed, seconds):
    """One run; gives (what was violated, the history, how much there was of what)."""
    history = History()
    cluster = Cluster(history, FLAGS)
    stop = threading.Event()
    try:
        cluster.start()
        dice = random.Random(f"{seed}-readers")
        followers = []
        for collection in ("assets", "videoTasks"):
            followers += [
                Follower(cluster, collection),
                Follower(cluster, collection,
                         pause=lambda: 0.0 if stop.is_set() else dice.uniform(0.0, 0.03)),
                # Dead for most of the run.
                Follower(cluster, collection, pause=lambda: 0.0 if stop.is_set() else 2.0)]
        workers = [Worker(cluster, number, seed, stop) for number in range(WORKERS)]
        nemesis = Nemesis(cluster, seed)
        nemesis.run(seconds)
        stop.set()
        for worker in workers:
            worker.thread.join(2 * DEADLINE)
        found = rest_and_validate(cluster, followers)
        amount = dict(nemesis.done, calls=sum(e["kind"] == "call" for e in history.entries),
                      events=sum(e["kind"] == "event" for e in history.entries),
                      streams=sum(e["kind"] == "open" for e in history.entries),
                      store_away=sum(e.get("reason") == "STORE_UNAVAILABLE"
                                     for e in history.entries),
                      upstream=sum(e["kind"] == "upstream" for e in history.entries))
        return found, history, amount
    finally:
        stop.set()
        cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of traffic in all; default 1")
    parser.add_argument("--seed", type=int, help="of the first round; default: a fresh one")
    parser.add_argument("--round", type=float, default=60.0,
                        help="seconds of traffic between two validations; default 60")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    left = 60 * options.minutes
    while left > 0:
        seconds = min(left, options.round)
        print(f"seed {seed}, {seconds:.0f} s", flush=True)
        found, history, amount = run(seed, seconds)
        print("  " + ", ".join(f"{count} {what}" for what, count in sorted(amount.items())))
        if found:
            print(explain(found, history, seed))
            return 1
        left -= seconds
        seed += 1
    print("all guarantees held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
