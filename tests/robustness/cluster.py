"""The programs of a run, and clients that record every request and answer."""

import datetime
import hashlib
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

import grpc

import history as histories
import programs
import validators
from database import Postgres, Sqlite
from history import TENANTS, mark_for, owned
from programs import (DEADLINE, MODELS, asset_pb2, asset_service_pb2, common_pb2,
                      provider_service_pb2, reason_of, video_service_pb2, video_task_pb2, wait_for)

# By collection: the service, the field of its events that holds the resource, its watch method with
# its request, and its filter.
COLLECTIONS = {
    "assets": ("assets", "asset", "WatchAssets", asset_service_pb2.WatchAssetsRequest,
               asset_pb2.AssetFilter),
    "videoTasks": ("videos", "video_task", "WatchVideoTasks",
                   video_service_pb2.WatchVideoTasksRequest, video_task_pb2.VideoTaskFilter),
}

# Short timeouts for providers and for the shutdown, and frequent tokens. The submit timeout also
# sets the interval between retries of assets whose outcome is unknown: work has to settle before a
# run ends.
CONFIG_EXTRA = "shutdown_timeout: 3s\nsubmit_timeout: 1m\nwatch: {bookmark_interval: 1s}\n"
PROVIDER_TIMEOUT = "timeout: 2s"
LIMITS = "limits: {requests_per_second: 1000, max_in_flight: 100}"
# Every provider has two accounts, which do not see each other's resources.
OTHER_KEY = "sim-key-other-7d20c41f"
KEYS = {"account-1": programs.KEY, "account-2": OTHER_KEY}


def _token(tenant):
    return f"token-of-{tenant}-2f61"


def _callers():
    return "callers:\n" + "".join(
        f"  - {{id: {tenant}, token_sha256: "
        f"[{hashlib.sha256(_token(tenant).encode()).hexdigest()}], roles: [WRITER, OPERATOR], "
        f"tenant: {tenant}}}\n" for tenant in TENANTS)


def metadata_of(tenant):
    """The metadata of a tenant's calls; None without a tenant."""
    return (("authorization", f"Bearer {_token(tenant)}"),) if tenant else ()


class CrashingGateway(programs.Gateway):
    PROGRAM = "crashing-gateway"
    STDIN = subprocess.PIPE

    def set_clock(self, seconds):
        """Sets the offset of its clock."""
        self._order(f"{seconds}", f"clock {seconds}")

    def hold_commit(self):
        """The store answers the next creation with "outcome unknown", and commits it at
        `release_commits`."""
        self._order("hold-commit", "the next creation is held")

    def release_commits(self):
        self._order("release-commits", "held commits are released")

    def _order(self, order, answer):
        before = len(self.lines)
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        wait_for(lambda: answer in self.lines[before:], answer)


