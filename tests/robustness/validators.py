"""The guarantees to callers, one function each: a history in, a list of violations out.

Each violation is a text that names its evidence. history.py describes the history.
"""

import bisect

from profiles import WITH_IDEMPOTENCY_KEY

# Errors that leave open whether the call was carried out.
_OPEN_CODES = {"DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN"}
_OPEN_REASONS = {None, "", "COMMIT_UNKNOWN"}


def _of_kind(history, *kinds):
    return [entry for entry in history if entry["kind"] in kinds]


def _streams(history):
    """By stream: its `open` entry and its later entries, in order."""
    streams = {}
    for entry in _of_kind(history, "open", "event", "close", "quiet"):
        streams.setdefault(entry["stream"], []).append(entry)
    return streams


def _changes(entries):
    return [entry for entry in entries if entry.get("type") in ("PUT", "DELETE")]


def _name_of(event):
    return event["resource"]["name"]


def _resources(entry):
    """The resources whose current state an entry shows."""
    if entry["kind"] in ("return", "final"):
        return [resource for resource in entry.get("resources") or () if resource]
    if entry["kind"] == "event" and entry["type"] == "PUT":
        return [entry["resource"]]
    return []


def _final(history):
    """All resources at the end, by name; None without a `final` entry."""
    for entry in _of_kind(history, "final"):
        return {resource["name"]: resource for resource in entry["resources"]}
    return None


def _returns(history):
    """By id of a call: its `return`; a call without an answer has none."""
    return {entry["id"]: entry for entry in _of_kind(history, "return")}


def _surely_nothing(answer):
    """Whether an answer says that the call changed nothing."""
    return (answer is not None and answer["code"] != "OK" and answer["code"] not in _OPEN_CODES and
            answer["reason"] not in _OPEN_REASONS)


def _maybe_deleted(history):
    """The names whose Delete was, or may have been, carried out: when it was first called."""
    returns = _returns(history)
    deleted = {}
    for call in _of_kind(history, "call"):
        if call["method"].startswith("Delete") and not _surely_nothing(returns.get(call["id"])):
            deleted.setdefault(call["name"], call["at"])
    return deleted


# --- Watching


def ordered(history):
    """Within a stream, the revisions of one resource never go back."""
    violations = []
    for stream, entries in _streams(history).items():
        newest = {}
        for event in _changes(entries):
            name, revision = _name_of(event), event["revision"]
            if revision < newest.get(name, 0):
                violations.append(f"stream {stream}: {name} went back from revision "
                                  f"{newest[name]} to {revision}")
            newest[name] = max(revision, newest.get(name, 0))
    return violations


def unique(history):
    """A stream repeats nothing, except in a new snapshot, nor sends what its token covers."""
    violations = []
    upto = {event["token"]: event["upto"] for event in _of_kind(history, "event")
            if "token" in event}
    for stream, entries in _streams(history).items():
        told = set()
        covered = 0 if entries[0]["foreign"] else upto.get(entries[0]["token"], 0)
        for event in entries:
            if event.get("type") == "RESET":
                told.clear()
                covered = 0
        for event in entries:
            if event.get("type") == "RESET":
                told.clear()
            if event.get("type") not in ("PUT", "DELETE"):
                continue
            what = (_name_of(event), event["revision"], event["type"])
            if what in told:
                violations.append(f"stream {stream}: told {what} twice")
            if event["revision"] <= covered:
                violations.append(f"stream {stream}: told {what}, which its token, up to revision "
                                  f"{covered}, covers")
            told.add(what)
    return violations


def atomic(history):
    """A resource at a revision has the same bytes in every entry."""
    violations = []
    seen = {}
    for entry in history:
        if entry["kind"] == "event":
            where = f"stream {entry['stream']}"
            if entry["type"] == "PUT" and entry["revision"] != entry["resource"]["revision"]:
                violations.append(f"{where}: the event of {_name_of(entry)} says revision "
                                  f"{entry['revision']}, its resource "
                                  f"{entry['resource']['revision']}")
        else:
            where = f"call {entry['id']}" if entry["kind"] == "return" else "the end"
        for resource in _resources(entry):
            key = (resource["name"], resource["revision"])
            digest, first = seen.setdefault(key, (resource["digest"], where))
            if digest != resource["digest"]:
                violations.append(f"{key} is one thing in {first} and another in {where}")
    return violations


