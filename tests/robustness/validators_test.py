#!/usr/bin/env python3
"""Every validator sees each way in which its guarantee can be violated, and is content with a
history in which it holds. Run by CTest."""

import json
import unittest

import validators


def thing(name, revision, state="QUEUED", final=False, settled=None, **more):
    return {"name": name, "revision": revision, "digest": f"{name}@{revision}", "state": state,
            "final": final, "settled": final if settled is None else settled, "prompt": f"<{name}>",
            "attempts": [], **more}


class Writer:
    """Writes a history, a second per entry."""

    def __init__(self):
        self.entries = []
        self.now = 100.0

    def add(self, kind, **fields):
        self.now += 1
        entry = {"at": self.now, "kind": kind, **fields}
        self.entries.append(entry)
        return entry

    def open(self, stream, token="", names=()):
        return self.add("open", stream=stream, collection="videoTasks", names=list(names),
                        token=token)

    def event(self, stream, kind, **fields):
        return self.add("event", stream=stream, type=kind, **fields)

    def put(self, stream, resource):
        return self.event(stream, "PUT", revision=resource["revision"], resource=resource)

    def delete(self, stream, resource):
        return self.event(stream, "DELETE", revision=resource["revision"], resource=resource)

    def mark(self, stream, token, complete=False):
        return self.event(stream, "BOOKMARK", token=token, snapshot_complete=complete)


def good():
    """A reader sees a task to its end over a kill; another one is deleted; a third holds out."""
    done = thing("videoTasks/a", 9, "SUCCEEDED", True,
                 attempts=[{"provider": "kyy", "task": "v-1", "state": "SUCCEEDED"}])
    w = Writer()
    w.add("start", gateway=0, wall=1000.0)
    w.add("call", id=1, method="CreateVideoTask", request_id="r", name="videoTasks/a", prompt="p")
    w.open(10)
    w.event(10, "RESET", reset_reason="FRESH")
    w.mark(10, "t0", complete=True)
    w.put(10, thing("videoTasks/a", 3))
    w.add("return", id=1, code="OK", reason=None, resource=thing("videoTasks/a", 3))
    w.mark(10, "t1")
    w.put(10, thing("videoTasks/b", 4))
    w.put(10, thing("videoTasks/a", 5))
    w.add("kill", gateway=0, wall=1010.0)
    w.add("close", stream=10, code="UNAVAILABLE")
    w.add("start", gateway=0, wall=1011.0)
    w.open(11, token="t1")
    w.put(11, thing("videoTasks/b", 4))
    w.put(11, thing("videoTasks/a", 5))
    w.add("call", id=2, method="DeleteVideoTask", request_id="", name="videoTasks/b", prompt="")
    w.delete(11, thing("videoTasks/b", 8))
    w.put(11, done)
    w.mark(11, "t2")
    w.open(12)
    w.event(12, "RESET", reset_reason="FRESH")
    w.put(12, done)
    w.mark(12, "t3", complete=True)
    w.add("quiet", stream=11)
    w.add("quiet", stream=12)
    w.add("final", resources=[done])
    w.add("things", provider="kyy", id="v-1", state="succeeded")
    w.add("upstream", provider="kyy", call="video.create", number=1, time=1001.0, object_id="v-1",
          status=200, prompt="<videoTasks/a>")
    for number, time in ((2, 1002.0), (3, 1003.0), (4, 1011.1)):
        w.add("upstream", provider="kyy", call="video.get", number=number, time=time,
              object_id="v-1", status=200, prompt="")
    return w


def first(entries, kind, **fields):
    """The first entry like that."""
    for entry in entries:
        if entry["kind"] == kind and all(entry.get(key) == value for key, value in fields.items()):
            return entry
    raise AssertionError(f"no {kind} {fields}")