class Cluster:
    """A simulator, and gateways on one store, by slot: `gateways[slot]` is the process, or None. A
    single gateway has an embedded store, several share a database. `close` ends them all.

    drain_delay  of the config
    limits       of every provider, in place of LIMITS
    tenants      without any, callers need no token and share one tenant
    standby      the database has a synchronous standby"""

    def __init__(self, history, simulator_flags, size=1, drain_delay="0s", limits=LIMITS,
                 tenants=TENANTS, standby=False):
        self.history = history
        self.tenants = tenants
        self._folder = tempfile.TemporaryDirectory(prefix="assetgate-robustness-")
        self.folder = pathlib.Path(self._folder.name)
        self.simulator = programs.Simulator("--api-key", OTHER_KEY, *simulator_flags)
        self.database = Sqlite() if size == 1 and not standby else Postgres(size, standby)
        self.gateways = [None] * size
        history.add("store", lease=self.database.LEASE_SECONDS)
        for provider in MODELS:
            self._write_key(provider, "account-1")
        for slot in range(size):
            text = programs.config_text(self.simulator.url,
                                        f"{CONFIG_EXTRA}drain_delay: {drain_delay}\n" +
                                        (_callers() if tenants else ""),
                                        self.database.config(slot))
            for provider in MODELS:
                text = text.replace(
                    "{api_key: {env: E2E_KEY}}",
                    f"{{api_key: {{file: \"{self._key_file(provider)}\"}}}}", 1)
            self._home(slot).mkdir()
            (self._home(slot) / "assetgate.yaml").write_text(
                text.replace(LIMITS, f"{PROVIDER_TIMEOUT}, {limits}"))

    def _key_file(self, provider):
        return self.folder / f"{provider}.key"

    def _write_key(self, provider, account):
        # In one step, as a rotation of keys does.
        following = self.folder / "next.key"
        following.write_text(KEYS[account] + "\n")
        following.replace(self._key_file(provider))

    def switch_account(self, provider, account):
        """Replaces the key of a provider in place by that of another account, and lets the gateways
        reload."""
        self._write_key(provider, account)
        for gateway in self.gateways:
            if gateway is not None and gateway.process.poll() is None:
                gateway.process.send_signal(signal.SIGHUP)

    def _home(self, slot):
        return self.folder / f"gateway-{slot}"

    @property
    def gateway(self):
        """The first gateway."""
        return self.gateways[0]

    def spread(self):
        """The slot for the next client, so that clients are spread."""
        return self.history.next_id() % len(self.gateways)

    def start_all(self):
        for slot in range(len(self.gateways)):
            self.start(slot=slot)

    def start(self, kind=programs.Gateway, *arguments, slot=0, clock_offset=0):
        """`clock_offset`: the initial offset of its clock in seconds; for a CrashingGateway."""
        if clock_offset:
            arguments += "--clock-offset", clock_offset
        gateway = kind(self._home(slot), arguments=arguments)
        # Before any client uses it.
        self.history.add("start", gateway=slot, wall=time.time(), offset=clock_offset)
        self.gateways[slot] = gateway
        return gateway

    def end(self, signum=signal.SIGKILL, slot=0):
        """Kills or ends a gateway, and returns its exit code."""
        self.history.add("kill", gateway=slot, wall=time.time())
        return self.gateways[slot].end(signum)

    def hold(self, slot=0):
        """Suspends a gateway, like a virtual machine that is moved, until the returned function is
        called."""
        process = self.gateways[slot].process
        begin = time.monotonic()
        process.send_signal(signal.SIGSTOP)

        def go_on():
            process.send_signal(signal.SIGCONT)
            self.history.add("pause", gateway=slot, wall=time.time(),
                             seconds=time.monotonic() - begin)
        return go_on

    def pause(self, seconds, slot=0):
        go_on = self.hold(slot)
        time.sleep(seconds)  # The duration of the suspension.
        go_on()

    def disturb(self, what, slot=None):
        """Records an event after which gateways may take over each other's work."""
        self.history.add("disturbance", what=what, gateway=slot, wall=time.time())

    def step_clock(self, offset, slot=0):
        """Sets the offset of a crashing-gateway's clock, in seconds."""
        self.history.add("step", gateway=slot, wall=time.time(), offset=offset)
        self.gateways[slot].set_clock(offset)
        self.history.add("step", gateway=slot, wall=time.time(), offset=offset)

    def close(self):
        for gateway in self.gateways:
            if gateway is not None:
                gateway.end(signal.SIGKILL)
        self.simulator.end(signal.SIGKILL)
        self.database.close()
        self._folder.cleanup()

    # --- The end of a run

    def await_readable(self):
        """Waits until each gateway has found its store again."""
        def readable(slot):
            try:
                return self.described(slot) is not None
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                return False
        for slot in range(len(self.gateways)):
            wait_for(lambda slot=slot: readable(slot), f"a gateway {slot} that can read its store")

    def await_rest(self, slot=0):
        """Waits until a gateway reports no more changes."""
        def resting():
            moving = [one for one in self.described(slot) if not one["settled"]]
            if moving:
                time.sleep(0.05)  # Between two polls.
            return not moving
        try:
            wait_for(resting, "an end of all work", 2 * DEADLINE)
        except AssertionError:
            pass  # The validators report resources that never settle.

    def described(self, slot=0):
        """All resources of all tenants, in the form of the validators."""
        return [histories.describe(one, tenant) for tenant in self.tenants or [None]
                for one in self.list_all(slot, tenant)]

    def list_all(self, slot=0, tenant=None):
        """All resources of a tenant."""
        gateway = self.gateways[slot]
        found = []
        for call, request, field in (
                (gateway.assets.ListAssetGroups, asset_service_pb2.ListAssetGroupsRequest,
                 "asset_groups"),
                (gateway.assets.ListAssets, asset_service_pb2.ListAssetsRequest, "assets"),
                (gateway.videos.ListVideoTasks, video_service_pb2.ListVideoTasksRequest,
                 "video_tasks")):
            token = ""
            while True:
                page = call(request(page_size=100, page_token=token), timeout=DEADLINE,
                            metadata=metadata_of(tenant))
                found += getattr(page, field)
                token = page.next_page_token
                if not token:
                    break
        return found

    def made(self):
        """The videos that providers have created: {mark: (provider, id)}."""
        return {histories.mark_of(request["body"]): (request["provider"], request["object_id"])
                for request in self.simulator.control("requests?limit=100000&call=video.create")
                if request["object_id"]}

    def record_end(self):
        """Records all resources, here and at the providers, and the requests to the providers."""
        for slot in range(len(self.gateways)):
            self.history.add("final", gateway=slot, resources=self.described(slot))
            for page in ("/metrics", "/readyz"):
                self.history.add("page", gateway=slot, page=page, words=histories.words_in(
                    self.gateways[slot].page(page).encode()))
        for provider, there in self.simulator.control("state").items():
            for thing in there["assets"] + there["videos"]:
                for name in {thing["id"], thing.get("tracking_id") or thing["id"]}:
                    self.history.add("things", provider=provider, id=name,
                                     state=thing["course"]["state"])
            for group in there["groups"]:
                self.history.add("things", provider=provider, id=group["id"], state="succeeded")
        requests = self.simulator.control("requests?limit=100000")
        if requests and requests[0]["number"] != 1:
            raise AssertionError("the simulator has forgotten what it was asked first: a round this "
                                 "long proves nothing")
        for request in requests:
            key = next((value for name, value in request["headers"].items()
                        if name.lower() == "idempotency-key"), "")
            self.history.add(
                "upstream", provider=request["provider"], call=request["call"],
                number=request["number"], time=_seconds(request["time"]),
                object_id=request["object_id"], status=request["status"], fault=request["fault"],
                mark=histories.mark_of(request["body"]), key=key, method=request["method"],
                body=hashlib.sha1(request["body"].encode()).hexdigest())


