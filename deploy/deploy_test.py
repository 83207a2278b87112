#!/usr/bin/env python3
"""deploy/ mounts, opens and installs the files, ports and packages that the programs use.

Run by CTest. BIN_DIR in the environment is where the programs are; checks that need one which is not
built there are skipped, and so are those of the cluster's files where there is no kubectl.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
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


def sources_of(config, kind):
    """The sources of a config's secrets: its variables (kind "env"), or its files (kind "file")."""
    sources = [source for provider in config["providers"]
               for credential in ("credential", "previous_credential")
               for source in provider.get(credential, {}).values()]
    sources.append(config["store"].get("postgres", {}).get("uri", {}))
    return {source[kind] for source in sources if kind in source}


def write_secret(folder, data):
    """Writes a Secret as a node mounts it: each key is a link into a folder that is replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    generation = folder / f"..{len(list(folder.glob('..*')))}"
    generation.mkdir()
    for key, value in data.items():
        (generation / key).write_text(value)
        if not (folder / key).is_symlink():
            (folder / key).symlink_to(f"..data/{key}")
    link = folder / "..next"
    link.symlink_to(generation.name)
    link.rename(folder / "..data")


def config_with_secrets(text, folder, value):
    """The text of a config with the paths of its secrets moved from /etc to `folder`."""
    by_folder = {}
    for path in map(pathlib.PurePosixPath, sources_of(yaml.safe_load(text), "file")):
        by_folder.setdefault(path.parent, {})[path.name] = value
    for mount, data in by_folder.items():
        write_secret(folder / mount.name, data)
        text = text.replace(f"{mount}/", f"{folder / mount.name}/")
    return text


def why_not():
    """Why kustomize's files cannot be rendered here; None where they can."""
    if shutil.which("kubectl") is None:
        return "there is no kubectl to render with"
    said = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True,
                          text=True, check=False).stdout
    minor = int(re.search(r'"minor": "(\d+)', said).group(1))
    return None if minor >= 21 else f"kubectl 1.{minor} is too old; 1.21 is needed (Debian 12's is older)"


def version():
    """The version of the project."""
    return re.search(r"project\(assetgate VERSION (\S+)",
                     (ROOT / "CMakeLists.txt").read_text()).group(1)


def time_to_end(config):
    """The time from SIGTERM to the end of the gateway, in seconds."""
    shared = "postgres" in config["store"]
    return (seconds(config.get("drain_delay", "5s" if shared else "0s")) +
            seconds(config.get("shutdown_timeout", "20s")))


def but_for_the_store(config):
    """A config without the keys that depend on whether gateways share a store."""
    return {key: value for key, value in config.items() if key not in ("drain_delay", "store")}


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
        # The part before the first stage: arguments with their defaults.
        current = self.preamble = []
        for line in filter(None, map(str.strip, text.splitlines())):
            word, rest = line.split(None, 1)
            if word == "FROM":
                parent, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
                self.parents[name] = parent
                current = self.stages[name] = []
            else:
                current.append((word, rest))

    def all(self, stage, word):
        """The arguments of all instructions `word` in a stage and its base stages."""
        found = []
        if self.parents[stage] in self.stages:
            found = self.all(self.parents[stage], word)
        return found + [rest for each, rest in self.stages[stage] if each == word]

    def packages(self, stage):
        runs = " ".join(self.all(stage, "RUN"))
        listed = re.search(r"--no-install-recommends (.*?) &&", runs).group(1)
        return set(listed.split())


