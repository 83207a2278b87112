#!/usr/bin/env python3
"""Checks the layout of the tree: which room may include, link and befriend which.

usage: tests/house.py [--report]

Reads the include lines, the friend declarations and the CMakeLists.txt files of service/,
providers/, cli/ and tests/; builds nothing. A room is a folder that FLOORS lists. Fails on
  - an #include of a higher floor, or of another room on the same floor,
  - a circle between files, between rooms, or between link targets,
  - a friend class that another file defines,
  - a production file that includes a testing/ header, and a production target that links one,
  - an #include or a link line that breaks a wall (WALLS, APART),
  - a file or a function that is longer than its folder allows (LIMITS).

--report prints the tree with its lines, the floors, and the longest files and functions first.
"""

import argparse
import collections
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = ("service", "providers", "cli", "tests", "proto")

# Top to bottom. A file includes files of its own room and of the floors below. A room of subfolders
# ("providers/*") is one room each.
FLOORS = (
    ("tests/bench", "tests/conformance", "tests/fifth_dialect", "tests/fuzz", "tests/robustness", "tests/tsan"),
    ("tests/simulator",),
    ("cli", "service/main.cc"),
    ("service/doctor", "service/server"),
    ("service/api",),
    ("service/calls",),
    ("service/reconcile",),
    ("service/upstream",),
    ("service/config",),
    ("service/model",),
    ("providers", "service/store/open"),
    ("providers/*", "service/admin", "service/auth", "service/listener", "service/watch"),
    ("service/provider", "service/store/postgres", "service/store/sqlite"),
    ("service/store",),
    ("service/http",),
    ("service/base",),
    ("proto",),
)

# Files that belong to another room than their folder's.
ELSEWHERE = {
    "providers/*/simulator*": "tests/simulator",
    # The suite that all dialects pass.
    "providers/answers_test.cc": "tests/conformance",
    # The factory knows all stores; a store knows nothing of it.
    "service/store/open*": "service/store/open",
}

# Rooms whose tests and testing/ folders may include another room above them, and why.
TESTS_LOOK_UP = {
    ("service/reconcile", "service/calls"): "a reconciler is driven by the calls that clients make",
    ("service/store", "service/store/postgres"): "the test support of all stores is in one folder",
}

# What a wall keeps out: headers, by the beginning of their path, and link targets, by their name.
THINGS = {
    "a database driver": (("libpq-fe.h", "sqlite3.h", "store/postgres/", "store/sqlite/"),
                          ("PostgreSQL::PostgreSQL", "SQLite::SQLite3")),
    "curl": (("curl/", "http/curl_"), ("CURL::libcurl",)),
    "gRPC": (("grpc/", "grpcpp/"), ("gRPC::",)),
}
# Libraries, and what no chain of their link lines may reach.
WALLS = {
    "auth": ("a database driver",),
    "config": ("a database driver",),
    "model": ("a database driver", "curl", "gRPC"),
    "calls": ("gRPC",),
    "reconcile": ("curl",),
}
# Libraries, and the library that they themselves neither include nor link.
APART = {"auth": "provider", "config": "provider"}

# By folder: the most lines of a file, and of a function from its signature to its last brace.
# Tests are not limited.
LIMITS = {"service/reconcile": (500, 80)}


# --- C++ text

HIDDEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])*'", re.S)
FRIEND = re.compile(
    r"\bfriend\s+(?:(?:class|struct|typename)\s+)?([\w:]+)\s*(?:<[^;{}()]*>)?\s*;")
LABELS = re.compile(r"\s*(?:(?:public|private|protected)\s*:\s*)*")
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_of(text):
    """The text with comments and literals blanked, each character where it was."""
    return HIDDEN.sub(blank, text)


def line_at(text, position):
    return text.count("\n", 0, position) + 1


def includes(text):
    """Yields (line, header) of each #include."""
    lines = text.split("\n")
    for number, code in enumerate(code_of(text).split("\n")):
        if re.match(r"\s*#\s*include\b", code):
            header = re.search(r'["<]([^">]+)[">]', lines[number])
            if header:
                yield number + 1, header[1]


def friends(text):
    """Yields (line, name) of each friend class that the text itself does not define."""
    code = code_of(text)
    for match in FRIEND.finditer(code):
        name = match[1].split("::")[-1]
        defined = rf"\b(?:class|struct)\s+(?:[A-Z_]+\s+)*(?:\w+::)*{name}\b[^;{{}}()]*\{{"
        if not re.search(defined, code):
            yield line_at(code, match.start()), match[1]