def _seconds(text):
    """Seconds since 1970 of an RFC 3339 time, which may have nanoseconds."""
    whole, _, rest = text.partition(".")
    fraction = re.match(r"\d*", rest).group() or "0"
    whole = re.sub(r"(Z|[+-]\d\d:\d\d)$", "", whole)
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction}")


# --- Requests, each identified by the mark that is made of `identity`


def group_request(identity, providers, tenant=TENANTS[0]):
    return asset_service_pb2.CreateAssetGroupRequest(
        asset_group_id=identity, request_id=f"r-{identity}",
        providers=[f"providers/{name}" for name in providers],
        asset_group=asset_pb2.AssetGroup(display_name=mark_for(identity, tenant)))


def asset_request(identity, providers, group=None, team="", fate="", named=True, repeatable=True,
                  tenant=TENANTS[0]):
    """`fate`: an instruction to the simulator. `named`: the caller chooses the id."""
    path = f"{fate}/" if fate else ""
    return asset_service_pb2.CreateAssetRequest(
        asset_id=identity if named else "", request_id=f"r-{identity}" if repeatable else "",
        providers=[f"providers/{name}" for name in providers],
        max_wait={"nanos": 500_000_000},
        asset=asset_pb2.Asset(
            source_uri=f"https://cdn.example.org/{path}{mark_for(identity, tenant)}.png",
                              media_type=common_pb2.IMAGE, labels={"team": team} if team else {},
                              asset_group=f"assetGroups/{group}" if group else ""))