class Overlay:
    """The objects that kustomize renders for an overlay. KubernetesChecks checks every overlay."""

    def __init__(self, name):
        self.folder = DEPLOY / "kustomize/overlays" / name
        result = subprocess.run(["kubectl", "kustomize", self.folder], capture_output=True,
                                text=True)
        # A warning is a fault too, for instance about a deprecated field.
        if result.returncode != 0 or result.stderr:
            raise AssertionError(f"kubectl kustomize: {result.stderr}")
        self.objects = [each for each in yaml.safe_load_all(result.stdout) if each]
        self.workload, = self.all("StatefulSet") + self.all("Deployment")
        self.pod = self.workload["spec"]["template"]
        self.container, = self.pod["spec"]["containers"]
        self.config_map = self.one("ConfigMap")
        self.config = yaml.safe_load(self.config_map["data"]["assetgate.yaml"])
        self.secrets = {each["metadata"]["name"]: each["stringData"] for each in self.all("Secret")}

    def all(self, kind):
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind):
        only, = self.all(kind)
        return only

    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def secret_files(self):
        """The mounted secrets of the container: path -> (secret, key)."""
        volumes = {each["name"]: each["secret"]["secretName"] for each in self.pod["spec"]["volumes"]
                   if "secret" in each}
        return {f"{mount['mountPath']}/{key}": (volumes[mount["name"]], key)
                for mount in self.container["volumeMounts"] if mount["name"] in volumes
                for key in self.secrets.get(volumes[mount["name"]], {})}


