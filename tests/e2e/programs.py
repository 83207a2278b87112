"""The real programs, started for a test and always ended after it.

All ports are 0; the programs print the ports that they got. Tests never sleep: they poll for a
condition, with a deadline.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc

from profiles import MODELS, PROFILES, WITH_IDEMPOTENCY_KEY  # noqa: F401

sys.path.insert(0, os.environ["GEN_DIR"])

from assetgate.v1 import asset_pb2, asset_service_pb2, asset_service_pb2_grpc  # noqa: E402
from assetgate.v1 import common_pb2, explanation_pb2  # noqa: E402
from assetgate.v1 import provider_service_pb2, provider_service_pb2_grpc  # noqa: E402
from assetgate.v1 import video_service_pb2, video_service_pb2_grpc, video_task_pb2  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["BIN_DIR"])
# No output and no file may contain these.
KEY = "sim-key-e2e-9f3b7c51d2"
# For every wait; reached only by a defect.
DEADLINE = 60


def wait_for(condition, what, deadline=DEADLINE):
    """Polls until `condition()` is true, and returns its value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)  # Between two polls.


class Process:
    """A program and its output, line by line."""

    STDIN = subprocess.DEVNULL
    # The id of the user to run under; None: the current one.
    USER = None

    def __init__(self, name, *arguments, env=None, cwd=None):
        self.lines = []
        self._changed = threading.Condition()
        self._done = False
        self.process = subprocess.Popen(
            [BIN / name, *map(str, arguments)], stdin=self.STDIN, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, user=self.USER, text=True, errors="replace", cwd=cwd,
            env={**os.environ, **(env or {})})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._done = True
            self._changed.notify_all()

    @property
    def text(self):
        with self._changed:
            return "\n".join(self.lines)

    def wait_line(self, matches, deadline=DEADLINE):
        """Waits for the first line that `matches`, and returns it."""
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                for line in self.lines:
                    if matches(line):
                        return line
                if self._done:
                    raise AssertionError("the program ended:\n" + "\n".join(self.lines))
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("never said:\n" + "\n".join(self.lines))
                self._changed.wait(left)

    def end(self, signum=signal.SIGTERM, deadline=DEADLINE):
        """Sends the signal and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        code = self.process.wait(deadline)
        self._reader.join(deadline)
        self.process.stdout.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code


class Simulator(Process):
    def __init__(self, *arguments):
        super().__init__("provider-simulator", "--port", 0, "--api-key", KEY, *arguments)
        self.url = self.wait_line(lambda line: "listening on" in line).rsplit(" ", 1)[1]

    def control(self, path, body=None, method=None):
        """The answer to one call of the control API."""
        request = urllib.request.Request(
            f"{self.url}/_control/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            text = response.read()
        return json.loads(text) if text else None

    def fail(self, provider, call, fault, times=None):
        rule = {"provider": provider, "call": call, "fault": fault}
        if times is not None:
            rule["times"] = times
        self.control("faults", rule)

    def heal(self):
        self.control("faults", method="DELETE")

    def requests(self, provider, call):
        return self.control(f"requests?provider={provider}&call={call}&limit=10000")


SQLITE = "store: {sqlite: {path: assetgate.db}}"


def config_text(simulator_url, extra="", store=SQLITE):
    """A config with all providers at the simulator."""
    def braces(entries):
        return "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"

    def provider(name, profile):
        base_url = simulator_url + profile["mount"]
        fields = {"id": name, "base_url": f'"{base_url}"',
                  "credential": braces({secret: "{env: E2E_KEY}"
                                        for secret in profile.get("secrets", ["api_key"])}),
                  "limits": "{requests_per_second: 1000, max_in_flight: 100}"}
        if "planes" in profile:
            fields["planes"] = braces({plane: f'"{base_url}{mount}"'
                                       for plane, mount in profile["planes"].items()})
        return braces(fields)

    providers = "\n".join(f"  - {provider(*each)}" for each in PROFILES.items())
    targets = "\n".join(f"      - {{provider: {name}, model: {model}}}"
                        for name, model in MODELS.items())
    return f"""\