def video_request(identity, provider, asset=None, max_wait=0.5, team="", fate="", named=True,
                  repeatable=True, tenant=TENANTS[0]):
    """`provider`: where it is created; None: as the route decides."""
    task = video_task_pb2.VideoTask(
        model=f"providers/{provider}/models/{MODELS[provider]}" if provider else "seedance-2",
        prompt=mark_for(identity, tenant) + (f" [{fate}]" if fate else ""),
        labels={"team": team} if team else {})
    if asset:
        task.references.add(role=video_task_pb2.Reference.REFERENCE, asset=f"assets/{asset}")
    request = video_service_pb2.CreateVideoTaskRequest(
        video_task_id=identity if named else "",
        request_id=f"r-{identity}" if repeatable else "", video_task=task)
    request.max_wait.FromMilliseconds(int(max_wait * 1000))
    return request


# By the field of a Create request that holds the chosen id: the resource's field and its collection.
_CHOSEN_IDS = {"asset_group_id": ("asset_group", "assetGroups"), "asset_id": ("asset", "assets"),
               "video_task_id": ("video_task", "videoTasks")}


def _name_and_mark(request):
    for field, (resource, collection) in _CHOSEN_IDS.items():
        if field in request.DESCRIPTOR.fields_by_name:
            identity = getattr(request, field)
            return (f"{collection}/{identity}" if identity else "",
                    histories.mark_of(str(getattr(request, resource))))
    return getattr(request, "name", ""), ""


def _shown(answer, tenant):
    """The resources in an answer; None for an error."""
    if hasattr(answer, "revision"):
        return [histories.describe(answer, tenant)]
    if hasattr(answer, "results"):
        return [histories.describe(one.asset, tenant) if one.HasField("asset") else None
                for one in answer.results]
    for field in ("asset_groups", "assets", "video_tasks"):
        if hasattr(answer, field):
            return [histories.describe(one, tenant) for one in getattr(answer, field)]
    return []


def _words_of_error(error):
    """The tenants whose marks an error contains."""
    shown = [(error.details() or "").encode()]
    for key, value in error.trailing_metadata() or ():
        shown += [key.encode(), value if isinstance(value, bytes) else value.encode()]
    return histories.words_in(b"\n".join(shown))


