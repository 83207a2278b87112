#!/usr/bin/env python3
"""Several gateways over one PostgreSQL, one fault at a time, and the guarantees to callers under
it. Run by CTest."""

import signal
import threading
import time
import unittest

import grpc

from cluster import (Client, Cluster, CrashingGateway, Follower, asset_request, explain,
                     rest_and_validate, video_request)
from history import TENANTS, History, mark_of
from programs import (DEADLINE, MODELS, detail_of, error_details_pb2, reason_of,
                      video_task_pb2, wait_for)

FLAGS = ("--asset-delay", "150ms", "--queue-delay", "50ms", "--video-delay", "250ms")
GATEWAYS = 3
DAY = 24 * 3600
VideoTask = video_task_pb2.VideoTask


class GuaranteeTest(unittest.TestCase):
    """Each test ends with a check of the guarantees against its history."""

    GATEWAYS = GATEWAYS
    STANDBY = False

    def setUp(self):
        self.history = History()
        self.cluster = Cluster(self.history, FLAGS, self.GATEWAYS, standby=self.STANDBY)
        self.addCleanup(self.cluster.close)
        self.simulator = self.cluster.simulator
        self.lease = self.cluster.database.LEASE_SECONDS
        self.cluster.start_all()
        self.clients = [Client(self.cluster, slot) for slot in range(self.GATEWAYS)]
        self.followers = [Follower(self.cluster, collection, slot=slot)
                          for slot in range(self.GATEWAYS)
                          for collection in ("assets", "videoTasks")]
        # Another tenant has work as well, and watches.
        self.followers += [Follower(self.cluster, collection, tenant=TENANTS[1])
                           for collection in ("assets", "videoTasks")]
        neighbour = Client(self.cluster, tenant=TENANTS[1])
        neighbour.create(asset_request("before", ["zerozero"], tenant=TENANTS[1]))
        neighbour.create(video_request("before", "zerozero", tenant=TENANTS[1]))
        # Each gateway has its share of the work.
        wait_for(lambda: len(self.shares()) == self.GATEWAYS, "a share for each")

    def shares(self):
        """The number of shards that each running gateway holds."""
        return [int(count) for (count,) in self.cluster.database.query(
            "SELECT count(*) FROM assetgate.shards WHERE expires_at > now() GROUP BY owner")]

    def rest(self):
        found = rest_and_validate(self.cluster, self.followers)
        if found:
            self.fail(explain(found, self.history))

    def create(self, slot, *what, **more):
        made = self.clients[slot].create(video_request(*what, **more))
        if isinstance(made, (grpc.RpcError, ValueError)):
            raise AssertionError(f"{what}: {made}")
        return made

    def await_state(self, name, *states, slot=0):
        names = [VideoTask.State.Name(state) for state in states]

        def there():
            task = self.clients[slot].get(name)
            return task if getattr(task, "state", None) in states else None
        return wait_for(there, f"{name} is one of {names}")

    def sent(self, provider):
        """The requests to a provider for the first tenant."""
        return [request for request in self.simulator.requests(provider, "video.create")
                if mark_of(request["body"]).startswith(f"mark.{TENANTS[0]}-")]

    def streams_of(self, slot):
        """The number of streams opened by the readers that began at a gateway."""
        readers = {follower.reader for follower in self.followers[2 * slot:2 * slot + 2]}
        return sum(entry["kind"] == "open" and entry["reader"] in readers
                   for entry in self.history.entries)


