"""Real processes for end-to-end tests: a gateway and a simulator, on ports that the system chooses.

The environment says where the programs are: BIN_DIR. Everything a test writes is under its own
temporary folder, which goes with it.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import grpc

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ["BIN_DIR"]
STUBS = os.path.join(os.environ.get("STUBS_DIR", tempfile.gettempdir()), "assetgate-stubs")
# Nothing of ours takes that long; who waits longer waits for a defect.
PATIENCE = 60
KEY = "e2e-secret-key-7b1f"

if not os.path.isdir(os.path.join(STUBS, "assetgate")):
    subprocess.run([os.path.join(SOURCE, "examples/python/generate.sh"), STUBS], check=True,
                   stdout=subprocess.DEVNULL)
sys.path.insert(0, STUBS)

from assetgate.v1 import asset_service_pb2_grpc, provider_service_pb2_grpc  # noqa: E402
from assetgate.v1 import video_service_pb2_grpc  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402

MODELS = {
    "zerozero": "providers/zerozero/models/seedance-2-0",
    "apiframe": "providers/apiframe/models/seedance-2",
    "kyy": "providers/kyy/models/seedance_2_0_pro",
    "octopusx": "providers/octopusx/models/doubao-seedance-2-0-260128",
}


def wait_for(condition, what, patience=PATIENCE):
    """Waits until `condition()` gives something true, and gives that."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"never happened within {patience} s: {what}")
        # Between two looks at another process; nothing depends on its length.
        time.sleep(0.02)


def details(error):
    """The google.rpc.Status of a grpc.RpcError, and its ErrorInfo."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for packed in status.details:
                info = error_details_pb2.ErrorInfo()
                if packed.Unpack(info):
                    return status, info
    return None, error_details_pb2.ErrorInfo()


class Process:
    """A program whose output goes into a file, and which ends with the test."""

    def __init__(self, argv, log, env=None):
        self.log_path = log
        with open(log, "ab") as out:
            self._process = subprocess.Popen(argv, stdout=out, stderr=out, env=env,
                                             stdin=subprocess.DEVNULL)

    @property
    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def running(self):
        return self._process.poll() is None

    def send(self, number):
        self._process.send_signal(number)

    def wait(self):
        return self._process.wait(PATIENCE)

    def kill(self):
        if self.running():
            self._process.kill()
        return self.wait()


class Simulator(Process):
    """provider-simulator."""

    def __init__(self, folder, *flags):
        super().__init__([os.path.join(BIN, "provider-simulator"), "--port", "0", "--api-key", KEY,
                          *flags], os.path.join(folder, "simulator.log"))
        found = wait_for(lambda: re.search(r"listening on (http://\S+)", self.output),
                         "the simulator listens")
        self.url = found.group(1)

    def control(self, path, body=None):
        """Asks the control API: GET without a body, POST with one."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/_control/{path}", data, PATIENCE) as answer:
            return json.load(answer)

    def fault(self, provider, call, fault, times=1):
        self.control("faults", {"provider": provider, "call": call, "fault": fault, "times": times})

    def requests(self, provider, call):
        """What it was asked, oldest first."""
        answer = self.control(f"requests?provider={provider}&call={call}")
        return answer if isinstance(answer, list) else answer["requests"]


class Gateway(Process):
    """assetgate, with stubs to call it."""

    CONFIG = """
listen: 127.0.0.1:0
admin: {{listen: 127.0.0.1:0}}
store: {{sqlite: {{path: {store}}}}}
providers:
  - {{id: zerozero, base_url: {url}/zerozero/v1, credential: {{api_key: {{env: E2E_KEY}}}}}}
  - {{id: apiframe, base_url: {url}/apiframe/v2, credential: {{api_key: {{env: E2E_KEY}}}}}}
  - {{id: kyy, base_url: {url}/kyy, credential: {{api_key: {{env: E2E_KEY}}}}}}
  - {{id: octopusx, base_url: {url}/octopusx, credential: {{api_key: {{env: E2E_KEY}}}}}}
routes:
  - model: seedance-2
    targets:
      - {{provider: zerozero, model: seedance-2-0}}
      - {{provider: apiframe, model: seedance-2, priority: 1}}
tracking: {{first_poll: 100ms, min_poll: 100ms, max_poll: 300ms}}
log: {{format: json, level: debug}}
"""

    def __init__(self, folder, simulator_url, name="gateway"):
        self.store = os.path.join(folder, "assetgate.db")
        config = os.path.join(folder, f"{name}.yaml")
        with open(config, "w", encoding="utf-8") as out:
            out.write(self.CONFIG.format(store=self.store, url=simulator_url))
        log = os.path.join(folder, f"{name}.log")
        begin = os.path.getsize(log) if os.path.exists(log) else 0
        super().__init__([os.path.join(BIN, "assetgate"), "--config", config], log,
                         dict(os.environ, E2E_KEY=KEY))

        def serving():
            for line in self.output[begin:].splitlines():
                if '"message":"serving"' in line:
                    return json.loads(line)
            return None if self.running() else {"ended": True}

        said = wait_for(serving, "the gateway serves")
        if "ended" in said:
            raise AssertionError(f"the gateway ended at once: {self.output[begin:]}")
        self.address, self.admin = said["listen"], said["admin"]
        self.channel = grpc.insecure_channel(self.address)
        self.assets = asset_service_pb2_grpc.AssetServiceStub(self.channel)
        self.videos = video_service_pb2_grpc.VideoServiceStub(self.channel)
        self.providers = provider_service_pb2_grpc.ProviderServiceStub(self.channel)

    def page(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", None, PATIENCE) as answer:
            return answer.read().decode()

    def log_lines(self):
        """The log, a dict per line; what is no JSON fails the test that looks."""
        return [json.loads(line) for line in self.output.splitlines() if line]

    def stop(self):
        """Ends it as Kubernetes does; gives its exit code."""
        self.channel.close()
        self.send(signal.SIGTERM)
        return self.wait()


class TestCase(unittest.TestCase):
    """A test with a folder, and programs that end with it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assetgate-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start_simulator(self, *flags):
        simulator = Simulator(self.folder, *flags)
        self.addCleanup(simulator.kill)
        return simulator

    def start_gateway(self, simulator, name="gateway"):
        gateway = Gateway(self.folder, simulator.url, name)
        self.addCleanup(gateway.kill)
        return gateway

    def assert_fails(self, code, reason, call, *arguments, **options):
        """The call fails with that code and reason; gives the google.rpc.Status."""
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, timeout=PATIENCE, **options)
        status, info = details(caught.exception)
        self.assertEqual((caught.exception.code(), info.reason), (code, reason),
                         caught.exception.details())
        return status