class Client:
    """Makes a tenant's calls of a cluster and records them. Each returns the answer, or the
    grpc.RpcError. When its gateway is down, the next call goes to the next one. `slot`: the first
    gateway."""

    def __init__(self, cluster, slot=None, tenant=TENANTS[0]):
        self.cluster = cluster
        self.history = cluster.history
        self.tenant = tenant if cluster.tenants else None
        self._slot = cluster.spread() if slot is None else slot

    def call(self, service, method, request, mark="", body=""):
        number = self.history.next_id()
        name, its_mark = _name_and_mark(request)
        kept = type(request)()
        kept.CopyFrom(request)
        kept.ClearField("max_wait") if "max_wait" in request.DESCRIPTOR.fields_by_name else None
        self.history.add("call", id=number, tenant=self.tenant, method=method,
                         request_id=owned(getattr(request, "request_id", ""), self.tenant),
                         name=owned(name, self.tenant), mark=mark or its_mark,
                         body=body or histories.digest_of(kept))
        gateway = self.cluster.gateways[self._slot]
        try:
            answer = getattr(getattr(gateway, service), method)(
                request, timeout=DEADLINE, metadata=metadata_of(self.tenant))
        except grpc.RpcError as error:
            reason = reason_of(error)
            self.history.add("return", id=number, code=error.code().name, reason=reason,
                             resources=[], words=_words_of_error(error))
            # CANCELLED: gRPC's code for a call that arrived while the port was being closed.
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                self._ask_next()
            return error
        except ValueError as error:
            # The channel was closed during the call: its process has been killed.
            self.history.add("return", id=number, code="UNAVAILABLE", reason=None, resources=[],
                             words=[])
            self._ask_next()
            return error
        self.history.add("return", id=number, code="OK", reason=None,
                         resources=_shown(answer, self.tenant),
                         words=histories.words_in(answer.SerializeToString()))
        return answer

    def _ask_next(self):
        self._slot = (self._slot + 1) % len(self.cluster.gateways)

    def create(self, request):
        if isinstance(request, video_service_pb2.CreateVideoTaskRequest):
            return self.call("videos", "CreateVideoTask", request)
        if isinstance(request, asset_service_pb2.CreateAssetGroupRequest):
            return self.call("assets", "CreateAssetGroup", request)
        if isinstance(request, asset_service_pb2.BatchCreateAssetsRequest):
            return self.call("assets", "BatchCreateAssets", request)
        return self.call("assets", "CreateAsset", request)

    def _named(self, verb, name, **more):
        service, kind = {"assets": ("assets", "Asset"), "assetGroups": ("assets", "AssetGroup"),
                         "videoTasks": ("videos", "VideoTask")}[name.split("/")[0]]
        method = f"{verb}{kind}"
        messages = video_service_pb2 if service == "videos" else asset_service_pb2
        return self.call(service, method, getattr(messages, f"{method}Request")(name=name), **more)

    def get(self, name):
        return self._named("Get", name)

    def delete(self, name):
        return self._named("Delete", name)

    def cancel(self, name):
        return self._named("Cancel", name)

    def list_providers(self):
        return self.call("providers", "ListProviders",
                         provider_service_pb2.ListProvidersRequest())

    def list_videos(self):
        return self.call("videos", "ListVideoTasks",
                         video_service_pb2.ListVideoTasksRequest(page_size=20))

    def resolve(self, task, found, resubmit):
        """Resolves a submission: with the provider's id of the video, or as not accepted."""
        request = video_service_pb2.ResolveVideoTaskRequest(name=task.name)
        # The last attempt: no attempt follows one in doubt.
        request.attempt = len(task.attempts) - 1
        if found:
            request.provider_task_id = found
        else:
            request.not_accepted = True
            request.resubmit = resubmit
        return self.call("videos", "ResolveVideoTask", request,
                         mark=histories.mark_of(task.prompt),
                         body=found or ("resubmit" if resubmit else "not accepted"))

    def settle_doubts(self, resubmit):
        """Resolves every UNCONFIRMED task of its tenant, like an operator who has checked the
        provider. Returns their number."""
        made = self.cluster.made()
        doubtful = [one for one in self.cluster.list_all(tenant=self.tenant)
                    if isinstance(one, video_task_pb2.VideoTask) and
                    one.state == video_task_pb2.VideoTask.UNCONFIRMED]
        for task in doubtful:
            provider, found = made.get(histories.mark_of(task.prompt), (None, ""))
            asked = task.attempts[-1].provider.split("/")[-1]
            if found and provider != asked:
                found = ""  # The validators report that another task created it.
            answer = self.resolve(task, found, resubmit())
            if isinstance(answer, grpc.RpcError):
                raise AssertionError(f"{task.name} cannot be resolved: {answer}")
        return len(doubtful)


