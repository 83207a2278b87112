#!/usr/bin/env python3
"""The commands that README.md, CONTRIBUTING.md and the pages of docs/ and examples/ show, each as written there.

Run by CTest.

NOT_RUN lists the commands that cannot run here, with the reason. A command that is neither run nor
listed fails the test."""

import os
import re
import shutil
import subprocess
import unittest

import tools
from programs import BIN, KEY, ROOT, ProgramTest, config_text

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
# (beginning of a command, why it does not run here)
NOT_RUN = [
    ("deploy/demo.sh", "has a test of its own (e2e_test.py), and with --keep it never ends"),
    ("tests/run.sh", "runs this"),
    ("deploy/setup.sh", "changes the machine"),
    ("cmake --preset asan", "builds the tree"),
    ("cmake --build --preset asan", "builds the tree"),
    ("ctest --preset", "runs the tests"),
    ("assetctl watch", "never ends; assetctl_test.py runs it for a moment"),
    ("assetgate --check-config assetgate.yaml && assetgate --config", "never ends, on ports of its own; the config of "
     "the page is checked below"),
    ("assetgate --config assetgate.yaml --mark-restored", "never ends; e2e_test.py restores a backup"),
    ("sudo apt-get ", "changes the machine"),
    ("apt install ", "changes the machine"),
    ("docker ", "needs Docker; image_test.py builds the image"),
    ("kubectl ", "needs a cluster; deploy_test.py reads what would be applied"),
    ("psql ", "needs a PostgreSQL; replicas_test.py runs on one"),
    ("pg_dump ", "needs a PostgreSQL"),
    ("pg_restore ", "needs a PostgreSQL"),
    ("protoc ", "edge_test.py runs it"),
    ("EDGE=", "edge_test.py calls through the edge"),
    ("curl -H", "edge_test.py calls through the edge"),
    ("curl -N -H", "edge_test.py calls through the edge"),
    ("cmake -S examples/cpp", "is built with all else"),
    ("build/example/follow ", "clients_test.py runs it"),
    ("go ", "fetches modules"),
    ("mvn ", "fetches artifacts"),
]
if shutil.which("sqlite3") is None:
    NOT_RUN.append(("sqlite3 ", "there is no sqlite3 here"))
if shutil.which("grpcurl") is None:
    NOT_RUN.append(("grpcurl ", "there is no grpcurl here; reflection_test.py asks what it would ask"))


def is_whole(text):
    """Whether a shell would run the text, rather than wait for more."""
    return not text.endswith(("\\", "|")) and subprocess.run(
        ["bash", "-n", "-c", text], stderr=subprocess.DEVNULL, check=False).returncode == 0