class KubernetesChecks:
    OVERLAY = ""
    # In seconds: for the steps after shutdown_timeout.
    SPARE = 5

    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason is not None:
            raise unittest.SkipTest(reason)
        cls.overlay = Overlay(cls.OVERLAY)
        cls.pod = cls.overlay.pod
        cls.container = cls.overlay.container
        cls.config = cls.overlay.config

    def mounted(self, path):
        """The mount of the container that contains `path`, and its volume."""
        mounts = [mount for mount in self.container["volumeMounts"]
                  if is_below(path, mount["mountPath"])]
        self.assertEqual(len(mounts), 1, f"{path} is not below exactly one mount")
        name = mounts[0]["name"]
        for volume in self.pod["spec"]["volumes"]:
            if volume["name"] == name:
                return mounts[0], volume
        claims = self.overlay.workload["spec"]["volumeClaimTemplates"]
        return mounts[0], {"claim": next(c for c in claims if c["metadata"]["name"] == name)}

    def test_the_program_reads_the_mounted_config(self):
        self.assertEqual(self.container["args"], ["--config", CONFIG_PATH])
        mount, volume = self.mounted(CONFIG_PATH)
        config_map = self.overlay.config_map
        self.assertEqual(volume["configMap"]["name"], config_map["metadata"]["name"])
        self.assertIn(pathlib.PurePosixPath(CONFIG_PATH).name, config_map["data"])
        self.assertEqual(mount["mountPath"], str(pathlib.PurePosixPath(CONFIG_PATH).parent))

    def test_the_mounted_secrets_are_exactly_those_of_the_config(self):
        files = self.overlay.secret_files()
        self.assertEqual(sources_of(self.config, "file"), set(files))
        there = {(name, key) for name, data in self.overlay.secrets.items() for key in data}
        self.assertEqual(set(files.values()), there)

    def test_a_changed_secret_reaches_the_process(self):
        # A running process does not see changes of its environment or of a subPath mount.
        self.assertEqual(sources_of(self.config, "env"), set())
        for key in ("env", "envFrom"):
            self.assertNotIn(key, self.container)
        for mount in self.container["volumeMounts"]:
            self.assertNotIn("subPath", mount, mount)

    def test_no_secret_is_in_version_control(self):
        for name, data in self.overlay.secrets.items():
            self.assertEqual(set(data.values()), {""}, name)

    def test_only_gateways_with_a_shared_store_are_replicated(self):
        self.assertEqual(self.overlay.workload["spec"]["replicas"] > 1,
                         "postgres" in self.config["store"])

    def test_ports_are_those_of_the_config_and_open_to_other_pods(self):
        self.assertEqual(self.overlay.ports(), {"grpc": port_of(self.config["listen"]),
                                                "admin": port_of(self.config["admin"]["listen"])})
        for address in (self.config["listen"], self.config["admin"]["listen"]):
            self.assertTrue(address.startswith("0.0.0.0:"), address)

    def test_probes_use_pages_of_the_admin_port(self):
        served = "".join(path.read_text() for path in (ROOT / "service/admin").glob("*.cc"))
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                            ("readinessProbe", "/readyz")):
            self.assertEqual(self.container[probe]["httpGet"], {"path": path, "port": "admin"})
            self.assertIn(f'"{path}"', served)
        annotations = self.pod["metadata"]["annotations"]
        self.assertEqual(annotations["prometheus.io/port"], str(self.overlay.ports()["admin"]))
        self.assertIn(f'"{annotations["prometheus.io/path"]}"', served)

    def assert_selects(self, selector, what):
        """Checks that a selector matches the pods, and is not empty, which would match everything."""
        self.assertTrue(selector, what)
        self.assertLessEqual(selector.items(), self.pod["metadata"]["labels"].items(), what)

    def test_services_select_the_pods(self):
        services = {each["metadata"]["name"]: each["spec"] for each in self.overlay.all("Service")}
        for name, spec in services.items():
            self.assert_selects(spec["selector"], name)
            for port in spec["ports"]:
                self.assertIn(port["targetPort"], self.overlay.ports(), name)
        headless = {name for name, spec in services.items() if spec.get("clusterIP") == "None"}
        self.assertEqual(set(services) - headless, {"assetgate"})
        self.assertEqual(headless, {"assetgate-headless"})
        self.assert_selects(self.overlay.workload["spec"]["selector"]["matchLabels"],
                            self.overlay.workload["kind"])

    def test_the_pod_has_no_privileges(self):
        pod = self.pod["spec"]
        self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
        self.assertGreater(pod["securityContext"]["runAsUser"], 0)
        self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        own = self.container["securityContext"]
        self.assertIs(own["allowPrivilegeEscalation"], False)
        self.assertIs(own["readOnlyRootFilesystem"], True)
        self.assertEqual(own["capabilities"], {"drop": ["ALL"]})
        self.assertIs(pod["automountServiceAccountToken"], False)
        accounts = {each["metadata"]["name"] for each in self.overlay.all("ServiceAccount")}
        self.assertIn(pod["serviceAccountName"], accounts)
        self.assertIn("requests", self.container["resources"])

    def test_open_calls_end_before_the_pod_is_killed(self):
        self.assertGreaterEqual(self.pod["spec"]["terminationGracePeriodSeconds"],
                                time_to_end(self.config) + self.SPARE)

    def test_the_user_and_the_version_are_those_of_the_image(self):
        user = Dockerfile().all("assetgate", "USER")[-1]
        context = self.pod["spec"]["securityContext"]
        self.assertEqual(user, f"{context['runAsUser']}:{context['runAsGroup']}")
        self.assertEqual(self.container["image"], f"assetgate:{version()}")

    def test_the_program_accepts_the_config_once_the_secrets_are_there(self):
        if program("assetgate") is None:
            self.skipTest("assetgate is not built here")
        text = (self.overlay.folder / "assetgate.yaml").read_text()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            config = folder / "assetgate.yaml"
            command = [program("assetgate"), "--check-config", config]
            # Any word is a valid key.
            config.write_text(config_with_secrets(text, folder,
                                                  "postgresql://user:password@host/database"))
            filled = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
            self.assertEqual(filled.returncode, 0, filled.stderr)
            config_with_secrets(text, folder, "")
            empty = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
            self.assertEqual(empty.returncode, 2)
            files = sources_of(yaml.safe_load(config.read_text()), "file")
            self.assertEqual(empty.stderr.count(" is empty"), len(files), empty.stderr)


class EmbeddedOverlayTest(KubernetesChecks, unittest.TestCase):
    OVERLAY = "embedded"

    def test_the_store_is_on_a_volume_that_outlives_the_pod(self):
        mount, volume = self.mounted(self.config["store"]["sqlite"]["path"])
        self.assertIn("claim", volume)
        self.assertNotIn("readOnly", mount)
        context = self.pod["spec"]["securityContext"]
        self.assertEqual(context["fsGroup"], context["runAsUser"])

    def test_the_pod_has_a_stable_name(self):
        self.assertEqual(self.overlay.workload["kind"], "StatefulSet")
        self.assertEqual(self.overlay.workload["spec"]["serviceName"], "assetgate-headless")


