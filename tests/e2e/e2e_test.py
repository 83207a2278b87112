#!/usr/bin/env python3
"""The programs as they are shipped, over real gRPC: crashes, shutdown, bad configs, and the output
that callers, operators and scripts rely on. Run by CTest, which sets BIN_DIR and GEN_DIR."""

import contextlib
import json
import os
import pathlib
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

import grpc

import programs
from programs import (DEADLINE, KEY, MODELS, WITH_IDEMPOTENCY_KEY, ProgramTest, asset_pb2,
                      common_pb2, config_text, detail_of, error_details_pb2, provider_service_pb2,
                      reason_of, video_service_pb2, video_task_pb2, wait_for)

# Programs built with AddressSanitizer contain its runtime's symbols.
SANITIZED = b"__asan_init" in (programs.BIN / "assetgate").read_bytes()
SUCCEEDED = video_task_pb2.VideoTask.SUCCEEDED
UNCONFIRMED = video_task_pb2.VideoTask.UNCONFIRMED


class KillTest(ProgramTest):
    """kill -9 at any moment loses no acknowledged work and pays for nothing twice."""

    ROUNDS = 4

    def test_acknowledged_work_survives_kill_9(self):
        seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
        print(f"SEED={seed}", file=sys.stderr)
        dice = random.Random(seed)
        simulator, gateway = self.start_both()
        simulator.control("timing", {"latency": "5ms"})
        acknowledged = {}  # By request id: the task's name.
        asked = set()
        lock = threading.Lock()

        def create(gateway, stop, worker, round_number):
            for number in range(1000):
                if stop.is_set():
                    return
                provider = list(MODELS)[number % len(MODELS)]
                # The simulator's requests are identified by their prompts.
                request_id = f"r{round_number}-{worker}-{number}"
                with lock:
                    asked.add((request_id, provider))
                try:
                    task = gateway.create_video(provider, request_id, prompt=f"cat {request_id}")
                except grpc.RpcError:
                    return  # It was killed.
                with lock:
                    acknowledged[request_id] = task.name

        for round_number in range(self.ROUNDS):
            stop = threading.Event()
            workers = [threading.Thread(target=create, args=(gateway, stop, worker, round_number))
                       for worker in range(4)]
            before = len(acknowledged)
            for worker in workers:
                worker.start()
            # At a random moment, once there is work to lose.
            target = before + dice.randrange(1, 12)
            wait_for(lambda target=target: len(acknowledged) >= target, "acknowledged creates")
            gateway.end(signal.SIGKILL)
            stop.set()
            for worker in workers:
                worker.join(DEADLINE)
            gateway = self.start_gateway()

        # All acknowledged tasks exist, and every request without an answer can be repeated.
        for request_id, name in acknowledged.items():
            self.assertEqual(
                gateway.videos.GetVideoTask(
                    programs.video_service_pb2.GetVideoTaskRequest(name=name)).prompt,
                f"cat {request_id}")
        for request_id, provider in asked:
            name = gateway.create_video(provider, request_id, prompt=f"cat {request_id}").name
            self.assertEqual(acknowledged.setdefault(request_id, name), name)

        # It ends as at the provider, or waits for an operator.
        settled = gateway.settle(list(acknowledged.values()))
        self.assertEqual(set(settled), set(acknowledged.values()))
        for task in settled.values():
            if task.state == UNCONFIRMED:
                self.assertEqual(task.waiting.reason, common_pb2.Waiting.NEEDS_OPERATOR)
                self.assertNotIn(task.attempts[0].provider.removeprefix("providers/"),
                                 WITH_IDEMPOTENCY_KEY, "a key makes repeating safe")
            else:
                self.assertEqual(task.state, SUCCEEDED, task)

        # The provider has at most one video of each task.
        for provider in MODELS:
            made = {}
            for request in simulator.requests(provider, "video.create"):
                prompt = re.search(r"cat r\d+-\d+-\d+", request["body"]).group()
                if request["object_id"]:
                    made.setdefault(prompt, set()).add(request["object_id"])
            for prompt, objects in made.items():
                self.assertEqual(len(objects), 1, f"{provider} made {prompt} twice: {objects}")

    def test_a_watch_resumes_with_its_token_after_kill_9(self):
        simulator, gateway = self.start_both()
        simulator.control("timing", {"video_delay": "10m"})
        gateway.create_video("kyy", "first")
        token = b""
        stream = gateway.watch_videos()
        for event in stream:
            if event.type == common_pb2.BOOKMARK and event.snapshot_complete:
                token = event.resume_token
                break
        stream.cancel()
        self.assertTrue(token)
        second = gateway.create_video("zerozero", "second")
        gateway.end(signal.SIGKILL)
        gateway = self.start_gateway()
        stream = gateway.watch_videos(resume_token=token)
        for event in stream:
            self.assertNotEqual(event.type, common_pb2.RESET, "the token is still good")
            if event.video_task.name == second.name:
                break
        else:
            self.fail("what was made after the token never came")
        stream.cancel()


