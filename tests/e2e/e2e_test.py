#!/usr/bin/env python3
"""The programs as they are shipped, over real gRPC: crashes, going away, bad configs, and what
callers, operators and scripts rely on. Run by CTest, which sets BIN_DIR and GEN_DIR."""

import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

import grpc

import programs
from programs import (DEADLINE, KEY, MODELS, ProgramTest, asset_pb2, common_pb2, config_text,
                      detail_of, error_details_pb2, reason_of, video_task_pb2, wait_for)

SUCCEEDED = video_task_pb2.VideoTask.SUCCEEDED
UNCONFIRMED = video_task_pb2.VideoTask.UNCONFIRMED


class KillTest(ProgramTest):
    """kill -9 at any moment loses nothing that was acknowledged, and pays for nothing twice."""

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
                # The prompt tells the simulator's requests apart.
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
            # At a random moment, but not before there is something to lose.
            target = before + dice.randrange(1, 12)
            wait_for(lambda target=target: len(acknowledged) >= target, "acknowledged creates")
            gateway.end(signal.SIGKILL)
            stop.set()
            for worker in workers:
                worker.join(DEADLINE)
            gateway = self.start_gateway()

        # Everything acknowledged is there, and every request that got no answer can be repeated.
        for request_id, name in acknowledged.items():
            self.assertEqual(
                gateway.videos.GetVideoTask(
                    programs.video_service_pb2.GetVideoTaskRequest(name=name)).prompt,
                f"cat {request_id}")
        for request_id, provider in asked:
            name = gateway.create_video(provider, request_id, prompt=f"cat {request_id}").name
            self.assertEqual(acknowledged.setdefault(request_id, name), name)

        # It ends as the provider ends it, or says that only a person can know.
        settled = gateway.settle(list(acknowledged.values()))
        self.assertEqual(set(settled), set(acknowledged.values()))
        for task in settled.values():
            if task.state == UNCONFIRMED:
                self.assertEqual(task.waiting.reason, common_pb2.Waiting.NEEDS_OPERATOR)
                self.assertNotIn("apiframe", task.model, "its key makes repeating safe")
            else:
                self.assertEqual(task.state, SUCCEEDED, task)

        # At most one video of each at the provider.
        for provider in MODELS:
            made = {}
            for request in simulator.requests(provider, "video.create"):
                prompt = re.search(r"cat r\d+-\d+-\d+", request["body"]).group()
                if request["object_id"]:
                    made.setdefault(prompt, set()).add(request["object_id"])
            for prompt, objects in made.items():
                self.assertEqual(len(objects), 1, f"{provider} made {prompt} twice: {objects}")

    def test_a_watch_goes_on_with_its_token_after_kill_9(self):
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
    """A backup is put back: what came after it is gone, and nobody is told a gap for the whole."""

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
        # The revisions that the token has seen are now those of something else.
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
    """The connection is cut after zerozero has made the video, or before: only a person can know."""

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

    def test_what_was_made_is_found_and_followed(self):
        self.cut("fox", after_work=True)
        cancelled = self.assetctl("videos", "cancel", "fox")
        self.assertEqual(cancelled.returncode, 6)
        self.assertIn("videos resolve", cancelled.stderr)
        # What an operator finds at the provider.
        found = [video["id"] for video in self.simulator.control("state")["zerozero"]["videos"]]
        self.assertEqual(len(found), 1, found)
        wrong = self.assetctl("videos", "resolve", "fox", "--provider-task-id", "Asset-1")
        self.assertEqual(wrong.returncode, 3)
        self.assertIn("--provider-task-id", wrong.stderr)
        # It outlives a crash right after it was said.
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
        # Said again it is the same; said otherwise it is not.
        self.assertEqual(self.assetctl(*resolve).returncode, 0)
        otherwise = self.assetctl("videos", "resolve", "fox", "--not-accepted", "--resubmit")
        self.assertEqual(otherwise.returncode, 6)
        self.assertIn("ALREADY_FINISHED", otherwise.stderr)
        self.assertEqual(len(self.created()), 1, "never sent again")

    def test_what_was_not_made_fails_or_is_submitted_anew(self):
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


class GoingAwayTest(ProgramTest):
    def test_sigterm_tells_open_streams_and_exits_with_0(self):
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

    def test_one_store_file_is_for_one_process(self):
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

    def test_check_config_likes_a_good_one_and_touches_nothing(self):
        self.write_config(config_text("http://127.0.0.1:1"))
        result = self.run_program("assetgate", "--check-config", "assetgate.yaml")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["assetgate.yaml"])

    def test_no_config_at_all(self):
        self.assertEqual(self.run_program("assetgate").returncode, 2)
        missing = self.run_program("assetgate", "--config", "nowhere.yaml")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("nowhere.yaml", missing.stderr)


