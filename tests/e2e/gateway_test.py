"""The gateway as its users meet it: real processes, real gRPC, and the plug pulled."""

import os
import random
import signal
import subprocess
import sys
import threading
import unittest

import grpc

import rig
from rig import MODELS, PATIENCE, wait_for
from assetgate.v1 import asset_pb2, asset_service_pb2, common_pb2, provider_service_pb2
from assetgate.v1 import video_service_pb2, video_task_pb2
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

Asset, Placement, VideoTask = asset_pb2.Asset, asset_pb2.Placement, video_task_pb2.VideoTask
IMAGE = "https://media.example.org/hero.png"


def create_asset(**fields):
    asset = Asset(source_uri=fields.pop("uri", IMAGE), media_type=fields.pop("media_type", common_pb2.IMAGE))
    return asset_service_pb2.CreateAssetRequest(asset=asset, **fields)


def create_video(model, **fields):
    return video_service_pb2.CreateVideoTaskRequest(
        video_task=VideoTask(model=model, prompt=fields.pop("prompt", "waves"),
                             references=fields.pop("references", ())), **fields)


class Serving(rig.TestCase):
    def test_a_video_from_an_asset_at_every_provider(self):
        gateway = self.start_gateway(self.start_simulator("--asset-delay", "200ms", "--queue-delay",
                                                          "100ms", "--video-delay", "300ms"))
        gateway.assets.CreateAsset(create_asset(asset_id="hero", providers=list(MODELS)),
                                   timeout=PATIENCE)
        for provider, model in MODELS.items():
            gateway.videos.CreateVideoTask(
                create_video(model, video_task_id=provider, references=[video_task_pb2.Reference(
                    role=video_task_pb2.Reference.REFERENCE, asset="assets/hero")]),
                timeout=PATIENCE)
        events = gateway.videos.WatchVideoTasks(
            video_service_pb2.WatchVideoTasksRequest(until_settled=True), timeout=PATIENCE)
        last = {event.video_task.name: event.video_task for event in events
                if event.type == common_pb2.PUT}
        self.assertEqual({name: VideoTask.State.Name(task.state) for name, task in last.items()},
                         {f"videoTasks/{provider}": "SUCCEEDED" for provider in MODELS})
        for task in last.values():
            self.assertTrue(task.video.uri.startswith("http://127.0.0.1:"), task.video.uri)

    def test_reflection_and_health_answer(self):
        gateway = self.start_gateway(self.start_simulator())
        call = gateway.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(call(b"", timeout=PATIENCE), b"\x08\x01")  # status: SERVING
        listing = gateway.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        answer = next(iter(listing(iter([b"\x3a\x00"]), timeout=PATIENCE)))  # list_services: ""
        for service in (b"assetgate.v1.AssetService", b"assetgate.v1.VideoService",
                        b"assetgate.v1.ProviderService"):
            self.assertIn(service, answer)

    def test_a_message_over_the_limit_is_refused(self):
        gateway = self.start_gateway(self.start_simulator())
        big = create_asset()
        big.asset.display_name = "x" * (5 << 20)
        with self.assertRaises(grpc.RpcError) as caught:
            gateway.assets.CreateAsset(big, timeout=PATIENCE)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_all_faulty_fields_are_named_at_once(self):
        gateway = self.start_gateway(self.start_simulator())
        request = create_asset(uri="http://169.254.169.254/meta", asset_id="No!", media_type=0)
        status = self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD",
                                   gateway.assets.CreateAsset, request)
        bad = error_details_pb2.BadRequest()
        self.assertTrue(any(packed.Unpack(bad) for packed in status.details))
        self.assertEqual({v.field for v in bad.field_violations},
                         {"asset.source_uri", "asset.media_type", "asset_id"})

    def test_what_is_not_there_is_said_with_its_name(self):
        gateway = self.start_gateway(self.start_simulator())
        missing = grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"
        self.assert_fails(*missing, gateway.assets.GetAsset,
                          asset_service_pb2.GetAssetRequest(name="assets/nobody"))
        self.assert_fails(*missing, gateway.assets.CreateAsset, create_asset(providers=["kii"]))
        status = self.assert_fails(*missing, gateway.videos.CreateVideoTask,
                                   create_video("seedance-3"))
        self.assertIn("nearest first: seedance-2", status.message)

    def test_a_request_id_gives_the_first_answer_again(self):
        simulator = self.start_simulator()
        gateway = self.start_gateway(simulator)
        request = create_video(MODELS["kyy"], request_id="one")
        first = gateway.videos.CreateVideoTask(request, timeout=PATIENCE)
        again = gateway.videos.CreateVideoTask(request, timeout=PATIENCE)
        self.assertEqual(first.name, again.name)
        self.assertEqual(len(simulator.requests("kyy", "video.create")), 1)
        self.assert_fails(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED",
                          gateway.videos.CreateVideoTask,
                          create_video(MODELS["kyy"], request_id="one", prompt="other"))

    def test_a_refused_create_leaves_nothing_behind(self):
        simulator = self.start_simulator()
        gateway = self.start_gateway(simulator)
        simulator.fault("kyy", "asset.create", {"kind": "status", "status": 401})
        request = create_asset(providers=["kyy"], asset_id="hero", request_id="r")
        self.assert_fails(grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_CREDENTIALS_REJECTED",
                          gateway.assets.CreateAsset, request)
        self.assert_fails(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", gateway.assets.GetAsset,
                          asset_service_pb2.GetAssetRequest(name="assets/hero"))
        self.assertEqual(gateway.assets.CreateAsset(request, timeout=PATIENCE).name, "assets/hero")

    def test_log_lines_carry_request_and_trace(self):
        gateway = self.start_gateway(self.start_simulator())
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        gateway.assets.CreateAsset(create_asset(providers=["kyy"], request_id="my-request"),
                                   timeout=PATIENCE,
                                   metadata=[("traceparent", f"00-{trace}-00f067aa0ba902b7-01")])
        gateway.stop()
        lines = [line for line in gateway.log_lines() if line.get("request_id") == "my-request"]
        self.assertIn("call", [line["message"] for line in lines])
        self.assertIn("provider call", [line["message"] for line in lines])
        self.assertEqual({line["trace_id"] for line in lines}, {trace})

    def test_metrics_and_probes(self):
        gateway = self.start_gateway(self.start_simulator())
        gateway.assets.CreateAsset(create_asset(providers=["kyy"]), timeout=PATIENCE)
        metrics = gateway.page("/metrics")
        for name in ("assetgate_rpcs_total", "assetgate_rpc_seconds", "assetgate_upstream_calls_total",
                     "assetgate_upstream_seconds", "assetgate_submissions_total",
                     "assetgate_unfinished", "assetgate_open_streams", "assetgate_queue_depth",
                     "assetgate_store_commit_seconds", "assetgate_provider_state"):
            self.assertIn(f"\n{name}", metrics)
        self.assertIn("ok", gateway.page("/healthz"))
        self.assertIn("ready", gateway.page("/readyz"))

    def test_secrets_are_in_nothing_that_is_written(self):
        simulator = self.start_simulator()
        gateway = self.start_gateway(simulator)
        # A provider that echoes the key it was given.
        simulator.fault("kyy", "asset.create", {
            "kind": "status", "status": 400,
            "body": '{"code":400,"msg":"bad key ' + rig.KEY + '","data":null}'})
        with self.assertRaises(grpc.RpcError) as caught:
            gateway.assets.CreateAsset(create_asset(providers=["kyy"]), timeout=PATIENCE)
        self.assertNotIn(rig.KEY, caught.exception.details())
        for provider in MODELS:
            gateway.assets.CreateAsset(create_asset(providers=[provider]), timeout=PATIENCE)
        self.assertNotIn(rig.KEY, gateway.page("/metrics"))
        gateway.stop()
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name), "rb") as file:
                self.assertNotIn(rig.KEY.encode(), file.read(), name)


