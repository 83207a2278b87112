#!/usr/bin/env python3
"""The image is built from deploy/Dockerfile, and its programs run in it.

Run by CTest. Uses no registry: debootstrap creates the Dockerfile's debian:12-slim here, from the
mirror that apt uses, and the programs come from BIN_DIR (PROGRAMS is `prebuilt`), so that it takes a
minute or two. On a machine that cannot do this, the test is skipped with the reason.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

DEPLOY = pathlib.Path(__file__).resolve().parent
ROOT = DEPLOY.parent
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/release/bin"))
PROGRAMS = ("assetgate", "assetctl", "provider-simulator")
COMMIT = "0123456789ab"
SUITE = "bookworm"


def mirror():
    """The mirror of Debian 12 that apt uses, or None."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(COMPONENT) $(SITE)",
         "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^{SUITE} main (\S+)$", listed, re.M)
    return found.group(1) if found else None


def why_not():
    """Why no image can be built on this machine; None where it can."""
    if os.geteuid() != 0:
        return "only root can build an image here (debootstrap, chroot)"
    for tool, package in (("buildah", "buildah"), ("debootstrap", "debootstrap"),
                          ("strip", "binutils"), ("apt-get", "apt")):
        if shutil.which(tool) is None:
            return f"there is no {tool} (package {package})"
    for name in PROGRAMS:
        if not (BIN / name).exists():
            return f"{name} is not built in {BIN}"
    site = mirror()
    if site is None:
        return f"apt knows no mirror of {SUITE}"
    try:
        urllib.request.urlopen(f"{site}/dists/{SUITE}/Release", timeout=20).close()
    except (urllib.error.URLError, OSError) as error:
        return f"the mirror that apt uses cannot be reached: {error}"
    return None