def matches(opened, resource):
    """Whether a stream has to deliver the current state of a resource."""
    collection = resource["name"].split("/")[0]
    if collection != opened["collection"]:
        return False
    if opened["names"] and resource["name"] not in opened["names"]:
        return False
    if opened.get("tenant") and not resource["name"].endswith("@" + opened["tenant"]):
        return False
    wanted = opened["filter"]
    if wanted.get("states") and resource["state"] not in wanted["states"]:
        return False
    return all(resource["labels"].get(key) == value
               for key, value in wanted.get("labels", {}).items())


def _known_changes(history):
    """By name: (revisions, the resource at each, or None if deleted), in the order of revisions.
    A DELETE that only ends a filter's match does not count."""
    known = {}
    for entry in history:
        for resource in _resources(entry):
            known.setdefault(resource["name"], {})[resource["revision"]] = resource
        if entry["kind"] == "event" and entry["type"] == "DELETE" and \
                entry["cause"] != "LEFT_FILTER":
            known.setdefault(_name_of(entry), {})[entry["revision"]] = None
    return {name: (sorted(changes), changes) for name, changes in known.items()}


class _Reading:
    """The knowledge of a stream's reader: `told` has, by name, the newest delivered revision and
    whether the reader holds it. A resumed stream begins with the knowledge at its token."""

    def __init__(self, told=None):
        self.told = dict(told or {})

    def take(self, event):
        if event.get("type") == "RESET":
            self.told = {}
        elif event.get("type") in ("PUT", "DELETE"):
            self.told[_name_of(event)] = (event["revision"], event["type"] == "PUT")

    def held(self):
        return {name: revision for name, (revision, holds) in self.told.items() if holds}


def _follow(history):
    """Replays each stream's events to its reader: yields (opened, entry, reading, fault), with the
    reading after the entry, and a fault of the stream itself."""
    known_at = {}
    for entries in _streams(history).values():
        opened = entries[0]
        fault = None
        if opened["token"] and not opened["foreign"]:
            told = known_at.get((opened["reader"], opened["token"]))
            if told is None:
                fault = "resumes with a token that its reader was not given"
            reading = _Reading(told)
        else:
            reading = _Reading()
        yield opened, opened, reading, fault
        for entry in entries[1:]:
            reading.take(entry)
            if "token" in entry:
                known_at[opened["reader"], entry["token"]] = dict(reading.told)
            yield opened, entry, reading, None


def _lacks(opened, known, reading, upto, gone):
    """The changes up to `upto` that a reader has not seen. Of the names in `gone`, which may have
    been deleted at a revision that nobody was told, it owes nothing to a reader without them."""
    for name, (revisions, changes) in known.items():
        at = bisect.bisect_right(revisions, upto) - 1
        if at < 0 or name.split("/")[0] != opened["collection"]:
            continue
        revision = revisions[at]
        resource = changes[revision]
        told, holds = reading.told.get(name, (0, False))
        if told >= revision:
            continue
        if not holds and name in gone:
            continue
        if resource is not None and matches(opened, resource):
            yield f"it was not told {name} at revision {revision}"
        elif holds:
            yield (f"it holds {name} at revision {told}, which at {revision} was " +
                   ("gone" if resource is None else "no longer what it watches"))


def _arrives(history, resumed):
    violations = []
    final = _final(history)
    for opened, entry, reading, fault in _follow(history):
        stream = opened["stream"]
        if bool(opened["token"]) != resumed:
            continue
        if fault:
            violations.append(f"stream {stream} {fault}")
        if entry["kind"] != "quiet":
            continue
        if final is None:
            violations.append("the history does not say how it ended")
            continue
        held = reading.held()
        expected = {name: resource["revision"] for name, resource in final.items()
                    if matches(opened, resource)}
        for name in sorted(set(held) | set(expected)):
            if held.get(name) == expected.get(name):
                continue
            violations.append(
                f"stream {stream} at the end: " +
                (f"it lacks {name} (revision {expected[name]})" if name not in held else
                 f"it holds {name} (revision {held[name]}), which is no more"
                 if name not in expected else
                 f"it holds {name} at revision {held[name]}, which is at {expected[name]}"))
    return violations


