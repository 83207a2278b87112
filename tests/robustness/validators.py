"""What callers rely on, one function each: a history in, a list of violations out.

Each violation is a text that names the entries which show it. See history.py for what a history is.
"""

# What a resource looks like to a watcher that holds it.
_GONE = None


def _of_kind(history, *kinds):
    return [entry for entry in history if entry["kind"] in kinds]


def _streams(history):
    """By stream: its `open` entry and what followed, in order."""
    streams = {}
    for entry in _of_kind(history, "open", "event", "close", "quiet"):
        streams.setdefault(entry["stream"], []).append(entry)
    return streams


def _name_of(event):
    return event["resource"]["name"]


def ordered(history):
    """Within a stream, the revisions of one resource never go back."""
    violations = []
    for stream, entries in _streams(history).items():
        newest = {}
        for event in entries:
            if event.get("type") not in ("PUT", "DELETE"):
                continue
            name, revision = _name_of(event), event["revision"]
            if revision < newest.get(name, 0):
                violations.append(f"stream {stream}: {name} went back from revision "
                                  f"{newest[name]} to {revision}")
            newest[name] = max(revision, newest.get(name, 0))
    return violations


def unique(history):
    """A stream tells nothing twice, but for a snapshot that begins anew."""
    violations = []
    for stream, entries in _streams(history).items():
        told = set()
        for event in entries:
            if event.get("type") == "RESET":
                told.clear()
            if event.get("type") not in ("PUT", "DELETE"):
                continue
            what = (_name_of(event), event["revision"], event["type"])
            if what in told:
                violations.append(f"stream {stream}: told {what} twice")
            told.add(what)
    return violations


def atomic(history):
    """A resource at a revision is the same bytes wherever it is seen."""
    violations = []
    seen = {}

    def look(resource, where):
        if resource is None:
            return
        key = (resource["name"], resource["revision"])
        digest, first = seen.setdefault(key, (resource["digest"], where))
        if digest != resource["digest"]:
            violations.append(f"{key} is one thing in {first} and another in {where}")

    for entry in history:
        if entry["kind"] == "event" and entry["type"] == "PUT":
            if entry["revision"] != entry["resource"]["revision"]:
                violations.append(f"stream {entry['stream']}: the event of "
                                  f"{_name_of(entry)} says revision {entry['revision']}, its "
                                  f"resource {entry['resource']['revision']}")
            look(entry["resource"], f"stream {entry['stream']}")
        elif entry["kind"] == "return":
            look(entry.get("resource"), f"call {entry['id']}")
        elif entry["kind"] == "read":
            look(entry["resource"], "a read")
        elif entry["kind"] == "final":
            for resource in entry["resources"]:
                look(resource, "the end")
    return violations


def _follow(history):
    """What each reader held at the end of each stream: a stream that resumes begins with what its
    reader held when it got that token. Gives {stream: (open entry, view, violations)}."""
    held_at = {}
    result = {}
    for stream, entries in _streams(history).items():
        opened, violations = entries[0], []
        token = opened["token"]
        view = None
        if token:
            if token in held_at:
                view = dict(held_at[token])
            else:
                violations.append(f"stream {stream} resumes with a token that no stream gave")
        for event in entries[1:]:
            kind = event.get("type")
            if kind == "RESET":
                view = {}
            elif kind in ("PUT", "DELETE"):
                if view is None:
                    violations.append(f"stream {stream}: {kind} before a RESET")
                    view = {}
                if kind == "PUT":
                    view[_name_of(event)] = event["resource"]
                else:
                    view.pop(_name_of(event), _GONE)
            elif kind == "BOOKMARK" and "token" in event:
                held_at[event["token"]] = dict(view or {})
        result[stream] = (opened, view, violations)
    return result


def _expected(history, opened):
    names = set(opened["names"])
    for entry in _of_kind(history, "final"):
        return {resource["name"]: resource for resource in entry["resources"]
                if resource["name"].startswith(opened["collection"] + "/") and
                (not names or resource["name"] in names)}
    return None


