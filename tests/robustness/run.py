#!/usr/bin/env python3
"""Random traffic and faults from a seed, then a check of the guarantees against the history.

  tests/robustness/run.py --minutes 60            a long run on a release build, with a fresh seed
  tests/robustness/run.py --minutes 1 --seed 7    the same plan again (threads still race)
  tests/robustness/run.py --gateways 3            several gateways over one PostgreSQL

Needs a build (`cmake --build --preset release`) and Debian's python3-grpcio. Exit code 0: all
guarantees held; 1: some did not; the history is kept then, and its path is printed.
"""

import argparse
import math
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
if "BIN_DIR" not in os.environ:
    # Run by hand: the default that CTest sets.
    os.environ["BIN_DIR"] = str(ROOT / "build/release/bin")
    os.environ["GEN_DIR"] = str(ROOT / "build/release/robustness-gen")
    subprocess.run([ROOT / "examples/python/generate.sh", os.environ["GEN_DIR"]], check=True)
    sys.path.insert(0, str(ROOT / "tests/e2e"))

import grpc  # noqa: E402

import programs  # noqa: E402
from cluster import (Client, Cluster, CrashingGateway, Follower, asset_request,  # noqa: E402
                     explain, group_request, rest_and_validate, video_request,
                     watch_with_foreign_token)
from crash_points import POINTS  # noqa: E402
from history import TENANTS, History  # noqa: E402
from programs import DEADLINE, asset_service_pb2  # noqa: E402

FLAGS = ("--asset-delay", "200ms", "--queue-delay", "100ms", "--video-delay", "400ms")
WORKERS = 4

# The faults of a submission at a provider. `after_work` only where the answer leaves open whether
# the work was done: a provider that answers "not accepted" and accepts would be lying.
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
    {"kind": "status", "status": 301},
    {"kind": "status", "status": 307},
    {"kind": "status", "status": 302},
    {"kind": "status", "status": 302, "after_work": True},
    {"kind": "status", "status": 303, "after_work": True},
    {"kind": "status", "status": 200, "body": '{"code":504,"msg":"timeout","data":null}'},
    {"kind": "status", "status": 200, "body": '{"code":500,"msg":"Read timed out","data":null}',
     "after_work": True},
    {"kind": "status", "status": 200, "after_work": True,
     "body": '{"code":"do_request_failed","message":"do request failed","data":null}'},
    {"kind": "status", "status": 200, "after_work": True,
     "body": '{"error":{"code":504,"message":"timeout"}}'},
    {"kind": "edge", "status": 403},
    {"kind": "edge", "status": 429},
    {"kind": "edge", "status": 503, "code": "challenge"},
    {"kind": "edge", "status": 521},
    {"kind": "edge", "status": 525},
    {"kind": "edge", "status": 530},
    {"kind": "edge", "status": 502, "server": "nginx", "after_work": True},
    {"kind": "edge", "status": 504, "after_work": True},
    {"kind": "edge", "status": 520, "after_work": True},
    {"kind": "edge", "status": 522},
    {"kind": "edge", "status": 524, "after_work": True},
    {"kind": "status", "status": 409, "after_work": True},
    {"kind": "status", "status": 500, "message": "cannot", "echo": True},
    {"kind": "status", "status": 400, "message": "will not", "echo": True},
    {"kind": "dress"},
    {"kind": "dress", "template": {"code": 200, "data": ["$payload"]}},
    {"kind": "dress", "template": {"...": "$answer", "error": {"code": 0, "message": ""}}},
    {"kind": "words", "letters": "upper", "around": " "},
    {"kind": "link"},
    {"kind": "not_utf8"},
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
    {"kind": "hang", "duration": "60s"},
    {"kind": "status", "status": 302},
    {"kind": "status", "status": 402},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 200, "body": '{"code":504,"msg":"timeout","data":null}'},
    {"kind": "edge", "status": 403},
    {"kind": "edge", "status": 502},
    {"kind": "edge", "status": 524},
    {"kind": "dress"},
    {"kind": "dress", "template": {"code": 200, "data": ["$payload"]}},
    {"kind": "words", "letters": "upper", "around": " "},
    {"kind": "words", "letters": "capitalized"},
    {"kind": "words", "words": {"SUCCESS": "IN_PROGRESS", "COMPLETED": "done",
                                "completed": "Succeeded", "succeeded": "completed"}},
    {"kind": "not_utf8"},
]
# Two in a row: a refused repetition does not decide about the first send.
REFUSED_REPLAY = [{"kind": "edge", "status": 502, "after_work": True},
                  {"kind": "status", "status": 400}]