def reliable(history):
    """The newest state of each matching resource reaches every stream."""
    return _arrives(history, resumed=False)


def resumable(history):
    """A stream that resumes with a token misses nothing after it, and does not start over; with a
    foreign token, or without one, it begins with RESET and the reason."""
    violations = _arrives(history, resumed=True)
    for stream, entries in _streams(history).items():
        opened = entries[0]
        events = _of_kind(entries, "event")
        expected = {"OTHER_STORE", "OTHER_FILTER"} if opened["foreign"] else {"FRESH"}
        resumes = opened["token"] and not opened["foreign"]
        for number, event in enumerate(events):
            if event["type"] == "RESET" and (resumes or number > 0):
                violations.append(f"stream {stream}: RESET ({event['reset_reason']}) in place of "
                                  "going on")
            elif number == 0 and not resumes and event["type"] != "RESET":
                violations.append(f"stream {stream} begins with {event['type']}")
            elif number == 0 and not resumes and event["reset_reason"] not in expected:
                violations.append(f"stream {stream} begins with RESET ({event['reset_reason']}), "
                                  f"which is not one of {sorted(expected)}")
    return violations


def bookmarkable(history, longest_gap=32.0):
    """Only BOOKMARKs carry tokens, and each has one, which never goes back. Only the first after a
    RESET marks the snapshot as complete. All changes up to it have been delivered. One comes every
    30 s."""
    violations = []
    known = _known_changes(history)
    deleted = _maybe_deleted(history)
    pauses = [(entry["at"], entry["seconds"]) for entry in _of_kind(history, "pause")]

    def gap(begin, end):
        return end - begin - sum(seconds for at, seconds in pauses if begin <= at <= end)

    in_snapshot, last, upto = {}, {}, {}
    for opened, event, reading, _ in _follow(history):
        stream = opened["stream"]
        if event["kind"] == "open":
            continue
        if event["kind"] != "event":
            # An end, or the end of the run.
            if stream in last and gap(last[stream], event["at"]) > longest_gap:
                violations.append(f"stream {stream}: no BOOKMARK in the "
                                  f"{event['at'] - last[stream]:.1f} s before its end")
            continue
        kind = event["type"]
        if kind == "RESET":
            in_snapshot[stream] = True
            upto.pop(stream, None)
        if kind != "BOOKMARK":
            if "token" in event:
                violations.append(f"stream {stream}: {kind} carries a token")
            continue
        if event["snapshot_complete"] != in_snapshot.pop(stream, False):
            violations.append(f"stream {stream}: a BOOKMARK says snapshot_complete="
                              f"{event['snapshot_complete']} and should not")
        if stream in last and gap(last[stream], event["at"]) > longest_gap:
            violations.append(f"stream {stream}: {event['at'] - last[stream]:.1f} s between "
                              "BOOKMARKs")
        last[stream] = event["at"]
        if "token" not in event:
            violations.append(f"stream {stream}: a BOOKMARK without a token")
            continue
        if event["upto"] < upto.get(stream, 0):
            violations.append(f"stream {stream}: BOOKMARKs go back from revision {upto[stream]} to "
                              f"{event['upto']}")
        upto[stream] = event["upto"]
        gone = {name for name, at in deleted.items() if at < event["at"]}
        violations += [f"stream {stream}, at a BOOKMARK of revision {event['upto']}: {missing}"
                       for missing in _lacks(opened, known, reading, event["upto"], gone)]
    return violations


# --- Answers