def without_templates(head):
    """The head of a declaration without its access label, attributes and template<…>."""
    head = head[LABELS.match(head).end():]
    head = re.sub(r"^\s*(?:\[\[[^\]]*\]\]\s*)*", "", head)
    while match := re.match(r"\s*template\s*<", head):
        depth, end = 1, match.end()
        while depth and end < len(head):
            depth += {"<": 1, ">": -1}.get(head[end], 0)
            end += 1
        head = head[end:]
    return head.lstrip()


def kind_of(head):
    """What a brace after this head opens: "scope", "function" or "value"."""
    head = without_templates(head).rstrip()
    if re.match(r"(?:inline\s+)?(?:namespace|class|struct|union|enum|extern)\b", head):
        return "scope"
    if "(" not in head or head.endswith(("=", ",")):
        return "value"
    # A member that a constructor initialises with braces.
    if re.search(r"\)\s*(?:noexcept\s*)?:\s", head) and re.search(r"[\w>]$", head):
        return "value"
    return "function"


def function_name(head):
    head = re.sub(r"\s+", " ", without_templates(head))
    if test := re.match(r"(?:TYPED_)?TEST(?:_[FP])?\s*\(([^)]*)\)", head):
        return test[1].replace(", ", ".").strip()
    if operator := re.search(r"\boperator(?:\(\)|[^(]*)", head):
        return operator[0].rstrip()
    # A lambda that a variable holds is named as the variable.
    before = re.split(r"=\s*\[" if re.search(r"=\s*\[", head) else r"\(", head)[0].rstrip()
    name = re.search(r"(?:\w+(?:<[^()]*>)?::)*~?\w+$", before)
    return name[0] if name else before


def functions(text):
    """Yields (line, name, lines) of each function; lambdas count with the function around them."""
    code = DIRECTIVE.sub(blank, code_of(text))
    stack = []
    start = 0
    inside = 0
    for match in re.finditer(r"[{}();]", code):
        symbol, at = match.group(), match.start()
        if symbol == "(":
            stack.append(("paren", ""))
        elif symbol == "{":
            if inside or (stack and stack[-1][0] == "paren"):
                kind = "value"
            else:
                kind = kind_of(code[start:at])
            stack.append((kind, code[start:at]))
            inside += kind == "function"
            if kind == "scope":
                start = at + 1
        elif symbol == ";":
            if not inside and not (stack and stack[-1][0] == "paren"):
                start = at + 1
        elif stack:
            kind, head = stack.pop()
            if kind == "function":
                inside -= 1
                first = line_at(code, start + LABELS.match(head).end())
                yield first, function_name(head), line_at(code, at) - first + 1
            if kind in ("function", "scope"):
                start = at + 1


# --- CMake text

Target = collections.namedtuple("Target", "path line kind sources deps")
COMMAND = re.compile(r"^\s*(\w+)\s*\(((?:[^()]|\([^()]*\))*)\)", re.M)
MAKES = {"assetgate_library": "library", "assetgate_test": "test", "assetgate_program": "program",
         "assetgate_proto_library": "library", "assetgate_dialect": "dialect"}
KEYWORDS = {"SOURCES", "DEPS", "LABELS", "TIMEOUT", "ENVIRONMENT", "THREADS", "ROOT", "PROTOS"}


def plain(name):
    """A target's name as its library's command gives it."""
    return re.sub(r"^assetgate(?:::|_)", "", name)


def targets_of(files):
    """By name: the targets that the CMakeLists.txt files define."""
    targets = {}
    links = []
    for path, text in files.items():
        if not path.endswith("CMakeLists.txt"):
            continue
        text = re.sub(r"#[^\n]*", blank, text)
        for match in COMMAND.finditer(text):
            command = match[1]
            words = [word.strip('"') for word in match[2].split()]
            if not words:
                continue
            line = line_at(text, match.start(1))
            if command == "target_link_libraries":
                links.append((plain(words[0]), [word for word in words[1:]
                                                if word not in ("PUBLIC", "PRIVATE", "INTERFACE")]))
            elif command in MAKES:
                parts = collections.defaultdict(list)
                keyword = None
                for word in words[1:]:
                    if word in KEYWORDS:
                        keyword = word
                    else:
                        parts[keyword].append(word)
                name, kind = words[0], MAKES[command]
                if kind == "dialect":
                    name, kind = f"dialect_{name}", "library"
                    parts["DEPS"] += ["assetgate::provider"]
                targets[name] = Target(path, line, kind, parts["SOURCES"],
                                       [plain(dep) for dep in parts["DEPS"]])
            elif command == "add_library" and "ALIAS" not in words:
                targets[plain(words[0])] = Target(path, line, "library", [], [])
    for name, deps in links:
        if name in targets:
            targets[name].deps.extend(plain(dep) for dep in deps)
    dialects = [name for name, target in targets.items()
                if name.startswith("dialect_") and target.kind == "library"]
    for target in targets.values():
        if "${DIALECT_LIBRARIES}" in target.deps:
            target.deps.remove("${DIALECT_LIBRARIES}")
            target.deps.extend(dialects)
    return targets


