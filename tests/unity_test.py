#!/usr/bin/env python3
"""Sources that would disturb each other are not compiled together. Run by CTest."""

import contextlib
import io
import pathlib
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cmake"))
import unity  # noqa: E402


class Groups(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def grouped(self, *texts):
        """The groups, as lists of indices of the texts."""
        paths = []
        for number, text in enumerate(texts):
            path = self.folder / f"{number}.cc"
            path.write_text(textwrap.dedent(text))
            paths.append(path)
        return [[int(source.path.stem) for source in group]
                for group in unity.grouped([unity.Source(path) for path in paths])]

    def test_sources_that_share_no_name_are_compiled_together(self):
        self.assertEqual(self.grouped(
            "#include <string>\nnamespace a {\nnamespace {\nint One() { return 1; }\n}\n}\n",
            "#include <string>\nnamespace a {\nint Two() { return 2; }\n}\n"), [[0, 1]])

    def test_a_name_of_an_unnamed_namespace_that_another_source_mentions_keeps_them_apart(self):
        for declaration in ("int Count(int a) { return a; }", "constexpr int Count = 1;",
                            "struct Count { int a; };", "enum class Count { kA };",
                            "using Count = int;", "std::map<int, std::set<int>> Count(int a);",
                            "template <typename T>\nbool Count(T) { return true; }"):
            with self.subTest(declaration):
                own = f"namespace {{\n{declaration}\n}}  // namespace\n"
                self.assertEqual(self.grouped(own, "int F() { return Count(2); }\n"), [[0], [1]])

    def test_names_in_comments_literals_and_after_a_dot_do_not_count(self):
        own = "namespace {\nint Count() { return 1; }\n}\n"
        self.assertEqual(self.grouped(
            own, '// Count\nint F(A a) { return a.Count() + a->Count() + B::Count("Count"); }\n'),
            [[0, 1]])

    def test_names_inside_a_body_do_not_count(self):
        own = "namespace {\nint One() {\n  int count = 1;\n  return count;\n}\n}\n"
        self.assertEqual(self.grouped(own, "int F(int count) { return count; }\n"), [[0, 1]])

    def test_equal_operators_are_kept_apart(self):
        own = "namespace {\nstd::ostream& operator<<(std::ostream& out, A a) { return out; }\n}\n"
        self.assertEqual(self.grouped(own, own), [[0], [1]])

    def test_a_second_constant_of_a_declaration_and_a_matcher_count(self):
        for declaration in ("constexpr int kA = 1, kCount = 2;",
                            'MATCHER(kCount, "") { return true; }'):
            with self.subTest(declaration):
                self.assertEqual(self.grouped(f"namespace {{\n{declaration}\n}}\n",
                                              "int F() { return kCount; }\n"), [[0], [1]])

    def test_a_macro_keeps_them_apart(self):
        self.assertEqual(self.grouped("#define LIMIT 1\n", "int F() { return LIMIT; }\n"),
                         [[0], [1]])

    def test_equal_using_declarations_are_compiled_together_and_others_not(self):
        own = "using ::testing::Not;\nbool F() { return Not(1); }\n"
        self.assertEqual(self.grouped(own, "using testing::Not;\nbool G() { return Not(2); }\n"),
                         [[0, 1]])
        self.assertEqual(self.grouped(own, "using base::Not;\nbool G() { return Not(2); }\n"),
                         [[0], [1]])
        self.assertEqual(self.grouped(own, "bool G() { return Not(2); }\n"), [[0], [1]])

    def test_equal_tests_are_kept_apart(self):
        test = "namespace {\nTEST_F(Clock, Ticks) { Run(); }\n}\n"
        self.assertEqual(self.grouped(test, test), [[0], [1]])

    def test_explicit_instantiations_are_kept_apart(self):
        self.assertEqual(self.grouped("template class Item<int>;\n", "template class Item<int>;\n"),
                         [[0], [1]])

    def test_groups_are_bounded(self):
        self.assertEqual([len(group) for group in self.grouped(*["int a;\n"] * 9)], [8, 1])
        self.assertEqual(self.grouped("\n" * 3000, "\n" * 3000), [[0], [1]])


class Files(unittest.TestCase):
    def test_a_group_is_a_file_that_includes_sources_by_their_paths_below_the_root(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "a").mkdir()
            for source in ("a/one.cc", "a/two.cc", "three.cc"):
                (root / source).write_text(f"int {pathlib.Path(source).stem}();\n")
            (root / "targets").write_text(
                f"both\t{root}/a/one.cc\t{root}/a/two.cc\nalone\t{root}/three.cc\n")
            printed = []
            for _ in range(2):
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    unity.main([root, root / "targets", root / "made"])
                printed.append((out.getvalue(), (root / "made/both_0.cc").stat().st_mtime_ns))
            self.assertEqual((root / "made/both_0.cc").read_text(),
                             '#include "a/one.cc"\n#include "a/two.cc"\n')
            self.assertEqual(printed[0][0], f"both\t{root}/made/both_0.cc\t{root}/a/one.cc\n"
                                            f"both\t{root}/made/both_0.cc\t{root}/a/two.cc\n")
            self.assertEqual(printed[0], printed[1], "what is the same is not written again")
            self.assertEqual([file.name for file in (root / "made").iterdir()], ["both_0.cc"])


if __name__ == "__main__":
    unittest.main()
