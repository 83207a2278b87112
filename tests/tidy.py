#!/usr/bin/env python3
"""Runs clang-tidy over our own sources, several at a time, and remembers what was clean.

usage: tests/tidy.py BUILD_DIR

BUILD_DIR is a build with clang and Ninja: its compile commands say how each file is compiled, and Ninja
knows which headers each one read. A file is looked at again when its text, one of these headers, its
command or .clang-tidy has changed; else the verdict in BUILD_DIR/tidy stands. Exit code 0: all clean.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = ("service", "providers", "cli", "tests", "examples")


def digest(path, cache={}):
    """The hash of a file's content; of nothing where there is no such file."""
    if path not in cache:
        try:
            cache[path] = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        except OSError:
            cache[path] = ""
    return cache[path]


def header_lists(build):
    """By object file: what the compiler read for it."""
    text = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], check=True,
                          capture_output=True, text=True).stdout
    lists = {}
    current = None
    for line in text.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif ": #deps" in line:
            current = lists.setdefault(line.split(": #deps")[0], [])
    return lists


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    verdicts = build / "tidy"
    verdicts.mkdir(exist_ok=True)
    headers = header_lists(build)
    jobs = []
    clean = 0
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if not source.is_relative_to(ROOT) or source.relative_to(ROOT).parts[0] not in OURS:
            continue
        key = hashlib.sha256(entry["command"].encode())
        key.update(digest(ROOT / ".clang-tidy").encode())
        key.update(digest(source).encode())
        # Headers of the system change with its packages, not under our hands.
        output = re.search(r" -o (\S+)", entry["command"]).group(1)
        for header in sorted(headers.get(output, [])):
            path = (build / header).resolve()
            if path.is_relative_to(ROOT):
                key.update(digest(path).encode())
        verdict = verdicts / key.hexdigest()
        if verdict.exists():
            clean += 1
        else:
            jobs.append((source, verdict))

    def check(job):
        source, verdict = job
        result = subprocess.run(["clang-tidy", "--quiet", f"-p={build}", str(source)],
                                capture_output=True, text=True)
        if result.returncode == 0:
            verdict.touch()
            return ""
        return result.stdout + ("" if result.stdout else result.stderr)

    print(f"clang-tidy: {clean} files known to be clean, {len(jobs)} to look at", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (source, _), complaint in zip(jobs, pool.map(check, jobs)):
            if complaint:
                failed += 1
                print(f"--- {source.relative_to(ROOT)}\n{complaint}", flush=True)
    print(f"clang-tidy: {failed} files with complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