# --- The checks. Each yields complaints.


def room_of(path):
    """The room of a file; None where FLOORS lists no folder around it."""
    for pattern, room in ELSEWHERE.items():
        if fnmatch.fnmatch(path, pattern):
            return room
    rooms = {room for floor in FLOORS for room in floor}
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        folder = "/".join(parts[:length])
        if folder in rooms:
            return folder
        if length > 1 and length < len(parts) and "/".join(parts[:length - 1] + ["*"]) in rooms:
            return folder
    return None


def floor_of(room):
    """Counted from the top."""
    for number, floor in enumerate(FLOORS):
        if any(fnmatch.fnmatch(room, name) for name in floor):
            return number
    raise KeyError(room)


def is_test(path):
    """Whether a file is compiled into test programs only."""
    return ("/testing/" in path or path.startswith("tests/")
            or path.endswith(("_test.cc", "_test.py")) or room_of(path).startswith("tests/"))


def resolve(files, header):
    """The file of the tree that an #include means; for a generated header, its .proto."""
    for root in ("", "service/", "proto/"):
        for path in (root + header, root + re.sub(r"(\.grpc)?\.pb\.h$", ".proto", header)):
            if path in files:
                return path
    return None


def arrows(files):
    """By file: [(line, header, file of the tree or None)]."""
    return {path: [(line, header, resolve(files, header)) for line, header in includes(text)]
            for path, text in files.items() if path.endswith((".cc", ".h"))}


def check_rooms(files):
    for path in files:
        if path.endswith((".cc", ".h")) and room_of(path) is None:
            yield f"{path}: its folder is in no room; add it to FLOORS"


def check_floors(files, graph):
    looked_up = set()
    for path, edges in graph.items():
        room = room_of(path)
        for line, header, target in edges:
            other = target and room_of(target)
            if not other or other == room:
                continue
            if is_test(path) and (room, other) in TESTS_LOOK_UP:
                looked_up.add((room, other))
            elif floor_of(other) < floor_of(room):
                yield f"{path}:{line}: includes {header}, but {other} is above {room}"
            elif floor_of(other) == floor_of(room):
                yield f"{path}:{line}: includes {header}, but {other} is on the floor of {room}"
    for room, other in sorted(TESTS_LOOK_UP.keys() - looked_up):
        yield f"tests/house.py: no test of {room} includes {other}; remove it from TESTS_LOOK_UP"


def circles(graph):
    """Yields a shortest circle of each set of nodes that reach each other. graph: node -> nodes."""
    seen = set()
    for start in sorted(graph):
        if start in seen:
            continue
        # Breadth first, from the start back to itself.
        came_from = {}
        queue = collections.deque([start])
        found = False
        while queue and not found:
            node = queue.popleft()
            for following in sorted(graph.get(node, ())):
                if following == start:
                    circle = [node]
                    while circle[-1] != start:
                        circle.append(came_from[circle[-1]])
                    circle.reverse()
                    seen.update(circle)
                    yield circle
                    found = True
                    break
                if following not in came_from:
                    came_from[following] = node
                    queue.append(following)


def check_circles(files, graph):
    between_files = {path: {target for _, _, target in edges if target}
                     for path, edges in graph.items()}
    between_rooms = collections.defaultdict(set)
    for path, edges in graph.items():
        for _, _, target in edges:
            if target and not is_test(path) and room_of(target) not in (None, room_of(path)):
                between_rooms[room_of(path)].add(room_of(target))
    targets = targets_of(files)
    between_targets = {name: {dep for dep in target.deps if dep in targets}
                       for name, target in targets.items()}
    for what, edges in (("files", between_files), ("rooms", between_rooms),
                        ("targets", between_targets)):
        for circle in circles(edges):
            yield f"a circle between {what}: {' -> '.join(circle + circle[:1])}"


def check_friends(files):
    for path, text in files.items():
        if path.endswith((".cc", ".h")):
            for line, name in friends(text):
                yield f"{path}:{line}: befriends {name}, which another file defines"


