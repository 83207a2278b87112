"""The programs of a run, and clients that write down everything they ask and are told."""

import datetime
import pathlib
import re
import signal
import tempfile
import threading
import time

import grpc

import history as histories
import programs
import validators
from programs import (DEADLINE, MODELS, asset_pb2, asset_service_pb2, common_pb2,
                      reason_of, video_service_pb2, video_task_pb2, wait_for)

# By collection: the service, the field of its events that holds the resource, and its requests.
COLLECTIONS = {
    "assets": ("assets", "asset", "WatchAssets", asset_service_pb2.WatchAssetsRequest),
    "videoTasks": ("videos", "video_task", "WatchVideoTasks",
                   video_service_pb2.WatchVideoTasksRequest),
}


class CrashingGateway(programs.Gateway):
    PROGRAM = "crashing-gateway"


class Cluster:
    """A simulator and gateways on one store; today one gateway. `close` ends them all."""

    def __init__(self, history, simulator_flags, config_extra=""):
        self.history = history
        self._folder = tempfile.TemporaryDirectory(prefix="assetgate-robustness-")
        self.folder = pathlib.Path(self._folder.name)
        self.simulator = programs.Simulator(*simulator_flags)
        (self.folder / "assetgate.yaml").write_text(
            programs.config_text(self.simulator.url, config_extra))
        self.gateway = None

    def start(self, kind=programs.Gateway, *arguments):
        self.gateway = kind(self.folder, arguments=arguments)
        self.history.add("start", gateway=0, wall=time.time())
        return self.gateway

    def kill(self):
        self.history.add("kill", gateway=0, wall=time.time())
        self.gateway.end(signal.SIGKILL)

    def close(self):
        if self.gateway is not None:
            self.gateway.end(signal.SIGKILL)
        self.simulator.end(signal.SIGKILL)
        self._folder.cleanup()

    # --- The end of a run

    def await_rest(self):
        """Waits until nothing moves any more."""
        def resting():
            for resource in self.list_all():
                if not histories.describe(resource)["settled"]:
                    return False
            return True
        wait_for(resting, "an end of all work")

    def list_all(self):
        gateway = self.gateway
        found = []
        for call, request, field in (
                (gateway.assets.ListAssets, asset_service_pb2.ListAssetsRequest, "assets"),
                (gateway.videos.ListVideoTasks, video_service_pb2.ListVideoTasksRequest,
                 "video_tasks")):
            token = ""
            while True:
                page = call(request(page_size=100, page_token=token), timeout=DEADLINE)
                found += getattr(page, field)
                token = page.next_page_token
                if not token:
                    break
        return found

    def record_end(self):
        """What there is, here and at the providers, and what these were asked."""
        self.history.add("final", resources=[histories.describe(one) for one in self.list_all()])
        for provider, there in self.simulator.control("state").items():
            for thing in there["assets"] + there["videos"]:
                for name in {thing["id"], thing.get("tracking_id") or thing["id"]}:
                    self.history.add("things", provider=provider, id=name,
                                     state=thing["course"]["state"])
        for request in self.simulator.control("requests?limit=100000"):
            prompt = re.search(r"<[\w-]+>", request["body"])
            self.history.add(
                "upstream", provider=request["provider"], call=request["call"],
                number=request["number"], time=_seconds(request["time"]),
                object_id=request["object_id"], status=request["status"],
                prompt=prompt.group() if prompt else "")


def _seconds(text):
    """Seconds since 1970 of an RFC 3339 time, which may have nanoseconds."""
    whole, _, rest = text.partition(".")
    fraction = re.match(r"\d*", rest).group() or "0"
    whole = re.sub(r"(Z|[+-]\d\d:\d\d)$", "", whole)
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction}")