def durable(history):
    """State that callers and watchers have seen is never lost: later reads return it or newer
    state, from every gateway."""
    violations = []
    newest = {}
    asked = {}

    def look(resource, before, where):
        revision, first = before.get(resource["name"], (0, ""))
        if resource["revision"] < revision:
            violations.append(f"{where} shows {resource['name']} at revision "
                              f"{resource['revision']}; {first} had shown {revision}")

    def show(name, revision, where):
        if revision > newest.get(name, (0, ""))[0]:
            newest[name] = (revision, where)

    for entry in history:
        if entry["kind"] == "call":
            asked[entry["id"]] = {entry["name"]: newest[entry["name"]]} \
                if entry["name"] in newest else {}
        elif entry["kind"] == "event" and entry["type"] in ("PUT", "DELETE"):
            show(_name_of(entry), entry["revision"], f"stream {entry['stream']}")
        for resource in _resources(entry):
            if entry["kind"] == "return":
                look(resource, asked[entry["id"]], f"call {entry['id']}")
                show(resource["name"], resource["revision"], f"call {entry['id']}")
            elif entry["kind"] == "final":
                look(resource, newest, "the end")
    violations += list(_lists_differ(history))
    return violations


def _lists_differ(history):
    ends = _of_kind(history, "final")
    for other in ends[1:]:
        first, its = ({resource["name"]: resource["revision"] for resource in end["resources"]}
                      for end in (ends[0], other))
        for name in sorted(set(first) | set(its)):
            if first.get(name) != its.get(name):
                yield (f"at the end, gateway {ends[0]['gateway']} lists {name} at revision "
                       f"{first.get(name)}, gateway {other['gateway']} at {its.get(name)}")


def one_answer(history):
    """A request_id creates once: all successful calls with it return the same resources, and had
    the same body."""
    violations = []
    returns = _returns(history)
    first = {}
    for call in _of_kind(history, "call"):
        answer = returns.get(call["id"])
        if not call["request_id"] or answer is None or answer["code"] != "OK":
            continue
        names = [resource["name"] if resource else None for resource in answer["resources"]]
        key = (call["method"], call["request_id"])
        known = first.setdefault(key, (call, names))
        if known[0]["body"] != call["body"]:
            violations.append(f"{key}: calls {known[0]['id']} and {call['id']} succeeded with "
                              "different bodies")
        # A batch no longer returns items that were refused, or deleted since.
        if any(one and other and one != other for one, other in zip(known[1], names)):
            violations.append(f"{key}: call {known[0]['id']} was told {known[1]}, call "
                              f"{call['id']} {names}")
    return violations


def no_loss(history):
    """An acknowledged resource exists until it is deleted; a refused or deleted one does not; each
    resource settles, with the outcome at its provider."""
    violations = []
    final = _final(history)
    if final is None:
        return ["the history does not say how it ended"]
    returns = _returns(history)
    deleted = _maybe_deleted(history)
    acknowledged, surely_deleted = {}, {}
    calls, outcomes, relied_on = {}, {}, set()
    for entry in history:
        if entry["kind"] == "call":
            calls[entry["id"]] = entry
            if entry["name"] in acknowledged:
                relied_on.add(entry["id"])
            if entry["method"].startswith("Create"):
                outcomes.setdefault((entry["method"], entry["mark"]), []).append(entry)
        if entry["kind"] != "return":
            continue
        call = calls[entry["id"]]
        if entry["code"] == "OK" and "Create" in call["method"]:
            for resource in entry["resources"]:
                if resource:
                    acknowledged.setdefault(resource["name"], entry)
                    surely_deleted.pop(resource["name"], None)
        elif entry["code"] == "OK" and call["method"].startswith("Delete"):
            surely_deleted[call["name"]] = entry
        elif (entry["code"] == "NOT_FOUND" and call["method"].startswith("Get") and
              entry["id"] in relied_on and call["name"] not in deleted):
            violations.append(f"{call['name']} was acknowledged, and is NOT_FOUND in call "
                              f"{entry['id']}")
    for name, entry in acknowledged.items():
        if name not in final and name not in deleted:
            violations.append(f"{name}, acknowledged by call {entry['id']}, is lost")
    for name, entry in surely_deleted.items():
        if name in final:
            violations.append(f"{name}, deleted by call {entry['id']}, is there again")
    there = {(name.split("/")[0], resource["mark"]): name for name, resource in final.items()}
    for (method, mark), attempts in outcomes.items():
        collection = {"CreateAsset": "assets", "CreateVideoTask": "videoTasks",
                      "CreateAssetGroup": "assetGroups"}.get(method)
        name = there.get((collection, mark))
        if name and all(_surely_nothing(returns.get(call["id"])) and
                        returns[call["id"]]["code"] != "ALREADY_EXISTS" for call in attempts):
            violations.append(f"{name} exists, though every call for it was refused: " +
                              ", ".join(f"{call['id']} ({returns[call['id']]['reason']})"
                                        for call in attempts))
    for name, resource in final.items():
        if not resource["settled"]:
            violations.append(f"{name} never came to an end: it is {resource['state']}")
    return violations + list(_ends_differ(history, final))


