#!/usr/bin/env python3
"""A verdict of clang-tidy belongs to all that the verdict depends on. Run by CTest."""

import unittest

import tidy

FILES = {
    "service/base/clock.cc": '#include "base/clock.h"\n',
    "service/base/clock.h": '#include <string>\n#include "model/record.pb.h"\n',
    "service/base/text.h": "",
    "service/model/record.proto": "message Record {}\n",
    "examples/cpp/follow.cc": '#include "follow.h"\n',
    "examples/cpp/follow.h": "",
}
SOURCE = "service/base/clock.cc"


class Verdicts(unittest.TestCase):
    def key(self, commands=("clang++ -O0",), settings="23", source=SOURCE, **changes):
        files = {**FILES, **changes.get("files", {})}
        return tidy.fingerprint(files, {}, source, list(commands), settings)

    def test_a_source_is_read_with_all_headers_that_it_reaches(self):
        self.assertEqual(tidy.read_together(FILES, {}, SOURCE),
                         [SOURCE, "service/base/clock.h", "service/model/record.proto"])
        self.assertEqual(tidy.read_together(FILES, {}, "examples/cpp/follow.cc"),
                         ["examples/cpp/follow.cc", "examples/cpp/follow.h"])

    def test_what_a_source_reads_changes_its_fingerprint(self):
        for path in (SOURCE, "service/base/clock.h", "service/model/record.proto"):
            with self.subTest(path):
                self.assertNotEqual(self.key(), self.key(files={path: FILES[path] + "// more\n"}))

    def test_what_a_source_does_not_read_leaves_its_fingerprint(self):
        self.assertEqual(self.key(), self.key(files={"service/base/text.h": "class Text;\n"}))

    def test_commands_and_settings_change_the_fingerprint(self):
        self.assertNotEqual(self.key(), self.key(commands=["clang++ -O1"]))
        self.assertNotEqual(self.key(), self.key(commands=["clang++ -O0", "clang++ -O1"]))
        self.assertNotEqual(self.key(), self.key(settings="24"))

    def test_the_order_of_commands_is_of_no_account(self):
        self.assertEqual(self.key(commands=["a", "b"]), self.key(commands=["b", "a"]))

    def test_a_list_is_sorted_by_path_and_read_back(self):
        text = tidy.written({"b.cc": "2", "a.cc": "1"})
        self.assertEqual(text, "1 a.cc\n2 b.cc\n")
        self.assertEqual(tidy.parse(text), {"a.cc": "1", "b.cc": "2"})


if __name__ == "__main__":
    unittest.main()
