#!/usr/bin/env python3
"""Floods the program as it is shipped, as peers without a credential can, and prints the effects.

usage: BIN_DIR=… GEN_DIR=… tests/attack/run.py [--seconds S] [FLOOD…]

One line each: the peak of its memory, calls of a client with a credential during the flood (on a
connection from before, and on new ones), whether it serves afterwards, how much it logged, and how
long it took to exit after SIGTERM. It is killed above 1 GiB, as a container would be. floods.py
describes each flood.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import attack  # noqa: E402
import floods  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=8, help="how long each goes on (8)")
    parser.add_argument("floods", nargs="*", metavar="FLOOD",
                        help="these alone: " + ", ".join(each.__name__ for each in floods.ALL))
    options = parser.parse_args()
    by_name = {each.__name__: each for each in floods.ALL}
    for name in options.floods:
        if name not in by_name:
            parser.error(f"there is no flood {name!r}: one of {', '.join(by_name)}")
    print(attack.HEADER, flush=True)
    for name in options.floods or by_name:
        print(attack.line_of(attack.suffer(by_name[name], options.seconds)), flush=True)


if __name__ == "__main__":
    main()
