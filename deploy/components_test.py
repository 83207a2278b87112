#!/usr/bin/env python3
"""kustomize renders the overlays, alone and with the components, into objects that a cluster accepts.

Run by CTest. Needs no cluster: checks fields and types with Debian's Kubernetes client
(python3-kubernetes), and the rest by its own rules. BIN_DIR in the environment is the programs'
folder.
"""

import importlib
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

from deploy_test import DEPLOY, config_with_secrets, is_below, port_of, program, time_to_end, why_not

KUSTOMIZE = DEPLOY / "kustomize"
# Name -> (overlay or example, components). A component that includes another one is listed alone.
RENDERED = {
    "embedded": ("overlays/embedded", ()),
    "replicated": ("overlays/replicated", ()),
    "embedded with all that fits": ("overlays/embedded", ("tls-cert-manager", "edge", "edge-tls")),
    "replicated with an edge": ("overlays/replicated", ("edge",)),
    "replicated with TLS": ("overlays/replicated", ("tls",)),
    "production": ("examples/production", ()),
}
# What the cluster, its operators or the commands of docs/ bring.
BROUGHT = {("Secret", "assetgate-tls"), ("ConfigMap", "assetgate-descriptors")}
# Fields that are newer than Debian's client, with the release that introduced them.
NEWER = {("V1LifecycleHandler", "sleep"), ("V1Handler", "sleep")}  # Kubernetes 1.30
CUSTOM = {"Certificate": "cert-manager.io/v1", "PodMonitor": "monitoring.coreos.com/v1"}


class Schema:
    """The fields that Kubernetes' objects have, and their types."""

    def __init__(self):
        self.models = importlib.import_module("kubernetes.client.models")
        self.configuration = importlib.import_module("kubernetes.client").Configuration()

    def faults(self, value):
        """The faults of an object, one line each."""
        # autoscaling/v2 is v2beta2 with another name.
        version = value["apiVersion"].replace("autoscaling/v2", "autoscaling/v2beta2")
        group, _, version = version.rpartition("/")
        name = version[0].upper() + version[1:] + value["kind"]
        if not hasattr(self.models, name):
            return [f"{value['apiVersion']} {value['kind']} is not known"]
        return list(self._faults(value, name, value["kind"]))

    def _faults(self, value, kind, where):
        listed = re.fullmatch(r"list\[(.*)\]", kind)
        mapped = re.fullmatch(r"dict\((\w+), (.*)\)", kind)
        if listed:
            if not isinstance(value, list):
                yield f"{where} is not a list"
                return
            for index, each in enumerate(value):
                yield from self._faults(each, listed.group(1), f"{where}[{index}]")
        elif mapped:
            for key, each in value.items():
                yield from self._faults(each, mapped.group(2), f"{where}.{key}")
        elif hasattr(self.models, kind):
            yield from self._object_faults(value, getattr(self.models, kind), where)
        elif kind in ("str", "int", "bool"):
            if type(value).__name__ != kind:
                yield f"{where} is {value!r}, not a {kind}"
        elif kind not in ("object", "float", "datetime"):
            yield f"{where}: {kind} is not known"

    def _object_faults(self, value, model, where):
        if not isinstance(value, dict):
            yield f"{where} is {value!r}, and has no fields"
            return
        fields = {key: attribute for attribute, key in model.attribute_map.items()}
        for key, each in value.items():
            if key in fields:
                yield from self._faults(each, model.openapi_types[fields[key]], f"{where}.{key}")
            elif (model.__name__, key) not in NEWER:
                yield f"{where} has no field {key!r}"
        # Required fields reject None.
        empty = model.__new__(model)
        empty.local_vars_configuration = self.configuration
        for key, attribute in fields.items():
            if key not in value:
                try:
                    setattr(empty, attribute, None)
                except ValueError:
                    yield f"{where} lacks {key!r}"


