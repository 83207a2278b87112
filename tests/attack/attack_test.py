#!/usr/bin/env python3
"""A short form of each flood: what strangers send takes neither the memory, the log nor the time of the
program as it is shipped, and it serves on. Run by CTest; run.py prints figures."""

import pathlib
import resource
import signal
import sys
import tempfile
import time
import unittest
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import attack  # noqa: E402
import floods  # noqa: E402
from programs import Gateway, config_text, wait_for  # noqa: E402

SECONDS = 2
# What gRPC 1.51 cannot hold by itself: see docs/operations.md, "Strangers". The program may be ended at
# the limit of its memory there, and nothing worse.
NOT_HELD = {"continuation", "endless_messages", "rapid_reset", "rapid_reset_without_settings",
            "unknown_method", "refused_calls", "refused_calls_without_settings"}


class AttackTest(unittest.TestCase):
    def suffer(self, flood):
        outcome = attack.suffer(flood, SECONDS)
        print(attack.line_of(outcome), file=sys.stderr)
        self.assertLess(outcome.log_bytes, 100 << 10)
        self.assertLess(outcome.shutdown, 20)
        if flood.__name__ in NOT_HELD:
            return
        self.assertIsNone(outcome.ended)
        self.assertLess(outcome.peak, attack.MEMORY_LIMIT)
        self.assertTrue(outcome.serves_after)
        self.assertGreater(outcome.served, 0)

    def test_a_port_that_is_lost_for_want_of_descriptors_is_said_to_the_probe(self):
        with tempfile.TemporaryDirectory(prefix="assetgate-attack-") as folder:
            folder = pathlib.Path(folder)
            (folder / "assetgate.yaml").write_text(config_text("http://127.0.0.1:9"))
            gateway = Gateway(folder)
            try:
                self.assertEqual(gateway.page("/healthz"), "ok\n")
                resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (100, 100))
                floods.silent_connections(gateway.address, time.monotonic() + 1, 150)

                def lost():
                    try:
                        gateway.page("/healthz")
                    except urllib.error.HTTPError as error:
                        return error.code == 503 and b"descriptor" in error.read()
                    except OSError:
                        pass  # It has none for us either, until those of the others are closed.
                    return False
                wait_for(lost, "a liveness that says so")
            finally:
                gateway.end(signal.SIGKILL)


def _add(flood):
    setattr(AttackTest, f"test_{flood.__name__}", lambda self: self.suffer(flood))


for each in floods.ALL:
    _add(each)

if __name__ == "__main__":
    unittest.main()
