#!/usr/bin/env python3
"""Checks the guarantees against a saved history again.

usage: tests/robustness/validate.py HISTORY
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import validators  # noqa: E402

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    found = validators.violations_of(entries)
    for name, violations in found.items():
        for violation in violations:
            print(f"{name}: {violation}")
    print(f"{sum(map(len, found.values()))} violations")
    sys.exit(1 if found else 0)