listen: 127.0.0.1:0
admin: {{listen: 127.0.0.1:0}}
{store}
providers:
{providers}
routes:
  - model: seedance-2
    targets:
{targets}
tracking: {{first_poll: 50ms, min_poll: 50ms, max_poll: 100ms}}
{extra}"""


class Gateway(Process):
    """assetgate on a config in `folder`, and stubs for it."""

    PROGRAM = "assetgate"

    def __init__(self, folder, arguments=(), **env):
        super().__init__(self.PROGRAM, "--config", "assetgate.yaml", *arguments, cwd=folder,
                         env={"E2E_KEY": KEY, **env})
        self.address, self.admin = self.wait_serving()
        self.channel = grpc.insecure_channel(self.address)
        self.assets = asset_service_pb2_grpc.AssetServiceStub(self.channel)
        self.videos = video_service_pb2_grpc.VideoServiceStub(self.channel)
        self.providers = provider_service_pb2_grpc.ProviderServiceStub(self.channel)

    def wait_serving(self):
        """The addresses of its gRPC and its admin port."""
        line = json.loads(self.wait_line(lambda text: '"message":"serving"' in text))
        return line["listen"], line["admin"]

    def end(self, signum=signal.SIGTERM, deadline=DEADLINE):
        code = super().end(signum, deadline)
        self.channel.close()
        return code

    def page(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=DEADLINE) as response:
            return response.read().decode()

    def create_video(self, provider, request_id, prompt="a cat", max_wait=1.0, **call):
        request = video_service_pb2.CreateVideoTaskRequest(
            request_id=request_id, video_task=video_task_pb2.VideoTask(
                model=f"providers/{provider}/models/{MODELS[provider]}", prompt=prompt))
        request.max_wait.FromMilliseconds(int(max_wait * 1000))
        return self.videos.CreateVideoTask(request, timeout=DEADLINE, **call)

    def create_asset(self, uri, providers, request_id="", **call):
        return self.assets.CreateAsset(asset_service_pb2.CreateAssetRequest(
            request_id=request_id, providers=[f"providers/{name}" for name in providers],
            asset=asset_pb2.Asset(source_uri=uri, media_type=common_pb2.IMAGE)),
            timeout=DEADLINE, **call)

    def watch_videos(self, names=(), until_settled=False, resume_token=b""):
        return self.videos.WatchVideoTasks(video_service_pb2.WatchVideoTasksRequest(
            names=names, until_settled=until_settled, resume_token=resume_token), timeout=DEADLINE)

    def settle(self, names):
        """Watches the tasks to their end; returns the last state of each, by name."""
        held = {}
        for event in self.watch_videos(names, until_settled=True):
            if event.type == common_pb2.PUT:
                held[event.video_task.name] = event.video_task
        return held


def status_of(error):
    """The google.rpc.Status of a grpc.RpcError."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()


def detail_of(error, kind):
    """The detail of that type in a grpc.RpcError, or None."""
    for packed in status_of(error).details:
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def reason_of(error):
    info = detail_of(error, error_details_pb2.ErrorInfo)
    return info.reason if info else None


class ProgramTest(unittest.TestCase):
    """A folder of its own, and programs that end with the test."""

    CONFIG_EXTRA = ""
    SIMULATOR_FLAGS = ("--asset-delay", "100ms", "--queue-delay", "50ms", "--video-delay", "200ms")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assetgate-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # The output of all programs, for the tests that search it.
        self.started = []

    def start_simulator(self, *flags):
        return self._started(Simulator(*(flags or self.SIMULATOR_FLAGS)))

    def write_config(self, text):
        (self.folder / "assetgate.yaml").write_text(text)

    def start_gateway(self, **env):
        return self._started(Gateway(self.folder, **env))

    def start_both(self):
        simulator = self.start_simulator()
        self.write_config(config_text(simulator.url, self.CONFIG_EXTRA))
        return simulator, self.start_gateway()

    def run_program(self, name, *arguments, timeout=DEADLINE, **env):
        """Runs a program until it exits."""
        return subprocess.run(
            [BIN / name, *map(str, arguments)], cwd=self.folder, timeout=timeout, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env={**os.environ, "E2E_KEY": KEY, **env})

    def _started(self, process):
        self.started.append(process)
        self.addCleanup(process.end, signal.SIGKILL)
        return process