# The final state of a unit, and the word of the provider for it.
_ENDS = {"SUCCEEDED": "succeeded", "ACTIVE": "succeeded", "FAILED": "failed",
         "CANCELLED": "cancelled"}
# Reasons of ends that the gateway sets without an answer of the provider.
_ENDED_BY_GATEWAY = {"PROVIDER_FORGOT", "TRACKING_EXPIRED"}


def _ends_differ(history, final):
    things = {(entry["provider"], entry["id"]): entry for entry in _of_kind(history, "things")}
    for name, resource in final.items():
        ends = {unit["state"] for unit in resource["units"]}
        if resource["state"] == "SUCCEEDED" and "SUCCEEDED" not in ends:
            yield f"{name} is SUCCEEDED, and none of its attempts is"
        for unit in resource["units"]:
            if unit["state"] not in _ENDS or not unit["task"] or unit["reason"] in _ENDED_BY_GATEWAY:
                continue
            thing = things.get((unit["provider"], unit["task"]))
            if thing is None:
                yield (f"{name} is {unit['state']} as {unit['task']} at {unit['provider']}, which "
                       "has no such thing")
            elif thing["state"] != _ENDS[unit["state"]]:
                yield (f"{name} is {unit['state']}, but {unit['task']} is {thing['state']} at "
                       f"{unit['provider']}")


# Statuses which say that no server did the work.
_SURELY_NOT_DONE = {503, 521, 523, 525, 526, 530}
# Statuses below 500 that leave open whether the work was done.
_LEFT_OPEN = {0, 302, 303, 408, 409, 423, 424, 425, 444, 460, 499}


def _maybe_made(request):
    """Whether the task may exist, or does, by the answer to its submission."""
    status = request["status"]
    return bool(request["object_id"]) or status in _LEFT_OPEN or \
        status >= 500 and status not in _SURELY_NOT_DONE or \
        status < 400 and request["fault"] in ("garbage", "truncate", "no_id", "huge") or \
        request["fault"] == "status" and status == 200


