#!/usr/bin/env python3
"""Groups the sources of each target into the files of a unity build.

usage: cmake/unity.py ROOT TARGETS FOLDER

TARGETS has one target a line: its name, then its sources (absolute paths), separated by tabs.
Writes a file into FOLDER for each group of two sources or more, which includes them by their paths
below ROOT. Prints "TARGET<tab>FILE<tab>SOURCE" for each source of a group.

Two sources share a group only if neither mentions a name that the other keeps to itself: one of an
unnamed namespace, a static function or variable, a macro, an alias. So a source means the same in
its group as alone, and nobody has to rename anything.
"""

import pathlib
import re
import sys

# Larger groups take less time in total, but leave cores idle at the end.
MAX_SOURCES = 8
MAX_LINES = 4000

HIDDEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
# A name after a dot, an arrow or colons is a member of something.
MENTIONED = re.compile(r"(?<![\w.])(?<!->)(?<!::)[A-Za-z_]\w*")
# Words of a declaration that are never the name which it declares.
WORDS = set("""alignas auto bool char class const constexpr double enum explicit extern float friend
inline int long mutable namespace noexcept operator override private protected public return short
signed sizeof static struct template typename union unsigned using virtual void volatile
final std absl size_t int64_t int32_t uint64_t uint32_t string string_view""".split())


def closing(code, opening):
    """The position after the brace that closes the one at `opening`."""
    depth = 0
    for match in re.finditer(r"[{}]", code[opening:]):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return opening + match.end()
    return len(code)


def without_bodies(code):
    """The declarations of a namespace: what is between its inner braces is left out."""
    kept = []
    at = 0
    while (opening := code.find("{", at)) >= 0:
        kept.append(code[at:opening] + "{}")
        at = closing(code, opening)
    return "".join(kept) + code[at:]


def without_arguments(code):
    """Code without its template arguments."""
    previous = None
    while previous != code:
        previous = code
        code = re.sub(r"<[^<>;{}()]*>", "", code)
    return code


def declared(code):
    """The names that the declarations of a namespace may declare; rather too many than too few."""
    names = set()
    for declaration in re.split(r";|\{\}", without_arguments(without_bodies(code))):
        if re.match(r"\s*using\b", declaration):
            continue  # See imports_of.
        types = re.search(r"^\s*(?:class|struct|enum|union|namespace)\b([^:=]*)", declaration)
        # Of "Type Name(arguments…)" and "Type Name = value" the words up to the name.
        head = types[1] if types else re.split(r"[(=\[]", declaration, maxsplit=1)[0]
        words = re.findall(r"(?<!::)\b[A-Za-z_]\w*", head)
        if words:
            names.add(words[-1])
        # "constexpr int kA = 1, kB = 2".
        names.update(re.findall(r"\b(k[A-Z]\w*)\s*(?:=[^=]|\[)", declaration))
    # Macros of GoogleTest declare the names that are their arguments.
    for suite, test in re.findall(r"\bTEST(?:_[FP])?\s*\(\s*(\w+),\s*(\w+)\s*\)", code):
        names.add(f"{suite}_{test}_Test")
    names.update(re.findall(r"\bMATCHER(?:_P\d*)?\s*\(\s*(\w+)", code))
    names.update(re.findall(r"\b(operator\s*[^\s\w(]+)\s*\(", code))
    return names - WORDS - {"TEST", "TEST_F", "TEST_P", "INSTANTIATE_TEST_SUITE_P"}


def imports_of(code):
    """name -> meaning of "using testing::Not" and "using Value = …"; several sources may agree."""
    meanings = {}
    for match in re.finditer(r"\busing\s+((?:\w+\s*=)?[^;=()]*?(\w+))\s*;", code):
        name = match[1].split("=")[0].strip() if "=" in match[1] else match[2]
        meanings[name] = re.sub(r"\s+|^::", "", match[1])
    return meanings


class Source:
    def __init__(self, path):
        text = pathlib.Path(path).read_text(encoding="utf-8")
        self.path = path
        self.lines = text.count("\n")
        code = HIDDEN.sub(" ", text)
        self.own = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", code, re.M))
        code = DIRECTIVE.sub("", code)
        self.mentioned = set(MENTIONED.findall(code))
        for match in re.finditer(r"\bnamespace\s*\{", code):
            end = closing(code, match.end() - 1)
            self.own |= declared(code[match.end():end - 1])
        # Definitions outside: statics, and classes and aliases that no header declares.
        for match in re.finditer(
                r"^(?:static\s[^;{}()=]*?(\w+)\s*[({=;\[]|(?:class|struct)\s+(\w+))", code, re.M):
            self.own.add(match[1] or match[2])
        self.imports = imports_of(code)
        # Declared by both, though mentioned by neither.
        self.mentioned |= {name for name in self.own if re.search(r"_Test$|^operator", name)}
        # Instantiated once in a group, whichever source asks for it.
        self.explicit = bool(re.search(r"^(?:extern\s+)?template\s+(?!<)", code, re.M))

    def disturbs(self, other):
        """The names that mean something else to the other source once this one is before it."""
        imported = {name for name, meaning in self.imports.items()
                    if name in other.mentioned and other.imports.get(name) != meaning}
        return self.own & other.mentioned | imported

    def clashes(self, other):
        return bool(self.disturbs(other) or other.disturbs(self)
                    or (self.explicit and other.explicit))


def grouped(sources):
    """Lists of sources that may be compiled together."""
    groups = []
    for source in sources:
        for group in groups:
            lines = sum(one.lines for one in group) + source.lines
            if (len(group) < MAX_SOURCES and lines <= MAX_LINES
                    and not any(source.clashes(one) for one in group)):
                group.append(source)
                break
        else:
            groups.append([source])
    return groups


def write(path, text):
    """A file that is as it was stays as old as it is, and is not compiled again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main(arguments):
    root, targets, folder = map(pathlib.Path, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    for line in targets.read_text(encoding="utf-8").splitlines():
        target, *paths = line.split("\t")
        for number, group in enumerate(grouped([Source(path) for path in paths])):
            if len(group) > 1:
                file = folder / f"{target}_{number}.cc"
                write(file, "".join(f'#include "{pathlib.Path(source.path).relative_to(root)}"\n'
                                    for source in group))
                for source in group:
                    print(f"{target}\t{file}\t{source.path}")


if __name__ == "__main__":
    main(sys.argv[1:])
