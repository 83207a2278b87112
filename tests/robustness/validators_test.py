#!/usr/bin/env python3
"""Every validator reports each violation of its guarantee, and accepts a history in which it holds.
Run by CTest."""

import json
import unittest

import validators


def thing(name, revision, state="QUEUED", final=False, settled=None, **more):
    return {"name": name, "revision": revision, "digest": f"{name}@{revision}", "state": state,
            "final": final, "settled": final if settled is None else settled,
            "mark": f"<{name}>", "labels": {}, "units": [], **more}


def unit(state, task="v-1", provider="kyy", billing="BILLED", reason=""):
    return {"provider": provider, "task": task, "state": state, "billing": billing,
            "reason": reason}


class Writer:
    """Writes a history with one entry a second."""

    def __init__(self):
        self.entries = []
        self.now = 100.0

    def add(self, kind, **fields):
        self.now += 1
        entry = {"at": self.now, "kind": kind, **fields}
        self.entries.append(entry)
        return entry

    def call(self, number, method, name="", request_id="", body="b", mark=""):
        return self.add("call", id=number, method=method, request_id=request_id, name=name,
                        mark=mark or f"<{name}>", body=body)

    def answer(self, number, *resources, code="OK", reason=None):
        return self.add("return", id=number, code=code, reason=reason, resources=list(resources))

    def open(self, stream, reader, token="", names=(), wanted=None, foreign=False):
        return self.add("open", stream=stream, reader=reader, collection="videoTasks",
                        names=list(names), filter=wanted or {}, token=token, foreign=foreign)

    def event(self, stream, kind, **fields):
        return self.add("event", stream=stream, type=kind, **fields)

    def put(self, stream, resource):
        return self.event(stream, "PUT", revision=resource["revision"], resource=resource)

    def delete(self, stream, resource, cause="DELETED"):
        return self.event(stream, "DELETE", revision=resource["revision"], resource=resource,
                          cause=cause)

    def mark(self, stream, token, upto, complete=False):
        return self.event(stream, "BOOKMARK", token=token, upto=upto, snapshot_complete=complete)

    def upstream(self, number, call, time, object_id="v-1", mark="", status=200, fault="",
                 provider="kyy", key="", body=""):
        return self.add("upstream", provider=provider, call=call, number=number, time=time,
                        object_id=object_id, status=status, mark=mark, fault=fault, key=key,
                        body=body)


A, B, C = "videoTasks/a", "videoTasks/b", "videoTasks/c"