def _differences(view, expected):
    for name in sorted(set(view) | set(expected)):
        held, true = view.get(name), expected.get(name)
        if held is None:
            yield f"it lacks {name} (revision {true['revision']})"
        elif true is None:
            yield f"it holds {name} (revision {held['revision']}), which is no more"
        elif held["revision"] != true["revision"]:
            yield f"it holds {name} at revision {held['revision']}, which is at {true['revision']}"


def _arrives(history, resumed):
    violations = []
    followed = _follow(history)
    for entry in _of_kind(history, "quiet"):
        opened, view, faults = followed[entry["stream"]]
        if bool(opened["token"]) != resumed:
            continue
        violations += faults
        expected = _expected(history, opened)
        if expected is None:
            violations.append("the history does not say how it ended")
            continue
        violations += [f"stream {entry['stream']} at the end: {difference}"
                       for difference in _differences(view or {}, expected)]
    return violations


def reliable(history):
    """The newest state of each matching resource reaches every stream."""
    return _arrives(history, resumed=False)


def resumable(history):
    """A stream that goes on with a token misses nothing after it."""
    return _arrives(history, resumed=True)


def bookmarkable(history, longest_gap=32.0):
    """Only BOOKMARKs carry tokens, and each has one; the first after a RESET, and no other, says
    that the snapshot is complete; a stream begins with RESET unless it resumes; one comes every
    30 s."""
    violations = []
    for stream, entries in _streams(history).items():
        opened = entries[0]
        in_snapshot = False
        last = None
        first = True
        for event in entries[1:]:
            if event["kind"] != "event":
                # An end, or the end of the run.
                if last is not None and event["at"] - last > longest_gap:
                    violations.append(f"stream {stream}: no BOOKMARK in the "
                                      f"{event['at'] - last:.1f} s before its end")
                continue
            kind = event["type"]
            if first and not opened["token"] and kind != "RESET":
                violations.append(f"stream {stream} begins with {kind}")
            first = False
            if kind == "RESET":
                in_snapshot = True
            if kind != "BOOKMARK":
                if "token" in event:
                    violations.append(f"stream {stream}: {kind} carries a token")
                continue
            if "token" not in event:
                violations.append(f"stream {stream}: a BOOKMARK without a token")
            if event["snapshot_complete"] != in_snapshot:
                violations.append(f"stream {stream}: a BOOKMARK says snapshot_complete="
                                  f"{event['snapshot_complete']} and should not")
            in_snapshot = False
            if last is not None and event["at"] - last > longest_gap:
                violations.append(f"stream {stream}: {event['at'] - last:.1f} s between BOOKMARKs")
            last = event["at"]
    return violations


def no_loss(history):
    """What was acknowledged is there until it is deleted, comes to an end, and the end is the one
    that the provider gave it."""
    violations = []
    things = {(entry["provider"], entry["id"]): entry for entry in _of_kind(history, "things")}
    calls = {entry["id"]: entry for entry in _of_kind(history, "call")}
    acknowledged, maybe_deleted = {}, set()
    for entry in _of_kind(history, "return"):
        call = calls[entry["id"]]
        if entry["code"] == "OK" and call["method"].startswith("Create"):
            acknowledged[entry["resource"]["name"]] = entry
    for call in calls.values():
        if call["method"].startswith("Delete"):
            maybe_deleted.add(call["name"])
    final = {}
    for entry in _of_kind(history, "final"):
        final = {resource["name"]: resource for resource in entry["resources"]}
    for name, entry in acknowledged.items():
        if name not in final:
            if name not in maybe_deleted:
                violations.append(f"{name}, acknowledged by call {entry['id']}, is lost")
            continue
        if not final[name].get("settled", True):
            violations.append(f"{name} never came to an end: it is {final[name]['state']}")
    ends = {"SUCCEEDED": "succeeded", "ACTIVE": "succeeded"}
    for name, resource in final.items():
        for attempt in resource.get("attempts", ()):
            if attempt["state"] not in ends:
                continue
            thing = things.get((attempt["provider"], attempt["task"]))
            if thing is None:
                violations.append(f"{name} is {attempt['state']} as {attempt['task']} at "
                                  f"{attempt['provider']}, which has no such thing")
            elif thing["state"] != ends[attempt["state"]]:
                violations.append(f"{name} is {attempt['state']}, but {attempt['task']} is "
                                  f"{thing['state']} at {attempt['provider']}")
    return violations