def check_testing(files, graph):
    for path, edges in graph.items():
        if not is_test(path):
            for line, header, _ in edges:
                if "/testing/" in header:
                    yield f"{path}:{line}: is production code, but includes {header}"
    for name, target in targets_of(files).items():
        if target.kind == "test" or target.path.startswith("tests/") or name.endswith("_testing"):
            continue
        for dep in target.deps:
            if dep.endswith("_testing"):
                yield f"{target.path}:{target.line}: {name} is production code, but links {dep}"


def chain(targets, name, wanted):
    """The shortest way from a target to a dependency that begins with one of `wanted`, or None."""
    queue = collections.deque([[name]])
    seen = {name}
    while queue:
        path = queue.popleft()
        for dep in targets[path[-1]].deps if path[-1] in targets else ():
            if dep.startswith(wanted):
                return path + [dep]
            if dep not in seen:
                seen.add(dep)
                queue.append(path + [dep])
    return None


def check_walls(files, graph):
    targets = targets_of(files)
    for name, things in WALLS.items():
        for thing in things:
            headers, libraries = THINGS[thing]
            if name in targets and (path := chain(targets, name, libraries)):
                where = f"{targets[name].path}:{targets[name].line}"
                yield f"{where}: {name} must not link {thing}: {' -> '.join(path)}"
            for source, edges in graph.items():
                if room_of(source) != f"service/{name}" or is_test(source):
                    continue
                for line, header, _ in edges:
                    if header.startswith(headers):
                        yield f"{source}:{line}: {name} must not include {thing}: {header}"
    for name, other in APART.items():
        if name in targets and other in targets[name].deps:
            yield f"{targets[name].path}:{targets[name].line}: {name} must not link {other}"
        if name not in targets:
            continue
        folder = targets[name].path.rsplit("/", 1)[0]
        own = {f"{folder}/{source}" for source in targets[name].sources}
        for source, edges in graph.items():
            if source in own or re.sub(r"\.h$", ".cc", source) in own:
                for line, header, target in edges:
                    if target and room_of(target) == f"service/{other}":
                        yield f"{source}:{line}: {name} must not include {other}: {header}"


def check_lengths(files):
    for folder, (max_file, max_function) in LIMITS.items():
        for path, text in files.items():
            if not path.startswith(folder + "/") or not path.endswith((".cc", ".h")):
                continue
            lines = text.count("\n")
            if lines > max_file:
                yield f"{path}: has {lines} lines; the limit is {max_file}"
            if is_test(path):
                continue
            for line, name, length in functions(text):
                if length > max_function:
                    yield f"{path}:{line}: {name} has {length} lines; the limit is {max_function}"


def complaints(files):
    """All complaints about a tree. files: path -> text."""
    homeless = list(check_rooms(files))
    if homeless:
        return homeless
    graph = arrows(files)
    return [*check_floors(files, graph), *check_circles(files, graph), *check_friends(files),
            *check_testing(files, graph), *check_walls(files, graph), *check_lengths(files)]


# --- The report


def report(files):
    """Prints the tree two levels deep, the floors, the longest files and functions of all files."""
    lines = collections.Counter()
    of_tests = collections.Counter()
    for path, text in files.items():
        parts = path.split("/")
        for depth in range(1, min(len(parts), 3)):
            folder = "/".join(parts[:depth])
            lines[folder] += text.count("\n")
            if parts[0] in OURS and path.endswith((".cc", ".h", ".py")) and is_test(path):
                of_tests[folder] += text.count("\n")
    print("lines   of tests")
    for folder in sorted(lines):
        indent = "  " * folder.count("/")
        print(f"{lines[folder]:6}  {of_tests[folder] or '':>8}  {indent}{folder.split('/')[-1]}/")
    print("\nThe floors, top to bottom")
    for floor in FLOORS:
        print("  " + "  ".join(floor))
    ours = {path: text for path, text in files.items() if path.endswith((".cc", ".h"))}
    print("\nThe longest files")
    for path in sorted(ours, key=lambda path: -ours[path].count("\n"))[:5]:
        print(f"{ours[path].count(chr(10)):6}  {path}")
    print("\nThe longest functions")
    found = [(length, f"{path}:{line}: {name}")
             for path, text in ours.items() for line, name, length in functions(text)]
    for length, where in sorted(found, reverse=True)[:5]:
        print(f"{length:6}  {where}")
    print()


def tree():
    """Every text file that is tracked or about to be: path -> text."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    files = {}
    for name in names:
        path = ROOT / name
        if name and path.is_file():
            try:
                files[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--report", action="store_true",
                        help="print the tree, the floors, the longest files and functions")
    args = parser.parse_args()
    files = tree()
    if args.report:
        report(files)
    found = complaints({path: text for path, text in files.items()
                        if path.split("/")[0] in OURS})
    print("\n".join(found + [f"house: {len(found)} complaints"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
