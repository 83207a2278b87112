#!/usr/bin/env python3
"""A caller with a credential that does not read its answers costs the gateway bounded memory, and
other callers nothing. With the program as it is shipped. Run by CTest."""

import contextlib
import hashlib
import pathlib
import signal
import socket
import struct
import sys
import tempfile
import unittest

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from http2 import DATA, END_HEADERS, END_STREAM, HEADERS, Connection, call_headers, frame  # noqa: E402
from programs import (DEADLINE, Gateway, config_text, reason_of, video_service_pb2,  # noqa: E402
                      video_task_pb2, wait_for)

GREEDY, OTHER = "token-of-greedy-77f0", "token-of-other-1b9c"
CALLERS = "callers:\n" + "".join(
    f"  - {{id: {name}, token_sha256: [{hashlib.sha256(token.encode()).hexdigest()}], roles: [WRITER]}}\n"
    for name, token in (("greedy", GREEDY), ("other", OTHER)))
# About 40 KB each: together more than one answer holds.
TASKS = 100
PROMPT = "\U00020000" * 10_000
# With an answer of 3 MiB to each, a gateway that kept them all would hold some 700 MB.
CALLS = 200
# The memory before the calls, and that of gRPC and the allocator beside the answers.
BASE = 128 << 20


def _resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


class UnreadTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assetgate-unread-")
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name)
        (path / "assetgate.yaml").write_text(config_text("http://127.0.0.1:9", CALLERS))
        self.gateway = Gateway(path)
        self.addCleanup(self.gateway.end, signal.SIGKILL)
        for made in [self.gateway.videos.CreateVideoTask.future(
                video_service_pb2.CreateVideoTaskRequest(
                    video_task=video_task_pb2.VideoTask(model="seedance-2", prompt=PROMPT),
                    video_task_id=f"t-{number}", max_wait={"seconds": 0}), **self._as(OTHER))
                     for number in range(TASKS)]:
            made.result()

    @staticmethod
    def _as(token):
        return {"timeout": DEADLINE, "metadata": (("authorization", f"Bearer {token}"),)}

    def _list(self, token, page_size=1):
        return self.gateway.videos.ListVideoTasks(
            video_service_pb2.ListVideoTasksRequest(page_size=page_size), **self._as(token))

    def _call_unread(self, method, request):
        """Calls the method CALLS times on connections without a window for answers. Returns once
        all calls have their HEADERS, an error or the beginning of an answer, or the gateway has
        closed the connection, which it does to the largest holders when memory is short."""
        data = request.SerializeToString()
        message = b"\0" + struct.pack(">I", len(data)) + data
        block = call_headers(f"/assetgate.v1.VideoService/{method}",
                             ("authorization", f"Bearer {GREEDY}"))
        connections = []
        each_calls = CALLS // 4
        for _ in range(4):
            connection = Connection(self.gateway.address)
            self.addCleanup(connection.close)
            connections.append(connection)
            for stream in range(1, 2 * each_calls, 2):
                connection.send(frame(HEADERS, END_HEADERS, stream, block) +
                                frame(DATA, END_STREAM, stream, message))
        wait_for(lambda: all(each.closed or each.seen.get(HEADERS, 0) >= each_calls
                             for each in connections), f"answers to {method}")
        return connections

    def test_answers_that_are_not_read_are_bounded_and_others_are_served(self):
        connections = self._call_unread(
            "ListVideoTasks", video_service_pb2.ListVideoTasksRequest(page_size=1000))
        self.assertLess(_resident(self.gateway.process.pid), BASE + (192 << 20))
        # Only the greedy caller is refused.
        with self.assertRaises(grpc.RpcError) as refused:
            self._list(GREEDY, 1000)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(reason_of(refused.exception), "CALLER_LIMIT")
        self.assertGreater(len(self._list(OTHER, 1000).video_tasks), 50)
        # It gets its places back when it disconnects.
        for connection in connections:
            # Close at once, before the reading thread times out; the gateway may have closed it.
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: self._is_served(GREEDY), "a place for a caller that disconnected")

    def _is_served(self, token):
        try:
            return len(self._list(token).video_tasks) == 1
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            return False

    def test_watches_that_are_not_read_are_bounded(self):
        self._call_unread("WatchVideoTasks", video_service_pb2.WatchVideoTasksRequest())
        # The gateway reads pages in turns; this watch queues behind the others.
        events = self.gateway.videos.WatchVideoTasks(
            video_service_pb2.WatchVideoTasksRequest(names=["videoTasks/t-1"]), **self._as(OTHER))
        self.assertTrue(any(event.snapshot_complete for event in events))
        events.cancel()
        self.assertLess(_resident(self.gateway.process.pid), BASE + (192 << 20))


if __name__ == "__main__":
    unittest.main()
