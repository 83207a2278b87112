#!/usr/bin/env python3
"""One fault at a time, and the guarantees to callers under it. Run by CTest."""

import resource
import signal
import threading
import time
import unittest

import grpc

import programs
from cluster import (LIMITS, Client, Cluster, CrashingGateway, Follower, asset_request, explain,
                     rest_and_validate, video_request)
from history import TENANTS, History, mark_for, mark_of
from programs import DEADLINE, common_pb2, reason_of, video_task_pb2, wait_for

FLAGS = ("--asset-delay", "150ms", "--queue-delay", "50ms", "--video-delay", "250ms")
HOUR = 3600
DAY = 24 * HOUR
# Answers that leave open whether the work was done.
UNSAID = [
    {"kind": "status", "status": 303},
    {"kind": "status", "status": 302},
    {"kind": "status", "status": 200, "body": '{"code":504,"msg":"Read timed out","data":null}'},
    {"kind": "status", "status": 200,
     "body": '{"code":"do_request_failed","message":"do request failed","data":null}'},
    {"kind": "edge", "status": 524},
    {"kind": "edge", "status": 520},
    {"kind": "edge", "status": 502},
    {"kind": "edge", "status": 504, "server": "nginx"},
]
# Answers which say that no server did the work.
NOT_DONE = [
    {"kind": "edge", "status": 521},
    {"kind": "edge", "status": 526},
    {"kind": "edge", "status": 403},
    {"kind": "edge", "status": 429},
]
# "Accepted", in the envelopes of other providers of the same software.
DRESSES = [
    {"code": 0, "message": "ok", "data": "$payload"},
    {"code": 200, "data": ["$payload"]},
    {"code": "success", "data": "$id"},
    {"...": "$answer", "error": {"code": 0, "message": ""}},
]


class GuaranteeTest(unittest.TestCase):
    """Each test ends with a check of the guarantees against its history."""

    LIMITS = LIMITS

    def setUp(self):
        self.history = History()
        self.cluster = Cluster(self.history, FLAGS, limits=self.LIMITS)
        self.addCleanup(self.cluster.close)
        self.simulator = self.cluster.simulator
        self.client = Client(self.cluster)
        self.neighbour = Client(self.cluster, tenant=TENANTS[1])

    def serve(self, kind=programs.Gateway):
        gateway = self.cluster.start(kind)
        self.followers = [Follower(self.cluster, collection, tenant=tenant)
                          for tenant in TENANTS for collection in ("assets", "videoTasks")]
        # Another tenant has work as well.
        self.neighbour.create(asset_request("before", ["zerozero"], tenant=TENANTS[1]))
        self.neighbour.create(video_request("before", "zerozero", tenant=TENANTS[1]))
        return gateway

    def rest(self):
        found = rest_and_validate(self.cluster, self.followers)
        if found:
            self.fail(explain(found, self.history))

    def create(self, *what, **more):
        made = self.client.create(video_request(*what, **more))
        if isinstance(made, (grpc.RpcError, ValueError)):
            raise AssertionError(f"{what}: {made}")
        return made

    def await_state(self, name, *states):
        names = [video_task_pb2.VideoTask.State.Name(state) for state in states]

        def there():
            task = self.client.get(name)
            return task if task.state in states else None
        return wait_for(there, f"{name} is one of {names}")

    def await_waiting(self, name):
        """Waits until a task has a reason to wait, and returns it."""
        reason = wait_for(lambda: self.client.get(name).waiting.reason or None,
                          "a reason for waiting")
        return common_pb2.Waiting.Reason.Name(reason)

    def sent(self, provider, identity=""):
        """The requests to a provider for the first tenant, of all tasks or of one."""
        wanted = mark_for(identity)
        return [request for request in self.simulator.requests(provider, "video.create")
                if mark_of(request["body"]) == wanted or
                not identity and mark_of(request["body"]).startswith(wanted)]