class RestoreTest(ProgramTest):
    """After a backup is restored, later changes are gone and no watch hides that."""

    def token(self, gateway):
        stream = gateway.watch_videos()
        for event in stream:
            if event.type == common_pb2.BOOKMARK and event.snapshot_complete:
                stream.cancel()
                return event.resume_token
        raise AssertionError("no token came")

    def test_tokens_from_before_start_over(self):
        simulator, gateway = self.start_both()
        simulator.control("timing", {"video_delay": "10m"})
        kept = gateway.create_video("kyy", "kept").name
        early = self.token(gateway)
        store = self.folder / "assetgate.db"
        backup = self.folder / "backup.db"
        # As `sqlite3 assetgate.db ".backup backup.db"` does, beside the gateway.
        with contextlib.closing(sqlite3.connect(store)) as source, \
                contextlib.closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        lost = gateway.create_video("kyy", "lost").name
        token = self.token(gateway)
        refused = self.run_program("assetgate", "--config", "assetgate.yaml", "--mark-restored")
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("assetgate.db", refused.stderr)
        self.assertEqual(gateway.end(), 0)

        backup.replace(store)
        self.assertFalse((self.folder / "assetgate.db-wal").exists(), "it ended in order")
        marked = self.run_program("assetgate", "--config", "assetgate.yaml", "--mark-restored")
        self.assertEqual(marked.returncode, 0, marked.stderr)
        self.assertIn("start over", marked.stdout)
        gateway = self.start_gateway()
        # The revisions that the token has seen now belong to other changes.
        others = {gateway.create_video("kyy", f"other-{number}").name for number in range(5)}
        for old in (early, token):
            stream = gateway.watch_videos(resume_token=old)
            first = next(stream)
            self.assertEqual(first.type, common_pb2.RESET)
            self.assertEqual(first.reset_reason, common_pb2.OTHER_STORE)
            seen = set()
            for event in stream:
                if event.type == common_pb2.BOOKMARK:
                    break
                seen.add(event.video_task.name)
            stream.cancel()
            self.assertEqual(seen, others | {kept})
            self.assertNotIn(lost, seen)

    def test_marking_needs_a_config_and_a_store(self):
        self.write_config(config_text("http://127.0.0.1:1"))
        alone = self.run_program("assetgate", "--mark-restored")
        self.assertEqual(alone.returncode, 2, alone.stdout)
        nothing = self.run_program("assetgate", "--config", "assetgate.yaml", "--mark-restored")
        self.assertEqual(nothing.returncode, 1, nothing.stdout)
        self.assertIn("there is no store", nothing.stderr)
        self.assertFalse((self.folder / "assetgate.db").exists())


class ResolveTest(ProgramTest):
    """The connection breaks after zerozero has made the video, or before: an operator decides."""

    def setUp(self):
        super().setUp()
        self.simulator, self.gateway = self.start_both()

    def cut(self, name, after_work):
        """A task that is UNCONFIRMED."""
        self.simulator.fail("zerozero", "video.create",
                            {"kind": "reset", "after_work": after_work}, times=1)
        made = self.assetctl("videos", "create", "--id", name, "--prompt", f"a {name}", "--model",
                             f"providers/zerozero/models/{MODELS['zerozero']}", "--output", "json")
        self.assertEqual(made.returncode, 0, made.stderr)
        task = self.get(name)
        self.assertEqual(task.state, UNCONFIRMED, task)
        self.assertEqual(task.waiting.reason, common_pb2.Waiting.NEEDS_OPERATOR)
        self.assertIn(f"assetctl videos resolve videoTasks/{name}", task.waiting.message)

    def assetctl(self, *words):
        return self.run_program("assetctl", "--server", self.gateway.address, *words)

    def get(self, name):
        return self.gateway.videos.GetVideoTask(
            programs.video_service_pb2.GetVideoTaskRequest(name=f"videoTasks/{name}"),
            timeout=DEADLINE)

    def created(self):
        return self.simulator.requests("zerozero", "video.create")

    def test_an_accepted_submission_is_resolved_and_followed(self):
        self.cut("fox", after_work=True)
        cancelled = self.assetctl("videos", "cancel", "fox")
        self.assertEqual(cancelled.returncode, 6)
        self.assertIn("videos resolve", cancelled.stderr)
        # The id that an operator finds at the provider.
        found = [video["id"] for video in self.simulator.control("state")["zerozero"]["videos"]]
        self.assertEqual(len(found), 1, found)
        wrong = self.assetctl("videos", "resolve", "fox", "--provider-task-id", "Asset-1")
        self.assertEqual(wrong.returncode, 3)
        self.assertIn("--provider-task-id", wrong.stderr)
        # The resolution survives a crash right after its answer.
        resolve = ("videos", "resolve", "fox", "--provider-task-id", found[0])
        resolved = self.assetctl(*resolve)
        self.assertEqual(resolved.returncode, 0, resolved.stderr)
        self.gateway.end(signal.SIGKILL)
        self.gateway = self.start_gateway()
        task = self.gateway.settle(["videoTasks/fox"])["videoTasks/fox"]
        self.assertEqual(task.state, SUCCEEDED, task)
        self.assertEqual(task.attempts[0].provider_task_id, found[0])
        self.assertEqual(task.attempts[0].billing, video_task_pb2.Attempt.BILLED)
        self.assertTrue(task.attempts[0].HasField("resolve_time"))
        # A repetition is accepted; a different resolution is rejected.
        self.assertEqual(self.assetctl(*resolve).returncode, 0)
        otherwise = self.assetctl("videos", "resolve", "fox", "--not-accepted", "--resubmit")
        self.assertEqual(otherwise.returncode, 6)
        self.assertIn("ALREADY_FINISHED", otherwise.stderr)
        self.assertEqual(len(self.created()), 1, "never sent again")

    def test_a_submission_that_was_not_accepted_fails_or_is_submitted_again(self):
        self.cut("fox", after_work=False)
        failed = self.assetctl("videos", "resolve", "fox", "--not-accepted")
        self.assertEqual(failed.returncode, 0, failed.stderr)
        task = self.get("fox")
        self.assertEqual(task.state, video_task_pb2.VideoTask.FAILED)
        self.assertEqual(task.attempts[0].billing, video_task_pb2.Attempt.NOT_BILLED)
        self.assertIn("NOT_ACCEPTED_BY_RESOLUTION", failed.stdout)

        self.cut("wolf", after_work=False)
        again = self.assetctl("videos", "resolve", "wolf", "--not-accepted", "--resubmit")
        self.assertEqual(again.returncode, 0, again.stderr)
        task = self.gateway.settle(["videoTasks/wolf"])["videoTasks/wolf"]
        self.assertEqual(task.state, SUCCEEDED, task)
        self.assertEqual([attempt.state for attempt in task.attempts],
                         [video_task_pb2.Attempt.NOT_ACCEPTED, video_task_pb2.Attempt.SUCCEEDED])
        self.assertEqual(len(self.created()), 3)


