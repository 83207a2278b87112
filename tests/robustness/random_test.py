#!/usr/bin/env python3
"""Short runs of run.py: one with a fixed seed, and others with fresh ones. Run by CTest."""

import os
import random
import sys
import unittest

from cluster import explain
from run import Nemesis, run

FRESH = int(os.environ.get("SEED", random.randrange(1 << 32)))
SECONDS = float(os.environ.get("ROBUSTNESS_SECONDS", "20"))
EVILS = {**Nemesis.ACTS, **Nemesis.ALONE, **Nemesis.TOGETHER}.keys() - {"heal"}


class RandomTest(unittest.TestCase):
    def check(self, seed, gateways=1):
        print(f"seed {seed}", file=sys.stderr)
        found, history, amount = run(seed, SECONDS, gateways)
        print(amount, file=sys.stderr)
        if found:
            self.fail(explain(found, history, seed))
        # A run without traffic and faults proves nothing.
        self.assertGreater(amount["calls"], 50)
        self.assertGreater(amount["events"], 100)
        self.assertGreater(sum(amount[what] for what in EVILS if what in amount), 0)

    def test_guarantees_hold_under_kills_faults_and_a_full_disk(self):
        self.check(20261125)

    def test_guarantees_hold_under_a_fresh_seed(self):
        self.check(FRESH)

    def test_guarantees_hold_for_several_gateways_over_one_database(self):
        self.check(FRESH, gateways=3)


if __name__ == "__main__":
    unittest.main()