def good():
    """A reader follows a task to its end over a kill; a second task is deleted; a reader watches by
    state; a task is refused; a last one is left in doubt, and resolved by an operator."""
    queued = thing(A, 5, units=[unit("QUEUED")])
    done = thing(A, 9, "SUCCEEDED", True, units=[unit("SUCCEEDED")])
    doubtful = thing(C, 6, "UNCONFIRMED", settled=True, units=[unit("UNCONFIRMED", "", "zerozero")])
    settled = thing(C, 10, "SUCCEEDED", True, units=[unit("SUCCEEDED", "v-3", "zerozero")])
    w = Writer()
    w.add("begin", wall=1000.0)
    w.add("start", gateway=0, wall=1000.0)
    w.call(1, "CreateVideoTask", A, "r")
    w.open(10, "one")
    w.event(10, "RESET", reset_reason="FRESH")
    w.mark(10, "t0", 2, complete=True)
    w.put(10, thing(A, 3))
    w.answer(1, thing(A, 3))
    w.mark(10, "t1", 3)
    w.put(10, thing(B, 4))
    w.put(10, queued)
    w.add("kill", gateway=0, wall=1010.0)
    w.add("close", stream=10, code="UNAVAILABLE")
    w.add("start", gateway=0, wall=1011.0)
    w.call(4, "CreateVideoTask", A, "r")
    w.answer(4, queued)
    w.open(11, "one", token="t1")
    w.put(11, thing(B, 4))
    w.put(11, queued)
    w.put(11, doubtful)
    w.call(2, "DeleteVideoTask", B)
    w.delete(11, thing(B, 8))
    w.answer(2)
    w.put(11, done)
    w.mark(11, "t2", 9)
    w.open(13, "queued", wanted={"states": ["QUEUED"]})
    w.event(13, "RESET", reset_reason="FRESH")
    w.put(13, queued)
    w.mark(13, "t4", 8, complete=True)
    w.delete(13, done, cause="LEFT_FILTER")
    w.mark(13, "t5", 9)
    w.open(14, "foreign", token="junk", foreign=True)
    w.event(14, "RESET", reset_reason="OTHER_STORE")
    w.add("close", stream=14, code="CANCELLED")
    w.call(3, "CreateVideoTask", "videoTasks/no")
    w.answer(3, code="INVALID_ARGUMENT", reason="PROVIDER_INVALID_ARGUMENT")
    w.call(5, "GetVideoTask", A)
    w.answer(5, done)
    w.call(6, "ResolveVideoTask", C, body="v-3")
    w.answer(6, settled)
    w.put(11, settled)
    w.mark(11, "t6", 10)
    w.open(12, "two")
    w.event(12, "RESET", reset_reason="FRESH")
    w.put(12, done)
    w.put(12, settled)
    w.mark(12, "t3", 10, complete=True)
    w.add("quiet", stream=11)
    w.add("quiet", stream=12)
    w.add("quiet", stream=13)
    w.add("final", gateway=0, resources=[done, settled])
    w.add("things", provider="kyy", id="v-1", state="succeeded")
    w.add("things", provider="zerozero", id="v-3", state="succeeded")
    w.upstream(1, "video.create", 1001.0, mark=f"<{A}>")
    w.upstream(2, "video.get", 1002.0)
    w.upstream(3, "video.get", 1003.0)
    w.upstream(4, "video.get", 1011.1)
    w.upstream(5, "video.create", 1012.0, "v-3", f"<{C}>", 0, "reset", "zerozero")
    return w


def first(entries, kind, **fields):
    """The first entry with these fields."""
    for entry in entries:
        if entry["kind"] == kind and all(entry.get(key) == value for key, value in fields.items()):
            return entry
    raise AssertionError(f"no {kind} {fields}")