def no_double_billing(history):
    """The providers have at most one video per task, identified by its prompt. The task has its id,
    or is in doubt. A submission that may have been accepted is repeated only where the provider
    takes an idempotency key, with that key and the same bytes."""
    violations = []
    final = _final(history) or {}
    deleted = _maybe_deleted(history)
    gone_marks = {resource["mark"] for entry in history for resource in _resources(entry)
                  if resource["name"] in deleted}
    gone_marks |= {call["mark"] for call in _of_kind(history, "call") if call["name"] in deleted}
    begin = next((entry for entry in history if entry["kind"] == "begin"), None)
    # An operator resolved it as not accepted.
    resent = {}
    for call in _of_kind(history, "call"):
        if call["method"] == "ResolveVideoTask" and call["body"] == "resubmit":
            resent.setdefault(call["mark"], []).append(begin["wall"] + call["at"] - begin["at"])
    made, last_open = {}, {}
    for request in sorted(_of_kind(history, "upstream"), key=lambda one: one["number"]):
        if request["call"] != "video.create" or not request["mark"]:
            continue
        mark, provider = request["mark"], request["provider"]
        if request["object_id"]:
            made.setdefault(mark, set()).add((provider, request["object_id"]))
        before = last_open.get(mark)
        if before is not None and not any(before["time"] <= time <= request["time"]
                                          for time in resent.get(mark, ())):
            if provider != before["provider"] or provider not in WITH_IDEMPOTENCY_KEY:
                violations.append(f"{mark!r} was sent to {provider} (request {request['number']}) "
                                  f"though {before['provider']} may have made it (request "
                                  f"{before['number']})")
            elif (request["key"], request["body"]) != (before["key"], before["body"]):
                violations.append(f"{mark!r} was sent again to {provider} (request "
                                  f"{request['number']}) with another key or body than in request "
                                  f"{before['number']}")
        if _maybe_made(request):
            last_open[mark] = request
    for mark, objects in made.items():
        if len(objects) > 1:
            violations.append(f"{mark!r} was made more than once: {sorted(objects)}")
    tasks = {resource["mark"]: resource for name, resource in final.items()
             if name.startswith("videoTasks/")}
    for mark, objects in made.items():
        task = tasks.get(mark)
        if task is None:
            if mark not in gone_marks:
                violations.append(f"{mark!r} was made ({sorted(objects)}), and no task knows it")
        elif task["state"] != "UNCONFIRMED":
            mine = {(unit["provider"], unit["task"]) for unit in task["units"]}
            for provider, thing in sorted(objects - mine):
                violations.append(f"{task['name']} is {task['state']} and does not know {thing}, "
                                  f"which {provider} has made for it")
    for task in tasks.values():
        for unit in task["units"]:
            if unit["state"] == "UNCONFIRMED" and unit["provider"] in WITH_IDEMPOTENCY_KEY:
                violations.append(f"{task['name']} is left UNCONFIRMED at {unit['provider']}, whose "
                                  "key could tell")
            if unit["state"] == "SUCCEEDED" and unit["billing"] == "NOT_BILLED":
                violations.append(f"{task['name']} says that {unit['task']}, which "
                                  f"{unit['provider']} made, is not billed")
    return violations


def _made_for(history):
    """By mark: the videos that providers have created for it, {(provider, id)}."""
    made = {}
    for request in _of_kind(history, "upstream"):
        if request["call"] == "video.create" and request["mark"] and request["object_id"]:
            made.setdefault(request["mark"], set()).add((request["provider"], request["object_id"]))
    return made


def nothing_denied(history):
    """No answer denies a task, or its cost, that a provider has created."""
    violations = []
    made = _made_for(history)
    for name, resource in (_final(history) or {}).items():
        known = {(unit["provider"], unit["task"]) for unit in resource["units"]}
        for provider, thing in sorted(made.get(resource["mark"], set()) - known):
            violations += [f"{name}, unit {number}, is {unit['state']} and {unit['billing']} at "
                           f"{provider}, which made {thing} for it"
                           for number, unit in enumerate(resource["units"])
                           if unit["provider"] == provider and not unit["task"] and
                           unit.get("billing") == "NOT_BILLED"]
    returns = _returns(history)
    told = {}
    for call in _of_kind(history, "call"):
        if call["method"] == "CreateVideoTask":
            told.setdefault(call["mark"], []).append(returns.get(call["id"]))
    for mark, answers in told.items():
        if mark in made and all(_surely_nothing(answer) for answer in answers):
            violations.append(f"whoever asked for {mark!r} was told that nothing exists; there is "
                              f"{sorted(made[mark])}")
    return violations


def delivered(history):
    """Every video that a provider finished reaches its caller, with a link."""
    violations = []
    made = _made_for(history)
    things = {(entry["provider"], entry["id"]): entry for entry in _of_kind(history, "things")}
    for name, resource in (_final(history) or {}).items():
        if not name.startswith("videoTasks/"):
            continue
        if resource["state"] == "SUCCEEDED" and not resource.get("has_link", True):
            violations.append(f"{name} is SUCCEEDED without a link")
        units = {(unit["provider"], unit["task"]): unit for unit in resource["units"]}
        for provider, thing in sorted(made.get(resource["mark"], ())):
            if things.get((provider, thing), {}).get("state") != "succeeded":
                continue
            unit = units.get((provider, thing))
            if unit is None or unit["state"] != "SUCCEEDED":
                violations.append(f"{provider} has finished {thing}, and {name} has it as "
                                  f"{unit['state'] if unit else 'nothing'}"
                                  f"{' ' + unit['reason'] if unit and unit['reason'] else ''}")
    return violations