class ValidatorTest(unittest.TestCase):
    FLOOR = 0.5

    def broken(self, guarantee, breaks, *words):
        """`breaks` spoils a good history; the validator of `guarantee` says so, with these words."""
        # As read from a file: no two entries share a part.
        entries = json.loads(json.dumps(good().entries))
        breaks(entries)
        found = validators.violations_of(entries, self.FLOOR)
        self.assertIn(guarantee, found)
        for word in words:
            self.assertIn(word, "\n".join(found[guarantee]))

    def test_a_history_in_which_all_holds_is_fine(self):
        self.assertEqual(validators.violations_of(good().entries, self.FLOOR), {})

    def insert(self, entries, after, *new):
        at = entries.index(after) + 1
        entries[at:at] = [{"at": after["at"], **entry} for entry in new]

    # --- Ordered, Unique, Atomic

    def test_ordered_sees_a_revision_that_goes_back(self):
        self.broken("ordered", lambda e: self.insert(
            e, first(e, "event", stream=10, revision=5),
            {"kind": "event", "stream": 10, "type": "PUT", "revision": 2,
             "resource": thing("videoTasks/a", 2)}), "videoTasks/a", "from revision 5 to 2")

    def test_ordered_sees_a_deletion_that_goes_back(self):
        self.broken("ordered", lambda e: first(e, "event", stream=11, type="DELETE").update(
            revision=1), "videoTasks/b")

    def test_unique_sees_an_event_told_twice(self):
        self.broken("unique", lambda e: self.insert(
            e, first(e, "event", stream=11, revision=9),
            dict(first(e, "event", stream=11, revision=9))), "videoTasks/a", "9")

    def test_atomic_sees_two_contents_of_one_revision(self):
        for where in ({"kind": "event", "stream": 12, "type": "PUT"},
                      {"kind": "return", "id": 1}):
            with self.subTest(**where):
                self.broken("atomic", lambda e, where=where: first(e, **where)["resource"].update(
                    digest="other"))

    def test_atomic_sees_a_torn_event(self):
        self.broken("atomic", lambda e: first(e, "event", stream=12, type="PUT").update(revision=7),
                    "says revision 7")

    # --- Reliable, Resumable, Bookmarkable

    def drop(self, **fields):
        return lambda e: e.remove(first(e, "event", **fields))

    def test_reliable_sees_what_a_fresh_stream_lacks(self):
        self.broken("reliable", self.drop(stream=12, type="PUT"), "lacks videoTasks/a")

    def test_reliable_sees_what_is_stale(self):
        def stale(entries):
            event = first(entries, "event", stream=12, type="PUT")
            event.update(revision=5, resource=thing("videoTasks/a", 5))
        self.broken("reliable", stale, "at revision 5, which is at 9")

    def test_resumable_sees_a_gap_after_the_token(self):
        self.broken("resumable", self.drop(stream=11, revision=9), "which is at 9")

    def test_resumable_sees_a_deletion_that_was_missed(self):
        def missed(entries):
            # It was held when the token was given.
            self.insert(entries, first(entries, "event", stream=10, revision=3),
                        {"kind": "event", "stream": 10, "type": "PUT", "revision": 4,
                         "resource": thing("videoTasks/b", 4)})
            entries.remove(first(entries, "event", stream=11, type="DELETE"))
        self.broken("resumable", missed, "videoTasks/b", "no more")

    def test_resumable_sees_a_token_from_nowhere(self):
        self.broken("resumable", lambda e: first(e, "open", stream=11).update(token="t9"),
                    "no stream gave")

    def test_bookmarkable_sees_a_token_on_another_event(self):
        self.broken("bookmarkable",
                    lambda e: first(e, "event", stream=10, revision=3).update(token="t"),
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

    def test_bookmarkable_sees_a_stream_that_does_not_begin_with_reset(self):
        self.broken("bookmarkable", self.drop(stream=12, type="RESET"), "begins with PUT")

    def test_bookmarkable_sees_that_none_came_for_long(self):
        def late(entries):
            for entry in entries[entries.index(first(entries, "event", token="t1")):]:
                entry["at"] += 40
        self.broken("bookmarkable", late, "between BOOKMARKs")
        def never(entries):
            first(entries, "close", stream=10)["at"] += 100
        self.broken("bookmarkable", never, "before its end")

    # --- NoLoss, NoDoubleBilling, OnePoll, ProviderFinalsStay

    def test_no_loss_sees_what_is_gone(self):
        self.broken("no_loss", lambda e: first(e, "final")["resources"].clear(), "is lost")

    def test_no_loss_sees_what_never_ends(self):
        self.broken("no_loss", lambda e: first(e, "final")["resources"][0].update(
            state="RUNNING", settled=False), "never came to an end")

    def test_no_loss_sees_an_end_that_the_provider_did_not_give(self):
        self.broken("no_loss", lambda e: first(e, "things").update(state="failed"), "is failed")
        self.broken("no_loss", lambda e: e.remove(first(e, "things")), "no such thing")

    def test_no_double_billing_sees_a_second_video(self):
        def twice(entries):
            again = dict(first(entries, "upstream", call="video.create"), object_id="v-2")
            entries.append(again)
        self.broken("no_double_billing", twice, "v-1", "v-2")

    def test_no_double_billing_takes_a_replay_for_what_it_is(self):
        entries = good().entries
        entries.append(dict(first(entries, "upstream", call="video.create"), number=9))
        self.assertEqual(validators.violations_of(entries, self.FLOOR), {})

    def test_no_double_billing_sees_a_video_that_was_denied(self):
        def denied(entries):
            first(entries, "final")["resources"][0].update(
                state="FAILED", attempts=[{"provider": "kyy", "task": "", "state": "NOT_ACCEPTED"}])
        self.broken("no_double_billing", denied, "not accepted by kyy")

    def test_one_poll_sees_a_poll_below_the_floor(self):
        self.broken("one_poll", lambda e: first(e, "upstream", number=3).update(time=1002.1),
                    "v-1", "request 3")

    def test_provider_finals_stay_sees_an_end_that_changes(self):
        def changed(entries):
            first(entries, "event", stream=10, revision=5)["resource"].update(
                state="FAILED", final=True)
        self.broken("provider_finals_stay", changed, "was FAILED", "is SUCCEEDED at 9")


if __name__ == "__main__":
    unittest.main()