class ReplicasTest(GuaranteeTest):
    # --- Gateways

    def test_a_resource_of_one_gateway_is_shown_by_all(self):
        for slot, provider in enumerate(list(MODELS)[:GATEWAYS]):
            made = self.create(slot, f"of-{slot}", provider)
            for client in self.clients:
                self.assertGreaterEqual(client.get(made.name).revision, made.revision)
        self.rest()
        for provider in list(MODELS)[:GATEWAYS]:
            self.assertEqual(len(self.sent(provider)), 1)

    def test_the_others_take_over_the_work_of_a_killed_gateway(self):
        self.simulator.control("timing", {"video_delay": "2s"})
        for provider in MODELS:
            self.create(0, f"left-{provider}", provider)
        self.clients[0].create(asset_request("left", ["kyy", "zerozero"]))
        self.cluster.end(slot=0)
        begin = time.monotonic()
        for provider in MODELS:
            self.await_state(f"videoTasks/left-{provider}", VideoTask.SUCCEEDED, slot=1)
        # A lease, and the wait for the next poll of a unit; not minutes.
        self.assertLess(time.monotonic() - begin, self.lease + 15)
        self.cluster.start(slot=0)
        self.rest()
        for provider in MODELS:
            self.assertEqual(len(self.sent(provider)), 1)

    def test_an_orderly_shutdown_releases_the_work_at_once(self):
        self.simulator.control("timing", {"video_delay": "1s"})
        self.create(0, "given", "kyy")
        self.assertEqual(self.cluster.end(signal.SIGTERM, slot=0), 0)
        # No lease has to expire first.
        wait_for(lambda: sum(self.shares()) == 256, "all shards with the other two", self.lease)
        self.await_state("videoTasks/given", VideoTask.SUCCEEDED, slot=1)
        self.cluster.start(slot=0)
        self.rest()
        self.assertEqual(len(self.sent("kyy")), 1)

    def check_pause_with_an_answer(self, provider, meanwhile):
        """A gateway is suspended for longer than its lease while a provider's answer waits for it;
        its successor takes over the task."""
        self.simulator.control("timing", {"latency": "1s"})
        self.create(0, "held", provider, max_wait=0.0)
        wait_for(lambda: self.sent(provider), "the submission at the provider")
        go_on = self.cluster.hold(0)
        # Once the answer can no longer arrive.
        self.await_state("videoTasks/held", meanwhile, slot=1)
        go_on()
        self.await_state("videoTasks/held", VideoTask.SUCCEEDED, slot=1)
        self.rest()

    def test_an_answer_that_a_gateway_reads_after_its_lease_is_used(self):
        self.check_pause_with_an_answer("octopusx", VideoTask.UNCONFIRMED)
        self.assertEqual(len(self.sent("octopusx")), 1)

    def test_a_submission_repeated_for_a_suspended_gateway_buys_nothing_twice(self):
        self.check_pause_with_an_answer("apiframe", VideoTask.SUCCEEDED)
        videos = [video["id"] for video in self.simulator.control("state")["apiframe"]["videos"]]
        self.assertEqual(len(videos), 1)

    def test_a_gateway_whose_clock_is_days_ahead_removes_nothing(self):
        request = video_request("kept", "kyy", named=False)
        first = self.clients[0].create(request)
        self.cluster.end(slot=2)
        self.cluster.start(CrashingGateway, slot=2, clock_offset=8 * DAY)
        wait_for(lambda: len(self.shares()) == GATEWAYS, "a share for each")
        self.create(2, "ahead", "zerozero")
        self.await_state("videoTasks/ahead", VideoTask.SUCCEEDED)
        # Its request_id is still known, and readers resume (`resumable`).
        self.assertEqual(self.clients[0].create(request).name, first.name)
        self.cluster.end(slot=2)
        self.cluster.start(slot=2)
        self.rest()
        self.assertEqual(len(self.sent("kyy")), 1)

    def test_duplicates_in_flight_at_different_gateways_get_one_answer(self):
        self.simulator.control("timing", {"latency": "300ms"})
        request = video_request("once", "octopusx", max_wait=5.0, named=False)
        answers = []
        callers = [threading.Thread(target=lambda client=client: answers.append(
            client.create(request))) for client in self.clients for _ in range(2)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(DEADLINE)
        self.assertEqual(len(answers), len(callers))
        self.assertEqual(len({task.name for task in answers}), 1, answers)
        self.rest()
        self.assertEqual(len(self.sent("octopusx")), 1)

    def test_a_rolling_restart_fails_no_retried_call_and_resends_nothing(self):
        # Readers resume elsewhere with their tokens (`resumable`, `unique`); callers try again, as
        # gRPC's retries do.
        stop = threading.Event()
        refused = []

        def call(slot):
            client = Client(self.cluster, slot)
            number = 0
            while not stop.is_set():
                number += 1
                request = video_request(f"roll-{slot}-{number}", "kyy", max_wait=0.2)
                answer = client.create(request)
                for _ in range(4):
                    if not isinstance(answer, (grpc.RpcError, ValueError)):
                        break
                    answer = client.create(request)
                else:
                    refused.append(answer)
        callers = [threading.Thread(target=call, args=(slot,)) for slot in range(GATEWAYS)]
        for caller in callers:
            caller.start()
        for slot in range(GATEWAYS):
            self.assertEqual(self.cluster.end(signal.SIGTERM, slot), 0)
            self.cluster.start(slot=slot)
        stop.set()
        for caller in callers:
            caller.join(DEADLINE)
        self.assertEqual(refused, [])
        self.rest()

    # --- The database

    def test_a_crash_of_the_database_ends_no_stream_and_loses_nothing(self):
        self.simulator.control("timing", {"latency": "500ms"})
        self.create(0, "before", "zerozero", max_wait=0.0)
        wait_for(lambda: self.sent("zerozero"), "the submission at the provider")
        opened = [self.streams_of(slot) for slot in range(GATEWAYS)]
        # The answer comes half a second later, and cannot be committed.
        self.cluster.database.stop()

        def refused():
            answer = self.clients[1].create(video_request("refused", "kyy"))
            return answer if reason_of(answer) == "STORE_UNAVAILABLE" else None
        error = wait_for(refused, "a refusal by the store")
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertGreater(
            detail_of(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds(), 0)
        for gateway in self.cluster.gateways:
            wait_for(lambda gateway=gateway: "degraded" in gateway.page("/readyz"),
                     "readiness that says that the database is away")
        self.cluster.gateways[0].wait_line(lambda line: "not committed" in line)
        self.cluster.database.start()
        self.cluster.disturb("database")
        task = self.await_state("videoTasks/before", VideoTask.SUCCEEDED)
        self.assertEqual(len(task.attempts), 1)
        wait_for(lambda: self.clients[1].create(video_request("refused", "kyy")).name,
                 "a database that takes writes again")
        self.rest()
        self.assertEqual([self.streams_of(slot) for slot in range(GATEWAYS)], opened)
        self.assertEqual(len(self.sent("zerozero")), 1)
        self.assertEqual(len(self.sent("kyy")), 1)

    def check_network(self, how):
        """One gateway loses its database for longer than its leases; the others keep it."""
        self.simulator.control("timing", {"video_delay": "2s"})
        self.create(0, "cut", "kyy")
        opened = self.streams_of(0)
        proxy = self.cluster.database.proxies[0]
        getattr(proxy, how)()
        self.await_state("videoTasks/cut", VideoTask.SUCCEEDED, slot=1)
        self.create(1, "meanwhile", "zerozero")
        # A call that needs the database fails.
        refused = self.clients[0].create(video_request("unheard", "kyy"))
        self.assertEqual(reason_of(refused), "STORE_UNAVAILABLE")
        self.assertIn("degraded", self.cluster.gateways[0].page("/readyz"))
        proxy.forward()
        self.cluster.disturb(how, 0)
        self.rest()
        self.assertEqual(self.streams_of(0), opened, "its streams stayed open, and caught up")
        self.assertEqual(len(self.sent("kyy")), 1)

    def test_a_disconnected_gateway_catches_up(self):
        self.check_network("cut")

    def test_a_gateway_whose_packets_are_lost_catches_up(self):
        self.check_network("hold")


class StandbyTest(GuaranteeTest):
    """Acknowledged work is on two servers."""

    GATEWAYS = 2
    STANDBY = True

    def test_nothing_is_acknowledged_before_the_standby_has_it(self):
        database = self.cluster.database
        self.create(0, "before", "kyy")
        database.standby.stop()
        told = self.clients[0].create(video_request("alone", "kyy", max_wait=0.0))
        self.cluster.disturb("standby")
        self.assertIsInstance(told, grpc.RpcError, told)
        self.assertEqual(reason_of(told), "COMMIT_UNKNOWN", told)
        # It could be lost with the first server, so it is not sent yet.
        self.assertEqual(len(self.sent("kyy")), 1)
        database.standby.start()
        database.await_standby()
        # It was committed nevertheless, and is followed without another request.
        wait_for(lambda: not isinstance(self.clients[0].get("videoTasks/alone"), grpc.RpcError),
                 "the row of the commit")
        self.await_state("videoTasks/alone", VideoTask.SUCCEEDED, VideoTask.UNCONFIRMED)
        self.rest()

    def test_a_failover_loses_no_acknowledged_work(self):
        self.simulator.control("timing", {"video_delay": "2s"})
        for provider in MODELS:
            self.create(0, f"running-{provider}", provider)
        self.clients[1].create(asset_request("running", ["kyy", "zerozero"]))
        self.cluster.database.fail_over()
        self.cluster.disturb("failover")
        wait_for(lambda: not isinstance(self.clients[1].create(video_request("after", "kyy")),
                                        (grpc.RpcError, ValueError)), "a store that takes writes")
        for provider in MODELS:
            self.await_state(f"videoTasks/running-{provider}", VideoTask.SUCCEEDED, slot=1)
        self.rest()
        for provider in MODELS:
            self.assertEqual(len(self.sent(provider)), 1 + (provider == "kyy"))


if __name__ == "__main__":
    unittest.main()