class Worker:
    """A caller that makes calls of all kinds. Each tenant has as many callers, and they use the same
    names and request_ids."""

    # Its calls, and their weights.
    STEPS = {"group": 1, "asset": 3, "batch": 1, "video": 8, "twice": 2, "repeat": 4, "reuse": 1,
             "cancel": 2, "delete": 2, "get": 3, "list": 1, "providers": 0.5, "foreign": 0.3}

    def __init__(self, cluster, number, seed, stop):
        self._cluster = cluster
        self._tenant = TENANTS[number % len(TENANTS)]
        self._client = Client(cluster, tenant=self._tenant)
        self._dice = random.Random(f"{seed}-worker-{number}")
        self._number = number // len(TENANTS)
        self._stop = stop
        # Its requests with a chosen name, and its requests that it can repeat.
        self._names = {"assets": [], "assetGroups": [], "videoTasks": []}
        self._repeatable = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        for number in range(1_000_000):
            if self._stop.is_set():
                return
            what = self._dice.choices(list(self.STEPS), self.STEPS.values())[0]
            answer = getattr(self, f"_{what}")(f"{self._number}-{number}")
            if isinstance(answer, (grpc.RpcError, ValueError)):
                self._stop.wait(0.05)
            # The pace of the traffic, not a wait.
            self._stop.wait(self._dice.uniform(0.0, 0.1))

    def _any(self, collection):
        return self._dice.choice(self._names[collection][-20:] or [f"{collection}/nobody"])

    def _one_of(self, collection):
        """An id, or sometimes none."""
        names = self._names[collection][-20:]
        return self._dice.choice(names).split("/")[1] if names and self._dice.random() < 0.4 else None

    def _make(self, collection, identity, request, named=True, repeatable=True):
        if named:
            self._names[collection].append(f"{collection}/{identity}")
        if repeatable:
            self._repeatable.append(request)
        return self._client.create(request)

    def _somehow(self):
        dice = self._dice
        return {"team": dice.choice(["", "red", "blue"]),
                "fate": "moderated" if dice.random() < 0.1 else "",
                "named": dice.random() < 0.8, "repeatable": dice.random() < 0.8,
                "tenant": self._tenant}

    def _group(self, suffix):
        providers = self._dice.sample(list(programs.MODELS), self._dice.randrange(3))
        return self._make("assetGroups", f"g-{suffix}", group_request(f"g-{suffix}", providers, self._tenant))

    def _asset_request(self, identity, how):
        providers = self._dice.sample(list(programs.MODELS), self._dice.randrange(3))
        return asset_request(identity, providers, self._one_of("assetGroups"), **how)

    def _asset(self, suffix):
        how = self._somehow()
        return self._make("assets", f"a-{suffix}", self._asset_request(f"a-{suffix}", how),
                          how["named"], how["repeatable"])

    def _batch(self, suffix):
        request = asset_service_pb2.BatchCreateAssetsRequest(
            request_id=f"r-b-{suffix}", max_wait={"nanos": 500_000_000})
        for number in range(3):
            one = self._asset_request(f"b-{suffix}-{number}",
                                      dict(self._somehow(), named=True, repeatable=False))
            one.ClearField("max_wait")
            request.requests.append(one)
            self._names["assets"].append(f"assets/b-{suffix}-{number}")
        self._repeatable.append(request)
        return self._client.create(request)

    def _video_request(self, identity, how):
        dice = self._dice
        return video_request(identity, dice.choice([*programs.MODELS, None]),
                             asset=self._one_of("assets"), max_wait=dice.choice([0.0, 0.3, 2.0]),
                             **how)

    def _video(self, suffix):
        how = self._somehow()
        return self._make("videoTasks", f"v-{suffix}", self._video_request(f"v-{suffix}", how),
                          how["named"], how["repeatable"])

    def _twice(self, suffix):
        """Two callers send the same request at once: one gets the other's answer."""
        how = dict(self._somehow(), repeatable=True)
        request = self._video_request(f"v-{suffix}", how)
        client = Client(self._cluster, tenant=self._tenant)
        other = threading.Thread(target=client.create, args=(request,))
        other.start()
        answer = self._make("videoTasks", f"v-{suffix}", request, how["named"])
        other.join(2 * DEADLINE)
        return answer

    def _repeat(self, _):
        """Repeats a call whose answer is known, or was lost."""
        if self._repeatable:
            return self._client.create(self._dice.choice(self._repeatable[-10:]))
        return None

    def _reuse(self, suffix):
        """Uses the request_id of another call."""
        if not self._repeatable:
            return None
        used = self._dice.choice(self._repeatable[-10:])
        request = video_request(f"v-{suffix}", "kyy", named=False, tenant=self._tenant)
        request.request_id = used.request_id
        return self._client.create(request)

    def _cancel(self, _):
        return self._client.cancel(self._any("videoTasks"))

    def _delete(self, _):
        return self._client.delete(self._any(self._dice.choice(list(self._names))))

    def _get(self, _):
        return self._client.get(self._any(self._dice.choice(list(self._names))))

    def _list(self, _):
        return self._client.list_videos()

    def _providers(self, _):
        return self._client.list_providers()

    def _foreign(self, _):
        # A token of the other collection, or of no store.
        for token in (self._dice.randbytes(29), b"x"):
            watch_with_foreign_token(self._cluster, "videoTasks", token, self._tenant)