class ReplicatedOverlayTest(KubernetesChecks, unittest.TestCase):
    OVERLAY = "replicated"
    # For releasing the leases, after a round in flight, at a database that may not answer: twice the
    # connect_timeout and timeout of PostgresStore::Options.
    SPARE = 16

    def test_the_file_system_is_not_writable(self):
        for mount in self.container["volumeMounts"]:
            self.assertIs(mount.get("readOnly"), True, mount)
        self.assertNotIn("fsGroup", self.pod["spec"]["securityContext"])

    def test_an_update_starts_a_gateway_before_it_stops_another(self):
        spec = self.overlay.workload["spec"]
        self.assertEqual(self.overlay.workload["kind"], "Deployment")
        self.assertEqual(spec["strategy"]["rollingUpdate"], {"maxUnavailable": 0, "maxSurge": 1})

    def test_nodes_are_drained_one_gateway_at_a_time(self):
        budget = self.overlay.one("PodDisruptionBudget")["spec"]
        self.assert_selects(budget["selector"]["matchLabels"], "the budget")
        self.assertEqual(budget["maxUnavailable"], 1)
        self.assertGreater(self.overlay.workload["spec"]["replicas"], budget["maxUnavailable"])

    def test_gateways_are_spread_without_blocking_scheduling(self):
        spread = self.pod["spec"]["topologySpreadConstraints"]
        self.assertEqual({each["topologyKey"] for each in spread},
                         {"topology.kubernetes.io/zone", "kubernetes.io/hostname"})
        for each in spread:
            self.assert_selects(each["labelSelector"]["matchLabels"], each["topologyKey"])
            self.assertEqual(each["whenUnsatisfiable"], "ScheduleAnyway")

    def test_callers_learn_of_a_shutdown_before_the_port_closes(self):
        self.assertGreaterEqual(seconds(self.config["drain_delay"]), 5)
        # The image has no program that a preStop hook could wait with.
        self.assertNotIn("lifecycle", self.container)

    def test_a_migration_has_time_to_finish(self):
        source = (ROOT / "service/store/postgres/postgres_store.cc").read_text()
        minutes = int(re.search(r"kMigrationTimeout = absl::Minutes\((\d+)\)", source).group(1))
        probe = self.container["startupProbe"]
        self.assertGreater(probe["periodSeconds"] * probe["failureThreshold"], 60 * minutes)

    def test_it_differs_from_a_single_gateway_only_by_the_store(self):
        embedded = Overlay("embedded")
        for key in ("image", "args", "ports", "livenessProbe", "readinessProbe", "securityContext"):
            self.assertEqual(self.container[key], embedded.container[key], key)
        self.assertEqual(but_for_the_store(self.config), but_for_the_store(embedded.config))
        for kind in ("Service", "ServiceAccount"):
            self.assertEqual(self.overlay.all(kind), embedded.all(kind))


def load_compose(name):
    """A compose file, with its `extends` resolved."""
    compose = yaml.safe_load((DEPLOY / name).read_text())
    for service, spec in compose["services"].items():
        if "extends" in spec:
            source = spec.pop("extends")
            base = load_compose(source["file"])["services"][source["service"]]
            compose["services"][service] = {**base, **spec}
    return compose


