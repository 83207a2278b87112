#!/usr/bin/env python3
"""What deploy/ mounts, opens and installs is what the programs read, listen on and load.

Run by CTest. BIN_DIR in the environment is where the programs are; checks that need one which is not
built there are skipped, and so are those of the cluster's files where there is no kubectl.
"""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent
ROOT = DEPLOY.parent
CONFIG_PATH = "/etc/assetgate/assetgate.yaml"


def program(name):
    """The path of a built program, or None."""
    path = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/release/bin"), name)
    return path if path.exists() else None


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def variables_of(config):
    """The environment variables that a config takes secrets from."""
    return {source["env"] for provider in config["providers"]
            for credential in ("credential", "previous_credential")
            for source in provider.get(credential, {}).values() if "env" in source}


def is_below(path, folder):
    return pathlib.PurePosixPath(folder) in pathlib.PurePosixPath(path).parents


def seconds(duration):
    return int(re.fullmatch(r"(\d+)s", duration).group(1))


class Dockerfile:
    """The stages of deploy/Dockerfile: by name, their instructions as (word, rest)."""

    def __init__(self):
        text = (DEPLOY / "Dockerfile").read_text()
        text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
        self.stages = {}
        self.parents = {}
        current = None
        for line in filter(None, map(str.strip, text.splitlines())):
            word, rest = line.split(None, 1)
            if word == "FROM":
                parent, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
                self.parents[name] = parent
                current = self.stages[name] = []
            else:
                current.append((word, rest))

    def all(self, stage, word):
        """The arguments of all instructions `word` in a stage and what it is made from."""
        found = []
        if self.parents[stage] in self.stages:
            found = self.all(self.parents[stage], word)
        return found + [rest for each, rest in self.stages[stage] if each == word]

    def packages(self, stage):
        runs = " ".join(self.all(stage, "RUN"))
        listed = re.search(r"--no-install-recommends (.*?) &&", runs).group(1)
        return set(listed.split())


class KubernetesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("kubectl") is None:
            raise unittest.SkipTest("there is no kubectl to render with")
        result = subprocess.run(["kubectl", "kustomize", DEPLOY / "kustomize/overlays/embedded"],
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(f"kubectl kustomize: {result.stderr}")
        cls.objects = [each for each in yaml.safe_load_all(result.stdout) if each]
        cls.pod = cls.one("StatefulSet")["spec"]["template"]
        cls.container, = cls.pod["spec"]["containers"]
        cls.config_map = cls.one("ConfigMap")
        cls.config = yaml.safe_load(cls.config_map["data"]["assetgate.yaml"])

    @classmethod
    def all(cls, kind):
        return [each for each in cls.objects if each["kind"] == kind]

    @classmethod
    def one(cls, kind):
        only, = cls.all(kind)
        return only

    def mounted(self, path):
        """The volume under a path of the container."""
        mounts = [mount for mount in self.container["volumeMounts"]
                  if is_below(path, mount["mountPath"])]
        self.assertEqual(len(mounts), 1, f"{path} is not below exactly one mount")
        name = mounts[0]["name"]
        for volume in self.pod["spec"]["volumes"]:
            if volume["name"] == name:
                return mounts[0], volume
        claims = self.one("StatefulSet")["spec"]["volumeClaimTemplates"]
        return mounts[0], {"claim": next(c for c in claims if c["metadata"]["name"] == name)}

    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def test_the_program_is_pointed_at_the_config_that_is_mounted(self):
        self.assertEqual(self.container["args"], ["--config", CONFIG_PATH])
        mount, volume = self.mounted(CONFIG_PATH)
        self.assertEqual(volume["configMap"]["name"], self.config_map["metadata"]["name"])
        self.assertIn(pathlib.PurePosixPath(CONFIG_PATH).name, self.config_map["data"])
        self.assertEqual(mount["mountPath"], str(pathlib.PurePosixPath(CONFIG_PATH).parent))

    def test_every_key_that_the_config_asks_for_is_in_the_secret(self):
        secret = self.one("Secret")
        self.assertIn({"secretRef": {"name": secret["metadata"]["name"]}}, self.container["envFrom"])
        self.assertEqual(variables_of(self.config), set(secret["stringData"]))

    def test_no_key_is_in_version_control(self):
        self.assertEqual(set(self.one("Secret")["stringData"].values()), {""})

    def test_the_store_is_on_a_volume_that_outlives_the_pod(self):
        mount, volume = self.mounted(self.config["store"]["sqlite"]["path"])
        self.assertIn("claim", volume)
        self.assertNotIn("readOnly", mount)

    def test_the_store_has_one_process(self):
        self.assertEqual(self.one("StatefulSet")["spec"]["replicas"], 1)

    def test_ports_are_those_of_the_config_and_reach_out_of_the_pod(self):
        self.assertEqual(self.ports(), {"grpc": port_of(self.config["listen"]),
                                        "admin": port_of(self.config["admin"]["listen"])})
        for address in (self.config["listen"], self.config["admin"]["listen"]):
            self.assertTrue(address.startswith("0.0.0.0:"), address)

    def test_probes_ask_what_the_admin_port_serves(self):
        served = "".join(path.read_text() for path in (ROOT / "service/admin").glob("*.cc"))
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                            ("readinessProbe", "/readyz")):
            self.assertEqual(self.container[probe]["httpGet"], {"path": path, "port": "admin"})
            self.assertIn(f'"{path}"', served)
        annotations = self.pod["metadata"]["annotations"]
        self.assertEqual(annotations["prometheus.io/port"], str(self.ports()["admin"]))
        self.assertIn(f'"{annotations["prometheus.io/path"]}"', served)

    def test_services_find_the_pod(self):
        services = {each["metadata"]["name"]: each["spec"] for each in self.all("Service")}
        labels = self.pod["metadata"]["labels"]
        for name, spec in services.items():
            self.assertTrue(spec["selector"], name)
            self.assertLessEqual(spec["selector"].items(), labels.items(), name)
            for port in spec["ports"]:
                self.assertIn(port["targetPort"], self.ports(), name)
        headless = self.one("StatefulSet")["spec"]["serviceName"]
        self.assertEqual({name for name, spec in services.items()
                          if spec.get("clusterIP") == "None"}, {headless})
        self.assertEqual(len(services), 2)
        self.assertLessEqual(
            self.one("StatefulSet")["spec"]["selector"]["matchLabels"].items(), labels.items())

    def test_the_pod_may_do_nothing_special(self):
        pod = self.pod["spec"]
        self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
        self.assertGreater(pod["securityContext"]["runAsUser"], 0)
        self.assertEqual(pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsUser"])
        self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        own = self.container["securityContext"]
        self.assertIs(own["allowPrivilegeEscalation"], False)
        self.assertIs(own["readOnlyRootFilesystem"], True)
        self.assertEqual(own["capabilities"], {"drop": ["ALL"]})
        self.assertIs(pod["automountServiceAccountToken"], False)
        accounts = {each["metadata"]["name"] for each in self.all("ServiceAccount")}
        self.assertIn(pod["serviceAccountName"], accounts)
        self.assertIn("requests", self.container["resources"])

    def test_open_calls_end_before_the_pod_is_killed(self):
        self.assertLess(seconds(self.config["shutdown_timeout"]),
                        self.pod["spec"]["terminationGracePeriodSeconds"])

    def test_the_user_and_the_version_are_those_of_the_image(self):
        user = Dockerfile().all("assetgate", "USER")[-1]
        context = self.pod["spec"]["securityContext"]
        self.assertEqual(user, f"{context['runAsUser']}:{context['runAsGroup']}")
        version = re.search(r"project\(assetgate VERSION (\S+)",
                            (ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(self.container["image"], f"assetgate:{version}")

    def test_the_program_accepts_the_config_once_the_keys_are_there(self):
        if program("assetgate") is None:
            self.skipTest("assetgate is not built here")
        config = DEPLOY / "kustomize/overlays/embedded/assetgate.yaml"
        command = [program("assetgate"), "--check-config", config]
        variables = self.one("Secret")["stringData"]
        filled = subprocess.run(command, env={name: "a-key" for name in variables},
                                capture_output=True, text=True)
        self.assertEqual(filled.returncode, 0, filled.stderr)
        empty = subprocess.run(command, env=variables, capture_output=True, text=True)
        self.assertEqual(empty.returncode, 2)
        for name in variables:
            self.assertIn(name, empty.stderr)


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
        cls.gateway = cls.compose["services"]["assetgate"]
        cls.simulator = cls.compose["services"]["simulator"]
        cls.config = yaml.safe_load((DEPLOY / "simulator.yaml").read_text())
        cls.dockerfile = Dockerfile()

    def test_images_are_built_from_stages_that_exist(self):
        for service in self.compose["services"].values():
            build = service["build"]
            self.assertEqual((DEPLOY / build["context"]).resolve(), ROOT)
            self.assertTrue((ROOT / build["dockerfile"]).exists())
            self.assertIn(build["target"], self.dockerfile.stages)

    def test_the_config_is_mounted_where_the_image_reads_it(self):
        sources = {target: source for source, target, *_ in
                   (volume.split(":") for volume in self.gateway["volumes"])}
        self.assertEqual((DEPLOY / sources[CONFIG_PATH]).resolve(), DEPLOY / "simulator.yaml")
        store = self.config["store"]["sqlite"]["path"]
        volume = next(target for target in sources if is_below(store, target))
        self.assertIn(sources[volume], self.compose["volumes"])
        self.assertIn(volume, self.dockerfile.all("assetgate", "VOLUME"))

    def test_keys_are_there(self):
        self.assertEqual(variables_of(self.config), set(self.gateway["environment"]))

    def test_ports_are_those_of_the_config_and_stay_on_this_machine(self):
        ports = dict(port.rsplit(":", 1) for port in self.gateway["ports"])
        self.assertEqual({int(port) for port in ports.values()},
                         {port_of(self.config["listen"]), port_of(self.config["admin"]["listen"])})
        for address in list(ports) + self.simulator["ports"]:
            self.assertTrue(address.startswith("127.0.0.1:"), address)
        self.assertEqual(self.gateway["healthcheck"]["test"][:4],
                         ["CMD", "/usr/local/bin/assetctl", "--server",
                          f"127.0.0.1:{port_of(self.config['listen'])}"])

    def test_the_config_asks_the_simulator(self):
        port = self.simulator["command"][self.simulator["command"].index("--port") + 1]
        for provider in self.config["providers"]:
            self.assertTrue(provider["base_url"].startswith(f"http://simulator:{port}/"),
                            provider["base_url"])


class DockerfileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dockerfile = Dockerfile()

    def test_what_is_copied_exists_and_is_not_ignored(self):
        ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
        for copy in self.dockerfile.all("build", "COPY"):
            for source in copy.split()[:-1]:
                self.assertTrue((ROOT / source).exists(), source)
                self.assertIn("!" + source, ignore)

    def test_the_build_copies_all_that_the_project_adds(self):
        copied = {source for copy in self.dockerfile.all("build", "COPY")
                  for source in copy.split()[:-1]}
        for folder in re.findall(r"^add_subdirectory\((\S+)\)", (ROOT / "CMakeLists.txt").read_text(),
                                 flags=re.M):
            self.assertTrue({folder, f"{folder}/CMakeLists.txt"} & copied, folder)

    def test_it_builds_with_what_setup_installs(self):
        listed = subprocess.run([DEPLOY / "setup.sh", "--list", "build"], check=True,
                                capture_output=True, text=True).stdout.split()
        self.assertLessEqual(self.dockerfile.packages("build"), set(listed))

    def test_nothing_needs_a_shell_or_root(self):
        for stage in ("assetgate", "simulator"):
            for word in ("ENTRYPOINT", "CMD"):
                self.assertTrue(self.dockerfile.all(stage, word)[-1].startswith("["), stage)
            self.assertNotIn(self.dockerfile.all(stage, "USER")[-1].split(":")[0], ("0", "root"))

    def test_the_libraries_that_the_programs_load_are_installed(self):
        """Those that a program names itself; what these need, their packages bring along."""
        installed = self.dockerfile.packages("runtime") | {"libc6", "libgcc-s1", "libstdc++6"}
        programs = [each for each in map(program, ("assetgate", "assetctl", "provider-simulator"))
                    if each is not None]
        if not programs or shutil.which("dpkg-query") is None:
            self.skipTest("no program is built here, or this is not Debian")
        needed = set()
        for path in programs:
            headers = subprocess.run(["readelf", "-d", path], check=True, capture_output=True,
                                     text=True).stdout
            needed.update(re.findall(r"\(NEEDED\).*\[(.+)\]", headers))
        self.assertIn("libstdc++.so.6", needed)
        # One question for all: each reads dpkg's whole database.
        owners = subprocess.run(["dpkg-query", "-S"] + [f"*/{name}" for name in sorted(needed)],
                                capture_output=True, text=True).stdout
        packages = {}
        for line in owners.splitlines():
            owner, file = line.split(": ", 1)
            packages.setdefault(pathlib.Path(file).name, set()).update(
                each.split(":")[0] for each in owner.split(", "))
        for name in needed:
            # The dynamic linker and the sanitizers' runtimes are no libraries of ours.
            if name.startswith(("ld-linux", "libasan", "libubsan")):
                continue
            self.assertTrue(packages.get(name, set()) & installed,
                            f"{name} of {packages.get(name)} is loaded, but not installed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
