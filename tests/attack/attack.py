"""Runs floods against the program as it is shipped, and measures their effects."""

import dataclasses
import hashlib
import pathlib
import resource
import signal
import tempfile
import threading
import time

import grpc

from programs import Gateway, config_text, video_service_pb2, video_service_pb2_grpc

TOKEN = "token-of-the-canary-41d8"
CALLERS = f"""\
callers:
  - {{id: canary, token_sha256: [{hashlib.sha256(TOKEN.encode()).hexdigest()}], roles: [READER]}}
drain_delay: 0s
shutdown_timeout: 5s
"""
# The limit of the deployment's container, where the kernel would kill the process.
MEMORY_LIMIT = 1 << 30


@dataclasses.dataclass
class Outcome:
    name: str
    peak: int = 0  # Bytes.
    # Calls of a client with a credential during the flood, and the longest of them in seconds: on a
    # connection from before the flood, and on new ones.
    served: int = 0
    failed: int = 0
    slowest: float = 0.0
    served_new: int = 0
    failed_new: int = 0
    slowest_new: float = 0.0
    serves_after: bool = False
    log_bytes: int = 0
    shutdown: float = 0.0
    # Its exit code, if it ended during the flood.
    ended: int | None = None


class _Background:
    """Repeats `_step` on a thread while its with-block runs."""

    INTERVAL = 0.01

    def __init__(self):
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._over.wait(self.INTERVAL):
            self._step()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


class _Canary(_Background):
    """A client with a credential that calls all the time."""

    INTERVAL = 0.05

    def __init__(self, address, anew):
        super().__init__()
        self._address, self._anew = address, anew
        self.served = self.failed = 0
        self.slowest = 0.0
        self._channel = None

    def call(self, timeout):
        channel = self._channel
        if channel is None or self._anew:
            channel = self._channel = grpc.insecure_channel(
                self._address, options=[("grpc.use_local_subchannel_pool", 1)])
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        try:
            stub.ListVideoTasks(video_service_pb2.ListVideoTasksRequest(), timeout=timeout,
                                metadata=(("authorization", f"Bearer {TOKEN}"),))
            return True
        except grpc.RpcError:
            return False
        finally:
            if self._anew:
                channel.close()

    def _step(self):
        begin = time.monotonic()
        if self.call(5):
            self.served += 1
        else:
            self.failed += 1
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def __exit__(self, *raised):
        super().__exit__(*raised)
        if self._channel is not None:
            self._channel.close()


def _rss(pid, name):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class _MemoryLimit(_Background):
    """Kills the process at the limit, as the kernel would in a container; knows its peak."""

    def __init__(self, process, limit):
        super().__init__()
        self.peak = 0
        self._process, self._limit = process, limit

    def _step(self):
        self.peak = max(self.peak, _rss(self._process.pid, "VmHWM"))
        if _rss(self._process.pid, "VmRSS") > self._limit:
            self._process.kill()


def suffer(flood, seconds, descriptors=None, memory_limit=MEMORY_LIMIT, extra=""):
    """Starts a gateway, floods it for `seconds`, and returns the outcome."""
    with tempfile.TemporaryDirectory(prefix="assetgate-attack-") as folder:
        folder = pathlib.Path(folder)
        (folder / "assetgate.yaml").write_text(config_text("http://127.0.0.1:9", CALLERS + extra))
        gateway = Gateway(folder)
        outcome = Outcome(flood.__name__)
        try:
            if descriptors is not None:
                resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE,
                                 (descriptors, descriptors))
            old, new = _Canary(gateway.address, False), _Canary(gateway.address, True)
            if not old.call(30):
                raise AssertionError("does not serve at all:\n" + gateway.text)
            with _MemoryLimit(gateway.process, memory_limit) as memory:
                with old, new:
                    flood(gateway.address, time.monotonic() + seconds)
                after = _Canary(gateway.address, True)
                begin = time.monotonic()
                while not outcome.serves_after and gateway.process.poll() is None and \
                        time.monotonic() - begin < 30:
                    outcome.serves_after = after.call(5)
                outcome.ended = gateway.process.poll()
                begin = time.monotonic()
                gateway.end(signal.SIGTERM, 120)
                outcome.shutdown = time.monotonic() - begin
            outcome.peak = memory.peak
            outcome.served, outcome.failed, outcome.slowest = old.served, old.failed, old.slowest
            outcome.served_new, outcome.failed_new, outcome.slowest_new = (
                new.served, new.failed, new.slowest)
            outcome.log_bytes = len(gateway.text)
        finally:
            gateway.end(signal.SIGKILL)
        return outcome


HEADER = (f"{'flood':32}{'peak MiB':>9}{'served':>8}{'failed':>7}{'slowest s':>10}"
          f"{'new served':>11}{'failed':>7}{'slowest s':>10}{'after':>7}{'log KiB':>9}{'shutdown s':>11}")


def line_of(outcome):
    after = "yes" if outcome.serves_after else \
        f"ended {outcome.ended}" if outcome.ended is not None else "NO"
    return (f"{outcome.name:32}{outcome.peak / 2**20:9.0f}{outcome.served:8}{outcome.failed:7}"
            f"{outcome.slowest:10.2f}{outcome.served_new:11}{outcome.failed_new:7}"
            f"{outcome.slowest_new:10.2f}{after:>7}{outcome.log_bytes / 1024:9.1f}"
            f"{outcome.shutdown:11.2f}")