class Client:
    """Makes calls of a cluster's gateway and writes them down. Each returns the answer, or the
    grpc.RpcError."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.history = cluster.history

    def call(self, service, method, request, name="", prompt=""):
        number = self.history.next_id()
        self.history.add("call", id=number, method=method,
                         request_id=getattr(request, "request_id", ""), name=name, prompt=prompt)
        try:
            answer = getattr(getattr(self.cluster.gateway, service), method)(
                request, timeout=DEADLINE)
        except grpc.RpcError as error:
            self.history.add("return", id=number, code=error.code().name, reason=reason_of(error))
            return error
        except ValueError as error:
            # The channel was closed under the call: its process has been killed.
            self.history.add("return", id=number, code="UNAVAILABLE", reason=str(error))
            return error
        resource = None
        if hasattr(answer, "revision"):
            resource = histories.describe(answer)
        self.history.add("return", id=number, code="OK", resource=resource)
        return answer

    def create_asset(self, identity, providers):
        request = asset_service_pb2.CreateAssetRequest(
            asset_id=identity, request_id=f"r-{identity}",
            providers=[f"providers/{name}" for name in providers],
            asset=asset_pb2.Asset(source_uri=f"https://cdn.example.org/{identity}.png",
                                  media_type=common_pb2.IMAGE))
        request.max_wait.FromMilliseconds(500)
        return self.call("assets", "CreateAsset", request, f"assets/{identity}")

    def create_video(self, identity, provider, asset=None, max_wait=0.5):
        # The prompt tells the simulator's requests apart.
        prompt = f"<{identity}>"
        task = video_task_pb2.VideoTask(
            model=f"providers/{provider}/models/{MODELS[provider]}", prompt=prompt)
        if asset:
            task.references.add(role=video_task_pb2.Reference.REFERENCE, asset=f"assets/{asset}")
        request = video_service_pb2.CreateVideoTaskRequest(
            video_task_id=identity, request_id=f"r-{identity}", video_task=task)
        request.max_wait.FromMilliseconds(int(max_wait * 1000))
        return self.call("videos", "CreateVideoTask", request, f"videoTasks/{identity}", prompt)

    def cancel(self, identity):
        name = f"videoTasks/{identity}"
        return self.call("videos", "CancelVideoTask",
                         video_service_pb2.CancelVideoTaskRequest(name=name), name)

    def delete_video(self, identity):
        name = f"videoTasks/{identity}"
        return self.call("videos", "DeleteVideoTask",
                         video_service_pb2.DeleteVideoTaskRequest(name=name), name)

    def delete_asset(self, identity):
        name = f"assets/{identity}"
        return self.call("assets", "DeleteAsset",
                         asset_service_pb2.DeleteAssetRequest(name=name), name)

    def get_video(self, identity):
        name = f"videoTasks/{identity}"
        return self.call("videos", "GetVideoTask",
                         video_service_pb2.GetVideoTaskRequest(name=name), name)


class Follower:
    """A reader that watches a collection, over kills and restarts, going on with its newest token.
    `pause(seconds)` makes it slow; `stop` ends it."""

    def __init__(self, cluster, collection, names=(), pause=lambda: 0.0):
        self.cluster = cluster
        self.history = cluster.history
        self.collection = collection
        self.names = list(names)
        self._pause = pause
        self._token = b""
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._call = None
        self._stream = None
        self._view = {}
        self._held_at_token = {}
        self._marks = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        service, field, method, request = COLLECTIONS[self.collection]
        while not self._stopped.is_set():
            stream = self.history.next_id()
            # The call's tie to the token is written down before it can be told anything.
            self.history.add("open", stream=stream, collection=self.collection, names=self.names,
                             token=self._token.hex())
            code = "CANCELLED"
            self._view = dict(self._held_at_token)
            try:
                call = getattr(getattr(self.cluster.gateway, service), method)(
                    request(names=self.names, resume_token=self._token))
                with self._lock:
                    self._call, self._stream = call, stream
                if self._stopped.is_set():
                    call.cancel()
                for event in call:
                    self._take(stream, event, field)
                    delay = self._pause()
                    if delay:
                        self._stopped.wait(delay)
                code = "OK"
            except grpc.RpcError as error:
                code = error.code().name
            except ValueError:
                code = "UNAVAILABLE"  # The channel was closed under it.
            if not self._stopped.is_set():
                self.history.add("close", stream=stream, code=code)
                self._stopped.wait(0.05)

    def _take(self, stream, event, field):
        entry = histories.event_entry(event, field)
        self.history.add("event", stream=stream, **entry)
        with self._lock:
            if event.type == common_pb2.RESET:
                self._view = {}
            elif event.type == common_pb2.PUT:
                self._view[entry["resource"]["name"]] = entry["revision"]
            elif event.type == common_pb2.DELETE:
                self._view.pop(entry["resource"]["name"], None)
            elif event.type == common_pb2.BOOKMARK:
                self._token = event.resume_token
                self._held_at_token = dict(self._view)

    def view(self):
        """What it holds: {name: revision}."""
        with self._lock:
            return dict(self._view)

    def stop(self, quiet=False):
        """Ends it. `quiet`: all has come to rest, and it was open until now."""
        self._stopped.set()
        with self._lock:
            call, stream = self._call, self._stream
        if quiet:
            self.history.add("quiet", stream=stream)
        if call is not None:
            call.cancel()
        self._thread.join(DEADLINE)


def rest_and_validate(cluster, followers):
    """Lets everything come to its end and gives what violates the guarantees."""
    cluster.await_rest()
    for follower in followers:
        expected = {one.name: one.revision for one in cluster.list_all()
                    if one.name.startswith(follower.collection + "/")
                    and (not follower.names or one.name in follower.names)}
        try:
            wait_for(lambda follower=follower, expected=expected: follower.view() == expected,
                     "what is committed, on a stream", deadline=30)
        except AssertionError:
            pass  # The validators say what is missing.
    for follower in followers:
        follower.stop(quiet=True)
    cluster.record_end()
    return validators.violations_of(cluster.history.entries)


def explain(found, history, seed=""):
    """What to print when guarantees are violated: them, and where the history is kept."""
    file = tempfile.NamedTemporaryFile(prefix="assetgate-history-", suffix=".jsonl", delete=False)
    history.save(file.name)
    lines = [f"{name}: {violation}" for name, violations in found.items()
             for violation in violations[:5]]
    return "\n".join([f"seed {seed}" if seed else "", *lines, f"history: {file.name}",
                      f"again: tests/robustness/validate.py {file.name}"])