class ComposeChecks:
    FILE = ""
    CONFIG = ""
    GATEWAYS = []

    @classmethod
    def setUpClass(cls):
        cls.compose = load_compose(cls.FILE)
        cls.services = cls.compose["services"]
        cls.gateways = [cls.services[name] for name in cls.GATEWAYS]
        cls.config = yaml.safe_load((DEPLOY / cls.CONFIG).read_text())
        cls.dockerfile = Dockerfile()

    def volumes(self, service):
        """The mounts of a service: path in the container -> source."""
        return {target: source for source, target, *_ in
                (volume.split(":") for volume in service["volumes"])}

    def test_every_gateway_is_checked(self):
        ours = [name for name, service in self.services.items()
                if service["image"].startswith("assetgate:")]
        self.assertEqual(ours, self.GATEWAYS)
        self.assertEqual(len(ours) > 1, "postgres" in self.config["store"])

    def test_images_are_built_from_stages_that_exist(self):
        for service in self.gateways + [self.services["simulator"]]:
            build = service["build"]
            self.assertEqual((DEPLOY / build["context"]).resolve(), ROOT)
            self.assertTrue((ROOT / build["dockerfile"]).exists())
            self.assertIn(build["target"], self.dockerfile.stages)

    def test_the_images_are_of_this_version(self):
        for gateway in self.gateways:
            self.assertEqual(gateway["image"], f"assetgate:{version()}")
        self.assertEqual(self.services["simulator"]["image"], f"provider-simulator:{version()}")

    def test_the_config_is_mounted_where_the_image_reads_it(self):
        for gateway in self.gateways:
            source = self.volumes(gateway)[CONFIG_PATH]
            self.assertEqual((DEPLOY / source).resolve(), DEPLOY / self.CONFIG)

    def test_every_secret_of_the_config_is_set(self):
        for gateway in self.gateways:
            self.assertEqual(sources_of(self.config, "env"), set(gateway["environment"]))

    def test_ports_are_those_of_the_config_and_stay_on_this_machine(self):
        inside = {port_of(self.config["listen"]), port_of(self.config["admin"]["listen"])}
        outside = list(self.services["simulator"]["ports"])
        for gateway in self.gateways:
            ports = dict(port.rsplit(":", 1) for port in gateway["ports"])
            self.assertEqual({int(port) for port in ports.values()}, inside)
            outside += ports
            self.assertEqual(gateway["healthcheck"]["test"][:4],
                             ["CMD", "/usr/local/bin/assetctl", "--server",
                              f"127.0.0.1:{port_of(self.config['listen'])}"])
        for address in outside:
            self.assertTrue(address.startswith("127.0.0.1:"), address)
        self.assertEqual(len(set(outside)), len(outside))

    def test_open_calls_end_before_a_gateway_is_killed(self):
        for gateway in self.gateways:
            self.assertGreater(seconds(gateway["stop_grace_period"]), time_to_end(self.config))

    def test_the_config_calls_the_simulator(self):
        command = self.services["simulator"]["command"]
        port = command[command.index("--port") + 1]
        for provider in self.config["providers"]:
            self.assertTrue(provider["base_url"].startswith(f"http://simulator:{port}/"),
                            provider["base_url"])


class ComposeTest(ComposeChecks, unittest.TestCase):
    FILE = "compose.yaml"
    CONFIG = "simulator.yaml"
    GATEWAYS = ["assetgate"]

    def test_the_store_is_on_a_volume(self):
        store = self.config["store"]["sqlite"]["path"]
        sources = self.volumes(self.gateways[0])
        volume = next(target for target in sources if is_below(store, target))
        self.assertIn(sources[volume], self.compose["volumes"])
        self.assertIn(volume, self.dockerfile.all("assetgate", "VOLUME"))


class ComposeReplicasTest(ComposeChecks, unittest.TestCase):
    FILE = "compose.replicas.yaml"
    CONFIG = "simulator.replicas.yaml"
    GATEWAYS = ["assetgate-1", "assetgate-2"]

    def test_gateways_start_after_the_database_and_know_its_address(self):
        given = self.services["postgres"]["environment"]
        uri = (f"postgresql://{given['POSTGRES_USER']}:{given['POSTGRES_PASSWORD']}@postgres:5432/"
               f"{given['POSTGRES_DB']}")
        for gateway in self.gateways:
            self.assertEqual(gateway["environment"]["ASSETGATE_POSTGRES_URI"], uri)
            self.assertEqual(gateway["depends_on"]["postgres"], {"condition": "service_healthy"})
        self.assertIn("healthcheck", self.services["postgres"])

    def test_the_database_is_on_a_volume_and_not_reachable_from_outside(self):
        postgres = self.services["postgres"]
        self.assertNotIn("ports", postgres)
        self.assertIn(self.volumes(postgres)["/var/lib/postgresql/data"], self.compose["volumes"])

    def test_the_database_is_a_supported_version(self):
        name, release = self.services["postgres"]["image"].split(":")
        self.assertEqual(name, "postgres")
        source = (ROOT / "service/store/postgres/postgres_store.cc").read_text()
        oldest = re.search(r"kOldestServer = ([\d']+)", source).group(1).replace("'", "")
        self.assertGreaterEqual(int(release) * 10_000, int(oldest))

    def test_the_config_differs_from_a_single_gateways_only_by_the_store(self):
        single = yaml.safe_load((DEPLOY / "simulator.yaml").read_text())
        self.assertEqual(but_for_the_store(self.config), but_for_the_store(single))


class DockerfileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dockerfile = Dockerfile()

    def test_copied_files_exist_and_are_not_ignored(self):
        ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
        for stage in self.dockerfile.stages:
            for copy in self.dockerfile.all(stage, "COPY"):
                for source in copy.split()[:-1]:
                    if copy.startswith("--from="):
                        continue
                    if not source.startswith("build/"):
                        self.assertTrue((ROOT / source).exists(), source)
                    self.assertIn("!" + source, ignore)

    def test_stages_copy_from_existing_stages(self):
        for stage in self.dockerfile.stages:
            for copy in self.dockerfile.all(stage, "COPY"):
                for source in re.findall(r"--from=(\S+)", copy):
                    self.assertIn(source, self.dockerfile.stages, stage)

    def test_the_version_is_that_of_the_project_and_is_on_the_images(self):
        self.assertIn(("ARG", f"VERSION={version()}"), self.dockerfile.preamble)
        self.assertIn(("ARG", "PROGRAMS=build"), self.dockerfile.preamble)
        for stage in ("assetgate", "simulator"):
            labels, = self.dockerfile.all(stage, "LABEL")
            for label, value in (("version", "$VERSION"), ("revision", "$COMMIT")):
                self.assertIn(f'org.opencontainers.image.{label}="{value}"', labels)
                # A stage sees only the arguments that it declares.
                self.assertIn(value[1:], self.dockerfile.all(stage, "ARG"))

    def test_the_build_copies_every_folder_of_the_project(self):
        copied = {source for copy in self.dockerfile.all("build", "COPY")
                  for source in copy.split()[:-1]}
        for folder in re.findall(r"^add_subdirectory\((\S+)\)", (ROOT / "CMakeLists.txt").read_text(),
                                 flags=re.M):
            self.assertTrue({folder, f"{folder}/CMakeLists.txt"} & copied, folder)

    def test_it_builds_with_the_packages_of_setup(self):
        listed = subprocess.run([DEPLOY / "setup.sh", "--list", "build"], check=True,
                                capture_output=True, text=True).stdout.split()
        self.assertLessEqual(self.dockerfile.packages("build"), set(listed))

    def test_nothing_needs_a_shell_or_root(self):
        for stage in ("assetgate", "simulator"):
            for word in ("ENTRYPOINT", "CMD"):
                self.assertTrue(self.dockerfile.all(stage, word)[-1].startswith("["), stage)
            self.assertRegex(self.dockerfile.all(stage, "USER")[-1], r"^[1-9]\d*:[1-9]\d*$")
            self.assertEqual(self.dockerfile.parents[stage], "scratch")
            self.assertEqual(self.dockerfile.all(stage, "RUN"), [])
            self.assertEqual(self.dockerfile.all(stage, "STOPSIGNAL"), ["SIGTERM"])

    def test_the_libraries_that_the_programs_load_are_installed(self):
        """Checks the libraries that a program names itself; packages depend on the others."""
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
        # One call for all, because each call reads dpkg's whole database.
        owners = subprocess.run(["dpkg-query", "-S"] + [f"*/{name}" for name in sorted(needed)],
                                capture_output=True, text=True).stdout
        packages = {}
        for line in owners.splitlines():
            owner, file = line.split(": ", 1)
            packages.setdefault(pathlib.Path(file).name, set()).update(
                each.split(":")[0] for each in owner.split(", "))
        for name in needed:
            # The dynamic linker and the sanitizers' runtimes are not in the image.
            if name.startswith(("ld-linux", "libasan", "libubsan")):
                continue
            self.assertTrue(packages.get(name, set()) & installed,
                            f"{name} of {packages.get(name)} is loaded, but not installed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
