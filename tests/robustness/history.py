"""What happened in a run, as plain data: the input of the validators.

A history is a list of entries, each a dict with `at` (seconds, monotonic) and `kind`:

  call      id, method, request_id, name, prompt   a unary RPC was sent
  return    id, code, reason, resource             its answer; `code` is gRPC's, "OK" included
  open      stream, collection, names, token       a watch began; `token` is hex, "" for none
  event     stream, type, ...                      what it was told (see `event_entry`)
  close     stream, code                           it ended
  quiet     stream                                 it was still open when all had come to rest
  kill      gateway                                a process was killed
  start     gateway                                a process serves
  read      resource                               a resource as Get or List showed it
  final     resources                              all there is, after all had come to rest
  upstream  provider, call, number, time, ...      a request that the simulator got
  things    provider, id, state, prompt            what there is at a provider, at the end

A `resource` is {name, revision, digest, state, final, settled, waiting, prompt, attempts}.
"""

import hashlib
import json
import threading
import time

from programs import asset_pb2, common_pb2, video_task_pb2

_FINAL = {
    video_task_pb2.VideoTask.SUCCEEDED, video_task_pb2.VideoTask.FAILED,
    video_task_pb2.VideoTask.CANCELLED}
_FINAL_PLACEMENTS = {
    asset_pb2.Placement.ACTIVE, asset_pb2.Placement.FAILED, asset_pb2.Placement.LOST}


def describe(resource):
    """A resource as the validators see it."""
    entry = {
        "name": resource.name,
        "revision": resource.revision,
        "digest": hashlib.sha1(resource.SerializeToString(deterministic=True)).hexdigest(),
    }
    if isinstance(resource, video_task_pb2.VideoTask):
        entry["state"] = video_task_pb2.VideoTask.State.Name(resource.state)
        entry["final"] = resource.state in _FINAL
        entry["waiting"] = common_pb2.Waiting.Reason.Name(resource.waiting.reason)
        entry["settled"] = entry["final"] or (
            entry["state"] == "UNCONFIRMED" and entry["waiting"] == "NEEDS_OPERATOR")
        entry["prompt"] = resource.prompt
        entry["attempts"] = [
            {"provider": attempt.provider.split("/")[-1], "task": attempt.provider_task_id,
             "state": video_task_pb2.Attempt.State.Name(attempt.state)}
            for attempt in resource.attempts]
    elif isinstance(resource, asset_pb2.Asset):
        entry["state"] = asset_pb2.Asset.State.Name(resource.state)
        entry["final"] = False  # An asset's state is derived, and can change again.
        entry["settled"] = all(placement.state in _FINAL_PLACEMENTS
                               for placement in resource.placements)
        entry["attempts"] = [
            {"provider": placement.provider.split("/")[-1], "task": placement.provider_asset_id,
             "state": asset_pb2.Placement.State.Name(placement.state)}
            for placement in resource.placements]
    return entry


class History:
    """Collects entries from many threads."""

    def __init__(self, entries=()):
        self._entries = list(entries)
        self._lock = threading.Lock()
        self._last_id = 0

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


def event_entry(event, resource_field):
    """The fields of an `event`."""
    entry = {"type": common_pb2.EventType.Name(event.type)}
    if event.resume_token:
        entry["token"] = event.resume_token.hex()
    if event.type == common_pb2.RESET:
        entry["reset_reason"] = common_pb2.ResetReason.Name(event.reset_reason)
    if event.type == common_pb2.BOOKMARK:
        entry["snapshot_complete"] = event.snapshot_complete
    if event.HasField(resource_field):
        resource = getattr(event, resource_field)
        entry["revision"] = event.revision
        entry["resource"] = describe(resource)
    return entry