class Nemesis:
    """Kills and suspends gateways, fills their disks, sets their clocks, disconnects their database,
    and makes providers misbehave."""

    ACTS = {"kill": 2, "roll": 1, "crash": 3, "pause": 1, "step_clock": 2, "fault": 10,
            "refuse_replay": 1, "spend_credit": 1, "hide_new": 1, "heal": 3}
    # For a single gateway.
    ALONE = {"fill_disk": 1}
    # For several that share a database. A suspended or disconnected one may lose its leases.
    TOGETHER = {"roll_all": 0.5, "pause_long": 1, "cut_network": 1, "lose_packets": 1,
                "crash_database": 0.5, "end_database": 0.5}
    # Less than the time that a task waits for a provider.
    CLOCK_OFFSETS = (-300, -60, -5, 0, 5, 60, 300)
    # The clocks of several gateways agree to some seconds.
    CLOCK_OFFSETS_TOGETHER = (-2, -1, 0, 1, 2)

    def __init__(self, cluster, seed):
        self._cluster = cluster
        self._dice = random.Random(f"{seed}-nemesis")
        size = len(cluster.gateways)
        self._acts = {**self.ACTS, **(self.ALONE if size == 1 else self.TOGETHER)}
        self._clock_offsets = self.CLOCK_OFFSETS if size == 1 else self.CLOCK_OFFSETS_TOGETHER
        self._offsets = [0] * size
        # Whether the running program will kill itself.
        self._ahead = [False] * size
        # Temporary faults: by kind, (end, how to end it).
        self._passing = {}
        self.done = dict.fromkeys(self._acts, 0)
        # Defects apart from the history.
        self.faults = []

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            what = self._dice.choices(list(self._acts), self._acts.values())[0]
            self.done[what] += 1
            getattr(self, f"_{what}")()
            time.sleep(self._dice.uniform(0.1, 0.8))  # The pace of the faults.
            self._pass(time.monotonic())
            for slot in self._slots():
                if self._cluster.gateways[slot].process.poll() is not None:
                    self._restart(slot)
        self._pass(math.inf)
        self._cluster.simulator.heal()
        self._cluster.simulator.control("release", method="POST")
        # The program as it is shipped finishes the work, whatever ran before; a running process
        # without a crash ahead may also continue.
        for slot in self._slots():
            if self._ahead[slot] or self._dice.random() < 0.5:
                self._restart(slot, shipped=True)

    def _slots(self):
        """The gateways that are not suspended."""
        return [slot for slot in range(len(self._cluster.gateways))
                if ("pause", slot) not in self._passing]

    def _slot(self):
        return self._dice.choice(self._slots())

    def _for(self, what, shortest, longest, begin):
        """Starts a temporary fault unless it is active; `begin` returns how to end it."""
        seconds = self._dice.uniform(shortest, longest)
        if what not in self._passing:
            self._passing[what] = (time.monotonic() + seconds, begin())

    def _pass(self, now):
        for what, (when, end) in list(self._passing.items()):
            if when <= now:
                end()
                del self._passing[what]

    def _restart(self, slot, *arguments, shipped=None, signum=signal.SIGKILL):
        gateway = self._cluster.gateways[slot]
        alive = gateway.process.poll() is None
        code = self._cluster.end(signum, slot)
        if alive and signum == signal.SIGTERM and code not in (0, -signal.SIGKILL):
            self.faults.append(f"exit code {code} after SIGTERM: {gateway.text[-2000:]}")
        if code not in (0, -signal.SIGKILL) and signum == signal.SIGKILL:
            self.faults.append(f"it died with {code}: {gateway.text[-2000:]}")
        # A gateway does not start without its database; an orchestrator would retry.
        self._pass_on(("database",), ("network", slot))
        self._ahead[slot] = bool(arguments)
        if shipped is None:
            shipped = not arguments and self._dice.random() < 0.5
        if shipped:
            self._offsets[slot] = 0
            self._cluster.start(slot=slot)
        else:
            self._cluster.start(CrashingGateway, *arguments, slot=slot,
                                clock_offset=self._offsets[slot])

    def _pass_on(self, *these):
        for what in these:
            if what in self._passing:
                self._passing.pop(what)[1]()

    def _kill(self):
        self._restart(self._slot())

    def _roll(self):
        self._restart(self._slot(), signum=signal.SIGTERM)

    def _roll_all(self):
        for slot in self._slots():
            self._restart(slot, signum=signal.SIGTERM)

    def _crash(self):
        slot = self._slot()
        try:
            self._restart(slot, "--crash-at", self._dice.choice(POINTS), "--occurrence",
                          self._dice.randrange(1, 20))
        except AssertionError:
            # It reached that point before it served, with the work that it adopted.
            self._restart(slot, shipped=True)

    def _pause(self):
        self._stand_still(0.1, 1.5)

    def _pause_long(self):
        self._stand_still(self._cluster.database.LEASE_SECONDS, 10.0)

    def _stand_still(self, shortest, longest):
        if len(self._cluster.gateways) == 1:
            self._cluster.pause(self._dice.uniform(shortest, longest))
        elif len(self._slots()) > 1:  # At least one keeps running.
            slot = self._slot()
            self._for(("pause", slot), shortest, longest, lambda: self._cluster.hold(slot))

    def _step_clock(self):
        slot = self._slot()
        if not isinstance(self._cluster.gateways[slot], CrashingGateway):
            self._restart(slot, shipped=False)
        self._offsets[slot] = self._dice.choice(self._clock_offsets)
        try:
            self._cluster.step_clock(self._offsets[slot], slot)
        except (AssertionError, BrokenPipeError):
            # It has reached its crash point.
            if self._cluster.gateways[slot].process.poll() is None:
                raise

    def _fill_disk(self):
        # No file may grow beyond its first byte: for the store, the disk is full.
        pid = self._cluster.gateway.process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        time.sleep(self._dice.uniform(0.2, 1.0))  # The duration of the full disk.
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        except ProcessLookupError:
            pass  # It has reached its crash point.

    def _cut_network(self):
        self._disturb_network("cut")

    def _lose_packets(self):
        self._disturb_network("hold")

    def _disturb_network(self, how):
        slot = self._slot()

        def begin():
            proxy = self._cluster.database.proxies[slot]
            getattr(proxy, how)()

            def end():
                proxy.forward()
                self._cluster.disturb(how, slot)
            return end
        self._for(("network", slot), 0.5, 10.0, begin)

    def _crash_database(self):
        self._restart_database(signal.SIGQUIT)

    def _end_database(self):
        self._restart_database(signal.SIGINT)

    def _restart_database(self, signum):
        def begin():
            self._cluster.database.stop(signum)

            def end():
                self._cluster.database.start()
                self._cluster.disturb("database")
            return end
        self._for(("database",), 0.1, 4.0, begin)

    def _fault(self):
        dice = self._dice
        call, faults = dice.choice([
            ("video.create", SUBMISSION_FAULTS), ("video.create", SUBMISSION_FAULTS),
            ("asset.create", SUBMISSION_FAULTS), ("group.create", SUBMISSION_FAULTS),
            ("video.get", POLL_FAULTS), ("asset.get", POLL_FAULTS),
            ("asset.delete", POLL_FAULTS)])
        self._cluster.simulator.fail(dice.choice(list(programs.MODELS)), call, dice.choice(faults),
                                     times=dice.randrange(1, 4))

    def _refuse_replay(self):
        for fault in REFUSED_REPLAY:
            self._cluster.simulator.fail("apiframe", "video.create", fault, times=1)

    def _spend_credit(self):
        provider = self._dice.choice(list(programs.MODELS))

        def begin():
            self._cluster.simulator.control("credit", {"provider": provider, "videos": 0})
            return lambda: self._cluster.simulator.control(
                "credit", {"provider": provider, "videos": None})
        self._for(("credit", provider), 0.5, 3.0, begin)

    def _hide_new(self):
        """For a moment, polls do not find new tasks."""
        def begin():
            self._cluster.simulator.control("timing", {"unknown_delay": "500ms"})
            return lambda: self._cluster.simulator.control("timing", {"unknown_delay": "0s"})
        self._for(("timing",), 0.5, 3.0, begin)

    def _heal(self):
        self._cluster.simulator.heal()