def tenants_apart(history):
    """No tenant sees another tenant's text, and no admin page shows any tenant's."""
    violations = []
    tenant_of = {entry["id"]: entry.get("tenant") for entry in _of_kind(history, "call")}
    tenant_of_stream = {entry["stream"]: entry.get("tenant") for entry in _of_kind(history, "open")}
    for entry in _of_kind(history, "return", "event", "page"):
        words = set(entry.get("words", ()))
        if entry["kind"] == "page":
            for word in sorted(words):
                violations.append(f"{entry['page']} of gateway {entry['gateway']} shows words of "
                                  f"{word}")
            continue
        is_event = entry["kind"] == "event"
        tenant = tenant_of_stream.get(entry["stream"]) if is_event else tenant_of.get(entry["id"])
        where = f"stream {entry['stream']}" if is_event else f"call {entry['id']}"
        for word in sorted(words - {tenant}):
            violations.append(f"{where} of {tenant} shows words of {word}")
    return violations


# The longest time between two polls of a unit in flight, in seconds, under any load; longer than a
# circuit breaker stays open.
STARVED = 45.0


def asked_in_time(history, longest=STARVED):
    """The time between two polls of a unit is bounded, except while a gateway is down, suspended or
    without its store."""
    violations = []
    lease = max((entry["lease"] for entry in _of_kind(history, "store")), default=0)
    away = sorted(entry["wall"] for entry in _of_kind(history, *_NEWS))
    last = {}
    for entry in sorted(_of_kind(history, "upstream"), key=lambda e: e["time"]):
        made = entry["call"] in ("video.create", "asset.create")
        if not entry["object_id"] or not (made or entry["call"].endswith(".get")):
            continue
        unit = (entry["provider"], entry["call"].split(".")[0], entry["object_id"])
        before = last.get(unit)
        last[unit] = entry
        # The gateway learns the id of an unanswered submission later, or from an operator.
        if made or before is None or before["call"].endswith(".create") and before["fault"] or \
                entry["time"] - before["time"] <= longest:
            continue
        # A poll may have been in flight at that moment.
        begin = bisect.bisect_left(away, before["time"] - lease - _TAKEOVER)
        if begin < len(away) and away[begin] <= entry["time"]:
            continue
        violations.append(f"{unit} was not asked after for {entry['time'] - before['time']:.1f} s "
                          f"before request {entry['number']}; {longest} s are the most")
    return violations


# The minimal poll interval of a run's config, less a margin for the network: a poll that takes
# longer than the next one shortens the observed interval by the difference.
POLL_FLOOR = 0.04


# The entries after which gateways reload their work, or take over each other's.
_NEWS = ("start", "step", "kill", "pause", "disturbance")
# The longest time from the end of a lease to the takeover of its work, in seconds.
_TAKEOVER = 3.0


def _catching_up(history):
    """The periods in which a gateway's internal clock runs at double speed: after the machine's
    clock was set forward, for the length of that step, or until the gateway ends. [[begin, end]]"""
    offsets, behind, periods = {}, {}, []
    for entry in _of_kind(history, "start", "step", "kill"):
        gateway, wall = entry["gateway"], entry["wall"]
        since, left = behind.get(gateway, (wall, 0))
        if left > 0:
            periods.append([since, min(wall, since + left)])
            left = max(0, left - (wall - since))
        if entry["kind"] == "step":
            left += entry["offset"] - offsets.get(gateway, 0)
        else:
            left = 0
        offsets[gateway] = entry.get("offset", 0)
        behind[gateway] = wall, left
    return periods + [[since, since + left] for since, left in behind.values() if left > 0]