class Starting(rig.TestCase):
    def run_gateway(self, *arguments):
        return subprocess.run([os.path.join(rig.BIN, "assetgate"), *arguments], text=True,
                              capture_output=True, timeout=PATIENCE, check=False)

    def test_a_second_process_on_one_store_is_refused(self):
        simulator = self.start_simulator()
        first = self.start_gateway(simulator)
        with self.assertRaises(AssertionError) as caught:
            self.start_gateway(simulator, "second")
        self.assertIn(first.store, str(caught.exception))
        self.assertTrue(first.running())

    def test_a_bad_config_gets_a_line_per_fault(self):
        path = os.path.join(self.folder, "bad.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write("listen: nowhere\nproviders:\n  - {id: kyy, dialekt: kyy}\nbananas: 3\n")
        for flag in ("--config", "--check-config"):
            ended = self.run_gateway(flag, path)
            self.assertEqual(ended.returncode, 2, ended.stderr)
            lines = [line for line in ended.stderr.splitlines() if line]
            self.assertGreaterEqual(len(lines), 4, ended.stderr)
            self.assertTrue(all(line.startswith(f"{path}:") for line in lines), ended.stderr)

    def test_a_port_in_use_is_named(self):
        first = self.start_gateway(self.start_simulator())
        config = os.path.join(self.folder, "gateway.yaml")
        with open(config, encoding="utf-8") as file:
            text = file.read()
        other = os.path.join(self.folder, "other.yaml")
        with open(other, "w", encoding="utf-8") as out:
            out.write(text.replace("listen: 127.0.0.1:0", f"listen: {first.address}", 1)
                      .replace("assetgate.db", "other.db"))
        ended = subprocess.run([os.path.join(rig.BIN, "assetgate"), "--config", other], text=True,
                               capture_output=True, timeout=PATIENCE, check=False,
                               env=dict(os.environ, E2E_KEY=rig.KEY))
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn(first.address, ended.stderr)


class Ending(rig.TestCase):
    def test_sigterm_ends_streams_with_a_bookmark_and_draining(self):
        gateway = self.start_gateway(self.start_simulator())
        gateway.assets.CreateAsset(create_asset(asset_id="hero"), timeout=PATIENCE)
        stream = gateway.assets.WatchAssets(asset_service_pb2.WatchAssetsRequest(), timeout=PATIENCE)
        seen = [next(stream) for _ in range(3)]
        self.assertTrue(seen[-1].snapshot_complete)
        gateway.send(signal.SIGTERM)
        with self.assertRaises(grpc.RpcError) as caught:
            seen.extend(stream)
        _, info = rig.details(caught.exception)
        self.assertEqual((caught.exception.code(), info.reason),
                         (grpc.StatusCode.UNAVAILABLE, "DRAINING"))
        self.assertEqual(seen[-1].type, common_pb2.BOOKMARK)
        self.assertEqual(gateway.wait(), 0)


class Dying(rig.TestCase):
    """kill -9 at random moments: nothing acknowledged is lost, no video is bought twice."""

    ROUNDS = 4
    CALLERS = 6

    def test_killed_again_and_again(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        simulator = self.start_simulator("--asset-delay", "200ms", "--queue-delay", "100ms",
                                         "--video-delay", "300ms", "--latency", "5ms")
        acknowledged, lock = set(), threading.Lock()
        token, held = b"", {}
        for number in range(self.ROUNDS):
            gateway = self.start_gateway(simulator)
            stop = threading.Event()

            def call(caller, gateway=gateway, number=number, stop=stop):
                for i in range(1000):
                    if stop.is_set():
                        return
                    name = f"r{number}-c{caller}-{i}"
                    try:
                        if i % 2:
                            made = gateway.videos.CreateVideoTask(
                                create_video(MODELS["kyy" if i % 4 == 1 else "apiframe"],
                                             video_task_id=name), timeout=PATIENCE)
                        else:
                            made = gateway.assets.CreateAsset(
                                create_asset(asset_id=name, providers=["octopusx"]),
                                timeout=PATIENCE)
                    except grpc.RpcError:
                        return
                    with lock:
                        acknowledged.add(made.name)

            callers = [threading.Thread(target=call, args=(c,)) for c in range(self.CALLERS)]
            for thread in callers:
                thread.start()
            target = len(acknowledged) + chance.randint(20, 120)
            # Follows assets all the while, going on after the last bookmark.
            stream = gateway.assets.WatchAssets(
                asset_service_pb2.WatchAssetsRequest(resume_token=token), timeout=PATIENCE)
            watcher_done = threading.Event()

            def watch(stream=stream, done=watcher_done):
                nonlocal token
                try:
                    for event in stream:
                        if event.type == common_pb2.RESET:
                            held.clear()
                        elif event.type == common_pb2.PUT:
                            held[event.asset.name] = event.asset
                        elif event.type == common_pb2.BOOKMARK:
                            token = event.resume_token
                except grpc.RpcError:
                    pass
                done.set()

            threading.Thread(target=watch).start()
            wait_for(lambda: len(acknowledged) >= target, "enough creates before the kill")
            gateway.send(signal.SIGKILL)
            gateway.wait()
            stop.set()
            for thread in callers:
                thread.join(PATIENCE)
            self.assertTrue(watcher_done.wait(PATIENCE))
            gateway.channel.close()

        gateway = self.start_gateway(simulator)
        tasks = {event.video_task.name: event.video_task
                 for event in gateway.videos.WatchVideoTasks(
                     video_service_pb2.WatchVideoTasksRequest(until_settled=True), timeout=PATIENCE)
                 if event.type == common_pb2.PUT}
        for event in gateway.assets.WatchAssets(
                asset_service_pb2.WatchAssetsRequest(resume_token=token, until_settled=True),
                timeout=PATIENCE):
            self.assertNotEqual(event.type, common_pb2.RESET, "the token was good")
            if event.type == common_pb2.PUT:
                held[event.asset.name] = event.asset
        self.assertEqual({name for name in acknowledged if name.startswith("videoTasks/")} - set(tasks),
                         set(), "acknowledged tasks that are lost")
        self.assertEqual({name for name in acknowledged if name.startswith("assets/")} - set(held),
                         set(), "acknowledged assets that are lost, or that the watch skipped")
        for name, asset in held.items():
            self.assertEqual(Asset.State.Name(asset.state), "ACTIVE", name)
        for name, task in tasks.items():
            # What was under way when the plug was pulled is not guessed at where that costs money.
            self.assertIn(VideoTask.State.Name(task.state), ("SUCCEEDED", "UNCONFIRMED"), name)
            if name in acknowledged:
                self.assertEqual(VideoTask.State.Name(task.state), "SUCCEEDED", name)
        # At most one video per task at the providers: what they made is what tasks can account for.
        upstream = [attempt.provider_task_id for task in tasks.values() for attempt in task.attempts
                    if attempt.provider_task_id]
        self.assertEqual(len(upstream), len(set(upstream)))
        unknown = sum(task.state == VideoTask.UNCONFIRMED for task in tasks.values())
        state = simulator.control("stats")["made"]
        made = sum(state[provider]["videos"] for provider in ("kyy", "apiframe"))
        self.assertLessEqual(made, len(upstream) + unknown)
        self.assertGreaterEqual(made, len(upstream))
        self.assertEqual(gateway.stop(), 0)


class Clients(rig.TestCase):
    def assetctl(self, gateway, *arguments):
        return subprocess.run([os.path.join(rig.BIN, "assetctl"), "--server", gateway.address,
                               *arguments], text=True, capture_output=True, timeout=PATIENCE,
                              check=False)

    def test_assetctl_tells_scripts_how_it_went(self):
        gateway = self.start_gateway(self.start_simulator("--asset-delay", "100ms"))
        made = self.assetctl(gateway, "assets", "create", IMAGE, "--id", "hero", "--provider", "kyy",
                             "--wait")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("ACTIVE", made.stdout)
        self.assertEqual(self.assetctl(gateway, "assets", "get", "nobody").returncode, 4)
        self.assertEqual(self.assetctl(gateway, "assets", "create", "/tmp/x.png").returncode, 3)
        self.assertEqual(self.assetctl(gateway, "assets", "create", IMAGE, "--id", "hero").returncode, 5)

    def test_the_python_example(self):
        gateway = self.start_gateway(self.start_simulator(
            "--asset-delay", "200ms", "--queue-delay", "100ms", "--video-delay", "200ms"))
        output = os.path.join(self.folder, "out.mp4")
        ended = subprocess.run(
            [sys.executable, os.path.join(rig.SOURCE, "examples/python/follow.py"), "--server",
             gateway.address, "--model", "seedance-2", "--image", IMAGE, "--prompt", "image 1 waves",
             "--output", output], text=True, capture_output=True, timeout=PATIENCE, check=False,
            env=dict(os.environ, PYTHONPATH=rig.STUBS))
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        with open(output, "rb") as file:
            self.assertEqual(file.read(12)[4:8], b"ftyp")


if __name__ == "__main__":
    unittest.main()