class ServiceTest(ProgramTest):
    """One gateway and one simulator for what does not hurt them."""

    def setUp(self):
        super().setUp()
        self.simulator, self.gateway = self.start_both()

    def test_reflection_and_health_answer(self):
        # Both by hand: the messages are small, and Debian has no packages of their classes.
        check = self.gateway.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=DEADLINE), b"\x08\x01")  # status: SERVING
        info = self.gateway.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        answers = info(iter([b"\x3a\x00"]), timeout=DEADLINE)  # list_services: ""
        services = next(answers)
        for service in ("AssetService", "VideoService", "ProviderService"):
            self.assertIn(f"assetgate.v1.{service}".encode(), services)

    def test_message_over_the_limit_is_refused(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.gateway.create_video("kyy", "big", prompt="x" * (5 << 20))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_faulty_fields_are_named_all_at_once(self):
        request = programs.asset_service_pb2.CreateAssetRequest(asset=asset_pb2.Asset(
            source_uri="http://127.0.0.1/face.png", display_name="x" * 5000))
        with self.assertRaises(grpc.RpcError) as caught:
            self.gateway.assets.CreateAsset(request, timeout=DEADLINE)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        bad = detail_of(caught.exception, error_details_pb2.BadRequest)
        fields = {violation.field for violation in bad.field_violations}
        self.assertLessEqual({"asset.source_uri", "asset.media_type", "asset.display_name"},
                             fields)

    def test_unknown_things_are_not_found_by_name(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.gateway.create_asset("https://cdn.example.org/a.png", ["kyyy"])
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        found = detail_of(caught.exception, error_details_pb2.ResourceInfo)
        self.assertEqual(found.resource_name, "providers/kyyy")
        self.assertIn("kyy", caught.exception.details())

    def test_pages_for_the_operator(self):
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

    def test_log_lines_carry_the_callers_ids(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        self.gateway.create_video("kyy", "logged-request-1", metadata=[
            ("traceparent", f"00-{trace}-00f067aa0ba902b7-01")])
        self.gateway.wait_line(lambda line: trace in line and "logged-request-1" in line)

    def test_the_key_is_shown_nowhere(self):
        secret_query = "signature-5d41402abc4b"
        self.gateway.create_asset(f"https://cdn.example.org/face.png?sig={secret_query}", MODELS)
        for provider in MODELS:
            # Refused, failed and answered calls: a key must not get out with any of them.
            self.simulator.fail(provider, "video.create",
                                {"kind": "status", "status": 400,
                                 "body": f'{{"error":"bad key {KEY} in call"}}'}, times=1)
            with self.assertRaises(grpc.RpcError) as caught:
                self.gateway.create_video(provider, f"echo-{provider}")
            self.assertNotIn(KEY.encode(), status_bytes(caught.exception))
            self.assertNotIn(KEY, caught.exception.details())
            self.gateway.settle([self.gateway.create_video(provider, f"ok-{provider}").name])
        pages = self.gateway.page("/metrics")
        log = self.gateway
        self.assertEqual(self.gateway.end(), 0)
        self.assertNotIn(KEY, pages)
        self.assertNotIn(KEY, log.text)
        self.assertNotIn(secret_query, log.text)
        self.assertNotIn(secret_query, pages)
        for path in self.folder.iterdir():
            self.assertNotIn(KEY.encode(), path.read_bytes(), path)

    def test_assetctl_says_what_scripts_need(self):
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

    def test_why_a_video_is_stuck_is_answered(self):
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

    def test_the_doctor_looks_beside_a_running_gateway(self):
        before = {path.name for path in self.folder.iterdir()}
        made = [len(self.simulator.requests(provider, "video.create")) for provider in MODELS]
        well = self.run_program("assetgate", "--doctor", "--config", "assetgate.yaml")
        self.assertEqual(well.returncode, 0, well.stdout + well.stderr)
        self.assertIn(f"a gateway has it, process {self.gateway.process.pid}", well.stdout)
        for provider in ("apiframe", "zerozero"):
            self.assertIn(f"provider {provider}: key: \"{provider}\" is taken", well.stdout)
        for provider in ("kyy", "octopusx"):
            self.assertIn(f"provider {provider}: key: not checked", well.stdout)
        wrong = self.run_program("assetgate", "--doctor", "--config", "assetgate.yaml",
                                 E2E_KEY="sk-of-somebody-else-4711")
        self.assertEqual(wrong.returncode, 1, wrong.stdout)
        self.assertRegex(wrong.stdout, r"FAILED +provider zerozero: key: .* is refused")
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


def status_bytes(error):
    return programs.status_of(error).SerializeToString()


class DemoTest(unittest.TestCase):
    @unittest.skipUnless((programs.ROOT / "deploy/demo.sh").exists(), "no demo here")
    def test_demo_comes_to_its_end(self):
        result = subprocess.run(
            [programs.ROOT / "deploy/demo.sh", "--fast", "--bin", programs.BIN], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    @unittest.skipUnless((programs.ROOT / "deploy/demo.sh").exists(), "no demo here")
    def test_demo_of_several_gateways_comes_to_its_end(self):
        result = subprocess.run(
            [programs.ROOT / "deploy/demo.sh", "--replicas", "2", "--fast", "--bin", programs.BIN],
            text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("3 videos, each submitted once", result.stdout)


if __name__ == "__main__":
    unittest.main()
