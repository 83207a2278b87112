#!/usr/bin/env python3
"""The gateway is killed at every step of the journal, one by one: after a restart, all acknowledged
work exists, ends, and is paid for once. Run by CTest (see CMakeLists.txt)."""

import concurrent.futures
import os
import unittest

import grpc

import programs
from cluster import (Client, Cluster, CrashingGateway, Follower, asset_request, explain,
                     group_request, rest_and_validate, video_request)
from crash_points import POINTS
from history import TENANTS, History
from programs import DEADLINE, video_task_pb2, wait_for

FLAGS = ("--asset-delay", "150ms", "--queue-delay", "50ms", "--video-delay", "250ms")
# The first time, and a later time with more work in flight.
OCCURRENCES = (1, 3)


def work(client, done):
    """All that a caller can ask for, in an order in which each step has something to lose. What was
    answered is noted in `done`; run again after a crash, it repeats the rest with the same
    request ids."""
    def once(key, call):
        if key in done:
            return True
        answer = call()
        if isinstance(answer, grpc.RpcError) or isinstance(answer, ValueError):
            if isinstance(answer, ValueError) or answer.code() in (
                    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED,
                    grpc.StatusCode.UNKNOWN):
                return False
            # In a repetition, a resource may be deleted, final or busy, so these calls may fail.
            if key[0] not in ("cancel", "delete"):
                raise AssertionError(f"{key}: {answer}")
        done.add(key)
        return True

    simulator = client.cluster.simulator
    neighbour = Client(client.cluster, tenant=TENANTS[1])

    def create(kind, identity, *what, **more):
        return (("create", identity), lambda: client.create(kind(identity, *what, **more)))

    steps = [
        # Another tenant uses the same names and request_ids.
        (("create", "other hero"), lambda: neighbour.create(
            asset_request("hero", ["kyy"], tenant=TENANTS[1]))),
        (("create", "other video"), lambda: neighbour.create(
            video_request("of-kyy", "kyy", max_wait=0.2, tenant=TENANTS[1]))),
        create(group_request, "cast", ["zerozero", "octopusx"]),
        create(asset_request, "hero", ["zerozero", "kyy"], group="cast"),
        # Placed at no provider until a video needs it.
        create(asset_request, "friend", []),
        *(create(video_request, f"of-{provider}", provider, max_wait=0.2)
          for provider in programs.MODELS),
        create(video_request, "with-hero", "kyy", asset="hero"),
        create(video_request, "with-friend", "apiframe", asset="friend"),
        create(video_request, "anywhere", None),
        # octopusx accepts nothing, so its tasks can still be cancelled.
        (("fault", "busy"), lambda: simulator.fail(
            "octopusx", "video.create", {"kind": "status", "status": 429, "retry_after": 1})),
    ]
    unwanted = [f"unwanted-{number}" for number in range(3)]
    spare = [f"spare-{number}" for number in range(3)]
    for identity in unwanted:
        steps.append(create(video_request, identity, "octopusx", max_wait=0.2))
        steps.append((("cancel", identity),
                      lambda identity=identity: client.cancel(f"videoTasks/{identity}")))
    steps += [
        (("fault", "over"), simulator.heal),
        (("delete", "unwanted-0"), lambda: client.delete("videoTasks/unwanted-0")),
        (("settled", "of-kyy"), lambda: _settle(client, "videoTasks/of-kyy")),
        (("delete", "of-kyy"), lambda: client.delete("videoTasks/of-kyy")),
    ]
    for identity in spare:
        steps.append(create(asset_request, identity, ["kyy"]))
        steps.append((("delete", identity),
                      lambda identity=identity: client.delete(f"assets/{identity}")))
    return all(once(key, call) for key, call in steps)


def _settle(client, name):
    task = None

    def ended():
        nonlocal task
        task = client.get(name)
        if isinstance(task, (grpc.RpcError, ValueError)):
            return True
        # It varies which one was in flight at the crash; that one waits for an operator.
        return (client.cluster.gateway.process.poll() is not None or task.HasField("end_time") or
                task.state == video_task_pb2.VideoTask.UNCONFIRMED)
    wait_for(ended, f"the end of {name}")
    return task


def crash_once(point, occurrence):
    """One run: work, crash, restart, remaining work. Returns the violations of the guarantees."""
    history = History()
    cluster = Cluster(history, FLAGS)
    try:
        gateway = cluster.start(CrashingGateway, "--crash-at", point, "--occurrence", occurrence)
        client = Client(cluster)
        followers = [Follower(cluster, collection, tenant=tenant)
                     for tenant in TENANTS for collection in ("assets", "videoTasks")]
        done = set()
        work(client, done)
        # Some steps happen while the work is in flight.
        try:
            wait_for(lambda: gateway.process.poll() is not None, f"a crash at {point}", 20)
        except AssertionError:
            return {"reached": [f"{point} was not reached {occurrence} times"]}, history
        if gateway.process.returncode != -9:
            return {"crash": [f"{point}: exit code {gateway.process.returncode}\n"
                              f"{gateway.text[-2000:]}"]}, history
        cluster.end()
        cluster.start()
        if not work(client, done):
            return {"restart": [f"{point}: a call failed after the restart"]}, history
        return rest_and_validate(cluster, followers), history
    finally:
        cluster.close()


class CrashPointTest(unittest.TestCase):
    """One test for each step. The runs are concurrent: they mostly wait for providers."""

    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "4")))
        cls.runs = {(point, occurrence): cls.pool.submit(crash_once, point, occurrence)
                    for point in POINTS for occurrence in OCCURRENCES}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown(cancel_futures=True)

    def check(self, point):
        for occurrence in OCCURRENCES:
            with self.subTest(occurrence=occurrence):
                found, history = self.runs[point, occurrence].result(8 * DEADLINE)
                if found:
                    self.fail(explain(found, history))


def _add_tests():
    for point in POINTS:
        def test(self, point=point):
            self.check(point)
        moment, what = reversed(point.split(":"))
        test.__name__ = f"test_nothing_is_lost_or_bought_twice_by_a_kill_at_{what}_{moment}"
        setattr(CrashPointTest, test.__name__, test)


_add_tests()

if __name__ == "__main__":
    unittest.main()