class Follower:
    """A tenant's reader that watches a collection over kills and restarts, and resumes with its
    newest token. `wanted`: its filter, {"states": names, "labels": {…}}. `pause()` returns the
    seconds that it spends on an event; `slot`: the first gateway. `stop` ends it."""

    def __init__(self, cluster, collection, names=(), wanted=None, pause=lambda: 0.0, slot=None,
                 tenant=TENANTS[0]):
        self.cluster = cluster
        self.history = cluster.history
        self.tenant = tenant if cluster.tenants else None
        self.reader = f"reader {cluster.history.next_id()}"
        self.collection = collection
        self.names = list(names)
        self.wanted = wanted or {}
        self._pause = pause
        self._slot = cluster.spread() if slot is None else slot
        self._token = b""
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._call = None
        self._stream = None
        self._view = {}
        self._held_at_token = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _open(self):
        service, _, method, request, wanted = COLLECTIONS[self.collection]
        gateway = self.cluster.gateways[self._slot]
        return getattr(getattr(gateway, service), method)(request(
            names=self.names, resume_token=self._token,
            filter=wanted(states=self.wanted.get("states", ()),
                          labels=self.wanted.get("labels", {}))),
            metadata=metadata_of(self.tenant))

    def _run(self):
        while not self._stopped.is_set():
            stream = self.history.next_id()
            # Records the token of the stream before its first event.
            self.history.add("open", stream=stream, reader=self.reader, **self._watched(),
                             token=self._token.hex(), foreign=False)
            code = "CANCELLED"
            with self._lock:
                self._view = dict(self._held_at_token)
            try:
                call = self._open()
                with self._lock:
                    self._call, self._stream = call, stream
                if self._stopped.is_set():
                    call.cancel()
                for event in call:
                    self._take(stream, event)
                    delay = self._pause()
                    if delay:
                        self._stopped.wait(delay)
                code = "OK"
            except grpc.RpcError as error:
                code = error.code().name
            except ValueError:
                code = "UNAVAILABLE"  # The channel was closed during the stream.
            if not self._stopped.is_set():
                self.history.add("close", stream=stream, code=code)
                self._slot = (self._slot + 1) % len(self.cluster.gateways)
                self._stopped.wait(0.05)

    def _watched(self):
        return {"tenant": self.tenant, "collection": self.collection,
                "names": [owned(name, self.tenant) for name in self.names], "filter": self.wanted}

    def _take(self, stream, event):
        entry = histories.event_entry(event, COLLECTIONS[self.collection][1], self.tenant)
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

    def holds(self, resources):
        """Whether it holds exactly those of these resources that it watches."""
        opened = self._watched()
        with self._lock:
            return self._view == {one["name"]: one["revision"] for one in resources
                                  if validators.matches(opened, one)}

    def stop(self, quiet=False):
        """Ends it. `quiet`: all resources have settled, and it was open until now."""
        self._stopped.set()
        with self._lock:
            call, stream = self._call, self._stream
        if quiet:
            self.history.add("quiet", stream=stream)
        if call is not None:
            call.cancel()
        self._thread.join(DEADLINE)


def watch_with_foreign_token(cluster, collection, token, tenant=TENANTS[0]):
    """Opens a tenant's stream with a foreign token, and reads until its snapshot is complete."""
    history = cluster.history
    stream = history.next_id()
    service, field, method, request, _ = COLLECTIONS[collection]
    history.add("open", stream=stream, reader=f"reader {stream}", tenant=tenant,
                collection=collection, names=[], filter={}, token=token.hex(), foreign=True)
    try:
        gateway = cluster.gateways[cluster.spread()]
        call = getattr(getattr(gateway, service), method)(
            request(resume_token=token), timeout=DEADLINE, metadata=metadata_of(tenant))
        for event in call:
            history.add("event", stream=stream, **histories.event_entry(event, field, tenant))
            if event.type == common_pb2.BOOKMARK:
                call.cancel()
                break
        code = "CANCELLED"
    except grpc.RpcError as error:
        code = error.code().name
    except ValueError:
        code = "UNAVAILABLE"
    history.add("close", stream=stream, code=code)


def rest_and_validate(cluster, followers, resubmit=lambda: True, longest=validators.STARVED):
    """Waits until all work has settled, and returns the violations of the guarantees. Submissions
    in doubt are resolved; `resubmit()` decides whether one that was not accepted is sent again."""
    clients = [Client(cluster, tenant=tenant) for tenant in cluster.tenants]
    cluster.await_readable()
    cluster.await_rest()
    while sum(client.settle_doubts(resubmit) for client in clients):
        cluster.await_rest()
    final = cluster.described()
    for follower in followers:
        try:
            wait_for(lambda follower=follower: follower.holds(final),
                     "what is committed, on a stream", deadline=30)
        except AssertionError:
            pass  # The validators report what is missing.
    for follower in followers:
        follower.stop(quiet=True)
    cluster.record_end()
    return validators.violations_of(cluster.history.entries, longest=longest)


def explain(found, history, seed=""):
    """The message about violated guarantees, with the path of the history."""
    file = tempfile.NamedTemporaryFile(prefix="assetgate-history-", suffix=".jsonl", delete=False)
    history.save(file.name)
    lines = [f"{name}: {violation}" for name, violations in found.items()
             for violation in violations[:5]]
    return "\n".join([f"seed {seed}" if seed else "", *lines, f"history: {file.name}",
                      f"again: tests/robustness/validate.py {file.name}"])
