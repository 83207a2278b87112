#!/usr/bin/env python3
"""A short form of each flood: under it, the program as it is shipped keeps within its memory, does
not fill its log, and serves its callers. Run by CTest; run.py prints figures."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import attack  # noqa: E402
import floods  # noqa: E402

SECONDS = 2


class AttackTest(unittest.TestCase):
    def suffer(self, flood):
        outcome = attack.suffer(flood, SECONDS)
        print(attack.line_of(outcome), file=sys.stderr)
        self.assertLess(outcome.log_bytes, 100 << 10)
        self.assertLess(outcome.shutdown, 20)
        self.assertIsNone(outcome.ended)
        self.assertLess(outcome.peak, attack.MEMORY_LIMIT)
        self.assertTrue(outcome.serves_after)
        self.assertGreater(outcome.served, 0)

    def test_the_port_accepts_again_after_descriptors_ran_out(self):
        outcome = attack.suffer(floods.silent_connections, SECONDS, descriptors=100)
        self.assertTrue(outcome.serves_after)
        self.assertGreater(outcome.served, 0)
        self.assertLess(outcome.log_bytes, 100 << 10)


def _add(flood):
    setattr(AttackTest, f"test_{flood.__name__}", lambda self: self.suffer(flood))


for each in floods.ALL:
    _add(each)

if __name__ == "__main__":
    unittest.main()