def start_followers(cluster, seed, stop):
    """Readers of everything: fast, slow, and disconnected for most of the run; some with filters, some
    with names."""
    dice = random.Random(f"{seed}-readers")
    for tenant in TENANTS:
        client = Client(cluster, tenant=tenant)
        for request in (asset_request("named", ["kyy"], team="red", tenant=tenant),
                        video_request("named", "zerozero", team="red", tenant=tenant)):
            answer = client.create(request)
            if isinstance(answer, grpc.RpcError):
                raise AssertionError(f"nothing has gone wrong yet, and a create failed: {answer}")
    other = TENANTS[1]
    followers = [
        Follower(cluster, "assets", tenant=other), Follower(cluster, "videoTasks", tenant=other),
        Follower(cluster, "videoTasks", names=["videoTasks/named"], tenant=other),
        Follower(cluster, "assets", wanted={"labels": {"team": "red"}}, tenant=other)]
    for collection in ("assets", "videoTasks"):
        followers += [
            Follower(cluster, collection),
            Follower(cluster, collection,
                     pause=lambda: 0.0 if stop.is_set() else dice.uniform(0.0, 0.03)),
            Follower(cluster, collection, pause=lambda: 0.0 if stop.is_set() else 2.0),
            Follower(cluster, collection, names=[f"{collection}/named"]),
            Follower(cluster, collection, wanted={"labels": {"team": "red"}})]
    return followers + [
        Follower(cluster, "videoTasks", wanted={"states": ["QUEUED", "RUNNING"]}),
        Follower(cluster, "assets", wanted={"states": ["PROCESSING"], "labels": {"team": "blue"}})]