def no_double_billing(history):
    """At most one video at the providers per request, known by its prompt; and where there is no
    doubt left, it is the one that the task has."""
    violations = []
    made = {}
    for entry in _of_kind(history, "upstream"):
        if entry["call"] == "video.create" and entry["object_id"]:
            made.setdefault(entry["prompt"], set()).add((entry["provider"], entry["object_id"]))
    for prompt, objects in made.items():
        if len(objects) > 1:
            violations.append(f"{prompt!r} was made more than once: {sorted(objects)}")
    for entry in _of_kind(history, "final"):
        for resource in entry["resources"]:
            for attempt in resource.get("attempts", ()):
                mine = made.get(resource.get("prompt"), set())
                if attempt["state"] == "NOT_ACCEPTED" and any(
                        provider == attempt["provider"] for provider, _ in mine) and not any(
                        other["task"] for other in resource["attempts"]):
                    violations.append(f"{resource['name']} was not accepted by "
                                      f"{attempt['provider']}, which has made {sorted(mine)}")
    return violations


# Of a run's config: a unit is not asked after more often. Some of it is left for the way.
POLL_FLOOR = 0.04


def one_poll(history, floor=POLL_FLOOR):
    """A unit is asked after at most once per `floor` seconds, whatever the number of watchers; a
    restart begins anew."""
    violations = []
    starts = sorted(entry["wall"] for entry in _of_kind(history, "start"))
    last = {}
    for entry in sorted(_of_kind(history, "upstream"), key=lambda e: e["time"]):
        if not entry["call"].endswith(".get") or not entry["object_id"]:
            continue
        unit = (entry["provider"], entry["call"], entry["object_id"])
        before = last.get(unit)
        last[unit] = entry["time"]
        if before is None or any(before <= start <= entry["time"] for start in starts):
            continue
        if entry["time"] - before < floor:
            violations.append(f"{unit} was polled {entry['time'] - before:.3f} s after the poll "
                              f"before (request {entry['number']}); the floor is {floor} s")
    return violations


def provider_finals_stay(history):
    """A task that has ended does not change its end."""
    violations = []
    seen = {}
    for entry in history:
        resources = entry.get("resources", ()) if entry["kind"] == "final" else (
            [entry["resource"]] if entry.get("resource") else ())
        for resource in resources:
            seen.setdefault(resource["name"], []).append(resource)
    for name, resources in seen.items():
        end = None
        for resource in sorted(resources, key=lambda one: one["revision"]):
            if end is not None and resource["state"] != end["state"]:
                violations.append(f"{name} was {end['state']} at revision {end['revision']} and is "
                                  f"{resource['state']} at {resource['revision']}")
            if resource.get("final"):
                end = resource
    return violations


def violations_of(history, floor=POLL_FLOOR):
    """All of them: {guarantee: violations}, without those that hold."""
    found = {
        "ordered": ordered(history), "unique": unique(history), "atomic": atomic(history),
        "reliable": reliable(history), "resumable": resumable(history),
        "bookmarkable": bookmarkable(history), "no_loss": no_loss(history),
        "no_double_billing": no_double_billing(history), "one_poll": one_poll(history, floor),
        "provider_finals_stay": provider_finals_stay(history),
    }
    return {name: violations for name, violations in found.items() if violations}