class ValidatorTest(unittest.TestCase):
    FLOOR = 0.5

    def broken(self, guarantee, breaks, *words):
        """`breaks` spoils a valid history; the validator of `guarantee` reports it with these words."""
        # As read from a file: no two entries share an object.
        entries = json.loads(json.dumps(good().entries))
        breaks(entries)
        found = validators.violations_of(entries, self.FLOOR)
        self.assertIn(guarantee, found)
        for word in words:
            self.assertIn(word, "\n".join(found[guarantee]))

    def test_a_history_without_violations_passes(self):
        self.assertEqual(validators.violations_of(good().entries, self.FLOOR), {})

    def insert(self, entries, after, *new):
        at = entries.index(after) + 1
        entries[at:at] = [{"at": after["at"], **entry} for entry in new]

    def everywhere(self, entries, revision, **fields):
        """Changes a resource at a revision in all entries."""
        for entry in entries:
            for resource in [entry.get("resource"), *(entry.get("resources") or ())]:
                if resource and resource["revision"] == revision:
                    resource.update(fields)

    def drop(self, **fields):
        return lambda e: e.remove(first(e, "event", **fields))

    # --- Ordered, Unique, Atomic

    def test_ordered_sees_a_revision_that_goes_back(self):
        self.broken("ordered", lambda e: self.insert(
            e, first(e, "event", stream=10, revision=5),
            {"kind": "event", "stream": 10, "type": "PUT", "revision": 2,
             "resource": thing(A, 2)}), A, "from revision 5 to 2")

    def test_ordered_sees_a_deletion_that_goes_back(self):
        self.broken("ordered", lambda e: first(e, "event", stream=11, type="DELETE").update(
            revision=1), B)

    def test_unique_sees_an_event_told_twice(self):
        self.broken("unique", lambda e: self.insert(
            e, first(e, "event", stream=11, revision=9),
            dict(first(e, "event", stream=11, revision=9))), A, "9")

    def test_unique_sees_what_the_token_covers_told_again(self):
        self.broken("unique", lambda e: self.insert(
            e, first(e, "open", stream=11),
            {"kind": "event", "stream": 11, "type": "PUT", "revision": 3,
             "resource": thing(A, 3)}), "up to revision 3")

    def test_atomic_sees_two_contents_of_one_revision(self):
        self.broken("atomic", lambda e: first(e, "event", stream=12, type="PUT")["resource"].update(
            digest="other"), "stream 12")
        self.broken("atomic", lambda e: first(e, "return", id=1)["resources"][0].update(
            digest="other"), "call 1")
        self.broken("atomic", lambda e: first(e, "final")["resources"][0].update(digest="other"),
                    "the end")

    def test_atomic_sees_a_torn_event(self):
        self.broken("atomic", lambda e: first(e, "event", stream=12, type="PUT").update(revision=7),
                    "says revision 7")

    # --- Reliable, Resumable, Bookmarkable

    def test_reliable_sees_what_a_fresh_stream_lacks(self):
        self.broken("reliable", self.drop(stream=12, type="PUT"), f"lacks {A}")

    def test_reliable_sees_what_is_stale(self):
        def stale(entries):
            event = first(entries, "event", stream=12, type="PUT")
            event.update(revision=5, resource=thing(A, 5))
        self.broken("reliable", stale, "at revision 5, which is at 9")

    def test_reliable_sees_that_what_left_a_filter_was_not_told(self):
        self.broken("reliable", self.drop(stream=13, type="DELETE"), f"holds {A}", "no more")

    def test_resumable_sees_a_gap_after_the_token(self):
        self.broken("resumable", self.drop(stream=11, revision=9), "which is at 9")

    def test_resumable_sees_a_deletion_that_was_missed(self):
        self.broken("resumable", self.drop(stream=11, type="DELETE"), B, "no more")

    def test_resumable_sees_a_token_from_nowhere(self):
        self.broken("resumable", lambda e: first(e, "open", stream=11).update(token="t9"),
                    "was not given")

    def test_resumable_sees_the_token_of_another_reader(self):
        # What the other one had been told, this one may never have heard.
        self.broken("resumable", lambda e: first(e, "open", stream=11).update(reader="three"),
                    "was not given")

    def test_resumable_sees_a_good_token_that_starts_over(self):
        self.broken("resumable", lambda e: self.insert(
            e, first(e, "open", stream=11),
            {"kind": "event", "stream": 11, "type": "RESET", "reset_reason": "COMPACTED"}),
            "RESET (COMPACTED)")

    def test_resumable_sees_a_foreign_token_that_is_taken(self):
        self.broken("resumable", lambda e: first(e, "event", stream=14).update(
            type="PUT", revision=9, resource=thing(A, 9)), "stream 14 begins with PUT")
        self.broken("resumable", lambda e: first(e, "event", stream=14).update(
            reset_reason="FRESH"), "stream 14", "OTHER_STORE")

    def test_resumable_sees_a_stream_that_does_not_begin_with_reset(self):
        self.broken("resumable", self.drop(stream=12, type="RESET"), "begins with PUT")

    def test_bookmarkable_sees_a_token_on_another_event(self):
        self.broken("bookmarkable",
                    lambda e: first(e, "event", stream=10, revision=3).update(token="t", upto=3),
                    "PUT carries a token")

    def test_bookmarkable_sees_a_bookmark_without_a_token(self):
        self.broken("bookmarkable",
                    lambda e: first(e, "event", stream=11, type="BOOKMARK").pop("token"),
                    "without a token")

    def test_bookmarkable_sees_a_snapshot_that_is_not_said_to_be_complete(self):
        self.broken("bookmarkable",
                    lambda e: first(e, "event", stream=12, token="t3").update(
                        snapshot_complete=False), "snapshot_complete")

    def test_bookmarkable_sees_a_snapshot_completed_twice(self):
        self.broken("bookmarkable",
                    lambda e: first(e, "event", stream=10, token="t1").update(
                        snapshot_complete=True), "snapshot_complete")

    def test_bookmarkable_sees_bookmarks_that_go_back(self):
        self.broken("bookmarkable", lambda e: first(e, "event", token="t6").update(upto=7),
                    "go back from revision 9 to 7")

    def test_bookmarkable_sees_what_was_not_delivered_before_it(self):
        # It comes after all, but the token says that it had come.
        def late(entries):
            event = first(entries, "event", stream=11, revision=9)
            entries.remove(event)
            self.insert(entries, first(entries, "event", token="t2"), event)
        self.broken("bookmarkable", late, f"not told {A} at revision 9")

    def test_bookmarkable_sees_a_deletion_that_was_not_delivered_before_it(self):
        self.broken("bookmarkable", self.drop(stream=13, type="DELETE"),
                    f"holds {A} at revision 5", "no longer what it watches")
        def late(entries):
            # That it is gone is known from elsewhere.
            self.insert(entries, first(entries, "event", token="t3"),
                        dict(first(entries, "event", stream=11, type="DELETE"), stream=12))
            entries.remove(first(entries, "event", stream=11, type="DELETE"))
        self.broken("bookmarkable", late, f"holds {B} at revision 4", "gone")

    def test_bookmarkable_excuses_a_reader_who_came_after_a_deletion_that_nobody_was_told(self):
        def told_to_nobody(entries):
            # It was in an answer, and no reader's snapshot was fast enough to have it.
            first(entries, "return", id=4)["resources"].append(thing(B, 4))
            for event in [e for e in entries if e["kind"] == "event" and
                          e.get("resource", {}).get("name") == B]:
                entries.remove(event)
        entries = json.loads(json.dumps(good().entries))
        told_to_nobody(entries)
        self.assertEqual(validators.bookmarkable(entries), [])

        def and_not_deleted(entries):
            told_to_nobody(entries)
            first(entries, "return", id=2).update(code="FAILED_PRECONDITION", reason="IN_USE")
        self.broken("bookmarkable", and_not_deleted, f"not told {B} at revision 4")

    def test_bookmarkable_sees_that_none_came_for_long(self):
        def late(entries):
            for entry in entries[entries.index(first(entries, "event", token="t1")):]:
                entry["at"] += 40
        self.broken("bookmarkable", late, "between BOOKMARKs")
        def never(entries):
            first(entries, "close", stream=10)["at"] += 100
        self.broken("bookmarkable", never, "before its end")

    def test_bookmarkable_excuses_a_process_that_was_made_to_stand_still(self):
        entries = json.loads(json.dumps(good().entries))
        mark = first(entries, "event", token="t1")
        self.insert(entries, first(entries, "event", token="t0"),
                    {"kind": "pause", "gateway": 0, "wall": 1012.0, "seconds": 40})
        for entry in entries[entries.index(mark):]:
            entry["at"] += 40
        self.assertEqual(validators.violations_of(entries, self.FLOOR), {})

    # --- Durable, OneAnswer, NoLoss

    def test_durable_sees_an_answer_older_than_what_was_told(self):
        self.broken("durable", lambda e: first(e, "return", id=4).update(
            resources=[thing(A, 3)]), "call 4", "revision 3", "stream 10 had shown 5")
        self.broken("durable", lambda e: first(e, "return", id=5).update(
            resources=[thing(A, 5)]), "call 5", "stream 11 had shown 9")

    def test_durable_sees_an_end_older_than_what_was_told(self):
        self.broken("durable", lambda e: first(e, "final")["resources"][0].update(revision=7),
                    "the end shows", "revision 7")

    def test_durable_sees_gateways_that_list_different_things(self):
        def differ(revision):
            def change(entries):
                end = first(entries, "final")
                other = json.loads(json.dumps({**end, "gateway": 1}))
                if revision:
                    other["resources"][1]["revision"] = revision
                else:
                    other["resources"].pop()
                entries.insert(entries.index(end) + 1, other)
            return change
        self.broken("durable", differ(0), f"lists {C} at revision 10, gateway 1 at None")
        self.broken("durable", differ(11), f"lists {C} at revision 10, gateway 1 at 11")

    def test_one_answer_sees_a_second_thing_made_by_a_request_id(self):
        self.broken("one_answer", lambda e: first(e, "return", id=4).update(
            resources=[thing("videoTasks/other", 7)]), A, "videoTasks/other")

    def test_one_answer_sees_another_body_that_is_taken_for_the_first(self):
        self.broken("one_answer", lambda e: first(e, "call", id=4).update(body="other"),
                    "different bodies")

    def test_no_loss_sees_what_is_gone(self):
        self.broken("no_loss", lambda e: first(e, "final")["resources"].clear(), "is lost")

    def test_no_loss_takes_no_refused_delete_for_an_excuse(self):
        def refused(entries):
            first(entries, "final")["resources"].pop(0)
            at = first(entries, "event", token="t6")
            self.insert(entries, at,
                        {"kind": "call", "id": 7, "method": "DeleteVideoTask", "request_id": "",
                         "name": A, "mark": "", "body": ""},
                        {"kind": "return", "id": 7, "code": "FAILED_PRECONDITION",
                         "reason": "IN_USE", "resources": []})
        self.broken("no_loss", refused, "is lost")

    def test_no_loss_sees_a_get_that_finds_nothing(self):
        self.broken("no_loss", lambda e: first(e, "return", id=5).update(
            code="NOT_FOUND", reason="RESOURCE_NOT_FOUND", resources=[]), "call 5")

    def test_no_loss_sees_what_comes_back_after_its_deletion(self):
        self.broken("no_loss", lambda e: first(e, "final")["resources"].append(
            thing(B, 8, settled=True)), B, "there again")

    def test_no_loss_sees_what_was_refused_and_exists(self):
        self.broken("no_loss", lambda e: first(e, "final")["resources"].append(
            thing("videoTasks/no", 8, settled=True)), "refused", "PROVIDER_INVALID_ARGUMENT")

    def test_no_loss_sees_what_never_ends(self):
        self.broken("no_loss", lambda e: first(e, "final")["resources"][0].update(
            state="RUNNING", settled=False), "never came to an end")

    def test_no_loss_sees_an_end_that_the_provider_did_not_give(self):
        self.broken("no_loss", lambda e: first(e, "things").update(state="failed"), "is failed")
        self.broken("no_loss", lambda e: e.remove(first(e, "things")), "no such thing")
        self.broken("no_loss", lambda e: first(e, "final")["resources"][0].update(
            state="FAILED", units=[unit("FAILED")]), "is FAILED, but v-1 is succeeded")
        self.broken("no_loss", lambda e: first(e, "final")["resources"][0].update(units=[]),
                    "none of its attempts is")

    def test_no_loss_accepts_an_end_that_the_gateway_set(self):
        entries = json.loads(json.dumps(good().entries))
        first(entries, "final")["resources"][0].update(
            state="FAILED", units=[unit("FAILED", reason="PROVIDER_FORGOT")])
        self.assertEqual(validators.no_loss(entries), [])

    # --- NoDoubleBilling, OnePoll, ProviderFinalsStay

    def test_no_double_billing_sees_a_second_video(self):
        self.broken("no_double_billing", lambda e: e.append(
            dict(first(e, "upstream", number=1), object_id="v-2")), "v-1", "v-2")

    def test_no_double_billing_sees_what_may_have_been_made_asked_for_again(self):
        # The first may have been made, the second surely was not: that was luck.
        def again(entries):
            request = first(entries, "upstream", number=1)
            entries.append(dict(request, number=0, object_id="", status=0, fault="hang"))
        self.broken("no_double_billing", again, "sent to kyy (request 1)", "(request 0)")
        def elsewhere(entries):
            request = first(entries, "upstream", number=1)
            entries.append(dict(request, number=9, object_id="", status=429, provider="octopusx"))
        self.broken("no_double_billing", elsewhere, "sent to octopusx", "kyy may have made it")

    def keyed(self, entries, **more):
        """The video is made by a provider with an idempotency key, which is asked twice."""
        request = first(entries, "upstream", number=1)
        request.update(provider="apiframe", key="k", body="b")
        first(entries, "things", id="v-1").update(provider="apiframe")
        for entry in entries:
            for resource in [entry.get("resource"), *(entry.get("resources") or ())]:
                for one in resource["units"] if resource and resource["name"] == A else ():
                    one.update(provider="apiframe")
        entries.append({**request, "number": 9, **more})

    def test_no_double_billing_takes_a_replay_for_what_it_is(self):
        entries = json.loads(json.dumps(good().entries))
        self.keyed(entries)
        self.assertEqual(validators.violations_of(entries, self.FLOOR), {})

    def test_no_double_billing_sees_a_replay_that_is_none(self):
        self.broken("no_double_billing", lambda e: self.keyed(e, key="other"), "another key")
        self.broken("no_double_billing", lambda e: self.keyed(e, body="other"), "another key or body")

    def test_no_double_billing_takes_the_word_of_a_person(self):
        def entries_with(word):
            entries = json.loads(json.dumps(good().entries))
            first(entries, "call", id=6).update(body=word)
            first(entries, "upstream", number=5).update(object_id="", time=1003.0)
            entries.append(dict(first(entries, "upstream", number=5), number=6, time=1090.0,
                                object_id="v-3", status=200, fault=""))
            return validators.violations_of(entries, self.FLOOR)
        self.assertEqual(entries_with("resubmit"), {})
        self.assertIn("no_double_billing", entries_with("v-3"))

    def test_no_double_billing_sees_a_video_that_was_denied(self):
        def denied(entries):
            first(entries, "final")["resources"][0].update(
                state="FAILED", units=[unit("NOT_ACCEPTED", "", billing="NOT_BILLED")])
        self.broken("no_double_billing", denied, "is FAILED and does not know v-1")
        self.broken("no_double_billing", lambda e: first(e, "upstream", number=1).update(
            mark="<videoTasks/no>"), "no task knows it")

    def test_no_double_billing_sees_what_its_key_could_have_told(self):
        self.broken("no_double_billing", lambda e: first(e, "final")["resources"][1].update(
            state="UNCONFIRMED", units=[unit("UNCONFIRMED", "", "apiframe")]), "left UNCONFIRMED")

    def test_no_double_billing_sees_a_bill_that_is_denied(self):
        self.broken("no_double_billing", lambda e: first(e, "final")["resources"][0].update(
            units=[unit("SUCCEEDED", billing="NOT_BILLED")]), "is not billed")

    def test_one_poll_sees_a_poll_below_the_floor(self):
        self.broken("one_poll", lambda e: first(e, "upstream", number=3).update(time=1002.1),
                    "v-1", "request 3")

    def taken_over(self, *polls):
        """Another gateway has taken a unit over, which is asked after at these times."""
        entries = json.loads(json.dumps(good().entries))
        self.insert(entries, entries[1], {"kind": "store", "lease": 5},
                    {"kind": "pause", "gateway": 0, "wall": 1020.0, "seconds": 8})
        for number, time in enumerate(polls, 6):
            self.insert(entries, entries[-1], {**first(entries, "upstream", number=4),
                                               "number": number, "time": time})
        return validators.violations_of(entries, self.FLOOR)

    def test_one_poll_excuses_a_poll_of_the_gateway_that_takes_over(self):
        self.assertEqual(self.taken_over(1024.0, 1024.1), {})

    def test_one_poll_sees_two_gateways_that_go_on_asking(self):
        found = self.taken_over(1024.0, 1024.1, 1025.0, 1025.1)
        self.assertEqual(list(found), ["one_poll"], found)
        self.assertIn("request 9", found["one_poll"][0])

    def test_one_poll_sees_a_takeover_long_after_its_cause(self):
        self.assertEqual(list(self.taken_over(1030.0, 1030.1)), ["one_poll"])

    def test_one_poll_lets_a_poll_be_late_by_half_the_floor(self):
        def polled_at(*times):
            writer = Writer()
            for number, when in enumerate(times, 1):
                writer.upstream(number, "video.get", 1000.0 + when)
            return validators.one_poll(writer.entries, floor=1.0)
        self.assertEqual(polled_at(0.0, 1.3, 2.0), [])
        self.assertEqual(polled_at(0.0, 0.6, 1.6), [])
        self.assertTrue(polled_at(0.0, 1.0, 1.9))
        self.assertTrue(polled_at(0.0, 9.0, 9.4))
        self.assertTrue(polled_at(0.0, 0.4))

    def test_one_poll_lets_a_clock_that_catches_up_halve_the_floor(self):
        def polled_after(gap, *news):
            writer = Writer()
            for kind, more in news:
                writer.add(kind, gateway=0, **more)
            for number, when in enumerate((999.0, 1000.0, 1000.0 + gap), 1):
                writer.upstream(number, "video.get", when)
            return validators.one_poll(writer.entries, floor=1.0)
        forward = "step", {"wall": 995.0, "offset": 10}
        self.assertEqual(polled_after(0.6, forward), [])
        self.assertTrue(polled_after(0.4, forward))
        again = "step", {"wall": 980.0, "offset": 10}
        self.assertEqual(polled_after(0.6, again, ("start", {"wall": 990.0, "offset": 0}), forward), [])
        self.assertTrue(polled_after(0.6, again, ("start", {"wall": 990.0, "offset": 10}), forward))
        # Not when it has caught up, was ahead by more, or has ended; nor where it was set back.
        self.assertTrue(polled_after(0.6, ("step", {"wall": 985.0, "offset": 10})))
        self.assertTrue(polled_after(0.6, ("step", {"wall": 990.0, "offset": -60}),
                                     ("step", {"wall": 995.0, "offset": -50})))
        self.assertTrue(polled_after(0.6, forward, ("kill", {"wall": 996.0})))
        self.assertTrue(polled_after(0.6, ("step", {"wall": 995.0, "offset": -10})))

    def test_provider_finals_stay_sees_an_end_that_changes(self):
        def changed(entries):
            self.everywhere(entries, 5, state="FAILED", final=True)
        self.broken("provider_finals_stay", changed, "was FAILED", "is SUCCEEDED at 9")

    def test_provider_finals_stay_sees_a_placement_that_changes(self):
        def changed(entries):
            self.everywhere(entries, 5, units=[unit("ACTIVE")])
        self.broken("provider_finals_stay", changed, "unit 0 at kyy, was ACTIVE", "is SUCCEEDED")

    def placements(self, name, *units):
        """What provider_finals_stay says of a resource whose placement goes through these."""
        writer = Writer()
        for revision, one in enumerate(units, 1):
            writer.put(1, thing(name, revision, "PROCESSING", units=[one]))
        return validators.provider_finals_stay(writer.entries)

    def test_provider_finals_stay_lets_a_placement_begin_anew_that_the_gateway_gave_up(self):
        given_up = unit("FAILED", "", reason="SUBMISSION_UNKNOWN")
        again = (unit("SUBMITTING", ""), unit("ACTIVE"))
        self.assertEqual(self.placements("assets/a", given_up, *again), [])
        # Not what it is known to have made there, what the provider said, or a task.
        self.assertTrue(self.placements("assets/a", unit("FAILED", reason="SUBMISSION_UNKNOWN"),
                                        *again))
        self.assertTrue(self.placements("assets/a", unit("FAILED", "", reason="CONTENT_REJECTED"),
                                        *again))
        self.assertTrue(self.placements("videoTasks/a", given_up, *again))
        # It has ended once more, and stays so.
        self.assertTrue(self.placements("assets/a", given_up, *again, unit("PROCESSING")))

    # --- NothingDenied, Delivered, TenantsApart, AskedInTime

    def test_nothing_denied_sees_a_create_that_was_refused_though_the_video_was_made(self):
        self.broken("nothing_denied", lambda e: e.append(dict(
            first(e, "upstream", number=1), number=9, object_id="v-9", mark="<videoTasks/no>")),
            "<videoTasks/no>", "v-9")

    def test_nothing_denied_sees_an_attempt_that_is_said_to_be_unpaid(self):
        self.broken("nothing_denied", lambda e: first(e, "final")["resources"][0].update(
            state="FAILED", units=[unit("NOT_ACCEPTED", "", billing="NOT_BILLED")]),
            "NOT_BILLED at kyy, which made v-1")

    def test_nothing_denied_has_nothing_against_a_refusal_that_is_true(self):
        self.assertNotIn("nothing_denied", validators.violations_of(good().entries, self.FLOOR))

    def test_delivered_sees_a_video_that_was_finished_and_given_up(self):
        # That the gateway gave up on it, and says so, does not help the caller.
        self.broken("delivered", lambda e: first(e, "final")["resources"][0].update(
            state="FAILED", units=[unit("FAILED", reason="TRACKING_EXPIRED")]),
            "kyy has finished v-1", "FAILED TRACKING_EXPIRED")
        self.broken("delivered", lambda e: first(e, "final")["resources"][0].update(
            state="FAILED", units=[]), "as nothing")

    def test_delivered_sees_a_success_without_a_link(self):
        self.broken("delivered", lambda e: first(e, "final")["resources"][0].update(has_link=False),
                    "without a link")

    def of_tenants(self, entries, stream=(), answer=()):
        for entry in entries:
            if entry["kind"] in ("call", "open"):
                entry["tenant"] = "north"
        first(entries, "event", stream=11, revision=9)["words"] = list(stream)
        first(entries, "return", id=1)["words"] = list(answer)

    def test_tenants_apart_sees_another_ones_words(self):
        self.broken("tenants_apart", lambda e: self.of_tenants(e, stream=["north", "south"]),
                    "stream 11 of north shows words of south")
        self.broken("tenants_apart", lambda e: self.of_tenants(e, answer=["south"]), "call 1")
        self.broken("tenants_apart", lambda e: e.append(
            {"at": 0, "kind": "page", "gateway": 0, "page": "/metrics", "words": ["north"]}),
            "/metrics of gateway 0")

    def test_tenants_apart_has_nothing_against_a_tenants_own_words(self):
        entries = json.loads(json.dumps(good().entries))
        self.of_tenants(entries, stream=["north"], answer=["north"])
        self.assertNotIn("tenants_apart", validators.violations_of(entries, self.FLOOR))

    def test_asked_in_time_sees_a_unit_that_is_starved(self):
        def later(seconds):
            def polls(entries):
                poll = first(entries, "upstream", number=4)
                self.insert(entries, entries[-1], dict(poll, number=8, time=1020.0),
                            dict(poll, number=9, time=1020.0 + seconds))
            return polls
        self.broken("asked_in_time", later(50), "v-1", "50.0 s before request 9")
        entries = json.loads(json.dumps(good().entries))
        later(40)(entries)
        self.assertNotIn("asked_in_time", validators.violations_of(entries, self.FLOOR))

    def test_asked_in_time_excuses_a_gateway_that_was_away(self):
        entries = json.loads(json.dumps(good().entries))
        self.insert(entries, entries[1], {"kind": "pause", "gateway": 0, "wall": 1060.0,
                                          "seconds": 48})
        self.insert(entries, entries[-1], dict(first(entries, "upstream", number=4), number=9,
                                               time=1061.1))
        self.assertNotIn("asked_in_time", validators.violations_of(entries, self.FLOOR))

    def test_asked_in_time_excuses_a_unit_that_the_gateway_was_not_told_of(self):
        entries = json.loads(json.dumps(good().entries))
        # A person finds it a minute later.
        self.insert(entries, entries[-1], dict(first(entries, "upstream", number=5), number=9,
                                               call="video.get", status=200, fault="", time=1072.0))
        self.assertNotIn("asked_in_time", validators.violations_of(entries, self.FLOOR))

    # What is asked again after an answer that leaves it open

    def test_no_double_billing_knows_the_answers_that_leave_it_open(self):
        def after(status, fault):
            def again(entries):
                request = first(entries, "upstream", number=1)
                entries.append(dict(request, number=0, object_id="", status=status, fault=fault))
            return again
        for status, fault in ((302, "status"), (303, "status"), (200, "status"), (409, "status"),
                              (520, "edge"), (522, "edge"), (524, "edge"), (504, "edge")):
            with self.subTest(status=status):
                self.broken("no_double_billing", after(status, fault), "request 0")
        for status, fault in ((307, "status"), (521, "edge"), (525, "edge"), (530, "edge"),
                              (403, "edge"), (402, "status")):
            with self.subTest(status=status):
                entries = json.loads(json.dumps(good().entries))
                after(status, fault)(entries)
                self.assertNotIn("no_double_billing",
                                 validators.violations_of(entries, self.FLOOR))


if __name__ == "__main__":
    unittest.main()
