#!/usr/bin/env python3
"""A config that changes while a gateway has work in flight: keys, modes, routes, and settings that
must not change. With the programs as they are shipped. Run by CTest."""

import hashlib
import json
import os
import signal
import subprocess
import unittest

import grpc

import programs
from programs import (DEADLINE, KEY, MODELS, PROFILES, ProgramTest, common_pb2, detail_of,
                      error_details_pb2, provider_service_pb2, reason_of, video_service_pb2,
                      video_task_pb2, wait_for)
from assetgate.v1 import provider_pb2

# Of another account at the simulator, which does not see tasks created with KEY.
NEXT_KEY = "sim-key-e2e-next-41c8aa07"
WRONG_KEY = "sim-key-e2e-wrong-7702bd"
TOKEN = "token-of-farm-6d1e"
VideoTask = video_task_pb2.VideoTask
Provider = provider_pb2.Provider

BY_FILE = "credential: {api_key: {file: kyy.key}}"
BY_CONFIG = ("credential: {api_key: {env: NEXT_KEY}}, credential_id: kyy-2, "
             "previous_credential: {api_key: {file: kyy.key}}, previous_credential_id: kyy")


class ReloadTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.simulator = self.start_simulator(
            "--api-key", NEXT_KEY, "--asset-delay", "100ms", "--queue-delay", "10ms",
            "--video-delay", "10m")
        self.write_key(KEY)
        self.write_config(self.config())
        self.gateway = self.start_gateway(NEXT_KEY=NEXT_KEY)

    def write_key(self, key):
        """Replaces the file in one step, as a rotation of keys does."""
        (self.folder / "kyy.key.next").write_text(key + "\n")
        os.replace(self.folder / "kyy.key.next", self.folder / "kyy.key")

    def config(self, kyy=BY_FILE, route="kyy", listen="127.0.0.1:0", extra=""):
        def provider(name, more):
            base_url = self.simulator.url + PROFILES[name]["mount"]
            return f"  - {{id: {name}, base_url: \"{base_url}\", {more}}}"
        return "\n".join([
            f"listen: {listen}", "admin: {listen: 127.0.0.1:0}", programs.SQLITE, "providers:",
            provider("kyy", kyy), provider("zerozero", "credential: {api_key: {env: E2E_KEY}}"),
            f"routes: [{{model: film, targets: [{{provider: {route}, model: {MODELS[route]}}}]}}]",
            "tracking: {first_poll: 50ms, min_poll: 50ms, max_poll: 100ms}", extra, ""])

    def line(self, message, before):
        """The first log line with that message after so many lines."""
        def found():
            lines = [json.loads(line) for line in self.gateway.text.split("\n")[before:]
                     if line.startswith("{")]
            return next((line for line in lines if message in line["message"]), None)
        return wait_for(found, message)

    def reload(self, expect="config reloaded", **config):
        """Writes the config, sends SIGHUP, and returns the log line with the outcome."""
        before = len(self.gateway.lines)
        self.write_config(self.config(**config))
        self.gateway.process.send_signal(signal.SIGHUP)
        return self.line(expect, before)

    def create(self, request_id, model=f"providers/kyy/models/{MODELS['kyy']}", max_wait=0):
        request = video_service_pb2.CreateVideoTaskRequest(
            request_id=request_id,
            video_task=VideoTask(model=model, prompt=f"cat {request_id}"))
        request.max_wait.FromSeconds(max_wait)
        return self.gateway.videos.CreateVideoTask(request, timeout=DEADLINE)

    def get(self, name):
        return self.gateway.videos.GetVideoTask(
            video_service_pb2.GetVideoTaskRequest(name=name), timeout=DEADLINE)

    def wait_state(self, name, *states):
        return wait_for(lambda: (task := self.get(name)).state in states and task,
                        f"{name} in {[VideoTask.State.Name(state) for state in states]}")

    def wait_reason(self, name, reason):
        return wait_for(lambda: (task := self.get(name)).waiting.reason == reason and task,
                        f"{name} waits for {common_pb2.Waiting.Reason.Name(reason)}")

    def under_way(self, name):
        return self.wait_state(name, VideoTask.QUEUED, VideoTask.RUNNING)

    def finish(self, *names):
        """Lets the simulator finish the videos, and watches the tasks to their end."""
        for name in names:
            identity = self.under_way(name).attempts[-1].provider_task_id
            self.simulator.control(f"videos/{identity}", {"state": "succeed"})
        for task in self.gateway.settle(list(names)).values():
            self.assertEqual(task.state, VideoTask.SUCCEEDED, task)

    def provider(self, name="kyy"):
        return self.gateway.providers.GetProvider(
            provider_service_pb2.GetProviderRequest(name=f"providers/{name}"), timeout=DEADLINE)

    def succeeded(self):
        """The metrics of the newest reload, and of the time when the current config was read."""
        values = dict(line.rsplit(" ", 1) for line in self.gateway.page("/metrics").splitlines()
                      if line.startswith("assetgate_config_last_reload"))
        return (float(values["assetgate_config_last_reload_successful"]),
                float(values["assetgate_config_last_reload_success_timestamp_seconds"]))

    def doctor(self):
        """The output of assetctl."""
        return subprocess.run([programs.BIN / "assetctl", "--server", self.gateway.address, "doctor"],
                              capture_output=True, text=True, timeout=DEADLINE, check=False).stdout

    def test_a_new_log_level_applies_at_once(self):
        before = len(self.gateway.lines)
        self.provider()
        self.assertEqual(self.reload(extra="log: {level: DEBUG}")["changed"], "log.level")
        self.assertNotIn("GetProvider", "\n".join(self.gateway.lines[before:]))
        before = len(self.gateway.lines)
        self.provider()
        self.assertEqual(self.line("call", before)["method"], "GetProvider")

    def made_once(self, *request_ids):
        """Each video was created at a provider, and none twice."""
        made = [request["body"] for name in ("kyy", "zerozero")
                for request in self.simulator.requests(name, "video.create") if request["object_id"]]
        for request_id in request_ids:
            self.assertEqual(sum(f"cat {request_id}" in body for body in made), 1, request_id)
        self.assertEqual(len(made), len(request_ids))

    def test_keys_are_replaced_with_work_in_flight(self):
        first = self.create("first", max_wait=10)
        self.under_way(first.name)
        # Revoked before its successor exists. No signal announces the change of the file.
        before = len(self.gateway.lines)
        self.write_key(WRONG_KEY)
        line = self.line("config reloaded", before)
        self.assertEqual(line["changed"], "providers[kyy].credential.api_key (kyy)")
        second = self.create("second")
        self.wait_reason(second.name, common_pb2.Waiting.PROVIDER_CREDENTIALS_REJECTED)
        self.wait_reason(first.name, common_pb2.Waiting.PROVIDER_CREDENTIALS_REJECTED)
        self.assertEqual(self.provider().state, Provider.UNAVAILABLE)
        self.write_key(KEY)
        self.under_way(second.name)
        self.wait_reason(first.name, common_pb2.Waiting.PROVIDER_WORKING)
        self.assertEqual(self.provider().state, Provider.AVAILABLE)

        # Another account takes over; the former account's tasks are polled with its own key.
        line = self.reload(kyy=BY_CONFIG)
        newest = max(poll["number"] for poll in self.simulator.requests("kyy", "video.get"))
        self.assertIn("providers[kyy].credential.api_key (kyy-2)", line["changed"])
        self.assertIn("providers[kyy].previous_credential.api_key (kyy)", line["changed"])
        third = self.create("third", max_wait=10)
        self.assertEqual(third.attempts[0].credential_id, "kyy-2")
        self.finish(first.name, second.name, third.name)
        self.assertEqual(self.get(second.name).attempts[0].credential_id, "kyy")
        polls = [poll for poll in self.simulator.requests("kyy", "video.get")
                 if poll["number"] > newest]
        self.assertTrue(polls)
        self.assertEqual({poll["status"] for poll in polls}, {200}, "asked with the wrong key")
        for key in (KEY, NEXT_KEY, WRONG_KEY):
            self.assertNotIn(key, self.gateway.text)
        self.made_once("first", "second", "third")

    def test_a_provider_is_drained_and_a_route_moves(self):
        under_way = self.create("under-way", model="film", max_wait=10)
        line = self.reload(kyy=BY_FILE + ", mode: DRAIN, limits: {max_in_flight: 7}")
        self.assertEqual(line["changed"],
                         "providers[kyy].limits.max_in_flight, providers[kyy].mode")
        self.assertEqual(self.provider().mode, Provider.DRAIN)
        waits = self.create("waits", model="film")
        self.wait_reason(waits.name, common_pb2.Waiting.NEEDS_OPERATOR)
        self.finish(under_way.name)
        line = self.reload(kyy=BY_FILE + ", mode: DRAIN", route="zerozero")
        self.assertIn("routes[film].targets", line["changed"])
        model = self.gateway.providers.ListModels(
            provider_service_pb2.ListModelsRequest(), timeout=DEADLINE).models[0]
        self.assertEqual([target.provider for target in model.targets], ["providers/zerozero"])
        moved = self.create("moved", model="film", max_wait=10)
        self.assertEqual(moved.attempts[0].provider, "providers/zerozero")
        # A task keeps the targets of its route, and continues when they do.
        self.assertEqual(self.get(waits.name).state, VideoTask.PENDING)
        self.reload(route="zerozero")
        self.finish(waits.name, moved.name)
        self.made_once("under-way", "waits", "moved")

    def test_a_watch_of_the_providers_reports_their_changes(self):
        stream = self.gateway.providers.WatchProviders(
            provider_service_pb2.WatchProvidersRequest(), timeout=DEADLINE)
        snapshot = [next(stream) for _ in range(4)]
        self.assertEqual([event.type for event in snapshot], [
            common_pb2.RESET, common_pb2.PUT, common_pb2.PUT, common_pb2.BOOKMARK])
        self.assertEqual(snapshot[0].reset_reason, common_pb2.FRESH)
        self.assertEqual([event.provider.name for event in snapshot[1:3]],
                         ["providers/kyy", "providers/zerozero"])
        self.assertEqual(snapshot[1].provider, self.provider())
        self.assertTrue(snapshot[3].snapshot_complete)

        def told(condition):
            """The next provider event for which the condition holds."""
            return next(event.provider for event in stream
                        if event.type == common_pb2.PUT and condition(event.provider))
        self.create("under-way", max_wait=10)
        kyy = told(lambda provider: provider.unfinished_attempts == 1)
        self.assertEqual(kyy.name, "providers/kyy")
        self.assertEqual(kyy.state, Provider.AVAILABLE)
        self.write_key(WRONG_KEY)
        self.reload()
        kyy = told(lambda provider: provider.state == Provider.UNAVAILABLE)
        self.assertEqual(kyy.name, "providers/kyy")
        self.assertIn("credentials", kyy.state_reason)
        self.assertEqual(kyy.mode, Provider.SERVE)
        self.reload(kyy=BY_FILE + ", mode: DRAIN")
        self.assertEqual(told(lambda provider: provider.mode == Provider.DRAIN).name, kyy.name)

        before = len(self.gateway.lines)
        self.gateway.process.send_signal(signal.SIGTERM)
        with self.assertRaises(grpc.RpcError) as raised:
            for event in stream:
                self.assertNotEqual(event.type, common_pb2.RESET)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(reason_of(raised.exception), "DRAINING")
        self.assertIsNotNone(detail_of(raised.exception, error_details_pb2.RetryInfo))
        line = self.line("watch", before)
        self.assertEqual((line["method"], line["reason"]), ("WatchProviders", "DRAINING"))
        self.assertGreaterEqual(line["events"], 7)

    def test_settings_that_need_a_restart_are_not_adopted(self):
        started, first_time = self.succeeded()
        self.assertEqual(started, 1)
        under_way = self.create("under-way", model="film", max_wait=10)

        # Invalid: no part of it is adopted.
        line = self.reload("config rejected", kyy=BY_FILE + ", mode: OFF", extra="routse: []")
        self.assertIn("routse", line["detail"])
        self.assertEqual(self.succeeded(), (0, first_time))
        self.assertEqual(self.provider().mode, Provider.SERVE)
        self.assertIn("FAILED   config: the gateway rejected a changed config", self.doctor())
        self.assertEqual(self.reload()["changed"], "nothing")
        self.assertNotIn("config", self.doctor())
        succeeded, second_time = self.succeeded()
        self.assertEqual(succeeded, 1)
        self.assertGreater(second_time, first_time)

        # Some settings need a restart: the others are adopted.
        before = len(self.gateway.lines)
        line = self.reload(listen="127.0.0.1:1", kyy=BY_FILE + ", mode: DRAIN",
                           extra="debug: {reflection: true}")
        self.assertEqual(line["changed"], "providers[kyy].mode")
        line = self.line("needs a restart", before)
        self.assertEqual(line["fields"], "debug.reflection, listen")
        self.assertEqual(self.provider().mode, Provider.DRAIN)

        # Callers can be added, but the table cannot be removed.
        callers = (f"callers: [{{id: farm, roles: [WRITER], token_sha256: "
                   f"[{hashlib.sha256(TOKEN.encode()).hexdigest()}]}}]")
        line = self.reload(extra=callers)
        self.assertEqual(line["changed"], "callers[farm] (new), providers[kyy].mode")

        def refused():
            with self.assertRaises(grpc.RpcError) as raised:
                self.provider()
            self.assertEqual(reason_of(raised.exception), "NOT_AUTHENTICATED")
        refused()
        line = self.reload("config rejected", kyy=BY_FILE + ", mode: DRAIN")
        self.assertIn("callers", line["detail"])
        self.assertEqual(self.succeeded()[0], 0)
        refused()
        shown = (("authorization", f"Bearer {TOKEN}"),)
        provider = self.gateway.providers.GetProvider(
            provider_service_pb2.GetProviderRequest(name="providers/kyy"), timeout=DEADLINE,
            metadata=shown)
        self.assertEqual(provider.mode, Provider.SERVE)
        identity = under_way.attempts[0].provider_task_id
        self.simulator.control(f"videos/{identity}", {"state": "succeed"})
        wait_for(lambda: self.gateway.videos.GetVideoTask(
            video_service_pb2.GetVideoTaskRequest(name=under_way.name), timeout=DEADLINE,
            metadata=shown).state == VideoTask.SUCCEEDED, "its end")
        self.made_once("under-way")


if __name__ == "__main__":
    unittest.main()
