"""The history of a run, as plain data: the input of the validators.

A history is a list of entries, each a dict with `at` (seconds, monotonic) and `kind`:

  begin     wall                                    the wall clock's time when `at` was written
  call      id, tenant, method, request_id, name, mark, body   a unary RPC was sent
  return    id, code, reason, resources, words      its answer; `code` is gRPC's, "OK" included;
                                                    `words`: the tenants whose marks are in it
  open      stream, reader, tenant, collection, names, filter, token, foreign
                                                    a watch began; `token` is hex, "" for none;
                                                    `foreign`: of another watch or store
  event     stream, type, words, ...                an event of the stream (see `event_entry`)
  close     stream, code                            the stream ended
  quiet     stream                                  the stream was open when all work had settled
  kill      gateway, wall                           a process was killed, or ended
  start     gateway, wall, offset                   a process serves; `offset`: its clock's, in seconds
  store     lease                                   the length of a lease in seconds; 0: a gateway
                                                    keeps its work however long it is down
  pause     gateway, wall, seconds                  a process had been suspended for that time
  step      gateway, wall                           the clock of a process was set
  disturbance   what, gateway, wall                 all gateways, or one, could not reach the store
  final     gateway, resources                      the resources of all tenants after all work had
                                                    settled, as each gateway lists them
  page      gateway, page, words                    an admin page at the end: the metrics
  upstream  provider, call, number, time, ...       a request that the simulator received
  things    provider, id, state                     a task, asset or group at a provider, at the end

A `mark` identifies one request for a video, an asset or a group, and its tenant. It is a word of
the prompt, source URI or display name, so requests to providers contain it as well. `describe`
defines the form of a resource. Names and request_ids are unique per tenant only, so they are
recorded with it: `videoTasks/a@north`.
"""

import hashlib
import json
import re
import threading
import time

from programs import asset_pb2, common_pb2, error_details_pb2, video_task_pb2

_FINAL = {
    video_task_pb2.VideoTask.SUCCEEDED, video_task_pb2.VideoTask.FAILED,
    video_task_pb2.VideoTask.CANCELLED}
_FINAL_PLACEMENTS = {
    asset_pb2.Placement.ACTIVE, asset_pb2.Placement.FAILED, asset_pb2.Placement.LOST}


# The tenants of a history.
TENANTS = ("north", "south")


def mark_for(identity, tenant=TENANTS[0]):
    return f"mark.{tenant}-{identity}"


def mark_of(text):
    """The mark in a prompt, a URI, a name or the body of a request; "" without any."""
    found = re.search(r"mark\.[\w-]+", text)
    return found.group() if found else ""


def owned(name, tenant):
    """A name or a request_id with its tenant; "" for none."""
    return f"{name}@{tenant}" if name and tenant else name


def words_in(data):
    """The tenants whose marks are in these bytes."""
    return sorted({word.decode() for word in re.findall(rb"mark\.(\w+)-", data)})


def digest_of(message):
    return hashlib.sha1(message.SerializeToString(deterministic=True)).hexdigest()


def _reason_of(status):
    for packed in status.details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info):
            return info.reason
    return ""


def describe(resource, tenant=""):
    """A tenant's resource in the form of the validators."""
    entry = {
        "name": owned(resource.name, tenant),
        "revision": resource.revision,
        "digest": digest_of(resource),
        "labels": dict(resource.labels),
        "state": "",
        "final": False,  # An asset's state is derived, and can change again.
    }
    if isinstance(resource, video_task_pb2.VideoTask):
        entry["state"] = video_task_pb2.VideoTask.State.Name(resource.state)
        entry["final"] = resource.state in _FINAL
        entry["settled"] = entry["final"] or (
            entry["state"] == "UNCONFIRMED" and
            resource.waiting.reason == common_pb2.Waiting.NEEDS_OPERATOR)
        entry["mark"] = mark_of(resource.prompt)
        entry["has_link"] = bool(resource.video.uri)
        entry["waiting"] = common_pb2.Waiting.Reason.Name(resource.waiting.reason)
        entry["units"] = [
            {"provider": attempt.provider.split("/")[-1], "task": attempt.provider_task_id,
             "state": video_task_pb2.Attempt.State.Name(attempt.state),
             "billing": video_task_pb2.Attempt.Billing.Name(attempt.billing),
             "reason": _reason_of(attempt.error)}
            for attempt in resource.attempts]
        return entry
    is_asset = isinstance(resource, asset_pb2.Asset)
    if is_asset:
        entry["state"] = asset_pb2.Asset.State.Name(resource.state)
    entry["mark"] = mark_of(resource.source_uri if is_asset else resource.display_name)
    entry["settled"] = all(placement.state in _FINAL_PLACEMENTS
                           for placement in resource.placements)
    entry["units"] = [
        {"provider": placement.provider.split("/")[-1],
         "task": placement.provider_asset_id if is_asset else placement.provider_group_id,
         "state": asset_pb2.Placement.State.Name(placement.state),
         "reason": _reason_of(placement.error)}
        for placement in resource.placements]
    return entry


class History:
    """Collects entries from many threads."""

    def __init__(self):
        self._entries = []
        self._lock = threading.Lock()
        self._last_id = 0
        self.add("begin", wall=time.time())

    def add(self, kind, **fields):
        with self._lock:
            self._entries.append({"at": time.monotonic(), "kind": kind, **fields})

    def next_id(self):
        with self._lock:
            self._last_id += 1
            return self._last_id

    @property
    def entries(self):
        with self._lock:
            return list(self._entries)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            for entry in self.entries:
                file.write(json.dumps(entry) + "\n")


def load(path):
    """The entries of a saved history."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def revision_of(token):
    """The revision up to which a resume token covers all (see service/watch/resume_token.h)."""
    return int.from_bytes(token[17:25], "little")


def event_entry(event, resource_field, tenant=""):
    """The fields of an `event`: `type`; for a BOOKMARK also `token`, `upto`, `snapshot_complete`; for
    a RESET `reset_reason`; for PUT and DELETE `revision`, `resource` and `cause`."""
    entry = {"type": common_pb2.EventType.Name(event.type),
             "words": words_in(event.SerializeToString())}
    if event.resume_token:
        entry["token"] = event.resume_token.hex()
        entry["upto"] = revision_of(event.resume_token)
    if event.type == common_pb2.RESET:
        entry["reset_reason"] = common_pb2.ResetReason.Name(event.reset_reason)
    if event.type == common_pb2.BOOKMARK:
        entry["snapshot_complete"] = event.snapshot_complete
    if event.type == common_pb2.DELETE:
        entry["cause"] = common_pb2.DeleteCause.Name(event.delete_cause)
    if event.HasField(resource_field):
        resource = getattr(event, resource_field)
        entry["revision"] = event.revision
        entry["resource"] = describe(resource, tenant)
    return entry