class Rendering:
    """All objects of an overlay with components."""

    def __init__(self, base, components):
        with tempfile.TemporaryDirectory(prefix="assetgate-kustomize-") as folder:
            # kustomize accepts relative paths only, and resolves links.
            folder = pathlib.Path(folder).resolve()
            up = "../" * (len(folder.parts) - 1)
            text = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                    "namespace": "assetgate", "resources": [f"{up}{KUSTOMIZE}/{base}".replace("//", "/")],
                    "components": [f"{up}{KUSTOMIZE}/components/{each}".replace("//", "/")
                                   for each in components]}
            (folder / "kustomization.yaml").write_text(yaml.safe_dump(text))
            result = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True,
                                    check=False)
        # A warning is a fault too, for instance about a deprecated field.
        if result.returncode != 0 or result.stderr:
            raise AssertionError(f"kubectl kustomize: {result.stderr}")
        self.objects = [each for each in yaml.safe_load_all(result.stdout) if each]

    def all(self, *kinds):
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind, name):
        only, = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        return only

    def workloads(self):
        """The objects that have pods."""
        return [each for each in self.objects if "template" in each.get("spec", {})]

    def pods_of(self, selector):
        """The pod templates that a selector matches."""
        assert selector, "an empty selector matches everything"
        return [each["spec"]["template"] for each in self.workloads()
                if selector.items() <= each["spec"]["template"]["metadata"]["labels"].items()]

    def config(self):
        """The gateway's config."""
        files, = [each["data"] for each in self.all("ConfigMap") if "assetgate.yaml" in each["data"]]
        return yaml.safe_load(files["assetgate.yaml"])


def name_of(each):
    return f"{each['kind']}/{each['metadata']['name']}"


def ports_of(pod):
    return {port["name"]: port["containerPort"]
            for container in pod["spec"]["containers"] for port in container["ports"]}


class RenderedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason is not None:
            raise unittest.SkipTest(reason)
        cls.rendered = {name: Rendering(*what) for name, what in RENDERED.items()}

    def each(self):
        """Yields each rendering; a failure names the current one."""
        self.current = None
        for self.current, rendering in self.rendered.items():
            yield rendering

    def each_pod(self):
        for rendering in self.each():
            for workload in rendering.workloads():
                yield rendering, name_of(workload), workload["spec"]["template"]["spec"]

    def _formatMessage(self, message, standard):
        where = getattr(self, "current", None)
        return super()._formatMessage(f"{where}: {message}" if where else message, standard)

    def test_every_component_is_checked(self):
        there = {each.name for each in (KUSTOMIZE / "components").iterdir()}
        named = set()
        for base, components in RENDERED.values():
            listed = yaml.safe_load((KUSTOMIZE / base / "kustomization.yaml").read_text())
            named |= set(components) | {pathlib.Path(each).name for each in listed.get("components", [])}
        self.assertEqual(named, there)

    def test_kubernetes_knows_every_field(self):
        try:
            schema = Schema()
        except ImportError:
            self.skipTest("there is no python3-kubernetes")
        for rendering in self.each():
            for each in rendering.objects:
                if each["kind"] in CUSTOM:
                    self.assertEqual(each["apiVersion"], CUSTOM[each["kind"]])
                    continue
                self.assertEqual(schema.faults(each), [], name_of(each))

    def test_names_are_unique_and_in_one_namespace(self):
        for rendering in self.each():
            names = [name_of(each) for each in rendering.objects]
            self.assertEqual(len(set(names)), len(names))
            for each in rendering.objects:
                self.assertEqual(each["metadata"]["namespace"], "assetgate", name_of(each))

    def test_pods_have_no_privileges(self):
        """Checks the pod security standard `restricted`, and more."""
        for _, name, pod in self.each_pod():
            context = pod["securityContext"]
            self.assertIs(context["runAsNonRoot"], True, name)
            self.assertGreater(context["runAsUser"], 0, name)
            self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"}, name)
            self.assertIs(pod["automountServiceAccountToken"], False, name)
            for word in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
                self.assertNotIn(word, pod, name)
            for volume in pod["volumes"]:
                self.assertLessEqual(set(volume), {"name", "configMap", "secret", "emptyDir"}, name)
            for container in pod["containers"] + pod.get("initContainers", []):
                own = container["securityContext"]
                self.assertEqual(own["capabilities"], {"drop": ["ALL"]}, name)
                self.assertIs(own["allowPrivilegeEscalation"], False, name)
                self.assertIs(own["readOnlyRootFilesystem"], True, name)
                self.assertNotIn("privileged", own, name)
                for port in container["ports"]:
                    self.assertNotIn("hostPort", port, name)
                resources = container["resources"]
                self.assertEqual(set(resources["requests"]), {"cpu", "memory"}, name)
                self.assertIn("memory", resources["limits"], name)

    def test_probes_use_the_port_that_callers_do_not(self):
        for _, name, pod in self.each_pod():
            for container in pod["containers"]:
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    asked = container[probe]["httpGet"]
                    self.assertIn(asked["port"], ("admin", "operations"), name)
                    self.assertNotIn("scheme", asked, name)

    def test_every_object_that_pods_refer_to_exists(self):
        for rendering in self.each():
            there = {(each["kind"], each["metadata"]["name"]) for each in rendering.objects} | BROUGHT
            for workload in rendering.workloads():
                pod = workload["spec"]["template"]["spec"]
                for volume in pod["volumes"]:
                    if "configMap" in volume:
                        self.assertIn(("ConfigMap", volume["configMap"]["name"]), there)
                    if "secret" in volume:
                        self.assertIn(("Secret", volume["secret"]["secretName"]), there)
                claims = {each["metadata"]["name"] for each in
                          workload["spec"].get("volumeClaimTemplates", [])}
                volumes = {each["name"] for each in pod["volumes"]} | claims
                self.assertEqual(len(volumes), len(pod["volumes"]) + len(claims))
                for container in pod["containers"]:
                    self.assertEqual({each["name"] for each in container["volumeMounts"]}, volumes)
                    paths = [each["mountPath"] for each in container["volumeMounts"]]
                    # A mount point cannot be created below a read-only mount.
                    for path in paths:
                        self.assertFalse(any(is_below(path, each) for each in paths), path)

    def test_selectors_match_pods_and_ports(self):
        for rendering in self.each():
            for service in rendering.all("Service"):
                pod, = rendering.pods_of(service["spec"]["selector"])
                for port in service["spec"]["ports"]:
                    self.assertIn(port["targetPort"], ports_of(pod), name_of(service))
            for budget in rendering.all("PodDisruptionBudget"):
                pod, = rendering.pods_of(budget["spec"]["selector"]["matchLabels"])
            for workload in rendering.workloads():
                pod, = rendering.pods_of(workload["spec"]["selector"]["matchLabels"])
                for spread in pod["spec"].get("topologySpreadConstraints", []):
                    self.assertEqual(rendering.pods_of(spread["labelSelector"]["matchLabels"]), [pod])

    def test_replicated_pods_are_spread_and_drained_one_by_one(self):
        for rendering in self.each():
            budgets = [each["spec"] for each in rendering.all("PodDisruptionBudget")]
            for workload in rendering.all("Deployment"):
                labels = workload["spec"]["selector"]["matchLabels"]
                self.assertIn({"maxUnavailable": 1, "selector": {"matchLabels": labels}}, budgets)
                spread = workload["spec"]["template"]["spec"]["topologySpreadConstraints"]
                self.assertEqual(len(spread), 2, name_of(workload))

    def test_pods_have_time_to_shut_down(self):
        for rendering, name, pod in self.each_pod():
            container, = pod["containers"]
            if name.endswith("-edge"):
                needed = container["lifecycle"]["preStop"]["sleep"]["seconds"]
                self.assertGreater(needed, 5, name)
            else:
                needed = time_to_end(rendering.config())
            self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], needed + 5, name)

    def test_the_config_has_tls_exactly_where_certificates_are_mounted(self):
        production = self.rendered["production"].config()
        self.assertNotIn("allow_insecure_listen", production)
        for rendering in self.each():
            pod = rendering.pods_of({"app.kubernetes.io/name": "assetgate"})[0]["spec"]
            mounts = {each["mountPath"]: each["name"] for each in
                      pod["containers"][0]["volumeMounts"]}
            secrets = {each["name"]: each["secret"]["secretName"] for each in pod["volumes"]
                       if "secret" in each}
            for path in filter(lambda each: each.startswith("/"),
                               map(str, rendering.config().get("tls", {}).values())):
                folder, file = path.rsplit("/", 1)
                self.assertEqual(secrets[mounts[folder]], "assetgate-tls")
                self.assertIn(file, ("tls.crt", "tls.key", "ca.crt"))
            encrypted = {port["appProtocol"] == "https" for service in rendering.all("Service")
                         for port in service["spec"]["ports"] if port["name"] == "grpc"}
            self.assertEqual(encrypted, {"assetgate-tls" in secrets.values()})

    def test_the_configs_use_the_ports_of_the_pods(self):
        for rendering in self.each():
            pod = rendering.pods_of({"app.kubernetes.io/name": "assetgate"})[0]
            config = rendering.config()
            self.assertEqual(ports_of(pod), {"grpc": port_of(config["listen"]),
                                             "admin": port_of(config["admin"]["listen"])})

    def test_the_edge_listens_on_the_pods_ports_and_calls_the_gateways(self):
        for rendering in self.each():
            files = [each["data"] for each in rendering.all("ConfigMap") if "envoy.yaml" in each["data"]]
            if not files:
                continue
            envoy = yaml.safe_load(files[0]["envoy.yaml"])
            pod, = rendering.pods_of({"app.kubernetes.io/name": "assetgate-edge"})
            listening = {each["address"]["socket_address"]["port_value"]
                         for each in envoy["static_resources"]["listeners"]}
            self.assertEqual(listening, set(ports_of(pod).values()))
            self.assertEqual(envoy["admin"]["address"]["socket_address"]["address"], "127.0.0.1")
            cluster, = yaml.safe_load(files[0]["gateways.yaml"])["resources"]
            endpoint, = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
            address = endpoint["endpoint"]["address"]["socket_address"]
            service = rendering.one("Service", address["address"])
            self.assertEqual(service["spec"]["clusterIP"], "None", "the service must resolve to all pods")
            self.assertIn(address["port_value"], [each["port"] for each in service["spec"]["ports"]])
            paths = [envoy["dynamic_resources"]["cds_config"]["path_config_source"]["path"]]
            paths += re.findall(r"proto_descriptor: (\S+)", files[0]["envoy.yaml"])
            paths += re.findall(r"trusted_ca: {filename: (\S+)}", files[0]["gateways.yaml"])
            mounted = [each["mountPath"] for each in pod["spec"]["containers"][0]["volumeMounts"]]
            self.assertEqual(sorted(str(pathlib.PurePosixPath(path).parent) for path in paths),
                             sorted(mounted))

    def test_the_certificate_has_the_names_of_the_services_and_is_renewed_before_the_alert(self):
        rendering = self.rendered["production"]
        certificate = rendering.one("Certificate", "assetgate")["spec"]
        for service in ("assetgate", "assetgate-headless"):
            rendering.one("Service", service)
            for suffix in ("", ".assetgate", ".assetgate.svc", ".assetgate.svc.cluster.local"):
                self.assertIn(service + suffix, certificate["dnsNames"])
        gateways = (KUSTOMIZE / "components/edge-tls/gateways.yaml").read_text()
        for asked in re.findall(r"(?:sni: |exact: )([\w-]+)", gateways):
            self.assertIn(asked, certificate["dnsNames"])
        rules = (DEPLOY / "observability/rules.yaml").read_text()
        days = int(re.search(r"certificate_expiry\S+ - time\(\) < (\d+) \* 86400", rules).group(1))
        self.assertGreater(int(certificate["renewBefore"][:-1]), 24 * days)


class NetworkPolicyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason is not None:
            raise unittest.SkipTest(reason)
        cls.rendering = Rendering(*RENDERED["production"])
        cls.policies = {each["metadata"]["name"]: each["spec"]
                        for each in cls.rendering.all("NetworkPolicy")}

    def egress_ports(self, *names):
        return {(port["protocol"], port["port"]) for name in names
                for rule in self.policies[name]["egress"] for port in rule["ports"]}

    def test_every_pod_has_a_policy_for_both_directions(self):
        for workload in self.rendering.workloads():
            name = workload["metadata"]["name"]
            self.assertEqual(self.policies[name]["policyTypes"], ["Ingress", "Egress"])
            self.assertEqual(self.rendering.pods_of(self.policies[name]["podSelector"]["matchLabels"]),
                             [workload["spec"]["template"]])

    def test_named_ports_are_those_of_the_pods(self):
        for name, policy in self.policies.items():
            pod, = self.rendering.pods_of(policy["podSelector"]["matchLabels"])
            for rule in policy.get("ingress", []):
                self.assertTrue(rule["from"], name)
                for port in rule["ports"]:
                    self.assertIn(port["port"], ports_of(pod), name)

    def test_gateways_reach_only_dns_providers_and_the_database(self):
        self.assertEqual(self.egress_ports("assetgate"), {("UDP", 53), ("TCP", 53), ("TCP", 443)})
        self.assertEqual(self.egress_ports("assetgate-postgresql"), {("TCP", 5432)})

    def test_the_edge_reaches_only_dns_and_the_gateways(self):
        gateway, = self.rendering.pods_of({"app.kubernetes.io/name": "assetgate"})
        self.assertEqual(self.egress_ports("assetgate-edge"),
                         {("UDP", 53), ("TCP", 53), ("TCP", ports_of(gateway)["grpc"])})
        asked, = [rule["to"] for rule in self.policies["assetgate-edge"]["egress"] if "to" in rule]
        self.assertEqual(asked, [{"podSelector": self.policies["assetgate"]["podSelector"]}])

    def test_callers_reach_only_the_callers_port_and_prometheus_only_the_admin_port(self):
        for name, own in (("assetgate", "grpc"), ("assetgate-edge", "http")):
            for rule in self.policies[name]["ingress"]:
                ports = {port["port"] for port in rule["ports"]}
                monitoring = any("kubernetes.io/metadata.name" in
                                 each.get("namespaceSelector", {}).get("matchLabels", {})
                                 for each in rule["from"])
                self.assertEqual(ports == {own}, not monitoring, name)
                self.assertEqual(len(ports), 1)


class AutoscalingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason is not None:
            raise unittest.SkipTest(reason)
        cls.rendering = Rendering(*RENDERED["production"])
        cls.scaler = cls.rendering.one("HorizontalPodAutoscaler", "assetgate")["spec"]

    def test_it_scales_the_gateways_and_nothing_else_sets_their_number(self):
        target = self.scaler["scaleTargetRef"]
        workload = self.rendering.one(target["kind"], target["name"])
        self.assertEqual(target["apiVersion"], workload["apiVersion"])
        self.assertNotIn("replicas", workload["spec"])
        container, = workload["spec"]["template"]["spec"]["containers"]
        self.assertIn("cpu", container["resources"]["requests"], "utilization is relative to it")

    def test_metrics_exist_and_the_adapter_has_a_rule_for_each(self):
        declared = (DEPLOY.parent / "service/base/metrics.h").read_text()
        adapter = yaml.safe_load((KUSTOMIZE / "components/autoscaling/prometheus-adapter.yaml").read_text())
        queries = [re.search(r'__name__=~"(.*?)"', rule["seriesQuery"]).group(1)
                   for rule in adapter["rules"]["custom"]]
        named = [each["pods"]["metric"]["name"] for each in self.scaler["metrics"] if each["type"] == "Pods"]
        self.assertEqual(len(named), 2)
        for name in named:
            self.assertRegex(declared, rf"\|\s+{name.removeprefix('assetgate_')}\s+\|")
            self.assertTrue(any(re.fullmatch(query, name) for query in queries), name)

    def test_the_maximum_number_of_gateways_fits_the_database(self):
        operations = (DEPLOY.parent / "docs/operations.md").read_text()
        each = int(re.search(r"\(replicas \+ 1\) × (\d+)", operations).group(1))
        # PostgreSQL's default of 100, less three that it reserves for superusers.
        self.assertLessEqual((self.scaler["maxReplicas"] + 1) * each, 97)

    def test_streams_move_to_new_gateways(self):
        self.assertIn("max_age", self.rendering.config()["connections"])


class ProductionConfigTest(unittest.TestCase):
    def test_the_program_accepts_it_once_secrets_and_certificates_are_there(self):
        if program("assetgate") is None:
            self.skipTest("assetgate is not built here")
        if shutil.which("openssl") is None:
            self.skipTest("there is no openssl to make a certificate with")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-days", "1", "-subj", "/CN=assetgate", "-keyout", folder / "tls.key",
                 "-out", folder / "tls.crt"], check=True, capture_output=True)
            shutil.copy(folder / "tls.crt", folder / "ca.crt")
            text = (KUSTOMIZE / "examples/production/assetgate.yaml").read_text()
            self.assertIn("/etc/assetgate-tls/", text)
            text = text.replace("/etc/assetgate-tls", str(folder))
            text = config_with_secrets(text, folder, "postgresql://user:password@host/database")
            (folder / "assetgate.yaml").write_text(text)
            checked = subprocess.run(
                [program("assetgate"), "--check-config", folder / "assetgate.yaml"], env={},
                capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_config_differs_from_the_overlays_only_in_tls_callers_and_connections(self):
        own, overlay = (yaml.safe_load((KUSTOMIZE / each / "assetgate.yaml").read_text())
                        for each in ("examples/production", "overlays/replicated"))
        for key in ("tls", "callers", "connections"):
            del own[key]
        del overlay["allow_insecure_listen"]
        self.assertEqual(own, overlay)


if __name__ == "__main__":
    unittest.main(verbosity=2)