def one_poll(history, floor=POLL_FLOOR):
    """A unit is polled at most once per `floor` seconds, for any number of watchers and gateways,
    and once per half of that while a clock catches up. Each restart, step of a clock and loss of
    leases permits one earlier poll; a poll that was cut off may be repeated."""
    violations = []
    lease = max((entry["lease"] for entry in _of_kind(history, "store")), default=0)
    later = lease + _TAKEOVER if lease else 0.0
    news = sorted(entry["wall"] for entry in _of_kind(history, *_NEWS))
    fast = _catching_up(history)
    last, gaps, used = {}, {}, {}
    for entry in sorted(_of_kind(history, "upstream"), key=lambda e: e["time"]):
        if not entry["call"].endswith(".get") or not entry["object_id"]:
            continue
        unit = (entry["provider"], entry["call"], entry["object_id"])
        before = last.get(unit)
        last[unit] = entry
        if before is None or before["status"] == 0:
            continue
        gap = entry["time"] - before["time"]
        # A poll is late by at most half the floor; the lateness of the first two is unknown.
        gap_before = min(gaps.get(unit, 1.5 * floor), 1.5 * floor)
        gaps[unit] = gap
        if gap >= floor or gap + gap_before >= 2 * floor:
            continue
        if gap >= floor / 2 and any(
                begin <= entry["time"] and before["time"] <= end for begin, end in fast):
            continue
        # The first of these entries that has not excused a poll yet.
        at = max(bisect.bisect_left(news, before["time"] - later), used.get(unit, 0))
        if at < len(news) and news[at] <= entry["time"]:
            used[unit] = at + 1
            continue
        violations.append(f"{unit} was polled {gap:.3f} s after the poll before (request "
                          f"{entry['number']}); the floor is {floor} s")
    return violations


# Final states of a unit; ACTIVE can become LOST when a provider forgets it.
_FINAL_UNITS = {"SUCCEEDED", "FAILED", "CANCELLED", "ACTIVE", "LOST"}
# Reasons of placements that failed without an answer of the provider.
_NOT_PLACED = {"SUBMISSION_UNKNOWN", "NOT_SUBMITTED"}


def _may_begin_anew(name, unit):
    """Whether a FAILED placement may be submitted again: without an id of a copy at the provider,
    an asset that failed without an answer of the provider, or any group."""
    return (unit["state"] == "FAILED" and not unit["task"] and
            (name.startswith("assetGroups/") or
             name.startswith("assets/") and unit["reason"] in _NOT_PLACED))


def provider_finals_stay(history):
    """The outcome of a final task, attempt or placement never changes."""
    violations = []
    seen = {}
    for entry in history:
        for resource in _resources(entry):
            seen.setdefault(resource["name"], {})[resource["revision"]] = resource
    for name, revisions in seen.items():
        end = None
        units = {}
        for revision, resource in sorted(revisions.items()):
            if end is not None and resource["state"] != end["state"]:
                violations.append(f"{name} was {end['state']} at revision {end['revision']} and is "
                                  f"{resource['state']} at {revision}")
            if resource["final"]:
                end = resource
            for number, unit in enumerate(resource["units"]):
                before = units.get(number)
                if before is not None and unit["state"] != before["state"] and \
                        (before["state"], unit["state"]) != ("ACTIVE", "LOST"):
                    if _may_begin_anew(name, before):
                        units.pop(number)
                    else:
                        violations.append(f"{name}, unit {number} at {unit['provider']}, was "
                                          f"{before['state']} and is {unit['state']} at revision "
                                          f"{revision}")
                if unit["state"] in _FINAL_UNITS:
                    units[number] = unit
    return violations


def violations_of(history, floor=POLL_FLOOR, longest=STARVED):
    """Checks all guarantees: {guarantee: violations}, without those that hold."""
    found = {
        "ordered": ordered(history), "unique": unique(history), "atomic": atomic(history),
        "reliable": reliable(history), "resumable": resumable(history),
        "bookmarkable": bookmarkable(history), "durable": durable(history),
        "one_answer": one_answer(history), "no_loss": no_loss(history),
        "no_double_billing": no_double_billing(history), "one_poll": one_poll(history, floor),
        "provider_finals_stay": provider_finals_stay(history),
        "nothing_denied": nothing_denied(history), "delivered": delivered(history),
        "tenants_apart": tenants_apart(history),
        "asked_in_time": asked_in_time(history, longest),
    }
    return {name: violations for name, violations in found.items() if violations}