class ImportTest(ProgramTest):
    def test_an_imported_task_is_followed_without_a_submission(self):
        simulator, gateway = self.start_both()
        made = self.run_program("assetctl", "--server", gateway.address, "videos", "create", "--id", "fox",
                                "--prompt", "a fox", "--model",
                                f"providers/zerozero/models/{MODELS['zerozero']}", "--wait")
        self.assertEqual(made.returncode, 0, made.stderr)
        [video] = simulator.control("state")["zerozero"]["videos"]
        words = ("assetctl", "--server", gateway.address, "videos", "import", video["id"], "--provider",
                 "zerozero", "--model", MODELS["zerozero"], "--id", "found", "--request-id", "r1")
        taken = self.run_program(*words)
        self.assertEqual(taken.returncode, 6, taken.stderr)
        self.assertIn("videoTasks/fox", taken.stderr)
        deleted = self.run_program("assetctl", "--server", gateway.address, "videos", "delete", "fox")
        self.assertEqual(deleted.returncode, 0, deleted.stderr)
        for _ in range(2):
            imported = self.run_program(*words)
            self.assertEqual(imported.returncode, 0, imported.stderr)
            self.assertIn("found", imported.stdout)
        task = gateway.settle(["videoTasks/found"])["videoTasks/found"]
        self.assertEqual(task.state, SUCCEEDED, task)
        self.assertEqual(task.attempts[0].provider_task_id, video["id"])
        self.assertTrue(task.attempts[0].HasField("import_time"))
        self.assertEqual(len(simulator.requests("zerozero", "video.create")), 1, "never submitted")