class Storage:
    """A separate storage for images."""

    def __init__(self, folder):
        self.arguments = ["--root", folder / "images", "--runroot", folder / "run",
                          "--storage-driver", "vfs"]

    def run(self, command, *arguments):
        """Runs a command of buildah; returns its output, including errors."""
        result = subprocess.run(["buildah", *self.arguments, command, *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        if result.returncode != 0:
            raise AssertionError(f"buildah {command}: {result.stdout[-4000:]}")
        return result.stdout.strip()

    def make_debian(self, name):
        """Creates an image of a minimal Debian, with the name that the Dockerfile uses."""
        container = self.run("from", "scratch")
        root = self.run("mount", container)
        # As in Docker's own image: dpkg does not sync to disk, and installs no manuals.
        settings = pathlib.Path(root, "etc/dpkg/dpkg.cfg.d")
        settings.mkdir(parents=True)
        (settings / "image").write_text("force-unsafe-io\n" + "".join(
            f"path-exclude=/usr/share/{each}/*\n" for each in ("info", "locale", "man")))
        made = subprocess.run(["debootstrap", "--variant=minbase", SUITE, root, mirror()],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if made.returncode != 0:
            raise AssertionError(f"debootstrap: {made.stdout[-4000:]}")
        for archive in pathlib.Path(root, "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        self.run("commit", "--quiet", "--rm", container, name)


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason is not None:
            raise unittest.SkipTest(f"no image is built: {reason}")
        folder = tempfile.TemporaryDirectory(prefix="assetgate-image-")
        cls.addClassCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        cls.storage = Storage(folder)
        cls.addClassCleanup(cls.storage.run, "umount", "--all")

        begin = time.monotonic()
        cls.storage.make_debian("docker.io/library/debian:12-slim")
        made = time.monotonic()
        # Strips the programs, as the stage `build` does.
        context = folder / "context"
        built = context / "build/release/bin"
        built.mkdir(parents=True)
        (context / "deploy").mkdir()
        shutil.copy(DEPLOY / "image_root.sh", context / "deploy")
        for name in PROGRAMS:
            subprocess.run(["strip", "-o", built / name, BIN / name], check=True)
        cls.storage.run(
            "build", "--isolation", "chroot", "--pull-never", "--layers=false", "--target",
            "assetgate", "--build-arg", "PROGRAMS=prebuilt", "--build-arg", f"COMMIT={COMMIT}",
            "--tag", "assetgate", "--file", DEPLOY / "Dockerfile", context)
        cls.container = cls.storage.run("from", "--pull-never", "localhost/assetgate")
        cls.root = pathlib.Path(cls.storage.run("mount", cls.container))
        print(f"Debian: {made - begin:.0f} s, the image: {time.monotonic() - made:.0f} s")

    def run_inside(self, *command, **variables):
        """Runs a program of the image as its user; returns its output."""
        given = [each for name, value in variables.items() for each in ("--env", f"{name}={value}")]
        return self.storage.run(
            "run", "--isolation", "chroot", *given,
            "--volume", f"{DEPLOY}/assetgate.example.yaml:/etc/assetgate/assetgate.yaml:ro",
            self.container, "--", *command)

    def packages(self):
        """Package -> version."""
        found = {}
        for file in (self.root / "var/lib/dpkg/status.d").iterdir():
            text = file.read_text()
            found[re.search(r"^Package: (.+)$", text, re.M).group(1)] = re.search(
                r"^Version: (.+)$", text, re.M).group(1)
        return found

    def files(self):
        """The files except links, with their stat."""
        for path in self.root.rglob("*"):
            if not path.is_symlink():
                yield path, path.stat()

    def test_it_is_small_and_lists_its_packages(self):
        packages = self.packages()
        size = sum(stat.st_size for path, stat in self.files() if path.is_file())
        print(f"{size / 1e6:.1f} MB, something of {len(packages)} packages:")
        for name, release in sorted(packages.items()):
            print(f"  {name} {release}")
        self.assertLess(size, 100e6)
        for name in ("libc6", "libgrpc29", "libssl3", "ca-certificates"):
            self.assertIn(name, packages)
        for name in packages:
            self.assertTrue((self.root / "usr/share/doc" / name / "copyright").exists(), name)

    def test_programs_run_inside_and_know_their_build(self):
        outside = subprocess.run([BIN / "assetgate", "--version"], check=True, capture_output=True,
                                 text=True).stdout.strip()
        self.assertEqual(self.run_inside("/usr/local/bin/assetgate", "--version"), outside)
        self.run_inside("/usr/local/bin/assetctl", "--version")

    def test_the_example_config_is_accepted_inside(self):
        keys = re.findall(r"env: (\w+)", (DEPLOY / "assetgate.example.yaml").read_text())
        self.run_inside("/usr/local/bin/assetgate", "--check-config", "/etc/assetgate/assetgate.yaml",
                        **dict.fromkeys(keys, "any-word"))

    def test_it_serves_from_the_image(self):
        """Serves as its user, with the store on the volume, until the image's stop signal."""
        volume = self.root / "var/lib/assetgate"
        config = volume / "assetgate.yaml"
        config.write_text("listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\n"
                          "store: {sqlite: {path: /var/lib/assetgate/assetgate.db}}\n"
                          "providers: [{id: kyy, credential: {api_key: {env: KEY}}, mode: DRAIN}]\n")
        self.addCleanup(lambda: [path.unlink() for path in volume.iterdir()])
        with subprocess.Popen(
                ["chroot", "--userspec=65532:65532", self.root, "/usr/local/bin/assetgate", "--config",
                 "/var/lib/assetgate/assetgate.yaml"], env={"PATH": os.environ["PATH"], "KEY": "any-word"},
                stderr=subprocess.PIPE, text=True) as gateway:
            self.addCleanup(gateway.kill)
            said = []
            for line in gateway.stderr:
                said.append(line)
                if '"message":"serving"' in line:
                    break
            else:
                self.fail("".join(said))
            admin = json.loads(line)["admin"]
            with urllib.request.urlopen(f"http://{admin}/readyz", timeout=20) as response:
                self.assertEqual(response.status, 200)
            gateway.terminate()
            gateway.communicate(timeout=60)
        self.assertEqual(gateway.returncode, 0)

    def test_it_has_no_shell_and_no_way_to_change_the_user(self):
        for path, stat in self.files():
            inside = path.relative_to(self.root)
            self.assertFalse(path.is_file() and stat.st_mode & 0o6000, f"{inside} is set-user-id")
            if stat.st_mode & 0o002:
                self.assertEqual(str(inside), "tmp", "only /tmp may be writable for everyone")
            if stat.st_uid != 0:
                self.assertEqual(str(inside), "var/lib/assetgate")
        programs = {path.name for folder in ("usr/bin", "usr/local/bin", "usr/sbin", "usr/local/sbin")
                    for path in (self.root / folder).glob("*")}
        self.assertEqual(programs, {"assetgate", "assetctl"})

    def test_its_labels_and_stop_signal_are_set(self):
        image = json.loads(self.storage.run("inspect", "--type", "image", "localhost/assetgate"))
        config = image["OCIv1"]["config"]
        self.assertRegex(config["User"], r"^[1-9]\d*:[1-9]\d*$")
        self.assertEqual(config["StopSignal"], "SIGTERM")
        labels = config["Labels"]
        self.assertEqual(labels["org.opencontainers.image.revision"], COMMIT)
        release = self.run_inside("/usr/local/bin/assetgate", "--version").split()[1]
        self.assertEqual(labels["org.opencontainers.image.version"], release)


if __name__ == "__main__":
    unittest.main(verbosity=2)
