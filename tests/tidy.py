#!/usr/bin/env python3
"""Runs clang-tidy over our own sources, several at a time, and remembers which were clean.

usage: tests/tidy.py BUILD_DIR CLANG_TIDY [--record | --all]
       tests/tidy.py BUILD_DIR --listed VERSION

BUILD_DIR is configured with the `tidy` preset; nothing has to be built in it. A verdict belongs to
the text of a source and of all our headers that it includes, to its compile command, .clang-tidy
and the version of clang-tidy. Known verdicts are in tests/tidy_verdicts.txt, one source a line, and
those of this machine in BUILD_DIR/verdicts. A source without one is looked at. Exit code 0: all are
clean.

  --record          then writes tests/tidy_verdicts.txt; commit it with the change
  --all             looks at every source, whatever is known
  --listed VERSION  only says whether clang-tidy of that version has a verdict on every source
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import house

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = ("service", "providers", "cli", "tests", "examples", "proto")
LIST = ROOT / "tests" / "tidy_verdicts.txt"

# Options of the compiler that do not change what clang-tidy sees.
LEFT_OUT = re.compile(r" -fsanitize\S+| -fno-sanitize\S+| -Xclang \S+| -W\S+")

RAPIDJSON = pathlib.Path("/usr/include/rapidjson")
# An assignment to a const member, in a template: clang reports it since version 18 even where the
# template is not instantiated.
NOT_CPP = ("    GenericStringRef& operator=(const GenericStringRef& rhs) "
           "{ s = rhs.s; length = rhs.length; }\n")


def mended_headers(directory):
    """A folder that is searched first: RapidJSON 1.1 without the line that is not C++."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(RAPIDJSON, directory / "rapidjson")
    document = directory / "rapidjson" / "document.h"
    document.write_text(document.read_text().replace(NOT_CPP, ""))
    return directory


def read_together(files, graph, source):
    """The source and all our files that it includes, directly or not. files: path -> text."""
    found = {source}
    todo = [source]
    while todo:
        path = todo.pop()
        if path not in graph:
            graph[path] = [house.resolve(files, header) or beside(files, path, header)
                           for _, header in house.includes(files[path])]
        for included in graph[path]:
            if included and included not in found:
                found.add(included)
                todo.append(included)
    return sorted(found)


def beside(files, path, header):
    """The file of a quoted include that is relative to its includer."""
    relative = os.path.normpath(os.path.join(os.path.dirname(path), header))
    return relative if relative in files else None


def fingerprint(files, graph, source, commands, settings):
    """What a verdict on the source belongs to. settings: .clang-tidy and clang-tidy's version."""
    key = hashlib.sha256()
    for part in (settings, *sorted(commands)):
        key.update(part.encode() + b"\0")
    for path in read_together(files, graph, source):
        key.update(f"{path}\0{files[path]}\0".encode())
    return key.hexdigest()[:20]


def parse(text):
    """The verdicts of a list: path -> fingerprint."""
    return {path: key for key, path in (line.split(" ", 1) for line in text.splitlines() if line)}


def written(verdicts):
    return "".join(f"{verdicts[path]} {path}\n" for path in sorted(verdicts))


def commands_of(build, mended):
    """By source: the commands that compile it. Writes all of them to build/verdicts as well."""
    entries = json.loads((build / "compile_commands.json").read_text())
    by_source = collections.defaultdict(list)
    for entry in entries:
        compiler, rest = LEFT_OUT.sub("", entry["command"]).split(" ", 1)
        entry["command"] = f"{compiler} -isystem {mended} {rest}"
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OURS:
            by_source[str(path.relative_to(ROOT))].append(
                entry["command"].replace(str(ROOT), "."))
    (build / "verdicts" / "compile_commands.json").write_text(json.dumps(entries))
    return by_source


def generate_headers(build):
    """The headers that protoc makes, without compiling anything."""
    def ninja(*args):
        return subprocess.run(["ninja", "-C", str(build), "-t", *args], check=True,
                              capture_output=True, text=True).stdout

    headers = re.findall(r"^(\S+\.pb\.h):", ninja("targets", "all"), re.M)
    for command in ninja("commands", *headers).splitlines():
        if "protoc" in command and " -c " not in command:
            subprocess.run(command, shell=True, check=True, cwd=build)


def look_at(program, build, sources):
    """Runs clang-tidy; yields each clean source and prints the complaints about the others."""
    def check(source):
        command = [program, "--quiet", f"-p={build / 'verdicts'}", str(ROOT / source)]
        result = subprocess.run(command, capture_output=True, text=True)
        return "" if result.returncode == 0 else result.stdout or result.stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, complaint in zip(sources, pool.map(check, sources)):
            if complaint:
                print(f"--- {source}\n{complaint}", flush=True)
            else:
                yield source


def version_of(program):
    about = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return re.search(r"version (\S+)", about.stdout)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=lambda name: pathlib.Path(name).resolve())
    parser.add_argument("program", nargs="?", default="clang-tidy")
    parser.add_argument("--record", action="store_true", help=f"write {LIST.relative_to(ROOT)}")
    parser.add_argument("--all", action="store_true", help="look at every source")
    parser.add_argument("--listed", metavar="VERSION", help="run nothing, look into the list")
    args = parser.parse_args()
    settings = (args.listed or version_of(args.program)) + (ROOT / ".clang-tidy").read_text()
    here = args.build / "verdicts"
    here.mkdir(exist_ok=True)
    commands = commands_of(args.build, mended_headers(args.build / "include"))
    files = house.tree()
    graph = {}
    keys = {source: fingerprint(files, graph, source, commands[source], settings)
            for source in sorted(commands)}
    listed = parse(LIST.read_text()) if LIST.exists() else {}
    if args.listed:
        missing = [source for source, key in keys.items() if listed.get(source) != key]
        print(f"clang-tidy: {len(keys) - len(missing)} of {len(keys)} sources are listed as clean")
        return 1 if missing else 0
    unknown = [source for source, key in keys.items()
               if args.all or listed.get(source) != key and not (here / key).exists()]
    print(f"clang-tidy: {len(keys) - len(unknown)} sources are known to be clean, "
          f"{len(unknown)} to look at", flush=True)
    clean = set()
    if unknown:
        generate_headers(args.build)
        # Each verdict is stored at once, so that an interrupted run is continued by the next one.
        for source in look_at(args.program, args.build, unknown):
            (here / keys[source]).touch()
            clean.add(source)
    failed = set(unknown) - clean
    print(f"clang-tidy: {len(failed)} sources with complaints")
    if args.record:
        LIST.write_text(written({source: keys[source] for source in keys.keys() - failed}))
    elif clean:
        print("clang-tidy: to look at these once only: tests/lint.sh tidy --record, and commit "
              f"{LIST.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