def commands_in(text):
    """The commands of all shell blocks of a page, in order."""
    commands = []
    for block in re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```", text, re.M | re.S):
        pending = ""
        for line in block.splitlines():
            if not pending and (not line.strip() or line.strip().startswith("#")):
                continue
            pending = f"{pending}\n{line}" if pending else line.strip()
            if is_whole(pending):
                commands.append(pending)
                pending = ""
        assert not pending, f"never whole: {pending}"
    return commands


def runs_here(command):
    return not any(command.startswith(beginning) for beginning, _ in NOT_RUN)


class ExamplesTest(ProgramTest):
    SIMULATOR_FLAGS = ("--asset-delay", "50ms", "--queue-delay", "50ms", "--video-delay", "200ms")
    CONFIG_EXTRA = "debug: {reflection: true}\n"

    def start_demo(self):
        """The address of the gateway that deploy/demo.sh --keep leaves running."""
        _, gateway = self.start_both()
        done = self.run_program("assetctl", "--server", gateway.address, "videos", "create", "--id", "storm", "--model",
                                "seedance-2", "--prompt", "a storm at sea", "--wait")
        self.assertEqual(done.returncode, 0, done.stderr)
        return gateway.address

    def run_all(self, commands, folder, path="", replacements=()):
        """Runs commands in one shell; fails with the first that does not end with 0."""
        script = []
        for command in commands:
            for written, here in replacements:
                command = command.replace(written, str(here))
            script.append(f"{command}\ncode=$?; [ $code = 0 ] || {{ echo \"$code from: \" >&2; cat >&2 <<'@@'\n{command}\n"
                          "@@\nexit 1; }")
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], cwd=folder, text=True, stdin=subprocess.DEVNULL, capture_output=True,
            check=False, timeout=150, env={**os.environ, "PATH": f"{path}:{BIN}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)
        return done.stdout

    def test_every_listed_exception_still_exists(self):
        everything = [command for page in PAGES for command in commands_in(page.read_text())]
        self.assertGreater(len(everything), 50)
        for beginning, why in NOT_RUN:
            self.assertTrue(any(command.startswith(beginning) for command in everything), f"{beginning}: {why}")

    def test_the_commands_of_the_readme_and_the_tour(self):
        commands = [each for page in ("README.md", "docs/tour.md") for each in commands_in((ROOT / page).read_text())
                    if runs_here(each) and not each.startswith("examples/python/")]
        self.assertGreater(len(commands), 15)
        address = self.start_demo()
        out = self.run_all(commands, self.folder, replacements=[
            ("127.0.0.1:8080", address), ("$PWD/build/release/bin", BIN)])
        # The states that the pages describe.
        for word in ("next try in", "SUCCEEDED", "UNCONFIRMED"):
            self.assertIn(word, out)
        self.assertNotIn("FAILED", out)

    def test_the_config_of_the_readme_passes_its_check(self):
        text = (ROOT / "README.md").read_text()
        config = re.search(r"Save it as `assetgate.yaml`:\n\n```yaml\n(.*?)```", text, re.S).group(1)
        self.write_config(config)
        done = self.run_program("assetgate", "--check-config", "assetgate.yaml", KYY_API_KEY=KEY)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_examples_in_python_run_in_a_virtual_environment(self):
        path = tools.python_environment()
        # The script writes gen/ beside itself.
        tree = self.folder / "tree"
        for name in ("examples/python", "proto", "third_party"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("gen", "__pycache__"))
        address = self.start_demo()
        replacements = [("127.0.0.1:8080", address), ("/tmp/hero.mp4", self.folder / "hero.mp4")]
        for page, folder in (("docs/tour.md", tree), ("examples/python/README.md", tree / "examples/python")):
            commands = [each for each in commands_in((ROOT / page).read_text())
                        if re.match(r"(examples/python|\.)/\w+\.(sh|py)\b", each)]
            self.assertEqual(len(commands), 2, commands)
            out = self.run_all(commands, folder, path, replacements)
            self.assertIn("SUCCEEDED", out)
        self.assertGreater((self.folder / "hero.mp4").stat().st_size, 0)
        self.assertGreater((tree / "examples/python/hero.mp4").stat().st_size, 0)

    def test_the_backup_of_the_page_can_be_restored(self):
        commands = [each for each in commands_in((ROOT / "docs/operations.md").read_text()) if runs_here(each)]
        if not commands:
            self.skipTest("there is no sqlite3 here")
        self.start_demo()
        self.run_all(commands, self.folder)
        self.assertTrue((self.folder / "assetgate-backup.db").exists())

    def test_every_command_runs_or_says_why_not(self):
        elsewhere = {ROOT / "README.md", ROOT / "docs/tour.md", ROOT / "docs/operations.md",
                     ROOT / "examples/python/README.md"}
        for page in set(PAGES) - elsewhere:
            left = [each for each in commands_in(page.read_text()) if runs_here(each) and each != "./generate.sh"]
            # Go needs its modules, with ./generate.sh before them.
            left = [each for each in left if not each.startswith("./generate.sh ")]
            self.assertEqual(left, [], page)


if __name__ == "__main__":
    unittest.main()