class ShutdownTest(ProgramTest):
    def test_sigterm_ends_open_streams_with_a_bookmark_and_exits_with_0(self):
        simulator, gateway = self.start_both()
        simulator.control("timing", {"video_delay": "10m"})
        gateway.create_video("kyy", "one")
        stream = gateway.watch_videos()
        events = []
        ended = []

        def follow():
            try:
                for event in stream:
                    events.append(event)
            except grpc.RpcError as error:
                ended.append(error)

        follower = threading.Thread(target=follow)
        follower.start()
        wait_for(lambda: any(event.snapshot_complete for event in events), "a whole snapshot")
        begin = time.monotonic()
        self.assertEqual(gateway.end(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - begin, 10)
        follower.join(DEADLINE)
        self.assertEqual(ended[0].code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(reason_of(ended[0]), "DRAINING")
        self.assertIsNotNone(detail_of(ended[0], error_details_pb2.RetryInfo))
        self.assertEqual(events[-1].type, common_pb2.BOOKMARK)
        self.assertTrue(events[-1].resume_token)

    def test_a_store_file_is_used_by_one_process_only(self):
        self.start_both()
        second = self.run_program("assetgate", "--config", "assetgate.yaml")
        self.assertEqual(second.returncode, 1)
        self.assertIn("assetgate.db", second.stderr)
        self.assertNotIn("serving", second.stdout + second.stderr)


class ConfigTest(ProgramTest):
    def test_bad_config_is_one_line_per_fault_and_opens_nothing(self):
        self.write_config("listen: nowhere\n"
                          "providers:\n"
                          "  - {id: kyy, base_url: \"kyy.example\", "
                          "credential: {api_key: {env: NOT_SET_ANYWHERE}}}\n"
                          "colour: red\n")
        for flag in ("--config", "--check-config"):
            with self.subTest(flag):
                result = self.run_program("assetgate", flag, "assetgate.yaml")
                self.assertEqual(result.returncode, 2)
                lines = result.stderr.strip().splitlines()
                for line in lines:
                    self.assertRegex(line, r"^assetgate\.yaml:\d+: ")
                text = "\n".join(lines)
                for word in ("listen", "base_url", "NOT_SET_ANYWHERE", "colour"):
                    self.assertIn(word, text)
                self.assertEqual(len(lines), 4, text)
                self.assertFalse((self.folder / "assetgate.db").exists())

    def test_check_config_accepts_a_valid_config_and_opens_nothing(self):
        self.write_config(config_text("http://127.0.0.1:1"))
        result = self.run_program("assetgate", "--check-config", "assetgate.yaml")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["assetgate.yaml"])

    def test_a_missing_config_is_reported(self):
        self.assertEqual(self.run_program("assetgate").returncode, 2)
        missing = self.run_program("assetgate", "--config", "nowhere.yaml")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("nowhere.yaml", missing.stderr)


class ServiceTest(ProgramTest):
    """One gateway and one simulator for all tests that leave them usable."""

    def setUp(self):
        super().setUp()
        self.simulator, self.gateway = self.start_both()

    def test_only_the_documented_services_are_served(self):
        for method in ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                       "/grpc.channelz.v1.Channelz/GetServers"):
            with self.assertRaises(grpc.RpcError) as caught:
                list(self.gateway.channel.stream_stream(method)(iter([b""]), timeout=DEADLINE))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED, method)

    def test_versions_identify_the_build(self):
        for name in ("assetgate", "assetctl", "provider-simulator"):
            said = self.run_program(name, "--version").stdout
            version, commit, flags = re.fullmatch(
                rf"{name} (\S+) \(commit (\S+); (.+)\)\n", said).groups()
            self.assertIn(f'assetgate_build_info{{commit="{commit}",flags="{flags}",'
                          f'version="{version}"}} 1', self.gateway.page("/metrics"))

    def test_metrics_are_the_documented_ones_whatever_callers_send(self):
        """Names and labels as in service/base/metrics.h; values from closed sets and the config."""
        for i in range(20):
            with contextlib.suppress(grpc.RpcError):
                self.gateway.create_asset(f"https://cdn.example.org/{i}.png", [f"nobody-{i}"])
            with contextlib.suppress(grpc.RpcError):
                self.gateway.videos.GetVideoTask(programs.video_service_pb2.GetVideoTaskRequest(
                    name=f"videoTasks/nobody-{i}"), timeout=DEADLINE)
            with contextlib.suppress(grpc.RpcError):
                self.gateway.channel.unary_unary(f"/made.up/Method{i}")(b"", timeout=DEADLINE)
        self.gateway.settle([self.gateway.create_video(name, f"id-{name}").name for name in MODELS])
        header = (programs.ROOT / "service/base/metrics.h").read_text()
        table = {"assetgate_" + name: set(filter(None, labels.split(", "))) for name, labels in
                 re.findall(r"^//   \| ([a-z_]+) +\| ([a-z_, ]*?) *\|", header, flags=re.M)}
        closed = {
            "provider": {*MODELS, "", "none", "other"},
            "model": {*MODELS.values(), "none", "other"}, "kind": {"asset_group", "asset", "video_task"},
            "state": {"available", "degraded", "down", "credentials_rejected", "out_of_credit"},
            "code": {code.name for code in grpc.StatusCode}, "queue": {"store_writer", "watch_hub"},
            "type": {"reset", "put", "delete", "bookmark"}, "basis": {"finish_time", "last_poll"},
            "method": set(re.findall(r'"(assetgate\.v1\.\w+/\w+)"', "".join(
                path.read_text() for path in (programs.ROOT / "service/api").glob("*.cc"))))}
        fixed = {"version", "commit", "flags", "le"}
        # The maximum number of values of each of these enumerations.
        bounds = {"operation": 7, "outcome": 16 + 4 + 3 + 7, "reason": 20, "oddity": 6}
        seen = {}
        for line in self.gateway.page("/metrics").splitlines():
            if line.startswith(("#", "process_")):
                continue
            series, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line).groups()
            said = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            name = series if series in table else re.sub("_(bucket|sum|count)$", "", series)
            self.assertEqual(set(said) - {"le"}, table.get(name), line)
            for label, value in said.items():
                if (label, value) == ("kind", "provider"):
                    self.assertIn("stream", name, line)
                elif label in closed:
                    self.assertIn(value, closed[label], line)
                elif label not in fixed:
                    seen.setdefault(label, set()).add(value)
            seen.setdefault("name", set()).add(name)
        self.assertEqual(set(seen) - {"name"} - set(bounds), set())
        for label, bound in bounds.items():
            self.assertLessEqual(len(seen[label]), bound, seen[label])
        # Shown only with a certificate, with fetched keys, or after a wait.
        self.assertLessEqual(set(table) - seen["name"], {
            "assetgate_certificate_expiry_timestamp_seconds",
            "assetgate_issuer_keys_fetch_timestamp_seconds", "assetgate_budget_wait_seconds"})

    def test_the_health_service_answers(self):
        # Encoded by hand: the messages are small, and Debian has no package of their classes.
        check = self.gateway.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=DEADLINE), b"\x08\x01")  # status: SERVING

    def test_message_over_the_limit_is_refused(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.gateway.create_video("kyy", "big", prompt="x" * (5 << 20))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_all_invalid_fields_are_named_at_once(self):
        request = programs.asset_service_pb2.CreateAssetRequest(asset=asset_pb2.Asset(
            source_uri="http://127.0.0.1/face.png", display_name="x" * 5000))
        with self.assertRaises(grpc.RpcError) as caught:
            self.gateway.assets.CreateAsset(request, timeout=DEADLINE)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        bad = detail_of(caught.exception, error_details_pb2.BadRequest)
        fields = {violation.field for violation in bad.field_violations}
        self.assertLessEqual({"asset.source_uri", "asset.media_type", "asset.display_name"},
                             fields)

    def test_unknown_resources_are_not_found(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.gateway.create_asset("https://cdn.example.org/a.png", ["kyyy"])
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        found = detail_of(caught.exception, error_details_pb2.ResourceInfo)
        self.assertEqual(found.resource_name, "providers/kyyy")
        self.assertIn("kyy", caught.exception.details())

    def test_the_operators_pages_are_served(self):
        self.gateway.settle([self.gateway.create_video("kyy", "page").name])
        self.assertTrue(self.gateway.page("/healthz"))
        self.assertTrue(self.gateway.page("/readyz"))
        metrics = self.gateway.page("/metrics")
        for name in ("assetgate_build_info", "assetgate_rpcs_total", "assetgate_rpc_seconds_bucket",
                     "assetgate_upstream_calls_total", "assetgate_upstream_seconds_bucket",
                     "assetgate_submissions_total", "assetgate_unfinished",
                     "assetgate_open_streams", "assetgate_queue_depth"):
            self.assertRegex(metrics, rf"(?m)^{name}[{{ ]", f"{name} is missing")
        self.assertRegex(metrics, r'assetgate_rpcs_total\{[^}]*CreateVideoTask')
        self.assertRegex(metrics, r'assetgate_upstream_calls_total\{[^}]*provider="kyy"')
        # One line for the end: the outcome and the duration.
        self.assertIn(f'assetgate_videos_finished_total{{model="{MODELS["kyy"]}",outcome="succeeded",'
                      'provider="kyy"} 1\n', metrics)
        self.assertIn(f'assetgate_video_seconds_count{{model="{MODELS["kyy"]}",provider="kyy"}} 1\n', metrics)
        self.assertNotRegex(metrics, r'assetgate_videos_finished_total\{[^}]*outcome="failed"[^}]*\} [1-9]')

    def line(self, message, **fields):
        """The first log line that has these fields."""
        def matches(line):
            said = json.loads(line)
            return said["message"] == message and fields.items() <= said.items()
        return json.loads(self.gateway.wait_line(matches))

    def test_log_lines_carry_the_callers_ids(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        made = self.gateway.create_video("kyy", "logged-request-1", metadata=[
            ("traceparent", f"00-{trace}-00f067aa0ba902b7-01")])
        ids = {"trace_id": trace, "request_id": "logged-request-1"}
        call = self.line("call", **ids)
        self.assertEqual(call["method"], "CreateVideoTask")
        self.assertEqual((call["caller"], call["name"], call["providers"]), ("", made.name, "kyy"))
        self.assertEqual((call["code"], call["reason"], call["upstream_calls"]), ("OK", "", 1))
        self.assertGreater(call["took"], 0)
        # The provider received the same span that the gateway logged.
        span = self.line("provider call", operation="submit_video", **ids)["span_id"]
        headers = self.simulator.requests("kyy", "video.create")[0]["headers"]
        parent, = [headers[name] for name in headers if name.lower() == "traceparent"]
        self.assertEqual(parent, f"00-{trace}-{span}-01")

    def test_a_refusal_is_logged_with_its_origin(self):
        self.simulator.fail("kyy", "video.create", {"kind": "status", "status": 402}, times=1)
        with self.assertRaises(grpc.RpcError):
            self.gateway.create_video("kyy", "refused-1")
        call = self.line("call", request_id="refused-1")
        self.assertEqual((call["code"], call["reason"]),
                         ("FAILED_PRECONDITION", "PROVIDER_OUT_OF_CREDIT"))
        self.assertEqual((call["providers"], call["upstream_calls"]), ("kyy", 1))
        with self.assertRaises(grpc.RpcError):
            self.gateway.videos.GetVideoTask(programs.video_service_pb2.GetVideoTaskRequest(
                name="videoTasks/nobody"), timeout=DEADLINE)
        call = self.line("call", method="GetVideoTask")
        self.assertEqual((call["name"], call["code"], call["reason"]),
                         ("videoTasks/nobody", "NOT_FOUND", "RESOURCE_NOT_FOUND"))

    def test_assetctl_prints_what_scripts_read(self):
        def assetctl(*words):
            return self.run_program("assetctl", "--server", self.gateway.address, *words)

        made = assetctl("assets", "create", "https://cdn.example.org/face.png", "--id", "face",
                        "--provider", "kyy", "--output", "name")
        self.assertEqual((made.returncode, made.stdout.strip()), (0, "assets/face"), made.stderr)
        self.assertEqual(assetctl("assets", "create", "https://cdn.example.org/face.png", "--id",
                                  "face", "--provider", "kyy").returncode, 5)
        self.assertEqual(assetctl("assets", "get", "nobody").returncode, 4)
        self.assertEqual(assetctl("assets", "create", "file:///etc/passwd").returncode, 3)
        self.assertEqual(assetctl("frobnicate").returncode, 2)
        self.assertEqual(assetctl("providers").returncode, 0)
        self.assertEqual(assetctl("models").returncode, 0)
        video = assetctl("videos", "create", "--model", "seedance-2", "--prompt", "a cat", "--wait")
        self.assertEqual(video.returncode, 0, video.stderr)
        failed = assetctl("videos", "create", "--model", f"providers/kyy/models/{MODELS['kyy']}",
                          "--prompt", "a [moderated] cat", "--wait")
        self.assertEqual(failed.returncode, 9, failed.stderr)
        self.simulator.fail("zerozero", "video.create", {"kind": "status", "status": 402}, times=1)
        broke = assetctl("videos", "create", "--model",
                         f"providers/zerozero/models/{MODELS['zerozero']}", "--prompt", "a cat")
        self.assertEqual(broke.returncode, 6, broke.stderr)
        self.assertIn("PROVIDER_OUT_OF_CREDIT", broke.stderr)
        away = self.run_program("assetctl", "--server", "127.0.0.1:1", "--timeout", "2s",
                                "providers")
        self.assertIn(away.returncode, (7, 8), away.stderr)

    def test_assetctl_explains_why_a_video_is_stuck(self):
        self.simulator.control("timing", {"video_delay": "10m"})
        name = self.gateway.create_video("kyy", "stuck").name
        self.simulator.fail("kyy", "video.get",
                            {"kind": "status", "status": 503,
                             "body": f'{{"message":"no host for {KEY}"}}'})

        def explain():
            return self.gateway.providers.Explain(
                programs.provider_service_pb2.ExplainRequest(name=name), timeout=DEADLINE)

        def failing():
            told = explain()
            return told if told.units[0].calls.failures >= 2 else None

        told = wait_for(failing, "polls that fail")
        unit = told.units[0]
        self.assertEqual(unit.provider, "providers/kyy")
        self.assertEqual(unit.submission.outcome,
                         programs.explanation_pb2.Explanation.Submission.ACCEPTED)
        self.assertGreaterEqual(unit.calls.polls, 2)
        self.assertEqual(unit.calls.last_answer.http_status, 503)
        self.assertTrue(told.followed_here)
        self.assertNotIn(KEY, str(told))
        shown = self.run_program("assetctl", "--server", self.gateway.address, "explain", name)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("HTTP 503", shown.stdout)
        self.assertNotIn(KEY, shown.stdout)
        missing = self.run_program("assetctl", "--server", self.gateway.address, "explain", "none")
        self.assertEqual(missing.returncode, 4, missing.stderr)

    def test_the_doctor_runs_beside_a_running_gateway(self):
        before = {path.name for path in self.folder.iterdir()}
        made = [len(self.simulator.requests(provider, "video.create")) for provider in MODELS]
        well = self.run_program("assetgate", "--doctor", "--config", "assetgate.yaml")
        self.assertEqual(well.returncode, 0, well.stdout + well.stderr)
        self.assertIn(f"a gateway uses it, process {self.gateway.process.pid}", well.stdout)
        for provider in ("apiframe", "zerozero"):
            self.assertIn(f"provider {provider}: key: \"{provider}\" is accepted", well.stdout)
        for provider in ("kyy", "octopusx"):
            self.assertIn(f"provider {provider}: key: not checked", well.stdout)
        wrong = self.run_program("assetgate", "--doctor", "--config", "assetgate.yaml",
                                 E2E_KEY="sk-of-somebody-else-4711")
        self.assertEqual(wrong.returncode, 1, wrong.stdout)
        self.assertRegex(wrong.stdout, r"FAILED +provider zerozero: key: .* is rejected")
        self.assertNotIn("4711", wrong.stdout + wrong.stderr)
        self.assertEqual({path.name for path in self.folder.iterdir()}, before)
        self.assertEqual([len(self.simulator.requests(provider, "video.create"))
                          for provider in MODELS], made)
        self.assertNotIn(KEY, well.stdout)
        client = self.run_program("assetctl", "--server", self.gateway.address, "doctor")
        self.assertEqual(client.returncode, 0, client.stdout + client.stderr)
        self.assertIn("health: SERVING", client.stdout)
        self.assertIn("version ", client.stdout)

    def test_example_in_python_fetches_a_video(self):
        follow = programs.ROOT / "examples/python/follow.py"
        output = self.folder / "video.mp4"
        result = subprocess.run(
            [sys.executable, follow, "--server", self.gateway.address, "--model", "seedance-2",
             "--image", "https://cdn.example.org/hero.png", "--provider", "kyy", "--output", output,
             "--timeout", str(DEADLINE)],
            env={**os.environ, "PYTHONPATH": os.environ["GEN_DIR"]}, text=True,
            capture_output=True, check=False, timeout=2 * DEADLINE)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("SUCCEEDED", result.stdout)
        self.assertEqual(output.read_bytes()[4:8], b"ftyp")


class ConcurrentCallsTest(ProgramTest):
    CONFIG_EXTRA = "limits: {max_concurrent_calls: 1}\n"

    def test_calls_beyond_the_limit_are_refused_until_one_is_answered(self):
        simulator, gateway = self.start_both()
        simulator.control("timing", {"latency": "60s"})

        def create(seconds):
            return gateway.videos.CreateVideoTask.future(video_service_pb2.CreateVideoTaskRequest(
                video_task=video_task_pb2.VideoTask(
                    model=f"providers/zerozero/models/{MODELS['zerozero']}", prompt="slow"),
                max_wait={"seconds": seconds}), timeout=DEADLINE)

        waiting = create(60)
        wait_for(lambda: simulator.requests("zerozero", "video.create"), "the submission")
        refused = create(0).exception()
        self.assertEqual(refused.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(reason_of(refused), "OVERLOADED")
        self.assertIn("limits.max_concurrent_calls", refused.details())
        self.assertIn(("grpc-retry-pushback-ms", "1000"), refused.trailing_metadata())
        # Reads have a limit of their own.
        gateway.providers.ListModels(provider_service_pb2.ListModelsRequest(), timeout=DEADLINE)
        # A caller that disconnects frees its place at once, not after max_wait.
        waiting.cancel()
        begin = time.monotonic()
        wait_for(lambda: create(0).exception() is None, "a place")
        self.assertLess(time.monotonic() - begin, 30)


class SecretsTest(ProgramTest):
    """Providers echo the key in every answer; no output of any program contains it."""

    CONFIG_EXTRA = "log: {format: json, level: debug}\n"
    # Parts of callers' URLs: stored, and shown only to those who may read the asset.
    QUERY = "signature-5d41402abc4b"
    USER = "user-7d793037a076"

    def setUp(self):
        super().setUp()
        # (where, bytes): all output to callers, operators and scripts.
        self.seen = []

    def see(self, where, what):
        self.seen.append((where, what if isinstance(what, bytes) else str(what).encode()))

    def attempt(self, where, call):
        """Records the answer or the error of a call."""
        try:
            self.see(where, call().SerializeToString())
        except grpc.RpcError as error:
            self.see(where, error.details())
            self.see(where, status_bytes(error))
            for key, value in error.trailing_metadata() or ():
                self.see(f"{where}, {key}", value)
            return error
        return None

    def echo(self, provider, call, status, **fault):
        """The next such call is answered with the key, the query and a user in every field."""
        words = f"bad key {KEY} for https://{self.USER}:pw@cdn.example.org/a?sig={self.QUERY} !"
        self.simulator.fail(provider, call, {"kind": "status", "status": status, "body": json.dumps(
            {"error": words, "msg": words, "message": words, "detail": words, "code": KEY}),
            **fault}, times=1)

    def test_no_secret_is_in_any_output(self):
        self.simulator, gateway = self.start_both()
        gateway.create_asset(f"https://cdn.example.org/face.png?sig={self.QUERY}", MODELS)
        self.assertIsNotNone(self.attempt("a bad URL", lambda: gateway.create_asset(
            f"https://{self.USER}:pw@cdn.example.org/face.png?sig={self.QUERY}", ["kyy"])))
        for provider in MODELS:
            # Refused, failed and successful calls: none may disclose a key.
            refused = 0
            for status in (400, 401, 402, 404, 429, 500):
                self.echo(provider, "video.create", status, retry_after=1)
                error = self.attempt(f"{provider} {status}", lambda: gateway.create_video(
                    provider, f"echo-{provider}-{status}", max_wait=0.2))
                refused += error is not None
            self.assertGreaterEqual(refused, 3)
            self.simulator.fail(provider, "video.create",
                                {"kind": "reset", "after_work": False}, times=1)
            self.attempt("cut", lambda: gateway.create_video(
                provider, f"cut-{provider}", max_wait=0.2))
            self.echo(provider, "video.get", 401)
            self.echo(provider, "asset.get", 500)
            name = gateway.create_video(provider, f"ok-{provider}").name
            self.see("settled", gateway.settle([name])[name].SerializeToString())
        stream = gateway.watch_videos()
        for event in stream:
            self.see("an event", event.SerializeToString())
            if event.type == common_pb2.BOOKMARK and event.snapshot_complete:
                break
        stream.cancel()
        for path in ("/", "/healthz", "/readyz", "/metrics"):
            self.see(path, gateway.page(path))
        for words in (("providers",), ("videos", "list"), ("assets", "list"),
                      ("videos", "list", "--output", "json"), ("frobnicate",)):
            done = self.run_program("assetctl", "--server", gateway.address, *words)
            self.see("assetctl", done.stdout + done.stderr)
        checked = self.run_program("assetgate", "--check-config", "assetgate.yaml")
        self.see("--check-config", checked.stdout + checked.stderr)

        # Killed, so that the write-ahead log remains, and shut down, so that it is in the file.
        gateway.end(signal.SIGKILL)
        self.assertGreater((self.folder / "assetgate.db-wal").stat().st_size, 0)
        self.look_at_files()
        again = self.start_gateway()
        self.assertEqual(again.end(), 0)
        self.look_at_files()
        self.assertIn('"level":"debug"', gateway.text)
        for process in (gateway, again):
            self.see("the log", process.text)
        for where, what in self.seen:
            self.assertNotIn(KEY.encode(), what, where)
            self.assertNotIn(self.USER.encode(), what, where)
            # Who lists assets may read their source_uri.
            if where != "assetctl":
                self.assertNotIn(self.QUERY.encode(), what, where)
        self.assertTrue(any(b"[secret]" in what for _, what in self.seen), "the key was repeated")

    def look_at_files(self):
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        self.assertIn("assetgate.db", {path.name for path in files})
        for path in files:
            content = path.read_bytes()
            self.assertNotIn(KEY.encode(), content, path)
            self.assertNotIn(self.USER.encode(), content, path)

    def test_a_process_that_crashes_leaves_no_core(self):
        self.simulator = self.start_simulator()
        self.write_config(config_text(self.simulator.url))
        # The largest limit that the process could inherit.
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        for signum in (signal.SIGABRT, signal.SIGSEGV):
            with self.subTest(signum.name):
                gateway = self.start_gateway()
                pid = gateway.process.pid
                limit = re.search(r"Max core file size +(\S+) +(\S+)",
                                  pathlib.Path(f"/proc/{pid}/limits").read_text())
                self.assertEqual(limit.groups(), ("0", "0"))
                # Only root may inspect a process that is not dumpable.
                self.assertEqual(pathlib.Path(f"/proc/{pid}/environ").stat().st_uid, 0)
                os.kill(pid, signum)
                _, status = os.waitpid(pid, 0)
                if not SANITIZED:  # the sanitizer catches it, prints a stack and exits
                    self.assertTrue(os.WIFSIGNALED(status), status)
                    self.assertEqual(os.WTERMSIG(status), signum)
                self.assertFalse(os.WCOREDUMP(status))
                self.assertEqual([path.name for path in self.folder.glob("*core*")], [])
                gateway.end()


class TextGateway(programs.Gateway):
    """A gateway with log: {format: text}."""

    def wait_serving(self):
        line = self.wait_line(lambda text: " INFO serving " in text)
        return [re.search(rf" {key}=(\S+)", line).group(1) for key in ("listen", "admin")]


class HostileTextTest(ProgramTest):
    """Text that callers send stays within its field and its line."""

    NASTY = ('x" \n2026-01-01T00:00:00Z ERROR forged=1\r\n{"level":"error","message":"forged line"}\n'
             "\x1b[31m\x07\x7f\u009b2J\u2028\u2029\u0085 =\\\" level=ERROR")

    def provoke(self, gateway):
        """Puts the text into everything that a caller can write."""
        refused = 0
        asset = asset_pb2.Asset(source_uri="https://cdn.example.org/a.png", display_name=self.NASTY,
                                media_type=common_pb2.IMAGE)
        task = video_task_pb2.VideoTask(
            model=f"providers/kyy/models/{MODELS['kyy']}", prompt=self.NASTY)
        create_asset = programs.asset_service_pb2.CreateAssetRequest
        create_video = programs.video_service_pb2.CreateVideoTaskRequest

        def label(resource_in):
            changed = type(resource_in)()
            changed.CopyFrom(resource_in)
            changed.labels["k"] = self.NASTY
            changed.labels[self.NASTY[:60]] = "v"
            return changed

        def option(resource_in):
            changed = type(resource_in)()
            changed.CopyFrom(resource_in)
            changed.provider_options["kyy"][self.NASTY] = self.NASTY
            changed.provider_options[self.NASTY]["k"] = "v"
            return changed

        requests = [
            create_asset(asset=asset, providers=["providers/kyy"], request_id="nasty-1"),
            create_asset(asset=label(asset)), create_asset(asset=option(asset)),
            create_asset(asset=asset, request_id=self.NASTY),
            create_asset(asset=asset, asset_id=self.NASTY),
            create_asset(asset=asset, providers=[self.NASTY]),
            create_asset(asset=asset_pb2.Asset(source_uri=self.NASTY, asset_group=self.NASTY)),
            create_video(video_task=task, request_id="nasty-2"),
            create_video(video_task=label(task)), create_video(video_task=option(task)),
            create_video(video_task=task, request_id=self.NASTY),
            create_video(video_task=task, video_task_id=self.NASTY),
            create_video(video_task=video_task_pb2.VideoTask(model=self.NASTY, prompt="x")),
            programs.video_service_pb2.GetVideoTaskRequest(name=self.NASTY),
            programs.video_service_pb2.ListVideoTasksRequest(page_token=self.NASTY),
            programs.asset_service_pb2.GetAssetRequest(name=f"assets/{self.NASTY}"),
        ]
        for request in requests:
            method = type(request).__name__.removesuffix("Request")
            stub = gateway.assets if hasattr(gateway.assets, method) else gateway.videos
            try:
                getattr(stub, method)(request, timeout=DEADLINE)
            except grpc.RpcError as error:
                refused += 1
                self.assertIn(error.code(), (grpc.StatusCode.INVALID_ARGUMENT,
                                             grpc.StatusCode.NOT_FOUND), error)
                self.assertEqual(self.controls_in(error.details()), [], error.details())
        self.assertGreaterEqual(refused, 10)
        # gRPC refuses invalid UTF-8 before the gateway logs it.
        raw = gateway.channel.unary_unary("/assetgate.v1.VideoService/GetVideoTask")
        with self.assertRaises(grpc.RpcError):
            raw(b"\x0a\x04\xff\xfe\xc0\x80", timeout=DEADLINE)
        # HTTP/2 restricts metadata, and the gateway cuts it to a trace id.
        gateway.create_video("kyy", "trace", metadata=[("traceparent", 'x"=\\ forged=1' * 9)])
        # And a provider's text.
        for provider in MODELS:
            words = {"error": self.NASTY, "msg": self.NASTY, "message": self.NASTY,
                     "detail": self.NASTY, "code": self.NASTY, "status": self.NASTY}
            for status in (400, 500):
                self.simulator.fail(provider, "video.create", {
                    "kind": "status", "status": status, "body": json.dumps(words)}, times=1)
                try:
                    gateway.create_video(provider, f"words-{provider}-{status}", max_wait=0.2)
                except grpc.RpcError as error:
                    self.assertEqual(self.controls_in(error.details()), [], error.details())

    def test_assetctl_prints_no_control_sequences(self):
        self.simulator, gateway = self.start_both()
        made = gateway.assets.CreateAsset(programs.asset_service_pb2.CreateAssetRequest(
            asset=asset_pb2.Asset(source_uri="https://cdn.example.org/a.png", display_name=self.NASTY,
                                  media_type=common_pb2.IMAGE), asset_id="nasty"), timeout=DEADLINE)
        self.assertEqual(made.display_name, self.NASTY)
        self.simulator.fail("kyy", "video.create", {
            "kind": "status", "status": 429, "body": json.dumps({"msg": self.NASTY})})
        task = gateway.create_video("kyy", "nasty", prompt=self.NASTY, max_wait=0.2).name
        for words in (("assets", "list"), ("assets", "get", "nasty"), ("videos", "list"),
                      ("videos", "get", task), ("assets", "get", "nasty", "--output", "json"),
                      ("videos", "get", self.NASTY), ("assets", "create", self.NASTY),
                      ("assets", "list", "--page-token", self.NASTY)):
            done = self.run_program("assetctl", "--server", gateway.address, *words)
            for line in (done.stdout + done.stderr).splitlines(keepends=True):
                self.assertEqual(self.controls_in(line.removesuffix("\n")), [], (words, line))

    @staticmethod
    def controls_in(text, also=""):
        return [c for c in text if c < " " or "\x7f" <= c <= "\x9f" or c in also]

    def run_with_log(self, log_format):
        self.simulator = self.start_simulator()
        self.write_config(config_text(self.simulator.url,
                                      f"log: {{format: {log_format}, level: debug}}\n"))
        gateway = self.start_gateway() if log_format == "json" else TextGateway(self.folder)
        self.addCleanup(gateway.end, signal.SIGKILL)
        self.provoke(gateway)
        self.assertEqual(gateway.end(), 0)
        lines = gateway.lines
        self.assertGreater(len(lines), 30)
        for line in lines:
            # No line contains a character that any program takes for a line break.
            self.assertEqual(self.controls_in(line, "\u2028\u2029"), [], line)
        return lines

    def test_json_lines_cannot_be_forged(self):
        for text in self.run_with_log("json"):
            line = json.loads(text, object_pairs_hook=self.no_key_twice)
            self.assertLessEqual({"time", "level", "message"}, line.keys())
            self.assertNotEqual(line["message"], "forged line")

    def test_text_lines_cannot_be_forged(self):
        for line in self.run_with_log("text"):
            bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
            self.assertRegex(bare, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (DEBUG|INFO|WARNING|ERROR) ")
            self.assertFalse(bare.startswith("2026-01-01T00:00:00Z"), line)
            self.assertNotIn("forged", bare, line)
            self.assertNotIn("level=", bare, line)

    def no_key_twice(self, pairs):
        self.assertEqual(len({key for key, _ in pairs}), len(pairs), pairs)
        return dict(pairs)


class DebugTest(ProgramTest):
    CONFIG_EXTRA = "debug: {reflection: true, channelz: true}\n"

    def test_reflection_and_channelz_answer_where_enabled(self):
        _, gateway = self.start_both()
        info = gateway.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        services = next(info(iter([b"\x3a\x00"]), timeout=DEADLINE))  # list_services: ""
        for service in ("AssetService", "VideoService", "ProviderService"):
            self.assertIn(f"assetgate.v1.{service}".encode(), services)
        servers = gateway.channel.unary_unary("/grpc.channelz.v1.Channelz/GetServers")
        # GetServersResponse.server, repeated or not empty.
        self.assertEqual(servers(b"", timeout=DEADLINE)[:1], b"\x0a")


def status_bytes(error):
    return programs.status_of(error).SerializeToString()


class DemoTest(unittest.TestCase):
    @unittest.skipUnless((programs.ROOT / "deploy/demo.sh").exists(), "no demo here")
    def test_the_demo_succeeds(self):
        result = subprocess.run(
            [programs.ROOT / "deploy/demo.sh", "--fast", "--bin", programs.BIN], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    @unittest.skipUnless((programs.ROOT / "deploy/demo.sh").exists(), "no demo here")
    def test_the_demo_of_several_gateways_succeeds(self):
        result = subprocess.run(
            [programs.ROOT / "deploy/demo.sh", "--replicas", "2", "--fast", "--bin", programs.BIN],
            text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("3 videos, each submitted once", result.stdout)


if __name__ == "__main__":
    unittest.main()