def run(seed, seconds, size=1):
    """One run with that many gateways; returns (violations, history, counts of traffic and faults)."""
    history = History()
    cluster = Cluster(history, FLAGS, size)
    stop = threading.Event()
    try:
        cluster.start_all()
        followers = start_followers(cluster, seed, stop)
        workers = [Worker(cluster, number, seed, stop) for number in range(WORKERS)]
        nemesis = Nemesis(cluster, seed)
        nemesis.run(seconds)
        stop.set()
        for worker in workers:
            worker.thread.join(2 * DEADLINE)
        person = random.Random(f"{seed}-person")
        found = rest_and_validate(cluster, followers, lambda: person.random() < 0.5)
        if nemesis.faults:
            found["ends"] = nemesis.faults
        entries = history.entries
        amount = dict(
            nemesis.done, calls=sum(e["kind"] == "call" for e in entries),
            events=sum(e["kind"] == "event" for e in entries),
            streams=sum(e["kind"] == "open" for e in entries),
            store_away=sum(e.get("reason") == "STORE_UNAVAILABLE" for e in entries),
            settled_by_person=sum(e.get("method") == "ResolveVideoTask" for e in entries),
            upstream=sum(e["kind"] == "upstream" for e in entries))
        return found, history, amount
    finally:
        stop.set()
        cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of traffic in all; default 1")
    parser.add_argument("--gateways", type=int, default=1,
                        help="1: with an embedded store; more: over one PostgreSQL; default 1")
    parser.add_argument("--seed", type=int, help="of the first round; default: a fresh one")
    parser.add_argument("--round", type=float, default=60.0,
                        help="seconds of traffic between two validations; default 60")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    left = 60 * options.minutes
    while left > 0:
        seconds = min(left, options.round)
        print(f"seed {seed}, {seconds:.0f} s", flush=True)
        found, history, amount = run(seed, seconds, options.gateways)
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
