#!/usr/bin/env python3
"""Runs clang-tidy over our own sources, several at a time, and remembers what was clean.

usage: tests/tidy.py BUILD_DIR [CLANG_TIDY]

BUILD_DIR is a build with clang and Ninja: its compile commands say how each file is compiled, and Ninja
knows which headers each one read. A file is looked at again when its text, one of these headers, its
command, .clang-tidy or CLANG_TIDY has changed; else the verdict in BUILD_DIR/tidy stands. Each file is
read as it stands, without the headers that a sanitized build compiles once for all: an #include that is
missing is seen. Exit code 0: all clean.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
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


# What is the compiler's own affair: instruments, headers that are compiled once, warnings.
LEFT_OUT = re.compile(r" -fsanitize\S+| -fno-sanitize\S+| -Xclang \S+| -W\S+")

RAPIDJSON = pathlib.Path("/usr/include/rapidjson")
# An assignment to a const member, in a template: clang until 17 said so to those who used it.
NOT_CPP = "    GenericStringRef& operator=(const GenericStringRef& rhs) { s = rhs.s; length = rhs.length; }\n"


def mended_headers(directory):
    """A folder to be searched first, with what RapidJSON 1.1 has that is not C++ left out."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(RAPIDJSON, directory / "rapidjson")
    document = directory / "rapidjson" / "document.h"
    document.write_text(document.read_text().replace(NOT_CPP, ""))
    return directory


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    program = sys.argv[2] if len(sys.argv) > 2 else "clang-tidy"
    version = subprocess.run([program, "--version"], check=True, capture_output=True).stdout
    verdicts = build / "tidy"
    verdicts.mkdir(exist_ok=True)
    commands = json.loads((build / "compile_commands.json").read_text())
    mended = mended_headers(verdicts / "include")
    for entry in commands:
        compiler, rest = LEFT_OUT.sub("", entry["command"]).split(" ", 1)
        entry["command"] = f"{compiler} -isystem {mended} {rest}"
    (verdicts / "compile_commands.json").write_text(json.dumps(commands))
    headers = header_lists(build)
    jobs = []
    clean = 0
    for entry in commands:
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if not source.is_relative_to(ROOT) or source.relative_to(ROOT).parts[0] not in OURS:
            continue
        key = hashlib.sha256(version + entry["command"].encode())
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
        result = subprocess.run([program, "--quiet", f"-p={verdicts}", str(source)],
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