class FaultTest(GuaranteeTest):
    # --- The clock

    def check_clock(self, offset):
        """The clock is set while work of all kinds is in flight: old and new work continues."""
        gateway = self.serve(CrashingGateway)
        self.simulator.control("timing", {"video_delay": "2s", "asset_delay": "2s"})
        for provider in programs.MODELS:
            self.create(f"before-{provider}", provider)
        self.client.create(asset_request("before", ["zerozero", "kyy"]))
        self.create("waits", "kyy", asset="before")
        self.simulator.fail("octopusx", "video.create",
                            {"kind": "status", "status": 429, "retry_after": 1}, times=1)
        self.create("limited", "octopusx")
        self.cluster.step_clock(offset)
        begin = time.monotonic()
        for provider in programs.MODELS:
            self.create(f"after-{provider}", provider)
        self.rest()
        # Long enough for what the gateway repeats every minute, too short for waits of hours.
        self.assertLess(time.monotonic() - begin, 90)
        self.assertIsNone(gateway.process.poll())

    def test_work_continues_when_the_clock_is_set_back(self):
        self.check_clock(-2 * HOUR)

    def test_work_continues_when_the_clock_is_set_forward(self):
        self.check_clock(300)

    def test_a_clock_that_is_days_ahead_for_a_moment_ends_no_work(self):
        self.serve(CrashingGateway)
        self.simulator.control("timing", {"video_delay": "3s"})
        for provider in programs.MODELS:
            self.create(f"running-{provider}", provider)
        self.cluster.step_clock(8 * DAY)
        # The gateway evaluates work meanwhile.
        self.create("meanwhile", "kyy")
        self.cluster.step_clock(0)
        for provider in programs.MODELS:
            self.await_state(f"videoTasks/running-{provider}", video_task_pb2.VideoTask.SUCCEEDED)
        # Its request_id is still known.
        again = self.client.create(video_request("running-kyy", "kyy", max_wait=0.0))
        self.assertEqual(again.name, "videoTasks/running-kyy")
        self.rest()
        self.assertEqual(len(self.sent("kyy", "running-kyy")), 1)

    # --- The disk

    def fill_disk(self):
        # No file may grow beyond its first byte, not even for root.
        pid = self.cluster.gateway.process.pid
        self.hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, self.hard))

    def clear_disk(self):
        resource.prlimit(self.cluster.gateway.process.pid, resource.RLIMIT_FSIZE,
                         (self.hard, self.hard))

    def test_a_full_disk_refuses_creates_and_stores_none(self):
        self.serve()
        self.create("before", "kyy")
        self.fill_disk()
        refused = self.client.create(video_request("refused", "kyy"))
        self.assertEqual(refused.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(reason_of(refused), "STORE_UNAVAILABLE")
        self.assertEqual(self.client.get("videoTasks/before").prompt, mark_for("before"))
        self.assertIn("degraded", self.cluster.gateway.page("/readyz"))
        self.clear_disk()
        # The request_id is free.
        wait_for(lambda: not isinstance(self.client.create(video_request("refused", "kyy")),
                                        grpc.RpcError), "a disk with room again")
        self.rest()
        self.assertEqual(len(self.sent("kyy")), 2)

    def test_an_answer_that_arrives_while_the_disk_is_full_is_committed_later(self):
        self.serve()
        self.simulator.control("timing", {"latency": "500ms"})
        self.create("answered", "zerozero", max_wait=0.0)
        wait_for(lambda: self.sent("zerozero"), "the submission at the provider")
        # The answer comes half a second later, and cannot be committed.
        self.fill_disk()
        self.cluster.gateway.wait_line(lambda line: "not committed" in line)
        self.clear_disk()
        self.await_state("videoTasks/answered", video_task_pb2.VideoTask.SUCCEEDED)
        self.rest()
        self.assertEqual(len(self.sent("zerozero")), 1)

    # --- Providers that do the work without a clear answer

    def check_unsaid(self, fault, provider):
        self.serve()
        self.simulator.fail(provider, "video.create", {**fault, "after_work": True}, times=1)
        self.create("unsaid", provider, max_wait=5.0)
        if provider in programs.WITH_IDEMPOTENCY_KEY:
            # Its idempotency key identifies it.
            self.await_state("videoTasks/unsaid", video_task_pb2.VideoTask.SUCCEEDED)
            self.assertEqual(len(self.sent(provider)), 2)
        else:
            task = self.await_state("videoTasks/unsaid", video_task_pb2.VideoTask.UNCONFIRMED)
            self.assertEqual(task.waiting.reason, common_pb2.Waiting.NEEDS_OPERATOR)
            # Nor after a restart.
            self.cluster.end()
            self.cluster.start()
            self.await_state("videoTasks/unsaid", video_task_pb2.VideoTask.UNCONFIRMED)
            self.assertEqual(len(self.sent(provider)), 1)
        self.rest()
        self.await_state("videoTasks/unsaid", video_task_pb2.VideoTask.SUCCEEDED)

    def test_a_cut_connection_buys_nothing_twice_without_a_key(self):
        self.check_unsaid({"kind": "reset"}, "zerozero")

    def test_a_cut_connection_is_sent_again_with_a_key(self):
        self.check_unsaid({"kind": "reset"}, "apiframe")

    def test_silence_buys_nothing_twice_without_a_key(self):
        self.check_unsaid({"kind": "hang", "duration": "60s"}, "kyy")

    def test_silence_is_sent_again_with_a_key(self):
        self.check_unsaid({"kind": "hang", "duration": "60s"}, "apiframe")

    def test_an_ambiguous_answer_buys_nothing_twice(self):
        self.serve()
        for provider in programs.MODELS:
            for number, fault in enumerate(UNSAID):
                identity = f"open-{provider}-{number}"
                self.simulator.fail(provider, "video.create", {**fault, "after_work": True}, times=1)
                self.create(identity, provider, max_wait=5.0)
                if provider in programs.WITH_IDEMPOTENCY_KEY:
                    self.await_state(f"videoTasks/{identity}", video_task_pb2.VideoTask.SUCCEEDED)
                    continue
                with self.subTest(provider=provider, **fault):
                    self.await_state(f"videoTasks/{identity}", video_task_pb2.VideoTask.UNCONFIRMED)
                    self.assertEqual(len(self.sent(provider, identity)), 1)
        self.rest()

    def test_a_refused_replay_does_not_decide_about_the_first_send(self):
        self.serve()
        self.simulator.fail("apiframe", "video.create",
                            {"kind": "status", "status": 502, "after_work": True}, times=1)
        self.simulator.fail("apiframe", "video.create", {"kind": "status", "status": 400}, times=1)
        # The creator waits, and gets no answer that denies the work.
        self.create("made", "apiframe", max_wait=5.0)
        self.rest()
        self.await_state("videoTasks/made", video_task_pb2.VideoTask.SUCCEEDED)

    def test_a_submission_that_no_server_took_is_sent_again(self):
        self.serve()
        for number, fault in enumerate(NOT_DONE):
            self.simulator.fail("zerozero", "video.create", fault, times=1)
            self.create(f"again-{number}", "zerozero", max_wait=0.0)
            with self.subTest(**fault):
                self.await_state(f"videoTasks/again-{number}", video_task_pb2.VideoTask.SUCCEEDED)
                self.assertEqual(len(self.sent("zerozero", f"again-{number}")), 2)
        self.rest()

    def test_a_redirected_submission_is_sent_again_after_a_restart(self):
        self.serve()
        self.simulator.fail("zerozero", "video.create", {"kind": "status", "status": 307}, times=1)
        self.create("moved", "zerozero", max_wait=0.0)
        self.assertEqual(self.await_waiting("videoTasks/moved"), "PROVIDER_UNAVAILABLE")
        # Only an operator can mend it, so the gateway waits for a minute.
        self.assertEqual(len(self.sent("zerozero", "moved")), 1)
        self.cluster.end(signal.SIGTERM)
        self.cluster.start()
        self.await_state("videoTasks/moved", video_task_pb2.VideoTask.SUCCEEDED)
        self.assertEqual(len(self.sent("zerozero", "moved")), 2)
        self.rest()

    def test_a_block_by_an_edge_does_not_reject_the_key(self):
        self.serve()
        self.simulator.fail("kyy", "video.create", {"kind": "edge", "status": 403})
        self.create("blocked", "kyy", max_wait=0.0)
        self.assertEqual(self.await_waiting("videoTasks/blocked"), "PROVIDER_UNAVAILABLE")
        self.simulator.heal()
        self.rest()
        self.await_state("videoTasks/blocked", video_task_pb2.VideoTask.SUCCEEDED)

    def test_success_in_another_envelope_is_success(self):
        self.serve()
        for provider in programs.MODELS:
            for number, form in enumerate(DRESSES):
                identity = f"dressed-{provider}-{number}"
                self.simulator.fail(provider, "video.create", {"kind": "dress", "template": form},
                                    times=1)
                with self.subTest(provider=provider, template=form):
                    self.create(identity, provider, max_wait=5.0)
                    self.await_state(f"videoTasks/{identity}", video_task_pb2.VideoTask.SUCCEEDED)
                    self.assertEqual(len(self.sent(provider, identity)), 1)
        self.rest()

    # --- The store

    def test_a_commit_of_unknown_outcome_is_not_denied_and_is_followed(self):
        gateway = self.serve(CrashingGateway)
        gateway.hold_commit()
        told = self.client.create(video_request("late", "kyy", max_wait=0.0))
        self.assertIsInstance(told, grpc.RpcError)
        # It does not claim that nothing changed.
        self.assertEqual(reason_of(told), "COMMIT_UNKNOWN", told)
        gateway.release_commits()
        wait_for(lambda: not isinstance(self.client.get("videoTasks/late"), grpc.RpcError),
                 "the row of the commit")
        # No caller repeats the request.
        self.await_state("videoTasks/late", video_task_pb2.VideoTask.SUCCEEDED,
                         video_task_pb2.VideoTask.UNCONFIRMED)
        again = self.client.create(video_request("late", "kyy", max_wait=0.0))
        self.assertEqual(again.name, "videoTasks/late")
        self.rest()
        self.assertLessEqual(len(self.sent("kyy", "late")), 1)

    # --- Keys and accounts

    def test_a_key_replaced_in_place_repeats_nothing_in_another_account(self):
        gateway = self.serve()
        self.simulator.fail("apiframe", "video.create",
                            {"kind": "status", "status": 502, "after_work": True}, times=1)
        # No repetition succeeds before the key is replaced by another account's.
        self.simulator.fail("apiframe", "video.create", {"kind": "reset"})
        self.create("doubtful", "apiframe", max_wait=0.0)
        wait_for(lambda: self.sent("apiframe", "doubtful"), "the submission")
        before = len(gateway.lines)
        self.cluster.switch_account("apiframe", "account-2")
        wait_for(lambda: any("config reloaded" in line for line in gateway.lines[before:]),
                 "the other key")
        self.simulator.heal()
        wait_for(lambda: self.client.get("videoTasks/doubtful").waiting.reason ==
                 common_pb2.Waiting.NEEDS_OPERATOR, "a task that waits for a person")
        self.assertEqual(len([video for video in self.simulator.control("state")["apiframe"]["videos"]
                              if video["account"] == "account-2"]), 0)
        # The operator restores the right key.
        self.cluster.switch_account("apiframe", "account-1")
        self.rest()
        self.await_state("videoTasks/doubtful", video_task_pb2.VideoTask.SUCCEEDED)

    def test_a_providers_text_about_one_tenants_request_reaches_no_other_tenant(self):
        self.serve()
        for provider in programs.MODELS:
            for status in (400, 500):
                self.simulator.fail(provider, "video.create", {
                    "kind": "status", "status": status, "message": "bad", "echo": True}, times=1)
                self.client.create(video_request(f"echo-{provider}-{status}", provider,
                                                 max_wait=1.0))
            for client in (self.client, self.neighbour):
                client.list_providers()
        self.rest()

    # --- The process

    def test_a_kill_while_the_provider_holds_the_answer_buys_nothing_twice(self):
        self.serve()
        for provider in ("octopusx", "apiframe"):
            self.simulator.fail(provider, "video.create",
                                {"kind": "hang", "duration": "60s", "after_work": True}, times=1)
            self.create(f"held-{provider}", provider, max_wait=0.0)
            wait_for(lambda provider=provider: self.sent(provider), "the submission")
        self.cluster.end()
        self.simulator.control("release", method="POST")
        self.cluster.start()
        self.await_state("videoTasks/held-octopusx", video_task_pb2.VideoTask.UNCONFIRMED)
        self.await_state("videoTasks/held-apiframe", video_task_pb2.VideoTask.SUCCEEDED)
        self.assertEqual(len(self.sent("octopusx")), 1)
        self.rest()

    def test_duplicates_in_flight_get_the_answer_of_the_first_even_after_a_kill(self):
        self.serve()
        self.simulator.control("timing", {"latency": "300ms"})
        request = video_request("once", "octopusx", max_wait=5.0, named=False)

        def ask_at_once():
            answers = []
            callers = [threading.Thread(
                target=lambda: answers.append(Client(self.cluster).create(request)))
                for _ in range(5)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(DEADLINE)
            return answers

        first = ask_at_once()
        self.assertEqual(len({task.name for task in first}), 1, first)
        self.cluster.end(signal.SIGKILL)
        self.cluster.start()
        again = ask_at_once()
        self.assertEqual({task.name for task in again}, {first[0].name})
        self.rest()
        self.assertEqual(len(self.sent("octopusx")), 1)

    def test_a_suspended_process_resumes_its_work(self):
        self.serve()
        for provider in programs.MODELS:
            self.create(f"slept-{provider}", provider, max_wait=0.0)
        # Longer than the timeout for a provider: a call in flight may have been carried out.
        self.cluster.pause(3.0)
        self.rest()

    def test_an_orderly_shutdown_leaves_nothing_in_doubt(self):
        self.serve()
        self.simulator.control("timing", {"latency": "200ms"})
        for provider in programs.MODELS:
            self.create(f"ended-{provider}", provider, max_wait=0.0)
        self.assertEqual(self.cluster.end(signal.SIGTERM), 0)
        self.cluster.start()
        for provider in programs.MODELS:
            self.await_state(f"videoTasks/ended-{provider}", video_task_pb2.VideoTask.SUCCEEDED)
            self.assertEqual(len(self.sent(provider)), 1)
        self.rest()


class StarvationTest(GuaranteeTest):
    """A provider with a small budget and a long queue: the gateway still polls the tasks that run
    there."""

    LIMITS = "limits: {requests_per_second: 10, max_in_flight: 8}"
    # Seconds in which each of 105 units is polled, if polls get at least half of the budget.
    LONGEST = 25.0

    def rest(self):
        found = rest_and_validate(self.cluster, self.followers, longest=self.LONGEST)
        if found:
            self.fail(explain(found, self.history))

    def test_running_tasks_are_polled_while_hundreds_wait_for_budget(self):
        self.serve()
        self.simulator.control("timing", {"video_delay": "3s"})
        for number in range(5):
            self.create(f"running-{number}", "kyy", max_wait=5.0)
        self.simulator.control("credit", {"provider": "kyy", "videos": 0})
        for number in range(100):
            self.client.create(video_request(f"broke-{number}", "kyy", max_wait=0.0))
        begin = time.monotonic()
        for number in range(5):
            self.await_state(f"videoTasks/running-{number}", video_task_pb2.VideoTask.SUCCEEDED)
        self.assertLess(time.monotonic() - begin, 15)
        self.simulator.control("credit", {"provider": "kyy", "videos": None})
        self.simulator.control("timing", {"video_delay": "100ms"})
        self.rest()

    def test_running_tasks_are_polled_while_polls_of_others_hang(self):
        self.serve()
        self.simulator.control("timing", {"video_delay": "2s"})
        for number in range(16):
            self.create(f"hanging-{number}", "zerozero", max_wait=5.0)
        for video in self.simulator.control("state")["zerozero"]["videos"][:16]:
            self.simulator.control("faults", {
                "provider": "zerozero", "call": "video.get", "id": video["id"],
                "fault": {"kind": "hang", "duration": "60s"}})
        for number in range(4):
            self.create(f"running-{number}", "zerozero", max_wait=5.0)
        begin = time.monotonic()
        for number in range(4):
            self.await_state(f"videoTasks/running-{number}", video_task_pb2.VideoTask.SUCCEEDED)
        self.assertLess(time.monotonic() - begin, 15)
        self.simulator.heal()
        self.rest()


if __name__ == "__main__":
    unittest.main()
